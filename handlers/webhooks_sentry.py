"""Sentry's webhooks: an alert opens an incident by itself; of a storm, the first does and the others are evidence.

Headers and shapes: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/ (issue-alerts, issues,
metric-alerts, errors). Sentry waits a second for an answer and does not care what it says.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.bodies import TooLarge, read_body
from handlers.door import Delivery, Door, Recorded, Unknown
from phases.actions import AddEvidence, Declare, SeenAgain
from phases.change import Refused
from phases.incident import Source, Status
from phases.ports import Catalogue
from phases.report import Evidence
from phases.service import Service

log = logging.getLogger(__name__)

_PROJECT = re.compile(r"/api/0/projects/[^/]+/([^/]+)/")
TELLS_OF_TROUBLE = {
    "event_alert": ("triggered",),
    "issue": ("created", "unresolved"),
    "metric_alert": ("critical", "warning"),
    "error": ("created",),
}
"""Resource → actions that mean that something burns; `resolved`, `assigned`, `archived` do not."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Project(_Read):
    slug: str


class _Event(_Read):
    """`data.event` of an issue alert, `data.error` of an error: the project's slug stands in `url` only."""

    issue_id: str | int
    title: str = ""
    url: str = ""
    web_url: str | None = None
    environment: str | None = None
    level: str | None = None
    datetime: str | None = None
    tags: Sequence[Sequence[str | None]] | None = None


class _Issue(_Read):
    id: str | int
    shortId: str = ""
    title: str = ""
    level: str | None = None
    project: _Project | None = None
    web_url: str | None = None
    permalink: str | None = None


class _Rule(_Read):
    environment: str | None = None


class _Metric(_Read):
    title: str = ""
    projects: Sequence[str] = ()
    alert_rule: _Rule = _Rule()


class _Data(_Read):
    event: _Event | None = None
    error: _Event | None = None
    issue: _Issue | None = None
    metric_alert: _Metric | None = None
    triggered_rule: str | None = None
    description_title: str | None = None
    web_url: str | None = None


class _Payload(_Read):
    action: str = ""
    data: _Data


@dataclass(frozen=True, slots=True)
class Alert:
    """What a webhook says, whatever its resource. `environment` None: it does not say, which counts as the first."""

    projects: tuple[str, ...]
    title: str
    issue: str | None
    environment: str | None
    at: datetime | None
    url: str | None
    via: str


def alert_of(resource: str, body: bytes) -> Alert | None:
    """The alert in a webhook, or None where it tells of no trouble. Raises `ValidationError` for what Sentry never sends."""
    payload = _Payload.model_validate_json(body)
    if payload.action not in TELLS_OF_TROUBLE.get(resource, ()):
        return None
    data = payload.data
    event = data.event or data.error
    if event is not None:
        if event.level in ("warning", "info", "debug", "sample"):
            return None
        project = _PROJECT.search(event.url)
        tags = {t[0]: t[1] for t in event.tags or () if len(t) == 2}
        return Alert(
            projects=(project.group(1),) if project else (),
            title=event.title,
            issue=str(event.issue_id),
            environment=event.environment or tags.get("environment"),
            at=_time(event.datetime),
            url=event.web_url,
            via=f"Sentry alert “{data.triggered_rule}”" if data.triggered_rule else "Sentry",
        )
    if data.issue is not None:
        issue = data.issue
        if issue.level in ("warning", "info", "debug", "sample"):
            return None
        return Alert(
            projects=(issue.project.slug,) if issue.project else (),
            title=issue.title,
            issue=str(issue.id),
            environment=None,
            at=None,
            url=issue.web_url or issue.permalink,
            via=f"Sentry issue {issue.shortId}".strip(),
        )
    if data.metric_alert is not None:
        metric = data.metric_alert
        return Alert(
            projects=tuple(metric.projects),
            title=data.description_title or metric.title,
            issue=None,
            environment=metric.alert_rule.environment,
            at=None,
            url=data.web_url,
            via=f"Sentry metric alert “{metric.title}”",
        )
    return None


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None  # only a detail: detected is then when it was told
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def routes(
    door: Door, catalogue: Catalogue, secret: str | None, *, now: Callable[[], datetime], ulid: Callable[[], str]
) -> list[Route]:
    """`POST /webhooks/sentry`; without a secret nothing can be verified, and everything is refused."""

    async def heard(request: Request) -> Response:
        try:
            body = await read_body(request)
        except TooLarge:
            return JSONResponse({"error": "too large"}, status_code=413)
        if not signed(secret, body, request.headers.get("sentry-hook-signature", "")):
            return JSONResponse({"error": "wrong signature"}, status_code=401)
        resource = request.headers.get("sentry-hook-resource", "")
        if resource not in TELLS_OF_TROUBLE:
            return JSONResponse({"ignored": "not an alert"})
        try:
            alert = alert_of(resource, body)
        except (ValidationError, ValueError):
            log.warning("sentry webhook %s could not be read", resource)  # no byte of the body in the log
            return JSONResponse({"error": "not the shape of a Sentry webhook"}, status_code=400)
        if alert is None:
            return JSONResponse({"ignored": "tells of no trouble"})
        return await _take(alert, Delivery((f"sentry:{hashlib.sha256(body).hexdigest()}",)))

    async def _take(alert: Alert, delivery: Delivery) -> Response:
        service = next((s for p in alert.projects if (s := catalogue.by_sentry_project(p)) is not None), None)
        if service is None:
            only = catalogue.all()
            if len(only) != 1 or only[0].sentry:
                log.info("sentry webhook: its project belongs to no service of the catalogue")
                return JSONResponse({"ignored": "no service of the catalogue has this project"})
            service = only[0]
        if alert.environment is not None and alert.environment not in service.environments:
            return JSONResponse({"ignored": "not an environment that counts"})
        answer = await _declare(alert, service, delivery)
        match answer:
            case Recorded(incident=incident):
                return JSONResponse({"incident": incident.id})
            case Refused(code="taken", owner=str(owner)):
                return await _evidence(alert, owner, delivery)
            case Refused():
                log.warning("sentry webhook refused (%s)", answer.code)
                return JSONResponse({"error": "refused"}, status_code=409)
            case Unknown():
                return JSONResponse({"error": "not recorded; send it again"}, status_code=503)

    async def _declare(alert: Alert, service: Service, delivery: Delivery) -> Recorded | Refused | Unknown:
        declare = Declare(
            ulid=ulid(),
            title=alert.title[:300] or f"{service.name}: {alert.via}",
            service=service.name,
            environment=alert.environment or service.environment,
            source=Source(kind="sentry", text=alert.via, url=alert.url),
            seeds=(alert.issue,) if alert.issue else (),
            detected_at=min(alert.at, now()) if alert.at else None,
        )
        return await door.say(declare, None, delivery)

    async def _evidence(alert: Alert, owner: str, delivery: Delivery) -> Response:
        """The owner of the claim takes it: as a line of its timeline, or as the sign that it is back."""
        evidence = Evidence(at=alert.at or now(), source=alert.via, text=alert.title[:500] or "fires", url=alert.url)
        known = await door.look(owner)
        again = known is not None and known.status in (Status.MITIGATED, Status.RESOLVED)
        action = (
            SeenAgain(issue=alert.issue, evidence=evidence)
            if again and alert.issue
            else AddEvidence(evidence=evidence, issue=alert.issue)
        )
        answer = await door.say(action, owner, delivery)
        if isinstance(answer, Unknown):
            return JSONResponse({"error": "not recorded; send it again"}, status_code=503)
        return JSONResponse({"incident": owner})

    return [Route("/webhooks/sentry", heard, methods=["POST"])]


def signed(secret: str | None, body: bytes, signature: str) -> bool:
    """Hex HMAC-SHA256 of the raw body with the integration's client secret."""
    if not secret:
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())
