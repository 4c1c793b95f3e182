"""The memory of an incident (knowledge loop), and what is recalled when its service burns again."""

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
    """The memory of an incident from which users recovered; at most 4 KiB as JSON."""

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

    status: str = ""
    severity: int | None = None
    drill: bool = False
    """Practice: never recalled at triage, counted separately."""
    private: bool = False
    """Never recalled at triage, shown to its members only. Holds id, service, times and counts."""
    file: str = ""
    """The file of the loudest issue's top in-app frame."""
    function: str = ""
    issues: tuple[str, ...] = ()
    """Sentry issue ids, the loudest first, at most twenty."""
    change: str = ""
    """The flag or setting that brought it, as `flag new-pricing`; empty: none did, or not known."""
    tried: tuple[str, ...] = ()
    """`rollback`, `hotfix`, `fixed`: every action on production, in order."""
    worked: str = ""
    """The last of them, if recovery was verified after it and it did not come back; else empty."""
    impact_minutes: int | None = None
    """From the beginning of trouble to verified recovery; 0 if nobody was hit."""
    detect_seconds: int | None = None
    decide_seconds: int | None = None
    recover_seconds: int | None = None
    items: tuple[PastItem, ...] = ()
    """The open ones, at most five; `open_items` counts them all."""
    items_total: int = 0
    adr_url: str | None = None
    channel: str | None = None


class Counted(NamedTuple):
    """The fields of a memory that trends count: ten thousand are read at once."""

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
    """Sentences from the memory, as triage asked for them. They do not change later."""

    pattern: str = ""
    """One sentence on what keeps coming back; empty if nothing does."""
    lines: tuple[str, ...] = ()
    told: bool = False
    """Posted in the thread of the decision."""


class Question(Value):
    """Triage's question to the memory: this service, this place in the code, these issues."""

    service: str
    before: str
    """The id of the incident that asks."""
    since: datetime
    file: str = ""
    function: str = ""
    issues: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    change: str = ""
    """The flag or setting that triage suspects first."""
    names: dict[str, str] = Field(default_factory=dict[str, str])
    """Sentry issue id → short id, where it is known."""


class Recalled(Value):
    """The memory's answer."""

    in_span: int = 0
    """Incidents of the service since the question's `since`."""
    newest: tuple[PastIncident, ...] = ()
    """The service's, newest first, at most twenty, whatever their age."""
    alike: tuple[PastIncident, ...] = ()
    """Any service's with the same file or the same Sentry issue, newest first."""
