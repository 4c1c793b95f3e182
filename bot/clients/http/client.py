"""The base of every HTTP client: one kept session a system, and limits in time.

Its errors say whose fault it was (`errors.py`).
"""

import asyncio
import json as jsonlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import TypeAdapter, ValidationError

from bot.clients.http.call_counts import NO_ANSWER, count, count_limited
from bot.clients.http.certificates import context
from bot.clients.http.errors import (
    HttpError,
    Limited,
    Passing,
    Unanswered,
    final_words,
    is_limited,
    reason_in,
    retry_after,
    sentry_window_ends,
    without_mentions,
)
from bot.clients.http.unreachable import cause_of
from bot.runtime.backoff import waited
from phases.ports.ports import PortError

AGAIN_PAUSES = (0.2, 0.8)
"""Seconds before what may come twice is sent again after a fault.

One of many calls must not spoil them all.
"""

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]
T = TypeVar("T")

# These write every URL at INFO, and the URL of a Discord webhook is a secret.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


async def repeated(send: Callable[[], Awaitable[T]], pauses: Sequence[float]) -> T:
    """Return the answer of `send`, tried again after each of `pauses` while its error is passing.

    A call that was refused because of a limit has done nothing. It is made again as soon as the
    system allows, by whoever can wait so long (`bot/runtime/backoff.py`). Raises the last error.
    """
    left = list(pauses)
    while True:
        try:
            return await send()
        except HttpError as error:
            if error.passing and left:
                await asyncio.sleep(left.pop(0))
            elif not (error.limited and await waited(error.retry_after)):
                raise


class Http:
    """One outside system over one kept `httpx.AsyncClient`.

    Paths are appended to `base_url`; nothing else is ever called, and redirects are not followed.
    `timeout` in seconds is for the whole call. No error text holds a header's value or the URL.
    A system with rules of its own overrides `refusal`, `before` and `passes`.
    """

    pauses: ClassVar[tuple[float, ...]] = AGAIN_PAUSES
    unknown_shape: ClassVar[str] = "{system} answered in a shape that is not known here"
    """The error's text for an answer of another shape; `{where}` is the place in it."""

    def __init__(
        self, system: str, base_url: str, headers: Mapping[str, str], *, timeout: float = 10.0
    ) -> None:
        self.system = system
        self._base = base_url.rstrip("/")
        self._timeout, self._connect = timeout, min(timeout, 5.0)
        self._secrets = tuple(
            word
            for key, value in headers.items()
            if _is_secret(key)
            for word in value.split()
            if len(word) >= 8
        )
        try:
            clean = httpx.Headers(dict(headers), encoding="ascii")
        except UnicodeEncodeError as error:
            unsent = cause_of(system, error)
            raise Unanswered(system, unsent.says, mend=unsent.mend) from None
        self._client = httpx.AsyncClient(
            headers=clean,
            verify=context(),
            timeout=httpx.Timeout(timeout, connect=self._connect),
            limits=httpx.Limits(
                max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0
            ),
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def get(
        self, path: str, params: Params | None = None, *, scope: str | None = None
    ) -> httpx.Response:
        return await self.request("GET", with_query(path, params), scope=scope)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        repeatable: bool = False,
    ) -> httpx.Response:
        """Return the answer that is not refused. `path` has its parameters (`with_query`).

        `scope` is the permission that the call needs; it is named when the call is refused.
        A GET, and what is `repeatable`, is sent again after a fault. Raises `PortError`.
        """
        request = self._client.build_request(
            method,
            self._address(path),
            json=json,
            headers=dict(headers) if headers else None,
        )

        async def send() -> httpx.Response:
            self.before()
            answer = await self._send_once(request)
            if refused := self.refusal(answer, scope):
                if isinstance(refused, HttpError) and refused.limited:
                    count_limited(self.system)
                raise refused
            return answer

        return await repeated(send, self.pauses if repeatable or method == "GET" else ())

    def json(self, answer: httpx.Response) -> Any:
        """Return the answer's JSON.

        Raises `HttpError` where it is none. It is retryable: a proxy's page, or a cut answer.
        """
        try:
            return without_mentions(answer.json())
        except (jsonlib.JSONDecodeError, UnicodeDecodeError) as error:
            raise HttpError(
                self.system,
                f"{self.system} answered with something that is not JSON",
                retryable=True,
                status=answer.status_code,
            ) from error

    def read(self, shape: type[T], answer: httpx.Response) -> T:
        """Return the answer as `shape`.

        Raises `HttpError` where it is no JSON (retryable), or has another shape (not retryable).
        """
        return self.read_value(shape, self.json(answer), answer)

    def read_value(self, shape: type[T], value: Any, answer: httpx.Response) -> T:
        """Return a part of the answer as `shape`. Raises as `read`."""
        try:
            return adapter(shape).validate_python(value)
        except ValidationError as error:
            raise self.of_unknown_shape(answer, error) from None

    def of_unknown_shape(self, answer: httpx.Response, error: ValidationError) -> HttpError:
        text = self.unknown_shape.format(system=self.system, where=place_of(error))
        return HttpError(self.system, text, status=answer.status_code)

    # --- rules that a system may have of its own -------------------------------------------------

    def before(self) -> None:
        """Raise `HttpError` where nothing may be sent now. It is asked before each request."""

    def passes(self, status: int, reason: str) -> bool:
        """Return whether a refusal is an overload that passes, by its status and reason."""
        del status, reason
        return False

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        """Return the error for an answer, or None for one that is used. It is asked for each."""
        status = answer.status_code
        if answer.is_success or status == 304:
            return None
        reason = reason_in(answer, self._secrets)
        # What follows the first sentence is advice for whoever wrote the query.
        first = reason.partition(". ")[0].rstrip(".")
        wait = retry_after(answer.headers)
        passing = self.passes(status, reason)
        if is_limited(answer):
            wait = sentry_window_ends(answer.headers) if wait is None else wait
            text = f"{self.system} asks us to slow down{f' ({first})' if first else ''}"
            limited = Limited(self.system, text, retry_after=wait, status=status)
            limited.passing = passing and wait is None
            return limited
        mend = ""
        if status >= 500:
            text = f"{self.system} has a fault of its own ({status})"
        elif passing:
            text = f"{self.system} is overloaded ({status}{f': {first}' if first else ''})"
        else:
            text, mend = final_words(self.system, answer, scope)
            text = f"{text} ({reason})" if reason else text
        kind = Passing if status >= 500 or (passing and wait is None) else HttpError
        retryable = passing or status >= 500 or status == 408
        error = kind(
            self.system, text, retryable=retryable, retry_after=wait, status=status, said=reason
        )
        error.mend = mend
        return error

    # --- one request -----------------------------------------------------------------------------

    async def _send_once(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of one request, sent once."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.send(request)
        except (TimeoutError, httpx.TimeoutException) as error:
            count(self.system, request.method, NO_ANSWER)
            connected = not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            text = f"{self.system} did not answer within {self._timeout:g} s"
            if isinstance(error, httpx.ConnectTimeout):
                text = f"{self.system} cannot be reached: no connection within {self._connect:g} s"
            raise Unanswered(self.system, text, retryable=True, sent=connected) from error
        except (httpx.TransportError, httpx.DecodingError, ssl.SSLError) as error:
            # An alert after the handshake comes as it is: httpx maps it to no error of its own.
            count(self.system, request.method, NO_ANSWER)
            cause = cause_of(self.system, error, str(request.url))
            retryable = not (cause.final or cause.by_people)
            # h11 puts the whole header into its error, and a token may stand there.
            below = None if cause.final else error
            raise Unanswered(
                self.system,
                cause.says,
                retryable=retryable,
                sent=cause.sent,
                passing=retryable and not cause.mend,
                mend=cause.mend,
            ) from below
        count(self.system, request.method, answer.status_code)
        return answer

    def _address(self, path: str) -> httpx.URL:
        try:
            return httpx.URL(f"{self._base}{path}")
        except httpx.InvalidURL as error:
            text = f"the address set for {self.system} is no URL"
            raise Unanswered(self.system, text) from error


@cache
def adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def place_of(error: ValidationError) -> str:
    """Return the place in an answer at which its shape is another one."""
    where = error.errors(include_input=False)[0]["loc"]
    return ".".join(str(part) for part in where) or "as a whole"


def _is_secret(header: str) -> bool:
    return header.lower() in ("authorization", "cookie") or any(
        word in header.lower() for word in ("token", "key", "secret")
    )


def with_query(path: str, params: Params | None) -> str:
    """Return the path with its parameters: a list is one repeated, and None is left out.

    httpx would read the whole address a second time to add them.
    """
    flat: list[tuple[str, str]] = []
    for key, value in params.items() if isinstance(params, Mapping) else params or ():
        values = value if isinstance(value, list | tuple | set) else [value]
        flat.extend((key, str(v)) for v in values if v is not None)
    return f"{path}?{urlencode(flat)}" if flat else path
