"""Series as real systems bring them after an action: queues, caches, retries, rollouts, quotas.

Each shape says what a minute brings before the action and after it, where the fire is out and where
it goes on. They were written before the rules were tried on them, and share nothing with the series
that the constants were chosen on but the noise of a minute.

    python -m tests.bench.shapes --series 2000 --seed 1
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from phases.ports.tracker_values import Minutes
from phases.record.traffic_seen import MINUTE, BeforeAction, Job
from phases.shared.counts import SPREAD_ASSUMED, Measured
from phases.verification.before_action import burning_rate, with_scatter
from tests.bench.series import counted
from tests.bench.watched import (
    ACTION,
    CHECKS,
    GRACE,
    MINUTES,
    Happened,
    Seen,
    World,
    judged_series,
    traffic_before,
)

CALM = 240
"""Minutes of the usual time that are drawn one by one."""
DAY = 1440.0
AFTER = range(MINUTES + 11)


@dataclass(slots=True)
class Course:
    """Rates a minute of the errors that are counted, as the world has them."""

    rng: random.Random
    over: bool
    fire: float
    usual: float
    spread: float
    burned: int
    """Minutes that trouble was left alone."""
    traffic: list[float] = field(default_factory=lambda: [1.0] * len(AFTER))
    """After the action, as a share of that of the fire."""
    while_burning: float = 1.0
    """Traffic of the fire, as a share of the usual one."""
    late: float = 0.75
    late_traces: float = 0.75
    trace_share: float = 1.0
    requests: float = 1000.0
    releases: bool = True
    old: list[float] = field(default_factory=lambda: [0.0] * len(AFTER))
    """What the release that was taken back still brings."""
    more: list[float] = field(default_factory=lambda: [0.0] * len(AFTER))
    """What the running release brings beside the usual and the fire."""
    burst: Callable[[int], float] | None = None
    """Times the rate, by the minute since midnight: jobs."""
    minute: Callable[[float], int] | None = None
    """How a minute's events are drawn, where they are not negative binomial."""
    most: float = math.inf
    """Sentry accepts so many a minute."""

    def drawn(self, rate: float) -> int:
        events = self.minute(rate) if self.minute else counted(self.rng, rate, self.spread)
        return round(min(events, self.most))


Shape = Callable[[Course], None]


def retry_queue(c: Course) -> None:
    """Jobs that failed are tried again: in waves of 1, 2, 4 … minutes, fewer fail each time."""
    if not c.over:
        return
    c.releases = c.rng.random() < 0.7
    waiting, halves = c.rng.uniform(0.1, 0.5), c.rng.uniform(0.5, 1.5)
    for minute in (0, 1, 3):
        c.more[minute] += c.fire * waiting * 0.5 ** (minute / halves)


def cold_caches(c: Course) -> None:
    """The release that was gone back to starts with empty caches, and times out at first."""
    cold, warms = c.rng.uniform(0.1, 0.5), c.rng.uniform(0.4, 1.5)
    for minute in AFTER:
        c.more[minute] += c.fire * cold * math.exp(-(minute + 0.5) / warms)


def clients_try_again(c: Course) -> None:
    """Each failure is tried again up to five times, over minutes: counts of neighbours go together.

    After a mend the clients that are still backing off come once more, and succeed.
    """
    tries = c.rng.randint(2, 5)

    def minute(rate: float) -> int:
        first = counted(c.rng, rate / (1 + tries / 2), c.spread)
        return sum(1 + c.rng.randint(0, tries) for _ in range(min(first, 2000)))

    c.minute = minute


def rolled_out_in_steps(c: Course) -> None:
    """The mend reaches 10 %, 50 % and all of the servers, the last of them minutes later."""
    if not c.over:
        return
    half, whole = sorted(c.rng.uniform(0, 3.5) for _ in range(2))
    c.releases = c.rng.random() < 0.7
    for minute in AFTER:
        still = 0.9 if minute < half else 0.5 if minute < whole else 0.0
        c.old[minute] = c.fire * still


def cron_each_five_minutes(c: Course) -> None:
    """A job brings errors of the same issue each five minutes, well or not."""
    at, times = c.rng.randrange(5), c.rng.uniform(3, 12)
    c.burst = lambda minute: times if minute % 5 == at else 1.0


def day_and_night(c: Course) -> None:
    """The baseline is that of a day; now it is night, or the rush hour, and traffic moves on."""
    c.while_burning = c.rng.choice((0.15, 0.3, 0.6, 1.5, 2.5)) * c.rng.uniform(0.8, 1.2)
    slope = c.rng.uniform(-0.03, 0.03)
    c.traffic = [max(1 + slope * minute, 0.1) * c.rng.lognormvariate(0, 0.1) for minute in AFTER]


def a_batch_job(c: Course) -> None:
    """Errors come only while a job runs: a minute of each two to seven, and none between."""
    every = c.rng.randint(2, 7)
    at = c.rng.randrange(every)
    c.burst = lambda minute: float(every) if minute % every == at else 0.0


def sampled(c: Course) -> None:
    """The SDK keeps a part of the errors; Sentry keeps a hundredth of the traces or fewer."""
    share = c.rng.choice((0.5, 0.25, 0.1))
    c.minute = lambda rate: sum(
        c.rng.random() < share for _ in range(counted(c.rng, rate, c.spread))
    )
    c.trace_share = c.rng.choice((0.05, 0.01, 0.003))
    c.traffic = [c.rng.uniform(0.5, 1.2)] * len(AFTER)


def late_by_minutes(c: Course) -> None:
    """Sentry is behind: events and traces come minutes later, for as long as the round lasts."""
    c.late = c.rng.uniform(1, 4)
    c.late_traces = c.late * c.rng.uniform(0.7, 1.3)


def over_the_limit(c: Course) -> None:
    """Sentry drops what is over the project's rate limit: the fire is larger than it looks."""
    c.most = max(c.fire * c.rng.uniform(0.3, 0.9), 3)
    c.traffic = [c.rng.choice((1.0, 1.0, 0.5))] * len(AFTER)


def another_small_one(c: Course) -> None:
    """Something small and unrelated begins meanwhile, under the same issue."""
    begins, size = c.rng.randrange(0, 9), c.rng.uniform(0.02, 0.05)
    for minute in AFTER:
        c.more[minute] += c.fire * size * (minute >= begins)


def most_of_it_is_mended(c: Course) -> None:
    """The fix takes away four fifths of it; the rest goes on at three times the usual and more."""
    if c.over:
        return
    c.usual = min(c.usual, c.fire / 20)
    c.more = [-0.8 * c.fire] * len(AFTER)


def people_leave(c: Course) -> None:
    """People give up: traffic sinks by the minute, to a fifth; it comes back after the mend."""
    to = c.rng.uniform(0.2, 0.6)
    c.while_burning = c.rng.uniform(0.5, 1.0)
    back = 1 / c.while_burning if c.over else to
    c.traffic = [1 + (back - 1) * min(minute / c.rng.uniform(4, 8), 1) for minute in AFTER]
    c.trace_share = c.rng.choice((1.0, 0.1, 0.01))


SHAPES: tuple[Shape, ...] = (
    retry_queue,
    cold_caches,
    clients_try_again,
    rolled_out_in_steps,
    cron_each_five_minutes,
    day_and_night,
    a_batch_job,
    sampled,
    late_by_minutes,
    over_the_limit,
    another_small_one,
    most_of_it_is_mended,
    people_leave,
)


def _steady(_: int) -> float:
    return 1.0


def measured(
    calm: Sequence[int], fire: Sequence[int], a_minute: float, minutes: float
) -> tuple[Measured, Measured, Job | None]:
    """Return what the bot measures of a usual time and a fire, minute by minute."""
    begin, began = ACTION - (len(calm) + len(fire)) * MINUTE, ACTION - len(fire) * MINUTE
    counts = {begin + at * MINUTE: events for at, events in enumerate((*calm, *fire)) if events}
    before = with_scatter(
        BeforeAction(events=sum(fire), minutes=len(fire)),
        Minutes(counts=counts),
        (begin, began),
        (began, ACTION),
    )
    base = Measured(a_minute, minutes, before.calm_spread or SPREAD_ASSUMED)
    return base, burning_rate(before), before.job


def course(rng: random.Random, shape: Shape, *, over: bool) -> tuple[World, Happened]:
    fire, factor = (math.exp(rng.uniform(math.log(a), math.log(b))) for a, b in ((5, 400), (5, 50)))
    c = Course(rng, over, fire, fire / factor, rng.uniform(1, 3), rng.choice((5, 10, 15, 30)))
    c.requests = math.exp(rng.uniform(math.log(200), math.log(20_000)))
    shape(c)
    moment = rng.randrange(60)
    burst = c.burst or _steady
    calm = [c.drawn(c.usual * burst(moment + m)) for m in range(-CALM, 0)]
    fire_counts = [c.drawn(c.fire * burst(moment + m)) for m in range(c.burned)]
    rate = c.usual * c.while_burning if over else c.fire
    events = [
        c.drawn(max(rate + c.more[m], 0) * c.traffic[m] * burst(moment + c.burned + m))
        for m in AFTER
    ]
    world = replace(PLAIN, late=c.late, late_traces=c.late_traces, trace_share=c.trace_share)
    world = replace(
        world,
        requests=c.requests,
        while_burning=c.while_burning,
        left_alone=c.burned,
        releases=c.releases,
    )
    rest = sum(c.drawn(c.usual * burst(m)) for m in range(CALM)) * (DAY - CALM) / CALM
    base, burned, job = measured(calm, fire_counts, (sum(calm) + rest) / DAY, DAY)
    traces = [counted(rng, c.requests * c.trace_share * c.while_burning * s, 1) for s in c.traffic]
    old = [c.drawn(rate) if rate else 0 for rate in c.old]
    return world, Happened(events, old, traces, base, burned, traffic_before(rng, world), job)


PLAIN = World(
    fire=0,
    usual=0,
    spread=1,
    normal_minutes=DAY,
    left_alone=10,
    requests=1000,
    trace_share=1,
    while_burning=1,
    after=(),
    late=0.75,
    late_traces=0.75,
)


def enough(so: Happened) -> bool:
    """20 events and more would come in the first check."""
    return so.fire.per_minute * (CHECKS[0] - GRACE) >= 20


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each is wrong."""

    recovered: float
    """Said over trouble that goes on."""
    missed: float
    """Recovery missed, or a person asked, from 20 events on."""
    accused: float
    """*Not helping* or *not recovered* over a recovery."""
    late: float
    """Trouble of 40 events a minute and more that goes on: not told by minute 3."""


def share(values: Sequence[bool]) -> float:
    return sum(values) / max(len(values), 1)


def rates(shape: Shape, series: int, seed: int) -> Rates:
    rng = random.Random(f"{seed} {shape.__name__}")
    on: list[tuple[Seen, Happened]] = []
    out: list[tuple[Seen, Happened]] = []
    for _ in range(series):
        for over, verdicts in ((False, on), (True, out)):
            world, so = course(rng, shape, over=over)
            verdicts.append((judged_series(rng, world, so), so))
    loud = [verdict for verdict, so in on if min(sum(so.events[1:3]) / 2, so.fire.per_minute) >= 40]
    return Rates(
        share([verdict.end == "recovered" for verdict, _ in on]),
        share([verdict.end != "recovered" for verdict, so in out if enough(so)]),
        share([verdict.end == "not recovered" for verdict, _ in out]),
        share([not 0 < verdict.not_helping_at <= 3 for verdict in loud]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    print(f"{'':24}{'false recovered':>17}{'missed':>9}{'accused':>9}{'late':>9}")
    for shape in SHAPES:
        if given.only in shape.__name__:
            r = rates(shape, given.series, given.seed)
            name = shape.__name__.replace("_", " ")
            row = f"{r.recovered:>17.2%}{r.missed:>9.2%}{r.accused:>9.2%}{r.late:>9.2%}"
            print(f"{name:24}{row}", flush=True)


if __name__ == "__main__":
    main()
