"""GraphQL's questions asked of REST, where GraphQL does not answer.

They are pull requests with their checks, and files. GraphQL has outages and a limit of its own, and
a token may be refused there. It needs fewer calls and alone has blame and reverts, so it is asked
first. The answers are GraphQL's models, so that readers need not know which of the two it was.
"""

import asyncio
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from bot.clients.gather import at_once
from bot.clients.github import endpoints as calls
from bot.clients.github.client import PAGE, GitHub, or_none, read
from bot.clients.github.graphql_models import CheckContext, Pull, Rollup
from bot.clients.http.errors import HttpError
from bot.clients.http.shape import Shape

PULLS_SHOWN = 50
PULLS_CHECKED = 10
"""The checks of so many of the pull requests changed last are asked for: two calls each."""
AT_ONCE = 8
FOLDERS = 12
"""Folders in which a file is looked for."""

_GREEN = frozenset({"success", "neutral", "skipped"})
"""With these a commit is green, as GitHub rolls them up:
https://docs.github.com/en/graphql/reference/enums#statusstate"""


class _Repo(Shape):
    full_name: str = ""


class _Side(Shape):
    ref: str = ""
    sha: str = ""
    repo: _Repo | None = None
    """Null where the fork was deleted."""


class _Pull(Shape):
    """https://docs.github.com/en/rest/pulls/pulls#list-pull-requests"""

    number: int
    title: str = ""
    body: str | None = None
    html_url: str
    merged_at: str | None = None
    head: _Side
    base: _Side = _Side()


class _CheckRun(Shape):
    name: str = ""
    status: str = "completed"
    conclusion: str | None = None


class _CheckRuns(Shape):
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference"""

    check_runs: tuple[_CheckRun, ...] = ()


class _Status(Shape):
    context: str = ""
    state: str


class _Statuses(Shape):
    """https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference"""

    statuses: tuple[_Status, ...] = ()


class _Entry(Shape):
    path: str
    type: str


def without_graphql(error: HttpError) -> bool:
    """Return whether REST may know what GraphQL did not say.

    GraphQL is not there, not for this token, broken, or its limit is used up.
    """
    return error.retryable or error.status in (403, 404, 405, 410, 501)


class RestInstead:
    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def pulls(self, repository: str) -> list[Pull]:
        """Return the open ones, changed last first."""
        asked = {"state": "open", "sort": "updated", "direction": "desc", "per_page": PULLS_SHOWN}
        rows = read(list[_Pull], await self._github.polled(calls.PULLS, repository, asked))
        rollups = await at_once(
            AT_ONCE, lambda pull: self.rollup(repository, pull.head.sha), rows[:PULLS_CHECKED]
        )
        return [_as_pull(pull, rollup) for pull, rollup in zip_longest(rows, rollups)]

    async def pulls_of(self, repository: str, sha: str) -> list[Pull]:
        """Return the one that brought a commit, with its checks: a merged one before others."""
        rows = read(
            list[_Pull], await self._github.polled(calls.COMMIT_PULLS, repository, commit_sha=sha)
        )
        pull = next((row for row in rows if row.merged_at), rows[0] if rows else None)
        return [_as_pull(pull, await self.rollup(repository, pull.head.sha))] if pull else []

    async def rollup(self, repository: str, sha: str) -> Rollup | None:
        """Return check runs and commit statuses together, or None where there are none.

        It has no state where not all may be seen.
        """
        runs, statuses = await asyncio.gather(
            self._ask_visible(calls.CHECK_RUNS, repository, sha),
            self._ask_visible(calls.COMBINED_STATUS, repository, sha),
        )
        checks = read(_CheckRuns, runs).check_runs if runs is not None else ()
        contexts = read(_Statuses, statuses).statuses if statuses is not None else ()
        if not checks and not contexts:
            return None
        shown = [
            CheckContext(kind="CheckRun", name=run.name, conclusion=(run.conclusion or "").upper())
            for run in checks
        ]
        shown += [
            CheckContext(kind="StatusContext", context=row.context, state=row.state.upper())
            for row in contexts
        ]
        ended = [c.conclusion for c in checks if c.status == "completed" and c.conclusion]
        states = [row.state for row in contexts]
        if any(conclusion not in _GREEN for conclusion in ended) or {"failure", "error"} & set(
            states
        ):
            state = "FAILURE"
        elif len(ended) < len(checks) or "pending" in states:
            state = "PENDING"
        else:
            state = "SUCCESS" if runs is not None and statuses is not None else None
        return Rollup(state=state, contexts=tuple(shown))

    async def files(self, repository: str, commit: str, places: Sequence[str]) -> list[str]:
        """Return those of the paths at which there is a file, in their order."""
        looked_in = list(dict.fromkeys(place.rpartition("/")[0] or place for place in places))[
            :FOLDERS
        ]

        async def entries(path: str) -> list[str]:
            asked = self._github.polled(calls.CONTENTS, repository, {"ref": commit}, path=path)
            if (listed := await or_none(asked)) is None:
                return []
            rows = read(list[_Entry], listed if isinstance(listed, list) else [listed])
            return [row.path for row in rows if row.type == "file"]

        there = {path for paths in await at_once(AT_ONCE, entries, looked_in) for path in paths}
        return [place for place in places if place in there]

    async def _ask_visible(self, call: calls.Call, repository: str, sha: str) -> Any:
        """Return the answer, or None where this token may not see it."""
        asked = self._github.polled(call, repository, {"per_page": PAGE}, ref=sha)
        return await or_none(asked, 403, 404)


def _as_pull(pull: _Pull, rollup: Rollup | None) -> Pull:
    own = (
        pull.head.repo is not None
        and pull.base.repo is not None
        and pull.head.repo == pull.base.repo
    )
    return Pull(
        number=pull.number,
        title=pull.title,
        body=pull.body,
        url=pull.html_url,
        branch=pull.head.ref,
        head=pull.head.sha,
        of_a_fork=not own,
        merged=pull.merged_at is not None,
        rollup=rollup,
    )
