"""Posts the trends on the first of each month, once.

Any replica may post: a lease keeps two from trying at once, and the metadata of the message tells a
second try what the first one did.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.clients.slack.client import MessageKey, Slack
from bot.runtime.worker import Worker
from bot.store.expiring_keys import ExpiringKeys
from bot.store.incident_store import Store
from bot.store.past_incidents import RedisMemory
from handlers.views import history as views
from phases.memory.trends import MONTHS_SHOWN, trends, visible_memories

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
POST_HOUR = 9
"""UTC, on the first of the month."""
LATE_DAYS = 7
"""A bot that was down on the first posts until then."""
LEASE_SECONDS = 120
POSTED_SECONDS = 60 * 24 * 3600


class MonthlyTrends(Worker):
    def __init__(
        self,
        store: Store,
        memory: RedisMemory,
        slack: Slack,
        incidents_channel: Callable[[], Awaitable[str | None]],
        *,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(log, "monthly trends")
        self._once = ExpiringKeys(store)
        self._memory = memory
        self._slack = slack
        self._incidents_channel = incidents_channel
        self._now = now

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with self.turn():
                await self.post()
            await asyncio.sleep(SWEEP_SECONDS)

    async def post(self) -> bool:
        """Post the trends of a new month; return whether this replica did. Raises `PortError`."""
        now = self._now()
        begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if not begin + timedelta(hours=POST_HOUR) <= now < begin + timedelta(days=LATE_DAYS):
            return False
        month = f"{begin:%Y-%m}"
        channel = await self._incidents_channel()
        if channel is None or await self._once.get(f"trends:{month}:done") is not None:
            return False
        if not await self._once.first(f"trends:{month}:lease", LEASE_SECONDS):
            return False  # another replica is about to
        remembered = await self._memory.since(begin - timedelta(days=31 * MONTHS_SHOWN))
        figures = trends(visible_memories(remembered), now, upto=1)
        if figures.all.total.incidents + figures.all.total.drills:
            key = MessageKey("", f"trends.{month}", since=begin, maybe_posted=True)
            await self._slack.post(channel, views.trends(figures, post=True), key)
            log.info("trends: posted for the month before %s", month)
        await self._once.set(f"trends:{month}:done", POSTED_SECONDS)
        return True
