"""Phase 5: the test on counts: few enough events for the baseline, and fewer than an unchanged fire
would ever bring by chance.

Errors come in bursts, so counts scatter more than Poisson's, as in a negative binomial
distribution: as much as they did minute by minute before the action, and `SPREAD` × where that is
not known (variance over mean). The rate before is an estimate itself: the shorter it was measured,
the more scatter is allowed for. `make bench` measures the rates of wrong
verdicts over simulated series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.shared.counts import SPREAD, Measured, at_least_above, at_most, most_usual
from phases.verification.traffic import STEADY, Traffic

FALSE_RECOVERY = 0.0002  # a look; of three looks together under 1 in 1,000
MISSED_RECOVERY = 0.01  # a look; the rules ask for 1 in 20 at most
FALSE_RETURN = 0.0001
"""A look after recovery: of three together under 1 in 1,000, at a rush hour too."""
FALSE_SOON = FALSE_RETURN / 10
"""A look at the newest three minutes: sixty together stay under FALSE_RETURN (`make bench`)."""
SOON_SIZE = 10  # phase 1's spike: fewer events in a few minutes wake nobody
GREW = 0.001
SIZE = 20  # "≥ 20 events expected in a look without recovery"; below that nothing is said
STRAGGLERS = 3  # of a baseline of zero: old pages, queues, retries
OLD_RATE = 0.5
"""Of the fire's rate: trouble that is back; and more from an old release than old tabs bring."""
HALVES_MINUTES = 15.0
"""What is left of a release that was taken back halves in that time at least, after recovery."""
FALSE_ALARM = 0.0015
"""A look. All eight of a round stay under 1 in 1,000 (`make bench`): a service that is well is over
its limit in both halves of a look more seldom still."""
EVEN_CHANCE = 0.5
"""Each half of a look has more than a service that is well brings in every second one."""
EVEN = 0.25
"""Of its share of the events, for each half of a look: one burst is no trouble that goes on."""
SIZE_AT_ONCE = 100
"""Events, under two minutes of them: one client that tries again brings dozens in a minute."""
AT_ONCE_MINUTES = 2.0
MAY_GO_ON = 0.1
"""A look that a service that is well would make in 1 of 10: then it is asked by which releases."""
STILL = 0.4
"""Of what would have come, for *not helping*: less may be a rollout that ends, and late events."""
STILL_NAMED = 0.2
"""… where events carry their release: those of the old one are left out, and late events remain."""
DECLINED = 0.3
"""Of what would have come in the newer half, whatever the older one had: queues that are tried
again and caches that fill bring errors that decline by the minute. More would miss late events."""
DECLINE = 2.0
"""Times `at_once`: after that they have declined, and what is left is trouble, however little."""
LEFT = 0.1
"""Of the old rate: old tabs and queues of unknown releases, just after an action. They do not
follow the traffic of now."""
LEAST_OF_USUAL = 0.5
"""Of the baseline, where traffic is less than that: jobs fail without any request."""
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
    """An unchanged fire is as quiet by chance in one look of 5,000; -1: even silence may be."""
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


def limits_for(
    baseline: Measured, burning: Measured, minutes: float, traffic: Traffic = STEADY
) -> Limits:
    """Return the limits for the events of a look over so many minutes, with this traffic."""
    normal = replace(baseline, per_minute=baseline.per_minute * traffic.of_usual)
    unchanged = burning.per_minute * minutes

    def quiet(share: float) -> int:
        if burning.minutes <= 0:
            return -1
        mean = unchanged * share
        # A rate that is itself uncertain scatters the counts the more, the more of them there are.
        spread = burning.spread * (1 + minutes / burning.minutes) + mean * traffic.doubt
        return at_least_above(mean, spread, FALSE_RECOVERY)

    return Limits(
        expected=normal.per_minute * minutes,
        unchanged=unchanged * traffic.of_fire,
        allowed=max(most_usual(normal, minutes, MISSED_RECOVERY), STRAGGLERS),
        quiet=quiet(traffic.of_fire_least),
        grew=at_most(SIZE, SPREAD, GREW),
        quiet_if_steady=quiet(1.0),
    )


@dataclass(frozen=True, slots=True)
class Half:
    """A half of a look. Events of a release that was taken back are none of it."""

    events: int
    minutes: float
    nameless: int
    """Of them, so many may be of the old release, because they carry none."""


def surely_goes_on(
    halves: Sequence[Half],
    baseline: Measured,
    burning: Measured,
    traffic: Traffic = STEADY,
    at_once: float = AT_ONCE_MINUTES,
) -> bool:
    """Say whether trouble surely goes on, at a look that may be one of many.

    The halves of the look have enough events together, *and* a part of what would have come, *and*
    more than a service that is well brings by chance in one look of 670, with its traffic at most
    and what is left of the old release; *and* so it is in each half by itself, because one burst is
    no trouble that goes on, nor are errors that decline. It may be asked each minute. Under
    `at_once` minutes it takes more events.
    """
    events, minutes = sum(part.events for part in halves), sum(part.minutes for part in halves)
    nameless = sum(part.nameless for part in halves)
    if events <= 0 or minutes <= 0 or burning.minutes <= 0 or traffic.gone:
        return False
    a_minute = burning.per_minute * min(traffic.of_fire, 1.0)
    still = STILL_NAMED + (STILL - STILL_NAMED) * nameless / events
    size = SIZE if minutes >= at_once else SIZE_AT_ONCE
    if events < max(size, still * a_minute * minutes):
        return False
    if minutes < DECLINE * at_once and halves[-1].events < DECLINED * a_minute * halves[-1].minutes:
        return False
    if any(part.events < EVEN * events * part.minutes / minutes for part in halves):
        return False

    def more(part: Half, chance: float) -> bool:
        left = min(LEFT * burning.per_minute * part.minutes, part.nameless)
        return part.events > most_when_healthy(baseline, left, part.minutes, traffic, chance)

    together = Half(events, minutes, nameless)
    return more(together, FALSE_ALARM) and all(more(part, EVEN_CHANCE) for part in halves)


def may_go_on(events: int, baseline: Measured, minutes: float, traffic: Traffic) -> bool:
    """Say whether a look has so many events that asking by which releases may tell more."""
    return events > most_when_healthy(baseline, 0.0, minutes, traffic, MAY_GO_ON)


def most_stragglers(would_have_come: float) -> int:
    """Return how many events of a release that was taken back are no more than its stragglers."""
    return max(at_most(STRAGGLING * would_have_come, SPREAD, HIDDEN), STRAGGLERS)


def most_stragglers_later(would_have_come: float, since_recovery: float) -> int:
    """Return how many events of a release that was taken back are stragglers, after recovery.

    They decline with the minutes: a release whose events do not still answers, or runs again.
    """
    share = max(OLD_RATE * 0.5 ** (max(since_recovery, 0) / HALVES_MINUTES), STRAGGLING)
    scattered = at_most(share * would_have_come, SPREAD, FALSE_SOON)
    return max(min(math.ceil(OLD_RATE * would_have_come) - 1, scattered), STRAGGLERS)


def most_when_healthy(
    baseline: Measured, left: float, minutes: float, traffic: Traffic, chance: float
) -> int:
    """A service that is well again brings more events than this with at most this chance."""
    usual_traffic = max(traffic.of_usual_most, LEAST_OF_USUAL)
    mean = baseline.per_minute * usual_traffic + left / minutes
    return most_usual(replace(baseline, per_minute=mean), minutes, chance)
