"""A local PagerDuty that takes events: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.slack.api import lose_answer

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SEVERITIES = ("critical", "error", "warning", "info")


@dataclass(slots=True)
class PagerEvent:
    """An alert: one for each `dedup_key` until it is resolved, however often it was sent."""

    dedup_key: str
    summary: str
    severity: str
    source: str
    links: list[dict[str, str]]
    at: datetime
    times: int = 1
    state: str = "triggered"
    """Then `acknowledged`, or `resolved`."""


class PagerDuty:
    """The state: alerts, oldest first."""

    def __init__(
        self, *, routing_key: str = ROUTING_KEY, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.routing_key = routing_key
        self.events: list[PagerEvent] = []
        self.on_change: Callable[[], None] = lambda: None
        self._now = now

    def trigger(self, body: dict[str, Any]) -> str:
        payload, key = body["payload"], str(body.get("dedup_key") or f"made-{len(self.events)}")
        known = self._open(key)
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

    def follow(self, key: str, what: str) -> str:
        """Acknowledges or resolves an alert; of a key that is not known PagerDuty takes it and does nothing."""
        known = self._open(key)
        if known is not None:
            known.state = "acknowledged" if what == "acknowledge" else "resolved"
            self.on_change()
        return key

    def _open(self, key: str) -> PagerEvent | None:
        return next((e for e in reversed(self.events) if e.dedup_key == key and e.state != "resolved"), None)

    def refuses(self, body: Any) -> list[str]:
        """What is wrong with an event."""
        if not isinstance(body, dict):
            return ["Event object is invalid"]
        wrong: list[str] = []
        if len(str(body.get("routing_key") or "")) != 32:
            wrong.append("Length of 'routing_key' is incorrect (should be 32 characters)")
        if body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            wrong.append("'event_action' is invalid")
        elif body["event_action"] != "trigger":
            # https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: only a trigger has a payload
            return wrong if body.get("dedup_key") else [*wrong, "'dedup_key' is missing or blank"]
        payload = body.get("payload")
        if not isinstance(payload, dict):
            return [*wrong, "'payload' is missing or blank"]
        wrong += [f"'payload.{k}' is missing or blank" for k in ("summary", "source", "severity") if not payload.get(k)]
        if payload.get("severity") and payload["severity"] not in SEVERITIES:
            wrong.append(
                "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
            )
        if len(str(payload.get("summary") or "")) > 1024:
            wrong.append("'payload.summary' is too long")
        if len(str(body.get("dedup_key") or "")) > 255:
            wrong.append("'dedup_key' is too long")
        return wrong


def pagerduty_app(pagerduty: PagerDuty, faults: Faults) -> Starlette:
    """`POST /v2/enqueue`; the call `pagerduty.enqueue`."""

    async def enqueue(request: Request) -> Response:
        fault = faults.take("pagerduty.enqueue")
        if fault is not None:
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if fault.status is not None or fault.error is not None:
                headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
                return JSONResponse({"message": fault.error or "staged"}, fault.status or 400, headers)
        try:
            body = await request.json()
        except ValueError:
            body = {}
        wrong = pagerduty.refuses(body)
        if not wrong and body["routing_key"] != pagerduty.routing_key:
            wrong = ["The routing key is not known"]
        if wrong:
            return JSONResponse({"status": "invalid event", "message": "Event object is invalid", "errors": wrong}, 400)
        action = body["event_action"]
        key = pagerduty.trigger(body) if action == "trigger" else pagerduty.follow(str(body["dedup_key"]), action)
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": key}, 202)

    return Starlette(routes=[Route("/v2/enqueue", enqueue, methods=["POST"])])
