"""App Home: what is open, for somebody who opens the app."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers.kit import Kit
from handlers.seeing import seen_by
from handlers.views.home import home


def register(app: AsyncApp, kit: Kit) -> None:
    async def publish(user: str) -> None:
        shown = await seen_by(kit.members, user, await kit.door.find())
        await kit.client.views_publish(user_id=user, view=home(shown).payload())

    @app.event("app_home_opened")
    async def opened(ack: AsyncAck, event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/app_home_opened"""
        if event.get("tab", "home") == "home" and event.get("user"):
            kit.tasks.start(publish(str(event["user"])), "publish App Home")
        await ack()
