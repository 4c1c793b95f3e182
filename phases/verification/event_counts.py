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


def limits(baseline: Measured, burning: Measured, minutes: float) -> Limits:
    """Return the limits for the events of a look over so many minutes."""
    expected = baseline.per_minute * minutes
    unchanged = burning.per_minute * minutes
    quiet = -1
    if burning.minutes > 0:
        quiet = at_least_above(unchanged, SPREAD * (1 + minutes / burning.minutes), FALSE_RECOVERY)
    return Limits(
        expected=expected,
        unchanged=unchanged,
        allowed=max(usual(baseline, minutes, MISSED_RECOVERY), STRAGGLERS),
        quiet=quiet,
        grew=at_most(SIZE, SPREAD, GREW),
    )
