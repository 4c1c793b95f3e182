"""kill -9 of one half of the bot: the back comes again by itself, and with the front all ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bot.clients.processes.records import mark
from sandbox.world import World
from tests.support.bots.opened_once import settled
from tests.support.bots.stage import eventually


def half(world: World, name: str) -> int | None:
    """The process id of the front or the back, where it runs."""
    parent = world.bot.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if Path(f"/proc/{child}/comm").read_text().strip() == f"firebreak {name}":
            return int(child)
    return None


def pid_of(world: World, name: str) -> int:
    pid = half(world, name)
    assert pid is not None, f"no {name} runs"
    return pid


def gone(pid: int) -> bool:
    """Return whether it has ended; whose child it was may still have to collect it."""
    return mark(pid)["started"] is None


async def ready(world: World) -> int:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        return (await http.get(f"{world.bot_url}/readyz")).status_code


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_back_that_dies_is_started_again_and_opens_the_incident_once(world: World):
    bot, back = world.bot.pid, pid_of(world, "back")
    await world.alice.command("/incident checkout is failing")
    channel = await world.alice.channel("inc-0001-")
    os.kill(back, signal.SIGKILL)
    await settled(world, channel)
    assert world.bot.pid == bot, "the front went on"
    assert pid_of(world, "back") != back


async def test_commands_are_taken_and_the_bot_is_not_ready_while_the_back_stands_still(
    world: World,
):
    with frozen(pid_of(world, "back")):
        while await ready(world) != 503:
            pass
        ack = await world.alice.command("/incident checkout is failing")
        assert "INC-0001" in str(ack.body)
    while await ready(world) != 200:
        pass
    await settled(world, await world.alice.channel("inc-0001-"))


async def test_with_the_front_the_bot_ends_and_the_next_one_goes_on(world: World):
    bot, back = world.bot.pid, pid_of(world, "back")
    await world.alice.command("/incident checkout is failing")
    os.kill(pid_of(world, "front"), signal.SIGKILL)
    await eventually(world, lambda: world.bot.pid not in (bot, None), "another bot")
    assert gone(back), "its back is gone before the next one begins"
    await world.bot.until_running()
    await settled(world, await world.alice.channel("inc-0001-"))
