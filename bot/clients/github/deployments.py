"""GitHub's deployments as a part of the deploy history: who deployed what to the environment that counts, and when.

https://docs.github.com/en/rest/deployments/deployments and …/statuses: a deployment is what somebody meant to deploy, its statuses (newest
first) are what became of it. A newer deployment makes an older one `inactive`, so what once succeeded stays in its statuses. Polled with ETags.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.clients.github import endpoints as calls
from bot.clients.github.client import PAGE, SYSTEM, GitHub, read
from bot.clients.github.models import (
    Deployment,
    Deployments,
    DeploymentStatus,
    DeploymentStatuses,
    Tags,
)
from bot.clients.github.source import AT_ONCE
from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError
from phases.record.findings import DeploySeen, Release
from phases.record.service import DeployWorkflow, Service, environment_among

log = logging.getLogger(__name__)

LOOKED_AT = 15
"""The newest deployments; each costs a question for its statuses until it has ended."""
ENOUGH = 2
"""What runs, and what ran before. Where fewer are found among the newest, the others are failures, or the neighbours' of
one repository: then a whole page is listed."""
LOOKED_AT_THEN = 45
STATUSES = 30
SECONDS = 5.0
"""Triage goes on without them after this."""
UNDER_WAY = timedelta(hours=1)
"""A deployment that is going on counts as started; one that never said how it ended does not for longer than this."""
REMEMBERED = 500
TAG_PAGES = 3
NAME_SECONDS = 2.0
"""A webhook does not wait longer for the tags: GitHub ends a delivery after 10 s
(https://docs.github.com/en/webhooks/using-webhooks/handling-webhook-deliveries)."""

_GOING_ON = frozenset({"in_progress", "queued", "pending"})


@dataclass(frozen=True, slots=True)
class Known:
    """What GitHub says of refs: tags with their commits (None: not known), and names that are no tag and no branch now."""

    tags: Mapping[str, str] | None = None
    gone: frozenset[str] = frozenset()


_UNKNOWN = Known()


class GitHubDeployments:
    """Keeps `phases.ports.ports.DeployHistory`."""

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
        return sorted(
            (d for deploys in found for d in deploys), key=lambda d: d.started_at, reverse=True
        )

    async def newest(self, service: Service, most: int = LOOKED_AT) -> Sequence[Deployment]:
        """The newest deployments to the environment that counts, whatever became of them; newest first."""
        environment, repository = environment_of(service), service.repository or ""
        asked = {"environment": environment, "per_page": most}
        rows = read(
            Deployments, {"rows": await self._github.polled(calls.DEPLOYMENTS, repository, asked)}
        ).rows
        if not rows:  # the environment may be written with other capitals, which that list may not take for the same
            answer = await self._github.polled(calls.DEPLOYMENTS, repository, {"per_page": PAGE})
            every = read(Deployments, {"rows": answer}).rows
            rows = tuple(
                row
                for row in every
                if environment_among(row.environment, [environment]) is not None
            )
        return sorted(rows, key=lambda d: d.created_at, reverse=True)[:most]

    async def release(self, service: Service, ref: str, sha: str, told: str) -> Release | None:
        """Return what a deployment is called; None: it is another service's.

        Where GitHub does not show its tags in time, `ref` and `sha` alone say it.
        """
        known = _UNKNOWN
        if service.repository:
            try:
                async with asyncio.timeout(NAME_SECONDS):
                    known = await self._known(service, [ref])
            except (PortError, TimeoutError):
                log.warning(
                    "the tags of %s are not known: a deployment is named without them",
                    service.repository,
                )
        return service.deployed(ref, sha, told, known.tags, known.gone)

    async def named(
        self, service: Service, rows: Sequence[Deployment]
    ) -> list[tuple[Deployment, Release]]:
        """Return those that are the service's, with their releases; without the tags where these cannot be asked for."""
        known = _UNKNOWN
        try:
            known = await self._known(service, [row.ref for row in rows]) if rows else _UNKNOWN
        except HttpError as error:
            log.warning("the tags of %s are not known: %s", service.repository, error.text)
        found = ((row, named(service, row, known)) for row in rows)
        return [(row, release) for row, release in found if release is not None]

    async def running(self, service: Service) -> tuple[Deployment, Release] | None:
        """The newest of the service that was successful and is not taken down."""
        rows = await self.newest(service)
        found = await self._running(service, rows)
        if found is None and len(rows) >= LOOKED_AT:
            found = await self._running(service, await self.newest(service, PAGE))
        return found

    async def _running(
        self, service: Service, rows: Sequence[Deployment]
    ) -> tuple[Deployment, Release] | None:
        ours = await self.named(service, rows)
        # A later deploy of another service makes it inactive, too: `auto_inactive` goes by the environment's name alone
        # (https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status).
        others = [row.created_at for row in rows if all(row != one for one, _ in ours)]
        for one, release in ours[:LOOKED_AT_THEN]:
            try:
                statuses = await self.statuses(service, one, most=1)
            except HttpError as error:
                if error.status != 404 or len(ours) == 1:
                    raise
                continue  # deleted meanwhile
            if statuses and statuses[0].state == "inactive":
                covered = any(one.created_at <= at <= statuses[0].created_at for at in others)
                statuses = await self.statuses(service, one) if covered else ()
                if any(status.state == "success" for status in statuses):
                    return one, release
            elif statuses and statuses[0].state == "success":
                return one, release
        return None

    async def _known(self, service: Service, refs: Sequence[str]) -> Known:
        """The repository's tags, and of `refs` which are no branch either. Raises `PortError`."""
        repository = service.repository or ""
        rows = await self._github.pages(calls.TAGS, repository, most=TAG_PAGES)
        tags = {tag.name: tag.commit.sha for tag in read(Tags, {"rows": rows}).rows}
        complete = len(rows) < TAG_PAGES * PAGE
        names = [
            name
            for name in dict.fromkeys(refs)
            if name not in tags and not name.startswith("refs/")
        ]
        # What fits no pattern and is no tag is a branch, or was one: nothing more need be known of it.
        unclear = [name for name in names if not complete or service.version_in(name) is not None]
        gate = asyncio.Semaphore(AT_ONCE)

        async def branch(name: str) -> bool:
            async with gate:
                try:
                    await self._github.polled(calls.GIT_REF, repository, ref=f"heads/{name}")
                except HttpError as error:
                    if error.status != 404:
                        raise
                    return False
                return True

        branches = await asyncio.gather(*(branch(name) for name in unclear))
        gone = frozenset(
            name for name, is_branch in zip(unclear, branches, strict=True) if not is_branch
        )
        return Known(tags, gone)

    async def statuses(
        self, service: Service, one: Deployment, *, most: int = STATUSES
    ) -> Sequence[DeploymentStatus]:
        """Newest first."""
        asked = {"per_page": most}
        answer = await self._github.polled(
            calls.DEPLOYMENT_STATUSES, service.repository or "", asked, deployment_id=one.id
        )
        return read(DeploymentStatuses, {"rows": answer}).rows

    async def _of(self, service: Service) -> list[DeploySeen]:
        repository = service.repository or ""
        rows = await self.newest(service)
        seen = await self._all_seen(service, repository, await self.named(service, rows))
        if len(seen) < ENOUGH and len(rows) >= LOOKED_AT:
            ours = await self.named(service, await self.newest(service, PAGE))
            seen = await self._all_seen(service, repository, ours[:LOOKED_AT_THEN])
        return seen

    async def _all_seen(
        self, service: Service, repository: str, ours: Sequence[tuple[Deployment, Release]]
    ) -> list[DeploySeen]:
        gate = asyncio.Semaphore(AT_ONCE)

        hidden: list[HttpError] = []

        async def one(deployment: Deployment, release: Release) -> DeploySeen | None:
            async with gate:
                try:
                    return await self._seen(service, repository, deployment, release)
                except HttpError as error:
                    if error.status != 404:
                        raise
                    hidden.append(error)
                    return _deploy(
                        service, deployment, release, None
                    )  # deleted meanwhile: how it ended is not known

        found = await asyncio.gather(*(one(row, release) for row, release in ours))
        if hidden and len(hidden) == len(found):
            raise hidden[0]  # not one may be seen: that is the token
        return [seen for seen in found if seen is not None]

    async def _seen(
        self, service: Service, repository: str, deployment: Deployment, release: Release
    ) -> DeploySeen | None:
        """None of a deployment that failed, or was never begun."""
        key = (repository, deployment.id)
        if key in self._ended:
            at = self._ended[key]
            return _deploy(service, deployment, release, at) if at is not None else None
        statuses = await self.statuses(service, deployment)
        succeeded = [s for s in statuses if s.state == "success"]
        if succeeded:
            self._remember(key, succeeded[-1].created_at)
            return _deploy(service, deployment, release, succeeded[-1].created_at)
        if statuses and statuses[0].state not in _GOING_ON:
            self._remember(key, None)
            return None
        return (
            _deploy(service, deployment, release, None)
            if _under_way(deployment, statuses)
            else None
        )

    def _remember(self, key: tuple[str, int], at: datetime | None) -> None:
        self._ended[key] = at
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def _under_way(deployment: Deployment, statuses: Sequence[DeploymentStatus]) -> bool:
    begun = bool(statuses) and statuses[0].state == "in_progress"
    return begun and datetime.now(UTC) - deployment.created_at < UNDER_WAY


def environment_of(service: Service) -> str:
    """The environment on GitHub that counts for the service."""
    return (
        service.deploy.environment
        if isinstance(service.deploy, DeployWorkflow)
        else service.environment
    )


def told_in(deployment: Deployment) -> Mapping[str, Any]:
    """Its payload. GitHub gives back what was sent: an object, or its text."""
    told: Any = deployment.payload
    if isinstance(told, str):
        try:
            told = json.loads(told or "{}")
        except ValueError:
            return {}
    return told if isinstance(told, dict) else {}


def named(service: Service, deployment: Deployment, known: Known = _UNKNOWN) -> Release | None:
    """The release of a deployment, None where it is another service's; a hotfix is named by its payload."""
    told = told_in(deployment).get("release")
    called = told if isinstance(told, str) else ""
    return service.deployed(deployment.ref, deployment.sha, called, known.tags, known.gone)


def _deploy(
    service: Service, deployment: Deployment, release: Release, finished_at: datetime | None
) -> DeploySeen:
    return DeploySeen(
        release=release,
        service=service.name,
        started_at=deployment.created_at,
        finished_at=finished_at,
        by=deployment.creator.login[:60]
        if deployment.creator and deployment.creator.login
        else None,
        source="github",
    )
