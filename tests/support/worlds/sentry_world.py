"""A service with a past in the local Sentry, measured by the real client over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.clients.sentry.client import Sentry
from phases.ports.ports import DeployState, HotfixRef, PortError
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import DeploySeen, Release, Suspect, TriageReport
from phases.record.incident import Incident
from phases.record.service import Service
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from sandbox.faults import Faults
from sandbox.sentry.api.app import sentry_app
from sandbox.sentry.state import Sentry as LocalSentry
from tests.support.values import factories
from tests.support.worlds.local_http import serving

NOW = datetime(2026, 5, 5, 14, 15, 30, tzinfo=UTC)
TURNS = 100
"""Of the event loop: after a machine stood still a call needs some to arrive, and no time."""
SHOP = Service(
    name="shop",
    sentry=("shop",),
    features={"cart": "/cart*", "pay": "/pay*", "search": "/search*"},
)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def incident(**fields: Any) -> Incident:
    given: dict[str, Any] = {
        "title": "shop is burning",
        "lead": None,
        "detected_at": NOW,
        "declared_at": NOW,
    }
    return factories.incident(**{**given, **fields})


@dataclass
class Deployer:
    """A deployer with a list; `broken` says so instead."""

    list: Sequence[str] = ()
    runs: str | None = None
    broken: str = ""

    async def running(self, service: Service) -> Release | None:
        self._check()
        return Release(version=self.runs) if self.runs else None

    async def releases(self, service: Service) -> Sequence[Release]:
        self._check()
        return [Release(version=v) for v in self.list]

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        raise AssertionError("triage deploys nothing")

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        raise AssertionError("triage looks at no deploy")

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        raise AssertionError("triage gives no deploy up")

    def _check(self) -> None:
        if self.broken:
            raise PortError("deployer", self.broken, retryable=False)


@dataclass
class Repository:
    """Source code of which only the changed paths and the branches matter here."""

    changed: Sequence[str] = ()
    branches: Sequence[HotfixRef] = ()
    log: Sequence[Commit] = ()
    lost: str = ""
    """Why no range of commits can be told."""

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        if self.lost:
            raise PortError("git", self.lost, retryable=False)
        return self.log

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        return None

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        return ()

    def remarks(self, service: Service) -> Sequence[str]:
        return ()

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        return self.branches

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        return [CommitFile(path=p).path for p in self.changed]


class Counting:
    """Counts calls, and how many of them had to wait for one another."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.paths: list[str] = []
        self.rounds = 0
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(f"{scope['path']}?{scope['query_string'].decode()}")
        if self._open == 0:
            self.rounds += 1
        self._open += 1
        try:
            arrived = 0
            while arrived != len(self.paths):  # a round's calls meet, however busy the machine is
                arrived = len(self.paths)
                await asyncio.sleep(0.15)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
            await self.app(scope, receive, send)
        finally:
            self._open -= 1


class Refusing:
    """In front of the local Sentry: refuses what a rule finds in a request's path and question."""

    def __init__(self) -> None:
        self.rules: list[tuple[Callable[[str], bool], int, str]] = []
        self.app: ASGIApp | None = None

    def refuse(
        self, *parts: str, status: int = 400, message: str = "Query timeout. Please try again."
    ) -> None:
        """Whatever has all of these in its decoded URL."""
        self.rules.append((lambda url: all(part in url for part in parts), status, message))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        url = f"{scope['path']}?{unquote_plus(scope['query_string'].decode())}"
        for meets, status, message in self.rules:
            if meets(url):
                await JSONResponse({"detail": message}, status)(scope, receive, send)
                return
        await self.app(scope, receive, send)


@dataclass
class World:
    local: LocalSentry
    client: Sentry
    faults: Faults
    calls: Counting | None = None
    service: Service = SHOP
    neighbours: Sequence[Service] = ()
    deployer: Deployer | None = field(default_factory=lambda: Deployer(["v3", "v2", "v1"], "v3"))
    source: Repository | None = None
    known: Sequence[DeploySeen] = ()
    refusing: Refusing = field(default_factory=Refusing)

    def deployed(
        self,
        version: str,
        minutes_ago: float,
        *,
        project: str = "shop",
        environment: str = "production",
    ) -> None:
        at = ago(minutes_ago).timestamp()
        self.local.add_release(version, projects=[project], created=at)
        self.local.add_deploy(version, environment=environment, started=at, finished=at + 20)

    def burn(
        self, *paths: str, since: float = 6, users: int = 30, times: int = 40, **fields: Any
    ) -> None:
        """Errors on each path from `since` minutes ago until just now."""
        names = [f"u{n}" for n in range(users)]
        for path in paths:
            fields.setdefault("release", "v3")
            every = since * 60 / times
            at = ago(since).timestamp()
            self.local.load(
                f"KeyError: '{path}'",
                at=at,
                every=every,
                times=times,
                users=names,
                transaction=path,
                function=f"view{path}",
                **fields,
            )

    async def triage(self, now: datetime = NOW, **fields: Any) -> TriageReport:
        triaged = await triage(
            incident(**fields),
            Sources(
                self.service,
                self.client,
                self.neighbours,
                self.deployer,
                self.source,
                flags=self.client.flags,
            ),
            self.known,
            now,
        )
        return triaged.report


@asynccontextmanager
async def world(*, counting: bool = False, **fields: Any) -> AsyncIterator[World]:
    projects = fields.pop("projects", [*SHOP.sentry, "payments"])
    local = LocalSentry(projects=projects, clock=NOW.timestamp)
    local.discover, local.several = fields.pop("discover", True), fields.pop("several", True)
    if fields.pop("traces", True):
        local.traffic(20, since=ago(3 * 1440), project=projects[0])
    faults = Faults()
    app = sentry_app(local, faults)
    calls = Counting(app) if counting else None
    refusing = Refusing()
    refusing.app = calls or app
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("unavailable.PART", "questions.PART", "questions.COMMITS"):
            # A busy machine is no slow Sentry, and no slow git.
            patch.setattr(f"phases.triage.reading.{limit}_SECONDS", 60.0)
        patch.setattr("bot.clients.sentry.blast_radius.SECONDS", 60.0)
        async with serving(refusing) as url:
            client = Sentry(url, "acme", "sntrys_local", timeout=60)
            yield World(local, client, faults, calls, refusing=refusing, **fields)
            await client.aclose()


FIVE = tuple(f"p{n}" for n in range(5))


@asynccontextmanager
async def busy_world(issues: int = 200, **fields: Any) -> AsyncIterator[World]:
    """A service of five projects with so many open issues.

    All are of the release deployed nine minutes ago. `fields` are those of each event.
    """
    async with world(
        projects=FIVE, service=SHOP.model_copy(update={"sentry": FIVE}), counting=True
    ) as w:
        for version, minutes in (("v2", 600), ("v3", 9)):
            at = ago(minutes).timestamp()
            w.local.add_release(version, projects=FIVE, created=at)
            w.local.add_deploy(version, started=at, finished=at)
        for n in range(issues):
            w.local.load(
                f"Oops: {n}",
                at=ago(6) + timedelta(seconds=n),
                times=2,
                users=[f"u{n}", f"w{n}"],
                transaction=("/cart", "/pay")[n % 2],
                function=f"f{n}",
                project=FIVE[n % 5],
                release="v3",
                **fields,
            )
        yield w
