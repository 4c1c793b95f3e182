"""`make chaos`: pulls plugs while incidents run, and counts what was lost and what happened twice. `make chaos-all`: the full cross."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time

from tests.chaos.kill import Outcome, at_random, every
from tests.chaos.race import race
from tests.chaos.store import TROUBLES, frozen, trouble
from tests.chaos.timers import thousand

BUDGET_SECONDS = 420.0
"""Of the ten minutes that `make chaos` may take."""
STEP = 7
"""`make chaos` takes each seventh call of an incident, which falls on another kind of call each time."""


async def run(*, whole: bool, seed: int) -> int:
    print(f"seed {seed}\n")
    print(f"{'':44}{'incidents':>10}{'kills':>7}{'wrong':>7}{'seconds':>9}")
    wrong: dict[str, list[str]] = {}

    async def row(name: str, doing: object) -> None:
        began = time.monotonic()
        assert asyncio.iscoroutine(doing)
        outcome: Outcome = await doing
        wrong.update(outcome.wrong)
        took = time.monotonic() - began
        print(f"{name:44}{outcome.lives:>10}{outcome.kills:>7}{len(outcome.wrong):>7}{took:>9.0f}", flush=True)

    if whole:
        await row("kill -9 at every call, 2 replicas", every())
        await row("kill -9 at a tenth of the calls, 1 replica", every(10, replicas=1))
        await row("kill -9 at a tenth of the calls, 3 replicas", every(10, replicas=3))
        await row("200 kills at random over 20 incidents", at_random(seed))
    else:
        await row(f"kill -9 at each {STEP}th call, 2 replicas", every(STEP, seconds=BUDGET_SECONDS * 0.7))
        await row("30 kills at random over 8 incidents", at_random(seed, kills=30, services=8))
    print()
    raced = await race()
    print(
        f"50 people decide at once, 3 replicas: {raced.actions} action, {raced.told} told who was first, {raced.silent} told nothing"
    )
    if (raced.actions, raced.told) != (1, 49):
        wrong["race"] = [str(raced)]
    fired = await thousand()
    print(
        f"1,000 timers due at once, 2 clocks, one killed: {fired.lost} lost, {fired.doubled} doubled, "
        f"p99 {fired.p99:.1f} s after they were due (goal 2), loop blocked for {fired.blocked_ms:.0f} ms at most (goal 20)"
    )
    if fired.lost or fired.doubled:
        wrong["timers"] = [str(fired)]
    print(f"\n{'Redis, fsync at each write':44}{'acked':>10}{'lost':>7}{'twice':>7}{'unsure':>9}")
    for name, what in {**TROUBLES, **({"frozen for 30 s": frozen(30)} if whole else {})}.items():
        kept = await trouble(what)
        print(f"{name:44}{kept.acked:>10}{kept.lost:>7}{kept.doubled:>7}{kept.unsure:>9}", flush=True)
        if kept.lost or kept.doubled or kept.faults:
            wrong[name] = [str(kept)]
    for where, says in wrong.items():
        print(f"\n{where}\n  " + "\n  ".join(says))
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    sys.exit(asyncio.run(run(whole=given.all, seed=given.seed)))
