"""App Home: drawn when somebody opens it, and drawn again while they may still look at it and something has changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientError
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.errors import SlackApiError, SlackClientError

from handlers.dispatcher import StoreUnavailable
from handlers.slack.context import Context
from handlers.slack.interaction import STRANGER
from handlers.slack.visibility import seen_by
from handlers.views import forms
from handlers.views.blocks import View
from handlers.views.home import home
from phases.memory.trends import trends, visible
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.record.memories import Counted

log = logging.getLogger(__name__)

OPEN_SECONDS = 15 * 60
"""So long after it was opened it is kept current."""
VIEWERS = 50
AGAIN_SECONDS = 10.0
"""After one that could not be drawn."""
LOOK_SECONDS = 2.0
"""One look at Redis for all viewers; and at most one Home a second is published (views.publish is Tier 4, 100 a minute)."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What Redis knows; who may see what of it is asked for each viewer."""

    open: Sequence[Incident]
    owing: Sequence[Incident]
    past: Sequence[Counted]
    private: Sequence[Incident]
    """The private ones among those that are past."""


class Homes:
    """Draws App Home: at once where it was opened, later at whichever replica's turn it is."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._seen = ""
        self._not_before = 0.0

    async def opened(self, user: str) -> None:
        """Draws it now, and has it drawn again when something changes, for a while."""
        await self._ctx.viewers.opened(user, OPEN_SECONDS, VIEWERS)
        await self._draw(user, "", await self._read())

    async def run(self) -> None:
        """Until cancelled. Costs one question to Redis every two seconds while nobody looks, or nothing changes."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("App Home waits: %s", error.text)
            except Exception as error:  # noqa: BLE001  a view that cannot be drawn must not end the others'
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("App Home failed with %s\n%s", type(error).__name__, where)

    async def look(self) -> None:
        """Draws every open Home anew, where something has changed."""
        looking = await self._ctx.viewers.looking()
        if looking is None or looking.mark == self._seen or time.monotonic() < self._not_before:
            return
        self._not_before = (
            time.monotonic() + AGAIN_SECONDS
        )  # whatever goes wrong below is tried again then
        found, failed = await self._read(), False
        for user, shown in looking.shown.items():
            try:
                if await self._draw(user, shown, found):
                    await asyncio.sleep(1)
            except (
                SlackApiError,
                SlackClientError,
                ClientError,
                PortError,
                TimeoutError,
                OSError,
            ) as error:
                why = (
                    str(error.response.get("error"))
                    if isinstance(error, SlackApiError)
                    else type(error).__name__
                )
                log.warning("App Home is drawn again in %.0f s: %s", AGAIN_SECONDS, why)
                failed = True
        if not failed:
            self._seen, self._not_before = looking.mark, 0.0

    async def _read(self) -> _Found:
        """Once for all viewers. Without the memory there is a Home without months."""
        ctx = self._ctx
        past: Sequence[Counted] = ()
        try:
            past = await ctx.memory.since(_last_month(ctx.now()))
        except PortError as error:
            log.warning("App Home without its months: %s", error.text)
        private = [
            found
            for one in past
            if one.private and (found := await ctx.dispatcher.load(one.id)) is not None
        ]
        return _Found(await ctx.dispatcher.find(), await ctx.dispatcher.owing(), past, private)

    async def _draw(self, user: str, shown: str, found: _Found) -> bool:
        """Whether it was published: what looks the same is not sent again."""
        view, stays = await self._view(user, found)
        payload = view.payload()
        fingerprint = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
        if fingerprint == shown:
            return False
        try:
            await self._ctx.client.views_publish(user_id=user, view=payload)
        except SlackApiError as error:
            if (
                error.response.status_code != 200
            ):  # for now: asked to slow down, or a fault of Slack's own
                raise
            log.warning("App Home: Slack refused: %s", error.response.get("error"))
            await self._ctx.viewers.drawn(user, "")
            return True
        await self._ctx.viewers.drawn(user, fingerprint if stays else "")
        return True

    async def _view(self, user: str, found: _Found) -> tuple[View, bool]:
        """And whether there is anything to be kept current in it."""
        ctx = self._ctx
        try:
            if not (await ctx.people.person(user, None)).member:
                log.info(
                    "refused: no full member of this workspace",
                    extra={"person": user, "doing": "App Home"},
                )
                return forms.home_refused(STRANGER), False
        except PortError:
            return forms.home_refused(
                "I could not ask Slack who you are. Open this again in a moment."
            ), True
        members = [one.id for one in await seen_by(ctx.members, user, found.private)]
        last, this = trends(visible(found.past, members), ctx.now(), months=2).all.months
        shown = home(
            await seen_by(ctx.members, user, found.open),
            user,
            ctx.now(),
            owned=await self._owned(user),
            owing=await seen_by(ctx.members, user, found.owing),
            months=(last, this),
            site=ctx.me.url,
        )
        return shown, True

    async def _owned(self, user: str) -> Collection[str]:
        """Services that are theirs; one whose owners cannot be asked for now is nobody's."""
        found: list[str] = []
        for service in self._ctx.catalogue.all():
            try:
                if user in await self._ctx.people.owners(service):
                    found.append(service.name)
            except PortError as error:
                log.info("App Home: owners of %s: %s", service.name, error.text)
        return found


def _last_month(now: datetime) -> datetime:
    """Its first moment, in UTC as the months are counted."""
    last_day = now.astimezone(UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    ) - timedelta(days=1)
    return last_day.replace(day=1)


def register(app: AsyncApp, ctx: Context, homes: Homes) -> None:
    @app.event("app_home_opened")
    async def opened(ack: AsyncAck, event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/app_home_opened"""
        if event.get("tab", "home") == "home" and event.get("user"):
            ctx.tasks.start(homes.opened(str(event["user"])), "publish App Home")
        await ack()
