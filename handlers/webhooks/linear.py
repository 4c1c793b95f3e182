"""`POST /webhooks/linear`: somebody in Linear moved a ticket, or settled an action item.

Our own changes come back here, too. Where we do not answer 200 within 5 s it is sent again after a
minute, an hour and six hours.
Headers, signature, payload: https://linear.app/developers/webhooks
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import StoreUnavailable, Unknown
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.route import (
    Foreign,
    NotRecorded,
    Part,
    Signature,
    Unreadable,
    delivery_id,
    parsed,
    webhook,
)
from phases.messages.actions import TicketTold
from phases.record.claims import linear_claim
from phases.record.documents import LinearIssue
from phases.text.wording import short

PATH = "/webhooks/linear"
OLDEST = timedelta(minutes=1)  # https://linear.app/developers/webhooks#securing-webhooks
NOTHING = {"incident": None}


class _Envelope(Part):
    """The part that every delivery has."""

    type: str
    action: str
    timestamp: float = Field(alias="webhookTimestamp")
    """Milliseconds since 1970."""


class _Actor(Part):
    name: Foreign = ""


class _State(Part):
    name: Foreign = ""
    type: str


class _Data(Part):
    id: str
    priority: float = 0
    state: _State
    updated: datetime | None = Field(alias="updatedAt", default=None)


class _Update(Part):
    """An update of an issue; of the actor only the name is read, of the rest nothing."""

    data: _Data
    actor: _Actor | None = None
    before: dict[str, Any] = Field(alias="updatedFrom", default_factory=dict[str, Any])
    """The former values of the fields that changed."""


def linear_route(ctx: Context, secret: str) -> Route:
    async def receive(request: Request, raw: bytes) -> Mapping[str, object]:
        delivery = delivery_id(request, "Linear-Delivery")
        envelope = parsed(_Envelope, raw)
        if abs(ctx.now() - _moment(envelope.timestamp)) > OLDEST:
            raise Unreadable("`webhookTimestamp` is more than a minute away from now")
        if envelope.type != "Issue" or envelope.action != "update":
            return NOTHING
        return await _issue_updated(ctx, parsed(_Update, raw), delivery)

    return webhook(PATH, Signature("linear-signature", secret), receive)


async def _issue_updated(ctx: Context, update: _Update, delivery: str) -> Mapping[str, object]:
    keys = (("state", "stateId"), ("priority", "priority"))
    changed = [name for name, key in keys if key in update.before]
    if not changed:
        return NOTHING
    try:
        incident = await ctx.dispatcher.owner(linear_claim(update.data.id))
    except StoreUnavailable as error:
        raise NotRecorded(error.text) from error
    if incident is None:
        return NOTHING  # somebody's own issue
    by = short(slack_text.typed(update.actor.name), 80) if update.actor else ""
    action = TicketTold.model_validate({"issue": _issue(update.data), "changed": changed, "by": by})
    answer = await ctx.dispatcher.dispatch(action, incident, deliveries.linear(delivery))
    if isinstance(answer, Unknown):
        raise NotRecorded
    return {"incident": incident}


def _issue(data: _Data) -> LinearIssue:
    return LinearIssue(
        id=data.id,
        state=data.state.type,
        state_name=short(slack_text.typed(data.state.name), 60),
        priority=round(data.priority),
        at=data.updated.astimezone(UTC) if data.updated else None,
    )


def _moment(milliseconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Unreadable("the body cannot be read") from error
