"""A town of services that all burn, before one bot.

Slack and Sentry are lean programs, for many incidents at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sandbox.serving import HOST
from tests.bench.rig import Rig, Running, command_request, rig
from tests.chaos.store import Server

SERVICES = 20
SERVICE = """
[services.shop{n:02d}]
owners = "@checkout-oncall"
sentry = ["shop{n:02d}"]
features = {{ catalog = "/", cart = "/cart*", payment = "/pay*" }}
release = {{ sentry = "shop{n:02d}@{{version}}", deploy = "v{{version}}" }}
deployer = "command"
deploy = {{ directory = "FOLDER", run = ["true", "{{release}}"], current = ["cat", "current"], \
releases = ["cat", "releases"] }}
"""
Json = dict[str, Any]
PATIENCE = 60.0
NEEDED = ("pins.add", "conversations.setTopic", "conversations.invite")


@dataclass
class Opened:
    """One incident, in seconds after its command was sent."""

    service: str
    channel: str = ""
    decision: float = 0.0
    done: float = 0.0
    calls: list[Json] = field(default_factory=list[Json])


class Town:
    def __init__(self, stage: Rig, outside: Running, bot: Running, server: Server) -> None:
        self.stage, self.outside, self.bot, self.server = stage, outside, bot, server
        self.http = httpx.AsyncClient(
            trust_env=False, timeout=30, limits=httpx.Limits(max_connections=100)
        )
        self.open: dict[str, Opened] = {}
        self._commands = 0

    async def log(self, start: int = 0) -> list[Json]:
        return (
            await self.http.get(f"http://{HOST}:{self.outside.port}/log", params={"from": start})
        ).json()

    async def forget(self) -> None:
        await self.http.get(f"http://{HOST}:{self.outside.port}/forget")

    async def command(self, text: str, channel: str = "C0HALL") -> str:
        """Return the answer.

        A person whose command was not recorded sends it again, as anybody would.
        """
        for _ in range(5):
            self._commands += 1
            fields = {
                "text": text,
                "channel_id": channel,
                "trigger_id": f"{self._commands}.{time.time()}",
            }
            raw, headers = command_request(fields)
            answer = await self.http.post(
                f"http://{HOST}:{self.bot.port}/slack/events", content=raw, headers=headers
            )
            if answer.status_code == 200 and "Nothing was recorded" not in answer.text:
                return answer.text
        raise SystemExit(
            f"bench: a command was answered with {answer.status_code}: {answer.text[:300]}"
        )

    async def declare(self, services: Sequence[int]) -> list[Opened]:
        """All at once; returns when each has its decision and everything is done and pinned."""
        await self.forget()
        names = [f"shop{n:02d}" for n in services]
        began = time.time()
        await asyncio.gather(
            *(self.command(f"declare {name} fails, number {self._commands}") for name in names)
        )
        openings = {name: Opened(name) for name in names}
        ends = time.monotonic() + PATIENCE
        while True:
            _read(await self.log(), openings, began)
            if all(opening.decision and opening.done for opening in openings.values()):
                break
            if time.monotonic() > ends:
                missing = [
                    opening.service
                    for opening in openings.values()
                    if not (opening.decision and opening.done)
                ]
                raise SystemExit(f"bench: not opened within {PATIENCE:.0f} s: {missing}")
            await asyncio.sleep(0.05)
        self.open.update(openings)
        return list(openings.values())

    async def end(self) -> None:
        """Cancels what is open, so that the next may be declared; waits until the bot is quiet."""
        for opening in self.open.values():
            await self.command("cancel bench", opening.channel)
        self.open.clear()
        await self.quiet()

    async def quiet(self, seconds: float = 1.5) -> None:
        """Until no call was made for so long."""
        while True:
            calls = await self.log()
            if not calls or time.time() - calls[-1]["at"] > seconds:
                return
            await asyncio.sleep(0.1)


def _read(log: Sequence[Json], openings: dict[str, Opened], began: float) -> None:
    """Fill in the arrival times at Slack.

    They are those of each decision with its measured count, and of everything else.
    """
    channels = {each.channel: each for each in openings.values() if each.channel}
    needed: dict[str, dict[str, float]] = {}
    for call in log:
        given = call.get("args") or {}
        if call["method"] == "conversations.create":
            for name, opening in openings.items():
                if name in given["name"]:
                    opening.calls.append(call)
            continue
        text = str(given)
        opening = channels.get(str(given.get("channel", "")))
        if call["method"] == "conversations.setPurpose" and opening is None:
            opening = next(
                (o for name, o in openings.items() if name in text and not o.channel), None
            )
            if opening is not None:
                opening.channel = given["channel"]
                channels[opening.channel] = opening
        if opening is None:
            opening = next((o for o in openings.values() if o.channel and o.channel in text), None)
            if opening is not None and call["method"] == "chat.postMessage":
                needed.setdefault(opening.service, {})["announcement"] = call["at"] - began
            continue
        if call["method"] in NEEDED:
            needed.setdefault(opening.service, {})[call["method"]] = call["at"] - began
        if not opening.decision and "decision.rollback" in text and " events in " in text:
            opening.decision = call["at"] - began
    for name, times in needed.items():
        if len(times) == len(NEEDED) + 1:
            openings[name].done = max(times.values())


@asynccontextmanager
async def town(services: int = SERVICES) -> AsyncIterator[Town]:
    """A town in which everything has been opened and cancelled once.

    The lean Sentry knows the bot's questions.
    """
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(
            rig("".join(SERVICE.format(n=n) for n in range(services)))
        )
        world = stage.world
        world.faults.clear()
        (world.folder / "current").write_text("v1.3.0\n")
        (world.folder / "releases").write_text("v1.3.0\nv1.2.0\nv1.1.0\n")
        for n in range(services):
            _burn(world, f"shop{n:02d}")
        server = await stack.enter_async_context(stage.valkey())
        outside = await stack.enter_async_context(
            stage.program("tests.bench.outside", f"{world.url}/sentry")
        )
        there = f"http://{HOST}:{outside.port}"
        bot = await stack.enter_async_context(
            stage.bot(server, SLACK_API_URL=f"{there}/slack/api/", SENTRY_URL=f"{there}/sentry")
        )
        running_town = Town(stage, outside, bot, server)
        stack.push_async_callback(running_town.http.aclose)
        await running_town.declare(range(services))
        await running_town.end()
        yield running_town


def _burn(world: Any, name: str) -> None:
    now = time.time()
    world.sentry.add_project(name)
    for version, ago in (("1.1.0", 6 * 86400), ("1.2.0", 2 * 86400), ("1.3.0", 40)):
        world.sentry.add_release(f"{name}@{version}", projects=(name,), created=now - ago - 60)
        world.sentry.add_deploy(f"{name}@{version}", started=now - ago - 2, finished=now - ago)
    for page in ("/", "/cart", "/pay"):
        users = [f"id:{n}" for n in range(30)]
        world.sentry.load(
            at=now - 35,
            every=0.5,
            times=60,
            users=users,
            transaction=page,
            project=name,
            release=f"{name}@1.3.0",
        )
