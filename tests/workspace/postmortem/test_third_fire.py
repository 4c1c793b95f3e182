"""History from elsewhere is imported beside the running bot.

The third incident in a file is a pattern, in the ADR too.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

from bot.cli.export_format import line
from phases.record.findings import Frame
from phases.record.incident import Incident, Status, as_json
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.forked import firebreak
from tests.support.bots.stage import burn, declared, ephemeral_with, eventually, messages_with
from tests.support.values import incidents

PATTERN = "Third fire in {file} in 90 days; rollback worked each time."
PARTS = {"monitoring": "No alert watches it.", "tests": "No test reads it."}


async def beside(world: World, *words: str, given: str = "") -> tuple[int, str, str]:
    env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    env["DATA_DIR"] = str(world.folder / "valkey")
    return await firebreak(*words, env=env, given=given)


def earlier(number: int, file: str) -> Incident:
    at = datetime.now(UTC) - timedelta(days=40 - 10 * number)
    return incidents.incident(
        id=f"INC-{number:04d}",
        number=number,
        ulid=f"01JD{number:022d}",
        status=Status.RESOLVED,
        detected_at=at,
        declared_at=at,
        recovered_at=at + timedelta(minutes=9),
        triage=incidents.report(frame=Frame(file=file, function="total", line=41)),
    )


async def test_the_third_fire_in_a_file_is_called_a_pattern(small: World):
    world, alice = small, small.alice
    file = "shop/session.py"
    past = "\n".join(line(as_json(earlier(n, file)), (), {}, None, ()) for n in (1, 2))
    for count in ("imported: 2; here already: 0", "imported: 0; here already: 2"):
        code, _, err = await beside(world, "import", given=past)
        assert (code, count in err) == (0, True), err

    burn(world)
    channel = await declared(alice, "checkout is failing", "inc-0003-")
    pattern = PATTERN.format(file=file)
    await eventually(world, lambda: messages_with(alice, channel, pattern), "the pattern is said")
    (remembered,) = await eventually(
        world,
        lambda: messages_with(alice, channel, "From past incidents:"),
        "all of it, in the thread",
    )
    for words in (
        pattern,
        "INC-0002",
        "it might have prevented this: tests: price a cart without region (Ann",
    ):
        assert words in plain(remembered)
    await alice.command("/incident history shop", channel)
    assert "rolled back to v41, over after 9 min" in plain(
        await ephemeral_with(alice, "past incidents of shop")
    )

    await alice.command("/incident fixed flag new-pricing off", channel)
    await alice.sees("*Recovered.*", channel)
    await alice.command("/incident cause nobody reads the region", channel)
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    await alice.submit(form, PARTS)
    await alice.sees("is resolved", channel)
    written = next((world.folder / "adr").glob("*-inc-0003-*.md")).read_text()
    assert f"## Seen before\n\n{pattern}" in written

    # It is remembered at once, and whoever led it can be forgotten while the bot runs.
    code, out, _ = await beside(world, "export", "INC-0003")
    assert code == 0
    assert json.loads(out)["memory"]["file"] == file
    code, out, _ = await beside(world, "forget", alice.id)
    assert (code, "records: " in out) == (0, True)
    code, out, _ = await beside(world, "export")
    assert (code, alice.id in out) == (0, False)
