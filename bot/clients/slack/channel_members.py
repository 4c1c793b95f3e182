"""The members of a private incident's channel, who alone may see it.

They are asked for and kept for a moment only: people join and leave.
"""

import asyncio
import logging
import time

from bot.clients.slack.client import Slack
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

CACHED_SECONDS = 10.0
LAST_KNOWN_SECONDS = 300.0
"""While Slack does not answer, members of so long ago may still see it; then nobody."""
ASK_SECONDS = 0.8  # of the 3 s in which Slack wants its ack


class ChannelMembers:
    """`handlers.ports.Members`. https://docs.slack.dev/reference/methods/conversations.members"""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    async def in_channel(self, channel: str) -> frozenset[str]:
        at, known = self._known.get(channel, (0.0, frozenset[str]()))
        age = time.monotonic() - at if at else float("inf")
        if age < CACHED_SECONDS:
            return known
        try:
            async with asyncio.timeout(ASK_SECONDS):
                now = frozenset(await self._slack.members(channel))
        except (PortError, TimeoutError) as error:
            log.warning(
                "who is in a private channel: %s",
                error.text if isinstance(error, PortError) else "no answer",
            )
            return known if age < LAST_KNOWN_SECONDS else frozenset()
        self._known[channel] = (time.monotonic(), now)
        return now
