"""Phase 5: the test on counts: few enough events for the baseline, and fewer than an unchanged fire
would ever bring by chance.

Errors come in bursts, so counts scatter more than Poisson's, as in a negative binomial
distribution: as much as they did minute by minute before the action, and `SPREAD_ASSUMED` ×
where that is not known (variance over mean). The rate before is an estimate itself: the shorter it
was measured, the more scatter is allowed for. `make bench` measures the rates of wrong verdicts
over simulated series.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.shared.counts import (
    PRIOR_EVENTS,
    SPREAD_ASSUMED,
    Measured,
    at_least_above,
    at_most,
    most_usual,
)
from phases.verification.traffic import STEADY, UNSEEN_MINUTES, Traffic, arrived

FALSE_RECOVERY = 0.0002  # a look; of three looks together under 1 in 1,000
MISSED_RECOVERY = 0.01  # a look; the rules ask for 1 in 20 at most
FALSE_RETURN = 0.0001
"""A look after recovery: of three together under 1 in 1,000, at a rush hour too."""
FALSE_RETURN_SHORT_LOOK = FALSE_RETURN / 10
"""A look at the newest three minutes: sixty together stay under FALSE_RETURN (`make bench`)."""
SHORT_LOOK_EVENTS_LEAST = 10  # phase 1's spike: fewer events in a few minutes wake nobody
GROWTH_CHANCE = 0.001
EXPECTED_EVENTS_LEAST = (
    20  # "≥ 20 events expected in a look without recovery"; below that nothing is said
)
STRAGGLERS = 3  # of a baseline of zero: old pages, queues, retries
RETURNED_SHARE = 0.5
"""Of the fire's rate: trouble that is back; and more from an old release than old tabs bring."""
STRAGGLERS_HALVE_MINUTES = 15.0
"""What is left of a release that was taken back halves in that time at least, after recovery."""
FALSE_ALARM = 0.0015
"""A look. All of a round stay under 1 in 1,000 (`make bench`)."""
NOT_HELPING_FROM_MINUTE = 3
"""The minute from which on *not helping* is said: what a restart breaks has ended by then."""
NOT_HELPING_SHARE = 0.5
"""Of what would have come: more is *not helping*, and less is better, but not over. The newest part
of a look has as much by itself, because errors of queues, caches and rollouts decline."""
DECLINING_SHARE = 1 / 3
"""Of what came before: where the newest part has less, it declines, however loud it still is."""
BURST_CHANCE = 0.05
"""The older part has more than a service that is well brings so rarely: one burst is no trouble
that goes on."""
RELEASES_ASKED_CHANCE = 0.1
"""A look that a service that is well would make in 1 of 10: then it is asked by which releases."""
STRAGGLERS_SHARE = 0.07
"""Of the old rate: old tabs and queues, just after an action, whatever the traffic of now is. More
from a release that was taken back means that it still answers: one server of ten, say."""
UNCHANGED_CHANCE = 0.01
"""An unchanged fire is so quiet by chance: then less than half of it is no chance either."""
MOSTLY_MENDED_SHARE = 0.2
"""Of a fire, or three times the baseline: so much may remain where most of it is mended. Recovery
is said where that is the less likely."""
MOSTLY_MENDED_BASELINES = 3.0  # phase 1's spike: three times the baseline is no normal rate
MENDED_ODDS = 2.0
"""All of it is mended twice as often as most of it …"""
MENDED_ODDS_EARLY = 1 / MENDED_ODDS
"""… and a check of few minutes leaves to a longer one what is not likelier by as much."""
STRAGGLERS_SHARE_LATER = 0.15
"""Of the old rate, after recovery: a release of which more stays still answers, or runs again."""
STRAGGLERS_CHANCE = 0.05
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
    less: int = -1
    """Of at most so many events surely less than half is left of the fire."""

    @property
    def small(self) -> bool:
        """Too few events to tell anything, whatever comes."""
        return self.unchanged < EXPECTED_EVENTS_LEAST

    @property
    def recovered(self) -> int:
        """At most so many events are recovery; -1: no number is."""
        return -1 if self.small else min(self.allowed, self.quiet)

    @property
    def burning(self) -> int:
        """More events than this are no recovery. In between nobody can tell."""
        return max(self.allowed, self.grew) if self.small else self.allowed

    def better(self, events: int) -> bool:
        """Say whether it is surely not over, and surely less than half of what it was."""
        return not self.small and self.allowed < events <= self.less


def limits_for(
    baseline: Measured,
    burning: Measured,
    minutes: float,
    traffic: Traffic = STEADY,
    odds: float = MENDED_ODDS,
) -> Limits:
    """Return the limits for the events of a look over so many minutes, with this traffic.

    `odds`: so much more often all of it is mended than most of it.
    """
    normal = replace(baseline, per_minute=baseline.per_minute * traffic.of_usual)
    unchanged = burning.per_minute * minutes

    def quiet(share: float, chance: float = FALSE_RECOVERY) -> int:
        if burning.minutes <= 0:
            return -1
        mean = unchanged * share
        # A rate that is itself uncertain scatters the counts the more, the more of them there are.
        spread = burning.spread * (1 + minutes / burning.minutes) + mean * traffic.doubt
        return at_least_above(mean, spread, chance)

    least = unchanged * traffic.of_fire_least
    steady = traffic.of_fire  # where traffic is not known, that is said
    likelier = _likelier(
        normal.per_minute * minutes, MOSTLY_MENDED_SHARE * least, normal.spread, odds
    )
    return Limits(
        expected=normal.per_minute * minutes,
        unchanged=unchanged * traffic.of_fire,
        allowed=max(most_usual(normal, minutes, MISSED_RECOVERY), STRAGGLERS),
        quiet=min(quiet(traffic.of_fire_least), likelier),
        grew=at_most(EXPECTED_EVENTS_LEAST, SPREAD_ASSUMED, GROWTH_CHANCE),
        quiet_if_steady=quiet(1.0),
        less=min(
            quiet(steady, UNCHANGED_CHANCE), math.floor(NOT_HELPING_SHARE * unchanged * steady)
        ),
    )


@dataclass(frozen=True, slots=True)
class Half:
    """A part of a look. Events of a release that was taken back are none of it."""

    events: int
    minutes: float
    nameless: int
    """Of them, so many may be of the old release, because they carry none."""
    came: int | None = None
    """Events that came while it lasted, late ones of before too; None: nobody looked before it."""


def surely_goes_on(
    halves: Sequence[Half],
    baseline: Measured,
    burning: Measured,
    traffic: Traffic = STEADY,
    late: float = UNSEEN_MINUTES,
) -> bool:
    """Say whether trouble surely goes on, at a look that may be one of many, each minute.

    The parts of the look have enough events together, *and* more than a service that is well
    brings by chance in one look of 670, with its traffic at most and what is left of the old
    release; *and* half of what would have come, together and in the newest part by itself; *and*
    it does not decline; *and* the older part is loud, too. Events are `late` by so much on average,
    where it is not known how many came since the look before.
    """
    events, minutes = sum(half.events for half in halves), sum(half.minutes for half in halves)
    if events < EXPECTED_EVENTS_LEAST or minutes <= 0 or burning.minutes <= 0 or traffic.gone:
        return False
    a_minute = burning.per_minute * min(traffic.of_fire, 1.0)
    *before, newer = halves
    if newer.came is None:
        whole, came, over = arrived(minutes, late), newer.events, arrived(newer.minutes, late)
    else:
        whole, came, over = minutes, newer.came, newer.minutes
    if events < NOT_HELPING_SHARE * a_minute * whole or came < NOT_HELPING_SHARE * a_minute * over:
        return False
    if any(came * older.minutes < DECLINING_SHARE * older.events * over for older in before):
        return False

    def is_more(part: Half, chance: float) -> bool:
        left = min(STRAGGLERS_SHARE * burning.per_minute * part.minutes, part.nameless)
        return part.events > most_when_healthy(baseline, left, part.minutes, traffic, chance)

    together = Half(events, minutes, sum(half.nameless for half in halves))
    return is_more(together, FALSE_ALARM) and all(is_more(older, BURST_CHANCE) for older in before)


def may_go_on(events: int, baseline: Measured, minutes: float, traffic: Traffic) -> bool:
    """Say whether a look has so many events that asking by which releases may tell more."""
    return events > most_when_healthy(baseline, 0.0, minutes, traffic, RELEASES_ASKED_CHANCE)


def most_stragglers(would_have_come: float) -> int:
    """Return how many events of a release that was taken back are no more than its stragglers."""
    return max(
        at_most(STRAGGLERS_SHARE * would_have_come, SPREAD_ASSUMED, STRAGGLERS_CHANCE), STRAGGLERS
    )


def most_stragglers_later(would_have_come: float, since_recovery: float) -> int:
    """Return how many events of a release that was taken back are stragglers, after recovery.

    They decline with the minutes: a release whose events do not still answers, or runs again.
    """
    share = max(
        RETURNED_SHARE * 0.5 ** (max(since_recovery, 0) / STRAGGLERS_HALVE_MINUTES),
        STRAGGLERS_SHARE_LATER,
    )
    scattered = at_most(share * would_have_come, SPREAD_ASSUMED, FALSE_RETURN_SHORT_LOOK)
    return max(min(math.ceil(RETURNED_SHARE * would_have_come) - 1, scattered), STRAGGLERS)


def most_when_healthy(
    baseline: Measured, left: float, minutes: float, traffic: Traffic, chance: float
) -> int:
    """A service that is well again brings more events than this with at most this chance."""
    mean = baseline.per_minute * traffic.of_usual_most + left / minutes
    return most_usual(replace(baseline, per_minute=mean), minutes, chance)


def _likelier(normal: float, remains: float, spread: float, odds: float) -> int:
    """Return the most events of which *all of it is mended* is likelier than *so much remains*.

    By the ratio of two Poisson likelihoods, which scatter flattens. What was never seen is not
    impossible.
    """
    usual = max(normal, PRIOR_EVENTS)
    remains = max(remains, MOSTLY_MENDED_BASELINES * usual)
    return math.floor((remains - usual + spread * math.log(odds)) / math.log(remains / usual))
