"""The channels that the settings name, for the bot and for `firebreak doctor`."""

import asyncio
import logging
import time

from bot.clients.slack.channels import Found
from bot.clients.slack.client import Slack
from bot.connection.client import StoreError, call, read
from bot.runtime.backoff import patient
from bot.store.incident_store import Store
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

CHECKED_SECONDS = 600.0
"""Then the channel is looked up again: another one may have its name by now."""
EARLY_SECONDS = 60.0
AGAIN_SECONDS = 30.0


class ChannelCache:
    """Channel ids by name in Redis, for every replica and the next start.

    While Redis is away, the caller reads Slack's list.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = f"{store.keys.prefix}:channels"

    async def recall(self, name: str) -> str | None:
        try:
            (channel,) = await read(self._store.redis, ("HGET", self._key, name))
        except StoreError as error:
            log.warning("a channel is looked up by its name: %s", error.text)
            return None
        return channel

    async def remember(self, name: str, id: str) -> None:
        try:
            await call(self._store.redis, "HSET", self._key, name, id)
        except StoreError as error:
            log.warning("where a channel is, is not remembered: %s", error.text)


class Announced:
    """The channel in which incidents are announced: looked up by id or name, joined once."""

    def __init__(self, slack: Slack, written: str | None) -> None:
        self._slack = slack
        self._written = (written or "").strip() or None
        self._id: str | None = None
        self._checked = 0.0
        self._joined: str | None = None

    async def channel(self) -> str | None:
        """Return its id; None where it is not set.

        Raises `PortError` where it cannot be found or joined.
        """
        if self._written is None:
            return None
        if self._id is None or time.monotonic() - self._checked > CHECKED_SECONDS:
            await self._look_up(self._written)
        if self._id is not None and self._joined != self._id:
            await self._slack.join(self._id)
            self._joined = self._id
        return self._id

    async def early(self) -> None:
        """Look for it before the first incident does: the list of a large workspace takes long."""
        while self._written is not None:
            try:
                with patient(EARLY_SECONDS):
                    await self._look_up(self._written)
                return
            except PortError as error:
                log.warning("%s", error.text)
                if not error.retryable:
                    return
                await asyncio.sleep(error.retry_after or AGAIN_SECONDS)

    async def _look_up(self, written: str) -> None:
        try:
            channel = await self._slack.channels.find(written)
        except PortError as error:
            if self._id is None or not error.retryable:
                raise
            return  # the known channel may still be there
        if channel is None or channel.archived:
            reason = missing("INCIDENTS_CHANNEL", written, channel)
            raise PortError("slack", reason, retryable=False)
        self._id, self._checked = channel.id, time.monotonic()


def missing(setting: str, written: str, channel: Found | None) -> str:
    """Return the reason why nothing can be posted there."""
    if channel is not None and channel.archived:
        return f"{setting} {written}: the channel #{channel.name} is archived"
    return (
        f"{setting} {written}: there is no such channel, or it is archived, "
        "or private and the bot is not in it"
    )
