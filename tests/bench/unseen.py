"""Series that no rule was made on: written before any was tried on them, and used for figures only.

A series is half a day of usual minutes, a fire, and what comes after an action, minute by minute.
Each shape bends it as production does. The rules see counts alone, as in `shapes.py`.

    python -m tests.bench.unseen --series 1000 --seed 1
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from phases.record.traffic_seen import TrafficBefore
from tests.bench.series import counted
from tests.bench.shapes import PLAIN, enough, measured, share
from tests.bench.watched import Happened, Seen, World, judged_series, requests_seen

CALM = 720
"""Minutes of the usual time, as the bot asks for them."""
DAY = 1440
AFTER = 76
"""Minutes after the action: an hourly job runs once more in them."""


def flat(_: int) -> float:
    return 1.0


@dataclass(slots=True)
class Story:
    """Rates a minute. Minute 0 is the action's; those before it are negative."""

    rng: random.Random
    over: bool
    fire: float
    usual: float
    spread: float
    burned: int
    remains: float = 0.0
    """Of the fire, after the action, where it is over."""
    traffic: Callable[[int], float] = flat
    """Of each minute, with the usual mean as 1; errors follow it."""
    errors: Callable[[int], float] = flat
    """Times the errors, whatever the traffic."""
    more: Callable[[int], float] = lambda _: 0.0
    """Errors beside usual and fire."""
    drawn: Callable[[list[float]], list[int]] | None = None
    """How the minutes' events are drawn, where they are not negative binomial."""
    most: Callable[[int], float] = lambda _: math.inf
    """So many a minute are counted."""
    late: float = 0.75
    late_traces: float = 0.75
    trace_share: float = 1.0
    requests: float = 1000.0
    releases: bool = True

    def rate(self, minute: int) -> float:
        goes_on = -self.burned <= minute < 0 or (minute >= 0 and not self.over)
        left = self.remains if minute >= 0 and self.over else 0.0
        rate = self.fire if goes_on else self.usual + left * self.fire
        return max(rate * self.traffic(minute) * self.errors(minute) + self.more(minute), 0.0)

    def minutes(self) -> list[int]:
        span = range(-self.burned - CALM, AFTER)
        rates = [self.rate(minute) for minute in span]
        draw = self.drawn or (lambda rates: [counted(self.rng, r, self.spread) for r in rates])
        return [
            round(min(events, self.most(minute)))
            for minute, events in zip(span, draw(rates), strict=True)
        ]


Shape = Callable[[Story], None]


def diurnal_ramp(s: Story) -> None:
    """Morning or evening: traffic climbs or falls all the time, to a sixth or six times of it."""
    phase, depth = s.rng.uniform(0, 2 * math.pi), s.rng.uniform(0.4, 0.85)
    s.traffic = lambda m: 1 + depth * math.sin(2 * math.pi * m / DAY + phase)


def restart_spike(s: Story) -> None:
    """The deploy restarts server by server: cut connections fail, as often as the fire did."""
    until, high = s.rng.uniform(0.3, 2.0), s.rng.uniform(0.3, 2.0)
    s.releases = s.rng.random() < 0.5
    s.more = lambda m: s.fire * high * min(max(until - m, 0.0), 1.0) if m >= 0 else 0.0
    s.traffic = lambda m: 0.7 if 0 <= m < until else 1.0


def retry_storm(s: Story) -> None:
    """What failed is tried again for minutes, by queues and clients, and drains."""
    if not s.over:
        return
    first, halves = s.rng.uniform(0.2, 1.0), s.rng.uniform(0.5, 3.0)
    s.more = lambda m: s.fire * first * 0.5 ** ((m + 0.5) / halves) if m >= 0 else 0.0


def spike_protection(s: Story) -> None:
    """Sentry caps what it takes, from some minute of the fire on, or only after the action."""
    since = s.rng.randint(-s.burned, 4)
    cap = max(s.fire * s.rng.uniform(0.15, 0.9), 3)
    s.most = lambda m: cap if m >= since else math.inf


def other_sample_rate(s: Story) -> None:
    """The release that runs after the action sends another share of its errors."""
    times = s.rng.choice((0.25, 0.5, 0.5, 2.0, 4.0))
    s.errors = lambda m: times if m >= 0 else 1.0
    s.trace_share = s.rng.choice((1.0, 0.1))


def late_events(s: Story) -> None:
    """Errors come 1 to 4 minutes late; traces do not, or the other way around."""
    late, quick = s.rng.uniform(1, 4), s.rng.uniform(0.1, 1)
    s.late, s.late_traces = (late, quick) if s.rng.random() < 0.5 else (quick, late)


def lumps_of_five(s: Story) -> None:
    """A shipper sends what it has each five minutes, stamped with the time at which it sends."""
    at = s.rng.randrange(5)

    def draw(rates: list[float]) -> list[int]:
        each = [counted(s.rng, rate, s.spread) for rate in rates]
        return [sum(each[max(n - 4, 0) : n + 1]) if n % 5 == at else 0 for n in range(len(each))]

    s.drawn = draw


def another_service_as_always(s: Story) -> None:
    """Half of the usual errors are another service's, which has nothing to do with the action."""
    own = s.usual
    s.usual = own / 2
    s.more = lambda m: own / 2 * s.rng.lognormvariate(-0.02, 0.2)


def another_service_still_burns(s: Story) -> None:
    """The same cause burns in a second service, which the action does not reach."""
    s.usual = min(s.usual, s.fire / 20)
    s.remains = s.rng.uniform(0.15, 0.5)


def mended_in_part(s: Story) -> None:
    """The fix takes away half to nine tenths; three times the usual and more remain."""
    s.usual = min(s.usual, s.fire / 30)
    s.remains = s.rng.uniform(0.1, 0.5)


def weekend(s: Story) -> None:
    """The half day before was a working day's, or a Sunday's: now it is the other one."""
    times = s.rng.choice((0.12, 0.2, 0.3, 3.0, 6.0))
    s.usual = s.usual if times < 1 else min(s.usual, s.fire / 30)
    s.fire /= times
    s.traffic = lambda m: times if m >= -s.burned else 1.0


def heavy_tailed_users(s: Story) -> None:
    """Few users bring most errors: each brings one to 150, over the minutes after the first."""
    mean = sum(min(n, 150) * (n**-1.8 - (n + 1) ** -1.8) for n in range(1, 5000))
    lasts = s.rng.uniform(0.5, 3)

    def draw(rates: list[float]) -> list[int]:
        counts = [0] * len(rates)
        for minute, rate in enumerate(rates):
            for _ in range(counted(s.rng, rate / mean, 1.0)):
                for _ in range(min(int(s.rng.paretovariate(1.8)), 150)):
                    at = minute + int(s.rng.expovariate(1 / lasts))
                    # A mended page fails no more, whoever asks.
                    mended = s.over and minute < s.burned + CALM <= at
                    if at < len(counts) and not mended:
                        counts[at] += 1
        return counts

    s.drawn = draw


def job_each_quarter_or_hour(s: Story) -> None:
    """Only a job brings errors: each 10, 15, 30 or 60 minutes, for one to three of them."""
    every, runs = s.rng.choice((10, 15, 30, 60)), s.rng.randint(1, 3)
    at = s.rng.randrange(every)
    s.burned = max(s.burned, every)
    s.errors = lambda m: every / runs if (m - at) % every < runs else 0.0


def crash_loop(s: Story) -> None:
    """On and off for minutes, without a rhythm: a process that comes up, works, and dies again."""
    on, off = s.rng.uniform(1, 4), s.rng.uniform(0.5, 3)
    burns: dict[int, float] = {}
    minute, up = float(-s.burned), True
    while minute < AFTER:
        lasts = s.rng.expovariate(1 / (on if up else off))
        for m in range(math.floor(minute), min(math.floor(minute + lasts) + 1, AFTER)):
            inside = min(m + 1.0, minute + lasts) - max(float(m), minute)
            burns[m] = burns.get(m, 0.0) + (inside if up else 0.0)
        minute, up = minute + lasts, not up
    least = s.usual / s.fire

    def errors(m: int) -> float:
        burning = -s.burned <= m < 0 or (m >= 0 and not s.over)
        return max(burns.get(m, 0.0), least) if burning else 1.0

    s.errors = errors


SHAPES: tuple[Shape, ...] = (
    diurnal_ramp,
    restart_spike,
    retry_storm,
    spike_protection,
    other_sample_rate,
    late_events,
    lumps_of_five,
    another_service_as_always,
    weekend,
    heavy_tailed_users,
    job_each_quarter_or_hour,
    crash_loop,
    another_service_still_burns,
    mended_in_part,
)
IN_PART = (another_service_still_burns, mended_in_part)
"""What is over in part is neither *recovered* nor *not helping*."""


def drawn(rng: random.Random, shape: Shape, *, over: bool) -> tuple[World, Happened]:
    fire, factor = (math.exp(rng.uniform(math.log(a), math.log(b))) for a, b in ((5, 400), (5, 50)))
    s = Story(rng, over, fire, fire / factor, rng.uniform(1, 3), rng.choice((5, 10, 15, 30)))
    s.requests = math.exp(rng.uniform(math.log(200), math.log(20_000)))
    shape(s)
    minutes = s.minutes()
    calm, fire_counts = minutes[:CALM], minutes[CALM : CALM + s.burned]
    burning = sum(s.traffic(m) for m in range(-s.burned, 0)) / s.burned
    world = replace(
        PLAIN,
        late=s.late,
        late_traces=s.late_traces,
        trace_share=s.trace_share,
        requests=s.requests,
        while_burning=burning,
        left_alone=s.burned,
        releases=s.releases,
    )
    base, burned, job = measured(calm, fire_counts, sum(calm) / CALM, CALM)
    traces = [counted(rng, s.requests * s.trace_share * s.traffic(m), 1) for m in range(AFTER)]
    after = minutes[CALM + s.burned :]
    usual = sum(s.traffic(m) for m in range(-s.burned - CALM, -s.burned))
    before = TrafficBefore(
        usual=requests_seen(rng, s.requests * usual, s.trace_share, CALM),
        burning=requests_seen(rng, s.requests * burning * s.burned, s.trace_share, s.burned),
    )
    return world, Happened(after, [0] * AFTER, traces, base, burned, before, job)


@dataclass(slots=True)
class Tally:
    """How often each is said, of so many series."""

    on: list[Seen] = field(default_factory=list[Seen])
    loud: list[Seen] = field(default_factory=list[Seen])
    """Trouble of 40 events a minute and more that goes on."""
    out: list[Seen] = field(default_factory=list[Seen])
    large: list[Seen] = field(default_factory=list[Seen])
    """Of them, 20 events and more would have come in the first check."""

    def row(self) -> Sequence[float]:
        return (
            share([verdict.end == "recovered" for verdict in self.on]),
            share([verdict.end == "recovered" for verdict in self.large]),
            share([verdict.end == "not recovered" for verdict in self.large]),
            share([verdict.end == "asked" and not verdict.better for verdict in self.large]),
            share([verdict.better for verdict in self.large]),
            share([verdict.not_helping_at > 0 for verdict in self.out]),
            share([not 0 < verdict.not_helping_at <= 3 for verdict in self.loud]),
        )


def tally(shape: Shape, series: int, seed: int, *, traces: bool) -> Tally:
    rng, counts = random.Random(f"{seed} {shape.__name__}"), Tally()
    for _ in range(series):
        for over in (False, True):
            world, so = drawn(rng, shape, over=over)
            verdict = judged_series(rng, replace(world, traces=traces), so)
            if over:
                counts.out.append(verdict)
                counts.large += [verdict] if enough(so) else []
            else:
                counts.on.append(verdict)
                loud = min(sum(so.events[1:3]) / 2, so.fire.per_minute) >= 40
                counts.loud += [verdict] if loud else []
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    names = ("false rec.", "recovered", "denied", "asked", "better", "not helping", "late")
    for traces in (True, False):
        title = f"traffic {'known' if traces else 'unknown'}"
        print(f"{title:30}{''.join(f'{name:>13}' for name in names)}")
        for shape in SHAPES:
            if given.only in shape.__name__:
                row = tally(shape, given.series, given.seed, traces=traces).row()
                name = shape.__name__.replace("_", " ")
                print(f"{name:30}{''.join(f'{value:>13.2%}' for value in row)}", flush=True)


if __name__ == "__main__":
    main()
