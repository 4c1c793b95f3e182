"""Messages as people really send them to the local Slack.

They have files, are sent from a thread to the channel too, use `/me`, or are forwarded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.page_tab import Tab
from tests.support.worlds.slack_world import World, slack_world

GENERAL = "C0GENERAL"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with slack_world() as slack:
        yield slack


async def message_events(world: World) -> list[dict[str, Any]]:
    await world.delivery.idle()
    return world.app.of_type("message")


async def test_a_message_with_files_has_a_subtype_and_is_in_the_history(world: World) -> None:
    """https://docs.slack.dev/reference/events/message/file_share"""
    world.alice.say(GENERAL, "look", files=("till.png", "error.log"))
    [event] = await message_events(world)
    assert (event["subtype"], event["text"], event["bot_id"], event["upload"]) == (
        "file_share",
        "look",
        None,
        False,
    )
    assert "team" not in event
    first = event["files"][0]
    assert (first["title"], first["mimetype"], first["mode"]) == ("till.png", "image/png", "hosted")
    [message] = (await world.client.conversations_history(channel=GENERAL))["messages"]
    assert [file["name"] for file in message["files"]] == ["till.png", "error.log"]
    world.alice.edit({**message, "channel": GENERAL}, "look here")
    assert (await message_events(world))[-1]["message"]["files"][0]["name"] == "till.png"


async def test_of_a_file_from_elsewhere_only_the_id_is_told(world: World) -> None:
    world.workspace.join(world.workspace.channel(GENERAL), world.other.id)
    world.other.say(GENERAL, "look", files=("theirs.png",))
    event = next(candidate for candidate in await message_events(world) if candidate.get("files"))
    [file] = event["files"]
    assert (file["file_access"], "name" in file, "title" in file) == (
        "check_file_info",
        False,
        False,
    )


async def test_a_reply_that_is_also_sent_to_the_channel_brings_its_root(world: World) -> None:
    root = world.alice.say(GENERAL, "anybody here?")
    world.alice.say(GENERAL, "prod is down", root["ts"], broadcast=True)
    event = (await message_events(world))[-1]
    assert (event["subtype"], event["thread_ts"], event["root"]["text"]) == (
        "thread_broadcast",
        root["ts"],
        "anybody here?",
    )
    assert [m["text"] for m in world.alice.messages(GENERAL)] == ["anybody here?", "prod is down"]


async def test_me_and_other_apps(world: World) -> None:
    world.alice.me(GENERAL, "waits for the deploy")
    world.workspace.alert(world.workspace.channel(GENERAL), "grafana", attachments=[{"title": "x"}])
    world.workspace.alert(world.workspace.channel(GENERAL), "zabbix", "y", webhook=True)
    me, app, hook = await message_events(world)
    assert (me["subtype"], me["text"], me["user"]) == (
        "me_message",
        "waits for the deploy",
        world.alice.id,
    )
    assert ("subtype" in app, app["bot_id"]) == (False, "B0GRAFANA")
    assert app["attachments"] == [{"title": "x", "id": 1, "fallback": "[no preview available]"}]
    assert (hook["subtype"], "user" in hook) == ("bot_message", False)


async def test_what_is_forwarded_comes_as_an_attachment(world: World) -> None:
    first = world.alice.say(GENERAL, "prod is down")
    world.alice.forward(first, GENERAL, "look")
    event = (await message_events(world))[-1]
    [shared] = event["attachments"]
    assert (shared["is_share"], shared["text"]) == (True, "prod is down")
    assert shared["from_url"].endswith(f"/archives/{GENERAL}/p{first['ts'].replace('.', '')}")


async def test_a_page_of_channels_may_be_shorter_than_it_was_asked_for(world: World) -> None:
    for number in range(3):
        world.workspace.archive(
            world.workspace.create_channel(f"old-{number}", world.alice.id), world.alice.id
        )
    page = await world.client.conversations_list(limit=3, exclude_archived=True)
    assert [channel["name"] for channel in page["channels"]] == ["general", "incidents"]
    page = await world.client.conversations_list(
        limit=3, exclude_archived=True, cursor=page["response_metadata"]["next_cursor"]
    )
    assert (page["channels"], page["response_metadata"]["next_cursor"]) == ([], "")


async def test_the_page_sends_files_broadcasts_and_me(tab: Tab) -> None:
    assert await tab.do("say", channel=GENERAL, text="look", files=["<till>.png"]) == {}
    assert await tab.do("say", channel=GENERAL, text="", files=["error.log"]) == {}
    assert await tab.do("say", channel=GENERAL, text="/me waits") == {}
    root, bare, me = tab.workspace.channel("general").messages
    assert [message.get("subtype") for message in (root, bare, me)] == [
        "file_share",
        "file_share",
        "me_message",
    ]
    assert (
        await tab.do("say", channel=GENERAL, text="again", thread=root["ts"], broadcast=True) == {}
    )
    text = await tab.part("messages", channel="general")
    assert "&lt;till&gt;.png" in text
    assert "error.log" in text
    assert text.count("again") >= 1
    assert text.count("Edit message") == 3, "everything of one's own but /me"
    whole = (await tab.http.get("/", params={"channel": "general"})).text
    assert 'type="file"' in whole
    assert "Also send to the channel" in whole
