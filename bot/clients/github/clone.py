"""A service with a local clone *and* a repository on GitHub: code and history from the clone, pull requests from GitHub.

Keeps `phases.ports.ports.SourceCode` and `PullRequests`. Where GitHub cannot be asked the clone's branches are what can be shipped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bot.clients.git.source import HOTFIXES, LocalGit
from bot.clients.github.source import GitHubSource
from phases.ports.ports import HotfixRef, PortError
from phases.ports.source_values import Commit, Covered, Place, PullChecks
from phases.record.findings import Frame, Suspect
from phases.record.service import Service

log = logging.getLogger(__name__)

HUB_SECONDS = 4.0
"""A hotfix does not wait longer for the names and checks of its pull request."""


class CloneOnGitHub:
    def __init__(self, git: LocalGit, hub: GitHubSource) -> None:
        self._git = git
        self._hub = hub

    def remarks(self, service: Service) -> Sequence[str]:
        return self._git.remarks(service)

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        return await self._git.commits(service, older, newer)

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        return await self._git.place(service, release, frame)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        return await self._git.blame(service, release, file, line)

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        return await self._git.snippet(service, release, file, line)

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        return await self._git.changed_paths(service, older, newer)

    async def commit(self, service: Service, sha: str) -> Commit | None:
        return await self._git.commit(service, sha)

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        return await self._git.tests_of(service, release, file)

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        """Open pull requests first, each with its checks; then the branches that have none."""
        branches, pulls = await asyncio.gather(self._git.hotfixes(service), self._pulls(service))
        there = {branch.commit for branch in branches}
        # What the clone has not got cannot be deployed from it.
        shown = [pull for pull in pulls if pull.commit in there]
        known = {pull.commit for pull in shown}
        return (*shown, *(branch for branch in branches if branch.commit not in known))[:HOTFIXES]

    async def pull_request(self, service: Service, sha: str) -> str | None:
        return await self._hub.pull_request(service, sha)

    async def checks(self, service: Service, sha: str) -> PullChecks | None:
        return await self._hub.checks(service, sha)

    async def _pulls(self, service: Service) -> Sequence[HotfixRef]:
        try:
            async with asyncio.timeout(HUB_SECONDS):
                return await self._hub.hotfixes(service)
        except (PortError, TimeoutError) as error:
            said = (
                error.text
                if isinstance(error, PortError)
                else f"no answer within {HUB_SECONDS:g} s"
            )
            log.warning("the pull requests of %s are not shown: %s", service.name, said)
            return ()
