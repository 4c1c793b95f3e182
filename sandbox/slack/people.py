"""The acts of a person in their Slack client. Tests speak in these words, and so does the page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sandbox.slack.acks import command_acked, interaction_acked, submission_acked
from sandbox.slack.block_kit.blocks import action_ids, elements, plain
from sandbox.slack.channels import TEAM, Channel
from sandbox.slack.errors import ClientRefused, NeverHappened
from sandbox.slack.files import shared
from sandbox.slack.forms import chosen, missing, state_values
from sandbox.slack.to_app import payloads
from sandbox.slack.to_app.delivery import Ack, Delivery
from sandbox.slack.to_app.events import app_home_opened
from sandbox.slack.viewer import Viewer
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json, copied


class Person(Viewer):
    """One person.

    Acts wait for the app's ack (3 s at most) and return it. The effect of an ack (an ephemeral
    answer, errors in a form, a toast) is in the workspace by then. `ClientRefused` means that a
    real Slack client would not have let them.
    """

    def __init__(self, workspace: Workspace, delivery: Delivery, user_id: str) -> None:
        super().__init__(workspace, user_id)
        self.delivery = delivery

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    # Messages

    def say(
        self,
        channel: str | Channel,
        text: str,
        thread_ts: str | None = None,
        *,
        files: Sequence[str] = (),
        broadcast: bool = False,
        **more: Any,
    ) -> Json:
        """Post a message; `@Alice`, `#general`, links and `&<>` become what Slack makes of them.

        `files` are names; `broadcast` ticks *Also send to the channel* of a thread; `more` stands
        in the message as it is.
        """
        where = self._own_channel(channel)
        if files:
            more |= {
                "subtype": "file_share",
                "files": shared(self.workspace, self.id, files),
                "upload": False,
                "display_as_bot": False,
                "bot_id": None,
            }
        message = self.workspace.post(
            where,
            self.id,
            payloads.escaped(self.workspace, text),
            thread_ts=thread_ts,
            broadcast=broadcast,
            client_msg_id=str(uuid.uuid4()),
            **more,
        )
        return self._copy(where, message)

    def me(self, channel: str | Channel, text: str) -> Json:
        """Post a `/me`: https://docs.slack.dev/reference/events/message/me_message"""
        where = self._own_channel(channel)
        escaped = payloads.escaped(self.workspace, text)
        message = self.workspace.post(where, self.id, escaped, subtype="me_message")
        return self._copy(where, message)

    def forward(self, message: Json, channel: str | Channel, text: str = "") -> Json:
        """Forward a message with a text: it comes as an attachment, with its blocks inside."""
        origin = self._channel(message["channel"])
        words = plain({key: message[key] for key in ("text", "blocks") if key in message})
        inside: Json = {"blocks": copied(message.get("blocks") or [])}
        place = {"channel": origin.id, "ts": message["ts"]}
        attachment: Json = {
            "id": 1,
            "ts": message["ts"],
            "channel_id": origin.id,
            "is_msg_unfurl": True,
            "is_share": True,
            "message_blocks": [{"team": TEAM, **place, "message": inside}],
            "from_url": self.workspace.permalink(origin.id, message["ts"]),
            "fallback": message["text"] or words or "[no preview available]",
            "text": message["text"],
            "mrkdwn_in": ["text"],
        }
        attachments = [attachment, *copied(message.get("attachments") or [])]
        return self.say(channel, text, attachments=attachments)

    def react(self, message: Json, name: str = "pushpin") -> None:
        """Put an emoji on a message. Raises `SlackError` for the same emoji twice."""
        where = self._own_channel(message["channel"])
        self.workspace.react(where, message["ts"], name, self.id)

    def unreact(self, message: Json, name: str = "pushpin") -> None:
        """Take one's own emoji off a message."""
        where = self._own_channel(message["channel"])
        self.workspace.unreact(where, message["ts"], name, self.id)

    def edit(self, message: Json, text: str) -> Json:
        """Change a message of one's own."""
        where, own = self._own_message(message)
        second = self.workspace.timestamp().partition(".")[0]
        edited = {"user": self.id, "ts": f"{second}.000000"}
        new = payloads.escaped(self.workspace, text)
        changed = self.workspace.edit(where, own["ts"], text=new, edited=edited)
        return self._copy(where, changed)

    def delete(self, message: Json) -> None:
        """Delete a message of one's own."""
        where, own = self._own_message(message)
        self.workspace.delete(where, own["ts"])

    # Channels

    def join(self, channel: str | Channel) -> None:
        self.workspace.join(self._channel(channel), self.id)

    def leave(self, channel: str | Channel) -> None:
        """https://slack.com/help/articles/201375146-Leave-a-channel"""
        self.workspace.leave(self._own_channel(channel), self.id)

    def invite(self, channel: str | Channel, *people: str) -> None:
        """`/invite`, as a member of a private channel does."""
        for person in people:
            self.workspace.join(self._own_channel(channel), person, inviter=self.id)

    # Commands, buttons, forms

    async def command(
        self, line: str, channel: str | Channel = "general", *, seconds: float | None = None
    ) -> Ack:
        """Type a slash command, e.g. `/incident checkout is failing`, in a channel of theirs.

        Somebody who has just seen a channel may be invited a moment later. That is waited for.
        """
        visible = self._channel(channel)
        if self.workspace.may_see(visible, self.id):
            with suppress(NeverHappened):
                await self.workspace.until(
                    lambda: visible.is_archived or self.id in visible.members, seconds=seconds
                )
        where = self._own_channel(visible)
        url = self.delivery.response_urls.make(self.id, where)
        fields = payloads.command(self.workspace, self.id, where, line, url)
        ack = await self.delivery.command(fields)
        command_acked(self.workspace, self.id, where, fields["command"], ack)
        return ack

    async def click(
        self, where: Json, action_id: str, value: str | None = None, *, confirm: bool = True
    ) -> Ack | None:
        """Press a button of a message or view, as it stands in `where`.

        `value` tells two of one action id apart. `confirm=False` presses Cancel in a confirm
        dialog: nothing is sent, and None is returned. Raises `ClientRefused` without such a button.
        """

        def fits(element: Json) -> bool:
            return value is None or element.get("value") == value

        block, element = self._element(where, action_id, fits)
        if element["type"] != "button":
            raise ClientRefused(f"{action_id} is a {element['type']}, not a button: use choose")
        if "confirm" in element and not confirm:
            return None
        keys = ("action_id", "text", "value", "style", "url", "confirm")
        action = {key: element[key] for key in keys if key in element}
        return await self._act(where, block, element, action)

    async def choose(self, where: Json, action_id: str, value: Any) -> Ack | None:
        """Choose in a select, overflow, date picker, … by option value or text, by name or id.

        An element of an input block that does not dispatch is only filled in, and None is returned.
        """
        block, element = self._element(where, action_id, lambda _: True)
        if element["type"] == "overflow":
            picked = chosen(self.workspace, {**element, "type": "static_select"}, value)
            action = {"selected_option": picked["selected_option"]}
            return await self._act(where, block, element, action)
        entered = chosen(self.workspace, element, value)
        self.workspace.modals.type_in(_key(where), block["block_id"], action_id, entered)
        if block["type"] == "input" and not block.get("dispatch_action"):
            return None
        keys = ("placeholder", "initial_option", "confirm")
        more = {key: element[key] for key in keys if key in element}
        return await self._act(where, block, element, {**entered, **more})

    def fill(self, view: Json, values: dict[str, Any]) -> None:
        """Enter values into a form, by block id or action id; None empties a field."""
        current = self._open_view(view)
        fields = list(elements(current["blocks"]))
        for name, value in values.items():
            by_block = [field for field in fields if field[0]["block_id"] == name]
            by_action = [field for field in fields if field[1]["action_id"] == name]
            if not by_block and not by_action:
                names = [f"{block['block_id']}/{element['action_id']}" for block, element in fields]
                raise ClientRefused(f"the form has no field {name!r}; it has {names}")
            block, element = (by_block or by_action)[0]
            entered = chosen(self.workspace, element, value)
            action_id = element["action_id"]
            self.workspace.modals.type_in(current["id"], block["block_id"], action_id, entered)

    async def submit(self, view: Json, values: dict[str, Any] | None = None) -> Ack:
        """Fill in `values` and press Submit. Raises `ClientRefused` for empty required fields."""
        self.fill(view, values or {})
        current = self._open_view(view)
        typed = self.workspace.modals.typed.get(current["id"], {})
        if current["submit"] is None:
            raise ClientRefused("the form has no submit button")
        if labels := missing(current["blocks"], typed):
            raise ClientRefused(f"please complete the required fields: {labels}")
        body = payloads.submission(self.workspace, self.id, self._with_state(current))
        ack = await self.delivery.interaction(body)
        submission_acked(self.workspace, self.id, current["id"], ack)
        return ack

    async def close(self, view: Json) -> None:
        """Press Cancel or the cross; the app hears of it when the view asks for that."""
        current = self._open_view(view)
        body = payloads.closing(self.workspace, self.id, self._with_state(current))
        self.workspace.modals.close(self.id)
        if current["notify_on_close"]:
            await self.delivery.interaction(body)

    async def shortcut(self, callback_id: str, message: Json | None = None) -> Ack:
        """Choose a global shortcut or, given a message, a message shortcut."""
        if message is None:
            body = payloads.shortcut(self.workspace, self.id, callback_id)
        else:
            where = self._channel(message["channel"])
            url = self.delivery.response_urls.make(self.id, where, message)
            body = payloads.message_shortcut(self.workspace, self.id, callback_id, message, url)
        ack = await self.delivery.interaction(body)
        interaction_acked(self.workspace, self.id, ack)
        return ack

    async def open_home(self) -> None:
        """Open the app's Home tab; `home()` returns it once the app has published it."""
        await self.delivery.event(app_home_opened(self.workspace, self.id))

    # Inside

    def _own_channel(self, channel: str | Channel) -> Channel:
        """Return a channel with a composer; there is none where the person only looks in."""
        where = self._channel(channel)
        if where.is_archived:
            raise ClientRefused(f"{where.name} is archived")
        if self.id not in where.members:
            raise ClientRefused(f"{self.id} is not in {where.name}: join it first")
        return where

    def _own_message(self, message: Json) -> tuple[Channel, Json]:
        where = self._own_channel(message["channel"])
        own = self.workspace.message(where, message["ts"])
        subtypes = (None, "file_share", "thread_broadcast")
        if own.get("user") != self.id or own.get("subtype") not in subtypes:
            raise ClientRefused("only one's own messages can be edited and deleted")
        return where, own

    def _element(
        self, where: Json, action_id: str, fits: Callable[[Json], bool]
    ) -> tuple[Json, Json]:
        for block, element in elements(where.get("blocks", [])):
            if element["action_id"] == action_id and fits(element):
                return block, element
        offered = f"{action_ids(where)} in: {plain(where)[:200]}"
        raise ClientRefused(f"no {action_id} to press here, but {offered}")

    def _open_view(self, view: Json) -> Json:
        current = self.workspace.modals.views.get(view["id"])
        if current is None:
            name = view.get("callback_id") or view["id"]
            raise ClientRefused(f"the view {name} is not open any more")
        return current

    def _with_state(self, view: Json) -> Json:
        typed = self.workspace.modals.typed.get(view["id"], {})
        values = copied(state_values(view["blocks"], typed))
        return {**copied(view), "state": {"values": values}}

    async def _act(self, where: Json, block: Json, element: Json, action: Json) -> Ack:
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            **action,
            "action_ts": self.workspace.timestamp(),
        }
        if "ts" not in where:
            view = self._with_state(where)
            body = payloads.view_click(self.workspace, self.id, view, action)
        else:
            typed = self.workspace.modals.typed.get(_key(where), {})
            state = state_values(where["blocks"], typed)
            channel = self._channel(where["channel"])
            url = self.delivery.response_urls.make(self.id, channel, where)
            body = payloads.message_click(self.workspace, self.id, where, action, state, url)
        ack = await self.delivery.interaction(body)
        interaction_acked(self.workspace, self.id, ack)
        return ack


def _key(where: Json) -> str:
    """Return the key of typed values: a view's id, or a message's ts."""
    return where["ts"] if "ts" in where else where["id"]
