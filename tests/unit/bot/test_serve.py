"""The program `firebreak serve` itself. It ends when it is told to, even before it has begun."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.wiring import run_forever
from sandbox.serving import free_port
from tests.support.worlds.small_world import running

PROGRAM = """
import sys
from bot.__main__ import main
from bot.runtime import ending, halves

ending.STOP_SECONDS, halves.KILL_SECONDS = 60, 61
sys.exit(main(["serve"]))
"""


def test_a_bot_that_waits_for_slack_at_its_start_ends_when_it_is_told_to(tmp_path: Path) -> None:
    env = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_API_URL": "http://127.0.0.1:9/api/",
    }
    env |= {"DATA_DIR": str(tmp_path / "data"), "PATH": os.environ["PATH"]}
    env |= {"PYTHONPATH": str(Path(__file__).parents[3]), "PORT": str(free_port())}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as bot:
        try:
            assert bot.stderr is not None
            assert "auth.test" in next(line for line in bot.stderr if "trying again" in line)
            bot.send_signal(signal.SIGTERM)
            assert bot.wait(100) == 0  # one that is cut off ends with 1
        finally:
            bot.kill()


async def test_a_worker_that_fails_in_a_way_nobody_thought_of_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.wiring.AGAIN_SECONDS", 0.01)
    tries, works = 0, asyncio.Event()

    async def worker() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
        works.set()
        await asyncio.Event().wait()

    async def fails() -> None:
        raise ValueError(" ".join(("what", "somebody", "typed")))

    async with running(run_forever("outbox", worker)):
        await asyncio.wait_for(works.wait(), 60)
    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert [record.getMessage().partition("\n")[0] for record in critical] == [
        "outbox failed with ValueError; it begins again"
    ] * 2
    assert "in fails" in caplog.text
    assert "what somebody typed" not in caplog.text
