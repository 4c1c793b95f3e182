"""What went out before an effect was given up is found when it is tried again.

Each effect is sent, its answer is lost, it is given up, and tried again under another id. Wanted
anew, say because the incident was reopened, it is done anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.clients.discord import Discord as DiscordClient
from bot.clients.linear.client import Linear as LinearClient
from bot.clients.slack.client import Slack
from bot.performers.context import EffectContext, registered
from bot.store.job import Job
from handlers.views.blocks import Message
from phases.coordination.declare import discord_posted
from phases.coordination.ticket import catch_up_text
from phases.messages import effects as wanted
from phases.messages.base import Action
from phases.messages.results import BookmarkSet, ChannelArchived, ChannelOpened, EffectDone
from phases.ports.ports import Person, PortError
from phases.record.documents import Ticket
from phases.record.incident import (
    Bookmark,
    Channel,
    Entry,
    Failure,
    Incident,
    MessageRef,
    Round,
    Status,
)
from phases.shared.change import Draft
from phases.shared.rounds import decision_name
from sandbox.discord import BOT_TOKEN as DISCORD_BOT_TOKEN
from sandbox.discord import Discord, discord_app
from sandbox.faults import Fault, Faults
from sandbox.linear.api import linear_app
from sandbox.linear.state import API_KEY, Linear
from sandbox.slack.api import BOT_TOKEN
from tests.support.values.factories import incident, service
from tests.support.worlds.local_http import serving
from tests.support.worlds.slack_world import World as SlackWorld
from tests.support.worlds.slack_world import slack_world

FIRST, AGAIN, ANEW = "INC-0001.2.1", "INC-0001.9.1", "INC-0001.20.1"
BEGAN = datetime.now(UTC) - timedelta(seconds=5)


class World:
    """Slack, Linear and Discord, and the effects of one incident on them."""

    def __init__(self, slack: SlackWorld, linear: Linear, discord: Discord, faults: Faults) -> None:
        self.slack, self.linear, self.discord, self.faults = slack, linear, discord, faults
        self.entries: list[Entry] = []
        self.heard: list[Action] = []
        self.meanwhile: list[Coroutine[Any, Any, None]] = []
        """Happen one after the other, each when the timeline was just read."""
        self.record = incident(
            declared_at=BEGAN,
            channel=Channel(id="C0GENERAL", name="general"),
            messages={"announcement": MessageRef(channel="C0GENERAL", ts="1.000100")},
        )
        self.perform: dict[str, Callable[..., Any]] = {}

    async def look(self, id: str, version: int = 0) -> Incident:
        return self.record

    async def hear(self, action: Action, id: str) -> None:
        self.heard.append(action)

    async def timeline(self, id: str) -> list[Entry]:
        read = [*self.entries]
        if self.meanwhile:
            await self.meanwhile.pop(0)
        return read

    async def says(self, words: str) -> None:
        """Somebody says it: it is in the timeline, and wanted as a comment."""
        self.entries.append(Entry(at=BEGAN, kind="update", text=words))
        await self(wanted.CommentTicket(text=words), f"INC-0001.{20 + len(self.entries)}.1")

    async def __call__(
        self, effect: wanted.Effect, id: str, wanted_as: str | None = None, later: float = 0
    ) -> Any:
        at = datetime.now(UTC) + timedelta(hours=later)
        effect = effect.model_copy(update={"wanted_as": wanted_as})
        job = Job("INC-0001", id, at, 1, wanted_as)
        return await self.perform[effect.type](effect, job)

    async def lost(self, call: str, effect: wanted.Effect) -> None:
        """It is done, and nobody hears of it."""
        self.faults.next(call, Fault(lose_answer=True), times=3)
        with pytest.raises(PortError):
            await self(effect, FIRST)
        self.faults.clear()

    def decides(self, number: int) -> None:
        """The decision of this round is posted."""
        general = self.slack.workspace.channel("general")
        ts = str(self.slack.alice.say(general, f"Decision {number}")["ts"])
        posted = {decision_name(number): MessageRef(channel=general.id, ts=ts)}
        asked = Round(number=number, opened_at=BEGAN, why="")
        rounds = (*self.record.rounds, asked)
        changed = {"rounds": rounds, "messages": self.record.messages | posted}
        self.record = self.record.model_copy(update=changed)

    def posted(self, words: str) -> int:
        places = self.slack.workspace.channels.values()
        return sum(words in str(message) for place in places for message in place.messages)

    def comments(self, words: str) -> int:
        return sum(words in comment.body for comment in self.linear.comments)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    linear, discord = Linear(teams={"ENG": "Engineering"}), Discord()
    async with (
        slack_world() as around,
        serving(linear_app(linear, around.faults)) as linear_url,
        serving(discord_app(discord, around.faults)) as discord_url,
    ):
        world = World(around, linear, discord, around.faults)
        slack = Slack(BOT_TOKEN, f"{around.url}/slack/api/")
        await slack.start()
        tickets = LinearClient(f"{linear_url}/graphql", API_KEY)
        announcer = DiscordClient(f"{discord_url}/api/webhooks/1/sandbox", DISCORD_BOT_TOKEN)

        async def known(text: Any) -> Any:
            return text

        async def nobody(_: object) -> tuple[str, ...]:
            return ()

        async def here(*_: object) -> Person:
            return Person(id="U0ALICE", name="Alice Reyes", member=True)

        async def place() -> str:
            return "C0GENERAL"

        async def redis_now() -> datetime:
            return datetime.now(UTC)

        async def render(name: str, of: Incident, now: datetime) -> Message:
            return Message(f"{of.id} {name}")

        async def heard(id: str, name: str, message: Message | None) -> None:
            return

        nothing: dict[str, Any] = {field.name: None for field in dataclasses.fields(EffectContext)}
        given = {
            "dispatcher": SimpleNamespace(
                load=world.look,
                recent=world.look,
                timeline=world.timeline,
                dispatch=world.hear,
            ),
            "slack": slack,
            "tickets": tickets,
            "announcer": announcer,
            "people": SimpleNamespace(plain=known, name=known, owners=nobody, person=here),
            "catalogue": SimpleNamespace(get=lambda name: service()),
            "incidents_channel": place,
            "redis_now": redis_now,
            "now": lambda: datetime.now(UTC),
            "render": render,
            "posted": heard,
        }
        world.perform = registered(EffectContext(**nothing | given))
        yield world
        await announcer.aclose()
        await tickets.aclose()
        await slack.aclose()


IN_SLACK: list[tuple[wanted.Effect, str]] = [
    (wanted.PostSummary(), "PRODUCTION INCIDENT"),
    (wanted.Say(text="It burns again"), "It burns again"),
    (wanted.Say(text="Open again", goes_to="announcement"), "Open again"),
    (wanted.Remind(who="U0ALICE", text="What is new?"), "What is new?"),
    (wanted.RemindOwner(person=None, numbers=(), day=BEGAN.date()), "overdue"),
    (wanted.Page(key="sev1", text="37 users"), "37 users"),
]


@pytest.mark.parametrize(
    ("effect", "words"), IN_SLACK, ids=lambda value: getattr(value, "type", "")
)
async def test_a_message_that_was_given_up_is_posted_once(
    world: World, effect: wanted.Effect, words: str
) -> None:
    if getattr(effect, "goes_to", "") == "announcement":
        root = world.slack.workspace.channel("general").messages
        root.append({"ts": "1.000100", "type": "message", "text": "root", "user": "U0BOT"})
    await world.lost("slack.chat.postMessage", effect)
    assert world.posted(words) == 1
    await world(effect, AGAIN, wanted_as=FIRST)
    assert world.posted(words) == 1
    await world(effect, ANEW)
    assert world.posted(words) == 2


@pytest.mark.parametrize("decisions", [0, 1])
@pytest.mark.parametrize(
    "effect", [wanted.Say(text="A small thing", thread=True), wanted.PostLive(name="tree")]
)
async def test_a_newer_decision_does_not_hide_what_stands_beside_it(
    world: World, effect: wanted.Effect, decisions: int
) -> None:
    """It was posted in the thread of the one before; in the channel where there was none."""
    for number in range(1, decisions + 1):
        world.decides(number)
    await world.lost("slack.chat.postMessage", effect)
    world.decides(decisions + 1)
    await world(effect, AGAIN, wanted_as=FIRST)
    assert world.posted("A small thing") + world.posted("INC-0001 tree") == 1


async def test_a_thread_in_place_of_a_channel_is_begun_once(world: World) -> None:
    world.record = incident(declared_at=BEGAN, in_thread=True)
    await world.lost("slack.chat.postMessage", wanted.OpenChannel())
    done = await world(wanted.OpenChannel(), AGAIN, wanted_as=FIRST)
    assert isinstance(done, ChannelOpened)
    assert world.posted("INC-0001: ") == 1


async def test_a_thread_that_was_begun_stays_the_place_where_a_channel_could_be_opened_later(
    world: World,
) -> None:
    world.record = incident(declared_at=BEGAN)
    world.faults.always("slack.conversations.create", Fault(error="restricted_action"))
    world.faults.next("slack.chat.postMessage", Fault(lose_answer=True), times=3)
    with pytest.raises(PortError):
        await world(wanted.OpenChannel(), FIRST)
    world.faults.clear()
    for id in (FIRST, AGAIN):  # another try of it, and one of what was given up
        done = await world(wanted.OpenChannel(), id, wanted_as=FIRST)
        assert isinstance(done, ChannelOpened)
        assert done.channel.thread_ts
    assert world.posted("INC-0001: ") == 1
    assert not [name for name in names(world) if name.startswith("inc-0001-")]


async def test_a_message_for_an_archived_channel_waits_for_its_successor(world: World) -> None:
    """Nobody heard that it was archived: the incident hears of it now."""
    world.slack.workspace.channel("general").is_archived = True
    with pytest.raises(PortError, match="is_archived") as refused:
        await world(wanted.Say(text="It burns again"), FIRST)
    assert refused.value.retryable
    assert world.heard == [ChannelArchived(channel="C0GENERAL")]


@pytest.mark.parametrize("word", ["no_permission", "too_many_convos_for_team", "ekm_access_denied"])
async def test_whatever_slack_refuses_a_channel_for_the_incident_has_its_place(
    world: World, word: str
) -> None:
    """https://docs.slack.dev/reference/methods/conversations.create#errors"""
    world.record = world.record.model_copy(update={"channel": None})
    world.faults.always("slack.conversations.create", Fault(error=word))
    opened = await world(wanted.OpenChannel(), FIRST)
    assert isinstance(opened, ChannelOpened)
    assert (opened.channel.id, opened.reason) == (
        "C0GENERAL",
        f"Slack refused conversations.create: {word}",
    )
    assert opened.channel.thread_ts is not None


async def test_a_channel_whose_purpose_was_not_set_is_taken_by_the_next_effect(
    world: World,
) -> None:
    world.record = incident(declared_at=BEGAN)
    await world.lost("slack.conversations.create", wanted.OpenChannel())
    made = [name for name in names(world) if name.startswith("inc-0001-")]
    done = await world(wanted.OpenChannel(), AGAIN, later=3)
    assert isinstance(done, ChannelOpened)
    assert [name for name in names(world) if name.startswith("inc-0001-")] == made


def names(world: World) -> list[str]:
    return [channel.name for channel in world.slack.workspace.channels.values()]


async def test_a_bookmark_that_was_given_up_is_found(world: World) -> None:
    world.slack.workspace.scopes.add("bookmarks:read")
    world.record = world.record.model_copy(
        update={"bookmarks": {"ticket": Bookmark(link="https://linear.app/ENG-1")}}
    )
    effect = wanted.SetBookmark(name="ticket")
    await world.lost("slack.bookmarks.add", effect)
    done = await world(effect, AGAIN, wanted_as=FIRST)
    assert isinstance(done, BookmarkSet)
    assert len(world.slack.workspace.channel("general").bookmarks) == 1


async def test_the_post_on_discord_is_found_by_whichever_effect_comes_next(world: World) -> None:
    effect = wanted.TellDiscord()
    await world.lost("discord.post", effect)
    await world(effect, AGAIN, wanted_as=FIRST)
    assert len(world.discord.posts) == 1
    # Any change wants the first post again while its failure is known.
    body = wanted.EFFECT.dump_json(effect).decode()
    failure = Failure(effect_id=FIRST, kind=effect.type, reason="late", at=BEGAN, effect=body)
    world.record = world.record.model_copy(update={"failures": (failure,)})
    await world(effect, ANEW)
    assert len(world.discord.posts) == 1


async def ticket(world: World) -> Ticket:
    given = {"teamId": world.linear.teams[0].id, "title": "checkout is failing"}
    issue = world.linear.create_issue(given)
    return Ticket(id=issue.id, identifier=issue.identifier, url="https://linear.app/ENG-1")


async def test_a_post_that_somebody_deleted_is_made_anew_while_the_incident_is_open(
    world: World,
) -> None:
    posted = await world(wanted.TellDiscord(), FIRST)
    known = {"discord_id": posted.id, "discord_channel": posted.channel, "discord_pinned": True}
    world.record = world.record.model_copy(update=known)
    assert await world(wanted.TellDiscord(), AGAIN) == EffectDone(kind="discord")
    world.discord.posts.clear()
    anew = await world(wanted.TellDiscord(), ANEW)
    assert [post.id for post in world.discord.posts] == [anew.id]
    draft = Draft(world.record, BEGAN, service())
    discord_posted(draft, anew)
    assert (draft.incident.discord_id, draft.incident.discord_pinned) == (anew.id, True)
    assert [wanted.PinDiscord()] == [
        effect for effect in draft.effects if isinstance(effect, wanted.PinDiscord)
    ]
    world.discord.posts.clear()
    world.record = draft.incident.model_copy(update={"status": Status.RESOLVED})
    assert await world(wanted.TellDiscord(), "INC-0001.30.1") == EffectDone(kind="discord")
    assert world.discord.posts == []


async def test_comments_that_were_given_up_are_made_once(world: World) -> None:
    on = await ticket(world)
    world.record = world.record.model_copy(update={"ticket": on, "parent": on})
    for effect, words in (
        (wanted.CommentParent(text="It is on fire"), "It is on fire"),
        (wanted.CloseTicket(), "PRODUCTION INCIDENT"),
    ):
        await world.lost("linear.commentCreate", effect)
        assert world.comments(words) == 1
        await world(effect, AGAIN, wanted_as=FIRST)
        assert world.comments(words) == 1
        await world(effect, ANEW)
        assert world.comments(words) == 2


async def test_what_was_said_meanwhile_is_in_the_one_comment_that_catches_up(world: World) -> None:
    world.record = world.record.model_copy(update={"ticket": await ticket(world)})
    since = BEGAN - timedelta(minutes=1)
    effect = wanted.CatchUp(since=since)
    world.entries = [Entry(at=BEGAN, kind="update", text="Half of the carts are empty")]
    await world.lost("linear.commentCreate", effect)
    world.entries.append(Entry(at=BEGAN, kind="update", text="All of them"))
    await world(effect, AGAIN, wanted_as=FIRST)
    [comment] = world.linear.comments
    assert comment.body.split() == catch_up_text(world.entries, since).split()


@pytest.mark.parametrize("tried_before", [False, True])
async def test_what_is_said_while_the_ticket_catches_up_is_in_its_comment(
    world: World, tried_before: bool
) -> None:
    """Comments are left to the one that catches up for as long as its failure is known."""
    effect = wanted.CatchUp(since=BEGAN - timedelta(minutes=1))
    body = wanted.EFFECT.dump_json(effect).decode()
    failure = Failure(effect_id=FIRST, kind=effect.type, reason="late", at=BEGAN, effect=body)
    changes = {"ticket": await ticket(world), "failures": (failure,)}
    world.record = world.record.model_copy(update=changes)
    world.entries = [Entry(at=BEGAN, kind="update", text="Half of the carts are empty")]
    if tried_before:
        await world.lost("linear.commentCreate", effect)
    world.meanwhile = [world.says("All of them"), world.says("And no vouchers")]
    await world(effect, AGAIN, wanted_as=FIRST)
    assert not world.meanwhile
    [comment] = world.linear.comments
    assert comment.body.split() == catch_up_text(world.entries, effect.since).split()
