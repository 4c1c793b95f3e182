"""The back: effects, timers, live messages, watches and App Home, beside the front of the bot."""

import asyncio
import socket
from contextlib import AsyncExitStack

from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.report import Report, hear_the_bell, send_reports
from bot.runtime.ending import (
    GRACE_SECONDS,
    LAST_SECONDS,
    exit_at_the_latest,
    freeze_garbage,
    stop_signal,
    unless_stopped,
)
from bot.wiring import Bot, Start, warm, wire, work


def back(settings: Settings, catalogue: Catalogue, line: socket.socket, start: Start) -> int:
    """Return the exit code: 0 after a signal. `start` is what the front found out."""
    asyncio.run(_run_back(settings, catalogue, line, start))
    return 0


async def _run_back(
    settings: Settings, catalogue: Catalogue, line: socket.socket, start: Start
) -> None:
    ended = stop_signal()
    line.setblocking(False)
    async with AsyncExitStack() as stack:
        bot = await wire(settings, catalogue, stack, start)
        hear_the_bell(line, bot.store.dirtied)
        telling = asyncio.create_task(send_reports(line, lambda: _report(bot)), name="report")
        stack.push_async_callback(_cancelled, telling)
        await unless_stopped(warm(bot), ended)
        if ended.is_set():
            return
        stack.push_async_callback(bot.context.tasks.drain, LAST_SECONDS)
        working = asyncio.create_task(work(bot.workers), name="workers")
        signalled = asyncio.create_task(ended.wait(), name="signal")
        freeze_garbage()
        done, _ = await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
        exit_at_the_latest()
        working.cancel()
        stopping = bot.context.tasks.drain(GRACE_SECONDS)
        await asyncio.gather(working, stopping, return_exceptions=True)
        for task in done - {signalled}:
            task.result()  # a task that ended by itself failed: raise its error


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _report(bot: Bot) -> Report:
    return Report.of(bot.store, bot.outbox, bot.clock, bot.live, bot.workers)
