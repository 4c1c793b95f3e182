"""A fire in Sentry, and the paths of Sentry's tables that can be refused."""

from __future__ import annotations

from tests.support.worlds.sentry_world import World


async def fire(w: World, *paths: str, users: int = 30) -> None:
    """A release that broke these, deployed eight minutes ago."""
    w.deployed("v2", 600)
    w.deployed("v3", 8)
    w.burn(*(paths or ("/cart/add", "/pay", "/search")), users=users)
    await w.client.warm([w.service])


def rows(*fields: str) -> tuple[str, ...]:
    """One of the tables of `events/`."""
    return ("/events/", *(f"field={name}" for name in fields))


USERS, FEATURES, PLACES = rows("user&"), (*rows("transaction"), "!url"), rows("tags[")

TOTALS = rows("count()&field=count_unique(user)&field=count_unique(user.ip)")
