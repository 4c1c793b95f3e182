"""The traffic of a service as it was measured, and what the looks of a round are compared with."""

from __future__ import annotations

from phases.record.findings import Value


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


class BeforeAction(Value):
    """What every look of a round is compared with; measured once, as it does not change."""

    events: int
    minutes: float
    """While trouble was left alone."""
    traffic: TrafficBefore = TrafficBefore()
    calm_spread: float | None = None
    """Variance over mean of events a minute, before trouble began; None: not known."""
    burning_spread: float | None = None
    """… and while it was left alone."""
