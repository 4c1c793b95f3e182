"""People in the local Slack, with a real Bolt app at the other end.

They use buttons, forms, shortcuts and App Home.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from sandbox.slack.channels import ALICE, TEAM
from sandbox.slack.errors import ClientRefused, NeverHappened, SlackError
from sandbox.slack.modals import TRIGGER_SECONDS
from sandbox.slack.workspace import Workspace
from tests.support.worlds.slack_world import World, bolt, slack_world

GENERAL = "C0GENERAL"
Json = dict[str, Any]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with slack_world() as world:
        yield world


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def button(action_id: str, value: str | None = None, **more: Any) -> Json:
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain("go"),
        **({"value": value} if value else {}),
        **more,
    }


CONFIRM = {
    "title": plain("Sure?"),
    "text": plain("from v42 to v41"),
    "confirm": plain("Yes"),
    "deny": plain("No"),
}
SELECT = {
    "type": "static_select",
    "action_id": "service",
    "options": [{"text": plain("Checkout"), "value": "checkout"}],
}
BUTTONS = {
    "type": "actions",
    "block_id": "decision",
    "elements": [button("rollback", "r1", confirm=CONFIRM), SELECT],
}


def form(*blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "callback_id": "declare",
        "title": plain("Declare"),
        "submit": plain("OK"),
        "blocks": list(blocks),
    } | more


def asked(block_id: str, element: Json, **more: Any) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(block_id.title()),
        "element": element,
        **more,
    }


DECLARE = form(
    asked("what", {"type": "plain_text_input", "action_id": "text", "max_length": 20}),
    asked("service", SELECT | {"initial_option": SELECT["options"][0]}),
    asked("lead", {"type": "users_select", "action_id": "user"}, optional=True),
    asked("owners", {"type": "multi_users_select", "action_id": "users"}, optional=True),
)


# Buttons


async def test_a_click_arrives_with_everything_a_bolt_listener_reads(world: World) -> None:
    app, clicks = bolt(world), []

    @app.action("rollback")
    async def rollback(ack: Any, body: Json, action: Json, context: Any) -> None:
        clicks.append((body, action, context.user_id))
        await ack()

    await world.client.chat_postMessage(channel=GENERAL, text="decide", blocks=[BUTTONS])
    message = await world.alice.sees("decide")
    ack = await world.alice.click(message, "rollback", "r1")
    assert ack
    assert ack.ok
    [(body, action, user)] = clicks
    assert (action["value"], action["block_id"], action["type"], user) == (
        "r1",
        "decision",
        "button",
        ALICE,
    )
    assert body["user"] == {"id": ALICE, "username": "alice", "name": "alice", "team_id": TEAM}
    assert (body["enterprise"], body["channel"]) == (None, {"id": GENERAL, "name": "general"})
    assert body["container"]["message_ts"] == body["message"]["ts"] == message["ts"]
    assert body["state"]["values"] == {
        "decision": {"service": {"type": "static_select", "selected_option": None}}
    }
    await world.alice.choose(message, "service", "Checkout")
    assert (
        world.app.of_type("block_actions")[1]["actions"][0]["selected_option"]["value"]
        == "checkout"
    )


async def test_cancel_in_the_confirm_dialog_sends_nothing(world: World) -> None:
    await world.client.chat_postMessage(channel=GENERAL, text="decide", blocks=[BUTTONS])
    message = await world.alice.sees("decide")
    assert await world.alice.click(message, "rollback", confirm=False) is None
    assert world.app.of_type("block_actions") == []


async def test_a_stale_message_can_still_be_clicked_and_a_missing_button_cannot(
    world: World,
) -> None:
    ts = (await world.client.chat_postMessage(channel=GENERAL, text="decide", blocks=[BUTTONS]))[
        "ts"
    ]
    stale = await world.alice.sees("decide")
    await world.client.chat_update(channel=GENERAL, ts=ts, text="decided")
    await world.alice.click(stale, "rollback")
    with pytest.raises(ClientRefused, match="no rollback to press here"):
        await world.alice.click(world.alice.now(stale), "rollback")
    with pytest.raises(ClientRefused, match="is a static_select, not a button"):
        await world.alice.click(stale, "service")
    assert len(world.app.of_type("block_actions")) == 1


async def test_people_of_another_workspace_show_as_such(world: World) -> None:
    world.workspace.join(world.workspace.channel("general"), "U0OTHER")
    await world.client.chat_postMessage(channel=GENERAL, text="decide", blocks=[BUTTONS])
    await world.other.click(await world.other.sees("decide"), "rollback")
    body = world.app.of_type("block_actions")[0]
    assert body["user"]["team_id"] == body["team"]["id"] == "T0OTHER"


async def test_an_app_that_fails_shows_as_trouble(world: World) -> None:
    bolt(world)
    await world.client.chat_postMessage(channel=GENERAL, text="decide", blocks=[BUTTONS])
    ack = await world.alice.click(await world.alice.sees("decide"), "rollback")
    assert ack
    assert ack.status == 404, "Bolt has no listener for it"
    assert world.alice.toasts() == ["We had some trouble connecting. Try again?"]


# Forms


def declaring(world: World, view: Json = DECLARE) -> AsyncApp:
    app = bolt(world)

    @app.command("/incident")
    async def command(ack: Any, body: Json) -> None:
        await world.client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()

    return app


async def test_a_form_is_opened_filled_and_submitted(world: World) -> None:
    app, got = declaring(world), []

    @app.view("declare")
    async def submitted(ack: Any, view: Json) -> None:
        got.append(view)
        await ack()

    await world.alice.command("/incident")
    view = await world.alice.open_modal("declare")
    assert world.bob.modal() is None
    await world.alice.submit(
        view, {"what": "checkout is down", "user": "@bob", "users": [ALICE, "bob"]}
    )
    assert got[0]["state"]["values"] == {
        "what": {"text": {"type": "plain_text_input", "value": "checkout is down"}},
        "service": {
            "service": {
                "type": "static_select",
                "selected_option": view["blocks"][1]["element"]["initial_option"],
            }
        },
        "lead": {"user": {"type": "users_select", "selected_user": "U0BOB"}},
        "owners": {"users": {"type": "multi_users_select", "selected_users": [ALICE, "U0BOB"]}},
    }
    assert (got[0]["id"], got[0]["hash"], got[0]["root_view_id"]) == (
        view["id"],
        view["hash"],
        view["id"],
    )
    assert world.alice.modal() is None
    with pytest.raises(ClientRefused, match="is not open any more"):
        await world.alice.submit(view, {})


async def test_the_client_checks_a_form_before_it_is_sent(world: World) -> None:
    declaring(world)
    await world.alice.command("/incident")
    view = await world.alice.open_modal()
    for values, refusal in (
        ({}, r"required fields: \['What'\]"),
        ({"what": "x" * 21}, "at most 20 characters"),
        ({"what": "a\nb"}, "one line"),
        ({"what": "a", "service": "Cart"}, "no option 'Cart'"),
        ({"when": "now"}, "no field 'when'"),
        ({"lead": "@nobody"}, "no user '@nobody'"),
    ):
        with pytest.raises(ClientRefused, match=refusal):
            await world.alice.submit(view, values)
    assert world.app.of_type("view_submission") == []


async def test_a_refused_form_stays_open_with_what_was_typed(world: World) -> None:
    app = declaring(world)

    @app.view("declare")
    async def submitted(ack: Any) -> None:
        await ack(response_action="errors", errors={"what": "too vague"})

    await world.alice.command("/incident")
    view = await world.alice.open_modal()
    await world.alice.submit(view, {"what": "help"})
    assert world.alice.errors(view) == {"what": "too vague"}
    assert world.alice.modal() == view
    await world.alice.submit(view)
    first, second = world.app.of_type("view_submission")
    assert first["view"]["state"] == second["view"]["state"]
    assert first["trigger_id"] != second["trigger_id"]


async def test_errors_for_a_field_that_is_not_there_are_trouble(world: World) -> None:
    app = declaring(world)

    @app.view("declare")
    async def submitted(ack: Any) -> None:
        await ack(response_action="errors", errors={"nowhere": "?"})

    await world.alice.command("/incident")
    await world.alice.submit(await world.alice.open_modal(), {"what": "help"})
    assert world.alice.toasts() == ["We had some trouble connecting. Try again?"]


@pytest.mark.parametrize(("action", "left"), [("update", ["next"]), ("clear", [])])
async def test_response_actions(world: World, action: str, left: list[str]) -> None:
    app = declaring(world)

    @app.view("declare")
    async def submitted(ack: Any) -> None:
        await ack({"response_action": action, "view": form(callback_id="next", submit=None)})

    await world.alice.command("/incident")
    await world.alice.submit(await world.alice.open_modal(), {"what": "help"})
    assert [view["callback_id"] for view in world.workspace.modals.views.values()] == left


async def test_closing_is_told_to_those_who_ask(world: World) -> None:
    declaring(world, DECLARE | {"notify_on_close": True})
    await world.alice.command("/incident")
    await world.alice.close(await world.alice.open_modal())
    closed = world.app.of_type("view_closed")[0]
    assert (closed["view"]["callback_id"], closed["is_cleared"]) == ("declare", False)


async def test_views_are_updated_under_a_hash(world: World) -> None:
    declaring(world)
    await world.alice.command("/incident")
    view = await world.alice.open_modal()
    world.alice.fill(view, {"what": "kept"})
    filled = form(*DECLARE["blocks"][:1], callback_id="loaded")
    update = world.client.views_update
    new = (await update(view=filled, view_id=view["id"], hash=view["hash"]))["view"]
    assert new["hash"] != view["hash"]
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await update(view=filled, view_id=view["id"], hash=view["hash"])
    with pytest.raises(SlackApiError, match="not_found"):
        await update(view=filled, view_id="V404")
    await world.alice.submit(await world.alice.open_modal("loaded"))
    sent = world.app.of_type("view_submission")[0]["view"]
    assert sent["state"]["values"]["what"]["text"]["value"] == "kept"


async def test_trigger_ids_are_for_one_view_and_three_seconds() -> None:
    late = 0.0
    async with slack_world(now=lambda: time.time() + late) as world:
        modals = world.workspace.modals
        modals.trigger_seconds = TRIGGER_SECONDS

        async def opening(trigger_id: str) -> str:
            with pytest.raises(SlackApiError) as caught:
                await world.client.views_open(trigger_id=trigger_id, view=DECLARE)
            return caught.value.response["error"]

        once, old = modals.trigger(ALICE), modals.trigger(ALICE)
        await world.client.views_open(trigger_id=once, view=DECLARE)
        assert await opening(once) == "exchanged_trigger_id"
        assert await opening("1.2.made-up") == "invalid_trigger_id"
        late = TRIGGER_SECONDS + 0.1
        assert await opening(old) == "expired_trigger_id"


async def test_a_wrong_view_is_refused_and_the_trigger_id_stays_good(world: World) -> None:
    trigger_id = world.workspace.modals.trigger(ALICE)
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await world.client.views_open(
            trigger_id=trigger_id, view=DECLARE | {"title": plain("x" * 25)}
        )
    await world.client.views_open(trigger_id=trigger_id, view=DECLARE)


async def test_a_click_in_a_view_says_where_it_was(world: World) -> None:
    app = declaring(
        world, form({"type": "actions", "block_id": "more", "elements": [button("more")]})
    )
    containers: list[Json] = []

    @app.action("more")
    async def more(ack: Any, body: Json) -> None:
        containers.append(body["container"])
        await ack()

    await world.alice.command("/incident")
    view = await world.alice.open_modal()
    await world.alice.click(view, "more")
    assert containers == [{"type": "view", "view_id": view["id"]}]


# Shortcuts, App Home


async def test_shortcuts(world: World) -> None:
    app, got = bolt(world), []

    @app.shortcut("incident.declare")
    async def declare(ack: Any, shortcut: Json) -> None:
        got.append(shortcut)
        await ack()

    await world.alice.shortcut("incident.declare")
    message = world.bob.say("incidents", "checkout is slow")
    await world.alice.shortcut("incident.declare", message=message)
    general, on_message = got
    assert (general["type"], on_message["type"]) == ("shortcut", "message_action")
    assert on_message["message"]["text"] == "checkout is slow"
    assert (on_message["channel"]["id"], on_message["message_ts"]) == ("C0INCIDENTS", message["ts"])


async def test_app_home(world: World) -> None:
    app = bolt(world)

    @app.event("app_home_opened")
    async def opened(event: Json) -> None:
        view = {"type": "home", "blocks": [{"type": "actions", "elements": [button("open")]}]}
        await world.client.views_publish(
            user_id=event["user"], view=view, hash=event.get("view", {}).get("hash")
        )

    await world.alice.open_home()
    home = world.alice.home()
    assert home
    assert world.bob.home() is None
    await world.alice.open_home()
    assert world.app.of_type("app_home_opened")[1]["view"]["id"] == home["id"]
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await world.client.views_publish(
            user_id=ALICE, view={"type": "home", "blocks": []}, hash="old"
        )
    await world.alice.click(home, "open")
    assert world.app.of_type("block_actions")[0]["view"]["type"] == "home"


# Seeing


async def test_people_wait_for_what_they_want_to_see(world: World) -> None:
    waiting = asyncio.create_task(world.bob.sees("INC-0001", "inc-0001-checkout"))
    channel = world.workspace.create_channel("inc-0001-checkout", ALICE)
    section = {"type": "section", "fields": [{"type": "mrkdwn", "text": "this is INC-0001"}]}
    world.workspace.post(channel, "U0FIREBREAK", "status", blocks=[section])
    assert (await waiting)["channel"] == channel.id
    assert (await world.bob.channel("inc-")).name == "inc-0001-checkout"
    with pytest.raises(NeverHappened, match="U0BOB sees 'INC-0002'"):
        await world.bob.sees("INC-0002", seconds=0.05)
    with pytest.raises(NeverHappened):
        await world.bob.open_modal(seconds=0.05)


async def test_a_message_that_changes_and_one_that_is_newer(world: World) -> None:
    first = world.alice.say("general", "SEV2")
    waiting = asyncio.create_task(world.bob.sees("SEV2", after=first["ts"]))
    second = world.alice.say("general", "SEV2 again")
    assert (await waiting)["ts"] == second["ts"]
    changing = asyncio.create_task(world.bob.sees_change(first, "SEV1"))
    world.workspace.edit(world.workspace.channel("general"), first["ts"], text="SEV1")
    assert (await changing)["text"] == "SEV1"
    assert first["text"] == "SEV2", "what was seen stays as it was"


async def test_who_sees_what_and_where_they_can_write(world: World) -> None:
    created = world.workspace.create_channel("inc-0001", ALICE)
    assert created in world.workspace.channels_of("U0BOB")
    with pytest.raises(ClientRefused, match="join it first"):
        await world.bob.command("/incident status", created, seconds=0)
    world.bob.join(created)
    world.bob.say(created, "here")
    with pytest.raises(ClientRefused, match="U0GUEST cannot see inc-0001"):
        world.guest.messages(created)
    assert (await world.guest.command("/incident x")).ok
    with pytest.raises(ClientRefused, match="U0OTHER cannot see general"):
        await world.other.command("/incident x")
    world.workspace.archive(created, ALICE)
    with pytest.raises(ClientRefused, match="is archived"):
        world.bob.say(created, "too late")


def test_timestamps_differ_even_while_the_clock_stands_still() -> None:
    workspace = Workspace(now=lambda: 1_700_000_000.0)
    stamps = [workspace.timestamp() for _ in range(100)]
    assert len(set(stamps)) == 100
    assert stamps == sorted(stamps)


async def test_private_channels_are_for_their_members(world: World) -> None:
    secret = world.workspace.create_channel("secret", ALICE, is_private=True)
    world.alice.say(secret, "classified")
    with pytest.raises(ClientRefused, match="cannot see secret"):
        world.bob.messages("secret")
    with pytest.raises(NeverHappened):
        await world.bob.sees("classified", seconds=0.05)


async def test_the_page_hears_of_every_change(world: World) -> None:
    with world.workspace.subscribe() as changes:
        world.alice.say("general", "hello")
        await world.client.chat_postEphemeral(channel=GENERAL, user=ALICE, text="psst")
        ts = world.alice.messages("general")[0]["ts"]
        await world.client.pins_add(channel=GENERAL, timestamp=ts)
        await world.client.views_open(
            trigger_id=world.workspace.modals.trigger(ALICE), view=DECLARE
        )
        await world.alice.close(await world.alice.open_modal())
        world.workspace.toast(ALICE, "oh")
        kinds = [(await anext(changes)).kind for _ in range(6)]
    assert kinds == ["message", "ephemeral", "pins", "view_opened", "view_closed", "toast"]
    with pytest.raises(StopAsyncIteration):
        await anext(changes)


# Reactions, edits, deletions


async def test_reactions_edits_and_deletions_are_told_as_slack_tells_them(world: World) -> None:
    app = bolt(world)
    for name in ("reaction_added", "reaction_removed", "message"):

        @app.event(name)
        async def heard(ack: Any) -> None:
            await ack()

    world.bob.join("general")
    message = world.bob.say("general", "teh pool is full")
    world.alice.react(message)
    with pytest.raises(SlackError, match="already_reacted"):
        world.alice.react(message)
    world.alice.unreact(message)
    with pytest.raises(SlackError, match="no_reaction"):
        world.alice.unreact(message)
    assert "reactions" not in world.alice.now(message)
    world.bob.edit(message, "the pool is full")
    with pytest.raises(ClientRefused):
        world.alice.edit(message, "not mine")
    world.bob.delete(message)
    await world.delivery.idle()

    (added,), (removed,) = (
        world.app.of_type("reaction_added"),
        world.app.of_type("reaction_removed"),
    )
    assert set(added) == {"type", "user", "reaction", "item", "item_user", "event_ts"}
    assert added["item"] == {"type": "message", "channel": message["channel"], "ts": message["ts"]}
    assert (added["user"], added["item_user"], added["reaction"]) == (
        ALICE,
        world.bob.id,
        "pushpin",
    )
    assert removed["event_ts"] > added["event_ts"]
    changed = next(e for e in world.app.of_type("message") if e.get("subtype") == "message_changed")
    assert changed["hidden"] is True
    assert changed["message"]["edited"]["user"] == world.bob.id
    assert changed["previous_message"]["text"] == "teh pool is full"
    deleted = next(e for e in world.app.of_type("message") if e.get("subtype") == "message_deleted")
    assert deleted["deleted_ts"] == message["ts"]
    assert deleted["previous_message"]["text"] == "the pool is full"
