"""Phase 1: the issues of the incident, since when they burn, how many users and features they hit,
and how sure that is. The numbers are those of the rules ("The picture", "Severity").
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from phases.ports.tracker_values import EventPicture, IssueRow
from phases.record.findings import (
    BlastRadius,
    Confidence,
    IssueSeen,
    Part,
    Share,
    TriageReport,
    Word,
)
from phases.record.incident import Severity
from phases.record.limits import NOTHING_UNUSUAL
from phases.text.wording import capital, counted, listed, per_minute_text, short
from phases.triage.picture.fire import DAY, MINUTE, Fire, own_rate
from phases.triage.picture.who_is_hit import USERS_UNKNOWN, how_many

LEVELS = ("error", "fatal")
NEW = timedelta(hours=1)
"""First seen in the last hour: shown as new. It belongs where no beginning is known."""
SPIKE_EVENTS = 10  # "spiking (at least 10 events in the window …"
SPIKE_FACTOR = 3  # "… and at least 3 × its own baseline)"

SHARED_NAME = 10  # "One value from 10 or more addresses is a shared name"
ONE_PLACE = 10  # "10 or more values, all from one address, … are one user"
INFERRED_MANY = (
    10  # "No user on more than half of the events: many when there are 10 or more events …"
)
FEATURE_EVENTS = 3  # "with at least 3 events …"
NAMELESS = 20  # nearly every event names its user: all but one of so many
FEATURE_SHARE = 0.05  # "… and at least 5 % of the incident's events in the window"

SURE_EVENTS = 20  # "Confidence: high with known users and 20 or more events"
UNSURE_EVENTS = 5  # "low when inferred or under 5 events"
SEVERE_EVENTS = 10  # Severity: "SEV3 one user, or inferred from under 10 events"

SHOWN = 5
ERROR, CRON = "error", "cron"  # categories of issues; monitors have more of them
PARTS: tuple[Part, ...] = ("users", "features", "places")


# --- issues ------------------------------------------------------------------------------------


def baseline_of(row: IssueRow, until: datetime, fire: Fire | None = None) -> float:
    """Return events a minute over the day before the fire; zero for an issue of the last day."""
    if row.first_seen >= until - DAY:
        return 0.0
    own = own_rate(row, fire.since) if fire is not None and fire.rise is not None else None
    if own is not None:
        return own.per_minute
    return row.events_before / row.minutes_before if row.minutes_before > 0 else 0.0


def issue_seen(
    row: IssueRow, until: datetime, window: timedelta, fire: Fire | None = None
) -> IssueSeen:
    """Return the issue with what makes it unusual."""
    baseline = baseline_of(row, until, fire)
    per_minute = row.events / (window / MINUTE)
    return IssueSeen(
        id=row.id,
        short_id=row.short_id,
        title=short(row.title, 200),
        url=row.url,
        level=row.level,
        handled=row.handled,
        first_seen=row.first_seen,
        events=row.events,
        baseline_per_minute=baseline,
        category=row.category,
        new=row.first_seen >= until - NEW,
        spiking=row.events >= SPIKE_EVENTS and per_minute >= SPIKE_FACTOR * baseline,
        regressed=row.substatus == "regressed",
    )


def incident_issues(
    rows: Sequence[IssueRow],
    until: datetime,
    window: timedelta,
    seeds: Collection[str],
    fire: Fire,
) -> tuple[IssueSeen, ...]:
    """Return the incident's issues, most events beyond their own baseline first.

    Those belong that began or grew with the fire or spike by themselves, whatever their status,
    those that were named, and those of monitors: each event of theirs is a check that failed.
    """
    issues: list[IssueSeen] = []
    for row in rows:
        if row.events <= 0 or row.level not in LEVELS:
            continue
        issue = issue_seen(row, until, window, fire)
        burns = fire.began(row) or issue.spiking or fire.grew(row, window) or row.category != ERROR
        if burns or row.id in seeds:
            issues.append(issue.model_copy(update={"burns": burns}))
    return tuple(
        sorted(issues, key=lambda i: (-events_beyond_usual(i, window), i.first_seen, i.id))
    )


def events_beyond_usual(issue: IssueSeen, window: timedelta) -> float:
    """Return its events in the window beyond what it usually has in one."""
    return issue.events - issue.baseline_per_minute * (window / MINUTE)


def with_monitor_issues(picture: EventPicture, issues: Sequence[IssueSeen]) -> EventPicture:
    """Return the picture with the issues that have no rows among errors, as a monitor's have none.

    Where Sentry does not tell the category, a list that counts events beside a picture without any
    shows the same. A cron monitor's feature is its job; an uptime monitor may watch all of them.
    """
    others = [i for i in issues if i.category != ERROR and i.events > 0]
    if not others and picture.events <= 0 and not picture.unknown:
        others = [i for i in issues if i.events > 0]
    if not others:
        return picture
    uncounted = tuple(
        Share(name=i.title if i.category == CRON else "", events=i.events) for i in others
    )
    extra = 0 if picture.per_issue else sum(share.events for share in uncounted)
    return picture.model_copy(update={"not_counted": uncounted, "events": picture.events + extra})


def counted_before(rows: Sequence[IssueRow], ids: Collection[str], now: datetime) -> float:
    """Return the minutes of the day before that the issue list counted; 0 where it did not tell."""
    untold = any(r.minutes_before <= 0 and r.first_seen < now - DAY for r in rows if r.id in ids)
    return 0.0 if untold else DAY / MINUTE


# --- who ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserCount:
    word: Word
    count: int | None
    inferred: bool
    says: tuple[str, ...] = ()
    """Notes for the reader of the count."""


def count_users(picture: EventPicture, addresses_last_day: int | None) -> UserCount:
    """Count the end users that are hit (rules: Users)."""
    if "users" in unknown_parts(picture):
        return _users_unknown(picture)
    if picture.events <= 0 or picture.user_count is None:
        return UserCount(Word.NOBODY, 0, False)
    real = picture.events - picture.events_of_not_users
    if real <= 0:
        return UserCount(
            Word.NOBODY, 0, False, ("Only health checks and bots (not_users) ran into it.",)
        )
    shared = [
        u.addresses for u in picture.users if u.addresses is not None and u.addresses >= SHARED_NAME
    ]
    count = picture.user_count - len(shared) + sum(shared)
    says: tuple[str, ...] = ()
    if shared:
        says = (
            f"{counted(len(shared), 'user name')} shared by many addresses: addresses are counted.",
        )
    # Sentry leaves events without an address out of its count: such a user is not of that place.
    without = sum(u.addresses is None for u in picture.users)
    elsewhere = without if without < len(picture.users) else 0
    there = picture.user_count - elsewhere
    if there >= ONE_PLACE and picture.addresses == 1 and (addresses_last_day or 0) > 1:
        says = (f"{counted(there, 'user id')}, all from one address: taken as one user.",)
        count = 1 + elsewhere
    if picture.events_without_user * 2 <= real:
        return UserCount(_one_or_many(count), count, False, says)
    places = max(_count_places(picture.regions), _count_places(picture.organisations))
    anywhere = "places" in picture.unknown and real >= 2
    many = real >= INFERRED_MANY or places >= 2 or count >= 2 or anywhere
    why = "most events name no user, so the number of users is inferred"
    says = (*says, capital(f"{why} from {counted(real, 'event')}{_places_in_words(picture)}."))
    return UserCount(Word.MANY if many else Word.ONE, count if count >= 2 else None, True, says)


def unknown_parts(picture: EventPicture) -> tuple[Part, ...]:
    """Return the parts that are not known. Whom events hit that are no errors is one of them."""
    lacks: set[Part] = set(picture.unknown)
    if picture.not_counted or (picture.user_count is None and picture.events > 0):
        lacks.add("users")
    if any(not share.name for share in picture.not_counted):
        lacks.add("features")
    return tuple(part for part in PARTS if part in lacks)


def _users_unknown(picture: EventPicture) -> UserCount:
    """Return many users, as far as the events allow: one event has one user."""
    others = sum(share.events for share in picture.not_counted)
    least = picture.user_count if (picture.user_count or 0) >= 2 else None
    says: list[str] = []
    if others:
        verb = "is" if others == 1 else "are"
        # Beside a number of others they are theirs.
        lacks = USERS_UNKNOWN if least is None else "their users are not known"
        says.append(f"{counted(others, 'event')} {verb} not counted as errors: {lacks}.")
    if "users" in picture.unknown or (picture.user_count is None and not others):
        says.append("Users could not be counted: assumed to be many.")
    single = picture.events == 1 and not others
    return UserCount(Word.ONE if single else Word.MANY, least, True, tuple(says))


def _one_or_many(count: int) -> Word:
    return Word.MANY if count >= 2 else Word.ONE


def _count_places(shares: Sequence[Share]) -> int:
    return len({s.name for s in shares if s.name and s.events > 0})


def _places_in_words(picture: EventPicture) -> str:
    parts = [
        counted(number, place)
        for number, place in (
            (_count_places(picture.regions), "region"),
            (_count_places(picture.organisations), "organisation"),
        )
        if number
    ]
    return f" in {listed(parts)}" if parts else ""


# --- what --------------------------------------------------------------------------------------


def feature_of(transaction: str, features: Mapping[str, str]) -> str | None:
    """Return the catalogue feature that a transaction matches, else the transaction itself."""
    if not transaction:
        return None
    return next(
        (name for name, pattern in features.items() if fnmatchcase(transaction, pattern)),
        transaction,
    )


def events_by_feature(
    transactions: Sequence[Share], features: Mapping[str, str]
) -> tuple[Share, ...]:
    """Events by feature, most first."""
    events: dict[str, int] = {}
    users: dict[str, int] = {}
    for share in transactions:
        if (name := feature_of(share.name, features)) is not None:
            events[name] = events.get(name, 0) + share.events
            users[name] = users.get(name, 0) + (share.users or 0)  # some may be the same people
    return tuple(
        Share(name=short(n), events=e, users=users[n] or None)
        for n, e in sorted(events.items(), key=lambda x: (-x[1], x[0]))
    )


def hit_features(
    shares: Sequence[Share], events: int, users: int | None = None
) -> tuple[Share, ...]:
    """Return the features with enough events, and enough of the users, to count.

    `users`: the distinct users, where nearly every event names one. A few clients that loop are
    many events, and no feature that is broken for everybody; nor do they hide one that is.
    """

    def counts(share: Share) -> bool:
        if users and share.users:
            return share.users >= FEATURE_SHARE * users
        return share.events >= FEATURE_SHARE * events

    return tuple(s for s in shares if s.events >= FEATURE_EVENTS and counts(s))


def _features_hit(picture: EventPicture, hit: Sequence[Share], known: bool) -> Word:
    """Return many where it is not known, as far as the events allow for two features."""
    few = picture.events < 2 * FEATURE_EVENTS and not picture.not_counted
    return Word.MANY if len(hit) >= 2 or not (known or few) else Word.ONE


# --- together ----------------------------------------------------------------------------------


def confidence(known: bool, events: int) -> Confidence:
    if not known or events < UNSURE_EVENTS:
        return Confidence.LOW
    return Confidence.HIGH if events >= SURE_EVENTS else Confidence.MEDIUM


def blast_radius(
    picture: EventPicture,
    addresses_last_day: int | None,
    features: Mapping[str, str],
    window: timedelta,
    baseline_per_minute: float,
) -> BlastRadius:
    """Say who is hit, as a value with sentences that a person can check."""
    who = count_users(picture, addresses_last_day)
    if who.word is Word.NOBODY:
        return BlastRadius(
            users=Word.NOBODY,
            user_count=0,
            features=Word.NOBODY,
            sentences=who.says or (NOTHING_UNUSUAL,),
        )
    shares = events_by_feature((*picture.transactions, *picture.not_counted), features)
    named = NAMELESS * picture.events_without_user <= picture.events
    hit = hit_features(shares, picture.events, who.count if named and not who.inferred else None)
    lacks = unknown_parts(picture)
    says = [_volume_sentence(who, picture, window, baseline_per_minute), *who.says]
    if shares:
        named = [f"{s.name} ({counted(s.events, 'event')})" for s in hit or shares[:1]]
        says.append(f"Features: {listed(named)}.")
    if "features" in lacks:
        says.append("Features are not known: assumed to be many.")
    for shares_of, word in ((picture.regions, "region"), (picture.organisations, "organisation")):
        if (only := _only_place(shares_of, picture.events)) is not None:
            says.append(f"All of it in one {word}: {only}.")
    return BlastRadius(
        users=who.word,
        user_count=who.count,
        features=_features_hit(picture, hit, "features" not in lacks),
        top_features=(hit or shares)[:SHOWN],
        regions=picture.regions[:SHOWN],
        organisations=picture.organisations[:SHOWN],
        confidence=confidence(not who.inferred, picture.events),
        inferred=who.inferred,
        unknown=lacks,
        sentences=tuple(says),
    )


def _volume_sentence(
    who: UserCount, picture: EventPicture, window: timedelta, baseline_per_minute: float
) -> str:
    hit = how_many(who.word, "user") if who.count is None else counted(who.count, "user")
    if "users" in unknown_parts(picture):
        hit = USERS_UNKNOWN if who.count is None else f"at least {hit}"
    minutes = window / MINUTE
    last = f"{round(minutes)} min" if minutes > 1.5 else f"{round(minutes * 60)} s"
    what = f"{hit}{_places_in_words(picture)}, {counted(picture.events, 'event')}"
    if picture.per_issue:
        return capital(f"{what}, counted per issue over its whole life.")
    per_minute = per_minute_text(picture.events / minutes)
    baseline = per_minute_text(baseline_per_minute)
    return capital(f"{what} in the last {last} ({per_minute}/min, baseline {baseline}/min).")


def _only_place(shares: Sequence[Share], events: int) -> str | None:
    named = [s for s in shares if s.name and s.events > 0]
    return named[0].name if len(named) == 1 and named[0].events >= events > 1 else None


def severity_of(report: TriageReport) -> Severity:
    """Proposed by triage; a person's word wins (rules: Severity)."""
    blast = report.blast
    if blast.users is Word.NOBODY:
        return Severity.SEV3 if blast.unknown else Severity.SEV4
    few = blast.inferred and blast.knows("users") and report.events < SEVERE_EVENTS
    if blast.users is Word.ONE or few:
        return Severity.SEV3
    return Severity.SEV1 if blast.features is Word.MANY else Severity.SEV2
