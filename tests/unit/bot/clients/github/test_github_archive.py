"""Post-mortems by pull request on the local GitHub, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clients.github.archive import GitHubArchive
from bot.clients.http.client import AGAIN_PAUSES
from bot.store.incident_store import Store
from bot.wiring import Code
from phases.ports.coordination import Archive
from phases.ports.ports import NotSetUp, PortError
from phases.record.findings import Release
from phases.record.service import AdrPlace, Service
from sandbox.faults import Fault
from tests.support.values.factories import incident
from tests.support.worlds.github_world import SHOP, World, github_world

PLACED = SHOP.model_copy(update={"adr": AdrPlace(repository="acme/shop", path="docs/adr")})
TEXT = "# ADR-0008\n\nWhy it burned: “rates”.\n"


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


async def test_a_branch_and_a_pull_request_an_incident(world: World) -> None:
    archive: Archive = GitHubArchive(world.client)
    assert await archive.highest(PLACED) == 0
    head = world.github.commits[-1].sha
    world.github.files |= {
        (head, "docs/adr/0007-inc-0001-x.md"): "x",
        (head, "docs/adr/README.md"): "x",
    }
    assert await archive.highest(PLACED) == 7
    record = incident(title="Checkout is failing")
    adr = await archive.write(PLACED, record, 8, TEXT)
    assert (adr.number, adr.url) == (8, "https://github.com/acme/shop/pull/1")
    assert adr.path == f"docs/adr/0008-{record.id.lower()}-checkout-is-failing.md"
    (pull,) = world.github.pulls
    branch = f"firebreak/adr-0008-{record.id}-{record.ulid[-6:]}".lower()
    assert (pull.head_ref, pull.title) == (branch, f"ADR-0008: {record.id}, Checkout is failing")
    assert world.github.files[world.github.branches[branch], adr.path] == TEXT
    assert await archive.highest(PLACED) == 8  # an open one counts, too
    assert await archive.write(PLACED, record, 8, TEXT) == adr
    assert len(world.github.pulls) == 1
    assert archive.repository(PLACED) == "acme/shop:docs/adr"


async def test_the_folders_own_template(world: World) -> None:
    archive: Archive = GitHubArchive(world.client)
    assert await archive.template(PLACED) == ""
    head = world.github.commits[-1].sha
    world.github.files |= {
        (head, "docs/adr/0000-template.md"): "# {title}\n",
        (head, "docs/adr/0001-x.md"): "x",
    }
    assert await archive.template(PLACED) == "# {title}\n"
    for _ in range(1 + len(AGAIN_PAUSES)):
        world.faults.next("github.contents", Fault(status=503))
    with pytest.raises(PortError):
        await archive.template(PLACED)


@pytest.mark.parametrize("lost", ["create_ref", "put_contents", "create_pull"])
async def test_wherever_an_answer_is_lost_it_is_written_once(world: World, lost: str) -> None:
    archive = GitHubArchive(world.client)
    world.faults.next(f"github.{lost}", Fault(lose_answer=True))
    adr = await archive.write(PLACED, incident(), 1, TEXT)
    assert await archive.write(PLACED, incident(), 1, TEXT) == adr, (
        "what a worker that died had done is found"
    )
    assert [pull.number for pull in world.github.pulls] == [1]
    assert adr.url == "https://github.com/acme/shop/pull/1"
    assert len([path for _, path in world.github.files if path == adr.path]) == 1


@pytest.mark.parametrize("broken", ["create_ref", "put_contents", "create_pull"])
async def test_one_fault_of_githubs_own_in_many_calls_does_not_spoil_them_all(
    world: World, broken: str
) -> None:
    archive = GitHubArchive(world.client)
    world.faults.next(f"github.{broken}", Fault(status=502), times=len(AGAIN_PAUSES))
    adr = await archive.write(PLACED, incident(), 1, TEXT)
    assert [f"https://github.com/acme/shop/pull/{pull.number}" for pull in world.github.pulls] == [
        adr.url
    ]


async def test_written_anew_though_the_answer_was_lost(world: World) -> None:
    archive, record = GitHubArchive(world.client), incident()
    written = record.model_copy(update={"adr": await archive.write(PLACED, record, 1, TEXT)})
    world.faults.next("github.put_contents", Fault(lose_answer=True))
    assert written.adr is not None
    assert (
        await archive.revise(PLACED, written, lambda text: f"{text}More.\n", "written again")
        == written.adr.url
    )
    head = world.github.pulls[0].head_ref
    assert world.github.files[world.github.branches[head], written.adr.path] == f"{TEXT}More.\n"


async def test_a_refusal_says_what_is_missing(world: World) -> None:
    world.faults.next("github.create_ref", Fault(status=403, error="Resource not accessible"))
    with pytest.raises(PortError, match="Contents: write"):
        await GitHubArchive(world.client).write(PLACED, incident(), 1, TEXT)


async def test_a_rule_of_the_repository_is_said_and_no_token_is_blamed(world: World) -> None:
    rule = "Repository rule violations found: Cannot create ref due to creations being restricted."
    world.faults.next("github.create_ref", Fault(status=422, error=rule))
    with pytest.raises(PortError, match="creations being restricted") as refused:
        await GitHubArchive(world.client).write(PLACED, incident(), 1, TEXT)
    assert "our token" not in refused.value.text


async def test_a_file_that_somebody_changed_meanwhile_is_read_anew(world: World) -> None:
    archive, record = GitHubArchive(world.client), incident()
    written = record.model_copy(update={"adr": await archive.write(PLACED, record, 1, TEXT)})
    for message, again in (
        ("docs/adr/0001-x.md does not match 3d21ec53a331a6f037a91c368710b99387d012c1", True),
        ("is at 3d21ec53a331a6f037a91c368710b99387d012c1 but expected 7d1f", True),
        ("Changes must be made through a pull request.", False),
    ):
        world.faults.next("github.put_contents", Fault(status=409, error=message))
        with pytest.raises(PortError) as refused:
            await archive.revise(PLACED, written, lambda text: f"{text}More.\n", "why")
        assert refused.value.retryable is again


async def test_a_default_branch_that_was_renamed_is_the_new_one_at_once(world: World) -> None:
    assert await world.client.default_branch("acme/shop") == "main"
    world.github.default_branch = "trunk"
    await GitHubArchive(world.client).write(PLACED, incident(), 1, TEXT)
    await world.deployer.start(SHOP, "inc-0001-1", Release(version="1.2.0"), hotfix=False)
    assert len(world.github.runs) == 1


async def test_each_service_has_its_own_place(world: World, store: Store, tmp_path: Path) -> None:
    code = Code(world.client, store, tmp_path)
    assert code.archive_for(PLACED).repository(PLACED) == "acme/shop:docs/adr"
    local = Service(name="x", adr=AdrPlace(directory="/srv/adr"))
    assert code.archive_for(local).repository(local) == "/srv/adr"
    with pytest.raises(NotSetUp, match="GITHUB_TOKEN"):
        Code(None, store, tmp_path).archive_for(PLACED)


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ("ADR-0007-use-rust.md", "ADR-0008-{}-checkout-is-failing.md"),
        ("7. use-rust.md", "8. {}-checkout-is-failing.md"),
        ("0007_use_rust.md", "0008_{}_checkout_is_failing.md"),
        ("0007-use-rust.adoc", "0008-{}-checkout-is-failing.md"),
        ("accepted/0007-use-rust.md", "0008-{}-checkout-is-failing.md"),
        ("0007-email-template-engine.md", "0008-{}-checkout-is-failing.md"),
    ],
)
async def test_the_next_one_is_named_like_the_others(
    world: World, there: str, written: str
) -> None:
    archive, record = GitHubArchive(world.client), incident(title="Checkout is failing")
    world.github.files[world.github.commits[-1].sha, f"docs/adr/{there}"] = "# Use Rust\n\n## Why\n"
    assert await archive.template(PLACED) == ""
    assert await archive.highest(PLACED) == 7
    world.faults.next("github.create_pull", Fault(status=403, error="Resource not accessible"))
    with pytest.raises(PortError):
        await archive.write(PLACED, record, 8, TEXT)
    # Meanwhile a person writes decisions of another kind. The file on the branch stays the one.
    head = world.github.commits[-1].sha
    world.github.files |= {(head, f"docs/adr/decision-{n}.md"): "x" for n in (1, 2, 3)}
    adr = await archive.write(PLACED, record, 8, TEXT)
    assert adr.path == f"docs/adr/{written.format(record.id.lower())}"
    assert {path for _, path in world.github.files if record.id.lower() in path} == {adr.path}
    assert await archive.write(PLACED, record, 8, TEXT) == adr


async def test_where_github_does_not_list_all_no_number_is_guessed(world: World) -> None:
    head = world.github.commits[-1].sha
    world.github.files |= {(head, f"docs/adr/{n:04d}-x.md"): "x" for n in range(1, 1200)}
    with pytest.raises(PortError, match="1000 entries or more"):
        await GitHubArchive(world.client).highest(PLACED)


async def test_a_path_as_people_write_it(world: World) -> None:
    placed = SHOP.model_copy(update={"adr": AdrPlace(repository="acme/shop", path="./docs/adr/")})
    archive = GitHubArchive(world.client)
    assert (
        await archive.write(placed, incident(), await archive.highest(placed) + 1, TEXT)
    ).path.startswith("docs/adr/0001-")
