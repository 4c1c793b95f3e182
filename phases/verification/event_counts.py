"""Phase 5: the test on counts: few enough events for the baseline, and fewer than an unchanged fire
would ever bring by chance.

Errors come in bursts, so counts scatter more than Poisson's: up to `SPREAD` × as much (variance
over mean), as in a negative binomial distribution. The rate before is an estimate itself: the
shorter it was measured, the more scatter is allowed for. `make bench` measures the rates of wrong
verdicts over simulated series.
"""

from __future__ import annotations

from dataclasses import dataclass

from phases.shared.counts import SPREAD, Measured, at_least_above, at_most, usual
from phases.verification.traffic import STEADY, Load

FALSE_RECOVERY = 0.0004  # a look; of two looks together under 1 in 1,000
MISSED_RECOVERY = 0.01  # a look; the rules ask for 1 in 20 at most
FALSE_RETURN = 0.0001
"""A look after recovery: of three together under 1 in 1,000, at a rush hour too."""
FALSE_SOON = FALSE_RETURN / 10
"""A look at the newest three minutes: sixty together stay under FALSE_RETURN (`make bench`)."""
SOON_SIZE = 10  # phase 1's spike: fewer events in a few minutes wake nobody
GREW = 0.001
SIZE = 20  # "≥ 20 events expected in a look without recovery"; below that nothing is said
STRAGGLERS = 3  # of a baseline of zero: old pages, queues, retries
FALSE_ALARM = 0.001
"""A look, with the widest scatter. All eight of a round stay under 1 in 1,000 (`make bench`), as
scatter is less most of the time, and one look sees what the one before it saw."""
STILL = 0.4
"""Of what would have come, for *not helping*: less may be a rollout that ends, and late events."""
LEFT = 0.1
"""Of the old rate: old tabs and queues of unknown releases, just after an action."""
STRAGGLING = 0.15
"""Of the old rate: more from a release that was taken back means that it still answers."""
HIDDEN = 0.05
"""Stragglers are more than that by chance, and then they count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The meaning of a number of events in a look; all of it in events."""

    expected: float
    """As the baseline has it."""
    unchanged: float
    """About as many would have come had nothing changed."""
    allowed: int
    """At most as many as the baseline brings, but for one look in a hundred."""
    quiet: int
    """An unchanged fire is as quiet by chance in one look of 2,500; -1: even silence may be."""
    grew: int
    """More than this is no small trouble, however small it was before."""
    quiet_if_steady: int = -1
    """As `quiet`, had traffic not changed."""

    @property
    def small(self) -> bool:
        """Too few events to tell anything, whatever comes."""
        return self.unchanged < SIZE

    @property
    def recovered(self) -> int:
        """At most so many events are recovery; -1: no number is."""
        return -1 if self.small else min(self.allowed, self.quiet)

    @property
    def burning(self) -> int:
        """More events than this are no recovery. In between nobody can tell."""
        return max(self.allowed, self.grew) if self.small else self.allowed


def limits(baseline: Measured, burning: Measured, minutes: float, traffic: Load = STEADY) -> Limits:
    """Return the limits for the events of a look over so many minutes, with this traffic."""
    normal = Measured(baseline.per_minute * traffic.of_usual, baseline.minutes)
    unchanged = burning.per_minute * minutes

    def quiet(share: float) -> int:
        if burning.minutes <= 0:
            return -1
        spread = SPREAD * (1 + minutes / burning.minutes)
        return at_least_above(unchanged * share, spread, FALSE_RECOVERY)

    return Limits(
        expected=normal.per_minute * minutes,
        unchanged=unchanged * traffic.of_fire,
        allowed=max(usual(normal, minutes, MISSED_RECOVERY), STRAGGLERS),
        quiet=quiet(traffic.of_fire_least),
        grew=at_most(SIZE, SPREAD, GREW),
        quiet_if_steady=quiet(1.0),
    )


def not_helping(
    events: int, baseline: Measured, burning: Measured, minutes: float, traffic: Load = STEADY
) -> bool:
    """Say whether trouble surely goes on, at a look that may be one of many.

    There are enough events, 0.4 of what would have come, *and* more than a service that is well
    brings by chance in one look of 1,000, with its traffic at most and what is left of the old
    release. It may be asked each minute.
    """
    would_have_come = burning.per_minute * minutes * min(traffic.of_fire, 1.0)
    if events < max(SIZE, STILL * would_have_come) or burning.minutes <= 0 or traffic.gone:
        return False
    return events > well_at_most(baseline, would_have_come, minutes, traffic)


def straggling(would_have_come: float) -> int:
    """Return how many events of a release that was taken back are no more than its stragglers."""
    return max(at_most(STRAGGLING * would_have_come, SPREAD, HIDDEN), STRAGGLERS)


def well_at_most(baseline: Measured, would_have_come: float, minutes: float, traffic: Load) -> int:
    """Return the events that a service that is well again stays under, in all looks of a round."""
    most = baseline.per_minute * max(traffic.of_usual_most, 1.0) + LEFT * would_have_come / minutes
    return usual(Measured(most, baseline.minutes), minutes, FALSE_ALARM)
