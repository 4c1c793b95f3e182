"""Alert rules and the signed webhooks of an integration.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/ (headers, signature)
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.background import BackgroundTasks
from sandbox.sentry import shapes
from sandbox.sentry.events import Event, iso
from sandbox.sentry.models import Issue
from sandbox.sentry.state import Sentry
from sandbox.webhook_delivery import WebhookDelivery
from sandbox.wire import Json

ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert for more than `threshold` events of an issue in `window` seconds.

    It fires once an issue in `every` seconds.
    """

    name: str = "More than 10 events in a minute"
    threshold: int = 10
    window: float = 60.0
    every: float = 300.0
    delay: float = 2.0
    """Seconds until it fires: Sentry checks frequency conditions in batches, not at each event."""
    environment: str = "production"


@dataclass(frozen=True, slots=True)
class MetricRule:
    """A metric alert, critical above `critical` errors of an environment in `window` seconds."""

    name: str = "Too many errors"
    critical: int = 60
    window: float = 60.0
    environment: str = "production"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook that was sent. `status` None: nobody answered."""

    resource: str
    action: str
    at: float
    status: int | None
    request_id: str


@dataclass(slots=True)
class Alerts:
    """Watches a Sentry and sends webhooks to `url`, unless that is None or `enabled` is False."""

    sentry: Sentry
    url: str | None = None
    secret: str = "sentry-client-secret"
    rule: Rule | None = field(default_factory=Rule)
    metric_rule: MetricRule | None = None
    issue_webhooks: bool = False
    enabled: bool = True
    deliveries: deque[Delivery] = field(default_factory=lambda: deque(maxlen=200))
    delivery: WebhookDelivery = field(default_factory=WebhookDelivery)
    _sending: BackgroundTasks = field(default_factory=BackgroundTasks)
    _told: dict[int, float] = field(default_factory=dict)
    _critical: float | None = None
    _stop: Any = None
    _installation: str = field(default_factory=lambda: str(uuid.uuid4()))

    async def start(self) -> None:
        self._stop = self.sentry.subscribe(self._changed)

    async def stop(self) -> None:
        if self._stop:
            self._stop()
            self._stop = None
        await self._sending.stop()

    def forget(self) -> None:
        """Let the next event above a threshold alert again at once."""
        self._told.clear()
        self._critical = None

    # -- rules ------------------------------------------------------------------------------------

    def _changed(self, what: str, thing: Any) -> None:
        if not (self.enabled and self.url):
            return
        if what == "event":
            self._check_rule(thing)
            self._check_metric()
        elif what.startswith("issue.") and self.issue_webhooks:
            self._sending.start(self.issue(thing, action=what.removeprefix("issue.")))

    def _check_rule(self, event: Event) -> None:
        rule, now = self.rule, self.sentry.clock()
        if (
            rule is None
            or event.environment != rule.environment
            or event.level not in ("error", "fatal")
        ):
            return
        if now - self._told.get(event.issue_id, float("-inf")) < rule.every:
            return
        issue = self.sentry.issues[event.issue_id]
        if issue.status == "ignored":
            return
        if len(self.sentry.window(now - rule.window, now + 60, issue.events)) > rule.threshold:
            self._told[event.issue_id] = now
            self._sending.start(self._fire(event, rule.delay))

    def _check_metric(self) -> None:
        rule, now = self.metric_rule, self.sentry.clock()
        if rule is None:
            return
        events = self.sentry.window(now - rule.window, now + 60)
        count = sum(
            event.environment == rule.environment and event.level != "warning" for event in events
        )
        if count > rule.critical and self._critical is None:
            self._critical = now
            self._sending.start(self.metric_alert("critical"))
        elif count <= rule.critical and self._critical is not None:
            self._critical = None
            self._sending.start(self.metric_alert("resolved"))

    async def _fire(self, event: Event, delay: float) -> None:
        await asyncio.sleep(delay)
        await self.event_alert(event)

    # -- webhooks ---------------------------------------------------------------------------------

    async def event_alert(self, event: Event) -> Delivery:
        """Send that an issue alert rule fired on this event."""
        name = self.rule.name if self.rule else Rule().name
        data = {
            "event": shapes.webhook_event(self.sentry, event),
            "triggered_rule": name,
            "issue_alert": {"title": name, "settings": []},
        }
        return await self.send("event_alert", "triggered", data)

    async def issue(self, issue: Issue, *, action: str = "created") -> Delivery:
        """Send `created`, `resolved`, `archived` or `unresolved`.

        An issue that escalates is `unresolved`, too.

        https://github.com/getsentry/sentry/blob/master/src/sentry/receivers/sentry_apps.py
        """
        return await self.send(
            "issue", action, {"issue": shapes.webhook_issue(self.sentry, issue)}, by=issue.by
        )

    async def metric_alert(self, action: str = "critical") -> Delivery:
        """Send `critical`, `warning` or `resolved`; a metric alert names projects, no issue."""
        rule, now = self.metric_rule or MetricRule(), iso(self.sentry.clock())
        minutes = round(rule.window / 60)
        title = f"{action.capitalize()}: {rule.name}"
        alert: Json = {
            "id": "4",
            "identifier": "1",
            "organization_id": "1",
            "projects": list(self.sentry.projects),
            "title": rule.name,
            "type": 2,
            "status": 2 if action == "resolved" else 20,
            "status_method": 3,
            "date_started": now,
            "date_detected": now,
            "date_created": now,
            "date_closed": now if action == "resolved" else None,
            "alert_rule": {
                "id": "7",
                "name": rule.name,
                "organization_id": "1",
                "projects": list(self.sentry.projects),
                "aggregate": "count()",
                "dataset": "events",
                "query": "level:error",
                "environment": rule.environment,
                "time_window": minutes,
                "resolution": 1,
                "threshold_type": 0,
                "threshold_period": 1,
                "resolve_threshold": None,
                "status": 0,
                "include_all_projects": False,
                "created_by": None,
                "date_created": now,
                "date_modified": now,
                "triggers": [
                    {
                        "id": "1",
                        "label": "critical",
                        "alert_threshold": rule.critical,
                        "actions": [],
                    }
                ],
            },
        }
        data = {
            "description_text": f"{rule.critical} events in the last {minutes} minutes\n"
            "Filter: level:error",
            "description_title": title,
            "metric_alert": alert,
            "web_url": f"{self.sentry.base_url}/organizations/{self.sentry.org}/alerts/1/",
        }
        return await self.send("metric_alert", action, data)

    async def send(
        self, resource: str, action: str, data: Json, *, by: Json | None = None
    ) -> Delivery:
        """Sign and post one webhook; what became of it is kept in `deliveries`.

        Raises:
            RuntimeError: there is no url.
        """
        if self.url is None:
            raise RuntimeError("alerts have no url")
        actor = by or {"type": "application", "id": "sentry", "name": "Sentry"}
        body = json.dumps(
            {
                "action": action,
                "actor": actor,
                "data": data,
                "installation": {"uuid": self._installation},
            },
            separators=(",", ":"),
        ).encode()
        request_id = uuid.uuid4().hex
        now = self.sentry.clock()
        headers = {
            "Content-Type": "application/json",
            "Request-ID": request_id,
            "Sentry-Hook-Resource": resource,
            "Sentry-Hook-Timestamp": str(int(now)),
            "Sentry-Hook-Signature": sign(body, self.secret),
        }
        status = await self.delivery.post(self.url, body, headers, seconds=ANSWER_SECONDS)
        delivery = Delivery(resource, action, now, status, request_id)
        self.deliveries.append(delivery)
        return delivery


def sign(body: bytes, secret: str) -> str:
    """Hex HMAC-SHA256 of the raw body with the integration's client secret."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
