"""Phase 1: the picture judged: who is hit, unless it is no new fire, and what the endpoint adds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from phases.ports.tracker_values import EventPicture, IssueRow
from phases.record.findings import BlastRadius, EndpointAnswer, IssueSeen, Share, Word
from phases.record.limits import NOTHING_UNUSUAL
from phases.record.service import Service
from phases.triage.picture.blast_radius import ERROR, blast_radius
from phases.triage.picture.false_alarms import (
    NotCustomerTraffic,
    Rhythm,
    TransactionFailures,
    are_nearly_all,
    ended_before,
    new_issues,
    not_customer_traffic,
    other_failures,
    renamed_sentence,
    renamed_transactions,
    same_few_users,
    single_user_picture,
)
from phases.triage.picture.fire import DAY, MINUTE, STEP, Series, find_rise
from phases.triage.picture.no_fire import as_usual, silence_in_words, with_endpoint

LAPTOP = "Only a developer's machine ran into it."
ONLY = "Nobody else ran into it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything by which the picture is judged."""

    service: Service
    since: datetime
    now: datetime
    rows: Sequence[IssueRow]
    issues: Sequence[IssueSeen]
    picture: EventPicture
    addresses: int | None = None
    calm: float = 0.0
    series: Series | None = None
    unasked: str = ""
    """Why there is no series."""
    rhythm: Rhythm | None = None
    titled: datetime | None = None
    """When the fire had its titles."""
    before: Mapping[str, int] = field(default_factory=dict[str, int])
    from_laptop: bool = False
    deployed: Sequence[datetime] = ()
    """When deploys of the service started."""

    @property
    def only_errors(self) -> bool:
        return all(issue.category == ERROR for issue in self.issues)


def assess(seen: Observations, endpoint: EndpointAnswer | None) -> BlastRadius:
    """Return who is hit. Nobody newly is where all of it is regular, renamed or no customer's."""
    return with_endpoint(_assess_errors(seen), endpoint)


def _assess_errors(seen: Observations) -> BlastRadius:
    if not seen.issues:
        return _assess_silence(seen)
    strangers = not_customer_traffic(
        seen.picture.transactions, seen.issues, seen.service.features, seen.before.keys()
    )
    same = _renamed_transactions(seen)
    left_out = strangers.names | same
    picture = seen.picture.model_copy(update={"transactions": _other_transactions(seen, left_out)})
    picture = single_user_picture(picture, seen.calm, seen.service.window / MINUTE)
    blast = blast_radius(
        picture, seen.addresses, seen.service.features, seen.service.window, seen.calm
    )
    if seen.from_laptop and seen.only_errors and _only_laptops(seen.picture):
        return as_usual(blast, "not customers", LAPTOP)
    if blast.users is Word.NOBODY:
        return blast
    if seen.rhythm is not None:
        return as_usual(blast, "regular", seen.rhythm.sentence)
    if few := same_few_users(seen.issues, seen.picture, seen.now):
        return as_usual(blast, "the same few", few)
    if not seen.only_errors:
        return blast
    return _assess_transactions(seen, blast, strangers, same)


def _assess_transactions(
    seen: Observations, blast: BlastRadius, strangers: NotCustomerTraffic, same: set[str]
) -> BlastRadius:
    shares, events = seen.picture.transactions, seen.picture.events
    if are_nearly_all(strangers.names, shares, events):
        return as_usual(blast, "not customers", f"{strangers.sentence} {ONLY}")
    renamed = renamed_sentence(same, seen.titled) if same and seen.titled else ""
    if are_nearly_all(same | strangers.names, shares, events):
        return as_usual(blast, "renamed", renamed)
    says = [sentence for sentence in (renamed, strangers.sentence) if sentence]
    return blast.model_copy(update={"sentences": (*blast.sentences, *says)})


def _assess_silence(seen: Observations) -> BlastRadius:
    events = sum(row.events for row in seen.rows)
    sentences = silence_in_words(seen.series, events, seen.service.window, seen.unasked)
    unknown = sentences[0] != NOTHING_UNUSUAL
    return BlastRadius(
        users=Word.NOBODY,
        user_count=0,
        features=Word.NOBODY,
        unknown=("users", "features") if unknown else (),
        sentences=sentences,
    )


def _renamed_transactions(seen: Observations) -> set[str]:
    """Return the transactions of which the fire is only another title."""
    began = seen.titled
    if (
        began is None
        or not seen.before
        or (seen.series is not None and _is_another_fire(seen, seen.series, began))
    ):
        return set()
    new = new_issues(seen.issues, seen.since)
    every = sum(issue.events for issue in seen.issues)
    share = sum(issue.events for issue in new) / max(every, 1)
    return renamed_transactions(
        TransactionFailures(
            fire={t.name: round(t.events * share) for t in seen.picture.transactions},
            others=other_failures(seen.rows, {i.id for i in new}, began, seen.since, seen.now),
            before=seen.before,
            minutes=(seen.now - max(began, seen.since)) / MINUTE,
        )
    )


def _is_another_fire(seen: Observations, series: Series, began: datetime) -> bool:
    """Say whether what failed before had ended, or was a release's fire that a later one ended.

    What a hotfix breaks begins as the fire ends that it was for. Any other failure that goes on
    under another title is still the same, however long it has failed.
    """
    if ended_before(series, began):
        return True
    rise = find_rise(series, seen.service.window)
    if rise is None or rise.since <= began - DAY:
        return False
    brought = any(at - STEP <= rise.since <= at + seen.service.window for at in seen.deployed)
    return brought and any(rise.since < at <= began for at in seen.deployed)


def _other_transactions(seen: Observations, names: frozenset[str] | set[str]) -> tuple[Share, ...]:
    """Return the other transactions; all of them where there are no others."""
    rest = tuple(share for share in seen.picture.transactions if share.name not in names)
    return rest or seen.picture.transactions


def _only_laptops(picture: EventPicture) -> bool:
    """True where errors were asked for, and none but those of laptops were there."""
    return bool(picture.not_counted) and picture.user_count == 0
