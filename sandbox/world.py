"""The local world: all emulated systems and the shop in one program, the bot in another, one page.

Tests use `async with World(folder) as world:`; `firebreak sandbox` calls `run`. The bot gets
addresses and secrets through its environment, as anywhere, and does not know that it is in here.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.alarms_of_others import AlarmsOfOthers
from sandbox.credentials import (
    ALERT_SECRET,
    API_TOKEN,
    CHANGE_SECRET,
    DEPLOY_SECRET,
    GITHUB_SECRET,
    LINEAR_SECRET,
    SENTRY_SECRET,
    SENTRY_TOKEN,
    SIGNING_SECRET,
)
from sandbox.discord import BOT_TOKEN as DISCORD_BOT_TOKEN
from sandbox.discord import Discord, discord_app
from sandbox.faults import Faults, Hanging
from sandbox.github.api import github_app
from sandbox.github.state import TOKEN as GITHUB_TOKEN
from sandbox.github.webhooks import Webhooks as GitHubWebhooks
from sandbox.linear.api import linear_app
from sandbox.linear.state import Linear
from sandbox.linear.webhooks import Webhooks as LinearWebhooks
from sandbox.page.addresses import addresses
from sandbox.page.faults_panel import FaultSwitches
from sandbox.page.panel import WorldPanel, WorldParts
from sandbox.page.routes import Page
from sandbox.page.slack_view import SlackView
from sandbox.pagerduty import PagerDuty, pagerduty_app
from sandbox.process import Failed, SupervisedProcess
from sandbox.sentry import ALL_SCOPES, Alerts, Sentry, sentry_app
from sandbox.serving import HOST, PortTaken, bound, free_port, serving
from sandbox.shop import catalogue
from sandbox.shop.shop import Shop
from sandbox.slack.api import APP_TOKEN, BOT_TOKEN, slack_app
from sandbox.slack.channels import ALICE, BOB, BOT_USER, GUEST
from sandbox.slack.people import Person
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.to_app.socket_mode import SocketMode
from sandbox.slack.workspace import Workspace
from sandbox.traps import Traps
from sandbox.webhook_delivery import WebhookDelivery
from sandbox.world_options import WorldOptions

GIT_SECONDS = 1.0
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "PYTHONPATH"),
    "VIRTUAL_ENV",
)
"""Variables that the bot inherits from this program. Settings of a real bot are none of them."""
LEFTOVERS = ("valkey", "shop", "bot.log", "services.toml", "deploys")
"""Files of an earlier world in the folder, removed at the start: its Slack is gone, too."""


class FolderTaken(Exception):
    """Another world runs in the folder."""


class World:
    """Everything around the bot, as attributes. Use as an async context manager.

    `options` are those of `WorldOptions`. Raises `PortTaken`, `FolderTaken`, and `process.Failed`
    when the bot does not come up.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder.absolute()
        self.options = WorldOptions(**options)
        self.faults = Faults()
        self.webhook_delivery = WebhookDelivery()
        self._stack = AsyncExitStack()
        self._lock = _locked(self.folder)
        try:
            self._socket: socket.socket = bound(self.options.port)
        except PortTaken:
            self._lock.close()
            raise
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self.bot_url = f"http://{HOST}:{free_port()}"
        self._make_slack()
        self._make_sentry()
        self._make_linear()
        self.discord = Discord()
        self.pagerduty = PagerDuty()
        self._make_shop()
        self.bot = SupervisedProcess(
            # -P: the folder in which the world is started may hold packages of these names, too.
            [sys.executable, "-P", "-m", "bot", "serve"],
            env=self._bot_environment(),
            log=self.folder / "bot.log",
            ready=lambda: asyncio.create_task(self._bot_is_ready()),
            name="The bot",
            launch=self.options.launch,
        )
        self.page = Page(SlackView(self.workspace, self.delivery), self._panel())

    def _make_slack(self) -> None:
        self.workspace = Workspace(url=self.url)
        self.delivery = Delivery(
            self.workspace,
            request_url=f"{self.bot_url}/slack/events",
            signing_secret=SIGNING_SECRET,
            public_url=f"{self.url}/slack",
        )
        self.socket_mode = SocketMode() if self.options.socket_mode else None
        self.delivery.socket = self.socket_mode
        self.alice = Person(self.workspace, self.delivery, ALICE)
        self.bob = Person(self.workspace, self.delivery, BOB)
        self.guest = Person(self.workspace, self.delivery, GUEST)

    def _make_sentry(self) -> None:
        base_url = f"{self.url}/sentry"
        self.sentry = Sentry(org="sandbox", tokens={SENTRY_TOKEN: ALL_SCOPES}, base_url=base_url)
        self.traps = Traps(self.sentry)
        self.alerts = Alerts(
            self.sentry,
            url=f"{self.bot_url}/webhooks/sentry",
            secret=SENTRY_SECRET,
            delivery=self.webhook_delivery,
        )
        self.alarms_of_others = AlarmsOfOthers(
            self.sentry, f"{self.bot_url}/webhooks/alerts", ALERT_SECRET, self.webhook_delivery
        )

    def _make_linear(self) -> None:
        self.linear = Linear(teams={"ENG": "Engineering"}, public_url=f"{self.url}/linear")
        self.linear_webhooks = LinearWebhooks(
            self.linear,
            url=f"{self.bot_url}/webhooks/linear",
            secret=LINEAR_SECRET,
            delivery=self.webhook_delivery,
        )

    def _make_shop(self) -> None:
        self.shop: Shop | None = None
        self.github_webhooks: GitHubWebhooks | None = None
        if not self.options.with_shop:
            return
        self.shop = Shop(
            self.folder / "shop",
            self.sentry,
            deploy_webhook=(f"{self.bot_url}/webhooks/deploys", DEPLOY_SECRET),
            github_url=f"{self.url}/github",
        )
        self.shop.github.web = self.url
        self.github_webhooks = GitHubWebhooks(
            self.shop.github,
            f"{self.bot_url}/webhooks/github",
            GITHUB_SECRET,
            events=("pull_request",),
            delivery=self.webhook_delivery,
        )

    async def __aenter__(self) -> World:
        try:
            await self._enter()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _enter(self) -> None:
        self._stack.callback(self._lock.close)
        for name in LEFTOVERS:
            left = self.folder / name
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(
                missing_ok=True
            )
        await self._stack.enter_async_context(serving(self._app(), self._socket, self.page.close))
        self._stack.push_async_callback(self.webhook_delivery.stop)
        if self.socket_mode is not None:
            await self._stack.enter_async_context(self.socket_mode)
        await self.alerts.start()
        self._stack.push_async_callback(self.alerts.stop)
        await self.linear_webhooks.start()
        self._stack.push_async_callback(self.linear_webhooks.stop)
        self._stack.push_async_callback(self.traps.close)
        self.options.say(f"Slack, Sentry, Linear, Discord and PagerDuty at {self.url}")
        if self.shop is not None:
            self._stack.push_async_callback(self.shop.stop)
            await self._stack.enter_async_context(self._following_git(self.shop))
            await self.shop.start()
            release, customers = self.shop.current_release(), len(self.shop.users)
            self.options.say(f"The shop, {release}, with {customers} customers in it")
        self._write_services(self.folder / "services.toml")
        if self.options.talking:
            self.talk()
        await self._stack.enter_async_context(self.delivery)
        if self.options.with_bot:
            await self.start_bot()
            self.options.say("The bot")

    def talk(self) -> None:
        """Write into #general how to begin."""
        general = self.workspace.channel("general")
        release = self.shop.current_release() if self.shop else None
        quiet = f"{release or 'The shop'} is live, all quiet. :shopping_trolley:"
        self.workspace.post(general, BOB, quiet)
        self.workspace.post(
            general,
            BOB,
            'If something burns: say "prod is down" here, or type `/incident` and what you see. '
            f"<@{BOT_USER}> takes it from there: what is hit, what to do, did it help.",
        )

    def _panel(self) -> WorldPanel:
        parts = WorldParts(
            sentry=self.sentry,
            alerts=self.alerts,
            alarms_of_others=self.alarms_of_others,
            traps=self.traps,
            linear=self.linear,
            discord=self.discord,
            pagerduty=self.pagerduty,
            shop=self.shop,
            bot=self.bot,
            delivery=self.delivery,
            recheck_after=self.options.recheck_after,
            window=self.options.window,
        )
        return WorldPanel(
            parts, FaultSwitches(self.faults, self.workspace, self.socket_mode, self.deliver_twice)
        )

    # The bot

    async def start_bot(self) -> None:
        """Start the bot, and wait until it is ready for work. Raises `process.Failed`."""
        if self.bot.state == "off":
            self._stack.push_async_callback(self.bot.stop)
        await self.bot.start()

    def kill_bot(self) -> None:
        """kill -9. It comes back by itself; `await world.bot.until_running()`."""
        self.bot.kill()

    async def _bot_is_ready(self) -> bool:
        async with httpx.AsyncClient(timeout=2, trust_env=False, verify=False) as http:
            while True:
                try:
                    if (await http.get(f"{self.bot_url}/readyz")).status_code == 200:
                        return True
                except httpx.HTTPError:
                    # It does not listen yet. The caller has the deadline.
                    await asyncio.sleep(0.05)
                    continue
                await asyncio.sleep(0.1)

    def _bot_environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        paths = [str(Path(__file__).parents[1]), inherited.get("PYTHONPATH", "")]
        host, port = self.bot_url.removeprefix("http://").split(":")
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "DATA_DIR": str(self.folder / "valkey"),
            "SERVICES_FILE": str(self.folder / "services.toml"),
            "HOST": host,
            "PORT": port,
            "RECHECK_AFTER_SECONDS": str(self.options.recheck_after),
            "RECHECK_UNTIL_SECONDS": str(self.options.recheck_after * 2),
            "WINDOW_SECONDS": str(self.options.window),
            **self._addresses_and_secrets(),
            **self.options.env,
        }

    def _addresses_and_secrets(self) -> dict[str, str]:
        """Return the bot's settings of all systems around it."""
        github = {
            "GITHUB_API_URL": f"{self.url}/github",
            "GITHUB_TOKEN": GITHUB_TOKEN,
            "GITHUB_WEBHOOK_SECRET": GITHUB_SECRET,
        }
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            **({"SLACK_APP_TOKEN": APP_TOKEN} if self.socket_mode else {}),
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": f"{self.url}/slack/api/",
            "INCIDENTS_CHANNEL": "incidents",
            "SENTRY_URL": f"{self.url}/sentry",
            "SENTRY_ORG": self.sentry.org,
            "SENTRY_AUTH_TOKEN": SENTRY_TOKEN,
            "SENTRY_WEBHOOK_SECRET": SENTRY_SECRET,
            "LINEAR_API_URL": f"{self.url}/linear/graphql",
            "LINEAR_API_KEY": self.linear.api_key,
            "LINEAR_WEBHOOK_SECRET": LINEAR_SECRET,
            "DISCORD_WEBHOOK_URL": f"{self.url}/discord/api/webhooks/1/sandbox",
            "DISCORD_BOT_TOKEN": DISCORD_BOT_TOKEN,
            "PAGERDUTY_EVENTS_URL": f"{self.url}/pagerduty/v2/enqueue",
            "PAGERDUTY_ROUTING_KEY": self.pagerduty.routing_key,
            "DEPLOY_WEBHOOK_SECRET": DEPLOY_SECRET,
            "CHANGE_WEBHOOK_SECRET": CHANGE_SECRET,
            "ALERT_WEBHOOK_SECRET": ALERT_SECRET,
            "API_TOKEN": API_TOKEN,
            **(github if self.shop is not None else {}),
        }

    def deliver_twice(self, on: bool) -> None:
        """Let Slack and all webhooks deliver twice, and out of order."""
        self.delivery.twice = self.webhook_delivery.twice = on
        if self.shop is not None:
            self.shop.report_twice(on)

    # The server

    @asynccontextmanager
    async def _following_git(self, shop: Shop) -> AsyncIterator[None]:
        """Show on the shop's GitHub what people push or merge in its repository by hand."""

        async def refresh() -> None:
            while True:
                await asyncio.sleep(GIT_SECONDS)
                if (shop.repo / ".git").exists():
                    await shop.github.refresh()

        refreshing = asyncio.create_task(refresh())
        try:
            yield
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)
            if self.github_webhooks is not None:
                await self.github_webhooks.stop()

    def _app(self) -> Starlette:
        apps = {
            "slack": slack_app(self.workspace, self.delivery, self.faults),
            "sentry": sentry_app(self.sentry, self.faults),
            "linear": linear_app(self.linear, self.faults),
            "discord": discord_app(self.discord, self.faults),
            "pagerduty": pagerduty_app(self.pagerduty, self.faults),
        }
        if self.shop is not None:
            apps["github"] = github_app(self.shop.github, self.faults)
        systems = [self._system(name, app) for name, app in apps.items()]
        # Addresses for people lie below the mounts of the systems, so they come first.
        return Starlette(routes=[*addresses(), *systems, *self.page.routes()])

    def _system(self, name: str, app: Starlette) -> Mount:
        return Mount(f"/{name}", Hanging(app, name, self.faults))

    def _write_services(self, path: Path) -> None:
        if self.options.services is not None:
            path.write_text(self.options.services)
        elif self.shop is None:
            catalogue.write(path, {"shop": catalogue.PLAIN})
        else:
            self.shop.write_services(path)


def _locked(folder: Path) -> IO[str]:
    """Return the folder's lock; it is held while this file is open."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "world.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise FolderTaken(f"Another sandbox runs in {folder}. Stop it, or give --folder.") from None
    return lock


async def run(folder: Path, port: int, recheck_after: int, *, socket_mode: bool = False) -> None:
    """The world for a person at a terminal: it prints one address, and lives until Ctrl+C."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        world = World(
            folder,
            port=port,
            recheck_after=recheck_after,
            talking=True,
            socket_mode=socket_mode,
            say=lambda step: print(f"  ✓ {step}", flush=True),
        )
    except (PortTaken, FolderTaken) as taken:
        hint = ". Try --port 0 for any free one." if isinstance(taken, PortTaken) else ""
        raise SystemExit(f"{taken}{hint}") from taken
    print("Starting the sandbox …", flush=True)
    try:
        await _live(world, ended)
    except Failed as failed:
        raise SystemExit(str(failed)) from failed


async def _live(world: World, ended: asyncio.Event) -> None:
    """Live until `ended` is set, also while the world still starts."""
    waiting = asyncio.create_task(ended.wait())
    entering = asyncio.create_task(world.__aenter__())
    await asyncio.wait([waiting, entering], return_when=asyncio.FIRST_COMPLETED)
    if not entering.done():
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        return
    await entering
    first = world.options.recheck_after
    try:
        print(f"\n  Open  {world.url}/\n")
        print(
            f"Re-checks come after {first} and {first * 2} s here. Ctrl+C stops everything.",
            flush=True,
        )
        await waiting
        print("\nStopping …", flush=True)
    finally:
        await world.__aexit__(None, None, None)
