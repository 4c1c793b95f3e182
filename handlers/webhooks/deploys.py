"""`POST /webhooks/deploys`: CI tells of a deploy and is told whether to hold; it is watched.

Contract: the body is `{"service","version","environment","event":"finished"|"new_errors",
"sentry_issues":[…],"at":"<RFC 3339>"}`; `commit` (the full sha) may be told, too.
`X-Firebreak-Signature: sha256=<HMAC of the raw body>` signs it.
The answer: `{"hold": true, "incident": "INC-0042"}`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator
from starlette.requests import Request
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.alarms import Alarm, ReportedIssue, raise_alarm
from handlers.webhooks.route import Signature, Unreadable, finished, parsed, webhook
from phases.messages.actions import DeployedByOthers
from phases.mitigation.deploy_hold import hold
from phases.record.incident import Incident, Source
from phases.record.service import DEPLOYABLE, Service, environment_among
from phases.text.wording import short
from phases.verification.post_deploy import deploy_told, headline, version_told

PATH = "/webhooks/deploys"
OLDEST = timedelta(minutes=5)  # rules, Delivery claims; nor may `at` be later than that
MOST_ISSUES = 50
"""So many are taken; the worst deploys have more."""

NO_VERSION = (
    "`version` is a branch, or a tag of another service: "
    "name the tag or the commit, or add `commit`"
)

IssueId = Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")]


class DeployBody(BaseModel):
    """The body as CI sends it. Sentry's issue ids are its numbers, not its short ids."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)

    service: str = Field(min_length=1, max_length=200)
    # npm and its tools write a tag as `@acme/shop@1.4.0`:
    # https://github.com/atlassian/changesets/pull/634
    version: str = Field(pattern=rf"^@?(?:{DEPLOYABLE.pattern})$")
    commit: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")
    environment: str = Field(min_length=1, max_length=200)
    event: Literal["finished", "new_errors"]
    sentry_issues: list[IssueId] = Field(default_factory=list[IssueId])
    at: AwareDatetime

    @field_validator("version", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        """Refuse a number with a point: 1.10 would be read as 1.1."""
        if isinstance(value, float):
            raise ValueError("a version is text")
        return value

    @field_validator("sentry_issues", mode="before")
    @classmethod
    def _first_issues(cls, value: object) -> object:
        return value[:MOST_ISSUES] if isinstance(value, list) else value or []

    @field_validator("commit", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower() or None if isinstance(value, str) else value


def deploys_route(ctx: Context, secret: str) -> Route:
    async def receive(request: Request, raw: bytes) -> Mapping[str, object]:
        body = parsed(DeployBody, raw)
        if abs(ctx.now() - body.at) > OLDEST:
            raise Unreadable("`at` is more than 5 minutes away from now")
        service = service_of(ctx, body.service)
        if service is None:
            raise Unreadable("the catalogue has no such service")
        environment = environment_among(body.environment, service.environments)
        if environment is None:
            return {"hold": False, "incident": None}
        body.environment = environment
        version = version_told(service, body.version, body.commit)
        if version is None:
            raise Unreadable(NO_VERSION)
        record = _record_deploy if body.event == "finished" else _raise_alarm
        recording = record(ctx, service, body, version, deliveries.of_body("deploy", raw))
        return await finished(ctx.tasks, recording, "the deploy webhook")

    return webhook(PATH, Signature("x-firebreak-signature", secret, "sha256="), receive)


def service_of(ctx: Context, name: str) -> Service | None:
    """Return the service by name or alias. Without a catalogue there is one, which has no name."""
    every = ctx.catalogue.all()
    service = ctx.catalogue.get(name)
    alone = service is None and len(every) == 1 and every[0].name == "default"
    return every[0] if alone else service


async def _record_deploy(
    ctx: Context, service: Service, body: DeployBody, version: str, delivery: Delivery
) -> dict[str, object] | None:
    """Record the deploy, begin its watch, and tell the incidents of its environment.

    None: it is not recorded and has to be sent again.
    """
    deploy = deploy_told(service, version, body.at, body.commit)
    await ctx.deploys.record(deploy, body.environment)
    incidents = (
        *await ctx.dispatcher.find(service=service.name, open_only=True),
        *await ctx.dispatcher.holding(service.name),
    )
    burning = [incident for incident in incidents if incident.environment == body.environment]
    holding: list[Incident] = []
    for incident in burning:
        action, part = (
            DeployedByOthers(deploy=deploy),
            deliveries.sub_delivery(delivery, incident.id),
        )
        answer = await ctx.dispatcher.dispatch(action, incident.id, part)
        if not isinstance(answer, Recorded):
            return None
        if hold(answer.incident) is not None:
            holding.append(answer.incident)
    return {"hold": bool(holding), "incident": _public_id(holding) or _public_id(burning)}


def _public_id(incidents: list[Incident]) -> str | None:
    """Return the first id that may be named: everybody reads the log of CI."""
    return next((incident.id for incident in incidents if not incident.apart), None)


async def _raise_alarm(
    ctx: Context, service: Service, body: DeployBody, version: str, delivery: Delivery
) -> dict[str, object] | None:
    """Declare an incident, or add to the one that is open: CI saw new issues after its deploy."""
    version = short(slack_text.typed(version), 100)
    alarm = Alarm(
        service=service,
        title=headline((), version),
        source=Source(kind="deploy", text=f"the deploy of {version}, which reported new errors"),
        at=body.at,
        reported=tuple(
            ReportedIssue(issue, f"Sentry issue {issue} is new in {version}")
            for issue in body.sentry_issues
        ),
    )
    owner = await raise_alarm(ctx.dispatcher, ctx.catalogue, ctx.ulid, alarm, delivery)
    if owner is None:
        return None
    incident = await ctx.dispatcher.load(owner)
    return {"hold": incident is not None and hold(incident) is not None, "incident": owner}
