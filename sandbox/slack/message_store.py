"""People, conversations and messages of the local Slack workspace, in memory."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sandbox.slack.block_kit.blocks import stored
from sandbox.slack.changes import Change, Changes, Subscription
from sandbox.slack.channels import (
    ALICE,
    APP,
    BOB,
    BOT,
    BOT_USER,
    GUEST,
    TEAM,
    Channel,
    checkout_oncall,
    everybody,
)
from sandbox.slack.errors import SlackError
from sandbox.slack.modals import Modals
from sandbox.wire import Json, copied

T = TypeVar("T")

BOT_SCOPES = (
    *(
        "commands",
        "chat:write",
        "chat:write.public",
        "users:read",
        "usergroups:read",
        "pins:write",
        "bookmarks:write",
    ),
    *("channels:manage", "channels:join", "channels:read", "channels:history"),
    *("groups:write", "groups:read", "groups:history", "im:write", "im:history", "reactions:read"),
)
"""The scopes of the app's manifest; a call that needs another one is refused, as by Slack."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call of the Web API by the app: `args` without the token, `at` in Unix seconds."""

    method: str
    args: Json
    answer: Json
    at: float


class MessageStore:
    """The workspace without the life of its channels; `Workspace` adds that.

    Messages, users, views are plain JSON in Slack's shapes. Refusals are raised as `SlackError`.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.time, url: str = "https://firebreak.slack.com/"
    ) -> None:
        self.now = now
        self.url = url
        """Address for people; permalinks begin with it."""
        self.scopes: set[str] = set(BOT_SCOPES)
        self.rich_blocks = True
        """Blocks that Slack is still rolling out (plan, task_card, data_table, …) are taken."""
        self.team: Json = {
            "id": TEAM,
            "name": "Firebreak Sandbox",
            "domain": "firebreak",
            "email_domain": "",
            "icon": {},
        }
        self.users: dict[str, Json] = everybody()
        self.usergroups: dict[str, Json] = {"S0CHECKOUT": checkout_oncall()}
        self.channels: dict[str, Channel] = {}
        self.ephemerals: dict[str, list[Json]] = {}
        """User id → ephemeral messages, each with its `channel`."""
        self.toasts: dict[str, list[str]] = {}
        """User id → notices of their Slack client beside the messages, oldest first."""
        self.calls: deque[ApiCall] = deque(maxlen=5000)
        """Calls of the app, oldest first."""
        self.changes = Changes()
        self.modals = Modals(self.changes, now)
        self._counter = itertools.count(1)
        self._last_ts = 0
        for channel_id, name in (("C0GENERAL", "general"), ("C0INCIDENTS", "incidents")):
            self.channels[channel_id] = Channel(
                channel_id, name, ALICE, int(now()), members=[ALICE, BOB]
            )
        self.channels["C0GENERAL"].members += [GUEST, BOT_USER]

    # Listening

    def subscribe(self) -> Subscription:
        """Every change from now on; a context manager and an async iterator."""
        return self.changes.subscribe()

    async def until(
        self, predicate: Callable[[], T | None], *, seconds: float | None = None, what: str = ""
    ) -> T:
        """Wait until `predicate()` is truthy; return its value. Raises `NeverHappened`."""
        return await self.changes.until(predicate, seconds=seconds, what=what)

    # Looking things up

    def channel(self, reference: str) -> Channel:
        """Return a channel by id, `name` or `#name`. Raises `channel_not_found`."""
        channel = self.channels.get(reference) or self.channel_named(reference.removeprefix("#"))
        if channel is None:
            raise SlackError("channel_not_found")
        return channel

    def channel_named(self, name: str) -> Channel | None:
        return next((c for c in self.channels.values() if not c.is_im and c.name == name), None)

    def channels_of(self, user: str) -> list[Channel]:
        """Return the channels that `user` can look into, direct messages last."""
        return sorted(
            (c for c in self.channels.values() if self.may_see(c, user)),
            key=lambda c: (c.is_im, c.name),
        )

    def may_see(self, channel: Channel, user: str) -> bool:
        """Full members see public channels; guests and strangers only those that they are in."""
        if user in channel.members:
            return True
        shape = self.users[user]
        full = shape["team_id"] == TEAM and not shape["is_restricted"]
        return full and not (channel.is_private or channel.is_im)

    def user(self, user_id: str) -> Json:
        user = self.users.get(user_id)
        if user is None:
            raise SlackError("user_not_found")
        return user

    def message(self, channel: Channel, ts: str) -> Json:
        message = channel.message(ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def permalink(self, channel: str, ts: str) -> str:
        return f"{self.url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}"

    def timestamp(self) -> str:
        """Return a new message `ts`: unique and increasing, a string, as Slack's."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_id(self, letter: str) -> str:
        return f"{letter}0{next(self._counter):08d}"

    # Messages

    def post(
        self,
        channel: Channel,
        user: str,
        text: str,
        *,
        blocks: list[Json] | None = None,
        thread_ts: str | None = None,
        broadcast: bool = False,
        **more: Any,
    ) -> Json:
        """Put a message into a channel. The bot's carry `bot_id`, as those of chat.postMessage do.

        `more` stands in the message as it is.
        """
        if channel.is_archived:
            raise SlackError("is_archived")
        team = self.users[user]["team_id"] if user in self.users else TEAM
        message: Json = {
            "type": "message",
            "user": user,
            "text": text,
            "ts": self.timestamp(),
            "team": team,
        }
        if user == BOT_USER:
            message |= {"bot_id": BOT, "app_id": APP, "bot_profile": self.bot_profile()}
        if blocks:
            message["blocks"] = stored(blocks)
        message |= more
        if message.get("subtype") in ("file_share", "me_message"):
            del message["team"]  # https://github.com/slackapi/slack-api-specs/issues/62
        if thread_ts is not None:
            root = channel.message(thread_ts)
            if root is None or root.get("thread_ts", thread_ts) != thread_ts:
                raise SlackError("thread_not_found")
            message["thread_ts"] = thread_ts
            message["parent_user_id"] = root.get("user", "")
            if broadcast:
                message["subtype"] = "thread_broadcast"
            self._count_reply(root, message)
        if not user:
            del message["user"]
        channel.messages.append(message)
        self.changes.publish(Change("message", channel.id, data=message))
        return message

    def alert(
        self, channel: Channel, app: str, text: str = "", *, webhook: bool = False, **more: Any
    ) -> Json:
        """Put another program's message into a channel, with `attachments` and `blocks`.

        By an incoming webhook it has no user.
        https://docs.slack.dev/reference/events/message/bot_message
        """
        for number, attachment in enumerate(more.get("attachments", []), 1):
            attachment |= {
                "id": number,
                "fallback": attachment.get("fallback") or "[no preview available]",
            }
        who = {
            "bot_id": f"B0{app.upper()}",
            "username": app,
            "bot_profile": {"name": app, "deleted": False},
        }
        more |= {
            **who,
            **({"subtype": "bot_message"} if webhook else {"app_id": f"A0{app.upper()}"}),
        }
        return self.post(channel, "" if webhook else f"U0{app.upper()}", text, **more)

    def _count_reply(self, root: Json, reply: Json) -> None:
        users = root.setdefault("reply_users", [])
        if reply["user"] and reply["user"] not in users:
            users.append(reply["user"])
        root["thread_ts"] = root["ts"]
        root["reply_count"] = root.get("reply_count", 0) + 1
        root["reply_users_count"] = len(users)
        root["latest_reply"] = reply["ts"]

    def system(self, channel: Channel, user: str, subtype: str, text: str, **more: Any) -> None:
        """Write what Slack itself writes: somebody joined, the topic was set, …"""
        self.post(channel, user, text, subtype=subtype, **more)

    def edit(self, channel: Channel, ts: str, **new: Any) -> Json:
        """Change a message; a value of None removes the key."""
        message = self.message(channel, ts)
        before = copied(message)
        for key, value in new.items():
            if value is None:
                message.pop(key, None)
            else:
                message[key] = stored(value) if key == "blocks" else value
        self.changes.publish(
            Change(
                "message_changed", channel.id, data={"message": message, "previous_message": before}
            )
        )
        return message

    def delete(self, channel: Channel, ts: str) -> None:
        message = self.message(channel, ts)
        channel.messages.remove(message)
        channel.pins = [pin for pin in channel.pins if pin["ts"] != ts]
        self.changes.publish(
            Change(
                "message_deleted", channel.id, data={"deleted_ts": ts, "previous_message": message}
            )
        )

    def whisper(
        self,
        channel: Channel,
        user: str,
        text: str,
        *,
        blocks: list[Json] | None = None,
        thread_ts: str | None = None,
    ) -> Json:
        """An ephemeral message: only `user` sees it, and no history has it."""
        message: Json = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT,
            "text": text,
            "ts": self.timestamp(),
            "team": TEAM,
            "is_ephemeral": True,
            "channel": channel.id,
        }
        if blocks:
            message["blocks"] = stored(blocks)
        if thread_ts:
            message["thread_ts"] = thread_ts
        self.ephemerals.setdefault(user, []).append(message)
        self.changes.publish(Change("ephemeral", channel.id, user, message))
        return message

    def rewhisper(self, user: str, ts: str, replacement: Json | None) -> None:
        """Replace the text and blocks of an ephemeral message, or take it away."""
        whispered = self.ephemerals.get(user, [])
        message = next((message for message in whispered if message["ts"] == ts), None)
        if message is None:
            raise SlackError("message_not_found")
        if replacement is None:
            whispered.remove(message)
        else:
            message.pop("blocks", None)
            message |= {"text": replacement.get("text", "")}
            if replacement.get("blocks"):
                message["blocks"] = stored(replacement["blocks"])
        self.changes.publish(Change("ephemeral", message["channel"], user, message))

    def toast(self, user: str, text: str) -> None:
        self.toasts.setdefault(user, []).append(text)
        self.changes.publish(Change("toast", user=user, data={"text": text}))

    def bot_profile(self) -> Json:
        return {
            "id": BOT,
            "deleted": False,
            "name": "firebreak",
            "updated": 1700000000,
            "app_id": APP,
            "user_id": BOT_USER,
            "icons": {f"image_{size}": f"{self.url}/icons/{size}.png" for size in (36, 48, 72)},
            "team_id": TEAM,
        }
