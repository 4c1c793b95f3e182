"""`POST /webhooks/sentry`: an alert opens an incident by itself; of one storm, everything after the first is evidence.

Headers, signature, resources: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
Sentry waits 1 s and does not send again, so what takes longer goes on behind the answer.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
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
from handlers.webhooks.alerts import Alarm, Found, raise_alarm
from handlers.webhooks.signature import hmac_fits, refused, signed_body
from phases.ports.ports import ErrorTracker, PortError
from phases.record.incident import Source
from phases.record.service import Service
from phases.record.text import foreign
from phases.triage.blast_radius import ERROR, SPIKE_EVENTS, SPIKE_FACTOR

ANSWER_SECONDS = 0.9
DAY = timedelta(days=1)
WHERE_SECONDS = 3.0
"""So long Sentry may take to say where an issue burns; then it counts."""
log = logging.getLogger(__name__)
LONG_AGO = timedelta(hours=1)  # as phase 1 has *new*
"""An alarm about an event as old as that is no fire by itself: somebody or something only touched the issue."""
LEVELS = frozenset({"error", "fatal"})  # rules: issues of level error or fatal
OPENS = {
    "issue": frozenset({"created", "unresolved"}),
    "event_alert": frozenset({"triggered"}),
    "metric_alert": frozenset({"critical", "warning"}),
    "error": frozenset({"created"}),
}
"""Resource → actions that mean fire; others (resolved, assigned, archived) are heard and need nothing."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """What is null is what is not told: of an issue without a level the usual one counts."""
        return (
            {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        )


class _Project(_Part):
    slug: str = ""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"slug": value} if isinstance(value, str) else value


class _Issue(_Part):
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issues/"""

    id: str
    shortId: str = ""
    title: str = ""
    level: str = "error"
    web_url: str | None = None
    permalink: str | None = None
    project: _Project = _Project()
    substatus: str = ""
    """`regressed` is Sentry's own word for a return; `ongoing` and `new` are a person's un-resolve, `escalating` may be an archive
    that ran out (https://github.com/getsentry/sentry/blob/master/src/sentry/issues/status_change.py, …/tasks/clear_expired_snoozes.py).
    """
    issueCategory: str = "error"
    lastSeen: datetime | None = None

    @field_validator("lastSeen", mode="wrap")
    @classmethod
    def _time_or_none(cls, value: Any, read: ValidatorFunctionWrapHandler) -> datetime | None:
        """What is no time says nothing of when; it costs no alarm."""
        try:
            return read(value)
        except ValidationError:
            return None


class _Event(_Part):
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issue-alerts/ and …/errors/

    `project` is a number here; the slug stands in the API address of the event.
    """

    issue_id: str | None = None
    title: str = ""
    level: str = "error"
    url: str = ""
    web_url: str | None = None
    environment: str | None = None
    tags: list[tuple[str, str | None]] = Field(default_factory=list[tuple[str, str | None]])
    datetime: str | None = None

    @field_validator("tags", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """Pairs, or objects of `key` and `value` as the API has them; a tag that is neither says nothing."""
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

    title: str = ""
    projects: list[str] = Field(default_factory=list[str])
    alert_rule: _Rule = _Rule()


class _Data(_Part):
    issue: _Issue | None = None
    event: _Event | None = None
    error: _Event | None = None
    metric_alert: _MetricAlert | None = None
    triggered_rule: str = ""
    description_title: str = ""
    description_text: str = ""
    web_url: str | None = None


class _Actor(_Part):
    """https://github.com/getsentry/sentry/blob/master/src/sentry/sentry_apps/api/serializers/app_platform_event.py"""

    type: str = ""


class _Hook(_Part):
    action: str
    data: _Data
    actor: _Actor = _Actor()

    @field_validator("actor", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {}

    @property
    def touched(self) -> bool:
        """The issue is open again, and not because an event came that Sentry calls a regression.

        Whether an uptime or cron monitor's issue burns its errors cannot tell: nothing keeps that alarm back.
        """
        issue = self.data.issue
        if issue is None or self.action != "unresolved" or issue.issueCategory != ERROR:
            return False
        return self.actor.type == "user" or issue.substatus not in ("", "regressed")


class Alert(BaseModel):
    """What an alert says, whatever its kind."""

    model_config = ConfigDict(frozen=True)

    service: str
    title: str
    source: str
    text: str
    url: str | None = None
    issue: str | None = None
    at: datetime
    told_where: bool = True
    """Whether it says in which environment it burns: Sentry's issue webhook does not."""
    doubted: bool = False
    """It does not say that anything burns: where nobody has recovered from it just now, Sentry is asked first."""


def sentry_route(ctx: Context, secret: str, path: str = "/webhooks/sentry") -> Route:
    async def webhook(request: Request) -> Response:
        signature = request.headers.get("sentry-hook-signature", "")
        raw = await signed_body(request, lambda body: hmac_fits(body, secret, signature))
        if isinstance(raw, Response):
            return raw
        resource = request.headers.get("sentry-hook-resource", "")
        try:
            hook = _Hook.model_validate_json(raw) if resource in OPENS else None
        except ValidationError:
            return refused(request, 400, "the body cannot be read")
        alert = read(ctx, resource, hook) if hook else None
        if alert is None:
            return JSONResponse({"incident": None})
        telling = ctx.tasks.start(tell(ctx, alert, deliveries.sentry(raw)), "Sentry's webhook")
        done, _ = await asyncio.wait({telling}, timeout=ANSWER_SECONDS)
        if not done:
            return JSONResponse({"incident": None, "going_on": True}, status_code=202)
        if telling.exception() is not None or telling.result() is None:
            return JSONResponse({"error": "it could not be recorded"}, status_code=503)
        return JSONResponse({"incident": telling.result() or None})

    return Route(path, webhook, methods=["POST"])


def read(ctx: Context, resource: str, hook: _Hook) -> Alert | None:
    """The alert, where it means fire in an environment and a project that count; else None."""
    if hook.action not in OPENS[resource]:
        return None
    data = hook.data
    match resource:
        case "issue" if data.issue is not None:
            return _of_issue(ctx, hook, data.issue)
        case "metric_alert" if data.metric_alert is not None:
            return _of_metric(ctx, data, data.metric_alert)
        case "event_alert" if data.event is not None:
            return _of_event(
                ctx, data.event, f"Sentry alert “{data.triggered_rule or 'of an issue'}”"
            )
        case "error" if data.error is not None:
            return _of_event(ctx, data.error, "Sentry error")
        case _:
            return None


def _service(ctx: Context, slugs: list[str]) -> Service | None:
    """By project; a catalogue of one service that names no project takes all of them."""
    found = next(
        (s for slug in slugs if (s := ctx.catalogue.by_sentry_project(slug)) is not None), None
    )
    every = ctx.catalogue.all()
    if found is None and len(every) == 1 and not every[0].sentry:
        return every[0]
    return found


def _of_issue(ctx: Context, hook: _Hook, issue: _Issue) -> Alert | None:
    service = _service(ctx, [issue.project.slug])
    if service is None or issue.level not in LEVELS:
        return None
    name = issue.shortId or f"issue {issue.id}"
    url = issue.web_url or issue.permalink
    title = issue.title or name
    at = issue.lastSeen or ctx.now()
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    old = ctx.now() - at > LONG_AGO
    if old and hook.action == "unresolved":
        log.info(
            "an issue of %s is unresolved again, and was last seen long ago: no alarm", service.name
        )
        return None
    alert = _alert(service, title, f"Sentry {name}", f"{name} {title}", url, issue.id, at)
    return alert.model_copy(update={"told_where": False, "doubted": old or hook.touched})


def _of_event(ctx: Context, event: _Event, source: str) -> Alert | None:
    parts = event.url.split("/projects/", 1)[-1].split("/")
    service = _service(ctx, parts[1:2] if "/projects/" in event.url else [])
    environment = event.environment or next((v for k, v in event.tags if k == "environment"), None)
    if service is None or event.level not in LEVELS or not _counts(service, environment):
        return None
    title = event.title or source
    alert = _alert(
        service, title, source, title, event.web_url, event.issue_id, _time(ctx, event.datetime)
    )
    return alert.model_copy(update={"doubted": ctx.now() - alert.at > LONG_AGO})


def _of_metric(ctx: Context, data: _Data, metric: _MetricAlert) -> Alert | None:
    service = _service(ctx, [*metric.projects, *metric.alert_rule.projects])
    if service is None or not _counts(service, metric.alert_rule.environment):
        return None
    title = data.description_title or metric.title or "Sentry metric alert"
    text = f"{title}: {data.description_text}" if data.description_text else title
    return _alert(service, title, "Sentry metric alert", text, data.web_url, None, ctx.now())


def _alert(
    service: Service,
    title: str,
    source: str,
    text: str,
    url: str | None,
    issue: str | None,
    at: datetime,
) -> Alert:
    return Alert(
        service=service.name,
        title=slack_text.title(foreign(slack_text.typed(title))) or source,
        source=slack_text.cut(foreign(slack_text.typed(source)), 200),
        text=slack_text.cut(foreign(slack_text.typed(text)), 1000),
        url=url,
        issue=issue,
        at=at,
    )


def _counts(service: Service, environment: str | None) -> bool:
    """An event without an environment counts as the first of those that count (rules: The picture)."""
    return not environment or environment in service.environments


def _time(ctx: Context, text: str | None) -> datetime:
    """When the event happened: a late one must not open again what ended after it."""
    try:
        at = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return ctx.now()
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def tell(ctx: Context, alert: Alert, delivery: Delivery) -> str | None:
    """Declares, or adds to the incident that is open; its id, `NOT_OURS`, or None where it could not be recorded."""
    service = ctx.catalogue.get(alert.service) or Service(name=alert.service)
    whereabouts, issue = ctx.tracker, alert.issue

    async def concerns_us() -> bool:
        """Whoever cannot be asked in time keeps no alarm back."""
        if whereabouts is None or issue is None:
            return True
        try:
            async with asyncio.timeout(WHERE_SECONDS):
                where = None if alert.told_where else await whereabouts.elsewhere(service, issue)
                burns = where is None and (
                    not alert.doubted or await _burns(whereabouts, service, issue, ctx.now())
                )
        except (PortError, TimeoutError):
            return True
        if not burns:
            why = (
                "is of an environment that does not count"
                if where is not None
                else "is of an issue that does not burn"
            )
            log.info("an alarm about %s %s", service.name, why)
        return burns

    alarm = Alarm(
        service=service,
        title=alert.title,
        source=Source(kind="sentry", text=alert.source, url=alert.url),
        at=alert.at,
        found=(Found(alert.issue, alert.text, alert.url),),
        concerns_us=None if alert.told_where and not alert.doubted else concerns_us,
    )
    return await raise_alarm(ctx.dispatcher, ctx.catalogue, ctx.ulid, alarm, delivery)


async def _burns(sentry: ErrorTracker, service: Service, issue: str, now: datetime) -> bool:
    """Whether the issue spikes as phase 1 has it: enough events in the window, and three times those of the day before."""
    since = now - service.window
    events = await sentry.count([service], [issue], since, now)
    if events < SPIKE_EVENTS:
        return False
    before = await sentry.count([service], [issue], since - DAY, since)
    return events >= SPIKE_FACTOR * before * (service.window / DAY)
