"""A person's sight of the workspace: messages, modals, App Home, notices."""

from __future__ import annotations

from sandbox.slack.block_kit.blocks import plain
from sandbox.slack.channels import Channel
from sandbox.slack.errors import ClientRefused, SlackError
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json, copied


class Viewer:
    """The reading half of a person.

    Messages and views are copies: one that is clicked later is clicked as it was.
    """

    def __init__(self, workspace: Workspace, user_id: str) -> None:
        self.workspace = workspace
        self.id = user_id

    # Waiting

    async def sees(
        self,
        text: str,
        channel: str | Channel | None = None,
        *,
        after: str = "",
        seconds: float | None = None,
    ) -> Json:
        """Wait for a message with `text` in it, ephemeral ones included; return the newest one.

        Messages up to the `ts` in `after` do not count.
        """

        def newest() -> Json | None:
            for message in reversed(self._all_messages(channel)):
                if message["ts"] > after and text in plain(message):
                    return message
            return None

        what = f"{self.id} sees {text!r}" + (f" in {channel}" if channel else "")
        return copied(await self.workspace.until(newest, seconds=seconds, what=what))

    async def sees_change(self, message: Json, text: str, *, seconds: float | None = None) -> Json:
        """Wait until this message holds `text`; return it as it stands then."""
        channel = self._channel(message["channel"])

        def changed() -> Json | None:
            now = channel.message(message["ts"])
            return now if now and text in plain(now) else None

        what = f"{self.id} sees a message change to {text!r}"
        now = await self.workspace.until(changed, seconds=seconds, what=what)
        return self._copy(channel, now)

    async def open_modal(
        self, callback_id: str | None = None, *, text: str = "", seconds: float | None = None
    ) -> Json:
        """Wait until a modal (with this callback id, holding `text`) is open; return it."""

        def opened() -> Json | None:
            view = self.workspace.modals.current(self.id)
            if view is None or callback_id not in (None, view["callback_id"]):
                return None
            return view if text in plain(view) else None

        what = f"{self.id} has a modal {callback_id or ''} open"
        return copied(await self.workspace.until(opened, seconds=seconds, what=what))

    async def channel(self, name_prefix: str, *, seconds: float | None = None) -> Channel:
        """Wait for a visible channel whose name begins like this; return the newest one."""

        def newest() -> Channel | None:
            for channel in reversed(self.workspace.channels.values()):
                visible = self.workspace.may_see(channel, self.id)
                if visible and channel.name.startswith(name_prefix):
                    return channel
            return None

        what = f"{self.id} sees a channel {name_prefix}…"
        return await self.workspace.until(newest, seconds=seconds, what=what)

    # Now

    def modal(self) -> Json | None:
        """Return the modal that is open."""
        return copied(self.workspace.modals.current(self.id))

    def errors(self, view: Json) -> dict[str, str]:
        """Return the messages under the fields of a refused form, by block id."""
        return dict(self.workspace.modals.errors.get(view["id"], {}))

    def home(self) -> Json | None:
        return copied(self.workspace.modals.homes.get(self.id))

    def messages(self, channel: str | Channel) -> list[Json]:
        """Return the channel oldest first, without replies and ephemeral messages."""
        where = self._channel(channel)
        return [self._copy(where, message) for message in where.roots()]

    def thread(self, channel: str | Channel, ts: str) -> list[Json]:
        """Return a message and its replies."""
        where = self._channel(channel)
        return [self._copy(where, message) for message in where.thread(ts)]

    def ephemerals(self, channel: str | Channel | None = None) -> list[Json]:
        id = None if channel is None else self._channel(channel).id
        whispered = self.workspace.ephemerals.get(self.id, [])
        return [copied(message) for message in whispered if id in (None, message["channel"])]

    def pinned(self, channel: str | Channel) -> list[Json]:
        """Return pinned messages, the newest pin first."""
        where = self._channel(channel)
        messages = [self.workspace.message(where, pin["ts"]) for pin in where.pins]
        return [self._copy(where, message) for message in messages]

    def now(self, message: Json) -> Json:
        """Return the same message as it stands now."""
        channel = self._channel(message["channel"])
        return self._copy(channel, self.workspace.message(channel, message["ts"]))

    def toasts(self) -> list[str]:
        """Return the client's notices of failures, such as a command that timed out."""
        return list(self.workspace.toasts.get(self.id, []))

    # Inside

    def _channel(self, channel: str | Channel) -> Channel:
        try:
            where = channel if isinstance(channel, Channel) else self.workspace.channel(channel)
        except SlackError as error:
            raise ClientRefused(f"there is no channel {channel}") from error
        if not self.workspace.may_see(where, self.id):
            raise ClientRefused(f"{self.id} cannot see {where.name or where.id}")
        return where

    def _copy(self, channel: Channel, message: Json) -> Json:
        return {**copied(message), "channel": channel.id}

    def _all_messages(self, channel: str | Channel | None) -> list[Json]:
        """Return messages and ephemeral ones of the channel, or of all that are visible."""
        if channel is None:
            places = self.workspace.channels_of(self.id)
        else:
            places = self._if_visible(channel)
        posted = [
            {**message, "channel": place.id} for place in places for message in place.messages
        ]
        ids = {place.id for place in places}
        whispered = self.workspace.ephemerals.get(self.id, [])
        messages = [*posted, *(message for message in whispered if message["channel"] in ids)]
        return sorted(messages, key=lambda message: message["ts"])

    def _if_visible(self, channel: str | Channel) -> list[Channel]:
        """Return the channel, or none while it does not exist yet."""
        if isinstance(channel, Channel):
            return [channel]
        try:
            return [self._channel(channel)]
        except ClientRefused:
            return []
