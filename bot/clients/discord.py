"""Discord: one status post an incident through a webhook, edited in place. https://docs.discord.com/developers/resources/webhook"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.clients.http import Http, HttpError, retry_after
from phases.ports import PortError

SYSTEM = "Discord"
CONTENT_LIMIT = 2000

_UNVERSIONED = re.compile(r"(https://(?:\w+\.)?discord(?:app)?\.com/api)/webhooks/")
_UNKNOWN_MESSAGE = 10008  # https://docs.discord.com/developers/topics/opcodes-and-status-codes


class _Answer(BaseModel):
    """A message, a refusal or a rate limit: what is read of each."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str | None = None
    code: int | None = None
    message: str | None = None
    retry_after: float | None = None


class Discord:
    """Keeps `phases.ports.Announcer`. The webhook's URL is a secret and is never said."""

    def __init__(self, webhook_url: str, *, timeout: float = 10.0) -> None:
        # A URL as Discord shows it has no version and means an old one, whose rate limits count in milliseconds.
        parts = urlsplit(_UNVERSIONED.sub(r"\1/v10/webhooks/", webhook_url))
        self._http = Http(SYSTEM, urlunsplit(parts._replace(query="", fragment="")), {}, timeout=timeout)
        self._query = dict(parse_qsl(parts.query))
        """`thread_id`, where the webhook posts into a thread."""

    async def post(self, text: str) -> str:
        """The new post's id. Raises `PortError`; where the answer was lost, a second try may make a second post."""
        answer = await self._send("POST", "", text, {"wait": "true"})
        if answer.id is None:
            raise PortError(SYSTEM, "Discord took the post and does not say its id", retryable=False)
        return answer.id

    async def edit(self, id: str, text: str) -> None:
        """Raises `PortError`."""
        await self._send("PATCH", f"/messages/{id}", text, {})

    async def check(self) -> str:
        """The webhook's name (`firebreak doctor`); nothing is posted. Raises `PortError`.

        https://docs.discord.com/developers/resources/webhook#get-webhook-with-token
        """
        answer = self._http.json(await self._http.get(""))
        return str((answer if isinstance(answer, dict) else {}).get("name") or "without a name")

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _send(self, method: str, path: str, text: str, extra: dict[str, str]) -> _Answer:
        content = text if len(text) <= CONTENT_LIMIT else text[: CONTENT_LIMIT - 1] + "…"
        # `allowed_mentions` without `parse`: whatever the text holds, nobody is pinged.
        body: dict[str, Any] = {"content": content, "allowed_mentions": {"parse": []}}
        response = await self._http.request(
            method, path, params=self._query | extra, json=body, accept=(400, 401, 404, 429)
        )
        try:
            answer = _Answer.model_validate(self._http.json(response))
        except (HttpError, ValidationError) as error:
            if response.is_success:
                raise PortError(
                    SYSTEM, "Discord answered in a shape that is not known here", retryable=False
                ) from error
            answer = _Answer()
        if response.is_success:
            return answer
        raise _refused(response, answer)


def _refused(response: httpx.Response, answer: _Answer) -> HttpError:
    said = f" ({answer.message[:200]})" if answer.message else ""
    if response.status_code == 429:
        # Seconds, with parts, in the body; the header is rounded. https://docs.discord.com/developers/topics/rate-limits
        wait = answer.retry_after if answer.retry_after is not None else retry_after(response.headers)
        return HttpError(SYSTEM, "Discord asks us to slow down", retryable=True, retry_after=wait, status=429)
    if answer.code == _UNKNOWN_MESSAGE:
        text = "the status post in Discord was deleted"
    elif response.status_code in (401, 404):
        text = f"Discord does not know the webhook{said}: make a new one and set DISCORD_WEBHOOK_URL"
    else:
        text = f"Discord refused the post{said}"
    return HttpError(SYSTEM, text, retryable=False, status=response.status_code)
