"""One world of lives: the outside systems, the services with their CI, and the bot's replicas."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.config import catalogue as catalogues
from bot.config.settings import Settings
from bot.runtime.clock_jump import APART_SECONDS
from sandbox import credentials
from sandbox.discord import BOT_TOKEN as DISCORD_BOT_TOKEN
from sandbox.discord import Discord, discord_app
from sandbox.faults import Fault, Faults
from sandbox.github.api import github_app
from sandbox.github.state import CI_TOKEN, TOKEN, GitHub, Pull, Run
from sandbox.github.webhooks import Webhooks as GitHubWebhooks
from sandbox.linear.api import linear_app
from sandbox.linear.state import Linear
from sandbox.linear.webhooks import Webhooks as LinearWebhooks
from sandbox.pagerduty import PagerDuty, pagerduty_app
from sandbox.sentry import ALL_SCOPES, Alerts, Sentry, sentry_app
from sandbox.sentry.alerts import Delivery as Alerted
from sandbox.slack.api import BOT_TOKEN, slack_app
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.workspace import Workspace
from sandbox.webhook_delivery import WebhookDelivery
from tests.lives import clock
from tests.lives.committed import Committed
from tests.lives.given_up import GivenUp
from tests.lives.host import Host
from tests.lives.replica import Fleet, Start
from tests.lives.shops import BY_COMMAND, Shop, catalogued, name_of
from tests.lives.store import Redis
from tests.lives.wire import Asked, Heard, Weather, Wire

URL = "http://127.0.0.1:4281"
BOT_URL = "http://127.0.0.1:4282"
RECHECK_SECONDS = 20
WINDOW_SECONDS = 120
"""Long enough for a bot that was dead for a while: it still sees the trouble."""
TRAFFIC_SECONDS = 4.0
READY_SECONDS = 120.0
"""A bot that does not begin within these finds something wrong with Redis or itself."""
FLAG_SECONDS = 2.0
"""A flag was turned on so long before anybody hears of it."""
TOLD_AGAIN_SECONDS = 5.0
"""A pipeline says it again where it was not taken, as `curl --retry` does."""
RELEASES = (("1.1.0", 6 * 86400), ("1.2.0", 2 * 86400), ("1.3.0", 40))
FIX = "f" * 40
"""The head of the pull request that mends a service."""


class DiceFaults(Faults):
    """The answers 429 and 5xx, in each system's own shape, as the weather draws them."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.weather: dict[str, Weather] = {}
        self.log: Callable[[str], None] = lambda _: None
        self._dice = dice

    def take(self, call: str) -> Fault | None:
        weather = self.weather.get(call.partition(".")[0])
        if weather is None:
            return super().take(call)
        fate = self._dice.random() * 1000
        if fate < weather.limited:
            seconds = self._dice.choice((1, 1, 2, 3, 7, 30))
            self.log(f"{call}: 429, again in {seconds} s")
            return Fault(status=429, retry_after=seconds)
        if fate - weather.limited < weather.faulty:
            self.log(f"{call}: 503")
            return Fault(status=503)
        return super().take(call)


@dataclass
class Town:
    """`services` shops, `replicas` of the bot, and everything around them."""

    folder: Path
    services: int
    replicas: int
    redis: Redis
    seed: str
    log: Callable[[str], None]
    shops: dict[int, Shop] = field(init=False)
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"{self.seed} town")
        self.faults = DiceFaults(random.Random(f"{self.seed} faults"))
        self.faults.log = self.log
        self.workspace = Workspace(url=URL)
        self.workspace.scopes.add("bookmarks:read")  # without it there may be two (docs/code.md)
        self.delivery = Delivery(
            self.workspace,
            request_url=f"{BOT_URL}/slack/events",
            signing_secret=credentials.SIGNING_SECRET,
            public_url=f"{URL}/slack",
        )
        self.webhooks = WebhookDelivery()
        self.sentry = Sentry(
            org="sandbox",
            projects=[name_of(n) for n in range(1, self.services + 1)],
            tokens={credentials.SENTRY_TOKEN: ALL_SCOPES},
            base_url=f"{URL}/sentry",
        )
        self.alerts = Alerts(
            self.sentry,
            url=f"{BOT_URL}/webhooks/sentry",
            secret=credentials.SENTRY_SECRET,
            delivery=self.webhooks,
            enabled=False,
        )
        self.linear = Linear(teams={"ENG": "Engineering"}, public_url=f"{URL}/linear")
        self.linear_webhooks = LinearWebhooks(
            self.linear,
            url=f"{BOT_URL}/webhooks/linear",
            secret=credentials.LINEAR_SECRET,
            delivery=self.webhooks,
        )
        self.linear_webhooks.retry_delays = (60.0, 3600.0)
        self.discord, self.pagerduty = Discord(), PagerDuty()
        self.given_up, self.committed = GivenUp(), Committed()
        self.redis.server.heard = self.committed.heard
        self.shops = {n: self._shop(n) for n in range(1, self.services + 1)}
        host_dice = random.Random(f"{self.seed} host")
        for shop in self.shops.values():
            shop.by_command = host_dice.random() < BY_COMMAND
        self.host = Host(host_dice, self._command_says, self._command_does, self.log)
        self.wire = Wire(
            self._app(), self._front, BOT_URL, random.Random(f"{self.seed} wire"), log=self.log
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def _shop(self, number: int) -> Shop:
        name = name_of(number)
        hub = GitHub(repository=f"acme/{name}")
        for place, (version, _) in enumerate(RELEASES, start=1):
            hub.commit(f"{place}" * 40, f"Change {place}", tag=f"v{version}")
        hub.pulls.append(Pull(9, f"No region in {name}", FIX, "fix/region"))
        for version, ago in RELEASES:
            hub.deploy(f"v{version}", at=datetime.now(UTC) - timedelta(seconds=ago))
        shop = Shop(number, hub, error=f"KeyError: '{name}'")
        hub.on_change = lambda: self._ci_looks(shop)
        GitHubWebhooks(
            hub,
            f"{BOT_URL}/webhooks/github",
            credentials.GITHUB_SECRET,
            events=("pull_request",),
            delivery=self.webhooks,
        )
        now = time.time()
        for version, ago in RELEASES:
            self.sentry.add_release(f"{name}@{version}", projects=(name,), created=now - ago - 60)
            self.sentry.add_deploy(f"{name}@{version}", started=now - ago - 2, finished=now - ago)
        return shop

    def _app(self) -> ASGIApp:
        hubs = {shop.name: github_app(shop.hub, self.faults) for shop in self.shops.values()}
        apps: dict[str, ASGIApp] = {
            "slack": slack_app(self.workspace, self.delivery, self.faults),
            "sentry": sentry_app(self.sentry, self.faults),
            "linear": linear_app(self.linear, self.faults),
            "discord": discord_app(self.discord, self.faults),
            "pagerduty": pagerduty_app(self.pagerduty, self.faults),
            "github": _ByRepository(hubs),
        }
        return Starlette(routes=[Mount(f"/{name}", app) for name, app in apps.items()])

    # --- from the beginning to the end ------------------------------------------------------------

    async def open(self) -> None:
        """Everything runs, and the bot is ready."""
        self.wire.install()
        self.host.install()
        self.given_up.install()
        settings = self._settings()
        catalogue = catalogues.load(settings)
        start = Start(settings, catalogue, self.log, self.redis.cut)
        self.catalogue = catalogue
        await self.delivery.__aenter__()
        await self.linear_webhooks.start()
        await self.alerts.start()
        self.beside(self._traffic())
        self.fleet = Fleet(self.replicas, start, random.Random(f"{self.seed} fleet"))
        async with asyncio.timeout(READY_SECONDS):
            await self.fleet.ready()

    def redis_ms(self) -> float:
        return (clock.BEGIN + clock.CLOCK.passed + self.redis.server.offset) * 1000

    @property
    def answers_surely(self) -> bool:
        """Nothing but a death can keep the bot from recording a click or saying why not."""
        redis = self.redis.trouble
        return "slack" not in self.wire.weather and not (
            redis.lost_answers or redis.lost_requests or redis.slow
        )

    @property
    def clocks_are_apart(self) -> bool:
        """So far that the bot measures nothing (bot/runtime/clock_jump.py)."""
        redis = self.redis.server.offset
        offsets = [replica.wall_offset for replica in self.fleet.replicas]
        return any(abs(offset - redis) > APART_SECONDS for offset in offsets)

    def beside(self, work: object) -> None:
        """Do this beside everything else, until the world ends."""
        task = asyncio.get_running_loop().create_task(work)  # pyright: ignore
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken = error
            self.log(f"the world itself failed: {error!r}")

    with_newer_field: set[str] = field(default_factory=set[str])
    """Incidents whose record has a field of the next version."""
    older: bool = False
    """Records may be written as by a version that knows fewer fields."""
    lost_pages: bool = False
    """An answer of PagerDuty's may be lost in this world."""
    broken: BaseException | None = None
    """A fault of the driver, not of the bot."""

    def _settings(self) -> Settings:
        services = self.folder / "services.toml"
        services.write_text("".join(catalogued(shop, self.folder) for shop in self.shops.values()))
        given = {
            "redis_url": "unix:///in/this/process",
            "data_dir": str(self.folder),
            "services_file": str(services),
            "recheck_after_seconds": RECHECK_SECONDS,
            "recheck_until_seconds": 2 * RECHECK_SECONDS,
            "window_seconds": WINDOW_SECONDS,
            "slack_bot_token": BOT_TOKEN,
            "slack_signing_secret": credentials.SIGNING_SECRET,
            "slack_api_url": f"{URL}/slack/api/",
            "incidents_channel": "incidents",
            "sentry_url": f"{URL}/sentry",
            "sentry_org": "sandbox",
            "sentry_auth_token": credentials.SENTRY_TOKEN,
            "sentry_webhook_secret": credentials.SENTRY_SECRET,
            "linear_api_url": f"{URL}/linear/graphql",
            "linear_api_key": self.linear.api_key,
            "linear_webhook_secret": credentials.LINEAR_SECRET,
            "discord_webhook_url": f"{URL}/discord/api/webhooks/1/sandbox",
            "discord_bot_token": DISCORD_BOT_TOKEN,
            "pagerduty_events_url": f"{URL}/pagerduty/v2/enqueue",
            "pagerduty_routing_key": self.pagerduty.routing_key,
            "deploy_webhook_secret": credentials.DEPLOY_SECRET,
            "change_webhook_secret": credentials.CHANGE_SECRET,
            "github_api_url": f"{URL}/github",
            "github_token": TOKEN,
            "github_webhook_secret": credentials.GITHUB_SECRET,
        }
        return Settings(**given)  # pyright: ignore

    async def _front(self, asked: Asked) -> Heard:
        return await self.fleet(asked)

    # --- production -------------------------------------------------------------------------------

    def burn(self, shop: Shop, error: str | None = None, mended_by: tuple[str, ...] = ()) -> None:
        """From now on it burns, until something of `mended_by` runs."""
        shop.error = error or shop.error
        shop.on_fire, shop.mended_by = True, mended_by or shop.mended_by
        shop.since = time.time()
        self._errors(shop, 35, 45)

    def _errors(self, shop: Shop, seconds: float, times: int) -> None:
        people = [f"id:{n}" for n in range(30)]
        release = f"{shop.name}@{shop.running}" if shop.running[0].isdigit() else None
        for page in ("/", "/cart", "/pay"):
            self.sentry.load(
                shop.error,
                at=time.time() - seconds,
                every=seconds / times,
                times=times,
                users=people,
                transaction=page,
                project=shop.name,
                release=release or f"{shop.name}@1.3.0",
                flags={shop.flag: True} if shop.flag else {},
            )

    async def _traffic(self) -> None:
        while True:
            await asyncio.sleep(TRAFFIC_SECONDS)
            for shop in self.shops.values():
                if shop.burns:
                    self._errors(shop, TRAFFIC_SECONDS, 3)

    async def alert(self, shop: Shop) -> Alerted:
        """A rule of Sentry's fires on what burns in this shop."""
        events = [e for e in self.sentry.events if e.project_id == self._project(shop)]
        return await self.alerts.event_alert(events[-1])

    def _project(self, shop: Shop) -> int:
        return self.sentry.projects[shop.name].id

    # --- commands -------------------------------------------------------------------------------

    def _commanded(self, words: Sequence[str]) -> Shop:
        return next(shop for shop in self.shops.values() if shop.name == words[1])

    def _command_says(self, words: Sequence[str]) -> str:
        if words[0] == "current":
            return f"{self._commanded(words).running}\n"
        return "".join(f"{version}\n" for version, _ in reversed(RELEASES))

    def _command_does(self, words: Sequence[str]) -> bool:
        """Change production. False: it did not work out."""
        shop = self._commanded(words)
        if shop.fails:
            shop.fails -= 1
            return False
        self.log(f"{shop.name}: {' '.join(words)} has ended")
        if words[0] == "off":
            shop.on_fire = shop.on_fire and words[2] != shop.flag
            return True
        shop.running = words[2]
        if words[0] == "deploy":
            self.beside(self.ci_tells(shop, shop.running))
        return True

    async def flag_on(self, shop: Shop) -> None:
        """Somebody turns a flag on, and the flags' system tells of it until it is taken."""
        shop.flag = f"{shop.name}-pricing"
        at = datetime.now(UTC) - timedelta(seconds=FLAG_SECONDS)
        payload = {
            "service": shop.name,
            "kind": "flag",
            "name": shop.flag,
            "from": "off",
            "to": "on",
        }
        body = json.dumps({**payload, "at": at.isoformat()}).encode()
        await self._post("changes", body, credentials.CHANGE_SECRET)

    # --- CI ---------------------------------------------------------------------------------------

    def _ci_looks(self, shop: Shop) -> None:
        for run in shop.hub.runs:
            if run.status == "queued" and not run.hidden:
                run.hidden = True
                self.beside(self._ci_runs(shop, run))

    async def _ci_runs(self, shop: Shop, run: Run) -> None:
        self.log(f"{shop.name}: a run begins: {run.title}")
        await asyncio.sleep(self.dice.uniform(0.2, 6))
        shop.hub.advance(run, "in_progress")
        await asyncio.sleep(self.dice.uniform(2, 12) + shop.slow)
        if shop.fails:
            shop.fails -= 1
            self.log(f"{shop.name}: the run fails: {run.title}")
            shop.hub.finish(run, "failure")
            return
        shop.running = run.inputs["release"]
        self.log(f"{shop.name}: now runs {shop.running}")
        shop.hub.finish(run)
        if shop.running[0].isdigit():
            await self.ci_tells(shop, shop.running)

    async def ci_tells(self, shop: Shop, version: str) -> None:
        """The pipeline tells of a deploy that has finished, until it is taken."""
        payload = {
            "service": shop.name,
            "version": version,
            "environment": "production",
            "event": "finished",
            "sentry_issues": [],
            "at": datetime.now(UTC).isoformat(),
        }
        await self._post("deploys", json.dumps(payload).encode(), credentials.DEPLOY_SECRET)

    async def _post(self, route: str, body: bytes, secret: str) -> None:
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Firebreak-Signature": f"sha256={signed}"}
        url = f"{BOT_URL}/webhooks/{route}"
        while True:
            if await self.webhooks.post(url, body, headers, seconds=10.0) == 200:
                return
            await asyncio.sleep(TOLD_AGAIN_SECONDS)

    def ci_deploys(self, shop: Shop) -> None:
        """CI deploys the newest release, as it did before the bot was there."""
        shop.hub.deploy("v1.3.0", by=shop.hub.tokens[CI_TOKEN])


class _ByRepository:
    """One address for all repositories: the path names one, and for GraphQL the query does."""

    def __init__(self, apps: dict[str, Starlette]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first: Message = await receive()
        replayed = False

        async def again() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return first

        text = f"{scope['path']} {first.get('body', b'').decode(errors='replace')}"
        named = re.search(r"shop\d{3}", text)
        assert named is not None, text[:200]
        await self._apps[named[0]](scope, again, send)
