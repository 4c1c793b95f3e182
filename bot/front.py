"""The front: answers Slack and webhooks, over HTTP and Socket Mode, and does nothing else.

It owns the embedded Valkey, and so ends last.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from bot import health
from bot.clients.advice import at_start
from bot.clients.slack.socket_mode import SocketMode
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.connection.embedded import ValkeyError
from bot.metrics import Metrics, Timed
from bot.report import BackSeen, Bell
from bot.runtime.ending import (
    GRACE_SECONDS,
    LAST_SECONDS,
    exit_at_the_latest,
    freeze_garbage,
    stop_signal,
    unless_stopped,
)
from bot.runtime.halves import Up
from bot.self_test import CannotUse
from bot.store.webhook_log import WebhookLog, opened
from bot.wiring import Bot, now, wire
from handlers.app import Listeners, Secrets, listeners
from phases.ports.ports import PortError

log = logging.getLogger("firebreak")

KEEP_ALIVE_SECONDS = 620
"""How long an idle connection stays open: longer than any balancer before the bot keeps it.

uvicorn closes after 5 s, and a click that is sent in that moment is lost. Google Cloud's balancer
keeps connections for 600 s and asks for 620 here
(https://cloud.google.com/load-balancing/docs/https#timeout-keepalive-backends), AWS's for 60 s
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html).
"""


class Server(uvicorn.Server):
    """A server that leaves signals to us: what people are still told must end, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def front(settings: Settings, catalogue: Catalogue, line: socket.socket, up: Up) -> int:
    """Return the exit code: 0 after a signal, 1 when it cannot run, 2 when settings are wrong."""
    try:
        asyncio.run(_front(settings, catalogue, line, up))
    except (ValkeyError, CannotUse) as error:
        print(f"Firebreak cannot start: {error}", file=sys.stderr)
        return 1
    except PortError as error:
        print(f"Firebreak cannot start: {error.text}. {at_start(error)}".rstrip(), file=sys.stderr)
        return 2
    return 0


async def _front(settings: Settings, catalogue: Catalogue, line: socket.socket, up: Up) -> None:
    ended = stop_signal()
    async with AsyncExitStack() as stack:
        bot = await unless_stopped(wire(settings, catalogue, stack), ended)
        if bot is None:
            return
        for warning in (*catalogue.warnings, *settings.warnings(), *settings.describe_off()):
            log.warning("%s", warning)
        line.setblocking(False)
        back = BackSeen(line, bot.workers)
        back.listen()
        bot.store.dirtied = Bell(line)
        heard = listeners(bot.context, _secrets(settings))
        stack.push_async_callback(bot.context.tasks.drain, LAST_SECONDS)
        metrics = Metrics(bot.store, back.report, back.running)
        server = _server(settings, _http(bot, heard, metrics, back))
        serving = asyncio.create_task(server.serve(), name="http")
        listening = asyncio.create_task(_socket_mode(settings, heard, metrics), name="socket mode")
        signalled = asyncio.create_task(ended.wait(), name="signal")
        freeze_garbage()
        up.tell(bot.start.to_line())
        log.info(
            "Firebreak is up: %s",
            "Socket Mode" if settings.socket_mode else f"HTTP on port {settings.port}",
        )
        done, _ = await asyncio.wait({serving, signalled}, return_when=asyncio.FIRST_COMPLETED)
        exit_at_the_latest()
        up.end()
        server.should_exit = True
        listening.cancel()
        stopping = bot.context.tasks.drain(GRACE_SECONDS)
        # Valkey is stopped behind this block: not before the back has handed back its effects.
        await asyncio.gather(serving, listening, stopping, back.gone.wait(), return_exceptions=True)
        for task in done - {signalled}:
            task.result()  # a task that ended by itself failed: raise its error


def _server(settings: Settings, app: ASGIApp) -> Server:
    return Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="off",
        )
    )


def _secrets(settings: Settings) -> Secrets:
    return Secrets(
        slack=settings.slack_signing_secret,
        sentry=settings.sentry_webhook_secret,
        github=settings.github_webhook_secret,
        linear=settings.linear_webhook_secret,
        deploys=settings.deploy_webhook_secret,
        changes=settings.change_webhook_secret,
        alerts=settings.alert_webhook_secret,
        api=settings.api_token,
    )


async def _socket_mode(settings: Settings, heard: Listeners, metrics: Metrics) -> None:
    if settings.slack_app_token is None:
        await asyncio.Event().wait()
        return
    token = settings.slack_app_token.get_secret_value()
    await SocketMode(heard.app, token, metrics.timed).run()


def _http(bot: Bot, heard: Listeners, metrics: Metrics, back: BackSeen) -> ASGIApp:
    settings = bot.settings
    on = {
        "slack": True,
        "sentry": settings.sentry_on,
        "linear": settings.linear_on,
        "discord": settings.discord_on,
        "pagerduty": settings.pagerduty_on,
    }
    systems = {name: "set up" if is_on else "off" for name, is_on in on.items()}
    routes = [*heard.routes, *health.routes(bot.store, back.running, systems), metrics.route()]
    arrivals = WebhookLog(Starlette(routes=routes), bot.store, opened(settings), now)
    arrivals.begin()
    return Timed(arrivals, metrics.acks, [route.path for route in routes])
