"""Phase 5: traffic beside the counts. Fewer requests bring fewer failures, and mend nothing.

Traffic falls when production is broken, so a quiet look is compared with what the requests of the
same minutes would have brought. What Sentry kept a sample of is known less well than what it kept
whole (https://docs.sentry.io/explore/trace-explorer/: counts are extrapolated from samples).
"""

import math
from dataclasses import dataclass, replace

from phases.record.traffic_seen import TrafficBefore, TrafficSeen

REQUESTS_LEAST = 30
"""Kept by Sentry in a span: fewer say nothing of its traffic."""
UNKNOWN_FALL = 0.3
"""Where traffic is unknown, it may have fallen to so much of what it was …"""
UNKNOWN_RISE = 6.0
"""… or be so much above its mean: a rush hour, when nights are quiet."""
SAMPLE_DEVIATIONS = 1.0
"""Standard deviations by which the usual share may be wrong, where samples tell it."""

UNSEEN_MINUTES = 0.75
"""Half of the 90 s by which Sentry's buckets may still grow (api/endpoints/timeseries.py)."""
UNSEEN_FACTOR_MOST = 4.0
"""However late it is, a quarter of it is there."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of a look, as a share of that of the fire, and of the usual one."""

    known: bool = True
    of_fire: float = 1.0
    of_fire_least: float = 1.0
    """At least so much, but for the doubt of a sample: what trouble that goes on must bring."""
    doubt: float = 0.0
    """The relative variance of the share of the fire, where it was estimated from samples."""
    of_usual: float = 1.0
    of_usual_most: float = 1.0

    @property
    def share(self) -> float | None:
        """The share of the fire's traffic; None: not known."""
        return self.of_fire if self.known else None

    @property
    def gone(self) -> bool:
        """Nobody comes any more: quiet says nothing."""
        return self.known and self.of_fire == 0


STEADY = Traffic()
UNKNOWN = Traffic(
    known=False, of_fire=1, of_fire_least=UNKNOWN_FALL, of_usual=1, of_usual_most=UNKNOWN_RISE
)


def compare_traffic(
    before: TrafficBefore | None, now: TrafficSeen | None, late: float = UNSEEN_MINUTES
) -> Traffic:
    """Compare the traffic of a look with that of the fire and with the usual one.

    Where hardly anybody came during the fire (an outage), the usual traffic is the measure of both.
    `late`: the minutes by which traces may lag behind errors.
    """
    usual = _enough(before.usual) if before is not None else None
    fire = (_enough(before.burning) if before is not None else None) or usual
    if now is None or fire is None or now.minutes <= 0:
        return UNKNOWN
    of_fire, doubt = _share(fire, now)
    of_usual, most = 1.0, UNKNOWN_RISE
    if usual is not None:
        of_usual, usual_doubt = _share(usual, now)
        unseen = now.minutes / arrived(now.minutes, late)
        most = of_usual * math.exp(SAMPLE_DEVIATIONS * math.sqrt(usual_doubt)) * unseen
    if fire.doubt == 0 or fire.kept * now.minutes >= REQUESTS_LEAST * fire.minutes:
        return Traffic(True, of_fire, of_fire, doubt, of_usual, most)
    # So few would be kept of the look that they tell of large changes only.
    least, most = min(UNKNOWN_FALL, of_fire), min(UNKNOWN_RISE, most)
    return replace(UNKNOWN, of_fire_least=least, doubt=doubt, of_usual_most=most)


def arrived(minutes: float, late: float) -> float:
    """Return the minutes of which everything is there, where what comes may be late."""
    return max(minutes - late, minutes / UNSEEN_FACTOR_MOST)


def _enough(seen: TrafficSeen | None) -> TrafficSeen | None:
    return seen if seen is not None and seen.kept >= REQUESTS_LEAST else None


def _share(before: TrafficSeen, now: TrafficSeen) -> tuple[float, float]:
    """Return the share, and its relative variance: it is that of the samples."""
    return now.per_minute / before.per_minute, before.doubt + now.doubt
