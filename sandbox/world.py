"""The local world: Slack, Sentry, Linear, Discord, PagerDuty and the shop in one program, the bot as another, one page over all.

`async with World(folder) as world:` for tests; `run` is what `firebreak sandbox` runs. The bot is told addresses and secrets
through its environment, as anywhere, and does not know that it is in here.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from sandbox.discord import BOT_TOKEN as DISCORD_BOT_TOKEN
from sandbox.discord import Discord, discord_app
from sandbox.faults import Faults, Hanging
from sandbox.github.api import github_app
from sandbox.github.state import TOKEN as GITHUB_TOKEN
from sandbox.github.webhooks import Webhooks as GitHubWebhooks
from sandbox.linear.api import linear_app
from sandbox.linear.state import Linear
from sandbox.linear.webhooks import Webhooks as LinearWebhooks
from sandbox.page.faults_panel import FaultSwitches
from sandbox.page.panel import WorldPanel, WorldParts
from sandbox.page.routes import Page
from sandbox.page.slack_view import SlackView
from sandbox.pagerduty import PagerDuty, pagerduty_app
from sandbox.process import Failed, KeptProcess
from sandbox.sentry import ALL_SCOPES, Alerts, Sentry, sentry_app
from sandbox.serving import HOST, PortTaken, bound, free_port, serving
from sandbox.shop.shop import Shop
from sandbox.slack.api import APP_TOKEN, BOT_TOKEN, slack_app
from sandbox.slack.channels import ALICE, BOB, BOT_USER, GUEST
from sandbox.slack.people import Person
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.to_app.socket_mode import SocketMode
from sandbox.slack.workspace import Workspace
from sandbox.traps import Traps
from sandbox.webhook_delivery import WebhookDelivery

SIGNING_SECRET = "sandbox-signing-secret"
SENTRY_TOKEN = "sntryi_sandbox"
SENTRY_SECRET = "sandbox-sentry-secret"
LINEAR_SECRET = "sandbox-linear-secret"
DEPLOY_SECRET = "sandbox-deploy-secret"
GITHUB_SECRET = "sandbox-github-secret"
GIT_SECONDS = 1.0
RECHECK_SECONDS = 20
WINDOW_SECONDS = 60
KEPT_FROM_OURS = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
"""What the bot gets of this program's environment: settings of a real bot must not find their way in here."""
OURS = ("valkey", "shop", "bot.log", "services.toml", "deploys")
"""What a world keeps in its folder; an earlier world's is removed at the start, for its Slack is gone too."""

PLAIN_SERVICES = """\
[services.shop]
aliases = ["checkout", "store", "cart", "webshop"]
owners = "@checkout-oncall"
sentry = ["shop"]
features = { catalog = "/", cart = "/cart*", payment = "/pay*" }
not_users = ["healthcheck*"]
release = { sentry = "shop@{version}" }
region_tag = "region"
org_tag = "customer"
linear_team = "ENG"
"""
"""The catalogue of a world without a shop: nothing can be deployed there."""


class FolderTaken(Exception):
    """Another world runs in the folder."""


class World:
    """Everything around the bot. Use as an async context manager; parts are attributes, for tests to stage and look at.

    `recheck_after` and `window` are in seconds; the second look comes after twice `recheck_after`. `talking`: people have
    said something before the bot came. `socket_mode`: the bot has no request URL and connects to Slack. `say` is told of each step of the start. `services` replaces the
    catalogue, `env` adds to the bot's environment. Raises `PortTaken`, `FolderTaken`, and `process.Failed` when the bot
    does not come up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        recheck_after: int = RECHECK_SECONDS,
        window: int = WINDOW_SECONDS,
        with_bot: bool = True,
        with_shop: bool = True,
        talking: bool = False,
        socket_mode: bool = False,
        say: Callable[[str], None] = lambda _: None,
        services: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.recheck_after = recheck_after
        self.window = window
        self.faults = Faults()
        self.webhook_delivery = WebhookDelivery()
        self._with_bot = with_bot
        self._talking = talking
        self._say = say
        self._services = services
        self._env = {**({"SLACK_APP_TOKEN": APP_TOKEN} if socket_mode else {}), **(env or {})}
        self._stack = AsyncExitStack()
        self._lock = _locked(self.folder)
        try:
            self._socket: socket.socket = bound(port)
        except PortTaken:
            self._lock.close()
            raise
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self.bot_url = f"http://{HOST}:{free_port()}"
        self.workspace = Workspace(url=self.url)
        self.delivery = Delivery(
            self.workspace,
            request_url=f"{self.bot_url}/slack/events",
            signing_secret=SIGNING_SECRET,
            public_url=f"{self.url}/slack",
        )
        self.socket_mode = self.delivery.socket = SocketMode() if socket_mode else None
        self.alice = Person(self.workspace, self.delivery, ALICE)
        self.bob = Person(self.workspace, self.delivery, BOB)
        self.guest = Person(self.workspace, self.delivery, GUEST)
        self.sentry = Sentry(
            org="sandbox", tokens={SENTRY_TOKEN: ALL_SCOPES}, base_url=f"{self.url}/sentry"
        )
        self.alerts = Alerts(
            self.sentry,
            url=f"{self.bot_url}/webhooks/sentry",
            secret=SENTRY_SECRET,
            delivery=self.webhook_delivery,
        )
        self.traps = Traps(self.sentry)
        self.linear = Linear(teams={"ENG": "Engineering"}, public_url=f"{self.url}/linear")
        told = f"{self.bot_url}/webhooks/linear"
        self.linear_webhooks = LinearWebhooks(
            self.linear, url=told, secret=LINEAR_SECRET, delivery=self.webhook_delivery
        )
        self.discord = Discord()
        self.pagerduty = PagerDuty()
        deploys = (f"{self.bot_url}/webhooks/deploys", DEPLOY_SECRET)
        hub = f"{self.url}/github"
        shop = self.folder / "shop"
        self.shop = (
            Shop(shop, self.sentry, deploy_webhook=deploys, github_url=hub) if with_shop else None
        )
        self.github_webhooks: GitHubWebhooks | None = None
        if self.shop is not None:
            self.shop.github.web = self.url
            told = f"{self.bot_url}/webhooks/github"
            self.github_webhooks = GitHubWebhooks(
                self.shop.github,
                told,
                GITHUB_SECRET,
                events=("pull_request",),
                delivery=self.webhook_delivery,
            )
        self.bot = KeptProcess(
            # -P: the folder that the world is started in may hold packages of these names, too (PYTHONPATH leads to ours)
            [sys.executable, "-P", "-m", "bot", "serve"],
            env=self._bot_environment(),
            log=self.folder / "bot.log",
            ready=lambda: asyncio.create_task(self._bot_is_ready()),
            name="The bot",
        )
        self.page = Page(SlackView(self.workspace, self.delivery), self._panel())

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
        for name in OURS:
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
        self._say(f"Slack, Sentry, Linear, Discord and PagerDuty at {self.url}")
        if self.shop is not None:
            self._stack.push_async_callback(self.shop.stop)
            await self._stack.enter_async_context(self._looking_at_git(self.shop))
            await self.shop.start()
            self._say(
                f"The shop, {self.shop.current_release()}, with {len(self.shop.users)} customers in it"
            )
        self._write_services(self.folder / "services.toml")
        if self._talking:
            self.talk()
        await self._stack.enter_async_context(self.delivery)
        if self._with_bot:
            await self.start_bot()
            self._say("The bot")

    def talk(self) -> None:
        """What stands in #general before anything has happened: how to begin."""
        general = self.workspace.channel("general")
        release = self.shop and self.shop.current_release()
        self.workspace.post(
            general, BOB, f"{release or 'The shop'} is live, all quiet. :shopping_trolley:"
        )
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
            traps=self.traps,
            linear=self.linear,
            discord=self.discord,
            pagerduty=self.pagerduty,
            shop=self.shop,
            bot=self.bot,
            delivery=self.delivery,
            recheck_after=self.recheck_after,
            window=self.window,
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
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            while True:
                try:
                    if (await http.get(f"{self.bot_url}/readyz")).status_code == 200:
                        return True
                except httpx.HTTPError:
                    # Not listening yet: that is what is waited for. The one who waits has the deadline.
                    await asyncio.sleep(0.05)
                    continue
                await asyncio.sleep(0.1)

    def _bot_environment(self) -> dict[str, str]:
        ours = {name: os.environ[name] for name in KEPT_FROM_OURS if name in os.environ}
        host, port = self.bot_url.removeprefix("http://").split(":")
        return {
            **ours,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parents[1]), *filter(None, [ours.get("PYTHONPATH")])]
            ),
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": f"{self.url}/slack/api/",
            "INCIDENTS_CHANNEL": "incidents",
            "DATA_DIR": str(self.folder / "valkey"),
            "SERVICES_FILE": str(self.folder / "services.toml"),
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
            **(self._hub() if self.shop is not None else {}),
            "RECHECK_AFTER_SECONDS": str(self.recheck_after),
            "RECHECK_UNTIL_SECONDS": str(self.recheck_after * 2),
            "WINDOW_SECONDS": str(self.window),
            "HOST": host,
            "PORT": port,
            **self._env,
        }

    def _hub(self) -> dict[str, str]:
        hub = {"GITHUB_API_URL": f"{self.url}/github", "GITHUB_TOKEN": GITHUB_TOKEN}
        return {**hub, "GITHUB_WEBHOOK_SECRET": GITHUB_SECRET}

    def deliver_twice(self, on: bool) -> None:
        """Everything that the bot is told comes twice and out of order: Slack, and the webhooks of all others."""
        self.delivery.twice = self.webhook_delivery.twice = on
        if self.shop is not None:
            self.shop.tell_twice(on)

    # The server

    @asynccontextmanager
    async def _looking_at_git(self, shop: Shop) -> AsyncIterator[None]:
        """What people push or merge in the shop's repository by hand shows on its GitHub, and its webhooks tell of it."""

        async def look() -> None:
            while True:
                await asyncio.sleep(GIT_SECONDS)
                if (shop.repo / ".git").exists():
                    await shop.github.refresh()

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            if self.github_webhooks is not None:
                await self.github_webhooks.stop()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                self._system("slack", slack_app(self.workspace, self.delivery, self.faults)),
                *_addresses_for_people(),
                self._system("sentry", sentry_app(self.sentry, self.faults)),
                self._system("linear", linear_app(self.linear, self.faults)),
                *(
                    [self._system("github", github_app(self.shop.github, self.faults))]
                    if self.shop is not None
                    else []
                ),
                self._system("discord", discord_app(self.discord, self.faults)),
                self._system("pagerduty", pagerduty_app(self.pagerduty, self.faults)),
                *self.page.routes(),
            ]
        )

    def _system(self, name: str, app: Starlette) -> Mount:
        return Mount(f"/{name}", Hanging(app, name, self.faults))

    def _write_services(self, path: Path) -> None:
        if self._services is not None or self.shop is None:
            path.write_text(PLAIN_SERVICES if self._services is None else self._services)
        else:
            self.shop.write_services(path)


def _addresses_for_people() -> list[BaseRoute]:
    """Links that the systems hand out lead to the page: a message's permalink, a Sentry issue, a Linear ticket, a pull request."""

    def to(target: str) -> Response:
        return RedirectResponse(target, status_code=303)

    async def message(request: Request) -> Response:
        digits = request.path_params["message"].lstrip("p")
        return to(f"/?channel={request.path_params['channel']}#p{digits}")

    async def issue(_: Request) -> Response:
        return to("/?tab=sentry")

    async def ticket(_: Request) -> Response:
        return to("/?tab=linear")

    async def repository(_: Request) -> Response:
        return to("/?tab=github")

    return [
        Route("/archives/{channel}/{message}", message),
        Route("/sentry/organizations/{rest:path}", issue),
        Route("/linear/issue/{rest:path}", ticket),
        Route("/acme/shop/{rest:path}", repository),
    ]


def _locked(folder: Path) -> IO[str]:
    """The folder's lock, held while this file is open."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "world.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise FolderTaken(f"Another sandbox runs in {folder}. Stop it, or give --folder.") from None
    return lock


async def run(folder: Path, port: int, recheck_after: int, *, socket_mode: bool = False) -> None:
    """The world for a person: says how far it is, prints one address, lives until Ctrl+C or SIGTERM."""
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
            say=_tick,
        )
    except (PortTaken, FolderTaken) as taken:
        hint = " Try --port 0 for any free one." if isinstance(taken, PortTaken) else ""
        raise SystemExit(f"{taken}{hint}") from taken
    print("Starting the sandbox …", flush=True)
    living = asyncio.create_task(_live(world, ended))
    try:
        await living
    except Failed as failed:
        raise SystemExit(str(failed)) from failed


def _tick(done: str) -> None:
    print(f"  ✓ {done}", flush=True)


async def _live(world: World, ended: asyncio.Event) -> None:
    waiting = asyncio.create_task(ended.wait())
    entering = asyncio.create_task(world.__aenter__())
    await asyncio.wait([waiting, entering], return_when=asyncio.FIRST_COMPLETED)
    if not entering.done():
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        return
    await entering
    try:
        print(f"\n  Open  {world.url}/\n")
        print(
            f"Re-checks come after {world.recheck_after} and {world.recheck_after * 2} s here. Ctrl+C stops everything."
        )
        sys.stdout.flush()
        await waiting
        print("\nStopping …", flush=True)
    finally:
        await world.__aexit__(None, None, None)
