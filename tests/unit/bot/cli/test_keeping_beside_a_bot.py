"""The commands work on the folder of a bot that runs, and say clearly why where they cannot."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from bot.connection.embedded import SOCKET, embedded
from bot.store.incident_store import Store
from tests.support.bots import forked
from tests.support.redis.keeping import past, put


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


async def firebreak(data: Path | None, *words: str, given: str = "") -> Ended:
    env = {
        name: value for name, value in os.environ.items() if name not in ("DATA_DIR", "REDIS_URL")
    }
    env |= {"DATA_DIR": str(data)} if data else {}
    return Ended(*await forked.firebreak(*words, env=env, given=given))


async def test_beside_a_bot_that_runs_and_after_it(tmp_path: Path):
    data = tmp_path / "data"
    async with embedded(data) as url:
        store = Store.open(url)
        await put(store, past(1, lead="U0ANN0001"))
        beside = await firebreak(data, "export")
        assert beside.returncode == 0, beside.stderr
        assert json.loads(beside.stdout)["id"] == "INC-0001"
        assert (await firebreak(data, "forget", "U0ANN0001")).returncode == 0
        (now,) = await store.get(["INC-0001"])
        assert now.lead == "U0FORGOTTEN"
        await store.close()
    assert not (data / SOCKET).exists()
    log = b"".join(file.read_bytes() for file in (data / "appendonlydir").iterdir())
    assert b"U0ANN0001" not in log, "the log of writes has forgotten, too"

    moved = await firebreak(tmp_path / "other", "import", given=beside.stdout)
    assert (moved.returncode, "imported: 1" in moved.stderr) == (0, True)
    after = await firebreak(tmp_path / "other", "export", "inc-0001")
    assert after.stdout == beside.stdout


async def test_a_folder_that_is_held_by_something_that_does_not_answer(tmp_path: Path):
    data = tmp_path / "data"
    async with embedded(data):
        (data / SOCKET).write_text("/nowhere")
        held = await firebreak(data, "export")
    assert held.returncode == 1
    assert "is in use by another bot" in held.stderr
    gone = await firebreak(tmp_path / "slip", "export")
    assert (gone.returncode, "is not there" in gone.stderr) == (1, True)


async def test_wrong_words_and_settings_end_with_two(tmp_path: Path):
    assert (await firebreak(tmp_path, "forget", "ann")).returncode == 2
    assert (await firebreak(tmp_path, "export", "--since", "monday")).returncode == 2
    none = await firebreak(None, "export")
    assert (none.returncode, "neither REDIS_URL nor DATA_DIR" in none.stderr) == (2, True)
