"""The merge of a shipped hotfix: its pull request on GitHub, else its commit in the local clone.

The merge is the ordinary call with the head `sha`:
https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request. GitHub refuses it as it refuses
anybody: 405 where the pull request may not be merged (yet), 409 where its head has moved.
"""

import asyncio

from bot.clients.git.source import LocalGit
from bot.clients.github import endpoints as calls
from bot.clients.github.client import GitHub, or_none, read
from bot.clients.github.graphql_models import RollupAnswer
from bot.clients.github.http import SYSTEM
from bot.clients.github.models import Comparison, PullState, Repository
from bot.clients.github.rest_fallback import RestInstead, without_graphql
from bot.clients.github.source import names_of, repository_of
from bot.clients.github.values import Checks, checks_state
from bot.clients.http.errors import HttpError
from phases.mitigation.hotfix_merge import pull_of
from phases.ports.ports import NotSetUp, PortError
from phases.record.findings import MergeState, Release
from phases.record.service import Service

ROLLUP = """
query FirebreakChecks($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      commits(last: 1) { nodes { commit { statusCheckRollup { state } } } }
    }
  }
}
"""


class HotfixMerges:
    """The ordinary merge of a shipped hotfix. Methods raise `PortError`."""

    def __init__(self, github: GitHub | None, git: LocalGit) -> None:
        self._github = github
        self._git = git

    async def state(self, service: Service, fix: Release) -> MergeState | None:
        """Return the state of its branch or pull request; None where nobody can tell."""
        number = pull_of(fix)
        if number is not None and self._github is not None and service.repository:
            return await self._pull(self._github, service, number, fix.commit or "")
        if not service.checkout or not fix.commit:
            return None
        merged = await self._git.merged(service, fix.commit)
        return None if merged is None else MergeState(merged=merged)

    async def merge(self, service: Service, number: int, commit: str) -> MergeState:
        """Merge the pull request if its head is `commit` and its checks allow.

        One that is merged already is a success. Where it is refused, the error has the reason and
        what to do.
        """
        if self._github is None:
            raise NotSetUp(SYSTEM, "GITHUB_TOKEN is not set, so it has to be merged by hand")
        github, repository = self._github, repository_of(service)
        pull = read(PullState, await github.get(calls.PULL, repository, pull_number=number))
        if pull.merged:
            return await self._merge_state(github, repository, pull, commit)
        if pull.state != "open":
            text = "it was closed without a merge. Open it again on GitHub, then merge it"
            raise _refusal(f"{text}: {pull.html_url}")
        checks, known = await asyncio.gather(
            self._checks(github, repository, number, pull.head.sha),
            github.get(calls.REPOSITORY, repository),
        )
        if checks in ("red", "running"):
            words = "have failed" if checks == "red" else "are still running"
            raise _refusal(f"its checks {words}. Merge it when they are green: {pull.html_url}")
        try:
            await self._merge(github, repository, number, commit, read(Repository, known))
        except HttpError as error:
            raise _merge_refusal(error, pull, commit) from error
        return MergeState(merged=True, head=commit)

    async def _merge(
        self, github: GitHub, repository: str, number: int, commit: str, known: Repository
    ) -> None:
        first, *others = _methods(known)
        body = {"sha": commit, "merge_method": first}
        try:
            await github.write(calls.MERGE, repository, body, pull_number=number)
        except HttpError as error:
            # The repository allows them, and a rule of the branch does not: a linear history.
            if error.status != 405 or not others or "merge commits" not in error.said.lower():
                raise
            again = {**body, "merge_method": others[0]}
            await github.write(calls.MERGE, repository, again, pull_number=number)

    async def _pull(self, github: GitHub, service: Service, number: int, commit: str) -> MergeState:
        repository = repository_of(service)
        pull = read(PullState, await github.polled(calls.PULL, repository, pull_number=number))
        return await self._merge_state(github, repository, pull, commit)

    async def _merge_state(
        self, github: GitHub, repository: str, pull: PullState, commit: str
    ) -> MergeState:
        return MergeState(
            merged=pull.merged,
            closed=pull.state == "closed" and not pull.merged,
            at=pull.merged_at,
            by=pull.merged_by.login[:60] if pull.merged_by else "",
            head=pull.head.sha,
            holds=await self._contains_commit(github, repository, pull, commit)
            if pull.merged
            else None,
        )

    async def _contains_commit(
        self, github: GitHub, repository: str, pull: PullState, commit: str
    ) -> bool:
        """Return whether the merged head holds what was shipped: it is the same, or built on it."""
        head = pull.head.sha
        if head == commit:
            return True
        basehead = f"{commit}...{head}"
        asked = github.polled(calls.COMPARE, repository, {"per_page": 1}, basehead=basehead)
        if (answer := await or_none(asked)) is None:
            return False  # the branch was written anew, and GitHub has forgotten what was shipped
        return read(Comparison, answer).status in ("ahead", "identical")

    async def _checks(
        self, github: GitHub, repository: str, number: int, head: str
    ) -> Checks | None:
        """Return the state of the checks.

        Where a branch is not protected GitHub would merge red checks, too; the bot does not.
        """
        asked = {**names_of(repository), "number": number}
        try:
            permission = "Pull requests, Checks and Commit statuses: read"
            answer = await github.graphql(RollupAnswer, ROLLUP, asked, permission=permission)
            rollup = answer.rollup
        except HttpError as error:
            if not without_graphql(error):
                raise
            rollup = await RestInstead(github).rollup(repository, head)
        return checks_state(rollup)


def _methods(known: Repository) -> tuple[str, ...]:
    """Return `merge`, which keeps what ran in production as it is, and what is allowed instead."""
    rebase = known.allow_squash_merge is False and known.allow_rebase_merge
    other = "rebase" if rebase else "squash"
    return ("merge", other) if known.allow_merge_commit is not False else (other,)


def _merge_refusal(error: HttpError, pull: PullState, commit: str) -> PortError:
    """Return a refused merge, with what mends it; another failure as it is."""
    reason = f" (“{error.said.rstrip('.')}”)" if error.said else ""
    if error.status == 405 and "merge queue" in error.said.lower():
        # https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
        text = (
            f"it has a merge queue before it{reason}. Add it to the queue on GitHub, if it is not"
        )
        return _refusal(f"{text} there yet: {pull.html_url}")
    if error.status == 405:
        text = f"GitHub does not allow it yet{reason}. See what it waits for, then click again"
        return _refusal(f"{text}: {pull.html_url}")
    if error.status == 409:
        moved = f" from {commit[:7]} to {pull.head.sha[:7]}" if pull.head.sha != commit else ""
        text = f"its head has moved{moved} since it was shipped{reason}. Look at what is new, then"
        text += " ship that head as a hotfix, or merge it on GitHub"
        return _refusal(f"{text}: {pull.html_url}")
    if error.status is not None and 400 <= error.status < 500 and not error.retryable:
        return _refusal(f"{error.text}. Merge it on GitHub: {pull.html_url}")
    return error


def _refusal(text: str) -> PortError:
    return PortError(SYSTEM, text)
