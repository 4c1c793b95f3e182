"""Joining an incident: the button under its announcement, and the status for newcomers."""

from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError

from handlers import views
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import first_delivery, listens, on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.record.incident import Incident

NEWCOMER_AFTER = timedelta(seconds=60)
"""Whoever is there from the beginning sees the status being posted."""


@on_incident("incident.join")
async def join_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    if incident.own_channel is None or incident.private:
        return notes.note(f"{incident.id} has no channel to join.")
    interaction.ctx.tasks.start(_invite(interaction, incident.own_channel.id), "invite a person")
    return None


async def _invite(interaction: Interaction, channel: str) -> None:
    """Invite them, as Slack opens no channel for anybody."""
    try:
        invite = interaction.ctx.client.conversations_invite
        await invite(channel=channel, users=interaction.user)
        text = f"You are in <#{channel}> now."
    except SlackApiError as error:
        already = error.response.get("error") == "already_in_channel"
        text = (
            f"You are in <#{channel}> already."
            if already
            else f"Slack did not let you in: join <#{channel}>."
        )
    interaction.tell(notes.note(text))


@listens("event", "member_joined_channel")
async def member_joined(ctx: Context, body: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/events/member_joined_channel"""
    user = body["event"].get("user")
    if user and user != ctx.me.user:
        ctx.tasks.start(_show_status(ctx, body), "show a newcomer how things stand")


async def _show_status(ctx: Context, body: dict[str, Any]) -> None:
    event = body["event"]
    channel, user = str(event.get("channel", "")), str(event.get("user", ""))
    incidents = await ctx.dispatcher.find(channel=channel, open_only=False)
    incident = next(
        (candidate for candidate in incidents if candidate.own_channel is not None), None
    )
    if incident is None or "status" not in incident.messages:
        return
    if ctx.now() - incident.declared_at < NEWCOMER_AFTER or not await first_delivery(ctx, body):
        return
    message = views.status(incident, ctx.now(), ctx.service(incident))
    await ctx.client.chat_postEphemeral(channel=channel, user=user, **message.payload())
