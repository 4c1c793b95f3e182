"""`firebreak serve`: check settings, wire the bot, serve HTTP and Socket Mode until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from bot import health
from bot.clients.advice import at_start
from bot.clients.slack.socket_mode import SocketMode
from bot.config import catalogue as catalogues
from bot.config import settings as settings_module
from bot.config.catalogue import Catalogue
from bot.config.listen_address import CannotListen, try_out
from bot.config.settings import Faults, Settings
from bot.connection.embedded import ValkeyError
from bot.metrics import Metrics, Timed
from bot.runtime import logs
from bot.runtime.ack_priority import AckPriority
from bot.self_test import CannotUse
from bot.store.webhook_log import WebhookLog, opened
from bot.wiring import Bot, now, wire, work
from handlers.app import Listeners, Secrets, listeners
from phases.ports.ports import PortError

log = logging.getLogger("firebreak")

GRACE_SECONDS = 5
"""After a signal requests, effects and answers to people have this long to finish."""
STOP_SECONDS = 9.5
"""Then the process ends, whatever holds it: a thread, a name server.

Every state is in Redis, and other replicas take over what was held.
"""
LAST_SECONDS = 0.5
"""Time for what a request started in its last moment."""
COLLECT_AFTER = 10_000
"""New objects between two collections; Python's own 700 come together within one click."""


class Server(uvicorn.Server):
    """A server that leaves signals to us: the workers must end, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve() -> int:
    """Return the exit code: 0 after a signal, 1 when it cannot run, 2 when settings are wrong.

    Every fault of settings and catalogue is printed at once.
    """
    try:
        settings, catalogue = _read()
        logs.set_up(settings.log_level)
        try_out(settings.host, settings.port)
    except CannotListen as error:
        print(f"Firebreak cannot start: {error}", file=sys.stderr)
        return 1
    except Faults as faults:
        print(f"Firebreak cannot start:\n{faults}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(settings, catalogue))
    except (ValkeyError, CannotUse) as error:
        print(f"Firebreak cannot start: {error}", file=sys.stderr)
        return 1
    except PortError as error:
        print(f"Firebreak cannot start: {error.text}. {at_start(error)}".rstrip(), file=sys.stderr)
        return 2
    return 0


def _read() -> tuple[Settings, Catalogue]:
    """Return settings and catalogue. Raises `Faults` with everything that is wrong in both."""
    try:
        settings = settings_module.load()
    except Faults as wrong:
        raise Faults(
            [*wrong.faults, *catalogues.faults(*settings_module.services_file())]
        ) from wrong
    return settings, catalogues.load(settings)


async def _serve(settings: Settings, catalogue: Catalogue) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with AsyncExitStack() as stack:
        bot = await _unless_ended(wire(settings, catalogue, stack), ended)
        if bot is None:
            return
        for line in (*catalogue.warnings, *settings.warnings(), *settings.describe_off()):
            log.warning("%s", line)
        heard = listeners(bot.context, _secrets(settings), bot.ack_priority.somebody_asks)
        stack.push_async_callback(bot.context.tasks.drain, LAST_SECONDS)
        metrics = Metrics(bot.store, bot.outbox, bot.clock, bot.live, bot.workers)
        server = Server(
            uvicorn.Config(
                _http(bot, heard, metrics),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                lifespan="off",
            )
        )
        working = asyncio.create_task(work(bot.workers), name="workers")
        serving = asyncio.create_task(server.serve(), name="http")
        drawing = asyncio.create_task(heard.homes.run(), name="app home")
        listening = asyncio.create_task(
            _socket_mode(settings, heard, metrics, bot.ack_priority), name="socket mode"
        )
        signalled = asyncio.create_task(ended.wait(), name="signal")
        _settle()
        log.info(
            "Firebreak is up: %s",
            "Socket Mode" if settings.socket_mode else f"HTTP on port {settings.port}",
        )
        done, _ = await asyncio.wait(
            {working, serving, signalled}, return_when=asyncio.FIRST_COMPLETED
        )
        _end_surely()
        server.should_exit = True
        for task in (drawing, listening, working):
            task.cancel()
        stopping = bot.context.tasks.drain(GRACE_SECONDS)
        await asyncio.gather(serving, drawing, listening, working, stopping, return_exceptions=True)
        for task in done - {signalled}:
            task.result()  # a task that ended by itself failed: raise its error


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


async def _unless_ended(wiring: Coroutine[Any, Any, Bot], ended: asyncio.Event) -> Bot | None:
    """Return the wired bot, or None where a signal came first: Slack may not answer for long."""
    starting = asyncio.create_task(wiring, name="start")
    signalled = asyncio.create_task(ended.wait(), name="signal")
    await asyncio.wait({starting, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if starting.done():
        return starting.result()
    _end_surely()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    return None


def _settle() -> None:
    """Keep the objects of the start out of later collections, which would delay an ack.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _end_surely() -> None:
    def end() -> None:
        log.error("not stopped within %s s: ended", STOP_SECONDS)
        logging.shutdown()
        os._exit(1)

    late = threading.Timer(STOP_SECONDS, end)
    late.daemon = True
    late.start()


async def _socket_mode(
    settings: Settings, heard: Listeners, metrics: Metrics, ack_priority: AckPriority
) -> None:
    if settings.slack_app_token is None:
        await asyncio.Event().wait()
        return

    @contextlib.contextmanager
    def timed(path: str) -> Iterator[None]:
        with metrics.timed(path), ack_priority.somebody_asks():
            yield

    await SocketMode(heard.app, settings.slack_app_token.get_secret_value(), timed).run()


def _http(bot: Bot, heard: Listeners, metrics: Metrics) -> ASGIApp:
    settings = bot.settings
    on = {
        "slack": True,
        "sentry": settings.sentry_on,
        "linear": settings.linear_on,
        "discord": settings.discord_on,
        "pagerduty": settings.pagerduty_on,
    }
    systems = {name: "set up" if is_on else "off" for name, is_on in on.items()}
    routes = [*health.routes(bot.store, bot.workers, systems), metrics.route(), *heard.routes]
    arrivals = WebhookLog(Starlette(routes=routes), bot.store, opened(settings), now)
    arrivals.begin()
    return Timed(arrivals, metrics.acks, [route.path for route in routes])
