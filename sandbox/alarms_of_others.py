"""Alarms of other monitoring systems about the shop, with the bodies that each sends by itself.

Each is signed as that system signs. A lever rings an alarm, and rings it off.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.sentry import Sentry
from sandbox.webhook_delivery import WebhookDelivery
from sandbox.wire import Json

SECONDS = 10.0
"""So long Alertmanager waits for the answer of its webhook; the others wait about as long.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, `timeout`
"""
AGAIN_SECONDS = (0.5, 0.75, 1.0, 1.5, 2.5)
"""Pauses before it is sent again where the bot says 503, as Alertmanager does it for every 5xx.

https://github.com/prometheus/alertmanager/blob/main/notify/notify.go, `RetryStage`
"""
ENDS_NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time, as the end of what still fires."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """One alarm: when it began and, if it is over, when it ended. In seconds since 1970."""

    began: float
    ended: float | None = None

    @property
    def status(self) -> str:
        return "firing" if self.ended is None else "resolved"

    @property
    def newest(self) -> float:
        return self.began if self.ended is None else self.ended


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def alertmanager(ringing: Ringing) -> Json:
    """Version 4 of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""
    labels = {
        "alertname": "HighErrorRate",
        "service": "shop",
        "env": "production",
        "severity": "critical",
        "instance": "shop-1:8000",
    }
    summary = {"summary": "More than 5 % of the shop's requests fail"}
    alert = {
        "status": ringing.status,
        "labels": labels,
        "annotations": {**summary, "description": "7 % of the requests of 5 minutes were 5xx"},
        "startsAt": _rfc3339(ringing.began),
        "endsAt": ENDS_NEVER if ringing.ended is None else _rfc3339(ringing.ended),
        "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=shop_errors",
        "fingerprint": f"{int(ringing.began):016x}",
    }
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": ringing.status,
        "receiver": "firebreak",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": labels,
        "commonAnnotations": summary,
        "externalURL": "http://alertmanager.example.com:9093",
        "alerts": [alert],
    }


def grafana(ringing: Ringing) -> Json:
    """Alertmanager's body and more: the page names it *webhook notifier*, *Payload*.

    https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
    """
    group, url = alertmanager(ringing), "https://grafana.example.com"
    labels = {"alertname": "Slow checkout", "service": "shop", "severity": "critical"}
    more = {
        "labels": labels,
        "annotations": {"summary": "The till takes more than 3 s", "description": "p95 is 4.1 s"},
        "generatorURL": f"{url}/alerting/grafana/slow/view?orgId=1",
        "silenceURL": f"{url}/alerting/silence/new?alertmanager=grafana",
        "dashboardURL": f"{url}/d/shop?orgId=1",
        "panelURL": f"{url}/d/shop?orgId=1&viewPanel=4",
        "values": {"B": 4.1, "C": 1},
        "valueString": "[ var='B' labels={} value=4.1 ]",
        "orgId": 1,
    }
    return {
        **group,
        "version": "1",
        "groupKey": '{}:{alertname="Slow checkout"}',
        "externalURL": url,
        "groupLabels": {"alertname": "Slow checkout"},
        "commonLabels": labels,
        "alerts": [{**group["alerts"][0], **more, "fingerprint": f"{int(ringing.began):x}"}],
        "orgId": 1,
        "title": f"[{ringing.status.upper()}:1] Slow checkout",
        "state": "alerting" if ringing.ended is None else "ok",
        "message": f"**{ringing.status.capitalize()}**\n\nValue: B=4.1, C=1",
    }


def datadog(ringing: Ringing) -> Json:
    """The payload that docs/alerts.md shows, with the variables filled in.

    https://docs.datadoghq.com/integrations/webhooks/#variables
    """
    over = ringing.ended is not None
    state = "Recovered" if over else "Triggered"
    return {
        "title": f"[{state} on {{service:shop}}] Errors of the shop",
        "body": "7 % of requests fail",
        "event_type": "query_alert_monitor",
        "date": str(round(ringing.newest * 1000)),
        "tags": "env:production,monitor,service:shop",
        "alert_transition": state,
        "alert_cycle_key": str(round(ringing.began * 1000)),
        "alert_priority": "P1",
        "link": "https://app.datadoghq.com/monitors/1234",
        "id": str(round(ringing.newest * 1e6)),
    }


def pagerduty(ringing: Ringing) -> Json:
    """`incident.triggered`: https://developer.pagerduty.com/docs/webhooks/v3-overview/"""
    over, id = ringing.ended is not None, f"Q{int(ringing.began):X}"
    address = "https://api.pagerduty.com"
    return {
        "event": {
            "id": f"01{int(ringing.newest * 1000):024X}",
            "event_type": f"incident.{'resolved' if over else 'triggered'}",
            "resource_type": "incident",
            "occurred_at": _rfc3339(ringing.newest),
            "agent": None,
            "client": {"name": "Monitoring Service"},
            "data": {
                "id": id,
                "type": "incident",
                "self": f"{address}/incidents/{id}",
                "html_url": f"https://acme.pagerduty.com/incidents/{id}",
                "number": 2,
                "status": "resolved" if over else "triggered",
                "incident_key": f"synthetic/{int(ringing.began)}",
                "created_at": _rfc3339(ringing.began),
                "title": "The shop's synthetic check fails",
                "service": {"id": "PF9KMXH", "summary": "shop", "type": "service_reference"},
                "assignees": [],
                "escalation_policy": {"id": "PUS0KTE", "summary": "Default"},
                "teams": [],
                "priority": {"id": "PSO75BM", "summary": "P1", "type": "priority_reference"},
                "urgency": "high",
                "conference_bridge": None,
                "resolve_reason": None,
            },
        }
    }


def script(ringing: Ringing) -> Json:
    """The plain body of docs/alerts.md."""
    return {
        "service": "shop",
        "title": "Orders fail",
        "severity": "critical",
        "key": f"orders-{int(ringing.began)}",
        "status": ringing.status,
        "at": _rfc3339(ringing.newest),
    }


def _bearer(raw: bytes, secret: str, at: float) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _by_pagerduty(raw: bytes, secret: str, at: float) -> dict[str, str]:
    """Two signatures, as while the secret is exchanged; one of them fits.

    https://developer.pagerduty.com/docs/webhooks/webhook-signatures/
    """
    return {"X-PagerDuty-Signature": f"v1={_hex(raw, 'the old one')},v1={_hex(raw, secret)}"}


def _by_grafana(raw: bytes, secret: str, at: float) -> dict[str, str]:
    """*HMAC Signature* of its page, with a header for the timestamp."""
    stamp = str(int(at))
    signed = _hex(stamp.encode() + b":" + raw, secret)
    return {"X-Grafana-Alerting-Signature": signed, "X-Grafana-Alerting-Timestamp": stamp}


def _by_script(raw: bytes, secret: str, at: float) -> dict[str, str]:
    return {"X-Firebreak-Signature": f"sha256={_hex(raw, secret)}"}


def _hex(raw: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Sender:
    key: str
    name: str
    about: str
    body: Callable[[Ringing], Json]
    sign: Callable[[bytes, str, float], Mapping[str, str]]


SENDERS = (
    Sender("alertmanager", "Alertmanager", "HighErrorRate of the shop", alertmanager, _bearer),
    Sender("grafana", "Grafana", "Slow checkout", grafana, _by_grafana),
    Sender("datadog", "Datadog", "Errors of the shop", datadog, _bearer),
    Sender("pagerduty", "PagerDuty", "The synthetic check fails", pagerduty, _by_pagerduty),
    Sender("script", "A script", "Orders fail", script, _by_script),
)
BY_KEY = {sender.key: sender for sender in SENDERS}


class AlarmsOfOthers:
    """Rings alarms at the bot."""

    def __init__(self, sentry: Sentry, url: str, secret: str, delivery: WebhookDelivery) -> None:
        self._clock, self._url, self._secret, self._delivery = sentry.clock, url, secret, delivery
        self._ringing: dict[str, Ringing] = {}

    @property
    def ringing(self) -> frozenset[str]:
        """Keys of the senders whose alarm fires."""
        return frozenset(self._ringing)

    async def ring(self, key: str, **changed: Any) -> int | None:
        """Let the alarm begin, or ring again while it fires. Return the status of the answer."""
        ringing = self._ringing.setdefault(key, Ringing(self._clock()))
        return await self._send(BY_KEY[key], ringing, changed)

    async def ring_off(self, key: str, **changed: Any) -> int | None:
        """Say that the alarm is over. Raises KeyError where it does not ring."""
        began = self._ringing.pop(key).began
        return await self._send(BY_KEY[key], Ringing(began, self._clock()), changed)

    async def _send(self, sender: Sender, ringing: Ringing, changed: Json) -> int | None:
        raw = json.dumps({**sender.body(ringing), **changed}).encode()
        headers = {
            "Content-Type": "application/json",
            **sender.sign(raw, self._secret, ringing.newest),
        }
        for pause in AGAIN_SECONDS:
            status = await self._delivery.post(self._url, raw, headers, seconds=SECONDS)
            if status != 503:
                return status
            await asyncio.sleep(pause)
        return await self._delivery.post(self._url, raw, headers, seconds=SECONDS)
