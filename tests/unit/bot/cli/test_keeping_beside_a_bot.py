"""The commands work on the folder of a bot that runs, and say clearly why where they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bot.connection.embedded import SOCKET, embedded
from bot.store.incident_store import Store
from tests.support.keeping import past, put

ROOT = Path(__file__).parents[4]


def firebreak(data: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DATA_DIR": str(data)}
    env.pop("REDIS_URL", None)
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=ROOT,
        env=env,
        input=given,
        text=True,
        capture_output=True,
        timeout=60,
    )


async def test_beside_a_bot_that_runs_and_after_it(tmp_path: Path):
    data = tmp_path / "data"
    async with embedded(data) as url:
        store = Store.open(url)
        await put(store, past(1, lead="U0ANN0001"))
        beside = firebreak(data, "export")
        assert beside.returncode == 0, beside.stderr
        assert json.loads(beside.stdout)["id"] == "INC-0001"
        assert firebreak(data, "forget", "U0ANN0001").returncode == 0
        (now,) = await store.get(["INC-0001"])
        assert now.lead == "U0FORGOTTEN"
        await store.close()
    assert not (data / SOCKET).exists()
    log = b"".join(one.read_bytes() for one in (data / "appendonlydir").iterdir())
    assert b"U0ANN0001" not in log, "the log of writes has forgotten, too"

    moved = firebreak(tmp_path / "other", "import", given=beside.stdout)
    assert (moved.returncode, "imported: 1" in moved.stderr) == (0, True)
    after = firebreak(tmp_path / "other", "export", "inc-0001")
    assert after.stdout == beside.stdout


async def test_a_folder_that_is_held_by_something_that_does_not_answer(tmp_path: Path):
    data = tmp_path / "data"
    async with embedded(data):
        (data / SOCKET).write_text("/nowhere")
        held = firebreak(data, "export")
    assert held.returncode == 1
    assert "is in use by another bot" in held.stderr
    gone = firebreak(tmp_path / "slip", "export")
    assert (gone.returncode, "is not there" in gone.stderr) == (1, True)


def test_wrong_words_and_settings_end_with_two(tmp_path: Path):
    assert firebreak(tmp_path, "forget", "ann").returncode == 2
    assert firebreak(tmp_path, "export", "--since", "monday").returncode == 2
    env = {
        name: value for name, value in os.environ.items() if name not in ("DATA_DIR", "REDIS_URL")
    }
    none = subprocess.run(
        [sys.executable, "-m", "bot", "export"],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert (none.returncode, "neither REDIS_URL nor DATA_DIR" in none.stderr) == (2, True)
