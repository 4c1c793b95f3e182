"""The names of people for texts in which nobody can be mentioned: a form's fields, a file."""

import asyncio
from collections.abc import Iterable

from handlers.slack.context import Context

NAMES_MOST = 30


async def names_of(ctx: Context, ids: Iterable[str], seconds: float) -> dict[str, str]:
    """Return the display names that come in time, by Slack id."""
    names: dict[str, str] = {}

    async def add(id: str) -> None:
        names[id] = await ctx.people.name(id)

    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(add(id) for id in sorted(set(ids))[:NAMES_MOST]))
    except TimeoutError:
        pass  # ids stand in for the rest
    return names
