"""The line by which the back tells the front whether its workers run."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bot.report import Report, send_reports


def report(running: bool) -> Report:
    return Report(
        running={"outbox": running},
        effects=(("say", "done", 2),),
        timers={},
        live={},
        unreadable=(),
        calls=(),
        limited={},
    )


async def test_who_begins_is_told_of_again_and_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.report.TELL_SECONDS", 600)
    begins = iter([report(False), report(False), report(True)])
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=theirs)
    telling = asyncio.create_task(send_reports(ours, lambda: next(begins)))
    assert await reader.readline() == b"\n"
    heard = [Report.model_validate_json(await reader.readline()) for _ in range(3)]
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    writer.close()
    await writer.wait_closed()
    ours.close()
    assert heard == [report(False), report(False), report(True)]
