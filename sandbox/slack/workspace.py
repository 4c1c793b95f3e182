"""The state of the local Slack workspace. Its HTTP sides are `api` and `to_app`."""

from __future__ import annotations

import re
from typing import Any

from sandbox.slack.changes import Change
from sandbox.slack.channels import BOT_USER, Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.message_store import MessageStore
from sandbox.wire import Json


class Workspace(MessageStore):
    """Everything in the workspace: messages, and the life of channels, pins and reactions."""

    # Channels

    def create_channel(self, name: str, creator: str, *, is_private: bool = False) -> Channel:
        """Raises `name_taken`, archived channels included, and the `invalid_name_…` errors.

        https://docs.slack.dev/reference/methods/conversations.create#errors
        """
        check_channel_name(name)
        if self.channel_named(name):
            raise SlackError("name_taken")
        channel = Channel(
            self.new_id("C"),
            name,
            creator,
            int(self.now()),
            is_private=is_private,
            members=[creator],
        )
        self.channels[channel.id] = channel
        self._publish_channel(channel, "created")
        self.system(channel, creator, "channel_join", f"<@{creator}> has joined the channel")
        self._publish_channel(channel, "member_joined", user=creator)
        return channel

    def join(self, channel: Channel, user: str, inviter: str | None = None) -> bool:
        """False if `user` was in already. Raises `is_archived`."""
        if channel.is_archived:
            raise SlackError("is_archived")
        if user in channel.members:
            return False
        channel.members.append(user)
        more = {"inviter": inviter} if inviter else {}
        self.system(channel, user, "channel_join", f"<@{user}> has joined the channel", **more)
        self._publish_channel(channel, "member_joined", user=user, inviter=inviter)
        return True

    def leave(self, channel: Channel, user: str) -> None:
        channel.members.remove(user)
        self.system(channel, user, "channel_leave", f"<@{user}> has left the channel")
        self._publish_channel(channel, "member_left", user=user)

    def rename(self, channel: Channel, name: str, user: str) -> None:
        check_channel_name(name)
        other = self.channel_named(name)
        if other is not None and other is not channel:
            raise SlackError("name_taken")
        old, channel.name = channel.name, name
        channel.previous_names.insert(0, old)
        text = f'has renamed the channel from "{old}" to "{name}"'
        self.system(channel, user, "channel_name", text, old_name=old, name=name)
        self._publish_channel(channel, "renamed", old_name=old)

    def describe(self, channel: Channel, user: str, what: str, value: str) -> None:
        """Set `what`, "topic" or "purpose"; at most 250 characters, else `too_long`."""
        if channel.is_archived:
            raise SlackError("is_archived")
        if len(value) > 250:
            raise SlackError("too_long")
        setattr(channel, what, {"value": value, "creator": user, "last_set": int(self.now())})
        self.system(
            channel, user, f"channel_{what}", f"set the channel {what}: {value}", **{what: value}
        )
        self._publish_channel(channel, what)

    def archive(self, channel: Channel, user: str) -> None:
        if channel.is_archived:
            raise SlackError("already_archived")
        self.system(channel, user, "channel_archive", "archived the channel")
        channel.is_archived = True
        self._publish_channel(channel, "archived", user=user)

    def delete_channel(self, channel: Channel, user: str) -> None:
        """As an administrator deletes it: nobody finds it any more, and its name is free."""
        self._publish_channel(channel, "deleted", user=user)
        del self.channels[channel.id]

    def direct(self, user: str) -> Channel:
        """Return the direct message between the bot and `user`; it is made when there is none."""
        self.user(user)
        for channel in self.channels.values():
            if channel.im_user == user:
                return channel
        channel = Channel(
            self.new_id("D"), "", BOT_USER, int(self.now()), im_user=user, members=[user, BOT_USER]
        )
        self.channels[channel.id] = channel
        self._publish_channel(channel, "created")
        return channel

    def _publish_channel(self, channel: Channel, what: str, **more: Any) -> None:
        self.changes.publish(Change("channel", channel.id, data={"what": what, **more}))

    # Pins, bookmarks, reactions

    def pin(self, channel: Channel, ts: str, user: str) -> None:
        message = self.message(channel, ts)
        if any(pin["ts"] == ts for pin in channel.pins):
            raise SlackError("already_pinned")
        channel.pins.insert(0, {"ts": ts, "created": int(self.now()), "created_by": user})
        message["pinned_to"] = [channel.id]
        self.changes.publish(Change("pins", channel.id, data={"ts": ts}))

    def unpin(self, channel: Channel, ts: str) -> None:
        pin = next((pin for pin in channel.pins if pin["ts"] == ts), None)
        if pin is None:
            raise SlackError("no_pin")
        channel.pins.remove(pin)
        self.message(channel, ts).pop("pinned_to", None)
        self.changes.publish(Change("pins", channel.id, data={"ts": ts}))

    def bookmark(self, channel: Channel, shape: Json) -> None:
        channel.bookmarks.append(shape)
        self.changes.publish(Change("bookmarks", channel.id, data=shape))

    def react(self, channel: Channel, ts: str, name: str, user: str) -> None:
        message = self.message(channel, ts)
        reactions = message.setdefault("reactions", [])
        reaction = next((r for r in reactions if r["name"] == name), None)
        if reaction is None:
            reaction = {"name": name, "users": [], "count": 0}
            reactions.append(reaction)
        if user in reaction["users"]:
            raise SlackError("already_reacted")
        reaction["users"].append(user)
        reaction["count"] += 1
        self._publish_reaction("added", channel, message, name, user)

    def unreact(self, channel: Channel, ts: str, name: str, user: str) -> None:
        message = self.message(channel, ts)
        reaction = next((r for r in message.get("reactions", []) if r["name"] == name), None)
        if reaction is None or user not in reaction["users"]:
            raise SlackError("no_reaction")
        reaction["users"].remove(user)
        reaction["count"] -= 1
        left = [r for r in message["reactions"] if r["count"]]
        if left:
            message["reactions"] = left
        else:
            del message["reactions"]
        self._publish_reaction("removed", channel, message, name, user)

    def _publish_reaction(
        self, what: str, channel: Channel, message: Json, name: str, user: str
    ) -> None:
        data = {"what": what, "reaction": name, "by": user, "message": message}
        self.changes.publish(Change("reaction", channel.id, data=data))


def check_channel_name(name: str) -> None:
    if not name:
        raise SlackError("invalid_name_required")
    if len(name) > 80:
        raise SlackError("invalid_name_maxlength")
    if not re.fullmatch(r"[\w-]+", name) or name != name.lower():
        raise SlackError("invalid_name_specials")
    if not re.search(r"[^\W_]", name):
        raise SlackError("invalid_name_punctuation")
