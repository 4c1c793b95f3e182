"""*Prepare revert*: GitHub makes the pull request that takes another one back.

It is opened, and nothing more is done with it.

https://docs.github.com/en/graphql/reference/mutations#revertpullrequest
"""

import re

from bot.clients.github.client import GitHub
from bot.clients.github.graphql_models import RevertableAnswer, RevertMade
from bot.clients.github.http import SYSTEM
from bot.clients.github.source import names_of, repository_of
from phases.ports.ports import PortError
from phases.record.service import Service

PERMISSION = "Pull requests: write and Contents: write"

FIND = """
query FirebreakRevertable($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) { id number title merged }
    pullRequests(states: OPEN, first: 100, orderBy: {field: CREATED_AT, direction: DESC}) {
      nodes { url headRefName }
    }
  }
}
"""
MAKE = """
mutation FirebreakRevert($input: RevertPullRequestInput!) {
  revertPullRequest(input: $input) { revertPullRequest { url } }
}
"""

_PULL = re.compile(r"/pull/([1-9][0-9]{0,8})$")


class GitHubReverts:
    """Makes the pull request that reverts another one, once."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def prepare(self, service: Service, pull_request: str, why: str) -> str:
        """Return the address of the revert.

        One that is open already is taken: GitHub names its branch `revert-<number>-…`.
        """
        repository = repository_of(service)
        number = _PULL.search(pull_request)
        if number is None:
            raise PortError(SYSTEM, f"{pull_request[:100]} is no pull request")
        asked = {**names_of(repository), "number": int(number.group(1))}
        answer = await self._github.graphql(RevertableAnswer, FIND, asked, permission=PERMISSION)
        if answer.pull is None:
            raise PortError(SYSTEM, f"{repository} has no pull request #{asked['number']}")
        for branch in answer.open or ():
            if branch.name.startswith(f"revert-{asked['number']}-"):
                return branch.url
        if not answer.pull.merged:
            text = f"#{asked['number']} is not merged, so there is nothing to revert"
            raise PortError(SYSTEM, text)
        wanted = {"input": {"pullRequestId": answer.pull.id, "body": why}}
        made = await self._github.graphql(RevertMade, MAKE, wanted, permission=PERMISSION)
        if not made.url:
            raise PortError(
                SYSTEM, f"#{asked['number']} cannot be reverted by itself: git has conflicts"
            )
        return made.url
