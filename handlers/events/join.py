"""Coming into an incident: *Join* under its announcement, and how things stand for whoever comes into its channel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.errors import SlackApiError

from handlers import deliveries, views
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.record.incident import Incident

DELIVERY_SECONDS = 900  # rules: delivery claims are kept 15 minutes
NEWCOMER = timedelta(seconds=60)  # who is there from the beginning sees the status being posted


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        if incident.channel is None or incident.channel.thread_ts is not None or incident.private:
            return notes.note(f"{incident.id} has no channel to join.")
        ctx.tasks.start(_invite(interaction, incident.channel.id), "invite a person")
        return None

    async def _invite(interaction: Interaction, channel: str) -> None:
        """Slack opens no channel for anybody; it can be invited to, and linked."""
        try:
            await ctx.client.conversations_invite(channel=channel, users=interaction.user)
            said = f"You are in <#{channel}> now."
        except SlackApiError as error:
            there = error.response.get("error") == "already_in_channel"
            said = (
                f"You are in <#{channel}> already."
                if there
                else f"Slack did not let you in: join <#{channel}>."
            )
        interaction.tell(notes.note(said))

    on_incident(app, ctx, "incident.join", clicked)

    async def brief(body: dict[str, Any]) -> None:
        event = body["event"]
        channel, user = str(event.get("channel", "")), str(event.get("user", ""))
        found = await ctx.dispatcher.find(channel=channel, open_only=False)
        incident = next(
            (i for i in found if i.channel is not None and i.channel.thread_ts is None), None
        )
        if (
            incident is None
            or "status" not in incident.messages
            or ctx.now() - incident.declared_at < NEWCOMER
        ):
            return
        for claim in deliveries.event(body):
            if not await ctx.once.first(claim, DELIVERY_SECONDS):
                return
        shown = views.status(incident, ctx.now(), ctx.service(incident))
        await ctx.client.chat_postEphemeral(channel=channel, user=user, **shown.payload())

    @app.event("member_joined_channel")
    async def came_in(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/member_joined_channel"""
        if event.get("user") and event["user"] != ctx.me.user:
            ctx.tasks.start(brief(body), "show a newcomer how things stand")
        await ack()
