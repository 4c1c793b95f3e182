"""*Prepare revert*: from the tree's button to the pull request on the local GitHub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from bot.clients.github.reverts import GitHubReverts
from bot.store.incident_store import Store
from handlers import views
from phases.messages.commands import PrepareRevert
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.ports.ports import PortError
from phases.record.findings import Bisect, Cause, Suspect
from phases.record.incident import Incident
from phases.root_cause.revert import commit_to_revert
from phases.shared.change import Change, Refused
from phases.workflow import step
from sandbox.faults import Fault
from sandbox.github.state import Pull
from tests.support.values.factories import incident
from tests.support.worlds.github_world import SHOP, World, github_world

NOW = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)
PULL = "https://github.com/acme/shop/pull/7"
FIRST = Suspect(sha="b" * 40, subject="Rates", pull_request=PULL)
SECOND = Suspect(
    sha="c" * 40, subject="Wording", pull_request="https://github.com/acme/shop/pull/8"
)


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        made.github.pulls.append(Pull(7, "Rates", "b" * 40, "rates", merged=True))
        yield made


async def test_made_once_even_where_the_answer_is_lost(world: World) -> None:
    reverts = GitHubReverts(world.client)
    world.faults.next("github.graphql", Fault())
    world.faults.next("github.graphql", Fault(lose_answer=True))
    with pytest.raises(PortError) as lost:
        await reverts.prepare(SHOP, PULL, "Prepared in INC-0001")
    assert lost.value.retryable
    url = await reverts.prepare(SHOP, PULL, "Prepared in INC-0001")
    assert url == "https://github.com/acme/shop/pull/8"
    made = world.github.pulls[1:]
    assert [(p.title, p.body) for p in made] == [('Revert "Rates"', "Prepared in INC-0001")]
    # It can be shipped at once.
    assert [f.name for f in await world.source.hotfixes(SHOP)] == ["#8"]


@pytest.mark.parametrize(
    ("pull", "message"),
    [
        (Pull(9, "x", "d" * 40, "x"), "not merged"),
        (Pull(9, "x", "d" * 40, "x", merged=True, conflicts=True), "git has conflicts"),
        (Pull(10, "x", "d" * 40, "x", merged=True), "no pull request #9"),
    ],
)
async def test_why_it_cannot_be_made(world: World, pull: Pull, message: str) -> None:
    world.github.pulls.append(pull)
    with pytest.raises(PortError, match=message) as refused:
        await GitHubReverts(world.client).prepare(
            SHOP, "https://github.com/acme/shop/pull/9", "why"
        )
    assert not refused.value.retryable


def after(record: Incident, action: PrepareRevert | RevertPrepared) -> Change:
    change = step(record, action, SHOP, NOW)
    assert isinstance(change, Change)
    return change


def test_asked_for_once_and_said_once() -> None:
    record = incident(suspects=(FIRST, SECOND))
    change = after(record, PrepareRevert(by="U0BOB", pull_request=PULL))
    assert change.effects == (Revert(pull_request=PULL),)
    again = step(change.incident, PrepareRevert(by="U0BOB", pull_request=PULL), SHOP, NOW)
    assert isinstance(again, Refused)
    other = step(
        record, PrepareRevert(by="U0BOB", pull_request=SECOND.pull_request or ""), SHOP, NOW
    )
    assert isinstance(other, Refused)  # the suspect has changed since the button was shown
    done = RevertPrepared(pull_request=PULL, url="https://github.com/acme/shop/pull/9")
    noted = after(change.incident, done)
    assert any("pull/9" in entry.text for entry in noted.entries)
    assert after(noted.incident, done).effects == ()


def test_whose_revert_it_is() -> None:
    assert commit_to_revert(incident(suspects=(FIRST, SECOND))) == FIRST
    cause = Cause(text="wording", at=NOW, by="U0BOB", commit="c" * 40)
    assert commit_to_revert(incident(suspects=(FIRST, SECOND), cause=cause)) == SECOND
    bisect = Bisect(id="b", good="1", bad="2", state="found", culprit=Suspect(sha="d" * 40))
    assert commit_to_revert(incident(suspects=(FIRST, SECOND), bisect=bisect)) is None
    assert commit_to_revert(incident()) is None


def test_the_button_is_there_where_it_works() -> None:
    record = incident(suspects=(FIRST,))
    shown = str(views.tree(record, reverts=True).payload())
    assert "incident.revert" in shown
    assert "incident.revert" not in str(views.tree(record).payload())
    wanted = after(record, PrepareRevert(by="U0BOB", pull_request=PULL)).incident
    assert "incident.revert" not in str(views.tree(wanted, reverts=True).payload())
