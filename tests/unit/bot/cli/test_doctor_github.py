"""`firebreak doctor` on a service on GitHub, over real HTTP.

It shows workflows, the running release, and the names side by side.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.checks import github
from bot.cli.checks.release_names import release_names
from bot.cli.checks.services import decisions
from bot.store.incident_store import Store
from phases.record.service import AdrPlace, ReleaseNames
from sandbox.faults import Fault
from sandbox.github.state import Workflow
from tests.support.worlds.github_world import SHOP, World, github_world

HEAD = "ab" * 20


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


async def test_what_runs_and_that_the_workflows_are_there(world: World) -> None:
    [finding] = await github.deployer(SHOP, world.client)
    assert (finding.state, finding.says) == ("works", "1.3.0 runs in production")
    del world.github.workflows["hotfix.yml"]
    world.github.deployments.clear()
    missing, unknown = await github.deployer(SHOP, world.client)
    assert (missing.state, unknown.state) == ("broken", "unproven")
    assert "no workflow hotfix.yml" in missing.says
    assert "no successful deployment to production yet" in unknown.says
    [off] = await github.deployer(SHOP, None)
    assert "GITHUB_TOKEN" in off.mend


async def test_the_last_three_as_tags_and_deployments_name_them(world: World) -> None:
    world.github.tags |= {"v1.10.0": "1" * 40}
    world.github.deploy(HEAD, release="hotfix #12@abababa")
    world.github.deploy("v1.10.0")
    findings = await release_names(SHOP, None, world.client)
    assert [(finding.state, finding.says) for finding in findings] == [
        ("works", "Git: v1.10.0, v1.3.0, v1.2.0 (read by v{version})"),
        ("works", "the deployer: v1.10.0, v1.3.0, v1.2.0 (read by v{version})"),
    ]
    strange = SHOP.model_copy(
        update={"release": ReleaseNames(tag="release-{version}", deploy="release-{version}")}
    )
    assert [finding.state for finding in await release_names(strange, None, world.client)] == [
        "broken",
        "broken",
    ]


async def test_a_workflow_that_cannot_be_started_is_broken_with_its_reason(world: World) -> None:
    deploy = world.github.workflows["deploy.yml"]

    async def says() -> str:
        return " ".join(
            finding.says
            for finding in await github.deployer(SHOP, world.client)
            if finding.state == "broken"
        )

    assert await says() == ""
    for state, how in (
        ("disabled_manually", "by hand"),
        ("disabled_inactivity", "inactivity"),
        ("disabled_fork", "fork"),
    ):
        deploy.state = state
        assert how in await says()
        assert "Enable workflow" in await says()
    deploy.state = "deleted"
    assert "was deleted; main has hotfix.yml" in await says()
    deploy.state, deploy.branch = "active", "next"
    assert "there is no .github/workflows/deploy.yml on main" in await says()
    del world.github.workflows["deploy.yml"]
    world.github.workflows["release.yml"] = Workflow("release.yml")
    assert "has no workflow deploy.yml; main has hotfix.yml and release.yml." in await says()


async def test_an_archived_repository_is_broken(world: World) -> None:
    assert (await github.place("acme/shop", world.client, "mend")).state == "works"
    world.github.archived = True
    finding = await github.place("acme/shop", world.client, "mend")
    assert (finding.state, finding.says[:17]) == ("broken", "it is archived: n")
    world.faults.next("github.repository", Fault(status=502), times=5)
    away = await github.place("acme/shop", world.client, "GITHUB_TOKEN must see it")
    assert (away.state, away.mend) == ("broken", ""), "GitHub's own fault is mended by no token"


async def test_deployments_of_a_branch_and_of_others_side_by_side(world: World) -> None:
    world.github.deployments.clear()
    world.github.open_deployment("main", "3" * 40, "production", {}, "ci")
    world.github.open_deployment("main", "a" * 40, "production", {}, "ci")
    findings = await release_names(SHOP, None, world.client)
    assert [row.state for row in findings] == ["works", "works"]
    assert findings[-1].says == f"the deployer: {'a' * 40}, v1.3.0 (read by {{version}})"
    world.github.deployments.clear()
    world.github.tags["billing-v7.1.0"] = "a" * 40
    world.github.deploy("billing-v7.1.0")
    [finding] = await github.deployer(SHOP, world.client)
    assert (finding.state, finding.says[:55]) == (
        "unproven",
        "the newest deployments to production are none of it, by",
    )
    assert "billing-v7.1.0" in finding.says


async def test_how_the_next_post_mortem_is_named(world: World, tmp_path: Path) -> None:
    head = world.github.commits[-1].sha
    world.github.files |= {
        (head, "docs/adr/ADR-007-x.adoc"): "x",
        (head, "docs/adr/README.md"): "x",
    }
    hosted = SHOP.model_copy(update={"adr": AdrPlace(repository="acme/shop", path="docs/adr")})
    (tmp_path / "7. x.md").write_text("# x")
    here = SHOP.model_copy(update={"adr": AdrPlace(directory=str(tmp_path))})
    nowhere = SHOP.model_copy(update={"adr": AdrPlace(directory=str(tmp_path / "7. x.md"))})
    assert [
        (finding.state, finding.says)
        for place in (hosted, here)
        for finding in await decisions(place, world.client)
    ] == [
        (
            "works",
            (
                "acme/shop/docs/adr, newest number 7, the next is ADR-008-….md; its files end in "
                ".adoc, post-mortems are Markdown"
            ),
        ),
        ("works", f"{tmp_path}, newest number 7, the next is 8. ….md"),
    ]
    assert [finding.state for finding in await decisions(nowhere, world.client)] == ["broken"]
    assert await decisions(hosted, None) == []
