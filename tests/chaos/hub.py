"""A life through GitHub.

CI's deploy burns, and the watch after it declares. A workflow rolls back, and the post-mortem is a
pull request. A dispatch has no key, and its run cannot be told from others until it shows. A
dispatch that may have been lost is therefore never sent again: people are told and decide anew
(`bot/clients/deployers/github.py`). This life does so, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phases.record.incident import Incident
from sandbox.credentials import DEPLOY_SECRET
from sandbox.faults import Hanging
from sandbox.github.api import github_app
from sandbox.github.state import CI_TOKEN, TOKEN, GitHub, Run
from sandbox.github.webhooks import Webhooks
from sandbox.serving import HOST, bound, serving
from sandbox.slack.channels import Channel
from sandbox.slack.errors import ClientRefused
from sandbox.slack.people import plain
from tests.chaos import life
from tests.chaos.town import RELEASES, Call, Town, name_of

SECRET = "hook-of-github"
HIDDEN_SECONDS = 0.5
"""Until GitHub shows a run that it took."""
RUNS_SECONDS = 1.0
TOLD_AGAIN_SECONDS = 2.0
"""A pipeline says it again where it was not taken, as `curl --retry` does."""

REFUSED = (403, 429)
"""Nothing was done: it may be sent again."""

GONE = 499
"""The gate's word for a caller that did not wait for its answer."""

SERVICE = """
[services.NAME]
repository = "acme/NAME"
sentry = ["NAME"]
features = { catalog = "/", cart = "/cart*", payment = "/pay*" }
release = { sentry = "NAME@{version}", tag = "v{version}", deploy = "{version}" }
deployer = "github"
linear_team = "ENG"
adr = { repository = "acme/NAME", path = "docs/adr" }
"""


class HubTown(Town):
    """A town whose shops are repositories.

    `hubs` holds each one's GitHub. Its runs end by themselves and report it as CI does.
    """

    def __init__(
        self,
        folder: Path,
        *,
        services: int,
        replicas: int = 2,
        redis_url: str,
        socket_mode: bool = False,
    ) -> None:
        numbers = range(1, services + 1)
        self.hubs = {number: GitHub(repository=f"acme/{name_of(number)}") for number in numbers}
        self.sent: dict[str, list[int]] = {}
        """Decision → the answers to each of its dispatches: a status, or 0 for nothing."""
        self._listening = bound(0)
        self._tasks: set[asyncio.Task[None]] = set()
        super().__init__(
            folder,
            services=services,
            replicas=replicas,
            redis_url=redis_url,
            socket_mode=socket_mode,
        )

    def shop(self, number: int) -> str:
        return SERVICE.replace("NAME", name_of(number))

    def deployed(self, number: int) -> list[str]:
        """The decision of every run that GitHub began, in order."""
        return [run.inputs["decision"] for run in self.hubs[number].runs]

    def counted(self, path: str) -> bool:
        return path.startswith("/github/")

    def inside(self, path: str) -> str:
        if self.counted(path):
            return f"http://{HOST}:{self._listening.getsockname()[1]}{path.removeprefix('/github')}"
        return super().inside(path)

    def environment(self, outside: str) -> dict[str, str]:
        return {
            "GITHUB_API_URL": f"{outside}/github",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_WEBHOOK_SECRET": SECRET,
        }

    def saw(self, call: Call) -> None:
        if call.path.endswith("/dispatches"):
            decision = json.loads(call.body)["inputs"]["decision"]
            self.sent.setdefault(decision, []).append(call.status if call.moment is None else 0)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Town]:
        for hub in self.hubs.values():
            _history(hub)
        async with serving(self._app(), self._listening, lambda: None), super().open():
            hooks = [
                Webhooks(
                    hub,
                    f"{self.front}/webhooks/github",
                    SECRET,
                    delivery=self.world.webhook_delivery,
                )
                for hub in self.hubs.values()
            ]
            for number, hub in self.hubs.items():
                hub.on_change = lambda number=number, hub=hub: self._go_on(number, hub)
            try:
                yield self
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(
                    *self._tasks, *(hook.stop() for hook in hooks), return_exceptions=True
                )

    def _app(self) -> ASGIApp:
        faults = self.world.faults
        apps = {hub.repository: github_app(hub, faults) for hub in self.hubs.values()}
        return Hanging(_ByRepository(apps), "github", faults)

    # --- CI ---------------------------------------------------------------------------------------

    def _go_on(self, number: int, hub: GitHub) -> None:
        for run in hub.runs:
            if run.status == "queued" and not run.hidden:
                run.hidden = True
                task = asyncio.create_task(self._run(number, hub, run))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _run(self, number: int, hub: GitHub, run: Run) -> None:
        await asyncio.sleep(HIDDEN_SECONDS)
        hub.advance(run, "in_progress")
        await asyncio.sleep(RUNS_SECONDS)
        hub.finish(run)
        await self.ci(number, run.inputs["release"])

    async def ci(self, number: int, version: str) -> None:
        """The pipeline tells of a deploy that it has finished, until it is taken."""
        payload = {
            "service": name_of(number),
            "version": version,
            "environment": "production",
            "event": "finished",
            "sentry_issues": [],
            "at": datetime.now(UTC).isoformat(),
        }
        body = json.dumps(payload).encode()
        signature = "sha256=" + hmac.new(DEPLOY_SECRET.encode(), body, hashlib.sha256).hexdigest()
        url, headers = f"{self.front}/webhooks/deploys", {"X-Firebreak-Signature": signature}
        while True:
            if await self.world.webhook_delivery.post(url, body, headers, seconds=10.0) == 200:
                return
            await asyncio.sleep(TOLD_AGAIN_SECONDS)


class _ByRepository:
    """One address for all repositories, as GitHub is.

    The path names the repository, and for GraphQL the query does.
    """

    def __init__(self, apps: dict[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] != "/graphql":
            owner, name = (*scope["path"].split("/"), "", "")[2:4]
            await self._apps[f"{owner}/{name}"](scope, receive, send)
            return
        raw, more = b"", True
        while more:
            message = await receive()
            raw, more = raw + message.get("body", b""), message.get("more_body", False)
        asked = next(
            app for name, app in self._apps.items() if name.partition("/")[2] in raw.decode()
        )
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": raw, "more_body": False}

        await asked(scope, again, send)


def _history(hub: GitHub) -> None:
    for place, (version, _) in enumerate(RELEASES, start=1):
        hub.commit(f"{place}" * 40, f"Change {place}", tag=f"v{version}")
    for version, ago in RELEASES[:-1]:
        hub.deploy(f"v{version}", at=datetime.now(UTC) - timedelta(seconds=ago))


# --- the life -------------------------------------------------------------------------------------


async def live(town: HubTown, number: int, *, patience: float = life.PATIENCE) -> Channel:
    """CI deploys, and its shop burns.

    Raises `AssertionError` with the step that did not come true.
    """
    hub = town.hubs[number]
    hub.deploy("v1.3.0", by=hub.tokens[CI_TOKEN])
    town.burn(number)  # first: the watch after a deploy is over within seconds here
    await town.ci(number, "1.3.0")
    channel = await _declared(town, number, patience)
    await town.world.alice.sees("Recommended: roll back", channel, seconds=patience)
    await _rolled_back(town, number, channel, 2 * patience)
    await life.written(town, number, channel, patience)
    await life.rested(town, number, channel, patience)
    return channel


async def _declared(town: HubTown, number: int, patience: float) -> Channel:
    """By nobody: the watch sees it."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if channels := life.channels(town, number):
            return channels[0]
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name_of(number)}: the watch declared nothing")


async def _rolled_back(town: HubTown, number: int, channel: Channel, patience: float) -> None:
    """By the newest decision, as often as one is asked for, until users are fine."""
    alice, ends = town.world.alice, time.monotonic() + patience
    clicked: dict[str, float] = {}
    while time.monotonic() < ends:
        if any("Recovered." in plain(message) for message in alice.messages(channel)):
            return
        open_ones = [
            message for message in alice.messages(channel) if "decision.rollback" in str(message)
        ]
        if open_ones and time.monotonic() > clicked.get(open_ones[-1]["ts"], 0.0) + life.AGAIN:
            clicked[open_ones[-1]["ts"]] = time.monotonic()
            try:
                await alice.click(open_ones[-1], "decision.rollback")
            except ClientRefused:
                pass  # it went while we clicked
        await asyncio.sleep(0.1)
    raise AssertionError(
        f"{name_of(number)}: users are not fine; dispatched {town.deployed(number)}"
    )


# --- what must be true, whoever was killed --------------------------------------------------------


async def faults(town: HubTown, number: int) -> list[str]:
    """The faults as of every life (`life.faults`), and those of GitHub.

    One dispatch a decision, one run of it, one pull request.
    """
    channels = life.channels(town, number)
    if len(channels) != 1:
        return [f"{len(channels)} channels"]
    incident = (await town.store.get([life.incident_id(channels[0])]))[0]
    hub = town.hubs[number]
    exact = {
        "pull requests": len(hub.pulls),
        "branches": len(hub.branches),
        "ADRs": len({path for at, path in hub.files if at in hub.branches.values()}),
        "alarms of the watch": sum(
            entry.kind == "declared" for entry in await town.store.timeline(incident.id)
        ),
    }
    repeated = await life.told_once(town, number, channels[0], incident)
    return life.other_than_one(exact) + repeated + _decisions(town, number, incident)


def _decisions(town: HubTown, number: int, incident: Incident) -> list[str]:
    runs = Counter(town.deployed(number))
    decided = [
        round_.action.deploy_id
        for round_ in incident.rounds
        if round_.action and round_.action.deploy_id
    ]
    wrong = [f"{decision} ran {times} times" for decision, times in runs.items() if times != 1]
    wrong += [f"a run of nobody's decision: {decision}" for decision in runs.keys() - set(decided)]
    for decision in decided:
        taken = [heard for heard in town.sent.get(decision, []) if heard not in REFUSED]
        if len(taken) > 1:
            wrong.append(f"{decision} was sent {len(taken)} times")
        lost = not taken or taken[0] in (0, GONE) or taken[0] >= 500
        if decision != decided[-1] and not lost:
            wrong.append(f"{decision} was given up, though GitHub took it")
    return wrong + (
        [] if decided and runs[decided[-1]] == 1 else [f"the last decision did not run: {decided}"]
    )
