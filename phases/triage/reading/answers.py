"""Phase 1: the answers of triage's three rounds, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from phases.ports.ports import HotfixRef
from phases.ports.tracker_values import (
    EventDetail,
    EventPicture,
    IssueRow,
    Minutes,
    OtherErrors,
)
from phases.record.findings import ChangeSeen, DeploySeen, IssueSeen, Share
from phases.triage.deploys.taken_back import NO_ROLLBACK_PATH, RollbackPath
from phases.triage.picture.false_alarms import Rhythm
from phases.triage.picture.fire import Series
from phases.triage.reading.known_deploys import KnownDeploys

NO_OTHERS = OtherErrors()


@dataclass(frozen=True, slots=True)
class Trouble:
    """The incident's issues, and about when they began."""

    rows: tuple[IssueRow, ...]
    issues: tuple[IssueSeen, ...]
    ids: tuple[str, ...]
    minutes: Minutes
    usual: float
    """Events a minute that these issues had before, as the issue list counts them."""
    loud: datetime | None
    about: datetime | None
    series: Series | None
    """All errors of the service by five minutes; None where they are not known."""
    rhythm: Rhythm | None = None
    """What burns is regular, all of it."""
    by_minute: frozenset[str] = frozenset()
    """The issues of the first page: `minutes` counts those of them that burn."""

    @property
    def others(self) -> int:
        """Events in the window of the service's other issues, as far as they are listed."""
        own = {issue.id for issue in self.issues}
        return sum(row.events for row in self.rows if row.id not in own)


@dataclass(frozen=True, slots=True)
class Impact:
    """The people hit, the second of the beginning, the deploy, and the place in the code."""

    suspect: DeploySeen | None
    began: datetime | None
    picture: EventPicture
    exact: bool = True
    by_release: Sequence[Share] = ()
    others: OtherErrors = NO_OTHERS
    off: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By issue, its events with the flag off, and all of them."""
    event: EventDetail | None = None
    before: Mapping[str, int] = field(default_factory=dict[str, int])
    """Events of the hour before, by transaction."""
    back: RollbackPath = NO_ROLLBACK_PATH
    rush: float = 0.0
    """So many times the usual requests came just before trouble began; 0: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of the three rounds."""

    deploys: KnownDeploys
    fixes: tuple[HotfixRef, ...]
    trouble: Trouble
    changes: tuple[ChangeSeen, ...]
    flag: ChangeSeen | None
    """The one whose events are counted."""
    impact: Impact
    addresses: int | None
    calm: float
    """Events a minute before trouble began, and the minutes that were counted for it."""
    calm_minutes: float
