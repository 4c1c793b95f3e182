"""More than two incidents become one, and one that was no part of it parts again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.faults import Fault
from sandbox.slack.channels import Channel
from sandbox.slack.people import Person, plain
from sandbox.world import World
from tests.support.bots.stage import (
    SEARCH,
    SHOP,
    burn,
    declared,
    ephemeral_with,
    eventually,
    messages_with,
    status,
    town,
)

MAIL = '[services.mail]\nsentry = ["mail"]\nlinear_team = "ENG"\n'
SEARCH_WITH_A_TICKET = f'{SEARCH}linear_team = "ENG"\n'


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[World]:
    async with town(tmp_path, services=SHOP + SEARCH_WITH_A_TICKET + MAIL) as world:
        burn(world)
        yield world


def ticket_state(world: World, id: str) -> str:
    issues = (issue for issue in world.linear.issues if issue.title.startswith(id))
    return next((issue.state.type for issue in issues), "")


async def timeline(person: Person, channel: Channel) -> str:
    last = max((m["ts"] for m in person.ephemerals()), default="")
    await person.command("/incident timeline", channel)
    return plain(await ephemeral_with(person, "React with :pushpin:", after=last))


async def test_three_become_one_and_one_parts_again_whoever_is_killed_meanwhile(three: World):
    world, alice, bob = three, three.alice, three.bob
    shop = await declared(alice, "checkout is failing", "inc-0001-")
    search = await declared(bob, "search is slow", "inc-0002-")
    mail = await declared(alice, "mail does not arrive", "inc-0003-")
    for id in ("INC-0001", "INC-0002", "INC-0003"):
        await eventually(
            world, lambda id=id: ticket_state(world, id) == "started", f"{id}'s ticket"
        )
    await bob.command("/incident update search waits for the index", search)
    await bob.sees("search waits for the index", search)

    # Without ids the open incidents stand in a form; that of the channel is the one that stays.
    await alice.command("/incident merge", shop)
    form = await alice.open_modal("incident.merge")
    world.faults.next("slack.chat.postMessage", Fault(delay=5), times=3)
    await alice.submit(form, {"end": ["INC-0002", "INC-0003"]})
    world.kill_bot()
    await world.bot.until_running()
    await alice.sees("INC-0002 and INC-0003 are the same", shop)
    for room in (search, mail):
        await bob.sees("Duplicate of INC-0001", room) if room is search else await alice.sees(
            "Duplicate of INC-0001", room
        )
        await eventually(
            world, lambda room=room: "duplicate of INC-0001" in status(room), "its status"
        )
    for id in ("INC-0002", "INC-0003"):
        await eventually(
            world, lambda id=id: ticket_state(world, id) == "canceled", f"{id}'s ticket"
        )
    await eventually(world, lambda: bob.id in shop.members, "its people come along")
    lines = await timeline(alice, shop)
    assert lines.count("INC-0002: search waits for the index") == 1
    assert lines.count("INC-0003: mail does not arrive") <= 1

    # Search was something else: it has its channel, ticket and timeline again.
    world.faults.next("slack.chat.postMessage", Fault(delay=5), times=3)
    await bob.command("/incident split INC-0002", shop)
    await ephemeral_with(bob, "INC-0002 is open again, apart from INC-0001")
    world.kill_bot()
    await world.bot.until_running()
    await bob.sees("Decision 2", search)
    await alice.sees("INC-0002 is something else", shop)
    await eventually(
        world, lambda: "duplicate" not in status(search).lower(), "the status is of now"
    )
    await eventually(
        world, lambda: ticket_state(world, "INC-0002") == "started", "its ticket again"
    )
    assert ticket_state(world, "INC-0003") == "canceled", "the other one stays merged"
    assert not search.is_archived
    own, left = await timeline(bob, search), await timeline(alice, shop)
    assert own.count("search waits for the index") == 1
    assert "search waits for the index" not in left
    assert "INC-0003: " in left

    # Nothing was said twice, whoever was killed.
    assert len(messages_with(alice, shop, "are the same")) == 1
    assert len(messages_with(alice, shop, "is something else")) == 1
    for room, who in ((search, bob), (mail, alice)):
        assert len(messages_with(who, room, "Duplicate of INC-0001:")) == 1

    # A second split changes nothing, and the one that stayed is offered.
    await bob.command("/incident split INC-0002 from INC-0001")
    await ephemeral_with(bob, "INC-0002 is not part of INC-0001. Nothing was changed.")
    await alice.command("/incident split", shop)
    asked = await ephemeral_with(alice, "Which one is no part of INC-0001?")
    assert "INC-0002" not in plain(asked)
    await alice.click(asked, "incident.split")
    await alice.sees("Decision 2", mail)
    await alice.command("/incident split", shop)
    await ephemeral_with(alice, "Nothing is merged into INC-0001.")


async def test_where_the_service_burns_anew_it_is_asked_whether_that_is_the_same(three: World):
    world, alice = three, three.alice
    await declared(alice, "checkout is failing", "inc-0001-")
    search = await declared(alice, "search is slow", "inc-0002-")
    await alice.command("/incident merge INC-0002 INC-0001")
    asked = await ephemeral_with(alice, "are the same?")
    await alice.click(asked, "incident.merge")
    await alice.sees("Duplicate of INC-0001", search)
    await declared(alice, "search is down", "inc-0003-")

    # Its service has another one by now. As a duplicate it can be reopened, too: that is the same.
    await alice.command("/incident reopen INC-0002")
    question = await ephemeral_with(alice, "INC-0003 is now open on search")
    await alice.click(question, "incident.split")
    await alice.sees("Decision 2", search)
    await eventually(
        world, lambda: "duplicate" not in status(search).lower(), "the status is of now"
    )
