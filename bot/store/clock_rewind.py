"""A clock of Redis that is set back: what waits in Redis is moved with it, once over all replicas, so that it comes when it was promised."""

from __future__ import annotations

from bot.store.incident_store import Store
from bot.store.redis import GROUP, Script

LEAST_SECONDS = 2.0
"""A smaller step makes nobody late. So often the time is written down, too."""
NEAR_SECONDS = 3 * 3600.0
"""What is due later than that is meant by the calendar ("on Tuesday at nine") and stays where it is. The longest promise
between people is two hours (phases/coordination/updates.py NEXT_MINUTES)."""
SEEN_SECONDS = 5.0
"""What should have ended while the step was not seen yet has ended."""

SET_BACK = Script("clock_rewind")


async def set_back(store: Store) -> float:
    """The seconds by which the clock of Redis was set back since anybody looked, where it was; then all that waits was moved.

    Raises `bot.store.redis.StoreError` when Redis cannot be used.
    """
    step = await store.run(
        SET_BACK,
        least=round(LEAST_SECONDS * 1000),
        near=round(NEAR_SECONDS * 1000),
        unseen=round(SEEN_SECONDS * 1000),
        group=GROUP,
    )
    return int(step) / 1000
