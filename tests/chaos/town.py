"""A world of many services and several replicas over one Valkey, and a gate for every outside call.

Each replica is given addresses with its own name in front (`/r0/slack/api/…`). The gate knows the
caller by it, and can kill it before, during or after the call. People and webhooks come through a
balancer, as in front of any service.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.connection.client import StoreError, connect
from bot.store.incident_store import Store
from sandbox.process import SupervisedProcess
from sandbox.serving import HOST, bound, free_port, serving
from sandbox.wire import lose_answer
from sandbox.world import World

Moment = Literal["before", "during", "after"]
"""Moments of an outside call.

It is not yet carried out; carried out with its answer lost; or answered and not yet recorded.
"""
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
HOP = {
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "content-encoding",
    "keep-alive",
}
RECHECK_SECONDS = 4
WINDOW_SECONDS = 180
"""Long enough for a bot that was dead for a while.

It still sees the trouble, and so many events let a check tell.
"""
JUDGE_SECONDS = 20.0
"""The judge waits longer for Redis than a bot may, on a machine with a dozen worlds."""
RELEASES = (("1.1.0", 6 * 86400), ("1.2.0", 2 * 86400), ("1.3.0", 40))

SERVICE = """
[services.NAME]
sentry = ["NAME"]
features = { catalog = "/", cart = "/cart*", payment = "/pay*" }
release = { sentry = "NAME@{version}", tag = "v{version}", deploy = "v{version}" }
deployer = "command"
linear_team = "ENG"
adr = { directory = "FOLDER/adr" }
deploy = { directory = "FOLDER", run = ["sh", "deploy.sh", "{release}"], \
current = ["cat", "current"], releases = ["cat", "releases"] }
"""
DEPLOY = 'echo "$1" >> asked\necho "$1" > current\necho "$1 is up"\n'


def name_of(number: int) -> str:
    return f"shop{number:03d}"


@dataclass(frozen=True, slots=True)
class Call:
    """One outside call that came through the gate. `moment`: of the kill that met it."""

    path: str
    body: bytes
    status: int
    moment: Moment | None


class Town:
    """`services` shops that `burn` one by one, and `replicas` of the bot.

    Use it as an async context manager.
    """

    program = ("-m", "tests.chaos.bot")
    """A replica, as arguments of Python."""

    def __init__(
        self,
        folder: Path,
        *,
        services: int,
        replicas: int = 2,
        redis_url: str,
        socket_mode: bool = False,
    ) -> None:
        self.folder = folder
        self.numbers = range(1, services + 1)
        self.redis_url = redis_url
        self.counts: Counter[int] = Counter()
        """Outside calls so far, by the number of the shop that they are about; 0: nobody's."""
        self.plan: dict[int, tuple[int, Moment]] = {}
        """Shop → at which of its calls, and when in it, the caller is killed."""
        self.kills: list[tuple[int, int, Moment, str]] = []
        """Shop, call, moment and address of every kill that took place."""
        self.replicas: list[SupervisedProcess] = []
        self._turn = 0
        self._count = replicas
        catalogue = "".join(self.shop(number) for number in self.numbers)
        self.world = World(
            folder / "world",
            with_bot=False,
            with_shop=False,
            services=catalogue,
            window=WINDOW_SECONDS,
            socket_mode=socket_mode,
        )
        self.world.alerts.enabled = False
        # Slack's own are at once, a minute, five.
        self.world.delivery.retry_delays = (
            0.0,
            3.0,
            20.0,
        )
        self.world.linear_webhooks.retry_delays = (1.0, 3.0, 20.0)
        # A call whose caller was killed may keep its place, so places do not run out.
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=60, limits=httpx.Limits(max_connections=None)
        )
        self.store = Store(connect(redis_url, read_seconds=JUDGE_SECONDS))
        self.form = asyncio.Lock()
        """A person fills in one form at a time."""
        self.front = ""
        """The balancer's address."""

    # --- what other towns have otherwise ----------------------------------------------------------

    def shop(self, number: int) -> str:
        """Its lines in the catalogue."""
        name = name_of(number)
        folder = self.folder / name
        (folder / "adr").mkdir(parents=True)
        (folder / "deploy.sh").write_text(DEPLOY)
        (folder / "current").write_text("v1.3.0\n")
        (folder / "releases").write_text("v1.3.0\nv1.2.0\nv1.1.0\n")
        return SERVICE.replace("NAME", name).replace("FOLDER", str(folder))

    def deployed(self, number: int) -> list[str]:
        """Every run of the deploy script, in order."""
        log = self.folder / name_of(number) / "asked"
        return log.read_text().split() if log.exists() else []

    def counted(self, path: str) -> bool:
        """Return if this is one of the calls that kills are planned at."""
        return True

    def inside(self, path: str) -> str:
        """The address behind the gate."""
        return f"{self.world.url}{path}"

    def environment(self, outside: str) -> dict[str, str]:
        """Settings of a replica beside the world's own; `outside` is the gate's address for it."""
        return {}

    def saw(self, call: Call) -> None:
        """Called with everything that comes through the gate."""

    # ------------------------------------------------------------------------------------------

    def burn(self, number: int) -> None:
        """The newest release of this shop breaks every page for everybody."""
        name, sentry, now = name_of(number), self.world.sentry, time.time()
        for version, ago in RELEASES:
            sentry.add_release(f"{name}@{version}", projects=(name,), created=now - ago - 60)
            sentry.add_deploy(f"{name}@{version}", started=now - ago - 2, finished=now - ago)
        for page in ("/", "/cart", "/pay"):
            users = [f"id:{n}" for n in range(30)]
            sentry.load(
                f"KeyError: '{name}'",
                at=now - 35,
                every=0.0875,
                times=400,
                users=users,
                transaction=page,
                project=name,
                release=f"{name}@1.3.0",
            )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Town]:
        for number in self.numbers:
            self.world.sentry.add_project(name_of(number))
        gate, balancer = bound(0), bound(0)
        self._gate = f"http://{HOST}:{gate.getsockname()[1]}"
        front = self.front = f"http://{HOST}:{balancer.getsockname()[1]}"
        self.world.delivery.request_url = f"{front}/slack/events"
        self.world.alerts.url = f"{front}/webhooks/sentry"
        self.world.linear_webhooks.url = f"{front}/webhooks/linear"
        outside = Starlette(
            routes=[Route("/r{replica:int}/{rest:path}", self._through, methods=VERBS)]
        )
        inside = Starlette(routes=[Route("/{rest:path}", self._balanced, methods=VERBS)])
        async with AsyncExitStack() as stack:
            # The gate goes last: until the servers are down a call may still be on its way through
            # it.
            stack.push_async_callback(self._client.aclose)
            stack.push_async_callback(self.store.close)
            await stack.enter_async_context(self.world)
            await stack.enter_async_context(serving(outside, gate, lambda: None))
            await stack.enter_async_context(serving(inside, balancer, lambda: None))
            try:
                self.replicas = [self._replica(number) for number in range(self._count)]
                await asyncio.gather(*(replica.start(seconds=60) for replica in self.replicas))
                yield self
            finally:
                await asyncio.gather(*(replica.stop() for replica in self.replicas))

    def _replica(self, number: int) -> SupervisedProcess:
        port = free_port()
        outside = f"{self._gate}/r{number}"
        env = {
            **{k: v.replace(self.world.url, outside) for k, v in self.world.bot.env.items()},
            **self.environment(outside),
            "PORT": str(port),
            "REDIS_URL": self.redis_url,
            "DATA_DIR": str(self.folder / "state"),
            "RECHECK_AFTER_SECONDS": str(RECHECK_SECONDS),
            "RECHECK_UNTIL_SECONDS": str(2 * RECHECK_SECONDS),
        }
        replica = SupervisedProcess(
            [sys.executable, *self.program],
            env=env,
            log=self.folder / f"bot-{number}.log",
            ready=lambda: asyncio.create_task(self._ready(port)),
            name=f"Replica {number}",
        )
        replica.backoff = (0.2,)  # what dies often here is not the bot's fault
        return replica

    async def _ready(self, port: int) -> bool:
        while True:
            try:
                if (
                    await self._client.get(f"http://{HOST}:{port}/readyz", timeout=2)
                ).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)

    async def alert(self, number: int) -> None:
        """A rule of Sentry's fires on what burns in this shop."""
        sentry = self.world.sentry
        issue = next(
            candidate
            for candidate in sentry.issues.values()
            if candidate.project.slug == name_of(number)
        )
        await self.world.alerts.event_alert(issue.events[-1])

    # --- the gate ---------------------------------------------------------------------------------

    async def _through(self, request: Request) -> Response:
        raw, replica = await request.body(), request.path_params["replica"]
        path = "/" + request.path_params["rest"]
        shop = self._about(f"{path}?{request.url.query} {raw.decode(errors='replace')}")
        self.counts[shop] += self.counted(path)
        moment: Moment | None = None
        if shop in self.plan and self.counted(path) and self.plan[shop][0] == self.counts[shop]:
            moment = self.plan.pop(shop)[1]
            self.kills.append((shop, self.counts[shop], moment, path))
        if moment == "before":
            self._kill(replica)
            self.saw(Call(path, raw, 0, moment))
            return Response(status_code=503)
        answer = await self._answered(request, self.inside(path), raw)
        self.saw(Call(path, raw, answer.status_code, moment))
        if moment == "during":
            self._kill(replica)
        elif moment == "after":
            asyncio.get_running_loop().call_later(0.002, self._kill, replica)
        return answer

    async def _answered(self, request: Request, url: str, raw: bytes) -> Response:
        """A connection that breaks off inside breaks off here.

        A caller who leaves here leaves inside, too.
        """
        forwarding = asyncio.create_task(self._forward(request, url, raw))
        leaving = asyncio.create_task(_gone(request))
        await asyncio.wait({forwarding, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not forwarding.done():
            forwarding.cancel()
            return Response(status_code=499)
        try:
            return forwarding.result()
        except httpx.TransportError:
            await lose_answer(request)
            return Response(status_code=499)

    def _kill(self, replica: int) -> None:
        self.replicas[replica].kill()

    def _about(self, text: str) -> int:
        """Return the shop of a call.

        The call has its name, or the channel or Sentry project of it.
        """
        if named := re.search(r"shop(\d{3})", text):
            return int(named[1])
        for id in re.findall(r"\bC[A-Z0-9]{8,}\b", text):
            channel = self.world.workspace.channels.get(id)
            if channel and (named := re.search(r"shop(\d{3})", channel.name)):
                return int(named[1])
        if project := re.search(r"[?&]project=(\d+)", text):
            named_project = self.world.sentry.project(int(project[1]))
            if named_project and (named := re.search(r"shop(\d{3})", named_project.slug)):
                return int(named[1])
        return 0

    async def _forward(self, request: Request, url: str, raw: bytes) -> Response:
        headers = [(k, v) for k, v in request.headers.items() if k not in HOP]
        where = f"{url}?{request.url.query}" if request.url.query else url
        answer = await self._client.request(request.method, where, content=raw, headers=headers)
        passed_on = {k: v for k, v in answer.headers.items() if k not in HOP}
        # Pages and links of the systems name their own address. Callers stay behind the gate.
        return Response(answer.content, answer.status_code, passed_on)

    # --- the balancer -----------------------------------------------------------------------------

    async def _balanced(self, request: Request) -> Response:
        raw = await request.body()
        for _ in self.replicas:
            self._turn += 1
            replica = self.replicas[self._turn % len(self.replicas)]
            try:
                return await self._forward(
                    request,
                    f"http://{HOST}:{replica.env['PORT']}/{request.path_params['rest']}",
                    raw,
                )
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                # It died with our request: whoever asked must say it again.
                return Response(status_code=502)
        return Response(status_code=503)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def eventually(
    true: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str, seconds: float
) -> None:
    """Raises `AssertionError` where it does not come true. A Redis that is away is a no."""
    ends = time.monotonic() + seconds
    while True:
        with suppress(StoreError, RedisError):
            result = true()
            if await result if isinstance(result, Awaitable) else result:
                return
        if time.monotonic() > ends:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(0.1)
