"""The workspace as a person sees and uses it through the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.page.model import ChannelPage, ChannelRow, Command, PersonCard, Shortcut
from sandbox.slack.block_kit.blocks import elements, plain
from sandbox.slack.channels import ALICE, BOB, GUEST, Channel
from sandbox.slack.errors import ClientRefused, SlackError
from sandbox.slack.people import Person
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json

APP = "app"
"""Stands for a channel id where a tab shows the app's Home, and the direct message with it."""
QUIET = (
    *(
        "channel_join",
        "channel_leave",
        "channel_topic",
        "channel_purpose",
        "channel_name",
        "channel_archive",
    ),
    *("group_join", "group_topic", "group_purpose", "pinned_item", "bot_add"),
)
"""Subtypes of Slack's own messages; they make no channel unread."""


class SlackView:
    """The workspace for tabs; `me` is always the id of the person in the tab.

    An act returns what to tell the person, if it went wrong.
    """

    commands = (
        Command(
            "/incident",
            "what is happening",
            "Declare an incident, or: status, rollback, resolve, help",
        ),
    )
    shortcuts = (
        Shortcut("message", "incident.declare", "Make it an incident"),
        Shortcut("global", "incident.declare", "Declare an incident"),
    )

    def __init__(self, workspace: Workspace, delivery: Delivery) -> None:
        self.workspace = workspace
        self._people = {user: Person(workspace, delivery, user) for user in (ALICE, BOB, GUEST)}
        self._read: dict[tuple[str, str], str] = {}

    # Names

    def people(self) -> list[PersonCard]:
        on_call = {user for group in self.workspace.usergroups.values() for user in group["users"]}
        cards: list[PersonCard] = []
        for user in self._people:
            shape = self.workspace.users[user]
            guest = bool(shape["is_restricted"])
            title = (
                "Guest: may look, not decide"
                if guest
                else "On call for checkout"
                if user in on_call
                else "Member"
            )
            cards.append(
                PersonCard(
                    user, shape["real_name"].split()[0], f"{shape['real_name']} · {title}", guest
                )
            )
        return cards

    def knows(self, user: str) -> bool:
        return user in self._people

    def user(self, user_id: str) -> str | None:
        shape = self.workspace.users.get(user_id)
        return shape["real_name"] if shape else None

    def channel(self, channel_id: str) -> str | None:
        channel = self.workspace.channels.get(channel_id)
        return channel.name if channel else None

    def group(self, group_id: str) -> str | None:
        group = self.workspace.usergroups.get(group_id)
        return f"@{group['handle']}" if group else None

    # Reading

    def channels(self, me: str) -> list[ChannelRow]:
        """Return incidents first, newest on top, then the other channels, then the app."""
        rows = [
            self._row(me, channel)
            for channel in self.workspace.channels_of(me)
            if not channel.is_im
        ]
        incidents = sorted(
            (row for row in rows if row.kind == "incident"), key=lambda row: row.name, reverse=True
        )
        direct = self._direct(me)
        unread = self._unread(me, APP, direct.messages if direct else [])
        return [
            *incidents,
            *(row for row in rows if row.kind != "incident"),
            ChannelRow(APP, "Firebreak", "app", unread=len(unread)),
        ]

    def open_channel(self, me: str, channel: str) -> ChannelPage | None:
        """Return None for a channel that is not there, or that `me` may not look into."""
        if channel == APP:
            return ChannelPage(
                ChannelRow(APP, "Firebreak", "app"),
                topic="The app's Home, and what it told you alone",
            )
        where = self._visible_channel(me, channel)
        if where is None:
            return None
        pins = [message for pin in where.pins if (message := where.message(pin["ts"]))]
        return ChannelPage(
            self._row(me, where),
            where.topic["value"],
            where.purpose["value"],
            len(where.members),
            pins,
            where.bookmarks,
        )

    def messages(self, me: str, channel: str) -> list[Json]:
        """Return root messages and those that only `me` can see, oldest first."""
        where = self._channel_or_direct(me, channel)
        if where is None:
            return []
        messages = [*where.roots(), *self._ephemerals(me, where, None)]
        return sorted(messages, key=lambda message: message["ts"])

    def thread(self, me: str, channel: str, ts: str) -> list[Json]:
        where = self._channel_or_direct(me, channel)
        if where is None:
            return []
        messages = [*where.thread(ts), *self._ephemerals(me, where, ts)]
        return sorted(messages, key=lambda message: message["ts"])

    def view(self, me: str) -> Json | None:
        return self._people[me].modal()

    def home(self, me: str) -> Json | None:
        return self._people[me].home()

    def mark_read(self, me: str, channel: str) -> None:
        messages = self.messages(me, channel)
        if messages:
            self._read[me, channel] = messages[-1]["ts"]

    # Acts

    async def say(
        self,
        me: str,
        channel: str,
        text: str,
        thread: str | None,
        files: Sequence[str] = (),
        *,
        broadcast: bool = False,
    ) -> str | None:
        """Send a typed line: a slash command, `/me`, or a message. The person joins the channel."""
        person = self._people[me]
        where = self.workspace.direct(me) if channel == APP else self.workspace.channel(channel)
        is_me = text.startswith("/me ") and not files
        is_command = text.startswith("/") and not is_me and not files
        if is_command and thread:
            return "Slash commands cannot be used in threads."
        if is_command and text.split(maxsplit=1)[0] not in {
            command.name for command in self.commands
        }:
            return f"{text.split(maxsplit=1)[0]} is not a command here. Try /incident."
        if me not in where.members:
            person.join(where)
        if is_command:
            await person.command(text, where)
        elif is_me:
            person.me(where, text.removeprefix("/me ").strip())
        else:
            person.say(where, text, thread, files=files, broadcast=broadcast)
        return None

    async def press(
        self, me: str, where: Json, action_id: str, value: Any, typed: Json
    ) -> str | None:
        """Press or choose an element.

        `where` is `{"view": id}`, or `{"channel": id, "ts": ts}`; `typed` is by block id.
        """
        person = self._people[me]
        target = self._target(me, where)
        if target is None:
            return "That is not there any more."
        if "view" in where:
            person.fill(target, typed)
        if self._is_button(target, action_id):
            await person.click(target, action_id, value or None)
        else:
            await person.choose(target, action_id, value)
        return None

    async def submit(self, me: str, view_id: str, typed: Json) -> dict[str, str]:
        """Send a form. Return messages under its fields, by block id; none when it was taken."""
        view = self._people[me].modal()
        if view is None or view["id"] != view_id:
            raise ClientRefused("This form is not open any more.")
        await self._people[me].submit(view, typed)
        still = self._people[me].modal()
        return self._people[me].errors(view) if still and still["id"] == view_id else {}

    async def close(self, me: str, view_id: str, typed: Json) -> None:
        view = self._people[me].modal()
        if view is not None and view["id"] == view_id:
            self._people[me].fill(view, typed)
            await self._people[me].close(view)

    async def shortcut(self, me: str, callback_id: str, channel: str, ts: str | None) -> str | None:
        if ts is None:
            await self._people[me].shortcut(callback_id)
            return None
        message = self._target(me, {"channel": channel, "ts": ts})
        if message is None:
            return "That message is not there any more."
        await self._people[me].shortcut(callback_id, message)
        return None

    def pin(self, me: str, channel: str, ts: str, *, pinned: bool) -> None:
        where = self.workspace.channel(channel)
        if pinned:
            self.workspace.pin(where, ts, me)
        else:
            self.workspace.unpin(where, ts)

    def react(self, me: str, channel: str, ts: str, name: str, *, on: bool) -> None:
        person = self._people[me]
        where = self.workspace.channel(channel)
        if me not in where.members:
            person.join(where)
        (person.react if on else person.unreact)({"channel": where.id, "ts": ts}, name)

    def edit(self, me: str, channel: str, ts: str, text: str) -> None:
        self._people[me].edit({"channel": channel, "ts": ts}, text)

    def delete(self, me: str, channel: str, ts: str) -> None:
        self._people[me].delete({"channel": channel, "ts": ts})

    def dismiss(self, me: str, ts: str) -> None:
        """Take an ephemeral message off this person's screen."""
        self.workspace.rewhisper(me, ts, None)

    async def open_home(self, me: str) -> None:
        await self._people[me].open_home()

    # Inside

    def _row(self, me: str, channel: Channel) -> ChannelRow:
        unread = self._unread(
            me, channel.id, [*channel.roots(), *self._ephemerals(me, channel, None)]
        )
        return ChannelRow(
            channel.id,
            channel.name,
            "incident" if channel.name.startswith("inc-") else "channel",
            channel.is_private,
            channel.is_archived,
            len(unread),
            any(f"<@{me}>" in plain(message) for message in unread),
        )

    def _unread(self, me: str, channel: str, messages: list[Json]) -> list[Json]:
        mark = self._read.get((me, channel), "")
        return [
            m
            for m in messages
            if m["ts"] > mark and m.get("user") != me and m.get("subtype") not in QUIET
        ]

    def _ephemerals(self, me: str, channel: Channel, thread: str | None) -> list[Json]:
        whispered = self.workspace.ephemerals.get(me, [])
        return [m for m in whispered if m["channel"] == channel.id and m.get("thread_ts") == thread]

    def _visible_channel(self, me: str, channel: str) -> Channel | None:
        where = self.workspace.channels.get(channel) or self.workspace.channel_named(channel)
        return where if where and self.workspace.may_see(where, me) else None

    def _channel_or_direct(self, me: str, channel: str) -> Channel | None:
        return self._direct(me) if channel == APP else self._visible_channel(me, channel)

    def _direct(self, me: str) -> Channel | None:
        return next((c for c in self.workspace.channels.values() if c.im_user == me), None)

    def _target(self, me: str, where: Json) -> Json | None:
        """Return the view, or the message as it stands now, in which somebody presses something."""
        if where.get("home"):
            return self._people[me].home()
        if "view" in where:
            view = self._people[me].modal()
            return view if view and view["id"] == where["view"] else None
        channel = self._channel_or_direct(me, where["channel"])
        if channel is None:
            return None
        for message in self._people[me].ephemerals(channel):
            if message["ts"] == where["ts"]:
                return message
        try:
            return self._people[me].now({"channel": channel.id, "ts": where["ts"]})
        except SlackError:
            return None

    def _is_button(self, target: Json, action_id: str) -> bool:
        fitting = (e for _, e in elements(target.get("blocks", [])) if e["action_id"] == action_id)
        return any(element["type"] == "button" for element in fitting)
