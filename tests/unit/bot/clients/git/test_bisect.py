"""Bisect over real repositories, with real processes.

It finds, is honest, is cancelled, and is taken up again after a kill -9.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bot.clients.git.bisect import LocalBisector
from bot.clients.git.bisect_noise import EXTRA_RUNS, Search
from bot.clients.git.clone import Clones
from bot.clients.processes import records
from phases.ports.ports import NotSetUp, PortError
from phases.record.service import Service
from tests.support.git.bisects import SCRIPT, service, shop, until, until_over


def kill(marked: dict[str, Any]) -> None:
    """kill -9 for the whole group, and back when it is gone."""
    os.killpg(marked["pid"], signal.SIGKILL)
    while records.find(marked) == "running":
        time.sleep(0.01)


def bot_that_starts(state: Path, service: Service) -> subprocess.Popen[bytes]:
    """Another process that starts the bisect `b`, and then is there until it is killed."""
    program = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from bot.clients.git.bisect import LocalBisector\n"
        "from bot.clients.git.clone import Clones\n"
        "from phases.record.service import Service\n"
        "service = Service.model_validate_json(sys.argv[2])\n"
        "asyncio.run(LocalBisector(Path(sys.argv[1]), Clones()).start(service, 'b', '1', '2'))\n"
        "time.sleep(600)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(state), service.model_dump_json()],
        start_new_session=True,
    )


async def until_file(path: Path) -> None:
    deadline = time.monotonic() + 100
    while not await asyncio.to_thread(path.exists):
        assert time.monotonic() < deadline, path
        await asyncio.sleep(0.02)


async def test_the_commit_that_broke_it_is_named(tmp_path: Path) -> None:
    repository, shas = shop(tmp_path / "shop")
    bisector = LocalBisector(tmp_path / "state", Clones())
    started = await bisector.start(service(repository), "inc-1-bisect-1", "1", "2")
    assert started.state == "running"
    bisect = await until_over(bisector, service(repository), "inc-1-bisect-1")
    assert bisect.state == "found", bisect
    assert bisect.culprit is not None
    assert (bisect.culprit.sha, bisect.culprit.author, bisect.culprit.subject) == (
        shas[8],
        "Grace",
        "Change 8",
    )
    assert bisect.step == bisect.steps <= 6 + 2 * EXTRA_RUNS
    assert "reproduce.sh" in bisect.culprit.reasons[0]
    # Nothing of it is left in the clone, and what is checked out there was never touched.
    assert repository.git("worktree", "list").count("\n") == 0
    assert repository.git("status", "--porcelain") == ""
    assert (await bisector.start(service(repository), "inc-1-bisect-1", "1", "2")).state == "found"


async def test_progress_says_which_step_of_about_how_many(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    repository, _ = shop(
        tmp_path / "shop",
        script=(
            f'#!/bin/sh\n[ "$(cat shop.txt)" = "fine 0" ] && while [ ! -e {gate} ]; do sleep '
            "0.02; done\n! grep -q broken shop.txt\n"
        ),
    )
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until(bisector, service(repository), "b", lambda progress: progress.step == 2)
    assert (bisect.state, bisect.step, bisect.steps) == ("running", 2, 6 + 2 * EXTRA_RUNS)
    gate.touch()
    assert (await until_over(bisector, service(repository), "b")).state == "found"


@pytest.mark.parametrize(("broken_at", "word"), [(0, "fails"), (99, "passes")])
async def test_ends_that_agree_are_said_so(tmp_path: Path, broken_at: int, word: str) -> None:
    repository, _ = shop(tmp_path / "shop", broken_at=broken_at)
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.state == "cannot tell"
    assert f"good and bad agree: the script {word} at 1 and 2" in bisect.reason
    assert bisect.step == 2 + EXTRA_RUNS


async def test_a_script_that_cannot_tell_is_believed(tmp_path: Path) -> None:
    repository, shas = shop(
        tmp_path / "shop",
        script=(
            '#!/bin/sh\nn=$(cut -d" " -f2 shop.txt)\n[ "$n" -ge 5 ] && [ "$n" -le 8 ] && exit '
            "125\n! grep -q broken shop.txt\n"
        ),
    )
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.state == "cannot tell"
    assert "125" in bisect.reason
    assert shas[8][:9] in bisect.reason


async def test_a_script_that_stops_the_run_or_is_not_there(tmp_path: Path) -> None:
    repository, _ = shop(tmp_path / "shop", script="#!/bin/sh\nexit 200\n")
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "a", "1", "2")
    bisect = await until_over(bisector, service(repository), "a")
    assert bisect.state == "failed"
    assert "exit code 200" in bisect.reason
    await bisector.start(service(repository, ("./no-such.sh",)), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.state == "failed"
    assert "no-such.sh" in bisect.reason


async def test_a_commit_that_hangs_cannot_be_told(tmp_path: Path) -> None:
    """Commits 5 to 7 hang, their children with them; the culprit is found around them."""
    repository, shas = shop(
        tmp_path / "shop",
        script=(
            '#!/bin/sh\nn=$(cut -d" " -f2 shop.txt)\n[ "$n" = 6 ] && sleep 600\n'
            "! grep -q broken shop.txt\n"
        ),
    )
    bisector = LocalBisector(tmp_path / "state", Clones(), step_seconds=3)
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.state == "found"
    assert bisect.culprit is not None
    assert bisect.culprit.sha == shas[8]


DICE = (
    "#!/bin/sh\nn=$(cat {count} 2>/dev/null || echo 0)\nn=$((n + 1))\necho $n > {count}\n"
    "luck=$(( (n * 7919 + n * n * 104729) % 10 ))\n"
)
"""A number from 0 to 9 that is another one in each run, and the same in each run of the test."""


@pytest.mark.parametrize(
    "rule",
    [
        'grep -q fine shop.txt || [ "$luck" -ge 6 ]',  # four of ten broken runs pass
        'if grep -q fine shop.txt; then [ "$luck" -ge 2 ]; else [ "$luck" -ge 8 ]; fi',
    ],
)
async def test_a_flaky_script_is_bisected_in_spite_of_its_noise(tmp_path: Path, rule: str) -> None:
    dice = DICE.format(count=tmp_path / "count")
    repository, shas = shop(tmp_path / "shop", commits=24, broken_at=15, script=dice + rule + "\n")
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.state == "found", bisect
    assert bisect.culprit is not None
    assert bisect.culprit.sha == shas[15]
    assert "the script is flaky: it fails in" in bisect.culprit.reasons[0]


async def test_a_script_that_throws_dice_is_said_to_be_flaky(tmp_path: Path) -> None:
    dice = DICE.format(count=tmp_path / "count") + '[ "$luck" -ge 5 ]\n'
    repository, _ = shop(tmp_path / "shop", script=dice)
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert (bisect.state, bisect.culprit) == ("cannot tell", None)
    assert "the script is flaky: it fails in" in bisect.reason


def test_the_noisy_search_finds_the_culprit_across_merges() -> None:
    """At 99 % one of a hundred may be wrong, and which one depends on how sums are rounded."""
    assert sum(_found_across_merges(seed) for seed in range(40)) >= 38


def _found_across_merges(seed: int) -> bool:
    dice = random.Random(seed)
    parents: dict[str, list[str]] = {}
    for number in range(60):
        known = list(parents)[-8:]
        parents[f"c{number}"] = dice.sample(known, min(len(known), dice.choice((1, 1, 1, 2))))
    culprit = f"c{dice.randrange(60)}"
    having = {culprit}
    for commit, of_commit in parents.items():
        if having.intersection(of_commit):
            having.add(commit)
    search = Search(parents, 0.6, 0.1)
    for _ in range(400):
        if search.likeliest[1] >= 0.99:
            break
        commit = search.ask_next()
        assert commit is not None
        search.take_in(commit, failed=dice.random() < (0.6 if commit in having else 0.1))
    return search.likeliest[0] == culprit


async def test_releases_between_the_ends_come_first(tmp_path: Path) -> None:
    repository, shas = shop(tmp_path / "shop", commits=40, broken_at=25)
    for number in (10, 20, 30):
        repository.git("tag", f"v1.{number}", shas[number])
    repository.git("tag", "unrelated", shas[24])
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.culprit is not None
    assert bisect.culprit.sha == shas[25]
    answers = records.read(next((tmp_path / "state").glob("bisects/*/answers.json"))) or {}
    asked = list(answers)
    assert asked[:4] == [shas[39], shas[0], shas[20], shas[30]]
    assert set(asked[4:]) <= set(shas[21:30])


async def test_a_script_that_no_commit_has_is_lent_by_the_clone(tmp_path: Path) -> None:
    repository, shas = shop(tmp_path / "shop")
    repository.write("new.sh", SCRIPT, executable=True)
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository, ("./new.sh",)), "b", "1", "2")
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.culprit is not None
    assert bisect.culprit.sha == shas[8]


async def test_cancelled_at_once_with_everything_it_started(tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    repository, _ = shop(
        tmp_path / "shop",
        script=f"#!/bin/sh\necho $$ > {hangs}.new\nmv {hangs}.new {hangs}\nsleep 600\n",
    )
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    await until_file(hangs)
    bisect = await bisector.cancel(service(repository), "b")
    assert bisect.state == "cancelled"
    assert records._started(int(hangs.read_text())) is None
    assert (await bisector.look(service(repository), "b")).state == "cancelled"
    assert repository.git("worktree", "list").count("\n") == 0


async def test_the_run_goes_on_when_the_bot_is_killed(tmp_path: Path) -> None:
    gate, waits = tmp_path / "gate", tmp_path / "waits"
    repository, shas = shop(
        tmp_path / "shop",
        script=(
            f"#!/bin/sh\ntouch {waits}\nwhile [ ! -e {gate} ]; do sleep 0.02; done\n"
            "! grep -q broken shop.txt\n"
        ),
    )
    bot = bot_that_starts(tmp_path / "state", service(repository))
    await until_file(waits)
    os.killpg(bot.pid, signal.SIGKILL)
    bot.wait()
    gate.touch()
    bisect = await until_over(LocalBisector(tmp_path / "state", Clones()), service(repository), "b")
    assert bisect.culprit is not None
    assert bisect.culprit.sha == shas[8]


async def test_a_run_whose_process_was_killed_is_taken_up_again_with_its_answers(
    tmp_path: Path,
) -> None:
    gate, asked = tmp_path / "gate", tmp_path / "asked"
    repository, shas = shop(
        tmp_path / "shop",
        script=f"#!/bin/sh\ncat shop.txt >> {asked}\nn=$(wc -l < {asked})\n"
        f'[ "$n" = 3 ] && while [ ! -e {gate} ]; do sleep 0.02; done\n! grep -q broken shop.txt\n',
    )
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(service(repository), "b", "1", "2")
    await until(bisector, service(repository), "b", lambda progress: progress.step == 3)
    run = next((tmp_path / "state").glob("bisects/*/process-1.json"))
    kill(records.read(run) or {})
    gate.touch()
    bisect = await LocalBisector(tmp_path / "state", Clones()).look(service(repository), "b")
    assert "taken up again" in bisect.reason
    bisect = await until_over(bisector, service(repository), "b")
    assert bisect.culprit is not None
    assert bisect.culprit.sha == shas[8]
    # The two ends had answered; they were not asked again.
    assert [line.split()[1] for line in asked.read_text().splitlines()].count("0") == 1


async def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    repository, _ = shop(tmp_path / "shop")
    bisector = LocalBisector(tmp_path / "state", Clones())
    with pytest.raises(NotSetUp):
        await bisector.start(service(repository, ()), "b", "1", "2")
    with pytest.raises(PortError, match="9 is not known"):
        await bisector.start(service(repository), "b", "1", "9")
    with pytest.raises(PortError, match="--help is not known"):
        await bisector.start(service(repository), "b", "--help", "2")
    with pytest.raises(PortError, match="nothing is known of this bisect"):
        await bisector.look(service(repository), "nobody")
