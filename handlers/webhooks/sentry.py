"""`POST /webhooks/sentry`: an alert opens an incident by itself; the rest of one storm is evidence.

Sentry waits 1 s and does not send again; so work that takes longer goes on behind the answer.
Headers, signature, resources:
https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Delivery
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.alarms import Alarm, ReportedIssue, raise_alarm
from handlers.webhooks.route import Part, Signature, Time, Word, one_line, parsed, webhook
from phases.ports.ports import ErrorTracker, PortError
from phases.record.incident import Source
from phases.record.service import Service
from phases.text.cleaning import foreign
from phases.text.wording import short
from phases.triage.picture.blast_radius import ERROR, LEVELS, SPIKE_EVENTS, SPIKE_FACTOR

log = logging.getLogger(__name__)

PATH = "/webhooks/sentry"
ANSWER_SECONDS = 0.9
DAY = timedelta(days=1)
WHERE_SECONDS = 3.0
"""Sentry may take so long to say where an issue burns; then the alarm counts."""
LONG_AGO = timedelta(hours=1)  # as phase 1 has *new*
"""An alarm about an older event is no fire by itself: its issue was only touched."""
OPENS = {
    "issue": frozenset({"created", "unresolved"}),
    "event_alert": frozenset({"triggered"}),
    "metric_alert": frozenset({"critical", "warning"}),
    "error": frozenset({"created"}),
}
"""Actions that mean fire, by resource. Others (resolved, assigned, archived) need nothing."""


def _level(value: object) -> str:
    """Return the level; what is none is no reason to think that nothing burns."""
    return value if isinstance(value, str) and value else ERROR


Level = Annotated[str, BeforeValidator(_level)]


class _Part(Part):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class _Project(_Part):
    slug: str = ""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"slug": value} if isinstance(value, str) else value


class _Issue(_Part):
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issues/"""

    id: str
    shortId: Word = ""
    title: Word = ""
    level: Level = ERROR
    web_url: Word = ""
    permalink: Word = ""
    project: _Project = _Project()
    substatus: str = ""
    """`regressed` is Sentry's own word for a return.

    `ongoing` and `new` are a person's un-resolve, `escalating` may be an archive that ran out
    (https://github.com/getsentry/sentry/blob/master/src/sentry/issues/status_change.py and
    …/tasks/clear_expired_snoozes.py).
    """
    issueCategory: str = "error"
    lastSeen: Time = None


class _Event(_Part):
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issue-alerts/
    and …/errors/

    `project` is a number here; the slug stands in the API address of the event.
    """

    issue_id: str | None = None
    title: Word = ""
    level: Level = ERROR
    url: str = ""
    web_url: Word = ""
    environment: str | None = None
    tags: list[tuple[Word, Word]] = Field(default_factory=list[tuple[str, str]])
    datetime: Time = None

    @field_validator("tags", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """Return pairs; the API has objects of `key` and `value`. Other shapes are left out."""
        rows: list[Any] = value if isinstance(value, list) else []
        pairs = (
            (row.get("key"), row.get("value")) if isinstance(row, dict) else row for row in rows
        )
        return [
            pair
            for pair in pairs
            if isinstance(pair, list | tuple) and len(pair) == 2 and pair[0] is not None
        ]


class _Rule(_Part):
    projects: list[str] = Field(default_factory=list[str])
    environment: str | None = None


class _MetricAlert(_Part):
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/metric-alerts/"""

    title: Word = ""
    projects: list[str] = Field(default_factory=list[str])
    alert_rule: _Rule = _Rule()


class _Data(_Part):
    issue: _Issue | None = None
    event: _Event | None = None
    error: _Event | None = None
    metric_alert: _MetricAlert | None = None
    triggered_rule: Word = ""
    description_title: Word = ""
    description_text: Word = ""
    web_url: Word = ""


class _Actor(_Part):
    # getsentry/sentry, src/sentry/sentry_apps/api/serializers/app_platform_event.py

    type: Word = ""


class _Hook(_Part):
    action: str
    data: _Data
    actor: _Actor = _Actor()

    @field_validator("actor", mode="before")
    @classmethod
    def _mapping_or_empty(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {}

    @property
    def touched(self) -> bool:
        """Return whether the issue is open again without an event that Sentry calls a regression.

        Errors cannot tell whether an issue of an uptime or cron monitor burns: that alarm is never
        kept back.
        """
        issue = self.data.issue
        if issue is None or self.action != "unresolved" or issue.issueCategory != ERROR:
            return False
        return self.actor.type == "user" or issue.substatus not in ("", "regressed")


def _at_most(limit: int) -> AfterValidator:
    return AfterValidator(lambda text: short(foreign(slack_text.typed(text)), limit))


class Alert(BaseModel):
    """An alert of any kind."""

    model_config = ConfigDict(frozen=True)

    service: str
    title: Annotated[str, AfterValidator(one_line)]
    source: Annotated[str, _at_most(200)]
    text: Annotated[str, _at_most(1000)]
    url: str | None = None
    issue: str | None = None
    at: datetime
    names_environment: bool = True
    """Sentry's issue webhook does not name the environment in which the issue burns."""
    doubted: bool = False
    """It does not say that anything burns: unless users just recovered from it, Sentry is asked."""


def sentry_route(ctx: Context, secret: str) -> Route:
    async def receive(request: Request, raw: bytes) -> Response | Mapping[str, object]:
        resource = request.headers.get("sentry-hook-resource", "")
        alert = read(ctx, resource, parsed(_Hook, raw)) if resource in OPENS else None
        if alert is None:
            return {"incident": None}
        raising = ctx.tasks.start(
            _raise_alarm(ctx, alert, deliveries.of_body("sentry", raw)), "Sentry's webhook"
        )
        done, _ = await asyncio.wait({raising}, timeout=ANSWER_SECONDS)
        if not done:
            return JSONResponse({"incident": None, "going_on": True}, status_code=202)
        if raising.exception() is not None or raising.result() is None:
            return JSONResponse({"error": "it could not be recorded"}, status_code=503)
        return {"incident": raising.result() or None}

    return webhook(PATH, Signature("sentry-hook-signature", secret), receive)


def read(ctx: Context, resource: str, hook: _Hook) -> Alert | None:
    """Return the alert, where it means fire in an environment and a project that count."""
    if hook.action not in OPENS[resource]:
        return None
    data = hook.data
    match resource:
        case "issue" if data.issue is not None:
            return _from_issue(ctx, hook, data.issue)
        case "metric_alert" if data.metric_alert is not None:
            return _from_metric(ctx, data, data.metric_alert)
        case "event_alert" if data.event is not None:
            rule = data.triggered_rule or "of an issue"
            return _from_event(ctx, data.event, f"Sentry alert “{rule}”")
        case "error" if data.error is not None:
            return _from_event(ctx, data.error, "Sentry error")
        case _:
            return None


def _service(ctx: Context, slugs: list[str]) -> Service | None:
    """Return the service of a project. One that is alone and names no project takes all of them."""
    for slug in slugs:
        if (service := ctx.catalogue.by_sentry_project(slug)) is not None:
            return service
    every = ctx.catalogue.all()
    if len(every) == 1 and not every[0].sentry:
        return every[0]
    log.info("an alarm of a Sentry project that no service in the catalogue has: %s", slugs)
    return None


def _from_issue(ctx: Context, hook: _Hook, issue: _Issue) -> Alert | None:
    service = _service(ctx, [issue.project.slug])
    if service is None or issue.level not in LEVELS:
        return None
    name = issue.shortId or f"issue {issue.id}"
    title = issue.title or name
    at = issue.lastSeen or ctx.now()
    old = ctx.now() - at > LONG_AGO
    if old and hook.action == "unresolved":
        log.info(
            "an issue of %s is unresolved again, and was last seen long ago: no alarm", service.name
        )
        return None
    return Alert(
        service=service.name,
        title=title,
        source=f"Sentry {name}",
        text=f"{name} {title}",
        url=issue.web_url or issue.permalink or None,
        issue=issue.id,
        at=at,
        names_environment=False,
        doubted=old or hook.touched,
    )


def _from_event(ctx: Context, event: _Event, source: str) -> Alert | None:
    parts = event.url.split("/projects/", 1)[-1].split("/")
    service = _service(ctx, parts[1:2] if "/projects/" in event.url else [])
    environment = event.environment or next((v for k, v in event.tags if k == "environment"), None)
    if service is None or event.level not in LEVELS or not _in_scope(service, environment):
        return None
    title = event.title or source
    # A late event must not open again an incident that ended after it.
    at = event.datetime or ctx.now()
    return Alert(
        service=service.name,
        title=title,
        source=source,
        text=title,
        url=event.web_url or None,
        issue=event.issue_id,
        at=at,
        doubted=ctx.now() - at > LONG_AGO,
    )


def _from_metric(ctx: Context, data: _Data, metric: _MetricAlert) -> Alert | None:
    service = _service(ctx, [*metric.projects, *metric.alert_rule.projects])
    if service is None or not _in_scope(service, metric.alert_rule.environment):
        return None
    title = data.description_title or metric.title or "Sentry metric alert"
    return Alert(
        service=service.name,
        title=title,
        source="Sentry metric alert",
        text=f"{title}: {data.description_text}" if data.description_text else title,
        url=data.web_url or None,
        at=ctx.now(),
    )


def _in_scope(service: Service, environment: str | None) -> bool:
    """Return whether it counts; an event without an environment does (rules: The picture)."""
    if not environment or environment in service.environments:
        return True
    log.info("an alarm about %s is of an environment that does not count", service.name)
    return False


async def _raise_alarm(ctx: Context, alert: Alert, delivery: Delivery) -> str | None:
    """Return the incident's id, `NOT_OURS`, or None where it could not be recorded."""
    service = ctx.catalogue.get(alert.service) or Service(name=alert.service)
    certain = alert.names_environment and not alert.doubted

    async def concerns_us() -> bool:
        return await _concerns_us(ctx, service, alert)

    alarm = Alarm(
        service=service,
        title=alert.title or alert.source,
        source=Source(kind="sentry", text=alert.source, url=alert.url),
        at=alert.at,
        reported=(ReportedIssue(alert.issue, alert.text, alert.url),),
        concerns_us=None if certain else concerns_us,
    )
    return await raise_alarm(ctx.dispatcher, ctx.catalogue, ctx.ulid, alarm, delivery)


async def _concerns_us(ctx: Context, service: Service, alert: Alert) -> bool:
    """Ask Sentry whether the issue burns where it counts. No alarm waits for a slow answer."""
    sentry, issue = ctx.tracker, alert.issue
    if sentry is None or issue is None:
        return True
    try:
        async with asyncio.timeout(WHERE_SECONDS):
            if not alert.names_environment and await sentry.elsewhere(service, issue) is not None:
                why = "is of an environment that does not count"
            elif alert.doubted and not await _spikes(sentry, service, issue, ctx.now()):
                why = "is of an issue that does not burn"
            else:
                return True
    except (PortError, TimeoutError):
        return True
    log.info("an alarm about %s %s", service.name, why)
    return False


async def _spikes(sentry: ErrorTracker, service: Service, issue: str, now: datetime) -> bool:
    """Return whether the issue spikes as phase 1 has it.

    It has enough events in the window, and three times those of the day before.
    """
    since = now - service.window
    events = await sentry.count([service], [issue], since, now)
    if events < SPIKE_EVENTS:
        return False
    before = await sentry.count([service], [issue], since - DAY, since)
    return events >= SPIKE_FACTOR * before * (service.window / DAY)
