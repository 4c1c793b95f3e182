"""Bodies of GitHub's webhooks, and their signed requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def body(version: str = "v1.4.0", **changes: Any) -> dict[str, Any]:
    """A deployment's status, cut down.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
    """
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    payload: dict[str, Any] = {
        "action": "created",
        "deployment_status": {"state": "success", "created_at": at, "creator": {"login": "ci"}},
        "deployment": {
            "sha": "4" * 40,
            "ref": version,
            "environment": "production",
            "payload": {},
            "created_at": at,
            "creator": {"login": "ada"},
        },
        "repository": {"full_name": "acme/shop"},
    }
    for place, value in changes.items():
        part, _, key = place.partition("__")
        payload[part][key] = value
    return payload


def event_alert(
    issue: str = "41",
    *,
    environment: str | None = "production",
    project: str = "shop",
    **event: Any,
) -> dict[str, Any]:
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issue-alerts/"""
    tags = [["environment", environment]] if environment else []
    return {
        "action": "triggered",
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
        "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
        "data": {
            "event": {
                "issue_id": issue,
                "title": "ZeroDivisionError: division by zero <!channel>",
                "level": "error",
                "project": 1,
                "url": (
                    f"https://sentry.io/api/0/projects/acme/{project}/events/"
                    "e4874d664c3540c1a32eab185f12c5ab/"
                ),
                "web_url": f"https://sentry.io/organizations/acme/issues/{issue}/events/e48/",
                "tags": tags,
                "datetime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                **event,
            },
            "triggered_rule": "Very important rule",
        },
    }


def issue(action: str = "created", id: str = "41", **fields: Any) -> dict[str, Any]:
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issues/"""
    shape = {
        "id": id,
        "shortId": f"SHOP-{id}",
        "title": "KeyError: 'rate'",
        "level": "error",
        "web_url": f"https://acme.sentry.io/issues/{id}/",
        "project": {"id": "1", "name": "shop", "slug": "shop", "platform": "python"},
        "count": "3",
    }
    return {"action": action, "data": {"issue": {**shape, **fields}}}


def metric(action: str = "critical", **fields: Any) -> dict[str, Any]:
    """https://docs.sentry.io/organization/integrations/integration-platform/webhooks/metric-alerts/"""
    rule = {"projects": ["shop"], "environment": "production", "name": "Too many errors"}
    alert = {
        "id": "4",
        "identifier": "1",
        "projects": ["shop"],
        "title": "Too many errors",
        "alert_rule": rule,
    }
    data = {
        "metric_alert": {**alert, **fields},
        "description_title": "Critical: Too many errors",
        "description_text": "1000 events in the last 10 minutes",
        "web_url": "https://acme.sentry.io/alerts/1/",
    }
    return {"action": action, "data": data}


def deploy_body(event: str = "finished", **fields: Any) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    body = {
        "service": "shop",
        "version": "1.4.0",
        "environment": "production",
        "event": event,
        "at": at,
    }
    return {**body, "sentry_issues": [], **fields}


def changed(**fields: Any) -> dict[str, Any]:
    """A flag that was turned on, as its own system tells it."""
    given = {"service": "shop", "kind": "flag", "name": "new-pricing", "from": False, "to": True}
    return {
        **given,
        "by": "ann",
        "at": datetime.now(UTC).isoformat(),
        "url": "https://f.x",
        **fields,
    }
