"""What is written down of an incident: its ticket, its post-mortem with the action items, its ADR. Plain values, as in `report.py`."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Literal

from phases.record.findings import Value
from phases.record.text import PERSON


class Ticket(Value):
    """A Linear issue, and what was last known to be true of it there."""

    id: str
    identifier: str
    url: str
    state: str = ""
    """The type of its workflow state: `triage backlog unstarted started completed canceled`; empty: not known."""
    state_at: datetime | None = None
    """As of when, in Linear's time: what is older is no news."""
    priority: int | None = None
    """Linear's priorities: 1 urgent … 4 low, 0 none."""
    priority_at: datetime | None = None
    asked: tuple[str, ...] = ()
    """`state:priority`, as we have asked for and not heard back of yet: what comes back of it is no person's word."""


class LinearIssue(Value):
    """A Linear issue as Linear tells of it, by a webhook or when it is asked."""

    id: str
    state: str
    """Type of its workflow state."""
    state_name: str = ""
    priority: int = 0
    at: datetime | None = None
    """When it was last changed, in Linear's time."""


class SubIssue(Value):
    """An action item in Linear, below the incident's ticket, as it was last known there."""

    id: str
    identifier: str
    url: str
    state: str = ""
    state_at: datetime | None = None
    asked: str = ""
    """The type of state that we have asked for and not heard back of yet."""


class ActionItem(Value):
    """One action item. Its number is its place in the post-mortem, from 1; that never changes."""

    kind: Literal["tests", "monitors", "gates"]
    text: str
    owner: str = ""
    """A Slack mention (`<@U…>`), or a name as somebody typed it."""
    due: date | None = None
    done: bool = False
    dropped: bool = False
    """It will not be done: somebody cancelled it."""
    settled_by: str = ""
    """Who said that it is done or dropped: a Slack mention, or a name as Linear knows it."""
    settled_at: datetime | None = None
    ticket: SubIssue | None = None
    reminded_on: date | None = None
    """When its owner was last reminded that it is overdue."""

    @property
    def open(self) -> bool:
        return not self.done and not self.dropped

    @property
    def person(self) -> str | None:
        """The owner's Slack id, where the owner is a person of Slack's."""
        match = re.fullmatch(
            rf"<@({PERSON})(?:\|[^>]*)?>|@?([UW][A-Z0-9]{{8,}})", self.owner.strip()
        )
        return (match[1] or match[2]) if match else None


IN_THE_ADR = "in the ADR"
"""Stands for a part in a record that had to be shortened: the file has it."""


class Postmortem(Value):
    """The six parts, none empty, as a person submitted them; beside them who was hit and for how long."""

    timeline: str
    impact: str = ""
    root_cause: str
    monitoring: str
    tests: str
    items: tuple[ActionItem, ...]
    revisit: str
    by: str
    at: datetime


class Adr(Value):
    number: int
    path: str
    url: str | None = None

    @property
    def name(self) -> str:
        return f"ADR-{self.number:04d}"
