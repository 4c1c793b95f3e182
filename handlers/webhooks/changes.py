"""`POST /webhooks/changes`: flags, configuration and infrastructure changed without a deploy.

Contract: the body is `{"service","kind":"flag"|"config"|"infrastructure","name","from","to","by",
"at","url"}`; `from`, `to`, `by` and `url` may be left out.
`X-Firebreak-Signature: sha256=<HMAC of the raw body>` signs it.
The answer: `{"recorded": true, "incident": "INC-0042"}`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from starlette.requests import Request
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded
from handlers.slack.context import Context
from handlers.webhooks.deploys import service_of
from handlers.webhooks.route import Signature, Unreadable, address, finished, unreadable, webhook
from phases.messages.actions import ChangedByOthers
from phases.record.findings import ChangeSeen
from phases.record.service import Service
from phases.text.cleaning import foreign, visible
from phases.text.wording import short

PATH = "/webhooks/changes"
CLOCK_AHEAD = timedelta(minutes=5)
"""A sender's clock may be so far ahead; what it tells of is then taken as of now."""
OLDEST_KEPT = timedelta(days=1)
"""Nothing older is kept: a sender that was away for hours still tells what it has to tell."""
VALUE = 200
BY = 100

BAD_KIND = "`kind` must be flag, config or infrastructure"


def _value_text(value: object) -> object:
    """Return a value of a flag as text: `true`, `20`, `blue`, `{"limit": 3}`."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


Text = Annotated[str | None, BeforeValidator(_value_text)]


class ChangeBody(BaseModel):
    """The body as the flags' system, or a script beside it, sends it."""

    model_config = ConfigDict(extra="ignore")

    service: str = Field(min_length=1, max_length=200)
    kind: Literal["flag", "config", "infrastructure"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    old: Text = Field(default=None, alias="from")
    new: Text = Field(default=None, alias="to")
    by: Text = None
    at: AwareDatetime
    url: Any = None

    def seen(self, service: Service, now: datetime) -> ChangeSeen:
        return ChangeSeen(
            service=service.name,
            kind=self.kind,
            name=_shortened_line(self.name, VALUE),
            old=_shortened_line(self.old, VALUE) or None,
            new=_shortened_line(self.new, VALUE) or None,
            # Of an address only the part that names the person.
            by=_shortened_line(self.by, BY).partition("@")[0] or None,
            at=min(self.at.astimezone(UTC), now),
            url=address(self.url),
        )


def _shortened_line(text: str | None, limit: int) -> str:
    """Return another program's text in one line, in which nothing mentions anybody in Slack."""
    return short(" ".join(foreign(visible(text or "")).split()), limit)


def changes_route(ctx: Context, secret: str) -> Route:
    async def receive(request: Request, raw: bytes) -> Mapping[str, object]:
        body, now = _read_body(raw), ctx.now()
        if body.at - now > CLOCK_AHEAD:
            raise Unreadable("`at` is in the future: the sender's clock is wrong")
        if now - body.at > OLDEST_KEPT:
            raise Unreadable("`at` is more than a day ago: nothing that old is kept")
        service = service_of(ctx, body.service)
        if service is None:
            raise Unreadable("the catalogue has no such service")
        change = body.seen(service, now)
        if not change.name:
            raise Unreadable("`name` has no letter that is seen")
        recording = _record(ctx, change, deliveries.of_body("change", raw))
        return await finished(ctx.tasks, recording, "the change webhook")

    return webhook(PATH, Signature("x-firebreak-signature", secret, "sha256="), receive)


def _read_body(raw: bytes) -> ChangeBody:
    """Raises `Unreadable` with the names of the fields that are wrong."""
    try:
        return ChangeBody.model_validate_json(raw)
    except ValidationError as error:
        faults = ((fault["loc"], fault["type"]) for fault in error.errors())
        bad_kind = (("kind",), "literal_error") in faults
        raise Unreadable(BAD_KIND) if bad_kind else unreadable(error) from error


async def _record(ctx: Context, change: ChangeSeen, delivery: Delivery) -> dict[str, object] | None:
    """Keep the change, and tell the open incidents of its service.

    None: it is not recorded and has to be sent again.
    """
    await ctx.changes.record(change)
    incident_ids: list[str] = []
    for incident in await ctx.dispatcher.find(service=change.service, open_only=True):
        part = deliveries.sub_delivery(delivery, incident.id)
        answer = await ctx.dispatcher.dispatch(ChangedByOthers(change=change), incident.id, part)
        if not isinstance(answer, Recorded):
            return None
        if not incident.apart:
            incident_ids.append(incident.id)
    return {"recorded": True, "incident": incident_ids[0] if incident_ids else None}
