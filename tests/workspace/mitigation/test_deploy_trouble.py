"""Deploys that do not go as clicked.

One hangs, one ends unseen, one is overtaken by another release, one has another target.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import SHOP, asked, burn, declared, eventually, running, runs, town

IMPATIENT = SHOP + "limit_seconds = 2\n"


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[World]:
    """The small world, in which a deploy may take two seconds."""
    async with running(town(tmp_path, services=IMPATIENT)) as started:
        yield started


async def test_a_deploy_that_hangs_is_stopped_said_paged_and_not_started_again(impatient: World):
    world, alice = impatient, impatient.alice
    burn(world)
    (world.folder / "hold").touch()
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    pages = len(await eventually(world, lambda: world.pagerduty.events, "a SEV1 is paged"))
    await alice.click(decision, "decision.rollback")
    hung = plain(await alice.sees_change(decision, "hung past its limit"))
    assert "was stopped" in hung
    await eventually(world, lambda: len(world.pagerduty.events) > pages, "people are paged")
    await alice.sees("Decision 2", channel)
    assert asked(world) == ["v1.2.0"], "started once"
    (world.folder / "hold").unlink()
    assert runs(world) == "v1.3.0", "what was stopped does not wake up later"


async def test_a_deploy_whose_end_nobody_saw_is_looked_up_and_otherwise_unknown(small: World):
    world, alice = small, small.alice
    burn(world)
    (world.folder / "hold").touch()
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await eventually(world, lambda: asked(world), "the deploy runs")
    pages = len(world.pagerduty.events)

    # Its machine goes down. The deploy's processes are gone without a word, and the deployer cannot
    # be asked.
    (world.folder / "current").rename(world.folder / "gone")
    for pid in _deploying(world):
        with suppress(ProcessLookupError):  # the script forks for each look, in its own name
            os.kill(pid, signal.SIGKILL)
    unknown = plain(await alice.sees("Decision 2", channel))
    assert "unknown" in unknown or "not known" in unknown, unknown
    await eventually(world, lambda: len(world.pagerduty.events) > pages, "people are paged")
    (world.folder / "hold").unlink()
    assert asked(world) == ["v1.2.0"], "never started a second time"


async def test_something_else_runs_by_then_so_nothing_is_started(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    (world.folder / "current").write_text("v1.3.1\n")
    await alice.click(decision, "decision.rollback")
    changed = plain(await alice.sees("Decision 2", channel))
    assert "1.3.1" in changed
    assert asked(world) == []


async def test_another_release_is_chosen_in_the_form(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "incident.rollback")
    form = await alice.open_modal("incident.rollback", text="Go back to")
    await alice.submit(form, {"target": "1.1.0"})
    await alice.sees_change(decision, "Read back from the deployer")
    assert (runs(world), asked(world)) == ("v1.1.0", ["v1.1.0"])


def _deploying(world: World) -> list[int]:
    """The processes of this world's deploy.

    Its watcher is first, so that it cannot report the end.
    """
    watchers, commands = list[int](), list[int]()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            where = str((entry / "cwd").readlink())
        except OSError:
            continue  # ended meanwhile
        if "bot.clients.processes.watcher" in command and str(world.folder) in command:
            watchers.append(int(entry.name))
        elif "deploy.sh" in command and where == str(world.folder):
            commands.append(int(entry.name))
    return [*watchers, *commands]
