"""The time from the command to the decision and to the pinned channel, beside a floor program.

The floor makes the same outside calls and keeps no state. The clock runs from the first byte of the
signed request to the pretend Slack's receipt of the message that holds `decision.rollback` and the
measured event count. "Done" is when pin, topic, invitations and announcement are answered. Slack
takes 80 ms a call, Sentry 20 ms. Bot and floor run in turn: quote ratios, these are shared
machines.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sandbox.faults import Fault
from sandbox.world import World
from tests.bench.floor import Floor, Questions
from tests.bench.table import Row, aside, at_most

SERVICES = """
[services.shop]
owners = "@checkout-oncall"
sentry = ["shop"]
features = {{ catalog = "/", cart = "/cart*", payment = "/pay*" }}
release = {{ sentry = "shop@{{version}}", deploy = "v{{version}}" }}
deployer = "command"
deploy = {{ directory = "{folder}", run = ["true", "{{release}}"], current = ["cat", "current"], \
releases = ["cat", "releases"] }}
linear_team = "ENG"
"""
MISSING: list[str] = []
"""Parts that the last check for "all done" missed."""
TIMES = 30
GOALS = (1.06, 1.06)
SLACK, SENTRY = Fault(delay=0.080), Fault(delay=0.020)


def staged(world: World) -> None:
    """Three releases, the newest of which broke everything half a minute ago."""
    now = time.time()
    (world.folder / "current").write_text("v1.3.0\n")
    (world.folder / "releases").write_text("v1.3.0\nv1.2.0\nv1.1.0\n")
    for version, ago in (("1.1.0", 6 * 86400), ("1.2.0", 2 * 86400), ("1.3.0", 40)):
        world.sentry.add_release(f"shop@{version}", created=now - ago)
        world.sentry.add_deploy(f"shop@{version}", started=now - ago - 2, finished=now - ago)
    users = [f"id:{n}" for n in range(30)]
    for page in ("/", "/cart", "/pay"):
        world.sentry.load(
            at=now - 35, every=0.5, times=60, users=users, transaction=page, release="shop@1.3.0"
        )


async def until(look: Callable[[], float | None], what: str, seconds: float = 20.0) -> float:
    ends = time.monotonic() + seconds
    while (result := look()) is None:
        if time.monotonic() > ends:
            raise SystemExit(f"bench: {what} did not happen within {seconds:.0f} s {MISSING or ''}")
        await asyncio.sleep(0.002)
    return result


def first(world: World, since: float, method: str, *words: str) -> float | None:
    """Return the time at which the pretend Slack received the first such call after `since`."""
    for call in world.workspace.calls:
        if call.at >= since and call.method == method and call.answer.get("ok"):
            text = str(call.args)
            if all(word in text for word in words):
                return call.at
    return None


def decided(world: World, since: float) -> float | None:
    times = [
        first(world, since, m, "decision.rollback", " events in ")
        for m in ("chat.postMessage", "chat.update")
    ]
    return min((t for t in times if t is not None), default=None)


def done(world: World, since: float) -> float | None:
    announcements = world.workspace.channel_named("incidents")
    assert announcements is not None
    needed = {
        "pin": first(world, since, "pins.add"),
        "topic": first(world, since, "conversations.setTopic"),
        "invitations": first(world, since, "conversations.invite"),
        "announcement": first(world, since, "chat.postMessage", announcements.id),
    }
    MISSING[:] = [name for name, at in needed.items() if at is None]
    return None if MISSING else max(at for at in needed.values() if at is not None)


async def measure(
    world: World, declare: Callable[[], Awaitable[object]], start: list[float]
) -> tuple[float, float, float]:
    """Milliseconds: ack, decision, all done."""
    start[0] = time.time()
    began = time.monotonic()
    await declare()
    ack = time.monotonic() - began
    decision = await until(lambda: decided(world, start[0]), "the decision") - start[0]
    finished = (
        await until(lambda: done(world, start[0]), "pin, topic, invitations, announcement")
        - start[0]
    )
    return ack * 1000, decision * 1000, finished * 1000


async def clicked(world: World, since: float) -> float:
    """Milliseconds until a click (Investigate: it touches nothing outside) is acknowledged."""
    for channel in world.workspace.channels.values():
        for message in world.alice.messages(channel):
            if "decision.investigate" in str(message) and float(message["ts"]) >= since:
                began = time.monotonic()
                await world.alice.click(message, "decision.investigate")
                return (time.monotonic() - began) * 1000
    raise SystemExit("bench: no decision to click")


async def rows(times: int = TIMES) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="firebreak-bench-"))
    services = SERVICES.format(folder=folder)
    async with World(folder, with_shop=False, services=services, window=900) as world:
        world.alerts.enabled = False
        staged(world)
        questions = Questions(world)
        floor = Floor(world, questions)
        async with floor.serving():
            with questions.heard():
                await world.alice.command("/incident warm up")
                await until(lambda: decided(world, 0), "the warm-up")
            await finish(world)
            world.faults.always("slack.*", SLACK)
            world.faults.always("sentry.*", SENTRY)
            bot: list[tuple[float, float, float]] = []
            clicks: list[float] = []
            low: list[tuple[float, float, float]] = []
            start = [0.0]
            for number in range(times):
                bot.append(
                    await measure(
                        world,
                        lambda n=number: world.alice.command(f"/incident everything fails {n}"),
                        start,
                    )
                )
                clicks.append(await clicked(world, start[0]))
                await finish(world)
                low.append(
                    await measure(
                        world, lambda n=number: floor.command(f"everything fails {n}"), start
                    )
                )
    return report(bot, low, clicks)


async def finish(world: World) -> None:
    """Ends the open incident, so that the next one may be declared."""
    channel = max(
        (c for c in world.workspace.channels.values() if c.name.startswith("inc-0")),
        key=lambda c: c.name,
    )
    await world.alice.command("/incident cancel bench", channel)
    since = time.time()
    await until(lambda: time.time() if time.time() - since > 0.5 else None, "a breath")


def report(
    bot: list[tuple[float, float, float]],
    low: list[tuple[float, float, float]],
    clicks: list[float],
) -> list[Row]:
    names = tuple(
        f"{what}, over the floor"
        for what in (
            "ack of the command",
            "command → measured decision",
            "command → all done and pinned",
        )
    )
    opening_rows: list[Row] = []
    for at, (name, most) in enumerate(zip(names, (None, *GOALS), strict=True)):
        ours, theirs = statistics.median(r[at] for r in bot), statistics.median(r[at] for r in low)
        beside = f"{ours:.0f} ms over {theirs:.0f} ms"
        row = (
            aside(name, ours / theirs, beside=beside)
            if most is None
            else at_most(name, ours / theirs, most, beside=beside)
        )
        opening_rows.append(row)
    return [
        *opening_rows,
        aside("ack of a click, alone", statistics.median(clicks), unit="ms", digits=0),
    ]
