"""The listeners behind their real HTTP routes.

The local Slack is in front; dispatcher, workflow and Valkey are real.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette

from bot.clients.slack.channel_members import ChannelMembers
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config.catalogue import Catalogue
from bot.configured_channels import Announced
from bot.store.changes import Changes
from bot.store.deploy_history import Deploys
from bot.store.drafts import RedisDrafts
from bot.store.expiring_keys import ExpiringKeys
from bot.store.home_viewers import StoreViewers
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.past_incidents import RedisMemory
from handlers import views
from handlers.app import Listeners, Secrets, listeners
from handlers.dispatcher import Recorded
from handlers.ports import Deployments
from handlers.slack.context import Context, Identity
from phases.messages.base import Action
from phases.messages.results import ChannelOpened, MessagePosted, Triaged
from phases.ports.ports import DeployState, ErrorTracker, HotfixRef
from phases.ports.source_values import Commit, CommitFile, Covered, Place
from phases.record.findings import Choice, Frame, Release, TriageReport
from phases.record.incident import Channel, Incident, MessageRef
from phases.record.service import DeployCommands, Service
from phases.workflow import step
from sandbox.slack.channels import BOT, BOT_USER, TEAM
from tests.support.values.factories import report, service
from tests.support.worlds.local_http import serving
from tests.support.worlds.slack_world import SECRET, World, slack_world

HOOK_SECRET = "sentry-shhh"
GITHUB_HOOK_SECRET = "github-shhh"
GITHUB_SECRET = SecretStr(GITHUB_HOOK_SECRET)
LINEAR_SECRET = SecretStr("linear-secret")
CI_SECRET = "ci-shhh"
ALERT_SECRET, PAGER_SECRET = "alert-shhh", "pager-shhh"
API_TOKEN = "api-shhh"
SLACK_SECRET, SENTRY_SECRET, DEPLOY_SECRET = (
    SecretStr(SECRET),
    SecretStr(HOOK_SECRET),
    SecretStr(CI_SECRET),
)
COMMANDS = DeployCommands(
    directory="/srv/shop",
    run=("d", "{release}"),
    current=("c",),
    releases=("r",),
    hotfix=("h", "{commit}"),
)
TURN_OFF = ("./flag.sh", "off", "{change}")
SHOP = service(deploy=COMMANDS, owners=("U0ALICE",), turn_off=TURN_OFF)
SEARCH = Service(name="search", sentry=("search-web",), environments=("production", "canary"))


@dataclass
class Shop:
    """A deployer and a repository that fit in a test.

    They have the running release and those to choose from.
    """

    version: str = "1.3.0"
    branches: list[HotfixRef] = field(
        default_factory=lambda: [HotfixRef(name="fix/rate", commit="ab" * 20, subject="No zero")]
    )

    async def running(self, service: Service) -> Release | None:
        return Release(version=self.version)

    async def releases(self, service: Service) -> Sequence[Release]:
        return [Release(version=v) for v in ("1.3.0", "1.2.0", "1.1.0")]

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        raise AssertionError("the outbox does not run here")

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        raise AssertionError("the outbox does not run here")

    def remarks(self, service: Service) -> Sequence[str]:
        return ()

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        return self.branches

    async def commit(self, service: Service, sha: str) -> Commit | None:
        return Commit(sha=sha, files=(CommitFile(path="shop/pay.py"),))

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        return Place(path=frame.file)

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        return Covered(files=41)


ME = Identity(TEAM, None, BOT_USER, BOT, "https://firebreak.slack.com/")
SECRETS = Secrets(
    slack=SLACK_SECRET,
    sentry=SENTRY_SECRET,
    github=GITHUB_SECRET,
    linear=LINEAR_SECRET,
    deploys=DEPLOY_SECRET,
    changes=DEPLOY_SECRET,
    alerts=SecretStr(f"{ALERT_SECRET},{PAGER_SECRET}"),
    api=SecretStr(API_TOKEN),
)


@dataclass
class House:
    """Everything a test of the listeners touches."""

    slack: World
    dispatcher: Incidents
    heard: Listeners
    shop: Shop
    url: str
    http: httpx.AsyncClient

    async def newest(self) -> Incident:
        incidents = await self.dispatcher.find(open_only=False)
        assert incidents, "no incident was declared"
        return incidents[0]

    async def count(self) -> int:
        return len(await self.dispatcher.find(open_only=False))

    async def dispatch(self, action: Action, incident: str | None) -> Incident:
        answer = await self.dispatcher.dispatch(action, incident)
        assert isinstance(answer, Recorded), answer
        return answer.incident

    async def decision(
        self, measured: TriageReport | None = None
    ) -> tuple[Incident, dict[str, Any]]:
        """Return an incident with its channel and its posted decision.

        Outbox and performers would make the same.
        """
        await self.slack.alice.command("/incident checkout of the shop is failing")
        incident = await self.newest()
        channel = self.slack.workspace.create_channel("inc-0001-shop", BOT_USER)
        for who in ("U0ALICE", "U0BOB"):
            self.slack.workspace.join(channel, who)
        incident = await self.dispatch(
            ChannelOpened(channel=Channel(id=channel.id, name=channel.name)), incident.id
        )
        incident = await self.dispatch(
            Triaged(report=measured or report(Choice.ROLLBACK)), incident.id
        )
        message = await self.post(incident)
        return await self.newest(), message

    async def post(self, incident: Incident) -> dict[str, Any]:
        assert incident.channel is not None
        assert incident.round is not None
        number = incident.round.number
        shown = views.decision(incident, datetime.now(UTC), SHOP, number)
        posted = await self.slack.client.chat_postMessage(
            channel=incident.channel.id, **shown.payload()
        )
        ref = MessageRef(channel=incident.channel.id, ts=str(posted["ts"]))
        await self.dispatch(MessagePosted(name=f"decision:{number}", ref=ref), incident.id)
        return await self.slack.alice.sees("Recommended:", incident.channel.id)

    async def idle(self) -> None:
        await self.heard.ctx.tasks.idle()
        await self.slack.delivery.idle()

    async def sentry(
        self, resource: str, body: dict[str, Any], secret: str = HOOK_SECRET
    ) -> httpx.Response:
        raw = json.dumps(body).encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"Sentry-Hook-Resource": resource, "Sentry-Hook-Signature": signature}
        return await self.http.post(f"{self.url}/webhooks/sentry", content=raw, headers=headers)


@asynccontextmanager
async def house(
    store: Store,
    *services: Service,
    watched: tuple[str, ...] = (),
    incidents_channel: str | None = None,
    private: bool = False,
    tracker: ErrorTracker | None = None,
    deployments: Deployments | None = None,
) -> AsyncIterator[House]:
    async with (
        slack_world() as world,
        httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http,
    ):
        catalogue = Catalogue(services or (SHOP, SEARCH))
        slack = Slack(world.client.token or "", world.client.base_url)
        await slack.start()
        dispatcher, shop = Incidents(store, step, catalogue), Shop()
        ctx = Context(
            dispatcher=dispatcher,
            catalogue=catalogue,
            people=SlackPeople(slack, TEAM, None),
            client=slack.web,
            me=ME,
            source_for=lambda _: shop,  # pyright: ignore[reportArgumentType]  of SourceCode only this much is asked
            deployer_for=lambda chosen: shop if chosen.deployer else None,
            tracker=tracker,
            deployments=deployments,
            once=ExpiringKeys(store),
            deploys=Deploys(store, watching=True),
            changes=Changes(store),
            drafts=RedisDrafts(store),
            viewers=StoreViewers(store),
            memory=RedisMemory(store),
            members=ChannelMembers(slack) if private else None,
            watched=watched,
            incidents_channel=Announced(slack, incidents_channel).channel,
            now=lambda: datetime.now(UTC),
        )
        heard = listeners(ctx, SECRETS)
        try:
            async with serving(Starlette(routes=list(heard.routes))) as url:
                world.delivery.request_url = f"{url}/slack/events"
                yield House(world, dispatcher, heard, shop, url, http)
                await heard.ctx.tasks.idle()
                await world.delivery.idle()
        finally:
            await slack.aclose()
