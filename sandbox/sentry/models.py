"""Projects, issues, releases and deploys of the local Sentry. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.sentry.events import Event, base32
from sandbox.wire import Json


@dataclass(slots=True)
class Project:
    id: int
    slug: str
    public_key: str
    created: float
    platform: str = "python"


@dataclass(frozen=True, slots=True)
class Resolution:
    """A `GroupResolution`: the release, its type, and for "next" the newest release so far."""

    release: str
    next: bool = False
    """Its type: the next release is not known yet."""
    current: str = ""
    """Resolved in the next release after this one."""


@dataclass(slots=True, eq=False)
class Issue:
    id: int
    project: Project
    number: int
    fingerprint: str
    title: str
    culprit: str
    level: str
    metadata: Json
    first_seen: float
    last_seen: float
    status: str = "unresolved"
    substatus: str | None = "new"
    changed: float = 0.0
    """Time at which the status was last set."""
    resolution: Resolution | None = None
    """In which release it was set to resolved, if one was named, or the next one."""
    by: Json | None = None
    """The one who set the status, as a webhook names them; None: Sentry itself."""
    times_seen: int = 0
    first_release: str = ""
    last_release: str = ""
    events: list[Event] = field(default_factory=list)
    """Oldest first."""

    @property
    def short_id(self) -> str:
        return f"{self.project.slug.upper()}-{base32(self.number)}"

    @property
    def in_release(self) -> str:
        return self.resolution.release if self.resolution and not self.resolution.next else ""


@dataclass(slots=True)
class Deploy:
    id: int
    environment: str
    finished: float
    started: float | None = None
    name: str | None = None
    url: str | None = None


@dataclass(slots=True)
class Release:
    version: str
    created: float
    projects: set[str] = field(default_factory=set)
    released: float | None = None
    ref: str | None = None
    url: str | None = None
    deploys: list[Deploy] = field(default_factory=list)
    new_groups: int = 0
    first_event: float | None = None
    last_event: float | None = None


@dataclass(frozen=True, slots=True)
class FlagChange:
    """A row of the flag log: https://docs.sentry.io/api/flags/list-an-organizations-flag-logs/"""

    id: int
    flag: str
    action: str
    created: float
    by: str | None = None
    by_type: str | None = None
    provider: str | None = None
    tags: Json = field(default_factory=dict)
