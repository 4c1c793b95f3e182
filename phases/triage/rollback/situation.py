"""Phase 1: everything that the decision looks at, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from phases.ports.source_values import Commit
from phases.ports.tracker_values import EventDetail
from phases.record.findings import (
    BlastRadius,
    ChangeSeen,
    DeploySeen,
    EndpointAnswer,
    FlagEvidence,
    IssueSeen,
    Release,
)
from phases.record.going_back import Quote, TakenBack
from phases.shared.suspected_changes import Suspected, suspected_changes
from phases.triage.deploys.deploy_history import History
from phases.triage.deploys.targets import Candidates, EarlierFire, Targets, earlier_fire, targets_of
from phases.triage.picture.fire import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherChange:
    """A change of production that is no deploy of this service: a flag, a setting, a server."""

    what: str
    """The words of a sentence that goes on with `… 2 min before trouble began`."""
    at: datetime


def runs_beside(
    suspect: DeploySeen, running: Release, known: History, by_release: Mapping[str, int]
) -> bool:
    """Say whether the suspect runs beside what the deployer names: it was not deployed since."""
    version = known.names.of(running).version
    events = by_release.get(suspect.release.version, 0)
    starts = [d.started_at for d in known.deploys if d.release.version == version]
    since = not starts or max(starts) >= suspect.started_at
    return events > 0 and version != suspect.release.version and not since


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the decision looks at."""

    now: datetime
    window: timedelta
    service: str
    blast: BlastRadius
    events: int
    began: datetime | None = None
    exact: bool = True
    """False where the beginning is known to the minute only."""
    last_event: datetime | None = None
    known: History = field(default_factory=History)
    suspect: DeploySeen | None = None
    running: Release | None = None
    listed: tuple[Release, ...] | None = ()
    """The deployer's list; None where it cannot be asked, then `cannot_deploy` says why."""
    cannot_deploy: str = ""
    burning: frozenset[str] = frozenset()
    neighbours: tuple[DeploySeen, ...] = ()
    by_release: Mapping[str, int] = field(default_factory=dict[str, int])
    """Events in the window since the suspect's deploy started, by version; `` for none."""
    one_way: tuple[str, ...] | None = ()
    """One-way paths changed between target and running release; None where nobody could see."""
    rolled_back: tuple[str, ...] = ()
    """Versions this incident already rolled back."""
    tried: tuple[str, ...] = ()
    """Actions on production in this incident, in sentences."""
    broken_rollbacks: tuple[str, ...] = ()
    """Versions that a rollback of this incident failed to bring back."""
    fix: str | None = None
    """A known fix: the name of a branch or pull request."""
    sampled: bool = False
    deploys_told: bool = True
    """False where Sentry did not tell its deploys: another one may be nearer to the trouble."""
    unasked: tuple[str, ...] = ()
    """Other things that could not be asked, in sentences."""
    endpoint: EndpointAnswer | None = None
    """The answer of the affected endpoint, where the catalogue names one."""

    # What points to the release, or away from it.
    issues: tuple[IssueSeen, ...] = ()
    """The incident's issues."""
    minutes: Mapping[datetime, int] = field(default_factory=dict[datetime, int])
    """Their events by minute, since a day before the window."""
    usual: float = 0.0
    """Their events a minute before trouble began."""
    series: Series | None = None
    """All errors of the service by five minutes; None where they are not known."""
    crash: EventDetail | None = None
    """The newest event of the loudest issue."""
    commits: tuple[Commit, ...] | None = None
    """The commits between target and running release, newest first; None: not known."""
    beside: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Beside the only organisation, region or browser that fails: how many others have traffic
    now and do not fail, and the number of their events. `organisation`, `region`, `browser`."""
    only: Mapping[str, str] = field(default_factory=dict[str, str])
    """`organisation`, `region`, `browser` → the only one that fails."""
    other_changes: tuple[OtherChange, ...] = ()
    """Flags, configuration and infrastructure that changed."""
    rush: float = 0.0
    """So many times the requests of the hour before came just before trouble began, at least;
    0: not known."""
    endpoint_host: str = ""
    """A host of ours: errors that name it are not a provider's."""
    written: tuple[Quote, ...] = ()
    """Warnings against a rollback that people wrote."""
    takes_back: TakenBack | None = None

    # What else may be turned back.
    changes: tuple[ChangeSeen, ...] = ()
    """Flags, settings and infrastructure changed without a deploy, newest first."""
    flag_evidence: FlagEvidence | None = None

    @property
    def change(self) -> Suspected | None:
        """The likeliest of the changes; None where none is near, or its events speak against it."""
        first = next(iter(suspected_changes(self.changes, self.began, self.flag_evidence)), None)
        return None if first is None or first.yields_to(self.suspect) else first

    @property
    def earlier_fire(self) -> EarlierFire | None:
        return earlier_fire(
            self.minutes, self.began, self.now, self.usual, self.window, self.series
        )

    @property
    def chosen_targets(self) -> Targets:
        return targets_of(
            self.suspect,
            Candidates(self.known, self.listed, self.running, self.burning, self.rolled_back),
            self.window,
            self.earlier_fire,
            beside=self.canary,
        )

    @property
    def canary(self) -> bool:
        """Events carry the suspect, and the deployer names one that was deployed before it."""
        if self.suspect is None or self.running is None:
            return False
        return runs_beside(self.suspect, self.running, self.known, self.by_release)

    @property
    def targets(self) -> tuple[Release, ...]:
        return self.chosen_targets.releases
