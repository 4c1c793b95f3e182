"""The bodies by which other systems tell of their alerts, told apart by shape and read into one.

- Prometheus Alertmanager, version 4:
  https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
- Grafana, which sends the same and more:
  https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/,
  and its legacy alerting (until Grafana 10):
  https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/notifications/#webhook
- Datadog's: `handlers/webhooks/datadog_alert.py`.
- PagerDuty's V3 webhooks: https://developer.pagerduty.com/docs/webhooks/v3-overview/
- ours: `{"service","title","severity","key","status":"firing"|"resolved","url","at"}`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import from_json

from handlers.webhooks.datadog_alert import MARKS, Datadog
from handlers.webhooks.heard_alert import PLACES, Body, HeardAlert, Labels, first, names_of
from handlers.webhooks.route import Part, Time, Unreadable, Word, unreadable
from phases.text.wording import counted

KNOWN = "Alertmanager, Grafana, Datadog, PagerDuty (V3) or our own (service, title, status, key)"
MOST = 200
"""So many alerts of one body are read; a group of Alertmanager's has no limit by itself."""
OUR_PAGE = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
"""The key of a page that the bot itself sent: its incident's ULID (`bot/performers/notify.py`)."""
STATES = ("firing", "resolved")
MERGED = "merge_resolve_reason"
"""It became a part of another incident of PagerDuty's, which goes on.

https://developer.pagerduty.com/docs/webhooks/v3-overview/, `resolve_reason` of an incident
"""

_NO_ANSWER = {"DatasourceNoData": "no data", "DatasourceError": "the data source fails"}
"""Grafana's own alerts in place of a rule's, whose name is the label `rulename` then.

https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rule-evaluation/stale-alert-instances/
"""
_GRAFANA_TEST = {"alertname": "TestAlert", "instance": "Grafana"}
"""What the button *Test* of a contact point sends (`newTestAlert`, grafana/alerting)."""


def read(raw: bytes) -> tuple[HeardAlert, ...]:
    """Return the alerts of a body; none where it tells of something else than an alert.

    Raises `Unreadable` with the shapes that are known, or with what is wrong in the one it has.
    """
    try:
        body: Any = from_json(raw)
    except ValueError as error:
        raise Unreadable("the body is no JSON") from error
    if not isinstance(body, dict):
        raise Unreadable(f"the body must be an object: of {KNOWN}")
    model = next((shape for fits, shape in _SHAPES if fits(body)), None)
    if model is None:
        raise Unreadable(f"the body is of no known kind; known are {KNOWN}")
    try:
        alerts = tuple(model.model_validate(body).alerts())
    except ValidationError as error:
        raise unreadable(error) from error
    return tuple(alert for alert in alerts if not alert.tells_nothing)


class _GroupAlert(Part):
    status: Literal["firing", "resolved"]
    labels: Labels = Field(default_factory=dict[str, str])
    annotations: Labels = Field(default_factory=dict[str, str])
    startsAt: Time = None
    endsAt: Time = None
    generatorURL: Word = ""
    fingerprint: Word = ""
    dashboardURL: Word = ""
    panelURL: Word = ""


class _Group(Body):
    """Alertmanager's group of alerts, and Grafana's, which has its organisation's id beside it."""

    status: Literal["firing", "resolved"]
    alert_list: list[_GroupAlert] = Field(alias="alerts", min_length=1)
    groupKey: Word = ""
    orgId: Word = ""
    truncatedAlerts: Word = ""

    def alerts(self) -> Iterator[HeardAlert]:
        truncated = int(self.truncatedAlerts) if self.truncatedAlerts.isdecimal() else 0
        left_out = truncated + max(0, len(self.alert_list) - MOST)
        firing_first = sorted(self.alert_list, key=lambda alert: alert.status != "firing")
        for number, alert in enumerate(firing_first[:MOST]):
            yield self._heard_alert(alert, left_out if number == 0 else 0)

    def _heard_alert(self, alert: _GroupAlert, left_out: int) -> HeardAlert:
        system = "Grafana" if self.orgId else "Alertmanager"
        labels, notes = alert.labels, alert.annotations
        name = labels.get("alertname", "") or self.groupKey
        if name in _NO_ANSWER and labels.get("rulename"):
            name = f"{labels['rulename']}: {_NO_ANSWER[name]}"
        text = notes.get("description", "") or notes.get("message", "")
        if left_out:
            text = f"{text}\n{counted(left_out, 'more alert')} not told by {system}".strip()
        return HeardAlert(
            system=system,
            title=notes.get("summary", "") or name,
            key=f"{system}:{alert.fingerprint or f'{self.groupKey}{sorted(labels.items())}'}",
            firing=alert.status == "firing",
            names=names_of(labels),
            environment=first(labels, PLACES),
            severity=labels.get("severity", "") or labels.get("priority", ""),
            text=text,
            name=name if notes.get("summary") else "",
            runbook=notes.get("runbook_url", ""),
            url=alert.panelURL or alert.dashboardURL or alert.generatorURL or None,
            at=_alert_time(alert),
            labels=labels,
            test=_GRAFANA_TEST.items() <= labels.items(),
        )


def _alert_time(alert: _GroupAlert) -> datetime | None:
    ended = alert.endsAt if alert.status == "resolved" else None
    return ended or alert.startsAt


class _LegacyGrafana(Body):
    state: Literal["ok", "paused", "alerting", "pending", "no_data", "unknown"]
    ruleId: Word = ""
    ruleName: str = Field(min_length=1)
    ruleUrl: Word = ""
    message: Word = ""
    tags: Labels = Field(default_factory=dict[str, str])

    def alerts(self) -> Iterator[HeardAlert]:
        if self.state in ("paused", "pending", "unknown"):
            return
        yield HeardAlert(
            system="Grafana",
            title=self.ruleName,
            key=f"Grafana:rule {self.ruleId} {self.ruleName}",
            firing=self.state != "ok",
            names=names_of(self.tags),
            environment=first(self.tags, PLACES),
            severity=self.tags.get("severity", "") or self.tags.get("priority", ""),
            text=self.message or ("no data" if self.state == "no_data" else ""),
            url=self.ruleUrl or None,
            labels=self.tags,
            test=self.ruleName == "Test notification",
        )


class _Aside(Part):
    """Beside the alert: what is no object is not told."""

    @model_validator(mode="before")
    @classmethod
    def _object(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {}


class _Reference(_Aside):
    summary: Word = ""
    name: Word = ""


class _Reason(_Aside):
    type: Word = ""


class _Data(Part):
    id: Word = ""
    html_url: Word = ""
    title: Word = ""
    incident_key: Word = ""
    urgency: Word = ""
    priority: _Reference = _Reference()
    service: _Reference = _Reference()
    resolve_reason: _Reason = _Reason()


class _Event(Part):
    event_type: str
    occurred_at: Time = None
    data: _Data = _Data()


class _PagerDuty(Body):
    event: _Event

    def alerts(self) -> Iterator[HeardAlert]:
        event, data = self.event, self.event.data
        fires = {
            "incident.triggered": True,
            "incident.reopened": True,
            "incident.resolved": False,
        }.get(event.event_type)
        if data.resolve_reason.type == MERGED:
            return
        # A page of the bot's own comes back here, too.
        if fires is None or OUR_PAGE.fullmatch(data.incident_key):
            return
        if not data.title:
            raise Unreadable("the body cannot be read: event.data.title")
        yield HeardAlert(
            system="PagerDuty",
            title=data.title,
            key=f"PagerDuty:{data.incident_key or data.id or data.title}",
            firing=fires,
            names=(data.service.summary,) if data.service.summary else (),
            severity=data.priority.summary or data.priority.name or data.urgency,
            url=data.html_url or None,
            at=event.occurred_at,
        )


class _Plain(Body):
    service: str = Field(default="", max_length=200)
    title: str = Field(min_length=1)
    severity: Word = Field(default="", max_length=100)
    key: Word = Field(default="", max_length=500)
    status: Literal["firing", "resolved"]
    environment: str | None = Field(default=None, max_length=200)
    description: str = ""
    url: str | None = None
    at: Annotated[datetime | None, Field(strict=False)] = None

    def alerts(self) -> Iterator[HeardAlert]:
        at = self.at.replace(tzinfo=UTC) if self.at and self.at.tzinfo is None else self.at
        yield HeardAlert(
            system="an alert",
            title=self.title,
            key=self.key or self.title,
            firing=self.status == "firing",
            names=(self.service,) if self.service else (),
            environment=self.environment,
            severity=self.severity,
            text=self.description,
            url=self.url,
            at=at,
        )


def _is_group(body: dict[str, Any]) -> bool:
    return isinstance(body.get("alerts"), list) and "status" in body


def _is_pagerduty(body: dict[str, Any]) -> bool:
    event = body.get("event")
    return isinstance(event, dict) and "event_type" in event


def _is_legacy_grafana(body: dict[str, Any]) -> bool:
    return "ruleName" in body and "state" in body


def _is_datadog(body: dict[str, Any]) -> bool:
    return "title" in body and body.get("status") not in STATES and bool(MARKS & body.keys())


def _is_plain(body: dict[str, Any]) -> bool:
    return "status" in body and "title" in body


_SHAPES = (
    (_is_group, _Group),
    (_is_pagerduty, _PagerDuty),
    (_is_legacy_grafana, _LegacyGrafana),
    (_is_datadog, Datadog),
    (_is_plain, _Plain),
)
