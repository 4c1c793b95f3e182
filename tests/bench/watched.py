"""Minutes after an action, watched as the bot does: traffic that moves, late events, stragglers.

A series has a usual day, a fire, and ten minutes after an action in which the fire goes on or is
out. Failures are a share of the requests. Traffic goes to 0.1 to 3 times what it was (at once,
along a ramp, in bursts, along the day); events and traces come up to 90 s late, each with a delay
of its own; Sentry keeps all traces, a tenth or a hundredth. The bot looks each minute.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from phases.record.findings import LookVerdict
from phases.record.traffic_seen import MINUTE, Job, TrafficBefore, TrafficSeen
from phases.shared.counts import Measured, scatter
from phases.verification.event_counts import (
    MENDED_ODDS,
    MENDED_ODDS_EARLY,
    NOT_HELPING_FROM_MINUTE,
    Half,
    Limits,
    may_go_on,
    most_stragglers,
    surely_goes_on,
)
from phases.verification.jobs import PATIENCE, next_look
from phases.verification.look_counts import Counts, Span
from phases.verification.traffic import UNKNOWN, Traffic, compare_traffic
from phases.verification.verdicts import judge_look
from tests.bench.series import clustered, counted, in_waves

DAY, HOUR = 1440.0, 60.0
CHECKS = (5, 10)
MINUTES = 10
ACTION = datetime(2026, 11, 22, 14, tzinfo=UTC)
GRACE = 1
RARE = 3
"""Times as many series, where one in thousands is looked for."""
SAMPLE = 240
"""Minutes of the usual time that are drawn one by one; the bot asks for three times as many."""
LATEST = 1.5
"""Minutes by which events and traces may be late."""

End = Literal["recovered", "not recovered", "asked"]


@dataclass(frozen=True, slots=True)
class World:
    """What is drawn. Rates are a minute; `fire` is that of the traffic while it burns."""

    fire: float
    usual: float
    spread: float
    normal_minutes: float
    left_alone: float
    requests: float
    trace_share: float
    """The share of the traces that Sentry keeps."""
    while_burning: float
    """Traffic, with the mean of the usual time as 1."""
    after: tuple[float, ...]
    """Traffic in each minute after the action."""
    late: float
    late_traces: float
    left: float = 0.0
    """Of the fire's rate: what old tabs and queues still bring just after the action …"""
    fades: float = 2.0
    """… and the minutes in which that halves."""
    traces: bool = True
    releases: bool = True
    """Events carry their release."""
    tail: Literal["", "clusters", "waves"] = ""
    """How a minute's events scatter, where not as the constants were chosen on."""
    rollout: float = 0.0
    """Minutes after the action in which the old release still answers, less and less."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The verdicts of one series."""

    end: End
    not_helping_at: int = 0
    """The minute in which *not helping* was said between the checks; 0: it was not."""
    better: bool = False
    """A person is asked, and told that it is better, but not over."""


def traffic_after(rng: random.Random, before: float, to: tuple[float, float]) -> tuple[float, ...]:
    share = math.exp(rng.uniform(math.log(to[0]), math.log(to[1])))
    way = rng.choice(("step", "ramp", "bursts", "day"))
    minutes = range(MINUTES + 1)
    if way == "ramp":
        return tuple(before * (1 + (share - 1) * min(m / 6, 1)) for m in minutes)
    if way == "bursts":
        return tuple(before * share * rng.lognormvariate(0, 0.5) for _ in minutes)
    if way == "day":
        slope = rng.uniform(-0.02, 0.02)
        return tuple(before * share * (1 + slope * m) for m in minutes)
    return tuple(before * share for _ in minutes)


def drawn(
    rng: random.Random,
    rates: tuple[float, float],
    *,
    times: tuple[float, float] = (5, 50),
    to: tuple[float, float] = (0.1, 3),
) -> World:
    """Rates of the fire and beside normal, even on a logarithmic scale."""
    fire, factor = (math.exp(rng.uniform(math.log(a), math.log(b))) for a, b in (rates, times))
    before = rng.uniform(0.4, 2.0)
    return World(
        fire=fire,
        usual=fire / factor,
        spread=rng.uniform(1, 3),
        normal_minutes=rng.choice((DAY, DAY, DAY, HOUR)),
        left_alone=rng.choice((5.0, 10.0, 15.0, 30.0)),
        requests=math.exp(rng.uniform(math.log(200), math.log(20_000))),
        trace_share=rng.choice((1.0, 1.0, 0.1, 0.01)),
        while_burning=before,
        after=traffic_after(rng, before, to),
        late=rng.uniform(0, LATEST),
        late_traces=rng.uniform(0, LATEST),
        left=rng.uniform(0, 0.1),
        fades=rng.uniform(0.5, 3),
    )


def requests_seen(
    rng: random.Random, mean: float, trace_share: float, minutes: float
) -> TrafficSeen:
    count = counted(rng, mean * trace_share, 1)
    return TrafficSeen(requests=count / trace_share, kept=count, minutes=minutes)


def arrivals(
    rng: random.Random, counts: Sequence[int], minute: int, late: float, there: Sequence[int]
) -> list[int]:
    """Return how many of each minute's events are there by the end of this minute.

    `there`: of the events that were there by the end of the minute before.
    """
    now: list[int] = []
    for begun, count in enumerate(counts[:minute]):
        # Of an event that is so old as a point of its minute: late by less than that.
        age, known = minute - 1 - begun, there[begun] if begun < len(there) else 0
        before = _mean_share(age - 1, late) if begun < len(there) else 0.0
        share = (_mean_share(age, late) - before) / (1 - before) if before < 1 else 1.0
        missing = count - known
        few = share < 1 and missing < 400
        came = sum(rng.random() < share for _ in range(missing)) if few else round(missing * share)
        now.append(known + came)
    return now


def _mean_share(age: int, late: float) -> float:
    """The mean of min(a / late, 1) for a from `age` to `age + 1`."""
    if age >= late:
        return 1.0
    end = min(age + 1.0, late)
    return (end * end - age * age) / (2 * late) + (age + 1 - end)


@dataclass(frozen=True, slots=True)
class Happened:
    """What a series brings, minute by minute after the action, and what was measured before it."""

    events: Sequence[int]
    old: Sequence[int]
    """Of the release that was taken back."""
    traces: Sequence[int]
    base: Measured
    fire: Measured
    before: TrafficBefore
    job: Job | None = None


def watched(rng: random.Random, world: World, *, over: bool) -> Seen:
    return judged_series(rng, world, happened(rng, world, over=over))


def happened(rng: random.Random, world: World, *, over: bool) -> Happened:
    per_request = world.usual if over else world.fire / world.while_burning
    rates = [per_request * share for share in world.after]
    left = [0.0] * len(rates)
    if over:
        left = [_left(world, minute) for minute in range(len(rates))]
    events = [_minute(rng, rate, world) for rate in rates]
    old = [_minute(rng, rate, world) for rate in left]
    traces = [counted(rng, world.requests * world.trace_share * share, 1) for share in world.after]
    base = calm(rng, world)
    fire = burning(rng, world, base.spread)
    return Happened(events, old, traces, base, fire, traffic_before(rng, world))


def traffic_before(rng: random.Random, world: World) -> TrafficBefore:
    return TrafficBefore(
        usual=requests_seen(
            rng, world.requests * world.normal_minutes, world.trace_share, world.normal_minutes
        ),
        burning=requests_seen(
            rng,
            world.requests * world.while_burning * world.left_alone,
            world.trace_share,
            world.left_alone,
        ),
    )


def judged_series(rng: random.Random, world: World, so: Happened) -> Seen:
    """Look as the bot does, each minute, until it says something or ten minutes have passed.

    Errors of a job are waited for.
    """
    end, look = Seen("asked"), Arrived(world)
    for minute in range(2, MINUTES + 1):
        look = arrived(rng, world, so, minute, look)
        if minute in CHECKS:
            end = checked(look, so)
            if end.end == "recovered":
                return end
        elif goes_on(look, so):
            return Seen("not recovered", minute)
    again = MINUTES
    while so.job is not None and end == Seen("asked"):
        at = next_look(so.job, ACTION + again * MINUTE)
        again = math.ceil((at - ACTION) / MINUTE)
        if at - ACTION > PATIENCE or again > len(so.events):
            break
        look = arrived(rng, world, so, again, Arrived(world))
        end = checked(look, so)
    return end


def checked(look: Arrived, so: Happened) -> Seen:
    """Return what a check says: the last ones may judge their newest minutes by themselves."""
    minute, end = len(look.events), Seen("asked")
    for since in (GRACE,) if minute == CHECKS[0] else (GRACE, minute - (CHECKS[1] - CHECKS[0])):
        span = Span(ACTION, ACTION + since * MINUTE, ACTION + minute * MINUTE, whole=True)
        counts = Counts(
            base=so.base, burning=so.fire, traffic=look.traffic(so.before, since), job=so.job
        )
        held = counts.limits(span, MENDED_ODDS if minute - since > CHECKS[0] else MENDED_ODDS_EARLY)
        events = look.counted(since, held)
        verdict = judge_look(events, held, None, ())[0]
        if verdict is LookVerdict.RECOVERED:
            return Seen("recovered")
        if since == GRACE:
            denied = verdict is LookVerdict.NOT_RECOVERED
            end = Seen("not recovered" if denied else "asked", better=held.better(events))
    return end


def goes_on(look: Arrived, so: Happened) -> bool:
    minute = len(look.events)
    traffic = look.traffic(so.before, 0)
    shown = sum(look.events[GRACE:]) + sum(look.old[GRACE:])
    if minute < NOT_HELPING_FROM_MINUTE or so.job is not None:
        return False
    if not may_go_on(shown, so.base, minute - GRACE, traffic):
        return False
    return surely_goes_on(look.halves(), so.base, so.fire, traffic)


def arrived(
    rng: random.Random, world: World, so: Happened, minute: int, before: Arrived
) -> Arrived:
    return Arrived(
        world,
        arrivals(rng, so.events, minute, world.late, before.events),
        arrivals(rng, so.old, minute, world.late, before.old),
        arrivals(rng, so.traces, minute, world.late_traces, before.traces),
        before if minute - 1 == len(before.events) and minute - 1 not in CHECKS else None,
    )


@dataclass(frozen=True, slots=True)
class Arrived:
    """What Sentry knows at a look, by the minutes since the action."""

    world: World
    events: Sequence[int] = ()
    old: Sequence[int] = ()
    """Of the release that was taken back."""
    traces: Sequence[int] = ()
    before: Arrived | None = None
    """The look of the minute before, where it was none of the checks."""

    def traffic(self, before: TrafficBefore, since: int) -> Traffic:
        if not self.world.traces:
            return UNKNOWN
        traces = sum(self.traces[since:])
        minutes = len(self.traces) - since
        return compare_traffic(
            before,
            TrafficSeen(requests=traces / self.world.trace_share, kept=traces, minutes=minutes),
        )

    def counted(self, since: int, held: Limits) -> int:
        """Return the events of a re-check, without stragglers."""
        old = sum(self.old[since:])
        known = old if self.world.releases and old <= most_stragglers(held.unchanged) else 0
        return sum(self.events[since:]) + old - known

    def halves(self) -> tuple[Half, ...]:
        """Return what came until the look before, and since then; halves, where none was before."""
        end = len(self.events)
        middle = end - 1 if self.before is not None else GRACE + (end - GRACE) // 2
        older, newer = self._part(GRACE, middle), self._part(middle, end)
        if self.before is None:
            return older, newer
        earlier = self.before._part(GRACE, middle).events
        return older, replace(newer, came=older.events + newer.events - earlier)

    def _part(self, begin: int, until: int) -> Half:
        events = sum(self.events[begin:until])
        if self.world.releases:
            return Half(events, until - begin, 0)
        events += sum(self.old[begin:until])
        return Half(events, until - begin, events)


def calm(rng: random.Random, world: World) -> Measured:
    """Measure the usual time: all of it, and the scatter of some of its minutes."""
    minutes = [
        _minute(rng, world.usual, world) for _ in range(int(min(world.normal_minutes, SAMPLE)))
    ]
    rest = counted(rng, world.usual * (world.normal_minutes - len(minutes)), world.spread)
    return Measured(
        (sum(minutes) + rest) / world.normal_minutes, world.normal_minutes, scatter(minutes)
    )


def burning(rng: random.Random, world: World, assumed: float) -> Measured:
    """Measure the fire, minute by minute."""
    minutes = [_minute(rng, world.fire, world) for _ in range(int(world.left_alone))]
    return Measured(
        sum(minutes) / world.left_alone, world.left_alone, scatter(minutes, assumed, math.inf)
    )


def _minute(rng: random.Random, mean: float, world: World) -> int:
    if world.tail == "clusters":
        return clustered(rng, mean)
    return in_waves(rng, mean) if world.tail == "waves" else counted(rng, mean, world.spread)


def _left(world: World, minute: int) -> float:
    """The mean rate of the old release in this minute: its last servers, then old tabs."""
    servers = max(world.rollout - minute, 0.0)
    serving = (
        (min(servers, 1.0) * (servers + max(servers - 1, 0)) / 2 / world.rollout) if servers else 0
    )
    return world.fire * min(serving + world.left * 0.5 ** (minute / world.fades), 1.0)


# --- how often that is wrong ----------------------------------------------------------------------

Row = tuple[str, int, float, float | None]
"""(what, out of how many, share, at most)."""


def _with_release(rng: random.Random) -> World:
    """Half of these worlds have events that carry their release."""
    return replace(drawn(rng, (5, 400)), releases=rng.random() < 0.5)


def _enough(rng: random.Random) -> World:
    """20 to 500 events would come in the first check, and Sentry keeps 60 traces of it."""
    world = drawn(rng, (5, 5))
    check = sum(world.after[GRACE : CHECKS[0]])
    size = math.exp(rng.uniform(math.log(20), math.log(500)))
    fire = size * world.while_burning / check
    trace_share = max(world.trace_share, min(60 / (world.requests * check), 1.0))
    return replace(world, fire=fire, usual=world.usual * fire / world.fire, trace_share=trace_share)


def _loud(rng: random.Random) -> World:
    """It would go on at 40 events a minute and more; half of them carry their release."""
    while True:
        world = replace(drawn(rng, (14, 400)), releases=rng.random() < 0.5)
        if min(world.after[1:3]) * world.fire / world.while_burning >= 40:
            return world


def _recovered(verdict: Seen) -> bool:
    return verdict.end == "recovered"


def _missed(verdict: Seen) -> bool:
    return verdict.end != "recovered"


def _accused(verdict: Seen) -> bool:
    return verdict.not_helping_at > 0


def _late(verdict: Seen) -> bool:
    return not 0 < verdict.not_helping_at <= 3


def rates(series: int, seed: int) -> list[Row]:
    rng = random.Random(seed)
    rows: list[Row] = []

    def goes_on(what: str, make: Callable[[], World], bad: Bad, most: float | None) -> None:
        _add(rows, rng, (what, make, bad, most), over=False, many=series)

    def is_out(what: str, make: Callable[[], World], bad: Bad, most: float | None) -> None:
        _add(rows, rng, (what, make, bad, most), over=True, many=series)

    def unknown(to: tuple[float, float]) -> World:
        return replace(drawn(rng, (5, 400), to=to), traces=False)

    def rolls_out(minutes: float, *, releases: bool) -> World:
        return replace(_loud(rng), rollout=rng.uniform(0, minutes), releases=releases)

    known, fell = "traffic known, to 0.1 to 3 times", "traffic known, falls to 0.1 to 0.3"
    goes_on(f"{known}: false “recovered”", lambda: _with_release(rng), _recovered, 0.001)
    falls = (0.1, 0.3)
    goes_on(f"{fell}: false “recovered”", lambda: drawn(rng, (5, 400), to=falls), _recovered, 0.001)
    unseen = "traffic not known, falls to 0.3 at most"
    goes_on(f"{unseen}: false “recovered”", lambda: unknown((0.3, 1)), _recovered, 0.001)
    is_out(f"{known}: missed recovery", lambda: _enough(rng), _missed, 0.05)
    is_out("traffic not known, steady: missed recovery", lambda: unknown((1, 1)), _missed, None)
    wrong = "“not helping” over a recovery"
    is_out(f"{known}: {wrong}", lambda: _with_release(rng), _accused, 0.001)
    is_out(f"traffic not known: {wrong}", lambda: unknown((0.1, 3)), _accused, 0.001)
    is_out(f"rollout of 4 min: {wrong}", lambda: rolls_out(4, releases=True), _accused, 0.001)
    is_out(
        f"rollout of 1.5 min, no releases: {wrong}",
        lambda: rolls_out(1.5, releases=False),
        _accused,
        0.001,
    )
    late = "goes on at 40 a minute and more: not told by minute 3"
    goes_on(late, lambda: _loud(rng), _late, 0.1)
    goes_on(f"{late}, traffic not known", lambda: replace(_loud(rng), traces=False), _late, None)
    return rows


Bad = Callable[[Seen], bool]


def _add(
    rows: list[Row],
    rng: random.Random,
    asked: tuple[str, Callable[[], World], Bad, float | None],
    *,
    over: bool,
    many: int,
) -> None:
    what, make, bad, most = asked
    times = RARE if most is not None and most < 0.01 else 1
    verdicts = [watched(rng, make(), over=over) for _ in range(times * many)]
    rows.append((what, len(verdicts), sum(map(bad, verdicts)) / len(verdicts), most))
