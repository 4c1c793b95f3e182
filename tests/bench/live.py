"""Time until the pinned status shows a change.

It runs from the first byte of the signed command to Slack's answer to the edit; 80 ms of it are
Slack's. One change at a time is made among 10 open incidents. Then 100 incidents change at once,
and again where Slack allows exactly 50 edits a minute and refuses every other one. Every status has
to show the newest change at the end, whatever was refused: the bench stops where one does not.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from bot.store.incident_store import Loaded, Store
from phases.record.incident import Channel as Where
from phases.record.incident import Incident
from phases.shared.change import Change
from sandbox.slack.channels import ALICE, BOT_USER
from tests.bench.rig import Rig, rig, stored
from tests.bench.seeds import open_one
from tests.bench.table import Row, aside, at_most

FEW, MANY = 10, 100
CHANGES = 60
STRICTLY = 50
"""Edits a minute: https://docs.slack.dev/apis/web-api/rate-limits, Tier 3 taken by its word."""
PATIENCE = 240.0


async def rows() -> list[Row]:
    async with rig() as stage:
        return [
            *await few(stage),
            await many(stage, 1),
            await many(stage, 2),
            *await strictly(stage),
        ]


async def few(stage: Rig) -> list[Row]:
    dice = random.Random(7)
    async with town(stage, FEW, 1) as seeded:
        seconds: list[float] = []
        for number in range(CHANGES):
            incident = dice.choice(seeded)
            began, word = time.time(), f"change-{number}"
            await say(stage, [incident], word)
            seconds.append((await shown(stage, [incident], word, began)) - began)
            await asyncio.sleep(dice.uniform(0, 0.6))
    seconds.sort()
    what = f"{FEW} open incidents, one changes: its status is current after"
    beside = f"{CHANGES} changes, some of one incident in a row; the least {seconds[0]:.2f} s"
    return [
        aside(f"{what} (p50)", seconds[len(seconds) // 2], unit="s", beside=beside),
        at_most(f"{what} (p99)", seconds[-1], 2, unit="s", beside="the worst of them"),
    ]


async def many(stage: Rig, replicas: int) -> Row:
    async with town(stage, MANY, replicas) as seeded:
        began, word = time.time(), "all-at-once"
        await say(stage, seeded, word)
        last = (await shown(stage, seeded, word, began)) - began
    what = f"{MANY} change at once: the last status is current after"
    return at_most(
        f"{what} ({replicas} replica{'s' if replicas > 1 else ''})", last, 30, unit="s", digits=1
    )


async def strictly(stage: Rig) -> list[Row]:
    stage.world.faults.limit("slack.chat.update", STRICTLY)
    async with town(stage, MANY, 2) as seeded:
        began, word = time.time(), "all-at-once"
        await say(stage, seeded, word)
        again, newer = seeded[:20], "changed-again"
        await asyncio.sleep(5)
        await say(stage, again, newer)
        last = (
            max(
                await shown(stage, again, newer, began),
                await shown(stage, seeded[20:], word, began),
            )
            - began
        )
    calls = [c for c in stage.world.workspace.calls if c.method == "chat.update" and c.at >= began]
    what = f"the same where Slack takes {STRICTLY} edits a minute and not one more, 20 change again"
    beside = f"{len(calls)} edits taken, 2 replicas; nothing lost, the last state shown"
    return [aside(f"{what}: the last is current after", last, unit="s", digits=0, beside=beside)]


# --- the stage ------------------------------------------------------------------------------------


@asynccontextmanager
async def town(stage: Rig, count: int, replicas: int) -> AsyncIterator[list[Incident]]:
    """Open incidents, each with a channel and a pinned status, and bots.

    People reach the first bot.
    """
    stage.world.delivery.events.clear()
    stage.world.workspace.calls.clear()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.valkey())
        store = await stack.enter_async_context(stored(server))
        seeded = [await _seeded(stage, store, number) for number in range(1, count + 1)]
        bots = [await stack.enter_async_context(stage.bot(server)) for _ in range(replicas)]
        stage.world.delivery.request_url = f"http://127.0.0.1:{bots[0].port}/slack/events"
        yield seeded


async def _seeded(stage: Rig, store: Store, number: int) -> Incident:
    workspace = stage.world.workspace
    channel = workspace.create_channel(f"inc-{number:04d}-{uuid4().hex[:6]}", BOT_USER)
    workspace.join(channel, ALICE)
    ts = workspace.post(channel, BOT_USER, "the status")["ts"]
    incident = open_one(number, Where(id=channel.id, name=channel.name), ts)
    incident = incident.model_copy(update={"messages": {"status": incident.messages["status"]}})
    await store.commit(
        uuid4().hex, Loaded(None, 0, await store.server_now()), Change(incident=incident)
    )
    return incident


async def say(stage: Rig, incidents: Sequence[Incident], word: str) -> None:
    """An update by a person, in each of them, side by side."""
    acks = await asyncio.gather(
        *(
            stage.world.alice.command(f"/incident update {word}", _of(incident))
            for incident in incidents
        )
    )
    if not all(ack.ok for ack in acks):
        raise SystemExit(f"bench: a command was not acknowledged: {acks}")


def _of(incident: Incident) -> str:
    assert incident.channel is not None
    return incident.channel.id


async def shown(stage: Rig, incidents: Sequence[Incident], word: str, since: float) -> float:
    """Return the time of Slack's answer to the last edit by which each status shows the word.

    It also checks that they still show it.
    """
    waiting = {_of(each): each for each in incidents}
    last, ends = 0.0, time.monotonic() + PATIENCE
    while waiting:
        if time.monotonic() > ends:
            raise SystemExit(f"bench: {len(waiting)} statuses never showed {word}")
        await asyncio.sleep(0.005)
        for call in stage.world.workspace.calls:
            edited = call.method == "chat.update" and call.at >= since and call.answer.get("ok")
            if (
                edited
                and call.args.get("channel") in waiting
                and word in json.dumps(call.args.get("blocks"))
            ):
                del waiting[str(call.args["channel"])]
                last = max(last, call.at)
    for incident in incidents:
        message = stage.world.workspace.channel(_of(incident)).message(
            incident.messages["status"].ts
        )
        if word not in json.dumps(message):
            raise SystemExit(f"bench: {incident.id} shows an older state than Slack was told")
    return last
