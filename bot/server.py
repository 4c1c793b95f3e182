"""`firebreak serve`: settings checked, everything wired, HTTP and (with an app token) Socket Mode, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from bot import health
from bot.clients.advice import at_start
from bot.clients.slack.channel_members import ChannelMembers
from bot.clients.slack.socket_mode import SocketMode
from bot.config import catalogue as catalogues
from bot.config import settings as settings_module
from bot.config.catalogue import Catalogue
from bot.config.listen_address import CannotListen, try_out
from bot.config.settings import Faults, Settings
from bot.metrics import Metrics, Timed
from bot.runtime import logs
from bot.runtime.ack_priority import AckPriority
from bot.self_test import CannotUse
from bot.store.drafts import RedisDrafts
from bot.store.embedded import ValkeyError
from bot.store.expiring_keys import ExpiringKeys
from bot.store.home_viewers import StoreViewers
from bot.store.webhook_log import WebhookLog, opened
from bot.wiring import Bot, now, wire, workers
from handlers.app import Listeners, listeners
from phases.ports.ports import PortError

log = logging.getLogger("firebreak")

GRACE_SECONDS = 5
"""What runs may finish for so long after a signal; requests, effects and answers to people at the same time."""
STOP_SECONDS = 9.5
"""Then the process ends whatever holds it: a thread, a name server. Every state is in Redis, and what was held is taken over."""
LAST_SECONDS = 0.5
"""For what a request started in its last moment."""
COLLECT_AFTER = 10_000
"""Objects between two looks of the collector at the young ones; Python's own 700 come together within one click."""


class Server(uvicorn.Server):
    """Leaves signals to us: the workers must end, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve() -> int:
    """Exit code 0 after a signal, 1 when it cannot run, 2 when settings or catalogue are wrong (every fault at once)."""
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
    """Raises `Faults` with what is wrong in both: whoever sets the bot up mends it once, not twice."""
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
        heard = listeners(
            dispatcher=bot.dispatcher,
            catalogue=catalogue,
            people=bot.people,
            slack=bot.slack.web,
            me=bot.me,
            source_for=bot.source_for,
            deployer_for=bot.deployer_for,
            once=ExpiringKeys(bot.store),
            deploys=bot.deploys,
            drafts=RedisDrafts(bot.store),
            viewers=StoreViewers(bot.store),
            pulls_for=bot.pulls_for,
            memory=bot.memory,
            settings=settings,
            now=now,
            sentry=bot.tracker,
            whereabouts=bot.tracker,
            deployments=bot.deployments,
            members=ChannelMembers(bot.slack),
            owner=bot.store.owner,
            taste=bot.slack.taste,
            asked=bot.ack_priority.somebody_asks,
        )
        stack.push_async_callback(heard.tasks.drain, LAST_SECONDS)
        metrics = Metrics(bot.store, bot.outbox, bot.clock, bot.live, bot.watch)
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
        working = asyncio.create_task(workers(bot), name="workers")
        serving = asyncio.create_task(server.serve(), name="http")
        drawing = asyncio.create_task(heard.homes.run(), name="app home")
        listening = asyncio.create_task(
            _socket_mode(settings, heard, metrics, bot.ack_priority), name="socket mode"
        )
        told = asyncio.create_task(ended.wait(), name="signal")
        _settle()
        log.info(
            "Firebreak is up: %s",
            "Socket Mode" if settings.socket_mode else f"HTTP on port {settings.port}",
        )
        done, _ = await asyncio.wait({working, serving, told}, return_when=asyncio.FIRST_COMPLETED)
        _end_surely()
        server.should_exit = True
        for task in (drawing, listening, working):
            task.cancel()
        stopping = heard.tasks.drain(GRACE_SECONDS)
        await asyncio.gather(serving, drawing, listening, working, stopping, return_exceptions=True)
        for task in done - {told}:
            task.result()  # what ended by itself ended wrongly: let it be seen


async def _unless_ended(wiring: Coroutine[Any, Any, Bot], ended: asyncio.Event) -> Bot | None:
    """None where it was told to stop meanwhile: while Slack does not answer, a bot waits for it for as long as that takes."""
    starting, told = (
        asyncio.create_task(wiring, name="start"),
        asyncio.create_task(ended.wait(), name="signal"),
    )
    await asyncio.wait({starting, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if starting.done():
        return starting.result()
    _end_surely()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    return None


def _settle() -> None:
    """What was made until now stays for good: the collector need not walk over it again and again, which holds up an ack.

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
    def running() -> Mapping[str, bool]:
        return {
            "outbox": bot.outbox.running,
            "clock": bot.clock.running,
            "live": bot.live.running,
            "watch": bot.watch.running,
        }

    async def systems() -> Mapping[str, str]:
        settings = bot.settings
        on = {
            "slack": True,
            "sentry": settings.sentry_on,
            "linear": settings.linear_on,
            "discord": settings.discord_on,
            "pagerduty": settings.pagerduty_on,
        }
        return {name: "set up" if is_on else "off" for name, is_on in on.items()}

    routes = [*health.routes(bot.store, running, systems), metrics.route(), *heard.routes]
    arrivals = WebhookLog(Starlette(routes=routes), bot.store, opened(bot.settings), now)
    arrivals.begin()
    return Timed(arrivals, metrics.acks, [route.path for route in routes])
