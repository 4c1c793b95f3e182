"""`POST /webhooks/deploys`: CI tells of a deploy, hears whether to hold, and what it deployed is watched.

Contract: `{"service","version","environment","event":"finished"|"new_errors","sentry_issues":[…],"at":"<RFC 3339>"}` with
`X-Firebreak-Signature: sha256=<HMAC of the raw body>`; `commit` (full sha) may be told, too. The answer: `{"hold": true, "incident": "INC-0042"}`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.alerts import Alarm, Found, raise_alarm
from handlers.webhooks.signature import hmac_fits, refused, signed_body
from phases.messages.actions import DeployedByOthers
from phases.mitigation.deploy_hold import hold
from phases.record.incident import Incident, Source
from phases.record.service import DEPLOYABLE, Service, environment_among
from phases.verification.post_deploy import deploy_told, headline, named

PATH = "/webhooks/deploys"
OLDEST = timedelta(
    minutes=5
)  # rules, Delivery claims: "its `at` is at most 5 minutes ago"; nor later than that
MOST_ISSUES = 50

IssueId = Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")]


class Told(BaseModel):
    """What CI says. Sentry's issue ids are its numbers, not its short ids."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    service: str = Field(min_length=1, max_length=200)
    # `@acme/shop@1.4.0` is how npm and its tools write a tag: `changeset tag`, https://github.com/atlassian/changesets/pull/634
    version: str = Field(pattern=rf"^@?(?:{DEPLOYABLE.pattern})$")
    commit: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")
    environment: str = Field(min_length=1, max_length=200)
    event: Literal["finished", "new_errors"]
    sentry_issues: list[IssueId] = Field(default_factory=list[IssueId], max_length=MOST_ISSUES)
    at: AwareDatetime

    @field_validator("version", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        """A number with a point is no version: 1.10 would be read as 1.1."""
        if isinstance(value, float):
            raise ValueError("a version is text")
        return value

    @field_validator("commit", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower() or None if isinstance(value, str) else value


def deploys_route(ctx: Context, secret: str) -> Route:
    async def webhook(request: Request) -> Response:
        signature = request.headers.get("x-firebreak-signature", "")
        raw = await signed_body(
            request, lambda body: hmac_fits(body, secret, signature, prefix="sha256=")
        )
        if isinstance(raw, Response):
            return raw
        try:
            told = Told.model_validate_json(raw)
        except ValidationError as error:
            fields = sorted(
                {".".join(str(part) for part in one["loc"]) or "JSON" for one in error.errors()}
            )
            return refused(request, 400, f"the body cannot be read: {', '.join(fields)}")
        if abs(ctx.now() - told.at) > OLDEST:
            return refused(request, 400, "`at` is more than 5 minutes away from now")
        service = service_of(ctx, told.service)
        if service is None:
            return refused(request, 400, "the catalogue has no such service")
        environment = environment_among(told.environment, service.environments)
        if environment is None:
            return JSONResponse({"hold": False, "incident": None})
        told.environment = environment
        version = named(service, told.version, told.commit)
        if version is None:
            text = "`version` is a branch, or a tag of another service: name the tag or the commit, or add `commit`"
            return refused(request, 400, text)
        hear = _finished if told.event == "finished" else _new_errors
        hearing = ctx.tasks.start(
            hear(ctx, service, told, version, deliveries.deploy(raw)), "the deploy webhook"
        )
        await asyncio.wait({hearing})
        if hearing.exception() is not None or hearing.result() is None:
            return JSONResponse({"error": "it could not be recorded; send it again"}, 503)
        return JSONResponse(hearing.result())

    return Route(PATH, webhook, methods=["POST"])


def service_of(ctx: Context, name: str) -> Service | None:
    """By name or alias; a bot without a catalogue has one service, whose name nobody knows."""
    every = ctx.catalogue.all()
    found = ctx.catalogue.get(name)
    alone = found is None and len(every) == 1 and every[0].name == "default"
    return every[0] if alone else found


async def _finished(
    ctx: Context, service: Service, told: Told, version: str, delivery: Delivery
) -> dict[str, object] | None:
    """A known deploy from now on, watched; told to the incidents that are open. None: not recorded, send it again."""
    deploy = deploy_told(service, version, told.at, told.commit)
    await ctx.deploys.told(deploy, told.environment)
    told_to = (
        *await ctx.dispatcher.find(service=service.name, open_only=True),
        *await ctx.dispatcher.holding(service.name),
    )
    burning = [one for one in told_to if one.environment == told.environment]
    holding: str | None = None
    hold_on = False
    for incident in burning:
        trigger = deliveries.part(delivery, incident.id)
        answer = await ctx.dispatcher.dispatch(
            DeployedByOthers(deploy=deploy), incident.id, trigger
        )
        if not isinstance(answer, Recorded):
            return None
        if hold(answer.incident) is not None:
            hold_on, holding = True, holding or _name(answer.incident)
    return {
        "hold": hold_on,
        "incident": holding or next((name for one in burning if (name := _name(one))), None),
    }


def _name(incident: Incident) -> str | None:
    """CI's log is read by everybody: a private incident holds without being named."""
    return None if incident.apart else incident.id


async def _new_errors(
    ctx: Context, service: Service, told: Told, version: str, delivery: Delivery
) -> dict[str, object] | None:
    """CI saw new issues after its deploy: an incident, or evidence of the one that is open."""
    version = slack_text.cut(slack_text.typed(version), 100)
    alarm = Alarm(
        service=service,
        title=headline((), version),
        source=Source(kind="deploy", text=f"the deploy of {version}, which reported new errors"),
        at=told.at,
        found=tuple(
            Found(issue, f"Sentry issue {issue} is new in {version}")
            for issue in told.sentry_issues
        ),
    )
    owner = await raise_alarm(ctx.dispatcher, ctx.catalogue, ctx.ulid, alarm, delivery)
    if owner is None:
        return None
    incident = await ctx.dispatcher.load(owner)
    return {"hold": incident is not None and hold(incident) is not None, "incident": owner}
