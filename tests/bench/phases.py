"""The cost of the phases: a triage's questions to Sentry, and the time to rank suspects.

The ranking is timed by the processor's clock, best of several, so that other work on the machine
counts little. The machine's own speed stands beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame
from phases.root_cause.commit_ranking import RaisedError, rank_commits
from tests.bench.table import Row, at_most
from tests.support.worlds.sentry_world import busy_world

COMMITS, FRAMES = 500, 50
MODULES = 4
TIMES = 9
THROWN = RaisedError(type="KeyError", value="'region' is missing: total failed for this order")


async def rows() -> list[Row]:
    return [*await triage(), *ranking()]


async def triage() -> list[Row]:
    async with busy_world() as world:
        assert world.calls is not None
        await world.client.warm([world.service])
        world.calls.paths.clear()
        world.calls.rounds = 0
        report = await world.triage()
        calls, rounds = len(world.calls.paths), world.calls.rounds
    name = f"triage of {len(report.issue_ids)} issues over {len(world.service.sentry)} projects"
    return [
        at_most(f"{name}: calls of Sentry", calls, 12, digits=0),
        at_most(f"{name}: serial rounds", rounds, 3, digits=0),
    ]


def ranking() -> list[Row]:
    frames = [
        Frame(
            file=f"shop/module{n % MODULES}.py",
            function=f"step_{n}",
            line=12 + n,
            context=((12 + n, "    code = authorise(order.cents, visitor.currency)"),),
        )
        for n in range(FRAMES)
    ]
    usual, worst = (_range(crashing=crashing) for crashing in (False, True))
    name = f"ranking {COMMITS} commits × {FRAMES} frames"
    return [
        at_most(name, _best(lambda: rank_commits(frames, THROWN, usual)), 50, unit="ms", digits=0),
        at_most(
            f"{name}, each in a crashing file",
            _best(lambda: rank_commits(frames, THROWN, worst)),
            50,
            unit="ms",
            digits=0,
            beside=f"a million turns of a loop: {_best(_turns):.0f} ms",
        ),
    ]


def _range(*, crashing: bool) -> list[Commit]:
    """Four files a commit; the patches of every fourth hold the error's words.

    With `crashing` one file is in the stack.
    """
    return [
        Commit(
            sha=f"{n:040x}",
            author="Ada",
            subject=f"Change {n}",
            files=tuple(
                CommitFile(
                    path=f"shop/module{n % MODULES}.py"
                    if crashing and k == 0
                    else f"shop/pkg{n % 40}/file{n}_{k}.py",
                    added=8,
                    deleted=7,
                    patch=_patch(n, k),
                )
                for k in range(4)
            ),
        )
        for n in range(COMMITS)
    ]


def _patch(n: int, k: int) -> str:
    name, other = (
        ("region", "total(order)") if n % 4 == 0 else (f"place_{n % 97}", f"sum_{n % 89}(basket)")
    )
    rows = (
        f"+    value_{n}_{row} = compute_{k}({name}, cents={row})"
        if row % 2
        else f"-    old_{n}_{row} = {other}"
        for row in range(15)
    )
    start = 10 + n % 50
    return "\n".join(
        [f"@@ -{start},10 +{start},9 @@ def {other}:", "     a = 1", *rows, "     b = 2"]
    )


def _turns() -> object:
    total = 0
    for number in range(1_000_000):
        total += number
    return total


def _best(work: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    taken: list[float] = []
    for _ in range(TIMES):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return min(taken) * 1000
