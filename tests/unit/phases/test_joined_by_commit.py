"""Deploys of one release that GitHub, Sentry and the deployer call differently.

The tests go over real HTTP against both local worlds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest

from bot.clients.deployers.command import CommandDeployer
from bot.clients.github.deployments import GitHubDeployments
from bot.store.incident_store import Store
from phases.ports.ports import PortError
from phases.record.findings import Choice, Release, TriageReport
from phases.record.service import DeployCommands, DeployWorkflow, ReleaseNames, Service
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from sandbox.faults import Fault
from tests.support.git.repositories import Repository
from tests.support.worlds.github_world import World as Hub
from tests.support.worlds.github_world import github_world
from tests.support.worlds.sentry_world import NOW, Deployer, World, ago, incident, world

X, Y, Z = "ab" * 20, "cd" * 20, "ef" * 20
SHOP = Service(
    name="shop",
    sentry=("shop",),
    repository="acme/shop",
    features={"cart": "/cart*", "pay": "/pay*"},
)


@pytest.fixture
async def hub(store: Store) -> AsyncIterator[Hub]:
    async with github_world(store) as made:
        made.github.deployments.clear()
        made.github.tags.clear()
        for sha in (X, Y, Z):
            made.github.commit(sha, "change")
        yield made


def by_branch(hub: Hub, ref: str = "main") -> None:
    """A job on push: each deployment is of the branch, and of another commit."""
    for sha, minutes in ((X, 900), (Y, 600), (Z, 8)):
        made = hub.github.open_deployment(ref, sha, "production", {}, "ci")
        made.created_at = ago(minutes)
        hub.github.set_status(made, "success", at=ago(minutes - 1))
    hub.github.branches[ref.removeprefix("refs/heads/")] = Z


async def looked(
    w: World, hub: Hub, service: Service, deployer: Deployer, now: datetime = NOW
) -> TriageReport:
    elsewhere = GitHubDeployments(hub.client)
    sources = Sources(service, w.client, (), deployer, deploy_history=elsewhere)
    triaged = await triage(incident(), sources, (), now)
    return triaged.report


@pytest.mark.parametrize("ref", ["main", "refs/heads/main", "release/1.3", "12-fix", "v2"])
@pytest.mark.parametrize(("prefix", "length"), [("", 40), ("", 7), ("", 12), ("shop@", 40)])
async def test_deployments_of_a_branch_and_releases_by_commit(
    hub: Hub, ref: str, prefix: str, length: int
) -> None:
    by_branch(hub, ref)
    service = SHOP.model_copy(update={"release": ReleaseNames(sentry=f"{prefix}{{version}}")})
    async with world(service=service) as w:
        for sha, minutes in ((X, 900), (Y, 600), (Z, 8)):
            w.local.add_release(
                f"{prefix}{sha[:length]}", projects=["shop"], created=ago(minutes).timestamp()
            )
        w.burn("/cart", "/pay", release=f"{prefix}{Z[:length]}")
        report = await looked(w, hub, service, Deployer([Z, Y, X], Z))
    assert report.suspect == Release(version=Z[:length], commit=Z)
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.recommendation.target == Release(version=Y, commit=Y)
    assert report.recommendation.brakes == ()
    assert not [note for note in report.notes if "main" in note]


async def test_the_tag_at_the_commit_is_what_the_deployer_gets(hub: Hub) -> None:
    by_branch(hub)
    hub.github.tags |= {"v1.1.0": X, "v1.2.0": Y, "v1.3.0": Z, "latest": Z}
    service = SHOP.model_copy(
        update={
            "release": ReleaseNames(tag="v{version}"),
            "deployer": "github",
            "deploy": DeployWorkflow(),
        }
    )
    async with world(service=service) as w:
        for sha, minutes in ((X, 900), (Y, 600), (Z, 8)):
            w.local.add_release(sha, projects=["shop"], created=ago(minutes).timestamp())
        w.burn("/cart", "/pay", release=Z)
        elsewhere = GitHubDeployments(hub.client)
        sources = Sources(service, w.client, (), hub.deployer, deploy_history=elsewhere)
        triaged = await triage(incident(), sources, (), NOW)
    report = triaged.report
    assert report.running == Release(version="1.3.0", commit=Z)
    assert (report.suspect, report.recommendation.choice) == (
        Release(version=Z, commit=Z),
        Choice.ROLLBACK,
    )
    assert report.recommendation.target == Release(version="1.2.0", commit=Y)


async def test_versions_in_sentry_and_deployments_of_a_branch_meet_in_the_tag(hub: Hub) -> None:
    by_branch(hub)
    hub.github.tags |= {"v1.1.0": X, "v1.2.0": Y, "v1.3.0": Z}
    service = SHOP.model_copy(
        update={"release": ReleaseNames(sentry="shop@{version}", tag="v{version}")}
    )
    async with world(service=service) as w:
        w.burn("/cart", "/pay", release="shop@1.3.0")
        report = await looked(w, hub, service, Deployer(["1.3.0", "1.2.0", "1.1.0"], "1.3.0"))
        hub.faults.next(
            "github.tags", Fault(status=403, error="Resource not accessible by integration")
        )
        blind = await looked(w, hub, service, Deployer(["1.3.0", "1.2.0", "1.1.0"], "1.3.0"))
    assert (report.suspect, report.recommendation.choice) == (
        Release(version="1.3.0", commit=Z),
        Choice.ROLLBACK,
    )
    assert report.recommendation.target == Release(version="1.2.0", commit=Y)
    assert blind.suspect == Release(version="1.3.0"), (
        "without the tags nothing joins the deployment with the release: its first event stands"
    )
    assert blind.recommendation.choice is not Choice.ROLLBACK


async def test_the_neighbours_deploy_is_neither_suspect_nor_what_runs(hub: Hub) -> None:
    hub.github.tags |= {"shop-v1.3.0": X, "shop-v1.4.0": Y, "billing-v7.1.0": Z}
    for ref, minutes in (("shop-v1.3.0", 900), ("shop-v1.4.0", 20), ("billing-v7.1.0", 7)):
        hub.github.deploy(ref, at=ago(minutes), environment="live")
    live = DeployWorkflow(environment="live")
    names = ReleaseNames(sentry="shop@{version}", tag="shop-v{version}")
    shop = SHOP.model_copy(update={"release": names, "deployer": "github", "deploy": live})
    billing = Service(
        name="billing",
        repository="acme/shop",
        deploy=live,
        release=ReleaseNames(tag="billing-v{version}"),
    )
    async with world(service=shop) as w:
        w.burn("/cart", "/pay", since=6, release="shop@1.4.0")
        report = await looked(w, hub, shop, Deployer(["1.4.0", "1.3.0"]))
    assert report.suspect == Release(version="1.4.0", commit=Y)
    assert [d.release.version for d in report.deploys] == ["1.4.0", "1.3.0"]
    assert await hub.deployer.running(shop) == Release(version="1.4.0", commit=Y), (
        "billing's success made it inactive"
    )
    assert await hub.deployer.running(billing) == Release(version="7.1.0", commit=Z)
    assert [r.version for r in await hub.deployer.releases(shop)] == ["1.4.0", "1.3.0"]
    taken_down = hub.github.deployments[1]
    taken_down.statuses = [("success", ago(19)), ("inactive", ago(15))]
    assert await hub.deployer.running(shop) is None, "taken down before billing was deployed"


async def test_two_builds_of_a_version_are_one_version(hub: Hub) -> None:
    names = ReleaseNames(sentry="shop@{version}+{build}", tag="v{version}")
    service = SHOP.model_copy(update={"release": names})
    async with world(service=service) as w:
        for name, minutes in (
            ("shop@1.2.0+790", 600),
            ("shop@1.3.0+812", 60),
            ("shop@1.3.0+813", 8),
        ):
            w.deployed(name, minutes)
        w.burn("/cart", "/pay", release="shop@1.3.0+813")
        report = await looked(w, hub, service, Deployer(["1.3.0", "1.2.0"], "1.3.0"))
        assert (report.suspect, report.recommendation.choice) == (
            Release(version="1.3.0"),
            Choice.ROLLBACK,
        )
        assert report.suspect_minutes == pytest.approx(2, abs=0.5)
        assert report.recommendation.target == Release(version="1.2.0")
        new = await w.client.new_issues(service, "1.3.0", ago(7), NOW)
        assert len(new) == 2, "its build is searched for, too"
        assert await w.client.new_issues(service, "1.2.0", ago(7), NOW) == []
        assert await w.client.new_issues(service, "1.3", ago(7), NOW) == ()
        assert list(await w.client.names_of(service, "1.3.0")) == [
            "shop@1.3.0+813",
            "shop@1.3.0+812",
        ]
        w.faults.next("sentry.releases", Fault(status=403))
        assert len(await w.client.new_issues(service, "1.3.0", ago(7), NOW)) == 2


@pytest.mark.parametrize("name", [Z, Z[:7], f"shop@{Z[:12]}"])
async def test_new_issues_of_a_commit_are_found_however_sentry_abbreviates_it(name: str) -> None:
    pattern = name.replace(Z[: len(name.rpartition("@")[2])], "{version}")
    service = SHOP.model_copy(update={"release": ReleaseNames(sentry=pattern)})
    async with world(service=service) as w:
        w.local.add_release(f"{name}", projects=["shop"], created=ago(8).timestamp())
        w.local.add_release(Y, projects=["shop"], created=ago(600).timestamp())
        w.burn("/cart", release=name)
        assert len(await w.client.new_issues(service, Z, ago(7), NOW)) == 1
        assert await w.client.new_issues(service, Y, ago(7), NOW) in ([], ())
        assert list(await w.client.names_of(service, Z)) == [name]


@pytest.mark.parametrize("via", ["workflow", "deployments"])
async def test_a_release_that_is_a_commit_is_deployed_by_it(
    hub: Hub, via: Literal["workflow", "deployments"]
) -> None:
    by_branch(hub)
    shop = SHOP.model_copy(update={"deployer": "github", "deploy": DeployWorkflow(via=via)})
    assert await hub.deployer.running(shop) == Release(version=Z, commit=Z)
    listed = await hub.deployer.releases(shop)
    assert listed == [Release(version=sha, commit=sha) for sha in (Z, Y, X)]
    await hub.deployer.start(shop, "inc-1-1", listed[1], hotfix=False)
    if via == "workflow":
        [run] = hub.github.runs
        assert run.inputs == {"release": Y, "commit": Y, "decision": "inc-1-1", "hotfix": "false"}
    else:
        assert (hub.github.deployments[-1].ref, hub.github.deployments[-1].sha) == (Y, Y)
    with pytest.raises(PortError, match="has no commit 1111111"):
        await hub.deployer.start(shop, "inc-1-2", Release(version="1" * 39 + "2"), hotfix=False)
    tagged = shop.model_copy(update={"release": ReleaseNames(tag="v{version}")})
    assert await hub.deployer.releases(tagged) == [], "its releases are tags"


async def test_a_command_that_lists_tags_and_a_clone_know_the_commits_without_github(
    tmp_path: Path,
) -> None:
    clone = Repository(tmp_path / "shop")
    shas = [
        clone.commit(f"Change {n}", {"shop.py": f"N = {n}\n"}, tag=f"v1.{n}.0") for n in range(3)
    ]
    clone.git("tag", "-a", "-m", "annotated", "v1.3.0", shas[2])
    tags = ("git", "tag", "--sort=-creatordate")
    commands = DeployCommands(
        directory=str(clone.path), run=("true", "{release}"), current=("true",), releases=tags
    )
    names = ReleaseNames(tag="v{version}", deploy="v{version}")
    shop = SHOP.model_copy(
        update={"deploy": commands, "checkout": str(clone.path), "release": names}
    )
    deployer = CommandDeployer(tmp_path / "state")
    listed = {release.version: release.commit for release in await deployer.releases(shop)}
    assert listed == {"1.3.0": shas[2], "1.2.0": shas[2], "1.1.0": shas[1], "1.0.0": shas[0]}
    async with world(service=shop) as w:
        for sha, minutes in ((shas[0], 900), (shas[1], 600), (shas[2], 8)):
            w.deployed(sha, minutes)
        w.burn("/cart", "/pay", release=shas[2])
        triaged = await triage(incident(), Sources(shop, w.client, (), deployer), (), NOW)
    assert triaged.report.suspect == Release(version=shas[2], commit=shas[2])
    assert triaged.report.recommendation.target == Release(version="1.1.0", commit=shas[1])
    nowhere = shop.model_copy(update={"checkout": str(tmp_path / "none")})
    assert {release.commit for release in await deployer.releases(nowhere)} == {None}
