"""The ports beside Sentry: deployer, GitHub's deployments, CI's webhook, Git, the endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phases.ports.ports import DeployState, HotfixRef, PortError
from phases.ports.source_values import Commit, Covered, Place
from phases.record.findings import DeploySeen, EndpointAnswer, Frame, Release, Suspect
from phases.record.service import Service
from tests.judgement.world import Deploy, World


def commit_of(version: str) -> str:
    return version.encode().hex().ljust(40, "e")[:40]


def deploy_seen(
    world: World, service: Service, deploy: Deploy, source: str, *, ends_only: bool = False
) -> DeploySeen:
    ended = deploy.ends <= world.asked
    return DeploySeen(
        release=Release(version=deploy.version, commit=commit_of(deploy.version)),
        service=service.name,
        started_at=world.at(deploy.ends if ends_only else deploy.begins),
        finished_at=world.at(deploy.ends) if ended else None,
        source=source,
    )


@dataclass
class Deployer:
    """The deployer of the service: it knows what runs, and every release that was built."""

    world: World

    async def running(self, service: Service) -> Release | None:
        begun = [d for d in self.world.deploys if d.ends <= self.world.asked]
        newest = max(begun, key=lambda d: d.begins, default=None)
        return Release(version=newest.version) if newest else None

    async def releases(self, service: Service) -> Sequence[Release]:
        known = [v for v in self.world.order if self._begun(v)]
        return [Release(version=v, commit=commit_of(v)) for v in reversed(known)]

    def _begun(self, version: str) -> bool:
        return any(
            d.version == version and d.begins <= self.world.asked for d in self.world.deploys
        )

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        raise AssertionError("triage deploys nothing")

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        raise AssertionError("triage looks at no deploy")

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        raise AssertionError("triage gives up no deploy")


@dataclass
class Front:
    """The endpoint of the service, as somebody outside calls it."""

    world: World

    async def call(self, url: str) -> EndpointAnswer:
        down = self.world.down
        if down is not None and down[0] <= self.world.asked < down[1]:
            return EndpointAnswer(ok=False, said="no answer within 5 s")
        return EndpointAnswer(ok=True, said="200 in 31 ms")


@dataclass
class GitHubDeploys:
    """GitHub's deployments, where CI makes them."""

    world: World

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        if self.world.deploys_from != "github":
            return ()
        begun = [d for d in self.world.deploys if d.begins <= self.world.asked]
        return [deploy_seen(self.world, self.world.service, d, "github") for d in reversed(begun)]


@dataclass
class Code:
    """The repository: each release with the commits that it brought."""

    world: World

    def remarks(self, service: Service) -> Sequence[str]:
        return ()

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        order = self.world.order
        if older not in order or newer not in order:
            raise PortError("git", f"{older}..{newer} is not known", retryable=False)
        between = order[order.index(older) + 1 : order.index(newer) + 1]
        return [c for version in reversed(between) for c in self.world.code.get(version, ())]

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        """Return what differs between the two, in whatever order they were made."""
        ends = sorted((older, newer), key=self.world.order.index)
        commits = await self.commits(service, *ends)
        return sorted({file.path for commit in commits for file in commit.files})

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        return Place(path=frame.file if frame.in_app else None)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        order = self.world.order
        for version in reversed(order[: order.index(release) + 1] if release in order else ()):
            for commit in self.world.code.get(version, ()):
                if any(f.path == file for f in commit.files):
                    return Suspect(sha=commit.sha, subject=commit.subject, at=commit.at)
        return None

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        return ()

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        return self.world.fixes

    async def commit(self, service: Service, sha: str) -> Commit | None:
        every = (c for commits in self.world.code.values() for c in commits)
        return next((c for c in every if c.sha == sha), None)

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        return None


def told_by_webhook(world: World) -> list[DeploySeen]:
    """Return what CI's webhook told: the end of each deploy that has ended."""
    if world.deploys_from != "webhook":
        return []
    ended = [d for d in world.deploys if d.ends <= world.asked]
    return [
        deploy_seen(world, world.service, d, "webhook", ends_only=True) for d in reversed(ended)
    ]
