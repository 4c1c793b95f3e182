"""`POST /webhooks/linear`: somebody in Linear moved a ticket, or settled an action item. Our own changes come back here, too.

Headers, signature, payload: https://linear.app/developers/webhooks. It is sent again after a minute, an hour and six hours
where we do not answer 200 within 5 s.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import StoreUnavailable, Unknown
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.signature import hmac_fits, refused, signed_body
from phases.coordination.ticket import issue_claim
from phases.messages.actions import TicketTold
from phases.record.documents import LinearIssue
from phases.record.text import foreign

log = logging.getLogger(__name__)

PATH = "/webhooks/linear"
OLDEST = timedelta(
    minutes=1
)  # https://linear.app/developers/webhooks#securing-webhooks: within a minute


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Sent(_Part):
    """What every delivery has."""

    type: str
    action: str
    timestamp: float = Field(alias="webhookTimestamp")
    """Milliseconds since 1970."""


class _Actor(_Part):
    name: Annotated[str, AfterValidator(foreign)] = ""


class _State(_Part):
    name: Annotated[str, AfterValidator(foreign)] = ""
    type: str


class _Data(_Part):
    id: str
    priority: float = 0
    state: _State
    updated: datetime | None = Field(alias="updatedAt", default=None)


class _Update(_Part):
    """An update of an issue; of the actor only the name is read, of the rest nothing."""

    data: _Data
    actor: _Actor | None = None
    before: dict[str, Any] = Field(alias="updatedFrom", default_factory=dict[str, Any])
    """The former values of what was changed."""


Owner = Callable[[str], Awaitable[str | None]]
"""Which incident holds a claim."""


def linear_route(ctx: Context, secret: str, owner: Owner) -> Route:
    async def webhook(request: Request) -> Response:
        signature = request.headers.get("linear-signature", "")
        raw = await signed_body(request, lambda body: hmac_fits(body, secret, signature))
        if isinstance(raw, Response):
            return raw
        delivery = request.headers.get("linear-delivery", "").strip()
        if not delivery or len(delivery) > 100:
            return refused(request, 400, "Linear-Delivery is missing")
        try:
            sent = _Sent.model_validate_json(raw)
            if abs(ctx.now() - _moment(sent.timestamp)) > OLDEST:
                return refused(
                    request, 400, "`webhookTimestamp` is more than a minute away from now"
                )
            if sent.type != "Issue" or sent.action != "update":
                return JSONResponse({"incident": None})
            told = _Update.model_validate_json(raw)
        except (ValidationError, ValueError, OverflowError):
            return refused(request, 400, "the body cannot be read")
        return await _tell(ctx, owner, request, told, delivery)

    return Route(PATH, webhook, methods=["POST"])


async def _tell(
    ctx: Context, owner: Owner, request: Request, told: _Update, delivery: str
) -> Response:
    fields = [
        name for name, key in (("state", "stateId"), ("priority", "priority")) if key in told.before
    ]
    if not fields:
        return JSONResponse({"incident": None})
    try:
        incident = await owner(issue_claim(told.data.id))
    except StoreUnavailable as error:
        return refused(request, 503, error.text)
    if incident is None:
        return JSONResponse({"incident": None})  # somebody's own issue
    action = TicketTold.model_validate(
        {
            "issue": _issue(told.data),
            "changed": fields,
            "by": slack_text.cut(slack_text.typed(told.actor.name), 80) if told.actor else "",
        }
    )
    answer = await ctx.dispatcher.dispatch(action, incident, deliveries.linear(delivery))
    if isinstance(answer, Unknown):
        return refused(request, 503, "it could not be recorded")
    return JSONResponse({"incident": incident})


def _issue(data: _Data) -> LinearIssue:
    at = data.updated.astimezone(UTC) if data.updated else None
    return LinearIssue(
        id=data.id,
        state=data.state.type,
        state_name=slack_text.cut(slack_text.typed(data.state.name), 60),
        priority=round(data.priority),
        at=at,
    )


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
