"""GitHub's deployments in the deploy history.

They come over real HTTP from the local GitHub, and are joined with those of other sources.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.clients.github.deployments import GitHubDeployments
from bot.store.incident_store import Store
from phases.ports.ports import DeployHistory, PortError
from phases.record.findings import DeploySeen, Release
from phases.record.service import DeployCommands, Service
from phases.triage.deploys.deploy_history import merge_deploys
from sandbox.faults import Fault
from tests.support.worlds.github_world import SHOP, World, github_world

NOW = datetime.now(UTC)
HEAD = "ab" * 20


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        made.github.deployments.clear()
        yield made


@pytest.fixture
def hub(world: World) -> DeployHistory:
    return GitHubDeployments(world.client)


def back(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


async def deploys_told(hub: DeployHistory, *services: Service) -> list[tuple[str, bool]]:
    return [
        (d.release.version, d.finished_at is not None)
        for d in await hub.deploys(services or (SHOP,))
    ]


async def test_what_was_deployed_to_the_environment_that_counts(
    world: World, hub: DeployHistory
) -> None:
    github = world.github
    github.deploy("v1.1.0", at=back(300), by="ada")
    github.deploy("v1.2.0", at=back(200))
    github.deploy("v1.2.0", environment="staging", at=back(150))
    github.deploy("v1.3.0", "failure", at=back(100))
    github.deploy(HEAD, at=back(60), release="hotfix #12@abababa")
    github.deploy("v1.3.0", "in_progress", at=back(1))
    github.deploy("v1.1.0", "in_progress", at=back(120))  # never said how it ended
    github.deploy("v1.1.0", "queued", at=back(2))
    assert await deploys_told(hub) == [
        ("1.3.0", False),
        ("hotfix #12@abababa", True),
        ("1.2.0", True),
        ("1.1.0", True),
    ]
    oldest = (await hub.deploys((SHOP,)))[-1]
    assert (oldest.by, oldest.source, oldest.started_at, oldest.service) == (
        "ada",
        "github",
        back(300),
        "shop",
    )


async def test_a_service_with_commands_counts_its_own_environment_and_one_without_repository_none(
    world: World, hub: DeployHistory
) -> None:
    world.github.deploy("v1.2.0", environment="live", at=back(5))
    commands = DeployCommands(directory="/srv", run=("r",), current=("c",), releases=("l",))
    shop = SHOP.model_copy(
        update={"deployer": "command", "deploy": commands, "environments": ("live", "canary")}
    )
    assert await deploys_told(hub, shop, Service(name="search")) == [("1.2.0", True)]


async def test_asked_again_only_what_is_new_costs_something(
    world: World, hub: DeployHistory
) -> None:
    world.github.deploy("v1.2.0", at=back(200))
    going_on = world.github.deploy("v1.3.0", "in_progress", at=back(1))
    for _ in range(3):
        await hub.deploys((SHOP,))
    listed = [request for request in world.asked if request.path.endswith("/deployments")]
    statuses = [request for request in world.asked if request.path.endswith("/statuses")]
    assert ["if-none-match" in request.headers for request in listed] == [False, True, True]
    assert len(statuses) == 1 + 3, "what has ended is not asked for again"
    world.github.set_status(going_on, "success")
    assert await deploys_told(hub) == [("1.3.0", True), ("1.2.0", True)]


async def test_out_of_reach_is_an_error_that_says_so(world: World, hub: DeployHistory) -> None:
    world.faults.next("github.deployments", Fault(status=502), times=3)
    with pytest.raises(PortError, match="GitHub"):
        await hub.deploys((SHOP,))


# --- joined ---------------------------------------------------------------------------------------


def deploy(version: str, minutes: float, source: str, commit: str | None = None) -> DeploySeen:
    release = Release(version=version, commit=commit)
    return DeploySeen(release=release, service="shop", started_at=back(minutes), source=source)


def test_one_deploy_told_by_several_is_one_and_keeps_the_name_that_says_most() -> None:
    known = merge_deploys(
        [deploy("hotfix #12@abababa", 5, "bot", HEAD), deploy("1.3.0", 60, "webhook")],
        [deploy(HEAD, 5.1, "github", HEAD), deploy("1.3.0", 61, "github", "3" * 40)],
        [deploy(HEAD, 4.9, "sentry"), deploy("1.3.0", 60.5, "sentry")],
    )
    assert [(d.release.version, d.release.commit, d.source) for d in known.deploys] == [
        ("hotfix #12@abababa", HEAD, "bot"),
        ("1.3.0", "3" * 40, "webhook"),
    ]


def test_what_githubs_webhook_told_and_what_it_answers_is_one_deploy() -> None:
    deploy_seen = deploy("1.3.0", 60, "github")
    again = deploy("1.3.0", 20, "github")
    assert len(merge_deploys([deploy_seen], [deploy_seen, again]).deploys) == 2


def test_versions_that_begin_alike_are_two() -> None:
    assert (
        len(
            merge_deploys(
                [deploy("2024.10.1", 5, "github")], [deploy("2024.10.11", 5, "sentry")]
            ).deploys
        )
        == 2
    )


# --- what a ref is --------------------------------------------------------------------------------


async def test_a_tag_that_is_gone_still_names_its_version_and_a_branch_never_does(
    world: World, hub: DeployHistory
) -> None:
    github = world.github
    for ref, minutes in (("v0.9.0", 300), ("v2", 200), ("main", 100)):
        made = github.open_deployment(ref, "3" * 40, "production", {}, "ci")
        made.created_at = back(minutes)
        github.set_status(made, "success", at=back(minutes))
    github.branches["v2"] = "3" * 40
    assert await deploys_told(hub) == [("1.3.0", True), ("1.3.0", True), ("0.9.0", True)]


async def test_with_more_tags_than_are_listed_a_ref_is_asked_about_by_itself(
    world: World, hub: DeployHistory
) -> None:
    github = world.github
    github.tags |= {f"z{n}": "1" * 40 for n in range(310)} | {"billing-v7.1.0": "2" * 40}
    for ref, minutes in (("billing-v7.1.0", 20), ("main", 10)):
        made = github.open_deployment(ref, "2" * 40, "production", {}, "ci")
        made.created_at = back(minutes)
        github.set_status(made, "success", at=back(minutes))
    assert await deploys_told(hub) == [("2" * 40, True)], "its tag is beyond those that are listed"


# --- what lies in front of the service's own ------------------------------------------------------


async def test_behind_many_failures_the_last_success_is_found(
    world: World, hub: DeployHistory
) -> None:
    world.github.deploy("v1.1.0", at=back(300))
    world.github.deploy("v1.2.0", at=back(200))
    for number in range(20):
        world.github.deploy("v1.3.0", "failure", at=back(100 - number))
    assert await deploys_told(hub) == [("1.2.0", True), ("1.1.0", True)]
    assert await world.deployer.running(SHOP) == Release(version="1.2.0", commit="2" * 40)


async def test_behind_the_neighbours_of_one_repository_its_own_are_found(
    world: World, hub: DeployHistory
) -> None:
    world.github.deploy("v1.1.0", at=back(300))
    world.github.deploy("v1.2.0", at=back(200))
    for number in range(20):
        world.github.tags[f"svc{number}-v1.0.0"] = "3" * 40
        world.github.deploy(f"svc{number}-v1.0.0", at=back(100 - number))
    assert await deploys_told(hub) == [("1.2.0", True), ("1.1.0", True)]
    assert await world.deployer.running(SHOP) == Release(version="1.2.0", commit="2" * 40)


async def test_an_environment_with_other_capitals_is_the_same(
    world: World, hub: DeployHistory
) -> None:
    world.github.deploy("v1.1.0", environment="Preview", at=back(90))
    world.github.deploy("v1.2.0", environment="Production", at=back(60))
    assert await deploys_told(hub) == [("1.2.0", True)]


async def test_one_that_is_deleted_meanwhile_hides_no_other(
    world: World, hub: DeployHistory
) -> None:
    for tag, minutes in (("v1.1.0", 300), ("v1.2.0", 200), ("v1.3.0", 100)):
        world.github.deploy(tag, at=back(minutes))
    world.faults.next("github.deployment_statuses", Fault(status=404))
    deploys = await deploys_told(hub)
    assert [version for version, _ in deploys] == ["1.3.0", "1.2.0", "1.1.0"]
    assert sorted(ended for _, ended in deploys) == [False, True, True], "how it ended is not known"
    world.faults.next("github.deployment_statuses", Fault(status=404), times=3)
    with pytest.raises(PortError, match="Deployments: read"):
        await GitHubDeployments(world.client).deploys((SHOP,))


@pytest.mark.parametrize("first", ["waiting", "failure"])
async def test_one_that_was_approved_or_tried_again_after_a_look_is_a_deploy(
    world: World, hub: DeployHistory, first: str
) -> None:
    """https://docs.github.com/en/actions/managing-workflow-runs-and-deployments/managing-deployments/reviewing-deployments"""
    world.github.deploy("v1.1.0", at=back(300))
    deployment = world.github.deploy("v1.2.0", first, at=back(5))
    assert await deploys_told(hub) == [("1.1.0", True)]
    world.github.set_status(deployment, "success", at=back(1))
    assert await deploys_told(hub) == [("1.2.0", True), ("1.1.0", True)]


async def test_an_odd_branch_or_payload_hides_no_other(world: World, hub: DeployHistory) -> None:
    world.github.tags |= {f"z{n}": "1" * 40 for n in range(310)}
    world.github.branches["fix-\u200d"] = HEAD
    world.github.deploy("v1.1.0", at=back(300))
    world.github.deploy("fix-\u200d", at=back(200)).payload = []  # PHP's object without fields
    assert ("1.1.0", True) in await deploys_told(hub)
