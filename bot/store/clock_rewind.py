"""A clock of Redis that is set back: what waits there is moved with it, once over all replicas."""

from bot.connection.client import GROUP, Script
from bot.store.incident_store import Store

LEAST_SECONDS = 2.0
"""A smaller step makes nobody late. So often the time is written down, too."""
NEAR_SECONDS = 3 * 3600.0
"""A later time is meant by the calendar ("on Tuesday at nine") and stays where it is.

The longest promise between people is two hours (phases/coordination/updates.py NEXT_MINUTES).
"""
SEEN_SECONDS = 5.0
"""What should have ended while the step was not seen yet has ended."""

SET_BACK = Script("clock_rewind")


async def set_back(store: Store) -> tuple[float, float]:
    """Move what waits; return the seconds by which the clock was set back since anybody looked.

    And what the clock of Redis shows, in seconds since 1970.

    Raises `StoreError` when Redis cannot be used.
    """
    step, clock = await store.run(
        SET_BACK,
        least=round(LEAST_SECONDS * 1000),
        near=round(NEAR_SECONDS * 1000),
        unseen=round(SEEN_SECONDS * 1000),
        group=GROUP,
    )
    return int(step) / 1000, int(clock) / 1000
