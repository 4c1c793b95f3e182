"""The documents of an incident: its ticket, its post-mortem with the action items, its ADR."""

import re
from datetime import date, datetime
from typing import Literal

from phases.record.findings import Value
from phases.text.cleaning import PERSON


class Ticket(Value):
    """A Linear issue, as it was last known there."""

    id: str
    identifier: str
    url: str
    state: str = ""
    """The type of its workflow state; empty: not known.

    `triage`, `backlog`, `unstarted`, `started`, `completed`, `canceled` or `duplicate`.
    """
    state_at: datetime | None = None
    """The time of `state`, in Linear's time: an older state is no news."""
    priority: int | None = None
    """Linear's priorities: 1 urgent … 4 low, 0 none."""
    priority_at: datetime | None = None
    asked: tuple[str, ...] = ()
    """Requests of ours (`state:priority`) that Linear has not told of yet: no person's change."""


class LinearIssue(Value):
    """A Linear issue as Linear describes it, in a webhook or an answer."""

    id: str
    state: str
    """The type of its workflow state."""
    state_name: str = ""
    priority: int = 0
    at: datetime | None = None
    """The time of its last change, in Linear's time."""


class SubIssue(Value):
    """An action item in Linear, below the incident's ticket, as it was last known there."""

    id: str
    identifier: str
    url: str
    state: str = ""
    state_at: datetime | None = None
    asked: str = ""
    """The type of state that we requested and that Linear has not told of yet."""


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
    """The person who marked it: a Slack mention, or a name as Linear knows it."""
    settled_at: datetime | None = None
    ticket: SubIssue | None = None
    reminded_on: date | None = None
    """The day on which its owner was last reminded that it is overdue."""

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
"""Stands for a part of a post-mortem in a shortened record: the file has it."""


class Postmortem(Value):
    """The six parts as a person submitted them, none empty; beside them what may stay empty."""

    timeline: str
    impact: str = ""
    root_cause: str
    monitoring: str
    tests: str
    items: tuple[ActionItem, ...]
    revisit: str
    factors: str = ""
    """Contributing factors; may stay empty."""
    went_well: str = ""
    """What went well; may stay empty."""
    by: str
    at: datetime


class Contradiction(Value):
    """Something in a post-mortem that cannot be true as it stands, or that nobody could check."""

    rule: str
    """What is wrong with it: `recovery before action`, `owner left` …"""
    part: str
    """The field of the form in which it stands; `item_2` for the second action item."""
    says: str
    """The sentence for people."""
    key: str
    """A fingerprint of the words that it is about: as long as they stay, it is the same one."""
    kept_by: str = ""
    """Slack id of the person who keeps it as it is; empty while it is open."""
    kept_at: datetime | None = None

    @property
    def open(self) -> bool:
        return not self.kept_by


class Adr(Value):
    number: int
    path: str
    url: str | None = None

    @property
    def name(self) -> str:
        return f"ADR-{self.number:04d}"
