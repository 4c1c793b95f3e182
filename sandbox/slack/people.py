"""What a person does in their Slack client, and what they see. Tests speak in these words, and the page acts through them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

from sandbox.slack.acks import command_acked, interaction_acked, submission_acked
from sandbox.slack.block_kit.blocks import action_ids, elements, plain
from sandbox.slack.changes import Json
from sandbox.slack.channels import TEAM, Channel
from sandbox.slack.errors import ClientRefused, NeverHappened, SlackError
from sandbox.slack.files import shared
from sandbox.slack.forms import chosen, missing, state_values
from sandbox.slack.to_app import payloads
from sandbox.slack.to_app.delivery import Ack, Delivery
from sandbox.slack.to_app.events import app_home_opened
from sandbox.slack.workspace import Workspace

WAIT = 30.0
"""Seconds that a person waits to see something."""


class Person:
    """One person. What they see comes as copies: a message kept and clicked later is clicked as it was.

    Acts wait for the app's ack (3 s at most) and return it; what an ack leads to (an ephemeral answer, errors in a form, a
    toast) is in the workspace by then. `ClientRefused` means that a real Slack client would not have let them.
    """

    def __init__(self, workspace: Workspace, delivery: Delivery, user_id: str) -> None:
        self.workspace = workspace
        self.delivery = delivery
        self.id = user_id

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    # Doing

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

        `files` are names; `broadcast` ticks *Also send to the channel* of a thread; `more` stands in the message as it is.
        """
        where = self._own_channel(channel)
        if files:
            beside = {"upload": False, "display_as_bot": False, "bot_id": None}
            more |= {
                "subtype": "file_share",
                "files": shared(self.workspace, self.id, files),
                **beside,
            }
        said, own = payloads.escaped(self.workspace, text), str(uuid.uuid4())
        message = self.workspace.post(
            where,
            self.id,
            said,
            thread_ts=thread_ts,
            broadcast=broadcast,
            client_msg_id=own,
            **more,
        )
        return self._seen(where, message)

    def me(self, channel: str | Channel, text: str) -> Json:
        """`/me` and what they do: https://docs.slack.dev/reference/events/message/me_message"""
        where = self._own_channel(channel)
        said = payloads.escaped(self.workspace, text)
        return self._seen(where, self.workspace.post(where, self.id, said, subtype="me_message"))

    def forward(self, message: Json, channel: str | Channel, text: str = "") -> Json:
        """*Forward message* …, with what they add: what it said comes as an attachment, its blocks in `message_blocks`."""
        origin = self._channel(message["channel"])
        said = plain({key: value for key, value in message.items() if key in ("text", "blocks")})
        words = message["text"] or said or "[no preview available]"
        inside: Json = {"blocks": deepcopy(message.get("blocks") or [])}
        attachment: Json = {
            "id": 1,
            "ts": message["ts"],
            "channel_id": origin.id,
            "is_msg_unfurl": True,
            "is_share": True,
            "message_blocks": [
                {"team": TEAM, "channel": origin.id, "ts": message["ts"], "message": inside}
            ],
            "from_url": self.workspace.permalink(origin.id, message["ts"]),
            "fallback": words,
            "text": message["text"],
            "mrkdwn_in": ["text"],
        }
        return self.say(
            channel, text, attachments=[attachment, *deepcopy(message.get("attachments") or [])]
        )

    def react(self, message: Json, name: str = "pushpin") -> None:
        """Put an emoji on a message; the same person's second one of a kind is refused."""
        where = self._own_channel(message["channel"])
        self.workspace.react(where, message["ts"], name, self.id)

    def unreact(self, message: Json, name: str = "pushpin") -> None:
        """Take one's own emoji off a message."""
        where = self._own_channel(message["channel"])
        self.workspace.unreact(where, message["ts"], name, self.id)

    def edit(self, message: Json, text: str) -> Json:
        """Change a message of one's own."""
        where, mine = self._own_message(message)
        edited = {"user": self.id, "ts": f"{self.workspace.timestamp().partition('.')[0]}.000000"}
        new = payloads.escaped(self.workspace, text)
        return self._seen(where, self.workspace.edit(where, mine["ts"], text=new, edited=edited))

    def delete(self, message: Json) -> None:
        """Delete a message of one's own."""
        where, mine = self._own_message(message)
        self.workspace.delete(where, mine["ts"])

    async def command(
        self, line: str, channel: str | Channel = "general", *, seconds: float = 5.0
    ) -> Ack:
        """Type a slash command, e.g. `/incident checkout is failing`, in a channel that they are in.

        Whoever has just seen a channel may be invited a moment later: that is waited for, at most `seconds`.
        """
        await self._joined(self._channel(channel), seconds)
        where = self._own_channel(channel)
        fields = payloads.command(
            self.workspace,
            self.id,
            where,
            line,
            self.delivery.response_urls.make(self.id, where),
            self.workspace.modals.trigger(self.id),
        )
        ack = await self.delivery.command(fields)
        command_acked(self.workspace, self.id, where, fields["command"], ack)
        return ack

    async def click(
        self, where: Json, action_id: str, value: str | None = None, *, confirm: bool = True
    ) -> Ack | None:
        """Press a button of a message or view, as it stands in `where`; `value` tells two of one action id apart.

        A button with a confirm dialog: `confirm=False` presses Cancel there, nothing is sent, and None is returned.
        Raises `ClientRefused` when there is no such button.
        """
        block, element = self._element(
            where, action_id, lambda e: value is None or e.get("value") == value
        )
        if element["type"] != "button":
            raise ClientRefused(f"{action_id} is a {element['type']}, not a button: use choose")
        if "confirm" in element and not confirm:
            return None
        action = {
            key: element[key]
            for key in ("action_id", "text", "value", "style", "url", "confirm")
            if key in element
        }
        return await self._act(where, block, element, action)

    async def choose(self, where: Json, action_id: str, value: Any) -> Ack | None:
        """Choose in a select, overflow, date picker, … by option value or text, by name or id.

        None is returned when the element stands in an input block that does not dispatch: then it is only filled in.
        """
        block, element = self._element(where, action_id, lambda _: True)
        if element["type"] == "overflow":
            picked = chosen(self.workspace, {**element, "type": "static_select"}, value)
            return await self._act(
                where, block, element, {"selected_option": picked["selected_option"]}
            )
        entered = chosen(self.workspace, element, value)
        self.workspace.modals.type_in(_key(where), block["block_id"], action_id, entered)
        if block["type"] == "input" and not block.get("dispatch_action"):
            return None
        more = {
            key: element[key]
            for key in ("placeholder", "initial_option", "confirm")
            if key in element
        }
        return await self._act(where, block, element, {**entered, **more})

    def fill(self, view: Json, values: dict[str, Any]) -> None:
        """Enter values into a form, by block id or action id; None empties a field."""
        current = self._open_view(view)
        for name, value in values.items():
            place = next(
                ((b, e) for b, e in elements(current["blocks"]) if b["block_id"] == name),
                next(
                    ((b, e) for b, e in elements(current["blocks"]) if e["action_id"] == name), None
                ),
            )
            if place is None:
                fields = [
                    f"{b['block_id']}/{e['action_id']}" for b, e in elements(current["blocks"])
                ]
                raise ClientRefused(f"the form has no field {name!r}; it has {fields}")
            block, element = place
            entered = chosen(self.workspace, element, value)
            self.workspace.modals.type_in(
                current["id"], block["block_id"], element["action_id"], entered
            )

    async def submit(self, view: Json, values: dict[str, Any] | None = None) -> Ack:
        """Fill in `values` and press Submit. Raises `ClientRefused` when a required field is empty."""
        self.fill(view, values or {})
        current = self._open_view(view)
        typed = self.workspace.modals.typed.get(current["id"], {})
        if current["submit"] is None:
            raise ClientRefused("the form has no submit button")
        if labels := missing(current["blocks"], typed):
            raise ClientRefused(f"please complete the required fields: {labels}")
        sent = self._with_state(current)
        ack = await self.delivery.interaction(
            payloads.submission(
                self.workspace, self.id, sent, self.workspace.modals.trigger(self.id, current["id"])
            )
        )
        submission_acked(self.workspace, self.id, current["id"], ack)
        return ack

    async def close(self, view: Json) -> None:
        """Press Cancel or the cross; the app hears of it when the view asks for that."""
        current = self._open_view(view)
        sent = self._with_state(current)
        if current["clear_on_close"]:
            self.workspace.modals.clear(self.id)
        else:
            self.workspace.modals.pop(self.id)
        if current["notify_on_close"]:
            body = payloads.closing(
                self.workspace, self.id, sent, is_cleared=current["clear_on_close"]
            )
            await self.delivery.interaction(body)

    async def shortcut(
        self, callback_id: str, channel: str | Channel | None = None, message: Json | None = None
    ) -> Ack:
        """A global shortcut; or, given a message, a message shortcut."""
        trigger_id = self.workspace.modals.trigger(self.id)
        if message is None:
            body = payloads.shortcut(self.workspace, self.id, callback_id, trigger_id)
        else:
            where = self._channel(channel or message["channel"])
            url = self.delivery.response_urls.make(self.id, where, message)
            body = payloads.message_shortcut(
                self.workspace, self.id, callback_id, where, message, url, trigger_id
            )
        ack = await self.delivery.interaction(body)
        interaction_acked(self.workspace, self.id, ack)
        return ack

    async def open_home(self) -> None:
        """Open the app's Home tab; `home()` is what stands there, once the app has published it."""
        await self.delivery.event(app_home_opened(self.workspace, self.id))

    def join(self, channel: str | Channel) -> None:
        self.workspace.join(self._channel(channel), self.id)

    def leave(self, channel: str | Channel) -> None:
        """https://slack.com/help/articles/201375146-Leave-a-channel; who let others in lets people go, too."""
        self.workspace.leave(self._own_channel(channel), self.id)

    def invite(self, channel: str | Channel, *people: str) -> None:
        """`/invite`, as a member of a private channel does."""
        for person in people:
            self.workspace.join(self._own_channel(channel), person, inviter=self.id)

    # Seeing

    async def sees(
        self,
        text: str,
        channel: str | Channel | None = None,
        *,
        after: str = "",
        seconds: float = WAIT,
    ) -> Json:
        """Wait for a message, ephemeral ones included, that holds `text` in its text or any block; the newest one.

        Messages up to the `ts` in `after` do not count.
        """

        def look() -> Json | None:
            newest_first = reversed(self._everything(channel))
            return next((m for m in newest_first if m["ts"] > after and text in plain(m)), None)

        what = f"{self.id} sees {text!r}" + (f" in {channel}" if channel else "")
        return deepcopy(await self.workspace.until(look, seconds=seconds, what=what))

    async def sees_change(self, message: Json, text: str, *, seconds: float = WAIT) -> Json:
        """Wait until this message, as it stands then, holds `text`; return it as it stands."""
        where = self._channel(message["channel"])

        def look() -> Json | None:
            now = where.message(message["ts"])
            return now if now and text in plain(now) else None

        what = f"{self.id} sees a message change to {text!r}"
        return self._seen(where, await self.workspace.until(look, seconds=seconds, what=what))

    async def open_modal(
        self, callback_id: str | None = None, *, text: str = "", seconds: float = WAIT
    ) -> Json:
        """Wait until a view (with this callback id, holding `text`) is on top for this person; return it."""

        def look() -> Json | None:
            view = self.workspace.modals.top(self.id)
            return (
                view
                if view and callback_id in (None, view["callback_id"]) and text in plain(view)
                else None
            )

        what = f"{self.id} has a modal {callback_id or ''} open"
        return deepcopy(await self.workspace.until(look, seconds=seconds, what=what))

    def modal(self) -> Json | None:
        """The view that is on top for this person now."""
        return deepcopy(self.workspace.modals.top(self.id))

    def errors(self, view: Json) -> dict[str, str]:
        """What stands under the fields of a form (block id → text) after the app refused a submission."""
        return dict(self.workspace.modals.errors.get(view["id"], {}))

    def home(self) -> Json | None:
        return deepcopy(self.workspace.modals.homes.get(self.id))

    async def channel(self, name_prefix: str, *, seconds: float = WAIT) -> Channel:
        """Wait for a channel that this person can see and whose name begins like this; the newest one."""

        def look() -> Channel | None:
            mine = (
                c for c in self.workspace.channels.values() if self.workspace.may_see(c, self.id)
            )
            found = [channel for channel in mine if channel.name.startswith(name_prefix)]
            return found[-1] if found else None

        return await self.workspace.until(
            look, seconds=seconds, what=f"{self.id} sees a channel {name_prefix}…"
        )

    def messages(self, channel: str | Channel) -> list[Json]:
        """The channel as it shows, oldest first, without replies and without ephemeral messages."""
        where = self._channel(channel)
        return [self._seen(where, message) for message in where.roots()]

    def thread(self, channel: str | Channel, ts: str) -> list[Json]:
        """A message and its replies."""
        where = self._channel(channel)
        return [self._seen(where, message) for message in where.thread(ts)]

    def ephemerals(self, channel: str | Channel | None = None) -> list[Json]:
        mine = self.workspace.ephemerals.get(self.id, [])
        wanted = None if channel is None else self._channel(channel).id
        return [deepcopy(message) for message in mine if wanted in (None, message["channel"])]

    def pinned(self, channel: str | Channel) -> list[Json]:
        """Pinned messages, the newest pin first."""
        where = self._channel(channel)
        return [self._seen(where, self.workspace.message(where, pin["ts"])) for pin in where.pins]

    def now(self, message: Json) -> Json:
        """The same message as it stands now."""
        where = self._channel(message["channel"])
        return self._seen(where, self.workspace.message(where, message["ts"]))

    def toasts(self) -> list[str]:
        """What their client told them of failures: a command that timed out, a form that could not be sent."""
        return list(self.workspace.toasts.get(self.id, []))

    # Inside

    def _channel(self, channel: str | Channel) -> Channel:
        try:
            found = channel if isinstance(channel, Channel) else self.workspace.channel(channel)
        except SlackError as error:
            raise ClientRefused(f"there is no channel {channel}") from error
        if not self.workspace.may_see(found, self.id):
            raise ClientRefused(f"{self.id} cannot see {found.name or found.id}")
        return found

    def _own_channel(self, channel: str | Channel) -> Channel:
        """One with a composer in it: a client offers none in a channel that the person only looks into."""
        found = self._channel(channel)
        if found.is_archived:
            raise ClientRefused(f"{found.name} is archived")
        if self.id not in found.members:
            raise ClientRefused(f"{self.id} is not in {found.name}: join it first")
        return found

    async def _joined(self, channel: Channel, seconds: float) -> None:
        with suppress(NeverHappened):
            await self.workspace.until(
                lambda: channel.is_archived or self.id in channel.members, seconds=seconds
            )

    def _own_message(self, message: Json) -> tuple[Channel, Json]:
        where = self._own_channel(message["channel"])
        found = self.workspace.message(where, message["ts"])
        if found.get("user") != self.id or found.get("subtype") not in (
            None,
            "file_share",
            "thread_broadcast",
        ):
            raise ClientRefused("only one's own messages can be edited and deleted")
        return where, found

    def _seen(self, channel: Channel, message: Json) -> Json:
        return {**deepcopy(message), "channel": channel.id}

    def _everything(self, channel: str | Channel | None) -> list[Json]:
        places = self.workspace.channels_of(self.id) if channel is None else self._visible(channel)
        posted = [
            {**message, "channel": place.id} for place in places for message in place.messages
        ]
        ids = {place.id for place in places}
        whispered = [m for m in self.workspace.ephemerals.get(self.id, []) if m["channel"] in ids]
        return sorted([*posted, *whispered], key=lambda m: m["ts"])

    def _visible(self, channel: str | Channel) -> list[Channel]:
        """The channel, or none while it does not exist yet."""
        if isinstance(channel, Channel):
            return [channel]
        found = self.workspace.channels.get(channel) or self.workspace.channel_named(
            channel.removeprefix("#")
        )
        return [found] if found and self.workspace.may_see(found, self.id) else []

    def _element(self, where: Json, action_id: str, fits: Any) -> tuple[Json, Json]:
        for block, element in elements(where.get("blocks", [])):
            if element["action_id"] == action_id and fits(element):
                return block, element
        raise ClientRefused(
            f"no {action_id} to press here, but {action_ids(where)} in: {plain(where)[:200]}"
        )

    def _open_view(self, view: Json) -> Json:
        current = self.workspace.modals.views.get(view["id"])
        if current is None:
            raise ClientRefused(
                f"the view {view.get('callback_id') or view['id']} is not open any more"
            )
        return current

    def _with_state(self, view: Json) -> Json:
        typed = self.workspace.modals.typed.get(view["id"], {})
        return {
            **deepcopy(view),
            "state": {"values": deepcopy(state_values(view["blocks"], typed))},
        }

    async def _act(self, where: Json, block: Json, element: Json, action: Json) -> Ack:
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            **action,
            "action_ts": self.workspace.timestamp(),
        }
        if "ts" not in where:
            trigger_id = self.workspace.modals.trigger(self.id, where["id"])
            body = payloads.view_click(
                self.workspace, self.id, self._with_state(where), action, trigger_id
            )
        else:
            channel = self._channel(where["channel"])
            state = state_values(where["blocks"], self.workspace.modals.typed.get(_key(where), {}))
            url = self.delivery.response_urls.make(self.id, channel, where)
            trigger_id = self.workspace.modals.trigger(self.id)
            body = payloads.message_click(
                self.workspace, self.id, channel, where, action, state, url, trigger_id
            )
        ack = await self.delivery.interaction(body)
        interaction_acked(self.workspace, self.id, ack)
        return ack


def _key(where: Json) -> str:
    """Under which typed values are kept: a view's id, a message's ts."""
    return where["ts"] if "ts" in where else where["id"]
