"""Bodies of `POST /webhooks/alerts` as each system's documentation shows them, about the shop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def grouped(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of Alertmanager's documentation."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "firebreak",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com:9093",
        "alerts": list(alerts) or [fires()],
        **more,
    }


def fires(
    name: str = "HighErrorRate",
    *,
    status: str = "firing",
    minutes: float = 2,
    fingerprint: str = "1a30ba71cca2921f",
    **labels: str,
) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", "service": "shop", **labels},
        "annotations": {"summary": f"{name} of the shop", "description": "7 % of requests fail"},
        "startsAt": ago(minutes),
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else ago(0),
        "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=up",
        "fingerprint": fingerprint,
    }


def paged(kind: str = "incident.triggered", **data: Any) -> dict[str, Any]:
    """The body of PagerDuty's documentation."""
    return {
        "event": {
            "id": "01DEN4HPBQAAAG05V5QQYBRZMF",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": ago(1),
            "agent": None,
            "client": None,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "self": "https://api.pagerduty.com/incidents/PGR0VU2",
                "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
                "number": 2,
                "status": "triggered",
                "incident_key": "d3640fbd41094207a1c11e58e46b1662",
                "created_at": ago(1),
                "title": "Checkout is slow",
                "service": {"id": "PF9KMXH", "summary": "shop", "type": "service_reference"},
                "priority": None,
                "urgency": "high",
                **data,
            },
        }
    }


def monitored(title: str = "[Triggered on {host:a}] Errors of the shop", **more: Any) -> Any:
    """Datadog's default payload, filled in."""
    return {
        "body": "%%%\n7 % of requests fail\n%%%",
        "last_updated": "1795316520000",
        "event_type": "query_alert_monitor",
        "title": title,
        "date": "1795316520000",
        "org": {"id": "11023", "name": "Acme"},
        "id": "7561234567890",
        "tags": "env:production,service:shop",
        **more,
    }


def plain(**fields: Any) -> dict[str, Any]:
    body = {"service": "shop", "title": "Orders fail", "key": "orders", "status": "firing"}
    return {**body, "at": ago(1), **fields}
