"""People first.

Background work waits for acks, goes on piece by piece, and is never kept waiting for good.
"""

from __future__ import annotations

import asyncio

import pytest

from bot.runtime import ack_priority as module
from bot.runtime.ack_priority import AckPriority, people_first


def begun(ack_priority: AckPriority, done: list[str], *names: str) -> list[asyncio.Task[None]]:
    async def piece(name: str) -> None:
        ack_priority.in_background()
        await asyncio.gather(*(child(f"{name}{n}") for n in range(2)))

    async def child(name: str) -> None:
        await people_first()
        done.append(name)

    return [asyncio.create_task(piece(name)) for name in names]


async def test_background_work_goes_on_one_piece_a_turn_of_the_loop() -> None:
    done: list[str] = []
    tasks = begun(AckPriority(), done, *"abcde")
    most, before = 0, 0
    while len(done) < 10:
        await asyncio.sleep(0)
        most, before = max(most, len(done) - before), len(done)
    await asyncio.gather(*tasks)
    assert sorted(done) == sorted(f"{name}{n}" for name in "abcde" for n in range(2))
    assert most == 1


async def test_nothing_goes_on_while_somebody_waits_for_an_ack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 60.0)
    ack_priority, done = AckPriority(), []
    with ack_priority.somebody_asks():
        with ack_priority.somebody_asks():
            tasks = begun(ack_priority, done, "a", "b")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)
        assert done == [], "one of two still waits"
        await people_first()  # who answers people is no background work
    await asyncio.gather(*tasks)
    assert sorted(done) == ["a0", "a1", "b0", "b1"]


async def test_however_many_people_ask_it_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.01)
    ack_priority, done = AckPriority(), []
    with ack_priority.somebody_asks():
        await asyncio.wait_for(asyncio.gather(*begun(ack_priority, done, "a", "b")), 10)
    assert len(done) == 4


async def test_work_that_is_cancelled_while_it_waits_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 60.0)
    ack_priority, done = AckPriority(), []
    with ack_priority.somebody_asks():
        first, second = begun(ack_priority, done, "a", "b")
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    await second
    assert done == ["b0", "b1"]
