"""GitHub's own reason for not starting a deploy, and the visible state of the workflow.

No reason is guessed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from bot.clients.github.http import forbidden
from bot.store.incident_store import Store
from phases.ports.ports import PortError
from phases.record.findings import Release
from sandbox.faults import Fault
from sandbox.github.state import INPUTS, GitHub, Workflow
from tests.support.worlds.github_world import SHOP, World, github_world

TO = Release(version="1.2.0")
NEEDS = "the inputs release"


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


async def refused(world: World) -> str:
    with pytest.raises(PortError) as error:
        await world.deployer.start(SHOP, "inc-0042-1", TO, hotfix=False)
    assert not error.value.retryable
    assert world.github.runs == []
    assert error.value.text.startswith("nothing was started: ")
    return error.value.text.removeprefix("nothing was started: ")


def _state(state: str) -> Callable[[GitHub], None]:
    def change(github: GitHub) -> None:
        github.workflows["deploy.yml"].state = state

    return change


def _no_actions(github: GitHub) -> None:
    github.actions = False


def _archived(github: GitHub) -> None:
    github.archived = True


def _elsewhere(github: GitHub) -> None:
    github.workflows["deploy.yml"].branch = "next"


def _renamed(github: GitHub) -> None:
    del github.workflows["deploy.yml"]
    github.workflows["release.yaml"] = Workflow("release.yaml")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            _state("disabled_manually"),
            "the workflow deploy.yml of acme/shop was disabled by hand: enable it on GitHub",
        ),
        (_state("disabled_inactivity"), "was disabled by GitHub for inactivity: enable it"),
        (_state("disabled_fork"), "is disabled, because the repository is a fork: enable it"),
        (
            _state("deleted"),
            "the workflow deploy.yml of acme/shop was deleted; main has hotfix.yml",
        ),
        (
            _no_actions,
            (
                "GitHub Actions is disabled (“Actions has been disabled for this repository”): "
                "enable it"
            ),
        ),
        (_archived, "the repository is archived on GitHub"),
        (
            _elsewhere,
            (
                "there is no .github/workflows/deploy.yml on main, from where it is started; "
                "main has hotfix.yml"
            ),
        ),
        (_renamed, "acme/shop has no workflow deploy.yml; main has hotfix.yml and release.yaml"),
    ],
)
async def test_what_is_not_about_inputs_says_nothing_of_them(
    world: World, change: Callable[[GitHub], None], says: str
) -> None:
    change(world.github)
    text = await refused(world)
    assert says in text
    assert NEEDS not in text
    assert "our token" not in text


async def test_what_is_about_inputs_names_them(world: World) -> None:
    deploy = world.github.workflows["deploy.yml"]
    deploy.inputs = INPUTS[:3]
    assert (
        'does not declare all inputs (Unexpected inputs provided: ["hotfix"]): it needs the'
        in await refused(world)
    )
    deploy.inputs, deploy.required = (*INPUTS, "region"), ("region",)
    assert "requires an input that the bot does not send, region" in await refused(world)
    deploy.required, deploy.by_hand = (), False
    assert (
        "deploy.yml on main has no `workflow_dispatch` trigger: it needs one, with the"
        in await refused(world)
    )


async def test_a_refusal_in_words_that_nobody_knows_is_quoted_and_no_more(world: World) -> None:
    world.faults.next("github.dispatch", Fault(status=422, error="The moon is in the wrong house"))
    text = await refused(world)
    assert text == "GitHub refused the request (422) (The moon is in the wrong house)"


async def test_where_nothing_more_can_be_seen_the_refusal_stands_alone(world: World) -> None:
    world.github.workflows["deploy.yml"].state = "disabled_manually"
    world.faults.next(
        "github.workflow", Fault(status=403, error="Resource not accessible by integration")
    )
    assert "the workflow deploy.yml of acme/shop is disabled: enable it" in await refused(world)
    world.faults.next("github.dispatch", Fault(status=404))
    world.faults.next("github.workflow", Fault(status=502), times=5)
    assert (
        await refused(world) == "acme/shop has no workflow deploy.yml, or our token may not see it"
    )


@pytest.mark.parametrize(
    ("message", "names_the_permission"),
    [
        ("Resource not accessible by personal access token", True),
        ("Must have admin rights to Repository.", True),
        ("", True),
        ("Repository was archived so is read-only.", False),
        ("Resource protected by organization SAML enforcement.", False),
        (
            (
                "the `acme` organization has an IP allow list enabled, and your IP address is "
                "not permitted"
            ),
            False,
        ),
        ("Repository access blocked", False),
    ],
)
def test_not_every_403_is_a_permission_that_is_lacking(
    message: str, names_the_permission: bool
) -> None:
    text = forbidden("Actions: write", message)
    assert ("it needs Actions: write" in text) is names_the_permission
    assert message in text
