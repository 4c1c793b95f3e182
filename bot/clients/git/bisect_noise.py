"""Bisect with a script that does not always give the same answer at the same commit.

Each commit has a probability of being the culprit. Each run of the script shifts it by how often
the script fails at the bad end and at the good one, so that a wrong answer costs a few more runs
and not the culprit (probabilistic bisection: Karp and Kleinberg, "Noisy binary search and its
applications", https://www.cs.cornell.edu/home/kleinber/nbs.pdf).

Only the standard library is used, as in `bisect_worker.py`.
"""

import time
from collections.abc import Collection, Mapping, Sequence

from bot.clients.git.bisect_run import CANNOT_TELL, Ended, Run, answer, culprit

EXTRA_RUNS = 2
"""Runs of the script at one commit beside the first, before its answer is believed."""
PROBE_RUNS = 6
"""Runs at each end that show how often a flaky script fails there."""
RUNS_MOST = 100
"""Runs of a flaky script at most."""
SURE = 0.95
"""The probability from which a commit is named."""
RATES_APART = 0.25
"""How much more often the script has to fail at the bad end than at the good one."""


def failure_rate(failed: int, runs: int) -> float:
    """Return how often a script fails, never quite 0 or 1 (the Jeffreys prior)."""
    return (failed + 0.5) / (runs + 1)


class Search:
    """The knowledge of the culprit among the commits of a range."""

    def __init__(self, parents: Mapping[str, Sequence[str]], at_bad: float, at_good: float) -> None:
        """`parents`: of each commit of the range, oldest first; those outside are ignored.

        `at_bad`, `at_good`: the share of the runs that fail with the culprit and without it.
        """
        self._commits = list(parents)
        self._rates = {True: at_bad, False: at_good}
        self._behind = _ancestors(parents)
        self._weights = [1 / len(self._commits)] * len(self._commits)

    def take_in(self, commit: str, *, failed: bool) -> None:
        """Take in one answer of the script at one commit."""
        behind = self._behind.get(commit, 0)
        fits = {inside: rate if failed else 1 - rate for inside, rate in self._rates.items()}
        weights = [
            weight * fits[bool(behind >> number & 1)] for number, weight in enumerate(self._weights)
        ]
        whole = sum(weights)
        self._weights = [weight / whole for weight in weights]

    def ask_next(self, untestable: Collection[str] = ()) -> str | None:
        """Return the commit whose answer tells most: half of the probability lies behind it."""
        best: tuple[float, str] | None = None
        for commit in self._commits:
            if commit in untestable:
                continue
            behind = self._behind[commit]
            mass = sum(w for number, w in enumerate(self._weights) if behind >> number & 1)
            if best is None or abs(mass - 0.5) < best[0]:
                best = (abs(mass - 0.5), commit)
        return best[1] if best else None

    @property
    def likeliest(self) -> tuple[str, float]:
        weight, number = max((w, n) for n, w in enumerate(self._weights))
        return self._commits[number], weight


def _ancestors(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return of each commit the set of those that it contains, as bits in their order."""
    behind: dict[str, int] = {}
    for number, (commit, of_commit) in enumerate(parents.items()):
        bits = 1 << number
        for parent in of_commit:
            bits |= behind.get(parent, 0)
        behind[commit] = bits
    return behind


# --- the script, again ---------------------------------------------------------------------------


def at_end(run: Run, commit: str, *, fails: bool) -> int:
    """Return the script's answer at an end of the range.

    One that is not what it should be is asked for again: a flaky script may only have had luck.
    """
    code = answer(run, commit)
    while len(run.answers[commit]) <= EXTRA_RUNS and code != CANNOT_TELL and (code != 0) != fails:
        code = answer(run, commit, again=True)
    return code


def confirm(run: Run, sha: str) -> None:
    """Run the script again at the commit that was found and at its parents, as far as time goes."""
    parents = run.git("rev-parse", f"{sha}^@").split()[:2]
    for commit in (sha, *parents):
        while len(run.answers.get(commit, ())) <= EXTRA_RUNS and time.monotonic() < run.deadline:
            answer(run, commit, again=True)
            if run.flaky or CANNOT_TELL in run.answers[commit]:
                break


def in_spite_of_noise(run: Run, good: str, bad: str) -> None:
    """Bisect with a flaky script: see `bisect_noise.py`."""
    rates: list[float] = []
    shown: list[str] = []
    for name, commit in (("bad", bad), ("good", good)):
        while len(telling_answers(run, commit)) < PROBE_RUNS:
            answer(run, commit, again=True)
        codes = telling_answers(run, commit)
        failed = sum(code != 0 for code in codes)
        rates.append(failure_rate(failed, len(codes)))
        shown.append(f"{failed} of {len(codes)} runs at {run.job[name]}")
    flaky = f"the script is flaky: it fails in {' and in '.join(shown)}"
    if rates[0] - rates[1] < RATES_APART:
        raise Ended("cannot tell", flaky)
    rows = run.git("rev-list", "--topo-order", "--reverse", "--parents", f"{good}..{bad}")
    search = Search({c: p for c, *p in map(str.split, rows.splitlines())}, *rates)
    for commit in run.answers:
        for code in telling_answers(run, commit):
            search.take_in(commit, failed=code != 0)
    while search.likeliest[1] < SURE:
        untestable = [c for c, codes in run.answers.items() if CANNOT_TELL in codes]
        commit = search.ask_next(untestable)
        if commit is None or run.runs >= RUNS_MOST:
            sha, sure = search.likeliest
            raise Ended("cannot tell", f"{flaky}; the likeliest is {sha[:9]} ({sure:.0%})")
        code = answer(run, commit, again=True)
        if code != CANNOT_TELL:
            search.take_in(commit, failed=code != 0)
    sha, sure = search.likeliest
    weighed = f"{run.runs} answers were weighed, which makes {sha[:9]} {sure:.0%} sure"
    raise Ended("found", f"{flaky}; {weighed}", culprit(run, sha, f"{flaky}; {weighed}"))


def telling_answers(run: Run, commit: str) -> list[int]:
    """Return the answers at one commit that say something, at most as many as are wanted."""
    return [code for code in run.answers.get(commit, ()) if code != CANNOT_TELL]
