"""Phase 1: the picture judged: who is hit, unless it is no new fire, and what the endpoint adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from phases.ports.tracker_values import EventPicture, IssueRow
from phases.record.findings import BlastRadius, EndpointAnswer, IssueSeen, Share, Word
from phases.record.limits import NOTHING
from phases.record.service import Service
from phases.triage.picture.blast_radius import ERROR, blast_radius
from phases.triage.picture.fire import MINUTE, Series
from phases.triage.picture.no_fire import as_usual, silent, with_endpoint
from phases.triage.picture.ordinary import (
    NotCustomers,
    Places,
    Rhythm,
    ended_before,
    nearly_all,
    not_customers,
    of_one,
    others_now,
    renamed,
    renamed_sentence,
    same_few,
    young,
)

LAPTOP = "Only a developer's machine ran into it."
ONLY = "Nobody else ran into it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
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

    @property
    def only_errors(self) -> bool:
        return all(issue.category == ERROR for issue in self.issues)


def judged(s: Seen, endpoint: EndpointAnswer | None) -> BlastRadius:
    """Return who is hit. Nobody newly is where all of it is regular, renamed or no customer's."""
    return with_endpoint(_without_endpoint(s), endpoint)


def _without_endpoint(s: Seen) -> BlastRadius:
    if not s.issues:
        return _silence(s)
    strangers = not_customers(s.picture.transactions, s.issues, s.service.features, s.before.keys())
    same = _renamed(s)
    left_out = strangers.names | same
    picture = s.picture.model_copy(update={"transactions": _without(s, left_out)})
    picture = of_one(picture, s.calm, s.service.window / MINUTE)
    blast = blast_radius(picture, s.addresses, s.service.features, s.service.window, s.calm)
    if s.from_laptop and s.only_errors and _nothing_counted(s.picture):
        return as_usual(blast, "not customers", LAPTOP)
    if blast.users is Word.NOBODY:
        return blast
    if s.rhythm is not None:
        return as_usual(blast, "regular", s.rhythm.sentence)
    if few := same_few(s.issues, s.picture, s.now):
        return as_usual(blast, "the same few", few)
    if not s.only_errors:
        return blast
    return _judged_by_place(s, blast, strangers, same)


def _judged_by_place(
    s: Seen, blast: BlastRadius, strangers: NotCustomers, same: set[str]
) -> BlastRadius:
    shares, events = s.picture.transactions, s.picture.events
    if nearly_all(strangers.names, shares, events):
        return as_usual(blast, "not customers", f"{strangers.sentence} {ONLY}")
    told = renamed_sentence(same, s.titled) if same and s.titled else ""
    if nearly_all(same | strangers.names, shares, events):
        return as_usual(blast, "renamed", told)
    says = [sentence for sentence in (told, strangers.sentence) if sentence]
    return blast.model_copy(update={"sentences": (*blast.sentences, *says)})


def _silence(s: Seen) -> BlastRadius:
    events = sum(row.events for row in s.rows)
    said = silent(s.series, events, s.service.window, s.unasked)
    unknown = said[0] != NOTHING
    return BlastRadius(
        users=Word.NOBODY,
        user_count=0,
        features=Word.NOBODY,
        unknown=("users", "features") if unknown else (),
        sentences=said,
    )


def _renamed(s: Seen) -> set[str]:
    """Return the transactions of which the fire is only another title."""
    began = s.titled
    if began is None or not s.before or (s.series is not None and ended_before(s.series, began)):
        return set()
    new = young(s.issues, s.since)
    every = sum(issue.events for issue in s.issues)
    share = sum(issue.events for issue in new) / max(every, 1)
    return renamed(
        Places(
            fire={t.name: round(t.events * share) for t in s.picture.transactions},
            others=others_now(s.rows, {i.id for i in new}, began, s.since, s.now),
            before=s.before,
            minutes=(s.now - max(began, s.since)) / MINUTE,
        )
    )


def _without(s: Seen, names: frozenset[str] | set[str]) -> tuple[Share, ...]:
    """Return the other transactions; all of them where there are no others."""
    rest = tuple(share for share in s.picture.transactions if share.name not in names)
    return rest or s.picture.transactions


def _nothing_counted(picture: EventPicture) -> bool:
    """True where errors were asked for, and none but those of laptops were there."""
    return bool(picture.not_counted) and picture.user_count == 0
