"""PagerDuty: people are paged through the Events API v2.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

import secrets
from typing import Any, Literal

import httpx
from pydantic import ValidationError

from bot.clients.http.client import Http
from bot.clients.http.errors import json_of
from bot.clients.http.shape import Shape
from phases.ports.ports import PortError
from phases.text.wording import short

SYSTEM = "PagerDuty"
SUMMARY_LIMIT = 1024
KEY_LIMIT = 255


class _Refusal(Shape):
    message: str = ""
    errors: tuple[str, ...] = ()


class _Taken(Shape):
    """The answer to an event that was taken.

    A page in its place (a login, a proxy) has called nobody.
    """

    status: Literal["success"]


class EventsApi(Http):
    def __init__(self, url: str, routing_key: str) -> None:
        super().__init__(SYSTEM, url, {})
        self._routing_key = routing_key

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        if answer.status_code != 400 or json_of(answer) is None:
            return super().refusal(answer, scope)
        try:
            refusal = _Refusal.model_validate(json_of(answer))
        except ValidationError:
            refusal = _Refusal()
        why = ("; ".join(refusal.errors) or refusal.message).replace(self._routing_key, "…")[:200]
        hint = ": is PAGERDUTY_ROUTING_KEY right?" if "routing" in why.lower() else ""
        return PortError(SYSTEM, f"PagerDuty refused the page ({why}){hint}")


class PagerDuty:
    """Alerts, which page people. Methods raise `PortError`.

    The same `key` is the same alert: a retry pages nobody twice.
    """

    def __init__(self, events_url: str, routing_key: str) -> None:
        self._http = EventsApi(events_url, routing_key)
        self._routing_key = routing_key

    async def aclose(self) -> None:
        await self._http.aclose()

    async def page(self, *, key: str, text: str) -> None:
        payload = {
            "summary": short(text, SUMMARY_LIMIT),
            "source": "firebreak",
            "severity": "critical",
        }
        await self._send("trigger", key, client="Firebreak", payload=payload)

    async def follow(self, *, key: str, what: Literal["acknowledge", "resolve"]) -> None:
        """Somebody is at it, or it is over; a key that nothing was triggered with is nothing."""
        await self._send(what, key)

    async def check(self) -> None:
        """Resolve an alert that never was (`firebreak doctor`).

        The key is looked at, the event is discarded, and nobody is called:
        https://docs.ansible.com/ansible/latest/collections/community/general/pagerduty_alert_module.html
        (incident_key).
        """
        await self.follow(key=f"firebreak-doctor-{secrets.token_hex(8)}", what="resolve")

    async def _send(self, action: str, key: str, **more: Any) -> None:
        event = {
            "routing_key": self._routing_key,
            "event_action": action,
            "dedup_key": key[:KEY_LIMIT],
        }
        answer = await self._http.request("POST", "", json=event | more)
        if answer.status_code != httpx.codes.ACCEPTED:  # which PagerDuty alone answers
            self._http.read(_Taken, answer)
