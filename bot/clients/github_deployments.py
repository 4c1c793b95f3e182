"""GitHub's deployments as a part of the deploy history: who deployed what to the environment that counts, and when.

https://docs.github.com/en/rest/deployments/deployments and …/statuses: a deployment is what somebody meant to deploy, its statuses (newest
first) are what became of it. A newer deployment makes an older one `inactive`, so what once succeeded stays in its statuses. Polled with ETags.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.clients import github_calls as calls
from bot.clients.github import SYSTEM, GitHub, read
from bot.clients.github_shapes import Deployment, Deployments, DeploymentStatus, DeploymentStatuses
from bot.clients.github_source import AT_ONCE
from phases.ports import PortError
from phases.report import DeploySeen, Release
from phases.service import DeployWorkflow, Service

LOOKED_AT = 15
"""The newest deployments; each costs a question for its statuses until it has ended."""
STATUSES = 30
SECONDS = 5.0
"""Triage goes on without them after this."""
UNDER_WAY = timedelta(hours=1)
"""A deployment that is going on counts as started; one that never said how it ended does not for longer than this."""
REMEMBERED = 500

_GOING_ON = frozenset({"in_progress", "queued", "pending"})


class GitHubDeployments:
    """Keeps `phases.ports.DeployHistory`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._ended: OrderedDict[tuple[str, int], datetime | None] = OrderedDict()
        """Deployments that have ended, by repository and id: when they succeeded, or that they did not."""

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Newest first, to the environment that counts; services without a repository have none. Raises `PortError`."""
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.gather(*(self._of(one) for one in services if one.repository))
        except TimeoutError as error:
            text = f"GitHub did not show its deployments within {SECONDS:g} s"
            raise PortError(SYSTEM, text, retryable=True) from error
        return sorted((d for deploys in found for d in deploys), key=lambda d: d.started_at, reverse=True)

    async def newest(self, service: Service) -> Sequence[Deployment]:
        """The newest deployments to the environment that counts, whatever became of them; newest first."""
        asked = {"environment": environment_of(service), "per_page": LOOKED_AT}
        answer = await self._github.polled(calls.DEPLOYMENTS, service.repository or "", asked)
        return sorted(read(Deployments, {"rows": answer}).rows, key=lambda d: d.created_at, reverse=True)

    async def running(self, service: Service) -> Deployment | None:
        """The newest that was successful and is not taken down."""
        for one in await self.newest(service):
            statuses = await self.statuses(service, one, most=1)
            if statuses and statuses[0].state == "success":
                return one
        return None

    async def statuses(self, service: Service, one: Deployment, *, most: int = STATUSES) -> Sequence[DeploymentStatus]:
        """Newest first."""
        asked = {"per_page": most}
        answer = await self._github.polled(
            calls.DEPLOYMENT_STATUSES, service.repository or "", asked, deployment_id=one.id
        )
        return read(DeploymentStatuses, {"rows": answer}).rows

    async def _of(self, service: Service) -> list[DeploySeen]:
        repository = service.repository or ""
        rows = await self.newest(service)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(deployment: Deployment) -> DeploySeen | None:
            async with gate:
                return await self._seen(service, repository, deployment)

        found = await asyncio.gather(*(one(row) for row in rows))
        return [seen for seen in found if seen is not None]

    async def _seen(self, service: Service, repository: str, deployment: Deployment) -> DeploySeen | None:
        """None of a deployment that failed, or was never begun."""
        key = (repository, deployment.id)
        if key in self._ended:
            at = self._ended[key]
            return _deploy(service, deployment, at) if at is not None else None
        statuses = await self.statuses(service, deployment)
        succeeded = [s for s in statuses if s.state == "success"]
        if succeeded:
            self._remember(key, succeeded[-1].created_at)
            return _deploy(service, deployment, succeeded[-1].created_at)
        if statuses and statuses[0].state not in _GOING_ON:
            self._remember(key, None)
            return None
        return _deploy(service, deployment, None) if _under_way(deployment, statuses) else None

    def _remember(self, key: tuple[str, int], at: datetime | None) -> None:
        self._ended[key] = at
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def _under_way(deployment: Deployment, statuses: Sequence[DeploymentStatus]) -> bool:
    begun = bool(statuses) and statuses[0].state == "in_progress"
    return begun and datetime.now(UTC) - deployment.created_at < UNDER_WAY


def environment_of(service: Service) -> str:
    """The environment on GitHub that counts for the service."""
    return service.deploy.environment if isinstance(service.deploy, DeployWorkflow) else service.environment


def told_in(deployment: Deployment) -> Mapping[str, Any]:
    """Its payload. GitHub gives back what was sent: an object, or its text."""
    told: Any = deployment.payload
    if isinstance(told, str):
        try:
            told = json.loads(told or "{}")
        except ValueError:
            return {}
    return told if isinstance(told, dict) else {}


def named(service: Service, deployment: Deployment) -> Release:
    """The release of a deployment; a hotfix is named by its payload."""
    told = told_in(deployment).get("release")
    return service.deployed(deployment.ref, deployment.sha, told if isinstance(told, str) else "")


def _deploy(service: Service, deployment: Deployment, finished_at: datetime | None) -> DeploySeen:
    return DeploySeen(
        release=named(service, deployment),
        service=service.name,
        started_at=deployment.created_at,
        finished_at=finished_at,
        by=deployment.creator.login[:60] if deployment.creator and deployment.creator.login else None,
        source="github",
    )
