"""A canary is ended by a deploy of the release beside it, which is what the deployer names."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.performers import deploys
from phases.messages.effects import StartDeploy
from phases.messages.results import DeployNotStarted, DeployStarted
from phases.ports.ports import DeployState
from phases.record.findings import Release
from phases.record.incident import ActionKind
from phases.record.service import Service
from tests.support.worlds.sentry_world import Deployer


@dataclass
class Starting(Deployer):
    """Starts what it is given."""

    started: list[str] = field(default_factory=list[str])

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        self.started.append(to.version)

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        return DeployState(state="unknown", taken=False)


def effect(*, beside: bool) -> StartDeploy:
    return StartDeploy(
        deploy_id="inc-0001-1",
        kind=ActionKind.ROLLBACK,
        running=Release(version="v3"),
        to=Release(version="v2"),
        beside=beside,
    )


async def test_a_canary_is_ended_by_what_runs_beside_it() -> None:
    deployer = Starting(["v3", "v2"], "v2")
    answer = await deploys.begin(effect(beside=True), Service(name="shop"), deployer)
    assert isinstance(answer, DeployStarted)
    assert deployer.started == ["v2"]


async def test_without_a_canary_nothing_is_started_where_it_runs_already() -> None:
    deployer = Starting(["v3", "v2"], "v2")
    answer = await deploys.begin(effect(beside=False), Service(name="shop"), deployer)
    assert isinstance(answer, DeployNotStarted)
    assert deployer.started == []
