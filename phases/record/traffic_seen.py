"""The traffic of a service as it was measured, and what the looks of a round are compared with."""

from datetime import datetime, timedelta

from phases.record.findings import Value

MINUTE = timedelta(minutes=1)


class TrafficSeen(Value):
    """The requests of a service in a span, as its traces tell."""

    requests: float
    """Extrapolated where Sentry keeps a sample."""
    kept: int
    """So many of them Sentry kept."""
    minutes: float

    @property
    def per_minute(self) -> float:
        return self.requests / self.minutes if self.minutes > 0 else 0.0

    @property
    def doubt(self) -> float:
        """The relative variance of `requests`: none where every request was kept."""
        dropped = max(1 - self.kept / self.requests, 0.0) if self.requests > 0 else 1.0
        return dropped / max(self.kept, 1)


class TrafficBefore(Value):
    """Traffic before an action on production; None: Sentry does not tell."""

    usual: TrafficSeen | None = None
    """Before trouble began."""
    burning: TrafficSeen | None = None
    """While it was left alone."""


class Job(Value):
    """A job that runs at fixed minutes brings the errors; between its runs it is quiet."""

    every: int
    """Minutes from the beginning of a run to that of the next one."""
    lasts: int
    """Minutes in which the errors of a run come."""
    at: datetime
    """The minute in which one of its runs began."""

    def runs(self, since: datetime, until: datetime) -> float:
        """Return how many runs lie in a span; of one that reaches out of it, so much of it."""
        period, run = self.every * MINUTE, self.lasts * MINUTE
        begin, minutes = self.at + (since - run - self.at) // period * period, timedelta()
        while begin < until:
            minutes += max(min(begin + run, until) - max(begin, since), timedelta())
            begin += period
        return minutes / run

    def minutes(self, since: datetime, until: datetime) -> float:
        """Return the length of a span by its runs: so many of them come in so many minutes."""
        return self.every * self.runs(since, until)

    def ends_after(self, now: datetime) -> datetime:
        """Return the end of the first run that has not ended."""
        period = self.every * MINUTE
        end = self.at + self.lasts * MINUTE
        return end + ((now - end) // period + 1) * period


class BeforeAction(Value):
    """The counts that every look of a round is compared with; they do not change."""

    events: int
    minutes: float
    """While trouble was left alone."""
    traffic: TrafficBefore = TrafficBefore()
    calm_spread: float | None = None
    """Variance over mean of events a minute, before trouble began; None: not known."""
    burning_spread: float | None = None
    """… and while it was left alone."""
    job: Job | None = None
    """Then all minutes are those of its runs."""
