"""The driver of the lives: its time, its Valkey by that time, and its deaths."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lives.clock import CLOCK, Loop, context_of
from tests.lives.run import valkey
from tests.lives.store import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with valkey() as path:
        server = Server(path)
        yield server
        server.close()


def ask(server: Server, words: str) -> bytes:
    return server.perform([[word.encode() for word in words.split()]])


def test_an_hour_is_over_at_once() -> None:
    loop, began, virtual = Loop(), time.perf_counter(), CLOCK.passed
    loop.run_until_complete(asyncio.sleep(3600))
    loop.close()
    assert CLOCK.passed - virtual == pytest.approx(3600)
    assert time.perf_counter() - began < 60


def test_keys_end_by_virtual_time(server: Server) -> None:
    assert ask(server, "SET {fb}:a 1 PX 5000 NX") == b"+OK\r\n"
    assert ask(server, "SET {fb}:a 2 PX 5000 NX") == b"$-1\r\n"
    CLOCK.passed += 4.9
    assert ask(server, "PTTL {fb}:a") == b":100\r\n"
    CLOCK.passed += 0.2
    assert ask(server, "GET {fb}:a") == b"$-1\r\n"
    ask(server, "SET {fb}:a 3 PX 5000")
    ask(server, "SET {fb}:a 4")
    CLOCK.passed += 6
    assert ask(server, "GET {fb}:a") == b"$1\r\n4\r\n"


def test_entries_are_idle_by_virtual_time(server: Server) -> None:
    ask(server, "XGROUP CREATE {fb}:s workers 0 MKSTREAM")
    ask(server, "XADD {fb}:s * a 1")
    assert b"1-0" in ask(server, "XREADGROUP GROUP workers one COUNT 5 STREAMS {fb}:s >")
    CLOCK.passed += 14
    assert b"1-0" not in ask(server, "XAUTOCLAIM {fb}:s workers two 15000 0-0 COUNT 100")
    CLOCK.passed += 2
    assert b"1-0" in ask(server, "XAUTOCLAIM {fb}:s workers two 15000 0-0 COUNT 100")
    assert b":2\r\n" in ask(server, "XPENDING {fb}:s workers - + 10")


class Mortal:
    """Something whose steps can end."""

    wall_offset = 0.0

    def __init__(self) -> None:
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.dead = False

    def steps_into_death(self) -> bool:
        return self.dead

    def die(self) -> None:
        self.dead = True


def test_nothing_of_what_is_dead_runs_any_more() -> None:
    steps: list[str] = []
    mortal = Mortal()

    async def living() -> None:
        try:
            steps.append("begun")
            await asyncio.sleep(1)
            steps.append("went on")
        finally:
            steps.append("finally")

    async def world() -> list[asyncio.Task[Any]]:
        loop = asyncio.get_running_loop()
        task = loop.create_task(living(), context=context_of(mortal))
        await asyncio.sleep(0.5)
        mortal.dead = True
        held = list(mortal.tasks)
        assert held == [task]
        await asyncio.sleep(10)
        return held

    loop = Loop()
    held = loop.run_until_complete(world())
    assert steps == ["begun"]
    mortal.dead = False
    held[0].cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
