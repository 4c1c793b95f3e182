"""Linear's webhooks: every change of an issue, signed, to one address. https://linear.app/developers/webhooks

Headers `Linear-Delivery`, `Linear-Event`, `Linear-Signature` (hex HMAC-SHA256 of the raw body), body as `EntityWebhookPayload`
of Linear's schema. The real one sends again after a minute, an hour and six hours what nobody took; here after `retry_delays`, and
`redeliver` does, when a test or a person wants it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from sandbox.linear.rules import iso
from sandbox.linear.state import Issue, Linear, Updated, User
from sandbox.webhook_delivery import Post

log = logging.getLogger(__name__)

ANSWER_WITHIN = 5.0
"""Seconds that Linear waits for an answer."""
PRIORITIES = ("No priority", "Urgent", "High", "Medium", "Low")
ORGANISATION, WEBHOOK = str(uuid.uuid4()), str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Delivered:
    """One attempt. `status` None: nobody answered."""

    id: str
    body: bytes
    status: int | None


class Webhooks:
    """Sends what `linear` tells, one after the other, while it is started."""

    def __init__(self, linear: Linear, *, url: str, secret: str, post: Post | None = None) -> None:
        self.url, self.secret = url, secret
        self.enabled = True
        self.retry_delays: tuple[float, ...] = ()
        """Seconds before each time that it is sent again where nobody answered 200."""
        self._carrying = post or Post()
        self.deliveries: deque[Delivered] = deque(maxlen=200)
        self._linear = linear
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._again: set[asyncio.Task[None]] = set()
        linear.on_update = self.told

    def told(self, updated: Updated) -> None:
        if self.enabled:
            self._queue.put_nowait(payload(updated))

    async def start(self) -> None:
        self._task = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        if self._task is not None:
            tasks = (self._task, *self._again)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._task = None

    async def redeliver(self, earlier: Delivered) -> Delivered:
        """The same delivery once more: same id, same event, sent now."""
        body = {**json.loads(earlier.body), "webhookTimestamp": _now_ms()}
        async with self._carrying.client(ANSWER_WITHIN) as client:
            return await self._post(client, body, earlier.id)

    async def _send_all(self) -> None:
        async with self._carrying.client(ANSWER_WITHIN) as client:
            while True:
                event = await self._queue.get()
                sent = await self._post(client, {**event, "webhookTimestamp": _now_ms()}, str(uuid.uuid4()))
                if sent.status != 200 and self.retry_delays:
                    task = asyncio.create_task(self._until_taken(sent))
                    self._again.add(task)
                    task.add_done_callback(self._again.discard)

    async def _until_taken(self, sent: Delivered) -> None:
        for seconds in self.retry_delays:
            await asyncio.sleep(seconds)
            if (await self.redeliver(sent)).status == 200:
                return

    async def _post(self, client: httpx.AsyncClient, event: dict[str, Any], id: str) -> Delivered:
        body = json.dumps(event).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Linear-Webhook",
            "Linear-Delivery": id,
            "Linear-Event": "Issue",
            "Linear-Signature": hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        status: int | None = None
        try:
            status = (await client.post(self.url, content=body, headers=headers)).status_code
        except httpx.HTTPError as failed:
            log.info("a webhook of Linear's was not taken: %s", type(failed).__name__)
        delivered = Delivered(id, body, status)
        self.deliveries.append(delivered)
        return delivered


def payload(updated: Updated) -> dict[str, Any]:
    """`EntityWebhookPayload` with `IssueWebhookPayload` in `data`."""
    issue, by = updated.issue, updated.by
    return {
        "action": "update",
        "actor": {
            "id": by.id,
            "type": "user",
            "name": by.name,
            "email": by.email,
            "url": f"{_site(issue)}/profiles/{by.id}",
        },
        "createdAt": iso(issue.updated_at),
        "data": _data(issue),
        "updatedFrom": dict(updated.before),
        "url": issue.url,
        "type": "Issue",
        "organizationId": ORGANISATION,
        "webhookId": WEBHOOK,
    }


def _data(issue: Issue) -> dict[str, Any]:
    team, state = issue.team, issue.state
    return {
        "id": issue.id,
        "identifier": issue.identifier,
        "number": int(issue.identifier.rpartition("-")[2]),
        "title": issue.title,
        "description": issue.description,
        "url": issue.url,
        "priority": issue.priority,
        "priorityLabel": PRIORITIES[issue.priority],
        "stateId": state.id,
        "state": {"id": state.id, "name": state.name, "type": state.type, "color": "#5e6ad2"},
        "teamId": team.id,
        "team": {"id": team.id, "key": team.key, "name": team.name},
        "parentId": issue.parent_id,
        "dueDate": issue.due_date,
        "assigneeId": issue.assignee.id if issue.assignee else None,
        "assignee": _child(issue.assignee) if issue.assignee else None,
        "createdAt": iso(issue.created_at),
        "updatedAt": iso(issue.updated_at),
        "labelIds": [],
        "labels": [],
        "previousIdentifiers": [],
        "subscriberIds": [],
        "reactionData": [],
        "prioritySortOrder": 0.0,
        "sortOrder": 0.0,
    }


def _child(user: User) -> dict[str, str]:
    return {"id": user.id, "name": user.name, "email": user.email, "url": ""}


def _site(issue: Issue) -> str:
    return issue.url.partition("/issue/")[0]


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)
