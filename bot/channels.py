"""Channels that the settings name: found by id or name, in a workspace of any size, by the bot and by `firebreak doctor` alike."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import RedisError

from bot.clients.listing import Listing
from bot.clients.patience import patient
from bot.clients.slack import Slack, SlackRefused
from bot.store import Store
from handlers.channels import called, reference
from phases.ports import PortError

log = logging.getLogger(__name__)

ANEW_SECONDS = 60.0
"""A name that a list of that age does not have may have been made since: it is read once more."""
CHECKED_SECONDS = 600.0
"""So long the channel of the announcements is not asked for again: it may be archived, and another one get its name."""
EARLY_SECONDS = 60.0
AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    id: str
    name: str
    names: frozenset[str]
    """Also those that it had before."""
    private: bool
    member: bool
    archived: bool

    @classmethod
    def read(cls, shape: Mapping[str, Any]) -> Found:
        """https://docs.slack.dev/reference/objects/conversation-object"""
        return cls(
            id=str(shape["id"]),
            name=str(shape.get("name") or ""),
            names=called(shape),
            private=bool(shape.get("is_private") or shape.get("is_group")),
            member=bool(shape.get("is_member")),
            archived=bool(shape.get("is_archived")),
        )


class Remembers(Protocol):
    """Which id a name had."""

    async def recall(self, name: str) -> str | None: ...

    async def remember(self, name: str, id: str) -> None: ...


class StoreRemembers:
    """In Redis, for every replica and the next start. Out of reach, it knows nothing: the list is read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = f"{store.keys.prefix}:channels"

    async def recall(self, name: str) -> str | None:
        try:
            raw: Any = await self._store.redis.hget(self._key, name)  # pyright: ignore[reportGeneralTypeIssues]
        except (RedisError, OSError) as error:
            log.warning("a channel is looked up by its name: Redis cannot be asked (%s)", type(error).__name__)
            return None
        return raw.decode() if isinstance(raw, bytes) else raw

    async def remember(self, name: str, id: str) -> None:
        try:
            await self._store.redis.hset(self._key, name, id)  # pyright: ignore[reportGeneralTypeIssues]
        except (RedisError, OSError) as error:
            log.warning("where a channel is, is not remembered: Redis cannot be told (%s)", type(error).__name__)


class Channels:
    """An id is one call; a name is read from the list, which private channels that the bot is in are on, and remembered."""

    def __init__(self, slack: Slack, remembers: Remembers | None = None) -> None:
        self._slack, self._remembers = slack, remembers
        self._public_only = False
        self._listing = self._listed("public_channel,private_channel")

    def _listed(self, types: str) -> Listing[Found]:
        return Listing(self._slack, "conversations.list", "channels", Found.read, types=types, exclude_archived="true")

    async def find(self, written: str) -> Found | None:
        """None where there is none that the bot can see. Raises `PortError`; asked again, it goes on where it stopped."""
        wanted = reference(written)
        if wanted.id is not None and (found := await self._by_id(wanted.id)) is not None:
            return found
        if wanted.name:
            if (found := await self._remembered(wanted.name)) is not None:
                return found
            if (found := await self._by_name(wanted.name)) is not None:
                if self._remembers is not None:
                    await self._remembers.remember(wanted.name, found.id)
                return found
        return await self._by_id(wanted.maybe) if wanted.maybe is not None else None

    async def _by_id(self, id: str) -> Found | None:
        """https://docs.slack.dev/reference/methods/conversations.info"""
        try:
            answer = await self._slack.get("conversations.info", channel=id)
        except SlackRefused as refused:
            if refused.error in ("channel_not_found", "invalid_channel"):
                return None
            raise
        return Found.read(answer["channel"]) if answer.get("channel") else None

    async def _remembered(self, name: str) -> Found | None:
        id = await self._remembers.recall(name) if self._remembers is not None else None
        found = await self._by_id(id) if id is not None else None
        return found if found is not None and name == found.name and not found.archived else None

    async def _by_name(self, name: str) -> Found | None:
        found, renamed = await self._search(name)
        if found is None and self._listing.age > ANEW_SECONDS:
            self._listing.begin_anew()
            found, renamed = await self._search(name)
        return found or renamed

    async def _search(self, name: str) -> tuple[Found | None, Found | None]:
        """The channel of this name, and the one that had it before."""
        renamed: Found | None = None
        try:
            async for one in self._listing.rows():
                if name == one.name.casefold():
                    return one, None
                if name in one.names:
                    renamed = renamed or one
        except SlackRefused as refused:
            if refused.error != "missing_scope" or self._public_only:
                raise
            self._public_only = True  # without `groups:read` the private ones cannot be listed
            self._listing = self._listed("public_channel")
            return await self._search(name)
        return None, renamed


class Announced:
    """The channel in which incidents are announced: found by id or name, joined once."""

    def __init__(self, channels: Channels, slack: Slack, written: str | None) -> None:
        self._channels, self._slack = channels, slack
        self._written = (written or "").strip() or None
        self._id: str | None = None
        self._checked = 0.0
        self._joined: str | None = None

    async def channel(self) -> str | None:
        """None where it is not set. Raises `PortError` where it cannot be found or joined."""
        if self._written is None:
            return None
        if self._id is None or time.monotonic() - self._checked > CHECKED_SECONDS:
            await self._look(self._written)
        if self._id is not None and self._joined != self._id:
            await self._slack.join(self._id)
            self._joined = self._id
        return self._id

    async def early(self) -> None:
        """Looks for it before the first incident does: in a large workspace the list takes its time. Raises nothing."""
        while self._written is not None:
            try:
                with patient(EARLY_SECONDS):
                    await self._look(self._written)
                return
            except PortError as error:
                log.warning("%s", error.text)
                if not error.retryable:
                    return
                await asyncio.sleep(error.retry_after or AGAIN_SECONDS)

    async def _look(self, written: str) -> None:
        try:
            found = await self._channels.find(written)
        except PortError as error:
            if self._id is None or not error.retryable:
                raise
            return  # the one that is known may still be there
        if found is None or found.archived:
            raise PortError("slack", missing("INCIDENTS_CHANNEL", written, found), retryable=False)
        self._id, self._checked = found.id, time.monotonic()


def missing(setting: str, written: str, found: Found | None) -> str:
    """Why nothing can be said there."""
    if found is not None and found.archived:
        return f"{setting} {written}: the channel #{found.name} is archived"
    return f"{setting} {written}: there is no such channel, or it is archived, or private and the bot is not in it"
