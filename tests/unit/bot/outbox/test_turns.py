"""Turns at an outside system: so many at once, what a decision waits for first, none lost."""

from __future__ import annotations

import asyncio
import random

from bot.outbox.turns import TurnsOfSystem, Waiting, decides
from bot.runtime.turns import Turns
from phases.messages.effects import OpenChannel, Triage
from phases.messages.notifications import PostLive


class Work:
    """Effects that hold a turn until they are let go, one by one."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.running: list[str] = []
        self.begun: list[str] = []
        self._go: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def want(self, *names: str, first: bool = False) -> None:
        for name in names:
            self._go[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name, first))
            await asyncio.sleep(0)

    async def _hold(self, name: str, first: bool) -> None:
        async with self.turns.turn(first=first):
            self.running.append(name)
            self.begun.append(name)
            try:
                await self._go[name].wait()
            finally:
                self.running.remove(name)

    async def end(self, name: str) -> None:
        self._go[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await asyncio.sleep(0)


async def test_others_run_up_to_their_limit_and_in_their_order() -> None:
    work = Work(TurnsOfSystem(2, 1))
    await work.want("a", "b", "c", "d")
    assert work.running == ["a", "b"]
    await work.end("a")
    await work.end("b")
    assert work.begun == ["a", "b", "c", "d"]


async def test_what_a_decision_waits_for_finds_a_turn_and_goes_before_the_others() -> None:
    work = Work(TurnsOfSystem(2, 1))
    await work.want("a", "b", "c")
    await work.want("decision", "decision 2", first=True)
    assert work.running == ["a", "b", "decision"]
    await work.end("a")
    assert work.running == ["b", "decision", "decision 2"]
    await work.end("decision")
    assert work.running == ["b", "decision 2"], "the limit of the others counts what runs at all"
    await work.end("decision 2")
    assert work.running == ["b", "c"]


async def test_while_a_triage_waits_at_sentry_the_rest_goes_one_by_one_at_slack() -> None:
    waiting = Waiting()
    slack, sentry = Work(TurnsOfSystem(3, 1, waiting)), Work(TurnsOfSystem(1, 0, waiting))
    await sentry.want("triage", first=True)
    await slack.want("a")
    await sentry.want("triage 2", first=True)
    await slack.want("b", "c")
    assert slack.running == ["a"]
    await slack.end("a")
    assert slack.running == ["b"], "one by one, and not never"
    await sentry.end("triage")
    assert sentry.running == ["triage 2"]
    assert slack.running == ["b", "c"]


async def test_no_turn_is_lost_whatever_is_cancelled() -> None:
    dice = random.Random(7)
    for _ in range(50):
        work = Work(TurnsOfSystem(2, 1))
        names = [f"e{n}" for n in range(12)]
        for name in names:
            await work.want(name, first=dice.random() < 0.4)
        for name in dice.sample(names, 8):
            await work.cancel(name)
            assert len(work.running) <= 3
        for name in names:
            await work.end(name) if name in work.running else await work.cancel(name)
        await work.want("x", "y", "z")
        await work.want("first", first=True)
        assert work.running == ["x", "y", "first"]
        for name in ("first", "x", "y", "z"):
            await work.end(name)


def test_people_wait_for_the_channel_and_the_decision() -> None:
    assert decides(OpenChannel())
    assert decides(Triage())
    assert decides(PostLive(name="decision:2"))
    assert not decides(PostLive(name="status"))
