"""The local Slack's Web API, called by the real SDK over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.faults import Fault
from sandbox.slack.block_kit.blocks import plain
from sandbox.slack.channels import ALICE, BOB, BOT, BOT_USER, GUEST, OTHER, TEAM
from sandbox.slack.errors import SlackError
from tests.support.worlds.slack_world import World, slack_world

GENERAL, INCIDENTS = "C0GENERAL", "C0INCIDENTS"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*on fire*"}}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with slack_world() as world:
        yield world


async def refused(call: Any) -> SlackApiError:
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value


async def error_of(call: Any) -> str:
    return (await refused(call)).response["error"]


# The callers


async def test_auth_test_says_who_the_bot_is(world: World) -> None:
    who = await world.client.auth_test()
    assert (who["team_id"], who["user_id"], who["bot_id"]) == (TEAM, BOT_USER, BOT)
    assert "chat:write" in who.headers["x-oauth-scopes"].split(",")


async def test_tokens_are_checked(world: World) -> None:
    base = f"{world.url}/slack/api/"
    assert await error_of(AsyncWebClient("xoxb-wrong", base_url=base).auth_test()) == "invalid_auth"
    assert await error_of(AsyncWebClient(base_url=base).auth_test()) == "not_authed"
    assert (
        await error_of(world.client.apps_connections_open(app_token="xoxb-sandbox"))
        == "not_allowed_token_type"
    )
    assert await error_of(world.client.api_call("chat.explode")) == "unknown_method"


async def test_a_scope_that_the_manifest_does_not_ask_for_is_missing(world: World) -> None:
    answer = (await refused(world.client.bookmarks_list(channel_id=GENERAL))).response
    assert (answer["error"], answer["needed"]) == ("missing_scope", "bookmarks:read")
    world.workspace.scopes.add("bookmarks:read")
    assert (await world.client.bookmarks_list(channel_id=GENERAL))["bookmarks"] == []


async def test_arguments_come_as_form_json_or_query_by_get_or_post(world: World) -> None:
    api, bearer = f"{world.url}/slack/api", {"Authorization": "Bearer xoxb-sandbox"}
    post = f"{api}/chat.postMessage"
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        as_form = {"channel": "general", "blocks": json.dumps([SECTION]), "token": "xoxb-sandbox"}
        as_json = {"channel": "#general", "blocks": [SECTION]}
        answers = [
            await http.post(post, data=as_form),
            await http.post(post, json=as_json, headers=bearer),
            await http.get(post, params=as_form),
            await http.post(post, params={"channel": GENERAL, "text": "*on fire*"}, headers=bearer),
        ]
        broken = await http.post(
            post, content=b"{", headers={**bearer, "Content-Type": "application/json"}
        )
    assert [answer.json()["ok"] for answer in answers] == [True] * 4
    assert all("*on fire*" in plain(answer.json()["message"]) for answer in answers)
    assert broken.json() == {"ok": False, "error": "invalid_json"}
    assert "token" not in world.workspace.calls[0].args


# Messages


async def test_a_message_comes_back_as_slack_keeps_it(world: World) -> None:
    answer = await world.client.chat_postMessage(channel=GENERAL, text="fire", blocks=[SECTION])
    message = answer["message"]
    assert isinstance(answer["ts"], str)
    assert (message["bot_id"], message["user"], message["text"]) == (BOT, BOT_USER, "fire")
    assert "subtype" not in message
    assert message["blocks"][0]["block_id"]
    assert message["blocks"][0]["text"]["verbatim"] is False


async def test_editing(world: World) -> None:
    client = world.client
    ts = (await client.chat_postMessage(channel=GENERAL, text="a", blocks=[SECTION]))["ts"]
    # By `api_call`: the SDK's own method warns of a missing text.
    answer = await client.api_call(
        "chat.update", json={"channel": GENERAL, "ts": ts, "blocks": [SECTION]}
    )
    assert answer["message"]["text"] == "a"
    assert "edited" not in answer["message"]
    without = await client.chat_update(channel=GENERAL, ts=ts, text="b")
    assert "blocks" not in without["message"]
    theirs = world.alice.say("general", "mine")["ts"]
    assert (
        await error_of(client.chat_update(channel=GENERAL, ts=theirs, text="x"))
        == "cant_update_message"
    )
    assert (
        await error_of(client.chat_update(channel=GENERAL, ts="1.000001", text="x"))
        == "message_not_found"
    )
    assert (
        await error_of(client.chat_update(channel=GENERAL, ts=ts, text="x" * 4001))
        == "msg_too_long"
    )
    assert await error_of(client.chat_delete(channel=GENERAL, ts=theirs)) == "cant_delete_message"
    await client.chat_delete(channel=GENERAL, ts=ts)
    assert (
        await error_of(client.chat_update(channel=GENERAL, ts=ts, text="x")) == "message_not_found"
    )


async def test_a_long_text_is_cut_and_an_empty_one_refused(world: World) -> None:
    answer = await world.client.chat_postMessage(channel=GENERAL, text="x" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    assert (
        await error_of(world.client.api_call("chat.postMessage", json={"channel": GENERAL}))
        == "no_text"
    )


async def test_threads(world: World) -> None:
    client = world.client
    root = (await client.chat_postMessage(channel=GENERAL, text="root"))["ts"]
    await client.chat_postMessage(channel=GENERAL, text="reply", thread_ts=root)
    world.alice.say("general", "me too", thread_ts=root)
    assert (
        await error_of(client.chat_postMessage(channel=GENERAL, text="?", thread_ts="1.1"))
        == "thread_not_found"
    )
    history = (await client.conversations_history(channel=GENERAL))["messages"]
    assert [m["text"] for m in history] == ["root"]
    assert (history[0]["reply_count"], history[0]["reply_users"]) == (2, [BOT_USER, ALICE])
    thread = (await client.conversations_replies(channel=GENERAL, ts=root))["messages"]
    assert [m["text"] for m in thread] == ["root", "reply", "me too"]
    assert (
        await error_of(client.conversations_replies(channel=GENERAL, ts="1.1"))
        == "thread_not_found"
    )


async def test_history_pages_by_cursor_and_by_time(world: World) -> None:
    client = world.client
    ts = [(await client.chat_postMessage(channel=GENERAL, text=str(n)))["ts"] for n in range(5)]
    assert ts == sorted(ts)
    assert len(set(ts)) == 5
    first = await client.conversations_history(channel=GENERAL, limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel=GENERAL, limit=2, cursor=cursor)
    assert [m["text"] for m in [*first["messages"], *second["messages"]]] == ["4", "3", "2", "1"]
    assert first["has_more"] is True

    async def texts(**arguments: Any) -> list[str]:
        return [
            m["text"]
            for m in (await client.conversations_history(channel=GENERAL, **arguments))["messages"]
        ]

    assert await texts(oldest=ts[2]) == ["4", "3"]
    assert await texts(oldest=ts[2], inclusive=True) == ["4", "3", "2"]
    assert await texts(latest=ts[2], limit=1) == ["1"]
    assert await texts(oldest=ts[0], limit=2) == ["2", "1"], "the page next to `oldest`"
    assert await texts(oldest=ts[1], latest=ts[1], inclusive=True) == ["1"]
    assert (
        await error_of(client.conversations_history(channel=GENERAL, cursor="x"))
        == "invalid_cursor"
    )


async def test_metadata_only_for_those_who_ask(world: World) -> None:
    mark = {"event_type": "firebreak", "event_payload": {"incident": "INC-0001"}}
    await world.client.chat_postMessage(channel=GENERAL, text="a", metadata=mark)
    without = (await world.client.conversations_history(channel=GENERAL))["messages"][0]
    with_it = (
        await world.client.conversations_history(channel=GENERAL, include_all_metadata=True)
    )["messages"][0]
    assert "metadata" not in without
    assert with_it["metadata"] == mark
    wrong = world.client.chat_postMessage(channel=GENERAL, text="a", metadata={"event_type": "x"})
    assert await error_of(wrong) == "invalid_metadata_format"


async def test_ephemeral_messages_are_in_no_history(world: World) -> None:
    await world.client.chat_postEphemeral(channel=GENERAL, user=ALICE, text="psst")
    assert [m["text"] for m in world.alice.ephemerals()] == ["psst"]
    assert world.bob.ephemerals() == []
    assert (await world.client.conversations_history(channel=GENERAL))["messages"] == []
    nobody = world.client.chat_postEphemeral(channel=GENERAL, user=OTHER, text="psst")
    assert await error_of(nobody) == "user_not_in_channel"


async def test_permalinks_begin_at_the_workspace(world: World) -> None:
    ts = (await world.client.chat_postMessage(channel=GENERAL, text="a"))["ts"]
    link = (await world.client.chat_getPermalink(channel=GENERAL, message_ts=ts))["permalink"]
    assert link == f"https://firebreak.slack.com/archives/{GENERAL}/p{ts.replace('.', '')}"


async def test_posting_where_the_bot_is_not(world: World) -> None:
    client = world.client
    await client.chat_postMessage(channel="#incidents", text="a public one, by chat:write.public")
    world.workspace.scopes.remove("chat:write.public")
    assert await error_of(client.chat_postMessage(channel=INCIDENTS, text="a")) == "not_in_channel"
    assert await error_of(client.conversations_history(channel=INCIDENTS)) == "not_in_channel"
    assert await error_of(client.pins_add(channel=INCIDENTS, timestamp="1.1")) == "not_in_channel"
    assert await error_of(client.chat_postMessage(channel="C404", text="a")) == "channel_not_found"
    secret = world.workspace.create_channel("secret", ALICE, is_private=True)
    assert (
        await error_of(client.chat_postMessage(channel=secret.id, text="a")) == "channel_not_found"
    )


# Channels


async def test_the_life_of_a_channel(world: World) -> None:
    client = world.client
    channel = (await client.conversations_create(name="inc-0001-checkout"))["channel"]
    assert channel["is_member"] is True
    here = channel["id"]
    assert await error_of(client.conversations_create(name="inc-0001-checkout")) == "name_taken"
    topic = await client.conversations_setTopic(channel=here, topic="SEV1")
    await client.conversations_setPurpose(channel=here, purpose="01J")
    assert topic["channel"]["topic"]["value"] == "SEV1"
    assert (
        await error_of(client.conversations_setTopic(channel=here, topic="x" * 251)) == "too_long"
    )
    info = (await client.conversations_info(channel=here))["channel"]
    assert (info["name"], info["purpose"]["value"]) == ("inc-0001-checkout", "01J")
    own_ts = (await client.chat_postMessage(channel=here, text="status"))["ts"]
    await client.conversations_archive(channel=here)
    assert await error_of(client.conversations_archive(channel=here)) == "already_archived"
    assert await error_of(client.chat_update(channel=here, ts=own_ts, text="x")) == "is_inactive"
    assert await error_of(client.chat_postMessage(channel=here, text="a")) == "is_archived"
    assert await error_of(client.conversations_invite(channel=here, users=ALICE)) == "is_archived"
    assert await error_of(client.conversations_create(name="inc-0001-checkout")) == "name_taken"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "invalid_name_required"),
        ("x" * 81, "invalid_name_maxlength"),
        ("INC-1", "invalid_name_specials"),
        ("a b", "invalid_name_specials"),
        ("--", "invalid_name_punctuation"),
    ],
)
async def test_bad_channel_names(world: World, name: str, error: str) -> None:
    assert await error_of(world.client.conversations_create(name=name)) == error


async def test_inviting(world: World) -> None:
    client = world.client
    here = (await client.conversations_create(name="inc-0001"))["channel"]["id"]
    await client.conversations_invite(channel=here, users=[ALICE, GUEST])
    for users, error in {
        BOT_USER: "cant_invite_self",
        ALICE: "already_in_channel",
        "U404": "user_not_found",
        OTHER: "cant_invite",
    }.items():
        assert await error_of(client.conversations_invite(channel=here, users=users)) == error
    one_bad = await refused(client.conversations_invite(channel=here, users=f"{BOB},U404"))
    assert one_bad.response["errors"] == [{"user": "U404", "ok": False, "error": "user_not_found"}]
    assert (await client.conversations_members(channel=here))["members"] == [BOT_USER, ALICE, GUEST]
    await client.conversations_invite(channel=here, users=f"{BOB},U404", force=True)
    assert BOB in (await client.conversations_members(channel=here))["members"]


async def test_joining_twice_is_a_warning(world: World) -> None:
    assert "warning" not in (await world.client.conversations_join(channel=INCIDENTS)).data
    assert (await world.client.conversations_join(channel=INCIDENTS))[
        "warning"
    ] == "already_in_channel"


async def test_which_channels(world: World) -> None:
    client = world.client
    await client.conversations_create(name="private", is_private=True)
    world.workspace.create_channel("hidden", ALICE, is_private=True)
    own_channels = await client.users_conversations(types="public_channel,private_channel")
    assert [c["name"] for c in own_channels["channels"]] == ["general", "private"]
    names, cursor = [], None
    while cursor != "":
        page = await client.conversations_list(limit=1, cursor=cursor)
        names += [c["name"] for c in page["channels"]]
        cursor = page["response_metadata"]["next_cursor"]
    assert names == ["general", "incidents"]
    assert await error_of(client.conversations_list(types="im")) == "missing_scope"


async def test_direct_messages(world: World) -> None:
    opened = await world.client.conversations_open(users=[ALICE])
    dm = opened["channel"]["id"]
    assert dm.startswith("D")
    assert (await world.client.conversations_open(users=ALICE))["already_open"] is True
    assert (await world.client.chat_postMessage(channel=ALICE, text="hi"))["channel"] == dm
    assert [m["text"] for m in world.alice.messages(dm)] == ["hi"]
    assert dm not in {channel.id for channel in world.workspace.channels_of(BOB)}


# Pins, bookmarks, people


async def test_pins(world: World) -> None:
    ts = (await world.client.chat_postMessage(channel=GENERAL, text="status"))["ts"]
    await world.client.pins_add(channel=GENERAL, timestamp=ts)
    assert await error_of(world.client.pins_add(channel=GENERAL, timestamp=ts)) == "already_pinned"
    assert [m["text"] for m in world.bob.pinned("general")] == ["status"]
    assert (
        await error_of(world.client.pins_add(channel=GENERAL, timestamp="1.1"))
        == "message_not_found"
    )


async def test_bookmarks(world: World) -> None:
    link = {"title": "ENG-1", "type": "link"}
    mark = (
        await world.client.bookmarks_add(channel_id=GENERAL, link="https://linear.app/1", **link)
    )["bookmark"]
    edited = await world.client.bookmarks_edit(
        channel_id=GENERAL, bookmark_id=mark["id"], title="ENG-2"
    )
    assert edited["bookmark"]["title"] == "ENG-2"
    assert world.workspace.channel("general").bookmarks[0]["title"] == "ENG-2"
    assert (
        await error_of(world.client.bookmarks_add(channel_id=GENERAL, link="nope", **link))
        == "invalid_link"
    )


async def test_people_and_groups(world: World) -> None:
    client = world.client
    assert (await client.users_info(user=GUEST))["user"]["is_restricted"] is True
    assert (await client.users_info(user=OTHER))["user"]["team_id"] == "T0OTHER"
    assert await error_of(client.users_info(user="U404")) == "user_not_found"
    assert OTHER not in {user["id"] for user in (await client.users_list())["members"]}
    assert (await client.usergroups_list())["usergroups"][0]["handle"] == "checkout-oncall"
    assert (await client.usergroups_users_list(usergroup="S0CHECKOUT"))["users"] == [ALICE]
    assert await error_of(client.usergroups_users_list(usergroup="S404")) == "no_such_subteam"


async def test_a_reaction(world: World) -> None:
    await world.client.chat_postMessage(channel=GENERAL, text="a")
    (message,) = world.alice.messages("general")
    world.bob.react(message, "eyes")
    with pytest.raises(SlackError, match="already_reacted"):
        world.bob.react(message, "eyes")
    assert world.alice.now(message)["reactions"] == [{"name": "eyes", "users": [BOB], "count": 1}]


# Faults


async def test_a_call_can_be_rate_limited_fail_or_be_forbidden(world: World) -> None:
    client = world.client
    world.faults.next("slack.chat.postMessage", Fault(status=429, retry_after=7))
    world.faults.next("slack.chat.postMessage", Fault(status=503))
    world.faults.next("slack.conversations.create", Fault(error="restricted_action"))
    limited = await refused(client.chat_postMessage(channel=GENERAL, text="a"))
    assert limited.response["error"] == "ratelimited"
    assert (limited.response.status_code, limited.response.headers["Retry-After"]) == (429, "7")
    assert (
        await refused(client.chat_postMessage(channel=GENERAL, text="a"))
    ).response.status_code == 503
    assert await error_of(client.conversations_create(name="inc-1")) == "restricted_action"
    await client.chat_postMessage(channel=GENERAL, text="now")
    assert [m["text"] for m in world.alice.messages("general")] == ["now"]


async def test_an_answer_can_be_lost_after_the_call_took_effect(world: World) -> None:
    world.faults.next("slack.chat.postMessage", Fault(lose_answer=True))
    with pytest.raises(aiohttp.ClientConnectionError):
        await world.client.chat_postMessage(channel=GENERAL, text="did it arrive?")
    assert [m["text"] for m in world.alice.messages("general")] == ["did it arrive?"]
    await world.client.chat_postMessage(channel=GENERAL, text="the line is up again")


async def test_a_slow_call_takes_its_time(world: World) -> None:
    world.faults.always("slack.*", Fault(delay=0.2))
    impatient = AsyncWebClient(
        "xoxb-sandbox", base_url=f"{world.url}/slack/api/", timeout=0.05, retry_handlers=[]
    )  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        await impatient.auth_test()
    world.faults.clear()
    await world.client.auth_test()
