"""One bisect, detached: `python -m bot.clients.git.bisect_worker <folder of the record> <attempt>`.

The bot may die meanwhile. Both ends are tried first: where they agree, or cannot be told, no bisect
is worth running. Then come the releases between them, where there are any, then the commits as
`git bisect` picks them. The service's script runs with a time limit in a process group of its own.
What it leaves is cleaned up, its answer is kept, and the progress of the run is written down. Exit
codes of the script are those of `git bisect run`: 0 good, 125 cannot be tested, 1-127 bad, others
stop the run (https://git-scm.com/docs/git-bisect#_bisect_run).

One wrong answer leads a bisect to an innocent commit. So the script is run again at an end that
answers otherwise than it should, and in the end at the commit that was found and at its parents.
Where two answers of one commit differ, the script is flaky, and `bisect_noise.py` goes on.

Only the standard library and `records.py` are used: the worker must not fall over what an old
commit has lying about.
"""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bot.clients.git.bisect_noise import EXTRA_RUNS, at_end, confirm, in_spite_of_noise
from bot.clients.git.bisect_run import CANNOT_TELL, Ended, Run, answer, culprit
from bot.clients.processes import records

# --- the whole run --------------------------------------------------------------------------------


def main() -> int:
    folder, attempt = Path(sys.argv[1]), sys.argv[2]
    answer = records.detached()
    if isinstance(answer, str):
        return 0 if answer == "claimed" else 1
    claimed = records.create(folder / f"process-{attempt}.json", records.mark(os.getpid()))
    os.write(answer, b"claimed")
    os.close(answer)
    if claimed:
        drive(Run(folder))
    return 0


def drive(run: Run) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        prepare(run)
        bisect(run)
    except Ended as ended:
        word = ended.word
    except (OSError, subprocess.SubprocessError) as error:
        word = {"state": "failed", "reason": f"{type(error).__name__}: {error}"[:300]}
    else:
        word = {"state": "failed", "reason": "git bisect ended without an answer"}
    if records.read(run.folder / "cancelled.json") is None:
        try:
            clear(run)
        finally:
            # The last word comes last: who reads it may count on everything else being done.
            run.write_state(**word, step=run.runs, steps=run.runs)


def prepare(run: Run) -> None:
    """Make a scratch worktree at the bad end.

    The leavings of an earlier attempt are thrown away: the answers are kept beside them.
    """
    clear(run)
    run.git(
        "worktree",
        "add",
        "--quiet",
        "--detach",
        "--force",
        str(run.worktree),
        run.job["bad_commit"],
    )


def clear(run: Run) -> None:
    shutil.rmtree(run.worktree, ignore_errors=True)
    run.git("worktree", "prune", check=False)


def bisect(run: Run) -> None:
    good, bad = run.job["good_commit"], run.job["bad_commit"]
    names = f"{run.job['good']} and {run.job['bad']}"
    if good == bad:
        raise Ended("cannot tell", f"{names} are the same commit")
    if history_is_cut(run, good, bad):
        raise Ended(
            "cannot tell", f"the history of the clone is cut (a shallow clone) between {names}"
        )
    commits = int(run.git("rev-list", "--count", f"{good}..{bad}"))
    if not commits:
        raise Ended(
            "cannot tell",
            f"there is no commit in {run.job['bad']} that is not in {run.job['good']} too",
        )
    steps = 2 + 2 * EXTRA_RUNS + (math.ceil(math.log2(commits)) if commits > 1 else 0)
    run.write_state(step=run.runs, steps=steps)
    run.deadline = time.monotonic() + float(run.job["whole_seconds"])
    at_bad, at_good = at_end(run, bad, fails=True), at_end(run, good, fails=False)
    for name, code in ((run.job["bad"], at_bad), (run.job["good"], at_good)):
        if code == CANNOT_TELL:
            raise Ended(
                "cannot tell",
                f"the script cannot tell at {name} (exit code 125, or no answer in time)",
            )
    if not run.flaky and (at_bad == 0) == (at_good == 0):
        both = "passes" if at_bad == 0 else "fails"
        raise Ended("cannot tell", f"good and bad agree: the script {both} at {names}")
    if not run.flaky and at_bad == 0:
        ends = f"the script passes at {run.job['bad']} and fails at {run.job['good']}"
        raise Ended("cannot tell", f"{ends}: the ends are the wrong way round")
    base = run.git("merge-base", good, bad, check=False) or good
    at_base = at_end(run, base, fails=False)
    if not run.flaky and at_base != 0:
        where = f"the script does not pass where {names} part"
        older = f"the trouble is older, and {run.job['good']} has a fix of its own"
        raise Ended("cannot tell", f"{where}: {older}")
    if not run.flaky:
        sha = over_commits(run, *over_releases(run, base, bad))
        confirm(run, sha)
        if not run.flaky:
            raise Ended("found", "", culprit(run, sha))
    in_spite_of_noise(run, base, bad)


def history_is_cut(run: Run, good: str, bad: str) -> bool:
    """Return whether the commits between the ends are not all there.

    The first behind the cut would seem to have brought the trouble.
    """
    shallow, path = run.git("rev-parse", "--is-shallow-repository", "--git-path", "shallow").split(
        "\n"
    )
    if shallow != "true":
        return False
    edges = (Path(run.worktree) / path).read_text(encoding="ascii").split()
    return not set(edges).isdisjoint(
        run.git("rev-list", "--max-parents=0", f"{good}...{bad}").split()
    )


def over_releases(run: Run, good: str, bad: str) -> tuple[str, str]:
    """Narrow the ends to two releases beside each other.

    A release that cannot be told is passed over.
    """
    pattern = run.job["tag"].replace("{version}", "*")
    listed = run.git(
        "for-each-ref",
        "--sort=creatordate",
        f"--merged={bad}",
        "--format=%(objectname) %(*objectname)",
        f"refs/tags/{pattern}",
    )
    inside = set(run.git("rev-list", "--ancestry-path", f"{good}..{bad}").split())
    tagged = [line.split()[-1] for line in listed.splitlines()]
    order = [c for c in dict.fromkeys(tagged) if c in inside and c != bad]
    while order:
        middle = len(order) // 2
        code = answer(run, order[middle])
        if code == 0:
            good, order = (
                order[middle],
                [c for c in order[middle + 1 :] if _is_ancestor(run, order[middle], c)],
            )
        elif code < CANNOT_TELL:
            bad, order = (
                order[middle],
                [c for c in order[:middle] if _is_ancestor(run, c, order[middle])],
            )
        else:
            order.pop(middle)
    return good, bad


def _is_ancestor(run: Run, older: str, newer: str) -> bool:
    return run.git("merge-base", older, newer, check=False) == older


def over_commits(run: Run, good: str, bad: str) -> str:
    run.git("bisect", "start", bad, good)
    while "\n# first bad commit: [" not in (log := run.git("bisect", "log")):
        if "# only skipped commits left to test" in log:
            left = [
                row.split("[", 1)[1][:9]
                for row in log.splitlines()
                if row.startswith("# possible first bad commit: [")
            ]
            reason = "the script cannot tell (exit code 125) at the commits that are left"
            raise Ended("cannot tell", f"{reason}: {', '.join(left[:8])}")
        code = answer(run, run.git("rev-parse", "HEAD"))
        word = "good" if code == 0 else "skip" if code == CANNOT_TELL else "bad"
        # Its exit code says, too, that only skipped commits are left.
        run.git("bisect", word, check=False)
    run.git("bisect", "reset", run.job["bad_commit"])
    return log.rpartition("# first bad commit: [")[2].split("]", 1)[0]


if __name__ == "__main__":
    sys.exit(main())
