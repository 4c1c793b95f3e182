"""App Home: drawn when it is opened, and again when something changes in it."""

import asyncio
import hashlib
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError

from handlers.dispatcher import StoreUnavailable
from handlers.slack.context import Context
from handlers.slack.interaction import STRANGER
from handlers.slack.listening import listens
from handlers.slack.visibility import visible_to
from handlers.views import forms
from handlers.views.blocks import View
from handlers.views.home import ITEMS, SHOWN, First, HomeContents, Items, home
from phases.coordination.short_records import (
    Index,
    ShortRecord,
    mine_first,
    owed_items,
    worse_first,
)
from phases.memory.trends import trends, visible_memories
from phases.ports.ports import PortError
from phases.record.documents import ActionItem
from phases.record.incident import Incident
from phases.record.memories import Counted

log = logging.getLogger(__name__)

OPEN_SECONDS = 15 * 60
"""A Home is kept current for this long after it was opened."""
VIEWERS = 50
AGAIN_SECONDS = 10.0
"""The wait after a Home that could not be drawn."""
LOOK_SECONDS = 2.0
"""One look at Redis serves all viewers.

At most one Home a second is published, as views.publish is Tier 4, 100 a minute.
"""


FAILURES = (SlackApiError, SlackClientError, ClientError, PortError, TimeoutError, OSError)
"""What may go wrong with one Home and not with the next."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The incidents that Homes show, before it is asked who may see which."""

    open: Sequence[ShortRecord]
    """The worse ones first."""
    owing: Sequence[ShortRecord]
    past: Sequence[Counted]
    private: Sequence[Incident]
    """The private ones among those that are past."""


@listens("event", "app_home_opened")
async def home_opened(ctx: Context, body: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/events/app_home_opened"""
    event = body["event"]
    if event.get("tab", "home") == "home" and event.get("user"):
        ctx.tasks.start(_open_home(ctx, str(event["user"])), "publish App Home")


async def _open_home(ctx: Context, user: str) -> None:
    """Draw it now, and have it drawn again when something changes, for a while."""
    await ctx.viewers.opened(user, OPEN_SECONDS, VIEWERS)
    await _draw(ctx, user, "", await _read_known(ctx))


class Homes:
    """Draws the Homes that are open again, at whichever replica's turn it is."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._drawn = ""
        self._not_before = 0.0

    async def run(self) -> None:
        """Run until cancelled. An idle round costs one question to Redis every two seconds.

        First whatever short records an older release left out are made: who asks for a list, or
        opens the first Home, need not wait for that.
        """
        await self._logging_failures(self._short_records())
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._logging_failures(self.redraw())

    async def _short_records(self) -> None:
        for index in get_args(Index):
            await self._ctx.dispatcher.short_records(index)

    async def _logging_failures(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StoreUnavailable as error:
            log.warning("App Home waits: %s", error.text)
        except Exception as error:  # noqa: BLE001  one view must not end the others
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("App Home failed with %s\n%s", type(error).__name__, where)

    async def redraw(self) -> None:
        """Draw every open Home again, where something has changed."""
        homes = await self._ctx.viewers.to_draw()
        if homes is None or homes.mark == self._drawn or time.monotonic() < self._not_before:
            return
        # Whatever fails below is tried again then.
        self._not_before = time.monotonic() + AGAIN_SECONDS
        known, failed = await _read_known(self._ctx), False
        for user, shown in homes.shown.items():
            try:
                if await _draw(self._ctx, user, shown, known):
                    await asyncio.sleep(1)
            except FAILURES as error:
                refused = isinstance(error, SlackApiError)
                why = str(error.response.get("error")) if refused else type(error).__name__
                log.warning("App Home is drawn again in %.0f s: %s", AGAIN_SECONDS, why)
                failed = True
        if not failed:
            self._drawn, self._not_before = homes.mark, 0.0


async def _read_known(ctx: Context) -> _Known:
    """Read once for all viewers. Without the memory there is a Home without months."""
    past: Sequence[Counted] = ()
    try:
        past = await ctx.memory.since(_last_month(ctx.now()))
    except PortError as error:
        log.warning("App Home without its months: %s", error.text)
    private = await ctx.dispatcher.records(memory.id for memory in past if memory.private)
    return _Known(
        worse_first(await ctx.dispatcher.short_records("open")),
        await ctx.dispatcher.short_records("owing"),
        past,
        private,
    )


async def _draw(ctx: Context, user: str, shown: str, known: _Known) -> bool:
    """Publish the Home, unless it looks as it did; return whether it was published."""
    view, stays = await _view(ctx, user, known)
    payload = view.payload()
    fingerprint = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    if fingerprint == shown:
        return False
    try:
        await ctx.client.views_publish(user_id=user, view=payload)
    except SlackApiError as error:
        # Another status is for now: a wish to slow down, or a fault of Slack's own.
        if error.response.status_code != 200:
            raise
        log.warning("App Home: Slack refused: %s", error.response.get("error"))
        stays = False
    await ctx.viewers.drawn(user, fingerprint if stays else "")
    return True


async def _view(ctx: Context, user: str, known: _Known) -> tuple[View, bool]:
    """Return the Home, and whether anything in it is to be kept current."""
    try:
        if not (await ctx.people.person(user, None)).member:
            log.info(
                "refused: not a full member of this workspace",
                extra={"person": user, "doing": "App Home"},
            )
            return forms.home_refused(STRANGER), False
    except PortError:
        text = "I could not ask Slack who you are. Open this again in a moment."
        return forms.home_refused(text), True
    private = [incident.id for incident in await visible_to(ctx.members, user, known.private)]
    last, this = trends(visible_memories(known.past, private), ctx.now(), months=2).all.months
    visible_ones = await visible_to(ctx.members, user, known.open)
    burning, owed = mine_first(visible_ones, user, await _owned(ctx, user))
    shown = HomeContents(
        burning=await _read_shown(ctx, user, burning),
        owed=await _read_shown(ctx, user, owed),
        items=await _items(ctx, user, known.owing),
        months=(last, this),
    )
    return home(shown, user, ctx.now(), site=ctx.me.url), True


async def _read_shown(ctx: Context, user: str, some: Sequence[ShortRecord]) -> First:
    """Read those that are shown, without those that have ended meanwhile."""
    records = await ctx.dispatcher.records(short_record.id for short_record in some[:SHOWN])
    visible = await visible_to(ctx.members, user, records)
    return First([incident for incident in visible if incident.open], len(some))


async def _items(ctx: Context, user: str, owing: Sequence[ShortRecord]) -> Items:
    """Read those of the viewer's action items that are shown, without those that are done now."""
    visible = await visible_to(ctx.members, user, owing)
    owed = owed_items(visible, user, ctx.now().date())
    shown = owed.own[:ITEMS]
    by_id = {
        incident.id: incident
        for incident in await ctx.dispatcher.records({id: 0 for id, _ in shown})
    }
    own: list[tuple[Incident, ActionItem]] = []
    for id, number in shown:
        incident = by_id.get(id)
        items = incident.postmortem.items if incident and incident.postmortem else ()
        if incident and number <= len(items) and items[number - 1].open:
            own.append((incident, items[number - 1]))
    return Items(own, owed)


async def _owned(ctx: Context, user: str) -> Collection[str]:
    """Return the services of this person, without those whose owners cannot be asked for now."""
    owned: list[str] = []
    for service in ctx.catalogue.all():
        try:
            if user in await ctx.people.owners(service):
                owned.append(service.name)
        except PortError as error:
            log.info("App Home: owners of %s: %s", service.name, error.text)
    return owned


def _last_month(now: datetime) -> datetime:
    """Return its first moment, in UTC as the months are counted."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=1)
