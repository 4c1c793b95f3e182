"""`POST /api/incidents`: a script declares an incident.

The body is `{"title","service","environment","description","severity","key"}`; only `title` is
needed, and `service` where there are several. `Authorization: Bearer <API_TOKEN>`. 201 with the
incident and its channel; 200 where the key is known, or the service has an open incident; 422 with
every fault.
"""

import asyncio
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.dispatcher import Recorded, Unknown
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.alarms import surviving_incident
from handlers.webhooks.alert_senders import bearer, token_fits
from handlers.webhooks.deploys import service_of
from handlers.webhooks.route import NotRecorded, finished
from handlers.webhooks.signature import refused, signed_body
from phases.messages.commands import Declare
from phases.record.claims import key_claim
from phases.record.incident import Incident, Severity, Source
from phases.record.service import Service, environment_among
from phases.shared.change import Refused
from phases.text.cleaning import foreign, visible
from phases.text.wording import short

PATH = "/api/incidents"
CHANNEL_SECONDS = 5.0
"""So long the answer waits for the channel; then it is given without a link."""
LOOK_SECONDS = 0.1
SOURCE = "a script"

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Body(BaseModel):
    """An unknown field is a fault: it is mostly a known one with a typing error."""

    model_config = ConfigDict(extra="forbid")

    title: Line
    service: Annotated[Line, Field(max_length=200)] | None = None
    environment: Annotated[Line, Field(max_length=200)] | None = None
    description: str = ""
    severity: Severity | None = None
    key: Annotated[Line, Field(max_length=200)] | None = None

    @field_validator("severity", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """Read `SEV2` as 2."""
        if isinstance(value, str) and value.strip().upper().removeprefix("SEV").isdecimal():
            return int(value.strip().upper().removeprefix("SEV"))
        return value


class Faults(Exception):
    """Everything that is wrong with a body: 422."""

    def __init__(self, faults: list[dict[str, str]]) -> None:
        super().__init__(faults)
        self.faults = faults


def incidents_route(ctx: Context, token: str) -> Route:
    async def endpoint(request: Request) -> Response:
        if not token_fits(bearer(request), token):
            answer = refused(request, 401, "the token does not fit")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        raw = await signed_body(request, lambda body: True)
        if isinstance(raw, Response):
            return raw
        try:
            body, service = _read_body(ctx, raw)
        except Faults as error:
            return JSONResponse({"errors": error.faults}, status_code=422)
        try:
            incident, new = await finished(ctx.tasks, _declare(ctx, body, service), "the API")
        except NotRecorded as error:
            return refused(request, 503, str(error))
        return JSONResponse(await _response_body(ctx, incident), status_code=201 if new else 200)

    return Route(PATH, endpoint, methods=["POST"])


def _read_body(ctx: Context, raw: bytes) -> tuple[Body, Service]:
    """Raises `Faults`, all of them at once."""
    faults: list[dict[str, str]] = []
    body: Body | None = None
    try:
        body = Body.model_validate_json(raw)
    except ValidationError as error:
        faults = [
            {"field": ".".join(map(str, fault["loc"])) or "body", "error": fault["msg"]}
            for fault in error.errors(include_input=False, include_url=False)
        ]
    fields = _texts(raw) if body is None else body.model_dump(exclude_none=True)
    service = _service(ctx, fields) if fields is not None else None
    environment = None
    unnamed = fields is not None and service is None
    if unnamed and not any(fault["field"] == "service" for fault in faults):
        names = ", ".join(known_service.name for known_service in ctx.catalogue.all()[:20])
        faults.append({"field": "service", "error": f"name one of: {names}"})
    if service is not None and fields is not None and "environment" in fields:
        environment = environment_among(fields["environment"], service.environments)
        if environment is None:
            known = ", ".join(service.environments)
            faults.append({"field": "environment", "error": f"{service.name} has: {known}"})
    if faults or body is None or service is None:
        raise Faults(faults)
    body.environment = environment
    return body, service


def _texts(raw: bytes) -> dict[str, Any] | None:
    """Return the texts of a body with faults: its service and environment may be faults, too.

    None where it is no object.
    """
    try:
        fields: Any = from_json(raw)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    return {name: value for name, value in fields.items() if isinstance(value, str) and value}


def _service(ctx: Context, told: dict[str, Any]) -> Service | None:
    """Return the service by name or alias; without a name the one in the words, or the only one."""
    if "service" in told:
        return service_of(ctx, told["service"].strip())
    words = f"{told.get('title', '')} {told.get('description', '')}"
    return ctx.catalogue.named_in(words[: slack_text.DESCRIPTION])


async def _declare(ctx: Context, body: Body, service: Service) -> tuple[Incident, bool] | None:
    """Return the incident, and whether it is new. None: it is not recorded."""
    if body.key is not None:
        owner = await ctx.dispatcher.owner(key_claim(body.key))
        known = await surviving_incident(ctx.dispatcher, owner)
        if known is not None:
            return known, False
    action = Declare(
        ulid=ctx.ulid(),
        title=slack_text.title(foreign(slack_text.typed(body.title))),
        # The end of a log is longer just when something is wrong.
        description=short(foreign(visible(body.description)), slack_text.DESCRIPTION - 200),
        service=service.name,
        environment=body.environment or service.environment,
        source=Source(kind="script", text=SOURCE),
        severity=body.severity,
        keys=(body.key,) if body.key is not None else (),
    )
    match await ctx.dispatcher.dispatch(action, None):
        case Recorded(incident=incident):
            return incident, True
        case Refused(code="taken", owner=str(owner)):
            incident = await ctx.dispatcher.load(owner)
            return (incident, False) if incident is not None else None
        case Refused() | Unknown():
            return None


async def _response_body(ctx: Context, incident: Incident) -> dict[str, object]:
    """Return what a script is told; it waits a little for the channel."""
    loop = asyncio.get_running_loop()
    until = loop.time() + CHANNEL_SECONDS
    while incident.channel is None and incident.open and loop.time() < until:
        await asyncio.sleep(LOOK_SECONDS)
        incident = await ctx.dispatcher.load(incident.id) or incident
    channel = incident.channel
    shown = not incident.private and channel is not None
    return {
        "id": incident.id,
        "status": incident.status.value,
        "service": incident.service,
        "channel": {
            "id": channel.id,
            "name": channel.name,
            "url": f"{ctx.me.url.rstrip('/')}/archives/{channel.id}",
        }
        if shown and channel is not None
        else None,
    }
