"""Deliveries to the app: signatures, shapes, acks, retries, repeats, response URLs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from sandbox.slack.channels import ALICE, BOT, BOT_USER, TEAM
from sandbox.slack.errors import ClientRefused
from tests.support.worlds.slack_world import Received, World, slack_world

GENERAL = "C0GENERAL"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with slack_world() as world:
        yield world


def form(received: Received) -> dict[str, Any]:
    return received.body


# Commands


async def test_a_command_is_a_signed_form_with_escaped_mentions(world: World) -> None:
    ack = await world.alice.command(
        "/incident ask @bob & @checkout-oncall in #general, see https://x.io/1 <3"
    )
    assert ack.ok
    body = form(world.app.received[0])
    assert (body["command"], body["user_id"], body["user_name"]) == ("/incident", ALICE, "alice")
    assert (body["channel_id"], body["channel_name"], body["team_id"]) == (GENERAL, "general", TEAM)
    assert body["text"] == (
        "ask <@U0BOB|bob> &amp; <!subteam^S0CHECKOUT|@checkout-oncall> in <#C0GENERAL|general>,"
        " see <https://x.io/1> &lt;3"
    )
    assert body["trigger_id"]
    assert body["response_url"].startswith(f"{world.url}/slack/response/")
    assert world.app.refused == 0, "the SDK's SignatureVerifier took the signature"


async def test_a_wrong_secret_is_refused_by_the_app(world: World) -> None:
    world.delivery.signing_secret = "wrong"
    ack = await world.alice.command("/incident x")
    assert (ack.status, ack.failure, world.app.refused) == (401, "http_error", 1)
    assert world.alice.toasts() == ['/incident failed with the error "dispatch_failed"']


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"text": "opened"}, "opened"),
        ({"response_type": "ephemeral", "text": "only you"}, "only you"),
    ],
)
async def test_the_body_of_a_commands_ack_is_shown_to_the_person(
    world: World, answer: Any, shown: str
) -> None:
    world.app.answers(answer)
    await world.alice.command("/incident x")
    assert [m["text"] for m in world.alice.ephemerals("general")] == [shown]
    assert world.bob.ephemerals() == []


async def test_an_ack_can_be_text_or_for_the_whole_channel(world: World) -> None:
    async def text(_: Received) -> Response:
        return PlainTextResponse("a text")

    world.app.answer = text
    await world.alice.command("/incident x")
    assert world.alice.ephemerals()[0]["text"] == "a text"
    world.app.answers({"response_type": "in_channel", "text": "for all"})
    await world.alice.command("/incident x")
    assert (await world.bob.sees("for all"))["bot_id"] == BOT


async def test_an_app_that_does_not_ack_in_time_is_reported_to_the_person() -> None:
    async with slack_world(ack_seconds=0.1) as world:
        go_on = asyncio.Event()

        async def slow(_: Received) -> Response:
            await go_on.wait()
            return Response()

        world.app.answer = slow
        ack = await world.alice.command("/incident x")
        go_on.set()
        assert ack.failure == "http_timeout"
        assert world.alice.toasts() == ['/incident failed with the error "operation_timeout"']


async def test_an_app_that_is_down_is_reported_too(world: World) -> None:
    world.delivery.request_url = "http://127.0.0.1:9/slack/events"
    assert (await world.alice.command("/incident x")).failure == "connection_failed"
    assert world.alice.toasts() == ['/incident failed with the error "dispatch_failed"']


# Events


async def test_messages_are_events_also_the_bots_own(world: World) -> None:
    world.alice.say("general", "prod is down @firebreak")
    await world.client.chat_postMessage(channel=GENERAL, text="mine")
    await world.delivery.idle()
    body = world.app.received[0].body
    assert (body["type"], body["team_id"]) == ("event_callback", TEAM)
    assert body["authorizations"][0]["user_id"] == BOT_USER
    assert body["event_id"].startswith("Ev")
    assert isinstance(body["event_time"], int)
    theirs, own = world.app.of_type("message")
    assert (theirs["user"], theirs["channel"], theirs["channel_type"]) == (
        ALICE,
        GENERAL,
        "channel",
    )
    assert theirs["text"] == "prod is down <@U0FIREBREAK>"
    assert theirs["event_ts"] == theirs["ts"]
    assert "bot_id" not in theirs
    assert own["bot_id"] == BOT


async def test_edits_and_deletions_are_events(world: World) -> None:
    ts = (await world.client.chat_postMessage(channel=GENERAL, text="a"))["ts"]
    await world.client.chat_update(channel=GENERAL, ts=ts, text="b")
    await world.client.chat_delete(channel=GENERAL, ts=ts)
    await world.delivery.idle()
    _, changed, deleted = world.app.of_type("message")
    assert (
        changed["subtype"],
        changed["message"]["text"],
        changed["previous_message"]["text"],
    ) == (
        "message_changed",
        "b",
        "a",
    )
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)


async def test_only_what_the_bot_is_in_and_asked_for(world: World) -> None:
    world.alice.say("incidents", "the bot is not here")
    await world.client.chat_postMessage(channel=ALICE, text="message.im is not in the manifest")
    await world.delivery.idle()
    assert world.app.received == []


async def test_the_channels_life_as_events(world: World) -> None:
    here = (await world.client.conversations_create(name="inc-0001"))["channel"]["id"]
    await world.client.conversations_invite(channel=here, users=ALICE)
    await world.client.conversations_archive(channel=here)
    world.workspace.delete_channel(world.workspace.channels[here], ALICE)
    await world.delivery.idle()
    joined = world.app.of_type("member_joined_channel")
    assert [(event["user"], event.get("inviter")) for event in joined] == [
        (BOT_USER, None),
        (ALICE, BOT_USER),
    ]
    assert world.app.of_type("channel_archive")[0]["channel"] == here
    (deleted,) = world.app.of_type("channel_deleted")
    assert (deleted["channel"], deleted["actor_id"]) == (here, ALICE)


async def test_an_event_that_is_not_acked_comes_again_three_times(world: World) -> None:
    world.app.answers({}, 500)
    world.alice.say("general", "hello")
    await world.delivery.idle()
    numbers = [r.headers.get("x-slack-retry-num") for r in world.app.received]
    assert numbers == [None, "1", "2", "3"]
    assert world.app.received[1].headers["x-slack-retry-reason"] == "http_error"
    assert len({r.body["event_id"] for r in world.app.received}) == 1


async def test_an_event_that_is_acked_late_comes_again() -> None:
    async with slack_world(ack_seconds=0.5) as world:
        go_on = asyncio.Event()

        async def first_one_slow(got: Received) -> Response:
            if "x-slack-retry-num" not in got.headers:
                world.delivery.ack_seconds = 60  # of the next one: late is the first alone
                await go_on.wait()
            return Response()

        world.app.answer = first_one_slow
        world.alice.say("general", "hello")
        await world.delivery.idle()
        go_on.set()
        assert [r.headers.get("x-slack-retry-reason") for r in world.app.received] == [
            None,
            "http_timeout",
        ]


# Repeats, on purpose


async def test_a_delivery_can_be_made_twice(world: World) -> None:
    world.delivery.twist("command", copies=2)
    await world.alice.command("/incident x")
    assert len({form(r)["trigger_id"] for r in world.app.received}) == 1
    assert len(world.app.received) == 2


@pytest.mark.parametrize(("fresh", "ids"), [(False, 1), (True, 2)])
async def test_an_event_can_come_twice_under_one_id_or_two(
    world: World, fresh: bool, ids: int
) -> None:
    world.delivery.twist("event:message", copies=2, fresh_event_id=fresh)
    world.alice.say("general", "hello")
    await world.delivery.idle()
    assert len({r.body["event_id"] for r in world.app.received}) == ids
    assert len({r.body["event"]["ts"] for r in world.app.received}) == 1


async def test_a_delivery_can_be_late_or_come_again_much_later(world: World) -> None:
    gate = asyncio.Event()
    world.delivery.twist("event", gate=gate)
    world.alice.say("general", "first")
    world.alice.say("general", "second")
    await asyncio.wait_for(world.app.came.wait(), 60)
    assert [event["text"] for event in world.app.of_type("message")] == ["second"]
    gate.set()
    await world.delivery.idle()
    await world.delivery.again(world.delivery.log[0], event_id="EvOTHER")
    assert [event["text"] for event in world.app.of_type("message")] == [
        "second",
        "first",
        "second",
    ]
    assert world.app.received[-1].body["event_id"] == "EvOTHER"


# Response URLs


async def test_a_response_url_answers_the_person_five_times(world: World) -> None:
    await world.alice.command("/incident x")
    url = form(world.app.received[0])["response_url"]
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        for number in range(5):
            assert (await http.post(url, json={"text": str(number)})).text == "ok"
        sixth = await http.post(url, json={"text": "6"})
        unknown = await http.post(f"{world.url}/slack/response/nope", json={"text": "x"})
        assert (sixth.status_code, sixth.text) == (404, "used_url")
        assert (unknown.status_code, unknown.text) == (404, "expired_url")
    assert [m["text"] for m in world.alice.ephemerals()] == list("01234")


async def test_a_response_url_replaces_and_deletes_the_message_that_was_clicked(
    world: World,
) -> None:
    block = {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        ],
    }
    await world.client.chat_postEphemeral(
        channel=GENERAL, user=ALICE, text="choose", blocks=[block]
    )
    await world.client.chat_postMessage(channel=GENERAL, text="choose", blocks=[block])
    await world.alice.click(world.alice.ephemerals()[0], "go")
    await world.alice.click(world.alice.messages("general")[0], "go")
    whispered, posted = world.app.of_type("block_actions")
    assert whispered["container"]["is_ephemeral"] is True
    assert "message" not in whispered, "Slack keeps no ephemeral messages"
    assert posted["message"]["text"] == "choose"
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        for payload in (whispered, posted):
            await http.post(
                payload["response_url"], json={"replace_original": True, "text": "done"}
            )
        assert [m["text"] for m in world.alice.ephemerals()] == ["done"]
        assert [m["text"] for m in world.alice.messages("general")] == ["done"]
        await http.post(whispered["response_url"], json={"delete_original": True})
    assert world.alice.ephemerals() == []
    with pytest.raises(ClientRefused, match="no go to press"):
        await world.alice.click(world.alice.messages("general")[0], "go")


async def test_signed_requests_can_be_made_by_hand(world: World) -> None:
    raw = json.dumps({"type": "event_callback", "event": {"type": "message"}})
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        old = world.delivery.signature(raw, at=int(world.workspace.now()) - 301)
        for headers, status in ((world.delivery.signature(raw), 200), (old, 401)):
            answer = await http.post(
                world.delivery.request_url,
                content=raw,
                headers={**headers, "Content-Type": "application/json"},
            )
            assert answer.status_code == status
