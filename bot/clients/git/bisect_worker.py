"""One bisect, detached: `python -m bot.clients.git.bisect_worker <folder of the record> <attempt>`; the bot may die meanwhile.

Both ends are tried first: where they agree, or cannot be told, no bisect is worth its time. Then the releases between them, where there are
any, then the commits with `git bisect run`, whose script is this file again (`… step`): it runs the service's script with a time limit in a
process group of its own, cleans up after it, keeps the answer, and writes down how far the run is. Exit codes of the script are those of
`git bisect run`: 0 good, 125 cannot be tested, 1-127 bad, others stop the run (https://git-scm.com/docs/git-bisect#_bisect_run).

Only the standard library and `processes.py` are used: it must not fall over what an old commit has lying about.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __package__ in (
    None,
    "",
):  # as `git bisect run` calls it, inside a worktree that may have a `bot` of its own
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from bot.clients.processes import records

CANNOT_TELL = 125
STOP = 128
_GIT = (
    "git",
    "--no-pager",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "advice.detachedHead=false",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}
"""As `git_calls.py` reads history; nobody sits in front of it."""
_KEYS = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS")
"""How the bot's own environment gets past a remote: a partial clone asks it for what a commit needs."""


class Ended(Exception):
    """The run is over: `state` is the last word."""

    def __init__(self, state: str, reason: str, culprit: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.word: dict[str, Any] = {"state": state, "reason": reason, "culprit": culprit}


class Run:
    """The record of one bisect, and what its steps have answered so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        job = records.read(folder / "job.json")
        if job is None:
            raise SystemExit("there is no record of this bisect")
        self.job: dict[str, Any] = job
        self.worktree = folder / "worktree"
        self.log = folder / "output.log"

    @property
    def answers(self) -> dict[str, int]:
        """Commit → exit code of the script."""
        return records.read(self.folder / "answers.json") or {}

    def say(self, **fields: Any) -> None:
        state = {"state": "running", **(records.read(self.folder / "state.json") or {}), **fields}
        records.replace(self.folder / "state.json", state)

    def git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [*_GIT, *arguments],
            cwd=self.worktree if self.worktree.exists() else self.job["checkout"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
            env=plain_environment() | _ENVIRONMENT,
        )
        if check and done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [
                "it said nothing"
            ]
            told = next(
                (line for line in said if line.startswith(("fatal: ", "error: "))), said[-1]
            )
            raise Ended("failed", f"git {arguments[0]}: {told[:300]}")
        return done.stdout.decode("utf-8", "replace").strip()


def plain_environment() -> dict[str, str]:
    """Without what `git bisect run` tells its script about itself: the service's script may use git as well."""
    return {
        k: v
        for k, v in os.environ.items()
        if k in _KEYS or not (k.startswith("GIT_") or k == "LC_ALL")
    }


# --- the whole run ---------------------------------------------------------------------------------------------


def main() -> int:
    if sys.argv[1] == "step":
        return step(Run(Path(sys.argv[2])))
    folder, attempt = Path(sys.argv[1]), sys.argv[2]
    said, tell = os.pipe()
    if os.fork():
        os.close(tell)
        with os.fdopen(said, "rb") as answer:
            return 0 if answer.read() == b"claimed" else 1
    os.close(said)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    claimed = records.create(folder / f"process-{attempt}.json", records.mark(os.getpid()))
    os.write(tell, b"claimed")
    os.close(tell)
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
            run.say(**word, step=len(run.answers), steps=len(run.answers))


def prepare(run: Run) -> None:
    """A scratch worktree at the bad end. What an earlier attempt left is thrown away: the answers are kept beside it."""
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
    if cut(run, good, bad):
        raise Ended(
            "cannot tell", f"the history of the clone is cut (a shallow clone) between {names}"
        )
    commits = int(run.git("rev-list", "--count", f"{good}..{bad}"))
    if not commits:
        raise Ended(
            "cannot tell",
            f"there is no commit in {run.job['bad']} that is not in {run.job['good']} too",
        )
    run.say(step=len(run.answers), steps=2 + math.ceil(math.log2(commits)) if commits > 1 else 2)
    records.replace(
        run.folder / "deadline.json", {"deadline": time.time() + float(run.job["whole_seconds"])}
    )
    at_bad, at_good = test(run, bad), test(run, good)
    for name, code in ((run.job["bad"], at_bad), (run.job["good"], at_good)):
        if code == CANNOT_TELL:
            raise Ended(
                "cannot tell",
                f"the script cannot tell at {name} (exit code 125, or no answer in time)",
            )
    if (at_bad == 0) == (at_good == 0):
        both = "passes" if at_bad == 0 else "fails"
        raise Ended("cannot tell", f"good and bad agree: the script {both} at {names}")
    if at_bad == 0:
        raise Ended(
            "cannot tell",
            f"the script passes at {run.job['bad']} and fails at {run.job['good']}: the ends are the wrong way round",
        )
    base = run.git("merge-base", good, bad, check=False)
    if base != good and base and test(run, base) != 0:
        raise Ended(
            "cannot tell",
            f"the script does not pass where {names} part: the trouble is older, and {run.job['good']} has a fix of its own",
        )
    good, bad = over_releases(run, base or good, bad)
    over_commits(run, good, bad)


def cut(run: Run, good: str, bad: str) -> bool:
    """Whether the commits between the ends are not all there: the first behind the cut would seem to have brought it."""
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
    """Narrows the ends to two releases beside each other; a release that cannot be told is passed over."""
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
        code = test(run, order[middle])
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


def _is_ancestor(run: Run, one: str, other: str) -> bool:
    return run.git("merge-base", one, other, check=False) == one


def over_commits(run: Run, good: str, bad: str) -> None:
    run.git("bisect", "start", bad, good)
    me = [sys.executable, "-I", str(Path(__file__).resolve()), "step", str(run.folder)]
    with run.log.open("ab") as log:
        subprocess.run(
            [*_GIT, "bisect", "run", *me],
            cwd=run.worktree,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=plain_environment() | _ENVIRONMENT,
            check=False,
        )
    told = run.git("bisect", "log")
    for line in told.splitlines():
        if line.startswith("# first bad commit: ["):
            raise Ended("found", "", culprit(run, line.split("[", 1)[1].split("]", 1)[0]))
    if "# only skipped commits left to test" in told:
        left = [
            row.split("[", 1)[1][:9]
            for row in told.splitlines()
            if row.startswith("# possible first bad commit: [")
        ]
        raise Ended(
            "cannot tell",
            f"the script cannot tell (exit code 125) at the commits that are left: {', '.join(left[:8])}",
        )
    raise Ended("failed", why_stopped(run))


def why_stopped(run: Run) -> str:
    stopped = records.read(run.folder / "stopped.json") or {}
    return stopped.get("reason", "git bisect run ended without an answer")


def culprit(run: Run, sha: str) -> dict[str, Any]:
    author, at, subject = run.git("show", "--no-patch", "--format=%an%x1f%at%x1f%s", sha).split(
        "\x1f"
    )
    script = " ".join(run.job["script"])
    return {
        "sha": sha,
        "author": author,
        "at": datetime.fromtimestamp(int(at), tz=UTC).isoformat(),
        "subject": subject[:200],
        "score": 1.0,
        "reasons": [f"bisect: `{script}` passes before this commit and fails with it"],
    }


# --- one commit ------------------------------------------------------------------------------------------------


def test(run: Run, commit: str) -> int:
    """What the script answers at this commit; asked once, then known."""
    known = run.answers.get(commit)
    if known is not None:
        return known
    run.git("checkout", "--quiet", "--force", "--detach", commit)
    code = try_here(run, commit)
    if code == STOP:
        raise Ended("failed", why_stopped(run))
    return code


def step(run: Run) -> int:
    """As `git bisect run` calls it: the commit is checked out already."""
    commit = run.git("rev-parse", "HEAD")
    known = run.answers.get(commit)
    try:
        return known if known is not None else try_here(run, commit)
    except Ended as ended:
        records.replace(run.folder / "stopped.json", {"reason": ended.word["reason"]})
        return STOP


def try_here(run: Run, commit: str) -> int:
    state = records.read(run.folder / "state.json") or {}
    deadline = records.read(run.folder / "deadline.json") or {}
    if time.time() >= float(deadline.get("deadline", math.inf)):
        reason = f"it did not end within {run.job['whole_seconds'] / 60:g} min"
        records.replace(run.folder / "stopped.json", {"reason": reason})
        return STOP
    number = len(run.answers) + 1
    run.say(step=number, steps=max(int(state.get("steps", 0)), number))
    code = run_script(run)
    run.git("reset", "--quiet", "--hard")
    run.git("clean", "-ffdq")  # what is ignored stays: build caches make the next step faster
    if not 0 <= code <= 127:
        records.replace(
            run.folder / "stopped.json",
            {"reason": f"the script stopped the run at {commit[:9]} with exit code {code}"},
        )
        return STOP
    records.replace(run.folder / "answers.json", {**run.answers, commit: code})
    return code


def run_script(run: Run) -> int:
    """Runs the service's script in the worktree, stopped after its time; then the commit cannot be told."""
    argv = [str(a) for a in run.job["script"]]
    lend_script(run, argv[0])
    output = os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asked: list[int] = []
    # Who cancels ends this run and then the script on record: it must not end in between the two.
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        child = subprocess.Popen(
            argv,
            cwd=run.worktree,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=plain_environment(),
            start_new_session=True,
        )
    except OSError as error:
        signal.signal(signal.SIGTERM, before)
        raise Ended(
            "failed", f"the script cannot be started: {error.strerror}: {argv[0]}"
        ) from error
    finally:
        os.close(output)
    records.replace(run.folder / "script.json", records.mark(child.pid))
    signal.signal(signal.SIGTERM, before)
    for number in asked:
        os.kill(os.getpid(), number)
    deadline = time.monotonic() + float(run.job["step_seconds"])
    while True:
        try:
            code = child.wait(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            records.cut_down(run.log)
            if time.monotonic() >= deadline:
                code = CANNOT_TELL
                break
    try:
        os.killpg(
            child.pid, signal.SIGKILL
        )  # servers that it left running would answer for the next commit
    except (ProcessLookupError, PermissionError):
        child.poll()
    child.wait()
    return code


def lend_script(run: Run, program: str) -> None:
    """A script that the commit does not have yet is lent by the clone, as an untracked file would be."""
    if "/" not in program or os.path.isabs(program):
        return
    there = run.worktree / program
    here = Path(run.job["checkout"]) / program
    if not there.exists() and here.is_file():
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(here, there)


if __name__ == "__main__":
    sys.exit(main())
