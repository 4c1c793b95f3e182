"""A local PagerDuty that takes events.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.wire import Json

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SEVERITIES = ("critical", "error", "warning", "info")


@dataclass(slots=True)
class PagerEvent:
    """An alert. Events of its `dedup_key` belong to it until it is resolved."""

    dedup_key: str
    summary: str
    severity: str
    source: str
    links: list[dict[str, str]]
    at: datetime
    times: int = 1
    state: str = "triggered"
    """`triggered`, `acknowledged` or `resolved`."""


class PagerDuty:
    """Alerts, oldest first."""

    def __init__(
        self,
        *,
        routing_key: str = ROUTING_KEY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.routing_key = routing_key
        self.events: list[PagerEvent] = []
        self.on_change: Callable[[], None] = lambda: None
        self._now = now

    def trigger(self, body: Json) -> str:
        payload, key = body["payload"], str(body.get("dedup_key") or f"made-{len(self.events)}")
        known = self._open_event(key)
        if known is not None:
            known.times += 1
        else:
            self.events.append(
                PagerEvent(
                    key,
                    payload["summary"],
                    payload["severity"],
                    payload["source"],
                    body.get("links") or [],
                    self._now(),
                )
            )
        self.on_change()
        return key

    def follow(self, key: str, action: str) -> str:
        """Acknowledge or resolve an alert. Nothing happens for a key that is not known."""
        known = self._open_event(key)
        if known is not None:
            known.state = "acknowledged" if action == "acknowledge" else "resolved"
            self.on_change()
        return key

    def _open_event(self, key: str) -> PagerEvent | None:
        return next(
            (e for e in reversed(self.events) if e.dedup_key == key and e.state != "resolved"), None
        )


def event_errors(body: Any) -> list[str]:
    """Return what is wrong with an event."""
    if not isinstance(body, dict):
        return ["Event object is invalid"]
    errors: list[str] = []
    if len(str(body.get("routing_key") or "")) != 32:
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    if body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is invalid")
    elif body["event_action"] != "trigger":
        # Only a trigger has a payload.
        return errors if body.get("dedup_key") else [*errors, "'dedup_key' is missing or blank"]
    payload = body.get("payload")
    if not isinstance(payload, dict):
        return [*errors, "'payload' is missing or blank"]
    required = ("summary", "source", "severity")
    errors += [f"'payload.{key}' is missing or blank" for key in required if not payload.get(key)]
    if payload.get("severity") and payload["severity"] not in SEVERITIES:
        known = "'critical', 'warning', 'error' or 'info'"
        errors.append(f"'payload.severity' is invalid (must be one of the following: {known})")
    if len(str(payload.get("summary") or "")) > 1024:
        errors.append("'payload.summary' is too long")
    if len(str(body.get("dedup_key") or "")) > 255:
        errors.append("'dedup_key' is too long")
    return errors


def pagerduty_app(pagerduty: PagerDuty, faults: Faults) -> Starlette:
    """`POST /v2/enqueue`; the call `pagerduty.enqueue`."""

    async def enqueue(request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            body = {}
        errors = event_errors(body)
        if not errors and body["routing_key"] != pagerduty.routing_key:
            errors = ["The routing key is not known"]
        if errors:
            text = "Event object is invalid"
            refusal = {"status": "invalid event", "message": text, "errors": errors}
            return JSONResponse(refusal, 400)
        action = body["event_action"]
        if action == "trigger":
            key = pagerduty.trigger(body)
        else:
            key = pagerduty.follow(str(body["dedup_key"]), action)
        answer = {"status": "success", "message": "Event processed", "dedup_key": key}
        return JSONResponse(answer, 202)

    async def handle(request: Request) -> Response:
        return await faults.around(
            "pagerduty.enqueue", request, lambda: enqueue(request), _fault_response
        )

    return Starlette(routes=[Route("/v2/enqueue", handle, methods=["POST"])])


def _fault_response(fault: Fault) -> Response:
    body = {"message": fault.error or "staged"}
    return JSONResponse(body, fault.status or 400, fault.retry_header())
