"""The base of every HTTP client: one kept session a system, limits in time, and errors that say whose fault it was."""

from __future__ import annotations

import asyncio
import importlib.util
import json as jsonlib
import logging
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from bot.clients.http.call_counts import NO_ANSWER, count, count_limited
from bot.clients.http.certificates import context
from bot.clients.http.unreachable import why
from bot.runtime.ack_priority import people_first
from bot.runtime.backoff import waited
from phases.ports.ports import PortError
from phases.record.text import foreign

AGAIN_PAUSES = (0.2, 0.8)
"""Seconds before what may come twice is sent again after a fault: one of many calls must not spoil them all."""
A_PAGE = "look at what answers at that address: a wall, a login or a proxy, or another program"

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]

# httpcore asks for sniffio at every call, to know the event loop. Where it is not installed, Python would look for it in
# every folder of its path each time, a quarter of a call's cost; so it is said once that there is none.
if importlib.util.find_spec("sniffio") is None:
    sys.modules.setdefault("sniffio", None)  # pyright: ignore[reportArgumentType]

# These write every URL at INFO, and the URL of a Discord webhook is a secret.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class HttpError(PortError):
    """A `PortError` that knows the answer's status; None where there was no answer (not reached, too slow)."""

    def __init__(
        self,
        system: str,
        text: str,
        *,
        retryable: bool,
        retry_after: float | None = None,
        status: int | None = None,
        sent: bool = True,
        said: str = "",
        broken_off: bool = False,
        limited: bool = False,
        mend: str = "",
        overloaded: bool = False,
    ) -> None:
        super().__init__(system, text, retryable=retryable, retry_after=retry_after)
        self.status = status
        self.said = said
        """What the system itself gave as its reason; empty where it said nothing readable."""
        self.sent = sent
        """False where the request surely never arrived, so that even a creation may be sent again."""
        self.broken_off = broken_off
        """The connection was lost, or never made."""
        self.limited = limited
        """Refused for now, because of too many calls: nothing was done."""
        self.mend = mend
        """What helps, where the way to the system is the trouble and it is known."""
        self.overloaded = overloaded
        """It could not answer just now, in whatever words it says so (`passing`)."""


class Http:
    """One outside system over one kept `httpx.AsyncClient`.

    Paths are appended to `base_url`; nothing else is ever called, and redirects are not followed. `timeout` in seconds
    is for the whole call. No error text holds a header's value or the URL. `passing` tells by status and reason which refusals
    are an overload that passes; `pauses` are the seconds before it is asked again, where they are not `AGAIN_PAUSES`.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout: float = 10.0,
        passing: Callable[[int, str], bool] | None = None,
        pauses: Sequence[float] = (),
    ) -> None:
        self.system = system
        self._base = base_url.rstrip("/")
        self._timeout, self._connect = timeout, min(timeout, 5.0)
        self._passing = passing
        self._pauses = tuple(pauses)
        self._secrets = tuple(
            word
            for key, value in headers.items()
            if _secret(key)
            for word in value.split()
            if len(word) >= 8
        )
        try:
            clean = httpx.Headers(dict(headers), encoding="ascii")
        except UnicodeEncodeError as error:
            unsent = why(system, error)
            raise HttpError(
                system, unsent.says, retryable=False, sent=False, mend=unsent.mend
            ) from None
        self._client = httpx.AsyncClient(
            headers=clean,
            verify=context(),
            timeout=httpx.Timeout(timeout, connect=self._connect),
            limits=httpx.Limits(
                max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0
            ),
            follow_redirects=False,
        )

    async def get(
        self, path: str, params: Params | None = None, *, scope: str | None = None
    ) -> httpx.Response:
        """GET; sent again where the connection was lost or the system had a fault of its own."""
        return await self.request("GET", path, params=params, scope=scope)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        accept: Sequence[int] = (),
        repeatable: bool = False,
    ) -> httpx.Response:
        """The answer, if it is 2xx or 304 or among `accept`.

        `scope` is the permission that the call needs, named when it is refused. `repeatable`: as GET it may
        be sent again after a fault. Raises `HttpError`.
        """
        request = self._client.build_request(
            method,
            self._address(path),
            params=_pairs(params),
            json=json,
            content=content,
            headers=dict(headers) if headers else None,
        )
        pauses = list(self._pauses or AGAIN_PAUSES) if repeatable or method == "GET" else []
        while True:
            await people_first()
            try:
                answer = await self._sent(request)
                await people_first()
                if answer.is_success or answer.status_code == 304 or answer.status_code in accept:
                    return answer
                raise self._refused(answer, scope)
            except HttpError as error:
                again = error.broken_off or error.overloaded or (error.status or 0) >= 500
                if again and pauses:
                    await asyncio.sleep(pauses.pop(0))
                elif not (error.limited and await waited(error.retry_after)):
                    raise

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """One request, sent once."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.send(request)
        except (TimeoutError, httpx.TimeoutException) as error:
            count(self.system, request.method, NO_ANSWER)
            connected = not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            text = f"{self.system} did not answer within {self._timeout:g} s"
            if isinstance(error, httpx.ConnectTimeout):
                text = f"{self.system} cannot be reached: no connection within {self._connect:g} s"
            raise HttpError(self.system, text, retryable=True, sent=connected) from error
        except (httpx.TransportError, ssl.SSLError) as error:
            # An alert after the handshake comes as it is: httpx maps it to no error of its own.
            count(self.system, request.method, NO_ANSWER)
            told = why(self.system, error, str(request.url))
            # h11 puts the whole header into its error, and a token may stand there.
            below = None if told.final else error
            raise HttpError(
                self.system,
                told.says,
                retryable=not (told.final or told.by_people),
                sent=told.sent,
                broken_off=not (told.final or told.by_people or told.mend),
                mend=told.mend,
            ) from below
        count(self.system, request.method, answer.status_code)
        return answer

    def _address(self, path: str) -> httpx.URL:
        try:
            return httpx.URL(f"{self._base}{path}")
        except httpx.InvalidURL as error:
            raise HttpError(
                self.system,
                f"the address set for {self.system} is no URL",
                retryable=False,
                sent=False,
            ) from error

    def json(self, answer: httpx.Response) -> Any:
        """The answer's JSON. Raises `HttpError` (retryable: a proxy's page, a cut answer) where it is none."""
        try:
            return _foreign(answer.json())
        except (jsonlib.JSONDecodeError, UnicodeDecodeError) as error:
            raise HttpError(
                self.system,
                f"{self.system} answered with something that is not JSON",
                retryable=True,
                status=answer.status_code,
            ) from error

    async def aclose(self) -> None:
        await self._client.aclose()

    def _refused(self, answer: httpx.Response, scope: str | None) -> HttpError:
        status = answer.status_code
        wait = retry_after(answer.headers)
        said = self._reason(answer)
        first = said.partition(". ")[0].rstrip(
            "."
        )  # the advice behind it is for who wrote the query
        retryable = limited = False
        mend = ""
        passing = self._passing is not None and self._passing(status, said)
        if status == 429 or (status == 403 and _limited(answer.headers)):
            # GitHub's limits come as 403 or 429:
            # https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
            count_limited(self.system)
            wait = _window_ends(answer.headers) if wait is None else wait
            text, retryable = f"{self.system} asks us to slow down", True
            limited = True
        elif passing and status < 500:
            text, retryable = (
                f"{self.system} is overloaded ({status}{f': {first}' if first else ''})",
                True,
            )
        elif status == 401:
            text = f"{self.system} does not accept our token"
        elif status == 407:
            text = f"the proxy before {self.system} wants a user and a password (407)"
        elif status in (403, 404) and not _is_json(answer):
            # A page: of a wall before the system, or of another program at that address.
            what = "is refused" if status == 403 else "there is no such address"
            mend = A_PAGE
            text = f"{self.system} or what stands before it answers with a page ({status}): {what}"
            text += f"; the call needs {scope}" if scope else ""
        elif status == 403:
            text = f"our token may not do this in {self.system}"
            text += f": it needs {scope}" if scope else ""
        elif status == 404:
            text = f"{self.system} does not know this, or our token may not see it"
            text += f" (it needs {scope})" if scope else ""
        elif status >= 500:
            text, retryable = f"{self.system} has a fault of its own ({status})", True
        elif 300 <= status < 400:
            text = f"{self.system} sends us elsewhere ({_elsewhere(answer)}), and its address in the settings must be the one that answers"
        elif _wants_tls(answer):
            text = f"{self.system} cannot be reached: what answers on that port speaks TLS: its address begins with https://"
        else:
            text = f"{self.system} refused the request ({status})"
            retryable = status == 408
        if said and status < 500 and not (passing and not limited):
            text = f"{text} ({first if limited else said})"
        return HttpError(
            self.system,
            text,
            retryable=retryable,
            retry_after=wait,
            status=status,
            said=said,
            limited=limited,
            mend=mend,
            overloaded=passing and wait is None,
        )

    def _reason(self, answer: httpx.Response) -> str:
        """What the system says itself, at most 200 characters; empty where it says nothing readable."""
        try:
            body = _foreign(answer.json())
        except (jsonlib.JSONDecodeError, UnicodeDecodeError):
            return ""
        said = _told(body)
        for secret in self._secrets:
            said = said.replace(secret, "…")
        return " ".join(said.split())[:200]


def _is_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except (jsonlib.JSONDecodeError, UnicodeDecodeError):
        return False
    return True


def _elsewhere(answer: httpx.Response) -> str:
    """The status, and the host where that is another one; its path may hold anything."""
    try:
        there = answer.request.url.join(answer.headers.get("Location", ""))
    except httpx.InvalidURL:
        return str(answer.status_code)
    if there.scheme != answer.request.url.scheme:
        return f"{answer.status_code}, to {there.scheme}://"
    return (
        f"{answer.status_code}, to {there.host}"
        if there.host != answer.request.url.host
        else str(answer.status_code)
    )


def _wants_tls(answer: httpx.Response) -> bool:
    """nginx and Go's server say so in a page with 400: "The plain HTTP request was sent to HTTPS port"."""
    return (
        answer.status_code == 400
        and answer.request.url.scheme == "http"
        and b"HTTPS" in answer.content[:2000]
    )


def _told(body: Any) -> str:
    """Return the reason in an answer's JSON: a sentence, or what is wrong with each part.

    `{"detail": "…"}`, `{"detail": {"message": "…"}}`, `{"field": ["…"]}` and `["…"]` are of Django
    REST framework (https://www.django-rest-framework.org/api-guide/exceptions/), where a field may hold fields.
    `{"detail": [{"loc": […], "msg": "…"}]}` is of Django Ninja.
    """
    if isinstance(body, list):
        return "; ".join(filter(None, map(_one_fault, body[:3])))
    if not isinstance(body, dict):
        return ""
    for key in ("detail", "message", "error"):
        value = body.get(key)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, list):
            value = _told(value)
        if isinstance(value, str):
            return _with_details(value, body.get("errors"))
    fields = (
        (name, value)
        for name, value in body.items()
        if isinstance(value, list | dict) and name != "errors"
    )
    return "; ".join(
        f"{name}: {said}" for name, value in list(fields)[:3] if (said := _told(value))
    )


def _one_fault(error: Any) -> str:
    if isinstance(error, str):
        return error
    if not isinstance(error, dict) or not isinstance(error.get("msg"), str):
        return ""
    where = error.get("loc")
    name = str(where[-1]) if isinstance(where, list) and where else ""
    return f"{name}: {error['msg']}" if name else error["msg"]


def _with_details(said: str, errors: Any) -> str:
    """ "Validation Failed" says nothing; what failed stands in `errors`, as words or as field and code:
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed"""
    details: list[str] = []
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            named = " ".join(str(error[key]) for key in ("field", "code") if error.get(key))
            details.append(str(error.get("message") or named))
        elif isinstance(error, str):
            details.append(error)
    told = "; ".join(detail for detail in details[:3] if detail)
    return f"{said}: {told}" if told else said


def part(text: str, system: str) -> str:
    """One part of a path, quoted. Raises `HttpError` for what would lead to another path: `..` is no id of anything."""
    if text in ("", ".", ".."):
        raise HttpError(
            system, f"{text[:80]!r} is nothing that can be asked for", retryable=False, sent=False
        )
    return quote(text, safe="")


def _foreign(told: Any) -> Any:
    """Every text in an answer, all the way down: nothing in it mentions anybody."""
    match told:
        case str():
            return foreign(told)
        case dict():
            return {key: _foreign(value) for key, value in told.items()}
        case list():
            return [_foreign(value) for value in told]
        case _:
            return told


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait as `Retry-After` says: a number or a date (RFC 9110, 10.2.3). None where it says nothing."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.replace(".", "", 1).isdecimal():
        return min(float(value), 3600.0)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - (now or datetime.now(UTC))).total_seconds(), 0.0), 3600.0)


def _window_ends(headers: Mapping[str, str]) -> float | None:
    """Seconds until Sentry counts anew, where that alone is told: in "UTC seconds from epoch" (https://docs.sentry.io/api/ratelimits/)."""
    told = headers.get("X-Sentry-Rate-Limit-Reset", "").strip()
    if not told.replace(".", "", 1).isdecimal():
        return None
    return min(max(float(told) - datetime.now(UTC).timestamp(), 1.0), 60.0)


def _limited(headers: Mapping[str, str]) -> bool:
    return "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"


def _secret(header: str) -> bool:
    return header.lower() in ("authorization", "cookie") or any(
        w in header.lower() for w in ("token", "key", "secret")
    )


def _pairs(params: Params | None) -> tuple[tuple[str, str], ...] | None:
    """Flat pairs: a list is a parameter repeated, None is left out."""
    if params is None:
        return None
    flat: list[tuple[str, str]] = []
    for key, value in params.items() if isinstance(params, Mapping) else params:
        values = value if isinstance(value, list | tuple | set) else [value]
        flat.extend((key, str(v)) for v in values if v is not None)
    return tuple(flat)
