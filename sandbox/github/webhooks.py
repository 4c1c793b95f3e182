"""What the local GitHub tells by webhook, signed as GitHub signs; a delivery that is not taken is not sent again, as on GitHub.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/en/webhooks/webhook-events-and-payloads (#deployment_status, #pull_request, #workflow_run)
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from typing import Any

import httpx

from sandbox.github.shapes import deployment_row, pull_row, run_row
from sandbox.github.state import Deployment, GitHub, Pull, Run
from sandbox.webhook_delivery import Post

EVENTS = ("deployment_status", "pull_request", "workflow_run")
SECONDS = 10.0  # https://docs.github.com/en/webhooks/using-webhooks/handling-webhook-deliveries#timing


class Hooks:
    """Tells `url` of what happens on `github`. `delivered` holds (event, status); a status of 0: nobody answered."""

    def __init__(
        self, github: GitHub, url: str, secret: str, *, events: tuple[str, ...] = EVENTS, post: Post | None = None
    ) -> None:
        self.github = github
        self.url = url
        self.secret = secret
        self.events = events
        self.on = True
        self._carrying = post or Post()
        self.delivered: list[tuple[str, int]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        github.tell = self.tell

    def tell(self, event: str, about: dict[str, Any]) -> None:
        if not self.on or event not in self.events:
            return
        task = asyncio.ensure_future(self._deliver(event, _body(self.github, about)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, event: str, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest(),
        }
        try:
            async with self._carrying.client(SECONDS) as http:
                status = (await http.post(self.url, content=raw, headers=headers)).status_code
        except httpx.HTTPError:
            status = 0
        self.delivered.append((event, status))


def _body(github: GitHub, about: dict[str, Any]) -> dict[str, Any]:
    """What a story tells of in its own words, in GitHub's."""
    body: dict[str, Any] = {"repository": {"full_name": github.repository}, "sender": {"login": "ada"}}
    for key, value in about.items():
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
