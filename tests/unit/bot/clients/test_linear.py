"""The Linear client against the local Linear, over real HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import pytest

from bot.clients.linear.client import Linear as Client
from bot.clients.linear.client import LinearError, NewIssue, made_id
from phases.ports.ports import PortError
from phases.record.documents import Ticket
from phases.record.service import Service
from sandbox.faults import Fault, Faults
from sandbox.linear.api import linear_app
from sandbox.linear.state import API_KEY, Linear
from tests.support.worlds.local_http import serving

SHOP = Service(name="shop", linear_team="shop")


class World:
    def __init__(self, linear: Linear, faults: Faults, url: str) -> None:
        self.linear, self.faults, self.url = linear, faults, url
        self.client = Client(f"{url}/graphql", API_KEY)
        self.changes = 0
        linear.on_change = self.changed

    def changed(self) -> None:
        self.changes += 1

    async def open(self, key: str = "INC-0001:ticket") -> Ticket:
        return await self.client.open(
            SHOP, NewIssue(key, "checkout is failing", "see https://example.com"), priority=1
        )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    linear, faults = Linear(), Faults()
    async with serving(linear_app(linear, faults)) as url:
        world = World(linear, faults, url)
        yield world
        await world.client.aclose()


def test_an_id_is_a_uuid_of_version_4_and_always_the_same() -> None:
    id = uuid.UUID(made_id("issue", "INC-0001:ticket"))
    assert id.version == 4
    assert id.variant == uuid.RFC_4122
    assert str(id) == made_id("issue", "INC-0001:ticket")
    assert str(id) != made_id("comment", "INC-0001:ticket")


async def test_from_open_to_closed(world: World) -> None:
    tickets = world.client
    ticket = await world.open()
    assert (ticket.identifier, ticket.url) == ("SHOP-1", "https://linear.app/sandbox/issue/SHOP-1")
    await tickets.attach(ticket, key="a", url="https://sentry.io/issues/1", title="Sentry SHOP-3")
    await tickets.comment(ticket, key="c", body="Recovered: 20 → 0 events a minute")
    (issue,) = world.linear.issues
    assert (issue.title, issue.priority, issue.state.name) == (
        "checkout is failing",
        1,
        "In Progress",
    )
    comments, attachments = world.linear.comments_on(issue), world.linear.attachments_on(issue)
    assert [c.body for c in comments] == ["Recovered: 20 → 0 events a minute"]
    assert [(a.url, a.title) for a in attachments] == [
        ("https://sentry.io/issues/1", "Sentry SHOP-3")
    ]
    moved = await tickets.move(ticket.id, state="completed", priority=3)
    assert [name for _, name in issue.history] == ["In Progress", "Done"]
    assert (moved.state, moved.priority, moved.id) == ("completed", 3, ticket.id)
    assert moved.at is not None
    assert ticket.state_at is not None
    assert moved.at > ticket.state_at
    await tickets.move(ticket.id, state="canceled")
    assert (issue.state.name, issue.priority) == ("Canceled", 3)
    assert world.changes == 5
    assert await world.client.check() == "Firebreak"


async def test_whatever_is_done_twice_is_there_once(world: World) -> None:
    first, second = await world.open(), await world.open()
    assert first == second
    other = await world.open("INC-0002:ticket")
    assert other.identifier == "SHOP-2"
    for _ in range(2):
        await world.client.comment(first, key="c", body="once")
        await world.client.attach(first, key="a", url="https://sentry.io/issues/1", title="again")
    assert (
        len(world.linear.issues),
        len(world.linear.comments),
        len(world.linear.attachments),
    ) == (2, 1, 1)


async def test_a_parent_is_found_by_what_people_call_it(world: World) -> None:
    bug = await world.open("bug")
    parent = await world.client.find("SHOP-1")
    assert parent == bug
    assert await world.client.find("SHOP-99") is None
    await world.client.open(
        SHOP, NewIssue("INC-0001:ticket", "checkout is failing", "x"), priority=2, parent=parent
    )
    assert world.linear.issues[-1].parent_id == bug.id


async def test_a_lost_answer_is_no_second_ticket(world: World) -> None:
    world.faults.next("linear.issueCreate", Fault(lose_answer=True))
    assert (await world.open()).identifier == "SHOP-1", (
        "asked again at once, Linear says that it is there"
    )
    assert (await world.open()).identifier == "SHOP-1"
    assert len(world.linear.issues) == 1


@pytest.mark.parametrize(
    ("fault", "retryable", "message"),
    [
        (Fault(error="RATELIMITED", retry_after=600), True, "slow down"),
        (Fault(error="RATELIMITED", status=200), True, "slow down"),
        (
            Fault(error="INTERNAL_SERVER_ERROR", status=200),
            True,
            "INTERNAL_SERVER_ERROR was staged",
        ),
        (Fault(error="FORBIDDEN", status=403), False, "LINEAR_API_KEY may not do this"),
        (Fault(error="USAGE_LIMIT_EXCEEDED"), False, "USAGE_LIMIT_EXCEEDED was staged"),
        (Fault(error="INPUT_ERROR"), False, "INPUT_ERROR was staged"),
        (Fault(status=502), True, "502"),
        (Fault(status=400), False, "(400)"),
    ],
)
async def test_errors_say_whether_trying_again_helps(
    world: World, fault: Fault, retryable: bool, message: str
) -> None:
    # Passing ones are asked again twice at once.
    world.faults.next("linear.issueCreate", fault, times=3)
    with pytest.raises(PortError) as refused:
        await world.open()
    assert refused.value.retryable is retryable
    assert message in refused.value.text
    assert refused.value.system == "Linear"
    if fault.retry_after:
        assert refused.value.retry_after == pytest.approx(fault.retry_after, abs=60)
    world.faults.clear()
    assert (await world.open()).identifier == "SHOP-1"


async def test_a_comment_that_cannot_be_made_is_an_error_and_not_taken_for_made(
    world: World,
) -> None:
    ticket = Ticket(id=str(uuid.uuid4()), identifier="SHOP-9", url="https://linear.app/x")
    with pytest.raises(LinearError) as refused:
        await world.client.comment(ticket, key="c", body="hello")
    assert not refused.value.retryable
    assert "Could not find referenced Issue" in refused.value.text


async def test_action_items_hang_below_the_ticket(world: World) -> None:
    ticket = await world.open()
    alice = next(user for user in world.linear.users if user.display_name == "alice")
    assert await world.client.person(name="ALICE", email=None) == alice.id
    assert (
        await world.client.person(name="nobody here", email="bob@EXAMPLE.com")
        == world.linear.users[2].id
    )
    assert await world.client.person(name="alice.l", email=None) is None, "she left"
    assert await world.client.person(name=" ", email=None) is None
    new, due = NewIssue("i:item:1", "a test with an empty\ntable", "x"), date(2026, 12, 1)
    made = await world.client.open_item(ticket, new, due=due, assignee=alice.id)
    assert await world.client.open_item(ticket, new, due=due, assignee=alice.id) == made, "once"
    (issue,) = world.linear.below(world.linear.issues[0])
    assert (issue.identifier, issue.title, issue.due_date, issue.state.type) == (
        made.identifier,
        "a test with an empty table",
        "2026-12-01",
        "unstarted",
    )
    assert issue.assignee is alice
    assert uuid.UUID(made.id).version == 4
    other = await world.client.open_item(
        ticket, replace(new, key="i:item:2"), due=due, assignee=str(uuid.uuid4())
    )
    assert world.linear.issue(other.identifier).assignee is None, (
        "whoever may not be assigned stops nothing"
    )
    world.linear.move(made.identifier, "completed")
    items = await world.client.look(ticket.id)
    assert [(item.id, item.state) for item in items] == [
        (ticket.id, "started"),
        (made.id, "completed"),
        (other.id, "unstarted"),
    ]
    assert await world.client.look(str(uuid.uuid4())) == ()


async def test_a_wrong_key_says_which_setting(world: World) -> None:
    client = Client(f"{world.url}/graphql", "lin_api_wrong")
    with pytest.raises(PortError) as refused:
        await client.check()
    assert not refused.value.retryable
    assert "LINEAR_API_KEY" in refused.value.text
    assert "lin_api_wrong" not in refused.value.text
    await client.aclose()


async def test_an_oauth_token_is_a_bearer() -> None:
    linear = Linear(api_key="lin_oauth_sandbox")
    async with serving(linear_app(linear, Faults())) as url:
        client = Client(f"{url}/graphql", "lin_oauth_sandbox")
        assert await client.check() == "Firebreak"
        await client.aclose()


async def test_an_unknown_team_names_the_key_of_the_catalogue(world: World) -> None:
    with pytest.raises(PortError, match="mend linear_team of shop"):
        await world.client.open(
            Service(name="shop", linear_team="OPS"), NewIssue("k", "t", ""), priority=2
        )
    assert (
        await world.client.open(Service(name="any"), NewIssue("k", "t", ""), priority=2)
    ).identifier == "SHOP-1"


async def test_where_there_are_several_teams_one_must_be_named() -> None:
    linear = Linear(teams={"SHOP": "Shop", "OPS": "Operations"})
    async with serving(linear_app(linear, Faults())) as url:
        client = Client(f"{url}/graphql", API_KEY)
        with pytest.raises(
            PortError, match="set linear_team of any in the catalogue: Linear has several teams"
        ):
            await client.open(Service(name="any"), NewIssue("k", "t", ""), priority=2)
        ops = Service(name="any", linear_team="OPS")
        assert (
            await client.open(ops, NewIssue("k", "  x\ny " + "z" * 300, ""), priority=2)
        ).identifier == "OPS-1"
        assert linear.issues[0].title.startswith("x y zzz")
        assert len(linear.issues[0].title) == 255
        linear.teams[1].states = [
            state for state in linear.teams[1].states if state.type != "completed"
        ]
        await client.aclose()
        client = Client(f"{url}/graphql", API_KEY)
        with pytest.raises(PortError, match="no state of type completed"):
            await client.move(linear.issues[0].id, state="completed")
        await client.aclose()
