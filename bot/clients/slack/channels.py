"""A channel by its id, its name or a link to it, in a workspace of any size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from bot.clients.slack.errors import SlackRefused
from bot.clients.slack.listing import Listing, Reads
from handlers.slack.channel_names import called, reference

ANEW_SECONDS = 60.0
"""A name that a list of that age does not have may have been made since: it is read once more."""


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
    def read(cls, shape: Mapping[str, Any]) -> Self:
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
    """The ids that names had."""

    async def recall(self, name: str) -> str | None: ...

    async def remember(self, name: str, id: str) -> None: ...


class Channels:
    """An id is one call. A name is read from the list, private channels included, and kept."""

    def __init__(self, slack: Reads, remembers: Remembers | None = None) -> None:
        self._slack = slack
        self.remembers = remembers
        self._public_only = False
        self._listing = self._listed("public_channel,private_channel")

    def _listed(self, types: str) -> Listing[Found]:
        return Listing(
            self._slack,
            "conversations.list",
            "channels",
            Found.read,
            types=types,
            exclude_archived="true",
        )

    async def find(self, written: str) -> Found | None:
        """Return the channel, or None where there is none that the bot can see.

        Raises `PortError`; asked again, it goes on where it stopped.
        """
        wanted = reference(written)
        if wanted.id is not None and (channel := await self._by_id(wanted.id)) is not None:
            return channel
        if wanted.name:
            if (channel := await self._remembered(wanted.name)) is not None:
                return channel
            if (channel := await self._by_name(wanted.name)) is not None:
                if self.remembers is not None:
                    await self.remembers.remember(wanted.name, channel.id)
                return channel
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
        id = await self.remembers.recall(name) if self.remembers is not None else None
        channel = await self._by_id(id) if id is not None else None
        if channel is None or name != channel.name or channel.archived:
            return None
        return channel

    async def _by_name(self, name: str) -> Found | None:
        channel, renamed = await self._search(name)
        if channel is None and self._listing.age > ANEW_SECONDS:
            self._listing.begin_anew()
            channel, renamed = await self._search(name)
        return channel or renamed

    async def _search(self, name: str) -> tuple[Found | None, Found | None]:
        """Return the channel of this name, and one that had it before."""
        renamed: Found | None = None
        try:
            async for channel in self._listing.rows():
                if name == channel.name.casefold():
                    return channel, None
                if name in channel.names:
                    renamed = renamed or channel
        except SlackRefused as refused:
            if refused.error != "missing_scope" or self._public_only:
                raise
            self._public_only = True  # without `groups:read` the private ones cannot be listed
            self._listing = self._listed("public_channel")
            return await self._search(name)
        return None, renamed
