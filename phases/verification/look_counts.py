"""Phase 5: what a look counts, over which time, and the limits that it is held to."""

from dataclasses import dataclass
from datetime import datetime

from phases.ports.ports import PortError
from phases.record.findings import LookVerdict
from phases.record.traffic_seen import BeforeAction, Job
from phases.shared.counts import Measured
from phases.text.wording import listed
from phases.verification.before_action import MINUTE, NEVER
from phases.verification.event_counts import MENDED_ODDS, Limits, limits_for
from phases.verification.jobs import LATE
from phases.verification.releases import Stragglers
from phases.verification.traffic import UNKNOWN, Traffic


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a look counts."""

    clock: datetime
    begin: datetime
    until: datetime
    whole: bool
    """False in the grace."""

    @property
    def minutes(self) -> float:
        return (self.until - self.begin) / MINUTE


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of Sentry since the action, and before it."""

    events: int = 0
    base: Measured = NEVER
    """The rate before trouble began."""
    burning: Measured = NEVER
    """The rate while it burned."""
    traffic: Traffic = UNKNOWN
    before: BeforeAction | None = None
    """To be remembered."""
    new: tuple[str, ...] = ()
    """Short ids of issues that are new in what runs now."""
    unknown: PortError | None = None
    """The reason why not all of the new issues are known."""
    lingering: tuple[str, ...] = ()
    """What releases that were taken back still bring."""
    job: Job | None = None

    def limits(self, span: Span, odds: float = MENDED_ODDS) -> Limits:
        """Return the limits of a look; that at a job has as many minutes as its runs stand for."""
        minutes = span.minutes if self.job is None else runs_in_minutes(self.job, span)
        return limits_for(self.base, self.burning, minutes, self.traffic, odds)


def runs_in_minutes(job: Job, span: Span) -> float:
    """Return the minutes that the runs of a job stand for; the last errors of one may come late."""
    return job.minutes(span.begin, max(span.until - LATE, span.begin))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of a look, with its counts and its time."""

    verdict: LookVerdict
    why: tuple[str, ...]
    counts: Counts
    limits: Limits
    span: Span


def lingering_in_words(old: Stragglers, more: str = "") -> tuple[str, ...]:
    """Say what is left of releases that were taken back; `more`: it is not counted."""
    if not old.events:
        return ()
    runs = "which was taken back" if len(old.releases) == 1 else "which were taken back"
    return (f"{old.events:,}{more} of {listed(list(old.releases))}, {runs}",)


def look_fields(counts: Counts, limits: Limits, span: Span) -> dict[str, object]:
    return {
        "events": counts.events,
        "expected": round(limits.expected, 2),
        "allowed": limits.allowed,
        "unchanged": round(limits.unchanged, 1),
        "before_per_minute": round(counts.burning.per_minute, 2),
        "after_per_minute": round(counts.events / span.minutes, 2) if span.minutes > 0 else 0.0,
        "traffic": counts.traffic.share,
    }
