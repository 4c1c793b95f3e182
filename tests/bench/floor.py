"""The floor makes the same outside calls, with as many at once as their order allows.

It has no state and no queue, and nothing in it is safe.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.credentials import SENTRY_TOKEN
from sandbox.serving import bound, serving
from sandbox.slack.api import BOT_TOKEN
from sandbox.slack.channels import ALICE
from sandbox.world import World

PROCESSES = 2
"""The deployer is asked what runs, and what may be deployed."""


class Questions:
    """What a triage asks Sentry, as the bot asked it, in the rounds that its order needs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.targets: list[str] = []

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Write down what is asked meanwhile."""
        faults, around = self._world.faults, self._world.faults.around

        async def hear(call: str, request: Request, *more: Any) -> Response:
            if call.startswith("sentry."):
                _, _, path = request.url.path.partition(f"/organizations/{self._world.sentry.org}/")
                self.targets.append(f"{path}?{request.url.query}")
            return await around(call, request, *more)

        faults.around = hear
        try:
            yield
        finally:
            faults.around = around

    def rounds(self) -> list[list[str]]:
        by_round: list[list[str]] = [[], [], []]
        for target in self.targets:
            by_round[_round(target)].append(target)
        return by_round


def _round(target: str) -> int:
    """Return 0 for what needs no other answer, 1 for the loudest issues' minutes, 2 for the rest.

    Which issues burn is said by the list of issues and the service's history, since when by their
    minutes; who is hit, by which release and where is asked of these issues since then.
    """
    path, _, query = target.partition("?")
    if path == "events-timeseries/":
        return 0 if "interval=5m" in query else 1
    return 0 if path in ("issues/", "releases/", "flags/logs/") else 2


class Floor:
    def __init__(self, world: World, questions: Questions) -> None:
        self._world = world
        self._questions = questions
        self._numbers = itertools.count(9000)
        self._slack = httpx.AsyncClient(
            base_url=f"{world.url}/slack/api/",
            headers={"Authorization": f"Bearer {BOT_TOKEN}"},
            trust_env=False,
        )
        self._sentry = httpx.AsyncClient(
            base_url=f"{world.url}/sentry/api/0/organizations/{world.sentry.org}/",
            headers={"Authorization": f"Bearer {SENTRY_TOKEN}"},
            trust_env=False,
        )
        self._me = httpx.AsyncClient(trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        listening = bound(0)
        self._port = listening.getsockname()[1]
        app = Starlette(routes=[Route("/slack/events", self._heard, methods=["POST"])])
        async with serving(app, listening, lambda: None):
            yield
        for client in (self._slack, self._sentry, self._me):
            await client.aclose()

    async def command(self, text: str) -> None:
        await self._me.post(f"http://127.0.0.1:{self._port}/slack/events", data={"text": text})

    async def _heard(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        task = asyncio.create_task(self._run(form["text"][0]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Response()

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        answer = (await self._slack.post(method, json=arguments)).json()
        if not answer.get("ok"):
            raise RuntimeError(f"floor: {method}: {answer.get('error')}")
        return answer

    async def _triage(self) -> None:
        first, *others = self._questions.rounds()
        await asyncio.gather(
            *map(self._sentry.get, first), *(self._process() for _ in range(PROCESSES))
        )
        for targets in others:
            await asyncio.gather(*map(self._sentry.get, targets))

    async def _process(self) -> None:
        process = await asyncio.create_subprocess_exec("true", stdout=asyncio.subprocess.PIPE)
        await process.communicate()

    async def _run(self, text: str) -> None:
        name = f"inc-{next(self._numbers)}-{text.replace(' ', '-')}"
        made, _ = await asyncio.gather(
            self._call("conversations.create", name=name), self._triage()
        )
        channel = made["channel"]["id"]
        announcements = self._world.workspace.channel_named("incidents")
        assert announcements is not None
        await asyncio.gather(
            self._call("conversations.setPurpose", channel=channel, purpose=text),
            self._call(
                "chat.postMessage",
                channel=channel,
                text=f"{text}: decision.rollback, 180 events in 15 min",
            ),
            self._status(channel, text),
            self._call("conversations.setTopic", channel=channel, topic=text),
            self._call("conversations.invite", channel=channel, users=ALICE),
            self._call("chat.postMessage", channel=announcements.id, text=text),
        )

    async def _status(self, channel: str, text: str) -> None:
        posted = await self._call("chat.postMessage", channel=channel, text=text)
        await self._call("pins.add", channel=channel, timestamp=posted["ts"])
