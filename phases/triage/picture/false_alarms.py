"""Phase 1: what is no new fire although it is loud: regular, renamed, the same few, no customers.

Each rule says so in one sentence, and only where it is sure: what cannot be told apart from a fire
is one.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from statistics import fmean

from phases.ports.tracker_values import EventPicture, IssueRow
from phases.record.findings import IssueSeen, Share
from phases.shared.counts import SPREAD_ASSUMED, Measured, at_least_above, at_most, most_usual
from phases.text.wording import capital, counted, listed, short, stamp
from phases.triage.picture.fire import (
    CHANCE,
    DAY,
    HOUR,
    LOUDER,
    MINUTE,
    STEP,
    TOGETHER,
    Series,
    step_of,
)

PERIODS = 3  # "for three periods or more"
ODD = 0.01  # one such peak comes by chance in one of a hundred, three hardly ever
PEAK = 3.0  # times what came just before and after: else it is a level, not a rhythm
RHYTHMS = ((HOUR, 4, timedelta(minutes=30)), (DAY, 7, timedelta(hours=6)))
"""Period, how many of them are looked at, and how long a burst of it may last. A job of working
days has five of seven."""

BEFORE = timedelta(hours=1)  # a place's rate just before: the same hour of traffic
JUST_BEFORE = timedelta(minutes=10)  # a failure that only gets another title makes no such pause
STRAYS = 0.1  # of the events: issues that began before by chance
CEASED = 0.05  # what failed there before is as quiet by chance in one of twenty
NEARLY_ALL = 0.95  # of the events: then the picture is theirs

SAME_FEW = 5  # users, who are no wide fire …
SHOUTED = 10  # … with so many events each …
LONG = timedelta(days=7)  # … for so long

HEALTH = re.compile(
    r"(?:/(?:api|internal|actuator|_|-|v\d+))*"
    r"/(?:health(?:z|y|[-_]?checks?)?|livez|readyz|live(?:ness)?|ready|readiness|ping|heartbeat|up)"
    r"(?:/(?:live(?:ness)?|ready|readiness|db|full))?/?",
    re.IGNORECASE,
)
"""Kubernetes' and the common frameworks' paths:
https://kubernetes.io/docs/reference/using-api/health-checks/"""
SCANNED = re.compile(
    r"\.(?:php\d?|aspx?|jsp|cgi|env|git|svn|aws|ssh|bak|sql|ini|htaccess|DS_Store)(?:$|[/.?])"
    r"|/(?:wp-|wordpress|phpmyadmin|pma|cgi-bin|vendor/phpunit|boaform|HNAP1|owa/|solr/|hudson"
    r"|manager/html|_ignition|telescope/|etc/passwd|xmlrpc|autodiscover|geoserver|druid/)"
    r"|\.\./|%2e%2e",
    re.IGNORECASE,
)
"""What scanners ask any server for: https://owasp.org/www-project-core-rule-set/ and the lists of
https://github.com/projectdiscovery/nuclei-templates."""
NOT_SERVED = re.compile(
    r"(?:\w+[.:\\])*(?:Http404|HTTPNotFound|NotFound|NotFoundHttpException|RoutingError"
    r"|NoHandlerFoundException|NoResourceFoundException|NoRouteFoundException|RouteNotFound\w*"
    r"|DisallowedHost|NoMatchingRoute\w*)(?:$|[:( ])|(?:404\b|Not Found\b)"
)
"""Titles of errors that say that there is no such page (Django, Symfony, Rails, Spring)."""
PATHS = 10  # of such errors: a page that is missing is one path, or a few


# --- regular -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rhythm:
    period: timedelta
    typical: float
    """Events of one burst."""
    began: datetime

    @property
    def sentence(self) -> str:
        hourly = self.period == HOUR
        when = f"hour at :{self.began:%M}" if hourly else f"day at {self.began:%H:%M} UTC"
        much = counted(round(self.typical), "event")
        return f"It does this every {when}, about {much} each time."

    def explains(
        self, issues: Sequence[IssueSeen], rows: Mapping[str, IssueRow], began: datetime
    ) -> set[str]:
        """Return the issues that are the rhythm's: no more events than it brings each time.

        Those that were there in the periods before are. New ones are where those are missing: a job
        that names its errors anew each time.
        """
        first = began - (PERIODS - 1) * self.period
        there = [i for i in issues if i.first_seen < first]
        old = {i.id for i in there if _came_in_hours_before(rows.get(i.id), self, began)}
        most = at_most(self.typical, SPREAD_ASSUMED, CHANCE)
        of_old = sum(i.events for i in issues if i.id in old)
        if of_old >= self.typical / 2:
            return old if of_old <= most else set()
        every = {issue.id for issue in issues}
        return every if sum(issue.events for issue in issues) <= most else set()


def find_rhythm(series: Series, began: datetime) -> Rhythm | None:
    """Return the period in which events came at the same time, three times or more."""
    begin, end = step_of(began) - 1, series.end
    for period, looked_at, longest in RHYTHMS:
        if series.now - began > longest:
            continue
        bursts: list[int] = []
        length, shift = end - begin, period // STEP
        for number in range(1, looked_at + 1):
            start = begin - number * shift
            if start - length < series.first:
                break
            burst, stop = series.events(start, start + length + 1), start + length + 1
            side = max(min(length + 1, (shift - length - 1) // 2), 1)
            beside = max(series.events(start - side, start), series.events(stop, stop + side))
            beside *= (length + 1) / side
            if burst >= max(TOGETHER, PEAK * beside) and burst > at_most(
                beside, SPREAD_ASSUMED, ODD
            ):
                bursts.append(burst)
        if len(bursts) >= PERIODS:
            return Rhythm(period, fmean(bursts), began)
    return None


def without_regular(
    issues: tuple[IssueSeen, ...],
    rows: Sequence[IssueRow],
    series: Series | None,
    began: datetime | None,
) -> tuple[tuple[IssueSeen, ...], Rhythm | None, str]:
    """Return the issues that are not regular, and a note on those that are.

    Where all of them are regular they stay, and the rhythm is returned instead of the note.
    """
    rhythm = find_rhythm(series, began) if series is not None and began is not None else None
    if rhythm is None or began is None:
        return issues, None, ""
    regular = rhythm.explains(issues, {row.id: row for row in rows}, began)
    rest = tuple(issue for issue in issues if issue.id not in regular)
    if not rest:
        return issues, rhythm, ""
    names = listed([issue.short_id for issue in issues if issue.id in regular])
    return rest, None, f"{names} left out. {rhythm.sentence}" if names else ""


def _came_in_hours_before(row: IssueRow | None, found: Rhythm, began: datetime) -> bool:
    """Return whether an issue came in the hours before, where its hours are told."""
    if row is None or not row.hours or found.period != HOUR:
        return True
    before = [count for at, count in row.hours if at + HOUR <= began]
    return sum(count > 0 for count in before[-RHYTHMS[0][1] :]) >= PERIODS


# --- renamed -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransactionFailures:
    """Failures by transaction: of the fire, of the issues beside it, and of the hour before."""

    fire: Mapping[str, int]
    others: Mapping[str, float]
    before: Mapping[str, int]
    minutes: float
    """How long the fire was counted."""

    def is_at_former_rate(self, *names: str) -> bool:
        """Return whether no more fails there than before."""
        now = sum(self.fire.get(name, 0) + self.others.get(name, 0.0) for name in names)
        rate = Measured(self._before(names) / (BEFORE / MINUTE), BEFORE / MINUTE)
        return now <= most_usual(rate, self.minutes, CHANCE)

    def is_louder(self, *names: str) -> bool:
        """Return whether plainly more fails there than before, though chance may bring it."""
        now = sum(self.fire.get(name, 0) + self.others.get(name, 0.0) for name in names)
        return now > max(LOUDER * self._before(names) * self.minutes / (BEFORE / MINUTE), TOGETHER)

    @property
    def has_ceased(self) -> bool:
        """Return whether the older issues are quieter than before, and that is no chance."""
        expected = sum(self.before.values()) * self.minutes / (BEFORE / MINUTE)
        return sum(self.others.values()) <= at_least_above(expected, SPREAD_ASSUMED, CEASED)

    def _before(self, names: Collection[str]) -> int:
        return sum(self.before.get(name, 0) for name in names)


def renamed_transactions(places: TransactionFailures) -> set[str]:
    """Return the transactions that fail at the rate of before, under another title.

    What failed before has ceased, and both together are no more than it was. Where the old failure
    goes on beside the new one, or is too rare to be missed, nobody can say so. That is asked of all
    transactions together: of an issue of many of them Sentry's list names one.
    """
    if not places.has_ceased:
        return set()
    former = {name for name in places.fire if places.is_at_former_rate(name)}
    same = places.is_at_former_rate(*former) and not places.is_louder(*former)
    return former if same else set()


def ended_before(series: Series, began: datetime) -> bool:
    """Return whether what failed in the hour before had ended when the fire began.

    A failure that only gets another title goes on without a pause.
    """
    fire = step_of(began)
    hour = series.events(fire - BEFORE // STEP, fire)
    just_before = series.events(fire - JUST_BEFORE // STEP, fire)
    return just_before <= at_least_above(hour * (JUST_BEFORE / BEFORE), SPREAD_ASSUMED, CEASED)


def new_issues(issues: Sequence[IssueSeen], since: datetime) -> list[IssueSeen]:
    """Return the issues that began with the fire, first seen first."""
    new = [issue for issue in issues if issue.burns and issue.first_seen > since - DAY]
    return sorted(new, key=lambda issue: issue.first_seen)


def mostly_new(issues: Sequence[IssueSeen], since: datetime) -> bool:
    """Return whether most of the events are of issues that began with the fire."""
    new = sum(issue.events for issue in new_issues(issues, since))
    return 2 * new > sum(issue.events for issue in issues)


def titled_since(issues: Sequence[IssueSeen], since: datetime) -> datetime | None:
    """Return when the fire had its titles: without a tenth of its events, which may be strays."""
    began_with_it = new_issues(issues, since)
    strays = STRAYS * sum(issue.events for issue in began_with_it)
    for issue in began_with_it:
        strays -= issue.events
        if strays < 0:
            return issue.first_seen
    return None


def other_failures(
    rows: Sequence[IssueRow], ids: Collection[str], began: datetime, since: datetime, now: datetime
) -> dict[str, float]:
    """Return the events since the fire began of the issues beside it, by transaction.

    An issue that was last seen before is silent since; of any other one the window's share counts.
    """
    share = min((now - max(began, since)) / (now - since), 1.0)
    events: dict[str, float] = {}
    for row in rows:
        silent = row.last_seen is not None and row.last_seen < began + MINUTE
        if row.id not in ids and not silent:
            events[row.culprit] = events.get(row.culprit, 0.0) + row.events * share
    return events


def renamed_sentence(names: Collection[str], began: datetime) -> str:
    places = listed(sorted(short(name) for name in names))
    return f"Not new: until {stamp(began)} {places} failed as often under another title."


# --- the same few, and no customers --------------------------------------------------------------


def same_few_users(issues: Sequence[IssueSeen], picture: EventPicture, now: datetime) -> str:
    """Return the sentence where a few users loop, as for weeks; empty where they do not."""
    users = picture.user_count
    if not issues or not users or users > SAME_FEW or "users" in picture.unknown:
        return ""
    if any(issue.burns or issue.first_seen > now - LONG for issue in issues):
        return ""
    if picture.events < SHOUTED * users or picture.events_without_user * 2 > picture.events:
        return ""
    days = (now - max(issue.first_seen for issue in issues)) // DAY
    who = "The same user has" if users == 1 else f"The same few ({counted(users, 'user')}) have"
    return f"{who} run into it for {counted(days, 'day')}, and no more often than usual."


def single_user_picture(picture: EventPicture, usually: float, minutes: float) -> EventPicture:
    """Return the picture of one user, where without that one there is no more than usual.

    `usually`: events a minute of the day before.
    """
    top = max(picture.users, key=lambda user: user.events, default=None)
    if top is None or "users" in picture.unknown or top.events < SHOUTED:
        return picture
    rest = picture.events - picture.events_of_not_users - top.events
    if (picture.user_count or 0) < 2 or rest > most_usual(
        Measured(usually, DAY / MINUTE), minutes, CHANCE
    ):
        return picture
    return picture.model_copy(update={"users": (top,), "user_count": 1})


@dataclass(frozen=True, slots=True)
class NotCustomerTraffic:
    """The transactions that no customer asked for."""

    scanned: frozenset[str] = frozenset()
    health: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        return self.scanned | self.health

    @property
    def sentence(self) -> str:
        parts = [
            *([f"scanners ({counted(len(self.scanned), 'path')})"] if self.scanned else []),
            *([f"health checks ({listed(sorted(self.health))})"] if self.health else []),
        ]
        return capital(f"{listed(parts)} ran into it.") if parts else ""


def not_customer_traffic(
    transactions: Sequence[Share],
    issues: Sequence[IssueSeen],
    features: Mapping[str, str],
    served: Collection[str],
) -> NotCustomerTraffic:
    """Return the transactions of scanners and health checkers.

    `served` are paths that are known from before, which with the catalogue's features are the
    service's own. Errors that say "no such page" on many other paths are a scanner's, too.
    """

    def own(name: str) -> bool:
        return name in served or any(fnmatchcase(name, pattern) for pattern in features.values())

    paths = {share.name for share in transactions if not own(share.name)}
    missing = bool(issues) and all(NOT_SERVED.match(issue.title) for issue in issues)
    strange = paths if missing and len(paths) >= PATHS else {p for p in paths if SCANNED.search(p)}
    health = {path for path in paths if HEALTH.fullmatch(path.rpartition(" ")[2])}
    return NotCustomerTraffic(frozenset(strange - health), frozenset(health))


def are_nearly_all(names: Collection[str], shares: Sequence[Share], events: int) -> bool:
    return sum(s.events for s in shares if s.name in names) >= NEARLY_ALL * max(events, 1)
