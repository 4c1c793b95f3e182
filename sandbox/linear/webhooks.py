"""Linear's webhooks: every change of an issue, signed. https://linear.app/developers/webhooks

Headers `Linear-Delivery`, `Linear-Event`, `Linear-Signature` (hex HMAC-SHA256 of the raw body); the
body is `EntityWebhookPayload` of Linear's schema. The real one sends what nobody took again after a
minute, an hour and six hours. This one does so after `retry_delays`, and for `redeliver`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.background import BackgroundTasks
from sandbox.linear.rules import iso
from sandbox.linear.state import Issue, Linear, Updated, User
from sandbox.webhook_delivery import WebhookDelivery
from sandbox.wire import Json

ANSWER_SECONDS = 5.0
PRIORITIES = ("No priority", "Urgent", "High", "Medium", "Low")
ORGANISATION, WEBHOOK = str(uuid.uuid4()), str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Delivered:
    """One attempt. `status` None: nobody answered."""

    id: str
    body: bytes
    status: int | None


class Webhooks:
    """Sends the changes of `linear`, one after the other, while it is started."""

    def __init__(
        self, linear: Linear, *, url: str, secret: str, delivery: WebhookDelivery | None = None
    ) -> None:
        self.url, self.secret = url, secret
        self.enabled = True
        self.retry_delays: tuple[float, ...] = ()
        """Seconds before each time that what nobody took with 200 is sent again."""
        self.deliveries: deque[Delivered] = deque(maxlen=200)
        self._delivery = delivery or WebhookDelivery()
        self._queue: asyncio.Queue[Json] = asyncio.Queue()
        self._sending = BackgroundTasks()
        linear.on_update = self._on_update

    async def start(self) -> None:
        self._sending.start(self._send_all())

    async def stop(self) -> None:
        await self._sending.stop()

    async def redeliver(self, earlier: Delivered) -> Delivered:
        """Send a delivery once more: same id, same event, sent now."""
        return await self._send(json.loads(earlier.body), earlier.id)

    def _on_update(self, updated: Updated) -> None:
        if self.enabled:
            self._queue.put_nowait(payload(updated))

    async def _send_all(self) -> None:
        while True:
            delivered = await self._send(await self._queue.get(), str(uuid.uuid4()))
            if delivered.status != 200:
                self._sending.start(self._retry(delivered))

    async def _retry(self, delivered: Delivered) -> None:
        for seconds in self.retry_delays:
            await asyncio.sleep(seconds)
            if (await self.redeliver(delivered)).status == 200:
                return

    async def _send(self, event: Json, id: str) -> Delivered:
        now = round(datetime.now(UTC).timestamp() * 1000)
        body = json.dumps({**event, "webhookTimestamp": now}).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Linear-Webhook",
            "Linear-Delivery": id,
            "Linear-Event": "Issue",
            "Linear-Signature": hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        status = await self._delivery.post(self.url, body, headers, seconds=ANSWER_SECONDS)
        delivered = Delivered(id, body, status)
        self.deliveries.append(delivered)
        return delivered


def payload(updated: Updated) -> Json:
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


def _data(issue: Issue) -> Json:
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
