"""GitHub's deployments as a part of the deploy history of the environment that counts.

https://docs.github.com/en/rest/deployments/deployments and …/statuses: a deployment is what
somebody meant to deploy, its statuses (newest first) are what became of it. A newer deployment
makes an older one `inactive`, so what once succeeded stays in its statuses. They are polled with
ETags.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from bot.clients.cache import Cache
from bot.clients.gather import at_once
from bot.clients.github import endpoints as calls
from bot.clients.github.client import PAGE, TAGS_LISTED, GitHub, may_be_asked, or_none, read
from bot.clients.github.http import SYSTEM
from bot.clients.github.models import Deployment, DeploymentStatus
from bot.clients.github.source import AT_ONCE
from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError
from phases.record.findings import DeploySeen, Release
from phases.record.service import DeployWorkflow, Service, environment_among

log = logging.getLogger(__name__)

LOOKED_AT = 15
"""The newest deployments; each costs a question for its statuses until it has ended."""
DEPLOYMENTS_ENOUGH = 2
"""The running release, and the one before.

Where fewer are found among the newest, the others are failures, or the neighbours' of one
repository. Then a whole page is listed.
"""
LOOKED_AT_THEN = 45
STATUSES = 30
SECONDS = 5.0
"""Triage goes on without them after this."""
UNDER_WAY = timedelta(hours=1)
"""A deployment that is going on counts as started.

One that never said how it ended does not for longer than this.
"""
REMEMBERED = 500
NAME_SECONDS = 2.0
"""A webhook does not wait longer for the tags: GitHub ends a delivery after 10 s
(https://docs.github.com/en/webhooks/using-webhooks/handling-webhook-deliveries)."""

_GOING_ON = frozenset({"in_progress", "queued", "pending", "waiting"})


@dataclass(frozen=True, slots=True)
class Known:
    """The tags with their commits (None: not known), and names that are no tag or branch now."""

    tags: Mapping[str, str] | None = None
    gone: frozenset[str] = frozenset()


_UNKNOWN = Known()


class GitHubDeployments:
    """Keeps `phases.ports.ports.DeployHistory`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._ended = Cache[tuple[str, int], datetime | None](most=REMEMBERED)
        """The end of deployments by repository and id: the time of success, or None."""

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Return the deploys to the environment that counts, newest first. Raises `PortError`.

        Services without a repository have none.
        """
        try:
            async with asyncio.timeout(SECONDS):
                deploys = await asyncio.gather(
                    *(self._deploys_of(s) for s in services if s.repository)
                )
        except TimeoutError as error:
            text = f"GitHub did not show its deployments within {SECONDS:g} s"
            raise PortError(SYSTEM, text, retryable=True) from error
        return sorted(chain.from_iterable(deploys), key=lambda d: d.started_at, reverse=True)

    async def newest(self, service: Service, most: int = LOOKED_AT) -> Sequence[Deployment]:
        """Return the newest deployments to the environment that counts, newest first."""
        environment, repository = environment_of(service), service.repository or ""
        asked = {"environment": environment, "per_page": most}
        rows = read(
            list[Deployment], await self._github.polled(calls.DEPLOYMENTS, repository, asked)
        )
        if not rows:  # that list may tell capitals apart in the environment's name
            answer = await self._github.polled(calls.DEPLOYMENTS, repository, {"per_page": PAGE})
            every = read(list[Deployment], answer)
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
                    known = await self._known_refs(service, [ref])
            except (PortError, TimeoutError):
                log.warning(
                    "the tags of %s are not known: a deployment is named without them",
                    service.repository,
                )
        return service.deployed(ref, sha, told, known.tags, known.gone)

    async def named(
        self, service: Service, rows: Sequence[Deployment]
    ) -> list[tuple[Deployment, Release]]:
        """Return those that are the service's, with their releases.

        The tags are left out where they cannot be asked for.
        """
        known = _UNKNOWN
        try:
            known = await self._known_refs(service, [row.ref for row in rows]) if rows else _UNKNOWN
        except HttpError as error:
            log.warning("the tags of %s are not known: %s", service.repository, error.text)
        releases = ((row, named(service, row, known)) for row in rows)
        return [(row, release) for row, release in releases if release is not None]

    async def running(self, service: Service) -> tuple[Deployment, Release] | None:
        """Return the newest of the service that was successful and is not taken down."""
        rows = await self.newest(service)
        running = await self._running(service, rows)
        if running is None and len(rows) >= LOOKED_AT:
            running = await self._running(service, await self.newest(service, PAGE))
        return running

    async def _running(
        self, service: Service, rows: Sequence[Deployment]
    ) -> tuple[Deployment, Release] | None:
        ours = await self.named(service, rows)
        # A later deploy of another service makes it inactive, too: `auto_inactive` goes by the
        # environment's name alone
        # (https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status).
        others = [row.created_at for row in rows if all(row != own for own, _ in ours)]
        for row, release in ours[:LOOKED_AT_THEN]:
            try:
                statuses = await self.statuses(service, row, most=1)
            except HttpError as error:
                if error.status != 404 or len(ours) == 1:
                    raise
                continue  # deleted meanwhile
            if statuses and statuses[0].state == "inactive":
                covered = any(row.created_at <= at <= statuses[0].created_at for at in others)
                statuses = await self.statuses(service, row) if covered else ()
                if any(status.state == "success" for status in statuses):
                    return row, release
            elif statuses and statuses[0].state == "success":
                return row, release
        return None

    async def _known_refs(self, service: Service, refs: Sequence[str]) -> Known:
        """The repository's tags, and of `refs` which are no branch either. Raises `PortError`."""
        repository = service.repository or ""
        tags = await self._github.tags(repository)
        complete = len(tags) < TAGS_LISTED
        names = [
            name
            for name in dict.fromkeys(refs)
            if name not in tags and not name.startswith("refs/") and may_be_asked(name)
        ]
        # A name that fits no pattern and is no tag is a branch, or was one: no more is needed.
        unclear = [name for name in names if not complete or service.version_in(name) is not None]

        async def is_a_branch(name: str) -> bool:
            asked = self._github.polled(calls.GIT_REF, repository, ref=f"heads/{name}")
            return await or_none(asked) is not None

        branches = await at_once(AT_ONCE, is_a_branch, unclear)
        gone = frozenset(
            name for name, is_branch in zip(unclear, branches, strict=True) if not is_branch
        )
        return Known(tags, gone)

    async def statuses(
        self, service: Service, deployment: Deployment, *, most: int = STATUSES
    ) -> Sequence[DeploymentStatus]:
        """Return the statuses of a deployment, newest first."""
        asked = {"per_page": most}
        answer = await self._github.polled(
            calls.DEPLOYMENT_STATUSES, service.repository or "", asked, deployment_id=deployment.id
        )
        return read(list[DeploymentStatus], answer)

    async def _deploys_of(self, service: Service) -> list[DeploySeen]:
        repository = service.repository or ""
        rows = await self.newest(service)
        deploys = await self._all_seen(service, repository, await self.named(service, rows))
        if len(deploys) < DEPLOYMENTS_ENOUGH and len(rows) >= LOOKED_AT:
            ours = await self.named(service, await self.newest(service, PAGE))
            deploys = await self._all_seen(service, repository, ours[:LOOKED_AT_THEN])
        return deploys

    async def _all_seen(
        self, service: Service, repository: str, ours: Sequence[tuple[Deployment, Release]]
    ) -> list[DeploySeen]:
        hidden: list[HttpError] = []

        async def ask(its: tuple[Deployment, Release]) -> DeploySeen | None:
            try:
                return await self._deploy_seen(service, repository, *its)
            except HttpError as error:
                if error.status != 404:
                    raise
                hidden.append(error)
                return _deploy(service, *its, None)  # deleted: how it ended is not known

        answers = await at_once(AT_ONCE, ask, ours)
        if hidden and len(hidden) == len(answers):
            raise hidden[0]  # not one may be seen: that is the token
        return [deploy for deploy in answers if deploy is not None]

    async def _deploy_seen(
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
            self._ended[key] = succeeded[-1].created_at
            return _deploy(service, deployment, release, succeeded[-1].created_at)
        if statuses and statuses[0].state not in _GOING_ON:
            if datetime.now(UTC) - statuses[0].created_at > UNDER_WAY:  # else it may be tried again
                self._ended[key] = None
            return None
        return (
            _deploy(service, deployment, release, None)
            if _under_way(deployment, statuses)
            else None
        )


def _under_way(deployment: Deployment, statuses: Sequence[DeploymentStatus]) -> bool:
    begun = bool(statuses) and statuses[0].state == "in_progress"
    return begun and datetime.now(UTC) - deployment.created_at < UNDER_WAY


def environment_of(service: Service) -> str:
    """Return the environment on GitHub that counts for the service."""
    deploy = service.deploy
    return deploy.environment if isinstance(deploy, DeployWorkflow) else service.environment


def payload_of(deployment: Deployment) -> Mapping[str, Any]:
    """Return its payload. GitHub gives back what was sent: an object, or its text."""
    payload: Any = deployment.payload
    if isinstance(payload, str):
        try:
            payload = json.loads(payload or "{}")
        except ValueError:
            return {}
    return payload if isinstance(payload, dict) else {}


def named(service: Service, deployment: Deployment, known: Known = _UNKNOWN) -> Release | None:
    """Return the release of a deployment, or None where it is another service's.

    A hotfix is named by its payload.
    """
    release = payload_of(deployment).get("release")
    called = release if isinstance(release, str) else ""
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
