"""Whole incidents opened by a command: their CPU, and the delay of clicks meanwhile.

20 at once run beside one alone. The floor replays the bot's outside calls for one incident and
keeps nothing. They are the same calls in the same waves with the same clients (slack-sdk over a
kept session, httpx, two processes for the deployer). Slack and Sentry are the lean ones
(`outside.py`).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import httpx
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.serving import HOST
from tests.bench.rig import Running, cpu, environment, serve_floor, spread, stored
from tests.bench.seeds import clicks, fill
from tests.bench.table import Row, at_most
from tests.bench.town import SERVICES, Json, Opened, Town, town

ROUNDS = 4
ALONE = 5
WAVE_SECONDS = 0.012
"""Calls that begin closer together than this are one wave."""
IDLE_SECONDS = 3.0
RATE, CLICKS, SEEDED = 200, 1_000, 100
QUIET_SECONDS = 1.0


def floor() -> Starlette:
    cache: dict[str, Any] = {}

    async def clients() -> tuple[AsyncWebClient, httpx.AsyncClient]:
        if not cache:
            session = aiohttp.ClientSession()
            base, token = environment("FLOOR_SLACK"), environment("SLACK_BOT_TOKEN")
            cache["slack"] = AsyncWebClient(
                token=token, base_url=base, session=session, retry_handlers=[]
            )
            bearer = {"Authorization": f"Bearer {environment('SENTRY_AUTH_TOKEN')}"}
            cache["sentry"] = httpx.AsyncClient(
                base_url=environment("FLOOR_SENTRY"), headers=bearer, trust_env=False
            )
        return cache["slack"], cache["sentry"]

    async def replay(request: Request) -> Response:
        waves: list[list[Json]] = json.loads(await request.body())
        slack, sentry = await clients()
        decided = 0.0

        async def send(call: Json) -> None:
            nonlocal decided
            if call["system"] == "slack":
                if decisive(call):
                    decided = time.time()
                await slack.api_call(call["method"], json=call["args"])
            elif call["system"] == "sentry":
                parts = urlsplit(call["target"])
                (await sentry.get(parts.path, params=parse_qsl(parts.query))).json()
            else:
                process = await asyncio.create_subprocess_exec(
                    "true", stdout=asyncio.subprocess.PIPE
                )
                await process.communicate()

        for wave in waves:
            await asyncio.gather(*map(send, wave))
        return JSONResponse({"decided": decided})

    return Starlette(routes=[Route("/open", replay, methods=["POST"])])


def decisive(call: Json) -> bool:
    arguments = str(call.get("args"))
    return "decision.rollback" in arguments and " events in " in arguments


def waves(calls: Sequence[Json]) -> list[list[Json]]:
    """As the bot made them, and the deployer's two processes in the first."""
    groups: list[list[Json]] = []
    last = 0.0
    for call in sorted(calls, key=lambda item: item["at"]):
        if not groups or call["at"] - last > WAVE_SECONDS:
            groups.append([])
        groups[-1].append(call)
        last = call["at"]
    groups[0] += [{"system": "process"}, {"system": "process"}]
    return groups


async def rows() -> list[Row]:
    async with town() as place:
        there = f"http://{HOST}:{place.outside.port}"
        floor_env = {"FLOOR_SLACK": f"{there}/slack/api/", "FLOOR_SENTRY": there}
        async with place.stage.floor("tests.bench.at_once", **floor_env) as low:
            recorded = await _recorded(place)
            whole = await _whole(place, low, recorded)
            at_once = await _at_once(place, low, recorded)
        return [whole, *at_once, await _clicked_meanwhile(place)]


async def _recorded(place: Town) -> list[list[Json]]:
    await place.declare([0])
    await place.quiet(QUIET_SECONDS)
    calls = await place.log()
    await place.end()
    return waves(calls)


async def _replayed(place: Town, low: Running, script: list[list[Json]]) -> float:
    """Seconds until the floor sent its decision."""
    began = time.time()
    answer = await place.http.post(f"http://{HOST}:{low.port}/open", content=json.dumps(script))
    return answer.json()["decided"] - began


async def _whole(place: Town, low: Running, script: list[list[Json]]) -> Row:
    """CPU of the processes alone.

    The bot's use in the same time when nothing happens is taken off.
    """
    before = cpu(place.bot.pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (cpu(place.bot.pid) - before) / IDLE_SECONDS
    await _replayed(place, low, script)
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(ALONE):
        before, began = cpu(place.bot.pid), time.monotonic()
        await place.declare([number])
        await place.quiet(QUIET_SECONDS)
        ours.append((cpu(place.bot.pid) - before - idle * (time.monotonic() - began)) * 1000)
        await place.end()
        before = cpu(low.pid)
        await _replayed(place, low, script)
        theirs.append((cpu(low.pid) - before) * 1000)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    count = sum(len(wave) for wave in script) - 2
    beside = (
        f"{statistics.median(ours):.0f} ms over {statistics.median(theirs):.0f} ms for {count} "
        f"calls and 2 processes; idle {idle * 1000:.0f} ms a second taken off; {spread(ratios)}"
    )
    return at_most(
        "CPU of a whole opened incident, over the same calls alone",
        statistics.median(ratios),
        1.7,
        beside=beside,
    )


async def _at_once(place: Town, low: Running, script: list[list[Json]]) -> list[Row]:
    single: list[Opened] = []
    many: list[list[Opened]] = []
    floor_one: list[float] = []
    floor_many: list[float] = []
    for number in range(ROUNDS):
        single += await place.declare([number])
        await place.end()
        many.append(await place.declare(range(SERVICES)))
        await place.end()
        floor_one.append(await _replayed(place, low, script))
        all_of_them = await asyncio.gather(
            *(_replayed(place, low, script) for _ in range(SERVICES))
        )
        floor_many.append(statistics.median(all_of_them))
    alone, below = (
        statistics.median(opened.decision for opened in single),
        statistics.median(floor_one),
    )
    decided = statistics.median(opened.decision for each in many for opened in each)
    last = statistics.median(max(opened.decision for opened in each) for each in many)
    under = statistics.median(floor_many)
    ratios = [
        statistics.median(opened.decision for opened in each) / theirs
        for each, theirs in zip(many, floor_many, strict=True)
    ]
    beside = (
        f"{decided * 1000:.0f} ms over {under * 1000:.0f} ms, the last {last * 1000:.0f} ms; "
        f"one alone {alone * 1000:.0f} ms, floor {below * 1000:.0f} ms; {spread(ratios)}"
    )
    return [
        at_most(
            f"{SERVICES} incidents at once, command → decision, over the same calls at once",
            statistics.median(ratios),
            1.25,
            beside=beside,
        )
    ]


async def _clicked_meanwhile(place: Town) -> Row:
    async with stored(place.server) as store:
        seeded = await fill(store, place.stage.world, SEEDED, first=5_000)
    await place.stage.load(clicks(seeded, 200), place.bot.port, rate=RATE)
    alone = (await place.stage.load(clicks(seeded, CLICKS), place.bot.port, rate=RATE)).only(200)
    clicking = asyncio.create_task(
        place.stage.load(clicks(seeded, CLICKS), place.bot.port, rate=RATE)
    )
    await asyncio.sleep(1.5)
    await place.declare(range(SERVICES))
    answered = (await clicking).only(200)
    beside = (
        f"{answered.at(1):.0f} ms over {alone.p50:.1f} ms, p99 {answered.at(0.99):.0f} ms, p50 "
        f"{answered.p50:.1f} ms; alone p99 {alone.at(0.99):.0f} ms, worst {alone.at(1):.0f} ms, at "
        f"{RATE} clicks/s"
    )
    return at_most(
        f"ack of a click while {SERVICES} incidents open, worst of {CLICKS:,}, over one alone",
        answered.at(1) / alone.p50,
        5,
        digits=1,
        beside=beside,
    )


if __name__ == "__main__":
    serve_floor(floor())
