"""Webhooks of the local GitHub, signed. One that is not taken is not sent again, as on GitHub.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/en/webhooks/webhook-events-and-payloads
(#deployment_status, #pull_request, #workflow_run)
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.background import BackgroundTasks
from sandbox.github.shapes import deployment_row, pull_row, run_row
from sandbox.github.state import Deployment, GitHub, Pull, Run
from sandbox.webhook_delivery import WebhookDelivery
from sandbox.wire import Json

EVENTS = ("deployment_status", "pull_request", "workflow_run")
ANSWER_SECONDS = 10.0
"""https://docs.github.com/en/webhooks/using-webhooks/handling-webhook-deliveries#timing"""


class Webhooks:
    """Sends `url` the chosen events of `github`."""

    def __init__(
        self,
        github: GitHub,
        url: str,
        secret: str,
        *,
        events: tuple[str, ...] = EVENTS,
        delivery: WebhookDelivery | None = None,
    ) -> None:
        self.github = github
        self.url = url
        self.secret = secret
        self.events = events
        self.enabled = True
        self.delivered: list[tuple[str, int | None]] = []
        """Event and status of the answer; None: nobody answered."""
        self._delivery = delivery or WebhookDelivery()
        self._sending = BackgroundTasks()
        github.on_event = self._on_event

    async def stop(self) -> None:
        await self._sending.stop()

    def _on_event(self, event: str, values: Mapping[str, Any]) -> None:
        if self.enabled and event in self.events:
            self._sending.start(self._send(event, _body(self.github, values)))

    async def _send(self, event: str, body: Json) -> None:
        raw = json.dumps(body).encode()
        signature = hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        status = await self._delivery.post(self.url, raw, headers, seconds=ANSWER_SECONDS)
        self.delivered.append((event, status))


def _body(github: GitHub, values: Mapping[str, Any]) -> Json:
    body: Json = {"repository": {"full_name": github.repository}, "sender": {"login": "ada"}}
    for key, value in values.items():
        match value:
            case Pull():
                body[key] = pull_row(github, value)
            case Deployment():
                body[key] = deployment_row(value)
            case Run():
                body[key] = run_row(github, value)
            case _:
                body[key] = value
    return body
