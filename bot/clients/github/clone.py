"""A service with a local clone *and* a repository on GitHub.

Code and history come from the clone, pull requests from GitHub. Where GitHub cannot be asked, the
clone's branches are what can be shipped.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.clients.git.source import HOTFIXES, LocalGit
from bot.clients.github.source import GitHubSource
from phases.ports.ports import HotfixRef, PortError
from phases.ports.source_values import PullChecks
from phases.record.service import Service

log = logging.getLogger(__name__)

HUB_SECONDS = 4.0
"""A hotfix does not wait longer for the names and checks of its pull request."""


class CloneOnGitHub(LocalGit):
    """Keeps `phases.ports.ports.SourceCode` and `PullRequests`.

    A service with a clone alone has no pull requests.
    """

    def __init__(self, hub: GitHubSource) -> None:
        super().__init__()
        self._hub = hub

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        """Return open pull requests with their checks, then the branches that have none."""
        branches, pulls = await asyncio.gather(super().hotfixes(service), self._pulls(service))
        there = {branch.commit for branch in branches}
        # What the clone has not got cannot be deployed from it.
        shown = [pull for pull in pulls if pull.commit in there]
        commits = {pull.commit for pull in shown}
        return (*shown, *(branch for branch in branches if branch.commit not in commits))[:HOTFIXES]

    async def pull_request(self, service: Service, sha: str) -> str | None:
        return await self._hub.pull_request(service, sha) if service.repository else None

    async def checks(self, service: Service, sha: str) -> PullChecks | None:
        return await self._hub.checks(service, sha) if service.repository else None

    async def _pulls(self, service: Service) -> Sequence[HotfixRef]:
        if not service.repository:
            return ()
        try:
            async with asyncio.timeout(HUB_SECONDS):
                return await self._hub.hotfixes(service)
        except (PortError, TimeoutError) as error:
            why = getattr(error, "text", f"no answer within {HUB_SECONDS:g} s")
            log.warning("the pull requests of %s are not shown: %s", service.name, why)
            return ()
