"""Phase 4, the short record of an incident: what lists count, sort and choose by.

Lists over all open incidents read nothing else of most of them. The few that are shown are read
whole.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from phases.coordination.next_step import owes_postmortem
from phases.record.incident import Incident, Severity

Index = Literal["open", "owing"]
"""The incidents that lists are made of: the open ones, and those with action items to be done."""


class OwedItem(NamedTuple):
    """An action item that nobody has done yet."""

    number: int
    """Its place in the post-mortem, from 1."""
    person: str | None
    """The Slack id of its owner; None where nobody owns it, or somebody who has none."""
    owned: bool
    due: date | None


class ShortRecord(NamedTuple):
    id: str
    number: int
    service: str
    severity: int | None
    lead: str | None
    declared_by: str | None
    owes_postmortem: bool
    private: bool
    room: str | None
    """The channel whose members see a private incident; None where there is none, or it is not
    private.
    """
    items: Sequence[OwedItem] = ()


def short_record(incident: Incident) -> ShortRecord:
    own = incident.own_channel
    items = incident.postmortem.items if incident.postmortem is not None else ()
    return ShortRecord(
        id=incident.id,
        number=incident.number,
        service=incident.service,
        severity=incident.severity.value if incident.severity is not None else None,
        lead=incident.lead,
        declared_by=incident.declared_by,
        owes_postmortem=owes_postmortem(incident),
        private=incident.private,
        room=own.id if own is not None and incident.private else None,
        items=tuple(
            OwedItem(number, item.person, bool(item.owner), item.due)
            for number, item in enumerate(items, 1)
            if item.open
        ),
    )


Halves = tuple[list[ShortRecord], list[ShortRecord]]
"""Theirs, and those of others."""


def worse_first(records: Iterable[ShortRecord]) -> list[ShortRecord]:
    """Return them by severity, the newest of each first."""
    return sorted(records, key=lambda one: (one.severity or Severity.SEV4.value, -one.number))


def mine_first(
    records: Sequence[ShortRecord], me: str, owned: Collection[str]
) -> tuple[list[ShortRecord], list[ShortRecord]]:
    """Return those that burn, and those that owe a post-mortem.

    Of both, theirs come first (led, declared, or of a service in `owned`), else in the same order.
    """
    burning: Halves = ([], [])
    owing: Halves = ([], [])
    for record in records:
        others = record.lead != me and record.declared_by != me and record.service not in owned
        (owing if record.owes_postmortem else burning)[others].append(record)
    return burning[0] + burning[1], owing[0] + owing[1]


@dataclass(frozen=True, slots=True)
class OwedItems:
    """The action items that are owed, for one person."""

    own: Sequence[tuple[str, int]] = ()
    """Theirs, by date: the incident, and the item's place in its post-mortem."""
    others: int = 0
    nobodys: int = 0
    """Those that have no owner."""
    late: int = 0
    """Those of others, or of nobody, that are overdue."""


def owed_items(records: Iterable[ShortRecord], me: str, today: date) -> OwedItems:
    own: list[tuple[bool, str, str, int]] = []
    others = nobodys = late = 0
    for record in records:
        for item in record.items:
            if item.person == me:
                own.append((item.due is None, str(item.due), record.id, item.number))
                continue
            nobodys += not item.owned
            others += item.owned
            late += item.due is not None and item.due < today
    own.sort(key=lambda one: one[:2])
    return OwedItems(tuple((id, number) for *_, id, number in own), others, nobodys, late)
