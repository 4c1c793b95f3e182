"""PagerDuty: people are paged through the Events API v2. https://developer.pagerduty.com/docs/events-api-v2/trigger-events/"""

from __future__ import annotations

import secrets
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.clients.http.client import Http, HttpError
from phases.ports.ports import PortError

SYSTEM = "PagerDuty"
SUMMARY_LIMIT = 1024
KEY_LIMIT = 255


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    message: str = ""
    errors: tuple[str, ...] = ()


class PagerDuty:
    """Keeps `phases.ports.ports.Pager`. The same `key` is the same alert: a retry pages nobody twice."""

    def __init__(self, events_url: str, routing_key: str, *, timeout: float = 10.0) -> None:
        self._http = Http(SYSTEM, events_url, {}, timeout=timeout)
        self._routing_key = routing_key

    async def page(
        self,
        *,
        key: str,
        text: str,
        severity: Literal["critical", "error", "warning"],
        url: str | None,
    ) -> None:
        """Raises `PortError`."""
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": "trigger",
            "dedup_key": key[:KEY_LIMIT],
            "client": "Firebreak",
            "payload": {
                "summary": text if len(text) <= SUMMARY_LIMIT else text[: SUMMARY_LIMIT - 1] + "…",
                "source": "firebreak",
                "severity": severity,
            },
        }
        if url:
            event |= {"client_url": url, "links": [{"href": url, "text": "The incident in Slack"}]}
        await self._send(event)

    async def follow(self, *, key: str, what: Literal["acknowledge", "resolve"]) -> None:
        """Raises `PortError`."""
        await self._send(
            {"routing_key": self._routing_key, "event_action": what, "dedup_key": key[:KEY_LIMIT]}
        )

    async def check(self) -> None:
        """Resolves an alert that never was (`firebreak doctor`): the key is looked at, the event discarded, nobody is called.

        https://docs.ansible.com/ansible/latest/collections/community/general/pagerduty_alert_module.html (incident_key).
        Raises `PortError`.
        """
        await self.follow(key=f"firebreak-doctor-{secrets.token_hex(8)}", what="resolve")

    async def _send(self, event: dict[str, Any]) -> None:
        response = await self._http.request("POST", "", json=event, accept=(400,))
        if response.status_code != 400:
            return
        try:
            refusal = _Refusal.model_validate(self._http.json(response))
        except (HttpError, ValidationError):
            refusal = _Refusal()
        why = ("; ".join(refusal.errors) or refusal.message).replace(self._routing_key, "…")[:200]
        hint = ": is PAGERDUTY_ROUTING_KEY right?" if "routing" in why.lower() else ""
        raise PortError(SYSTEM, f"PagerDuty refused the page ({why}){hint}", retryable=False)

    async def aclose(self) -> None:
        await self._http.aclose()
