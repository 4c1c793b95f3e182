"""What is remembered of an incident (knowledge loop), and what of it is said when its service burns again: plain values."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from pydantic import Field

from phases.record.findings import Value


class PastItem(Value):
    """An action item of an earlier incident that is still open."""

    kind: str
    text: str
    owner: str = ""
    due: date | None = None


class PastIncident(Value):
    """What is left of an incident once users were fine again; at most 4 KiB as JSON. What an older bot kept lacks the newer fields."""

    id: str
    service: str
    at: datetime
    """*Detected*."""
    title: str
    cause: str = ""
    cause_kind: str = ""
    """`release`, `commit`, `data` …; empty: not known."""
    action: str = ""
    minutes: int | None = None
    """From *Detected* to verified recovery."""
    adr: str | None = None
    features: tuple[str, ...] = ()
    open_items: int = 0

    environment: str = ""
    status: str = ""
    severity: int | None = None
    drill: bool = False
    """Practice: never recalled at triage, counted apart."""
    private: bool = False
    """Never recalled at triage, and shown to nobody but its members; nothing but id, service, times and counts is kept of it."""
    file: str = ""
    """Top in-app frame of the loudest issue: file …"""
    function: str = ""
    """… and function."""
    issues: tuple[str, ...] = ()
    """Sentry issue ids, the loudest first, at most twenty."""
    tried: tuple[str, ...] = ()
    """`rollback`, `hotfix`, `fixed`: every action on production, in order."""
    worked: str = ""
    """The one of them after which recovery was verified; empty: none, or it came back."""
    impact_minutes: int | None = None
    """From the beginning of trouble to verified recovery, 0 where nobody was hit."""
    detect_seconds: int | None = None
    decide_seconds: int | None = None
    act_seconds: int | None = None
    recover_seconds: int | None = None
    items: tuple[PastItem, ...] = ()
    """Those still open, at most five; `open_items` counts them all."""
    items_total: int = 0
    adr_url: str | None = None
    channel: str | None = None


class Counted(NamedTuple):
    """What trends count of a memory, and nothing else: ten thousand are read at once."""

    id: str
    service: str
    at: datetime
    status: str
    private: bool
    drill: bool
    file: str
    features: tuple[str, ...]
    cause_kind: str
    minutes: int | None
    impact_minutes: int | None
    detect_seconds: int | None
    decide_seconds: int | None
    recover_seconds: int | None
    open_items: int
    items_total: int


def counted_of(past: PastIncident) -> Counted:
    return Counted(*(getattr(past, name) for name in Counted._fields))


class Recollection(Value):
    """What was remembered when triage asked, in sentences: they are true of that moment and stay."""

    pattern: str = ""
    """What keeps coming back, in one plain sentence; empty: nothing does."""
    lines: tuple[str, ...] = ()
    told: bool = False
    """Said in the thread of the decision."""


class Question(Value):
    """What triage asks the memory: this service, this place in the code, these Sentry issues."""

    service: str
    before: str
    """The incident that asks."""
    since: datetime
    file: str = ""
    function: str = ""
    issues: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    names: dict[str, str] = Field(default_factory=dict[str, str])
    """Sentry issue id → short id, where it is known."""


class Recalled(Value):
    """What the memory answers."""

    in_span: int = 0
    """Incidents of the service since the question's `since`."""
    newest: tuple[PastIncident, ...] = ()
    """Of the service, newest first, at most twenty, whatever their age."""
    alike: tuple[PastIncident, ...] = ()
    """Of any service, with the same file or a same Sentry issue; newest first."""
