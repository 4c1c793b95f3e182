"""The bodies by which other systems tell of their alerts, told apart by shape and read into one.

- Prometheus Alertmanager, version 4:
  https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
- Grafana, which sends the same and more:
  https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
- Datadog's default payload, with whatever of its variables was added:
  https://docs.datadoghq.com/integrations/webhooks/
- PagerDuty's V3 webhooks: https://developer.pagerduty.com/docs/webhooks/v3-overview/
- ours: `{"service","title","severity","key","status":"firing"|"resolved","url","at"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import from_json

from handlers.webhooks.route import Part, Time, Unreadable, unreadable

KNOWN = "Alertmanager, Grafana, Datadog, PagerDuty (V3) or our own (service, title, status, key)"
MOST = 200
"""So many alerts of one body are read; a group of Alertmanager's has no limit by itself."""
NOT_YET = datetime(1, 1, 2, tzinfo=UTC)
"""Go's zero time, which Alertmanager sends as the end of what still fires, is before it."""
QUIET = frozenset({"info", "informational", "information", "none", "debug", "low", "p4", "p5"})
"""Severities at which people are not woken: evidence of what is open, and no incident."""
OUR_PAGE = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
"""The key of a page that the bot itself sent: its incident's ULID (`bot/performers/notify.py`)."""
_RECOVERED = re.compile(r"^\s*\[\s*(?:recovered|resolved|ok)\b", re.IGNORECASE)
"""Titles of Datadog's begin with the transition: `[Recovered on {host:a}] CPU is high`."""
_STATE = re.compile(r"^\s*\[[^\]]{1,120}\]\s*")
SERVICE_LABELS = ("firebreak_service", "service", "service_name", "app", "application", "job")
"""Labels that may name a service of the catalogue; the first that does counts."""
SHOWN_LABELS = ("severity", "priority", "region", "zone", "cluster", "namespace", "instance", "job")
PLACES = ("env", "environment", "deployment_environment")


@dataclass(frozen=True, slots=True)
class HeardAlert:
    """One alert of another system."""

    system: str
    title: str
    key: str
    """The sender's own id of what fires: the same while it fires, and when it is resolved. That of
    another system has its name before it; ours is also that of a script's `POST /api/incidents`.
    """
    firing: bool = True
    names: tuple[str, ...] = ()
    """What may name the service, the surest first."""
    environment: str | None = None
    severity: str = ""
    text: str = ""
    url: str | None = None
    at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def quiet(self) -> bool:
        return self.severity.casefold() in QUIET

    @property
    def details(self) -> str:
        """Return what the sender says beside the title, for people."""
        shown = [
            f"{name} {value}"
            for name in SHOWN_LABELS
            if (value := self.labels.get(name)) and value != self.title
        ]
        if self.severity and "severity" not in self.labels:
            shown.insert(0, f"severity {self.severity}")
        return "\n".join(part for part in (self.text, " · ".join(shown)) if part)


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
        return tuple(model.model_validate(body).alerts())
    except ValidationError as error:
        raise unreadable(error) from error


def _words(value: object) -> object:
    return str(value) if isinstance(value, bool | int | float) else value


Word = Annotated[str, BeforeValidator(_words)]
Labels = dict[str, Word]


class _Body(Part):
    def alerts(self) -> Iterator[HeardAlert]:
        raise TypeError("each shape tells its own")


class _GroupAlert(Part):
    status: Literal["firing", "resolved"]
    labels: Labels = Field(default_factory=Labels)
    annotations: Labels = Field(default_factory=Labels)
    startsAt: Time = None
    endsAt: Time = None
    generatorURL: str = ""
    fingerprint: str = ""
    dashboardURL: str = ""
    panelURL: str = ""


class _Group(_Body):
    """Alertmanager's group of alerts, and Grafana's, which has its organisation's id beside it."""

    status: Literal["firing", "resolved"]
    alert_list: list[_GroupAlert] = Field(alias="alerts", min_length=1)
    groupKey: str = ""
    orgId: int | None = None

    def alerts(self) -> Iterator[HeardAlert]:
        system = "Alertmanager" if self.orgId is None else "Grafana"
        for alert in self.alert_list[:MOST]:
            labels = alert.labels
            name = labels.get("alertname", "") or self.groupKey
            summary = alert.annotations.get("summary", "")
            title = summary or name
            yield HeardAlert(
                system=system,
                title=title,
                key=f"{system}:{alert.fingerprint or f'{self.groupKey}{sorted(labels.items())}'}",
                firing=alert.status == "firing",
                names=tuple(labels[label] for label in SERVICE_LABELS if labels.get(label)),
                environment=_first(labels, PLACES),
                severity=labels.get("severity", "") or labels.get("priority", ""),
                text=alert.annotations.get("description", "") or (name if summary else ""),
                url=alert.panelURL or alert.dashboardURL or alert.generatorURL or None,
                at=_alert_time(alert),
                labels=labels,
            )


def _alert_time(alert: _GroupAlert) -> datetime | None:
    ended = alert.endsAt if alert.status == "resolved" else None
    return ended if ended is not None and ended > NOT_YET else alert.startsAt


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)


class _Organisation(Part):
    id: Word = ""
    name: str = ""


UNFILLED = re.compile(r"\$[A-Z][A-Z_]*(?:\[[^\]]*\])?")
"""A variable of Datadog's that has no value for this event and stands as it was written."""


class _Datadog(_Body):
    """The default payload; `tags`, `alert_transition` and the rest are there where added.

    Its numbers are texts, because `$DATE` and the like are put between quotes.
    """

    @model_validator(mode="before")
    @classmethod
    def _without_unfilled(cls, value: Any) -> Any:
        """Take a variable without a value as not told: one key for every alert hides them."""
        if not isinstance(value, dict):
            return value
        return {
            name: part
            for name, part in value.items()
            if not (isinstance(part, str) and UNFILLED.fullmatch(part.strip()))
        }

    id: Word = ""
    title: str = Field(min_length=1)
    body: str = ""
    message: str = ""
    event_type: str = ""
    date: Word = ""
    last_updated: Word = ""
    org: _Organisation = _Organisation()
    tags: str | list[str] = ""
    service: str = ""
    aggreg_key: str = ""
    alert_cycle_key: str = ""
    alert_id: Word = ""
    alert_transition: str = ""
    alert_type: str = ""
    alert_priority: str = ""
    link: str = ""
    event_url: str = ""

    def alerts(self) -> Iterator[HeardAlert]:
        tags = self.tags if isinstance(self.tags, list) else self.tags.split(",")
        labels = {
            name.strip(): value.strip() for name, _, value in (tag.partition(":") for tag in tags)
        }
        title = _STATE.sub("", self.title) or self.title
        kinds = (self.alert_type or self.event_type).casefold()
        yield HeardAlert(
            system="Datadog",
            title=title,
            key=f"Datadog:{self.alert_cycle_key or self.aggreg_key or self.alert_id or title}",
            firing=not self._recovered and kinds not in ("success", "recovery"),
            names=tuple(
                name
                for name in (self.service, *(labels.get(label, "") for label in SERVICE_LABELS))
                if name
            ),
            environment=_first(labels, PLACES),
            severity=self.alert_priority or ("info" if kinds == "info" else ""),
            text=_plain(self.message or self.body),
            url=self.link or self.event_url or None,
            at=_milliseconds(self.date) or _milliseconds(self.last_updated),
            labels=labels,
        )

    @property
    def _recovered(self) -> bool:
        if self.alert_transition:
            return self.alert_transition.strip().casefold() in ("recovered", "resolved")
        return _RECOVERED.search(self.title) is not None


def _plain(text: str) -> str:
    """Return a message of Datadog's without the marks that make it Markdown."""
    return text.replace("%%%", "").strip()


def _milliseconds(text: str) -> datetime | None:
    """Return a time in milliseconds since 1970, as Datadog's `$DATE` is."""
    if not text.strip().isdigit() or len(text.strip()) > 14:
        return None
    return datetime.fromtimestamp(int(text) / 1000, UTC)


class _Reference(Part):
    id: str = ""
    summary: str = ""
    name: str = ""


class _Data(Part):
    id: str = ""
    type: str = ""
    html_url: str = ""
    title: str = ""
    incident_key: str = ""
    urgency: str = ""
    priority: _Reference = _Reference()
    service: _Reference = _Reference()


class _Event(Part):
    id: str = ""
    event_type: str
    occurred_at: Time = None
    data: _Data = _Data()


class _PagerDuty(_Body):
    event: _Event

    def alerts(self) -> Iterator[HeardAlert]:
        event, data = self.event, self.event.data
        fires = {
            "incident.triggered": True,
            "incident.reopened": True,
            "incident.resolved": False,
        }.get(event.event_type)
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


class _Plain(_Body):
    service: str = Field(default="", max_length=200)
    title: str = Field(min_length=1, max_length=1000)
    severity: Word = Field(default="", max_length=100)
    key: Word = Field(default="", max_length=500)
    status: Literal["firing", "resolved"]
    environment: str | None = Field(default=None, max_length=200)
    description: str = Field(default="", max_length=3000)
    url: str | None = Field(default=None, max_length=2000)
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


def _is_datadog(body: dict[str, Any]) -> bool:
    marks = {"event_type", "last_updated", "alert_transition", "alert_type", "aggreg_key"}
    return "title" in body and "status" not in body and bool(marks & body.keys())


def _is_plain(body: dict[str, Any]) -> bool:
    return "status" in body and "title" in body


_SHAPES = (
    (_is_group, _Group),
    (_is_pagerduty, _PagerDuty),
    (_is_datadog, _Datadog),
    (_is_plain, _Plain),
)
