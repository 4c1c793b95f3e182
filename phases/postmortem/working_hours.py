"""Phase 6, when people are reminded: in the morning of a working day, where they are."""

from datetime import datetime, time, timedelta

from phases.record.incident import Incident
from phases.shared.people_left import person_in_charge

MORNING = time(9)  # when a working day begins
SATURDAY = 5


def local_time(at: datetime, offset: int) -> datetime:
    """Return what the clock shows where it is `offset` seconds ahead of UTC; its zone says UTC."""
    return at + timedelta(seconds=offset)


def next_morning(not_before: datetime, offset: int) -> datetime:
    """Return the first working morning from `not_before` on."""
    earliest = local_time(not_before, offset)
    morning = earliest.replace(hour=MORNING.hour, minute=MORNING.minute, second=0, microsecond=0)
    while morning < earliest or morning.weekday() >= SATURDAY:
        morning += timedelta(days=1)
    return morning - timedelta(seconds=offset)


def in_the_day(now: datetime, offset: int) -> bool:
    """True on a working day from the morning on: a bot that was down may be back at any hour."""
    there = local_time(now, offset)
    return there.weekday() < SATURDAY and there.time() >= MORNING


def offset_of(incident: Incident, person: str | None) -> int:
    """Return the seconds that a person's clock is ahead of UTC, as Slack last said.

    Where that is not known, it is the lead's; 0 where neither is.
    """
    lead = person_in_charge(incident)
    return incident.zones.get(person or "", incident.zones.get(lead or "", 0))
