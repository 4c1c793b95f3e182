"""GitHub: one REST and one GraphQL door, with its limits kept and polling by ETag. https://docs.github.com/en/rest

Which calls there are: `github_calls.py`; what GraphQL's errors mean: `github_errors.py`. The deployer and the source code stand on this.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from bot.clients.github.endpoints import REPOSITORY, Call
from bot.clients.github.errors import asks_to_wait, forbidden, refusal
from bot.clients.github.models import Repository
from bot.clients.http.call_counts import count_limited
from bot.clients.http.client import AGAIN_PAUSES, Http, HttpError, retry_after
from bot.runtime.backoff import waited
from bot.runtime.redaction import redact
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

SYSTEM = "GitHub"
API_VERSION = "2022-11-28"
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions"""
HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": API_VERSION,
    "User-Agent": "firebreak",
}
SECONDARY_SECONDS = 60.0
"""Without `Retry-After` and with calls left, wait at least a minute:
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit"""
PAGE = 100
REMEMBERED = 200
"""Answers kept with their ETag."""
BRANCH_SECONDS = 600.0
PAGES = 5
"""Of a list that goes on and on no more is read."""
REDIRECTS = (301, 302, 307, 308)
"""A renamed or moved repository: "you should follow the redirect", each request with its own method.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects"""
HOPS = 3

S = TypeVar("S", bound=BaseModel)
T = TypeVar("T")
Dispatcher = Literal["rest", "graphql"]


class GitHub:
    """Raises `HttpError` (a `PortError`). While GitHub wants us to wait nothing is sent: who can wait does (`patience.py`), others hear it at once.

    A renamed repository is followed to where it is now, on the same host alone; nothing else that an answer names is called.
    """

    def __init__(self, api_url: str, token: str, *, timeout: float = 10.0) -> None:
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        self._rest = Http(SYSTEM, api_url, headers, timeout=timeout)
        self._graphql = Http(SYSTEM, graphql_url(api_url), headers, timeout=timeout)
        self._etags: OrderedDict[tuple[str, str], tuple[str, Any, bool | None]] = OrderedDict()
        self._branches: dict[str, tuple[float, str]] = {}
        self._base = httpx.URL(api_url.rstrip("/"))
        self._moved: dict[str, str] = {}
        """Where the repositories are now that were renamed, as GitHub's redirects name it."""
        self._wait_until = {"rest": 0.0, "graphql": 0.0}
        """Each door has a primary limit of its own; a secondary one is shared by both:
        https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api"""

    async def aclose(self) -> None:
        await self._rest.aclose()
        await self._graphql.aclose()

    async def get(
        self,
        call: Call,
        repository: str,
        params: Mapping[str, Any] | None = None,
        **parts: str | int,
    ) -> Any:
        """The answer's JSON."""
        return self._rest.json(await self._send(call, repository, params=params, parts=parts))

    async def polled(
        self,
        call: Call,
        repository: str,
        params: Mapping[str, Any] | None = None,
        **parts: str | int,
    ) -> Any:
        """As `get`, asked conditionally: where nothing changed GitHub answers 304, which costs nothing of the limit.

        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
        """
        return (await self._polled(call, repository, params, parts))[0]

    async def _polled(
        self,
        call: Call,
        repository: str,
        params: Mapping[str, Any] | None,
        parts: Mapping[str, str | int],
    ) -> tuple[Any, bool | None]:
        """The answer's JSON, and whether a next page is there; None where no `Link` says so."""
        key = (filled(call, repository, parts), repr(sorted((params or {}).items())))
        known = self._etags.get(key)
        headers = {"If-None-Match": known[0]} if known else None
        answer = await self._send(call, repository, params=params, parts=parts, headers=headers)
        if answer.status_code == 304 and known is not None:
            self._etags.move_to_end(key)
            return known[1], known[2]
        body = self._rest.json(answer)
        goes_on = "next" in answer.links if "Link" in answer.headers else None
        if etag := answer.headers.get("ETag"):
            self._etags[key] = (etag, body, goes_on)
            self._etags.move_to_end(key)
            while len(self._etags) > REMEMBERED:
                self._etags.popitem(last=False)
        return body, goes_on

    async def pages(
        self,
        call: Call,
        repository: str,
        params: Mapping[str, Any] | None = None,
        *,
        most: int = PAGES,
    ) -> list[Any]:
        """The rows of a list, page by page as `Link` says that it goes on.

        https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
        """
        rows: list[Any] = []
        for page in range(1, most + 1):
            asked = {**(params or {}), "per_page": PAGE, "page": page}
            found, goes_on = await self._polled(call, repository, asked, {})
            rows += found if isinstance(found, list) else []
            if not (goes_on if goes_on is not None else len(found) >= PAGE):
                break
        return rows

    async def write(
        self,
        call: Call,
        repository: str,
        json: Mapping[str, Any],
        *,
        repeatable: bool = False,
        **parts: str | int,
    ) -> Any:
        """The answer's JSON, or None where it has none (204). Never sent twice by itself but where that is harmless (`repeatable`)."""
        answer = await self._send(call, repository, json=json, parts=parts, repeatable=repeatable)
        return self._rest.json(answer) if answer.content else None

    async def about(self, repository: str) -> Repository:
        return read(Repository, await self.get(REPOSITORY, repository))

    async def default_branch(self, repository: str) -> str:
        """The branch whose workflow files run; asked for every ten minutes."""
        at, branch = self._branches.get(repository, (0.0, ""))
        if not branch or time.monotonic() - at > BRANCH_SECONDS:
            branch = (await self.about(repository)).default_branch
            self._branches[repository] = (time.monotonic(), branch)
        return branch

    async def graphql(
        self, document: str, variables: Mapping[str, Any], *, permission: str
    ) -> dict[str, Any]:
        """`data`; raises where there is none. Errors come with 200 and `errors[]`.

        https://docs.github.com/en/graphql/guides/forming-calls-with-graphql
        """
        asks = {"query": document, "variables": dict(variables)}
        reads = not document.lstrip().startswith("mutation")

        async def once() -> tuple[Any, list[dict[str, Any]]]:
            answer = await self._graphql.request(
                "POST", "", json=asks, scope=permission, accept=(403, 429), repeatable=reads
            )
            self._refuse_limits(answer, permission, "graphql")
            body = self._graphql.json(answer)
            body = body if isinstance(body, dict) else {}
            errors = [e for e in body.get("errors") or [] if isinstance(e, dict)]
            if any(asks_to_wait(e) for e in errors):
                raise self._slow_down(answer, "graphql")
            return body.get("data"), errors

        pauses = list(AGAIN_PAUSES) if reads else []
        while True:
            data, errors = await self._within_limits(once, "graphql")
            if isinstance(data, dict) and (not errors or any(data.values())):
                return data
            refused = refusal(errors, permission)
            if not (refused.retryable and pauses):
                raise refused
            await asyncio.sleep(pauses.pop(0))

    # --- one request ---------------------------------------------------------------------------------------------

    async def _send(
        self,
        call: Call,
        repository: str,
        *,
        parts: Mapping[str, str | int],
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> httpx.Response:
        path = filled(call, repository, parts)
        if repository in self._moved:
            path = self._moved[repository] + path.removeprefix(_root(repository))

        async def once() -> httpx.Response:
            answer = await self._rest.request(
                call.method,
                path,
                params=params,
                json=dict(json) if json is not None else None,
                headers=headers,
                scope=call.permission,
                accept=(*REDIRECTS, 403, 429),
                repeatable=repeatable,
            )
            self._refuse_limits(answer, call.permission, "rest")
            return answer

        for _ in range(HOPS):
            answer = await self._within_limits(once, "rest")
            if answer.status_code not in REDIRECTS:
                return answer
            path = self._new_place(repository, call, parts, answer)
        raise HttpError(SYSTEM, f"{repository} is sent round in circles by GitHub", retryable=False)

    def _new_place(
        self, repository: str, call: Call, parts: Mapping[str, str | int], answer: httpx.Response
    ) -> str:
        """The path that a redirect leads to, below our own address. Raises where it leads away from there."""
        try:
            place = self._base.join(answer.headers.get("Location", ""))
        except httpx.InvalidURL:
            place = httpx.URL("")
        ours = (place.scheme, place.host, place.port) == (
            self._base.scheme,
            self._base.host,
            self._base.port,
        )
        below, path = (
            self._base.raw_path.decode().rstrip("/"),
            place.raw_path.decode().partition("?")[0],
        )
        if not ours or not answer.headers.get("Location") or not path.startswith(f"{below}/"):
            text = f"{repository} was renamed or moved to another server: name it anew in the catalogue (`repository`)"
            raise HttpError(SYSTEM, text, retryable=False, status=answer.status_code)
        path = path.removeprefix(below)
        rest = filled(call, repository, parts).removeprefix(_root(repository))
        if path.endswith(rest) and repository not in self._moved:
            self._moved[repository] = path.removesuffix(rest)
            log.warning("%s was renamed or moved: name it anew in the catalogue", repository)
        return path

    async def _within_limits(self, once: Callable[[], Awaitable[T]], dispatcher: Dispatcher) -> T:
        """What is refused because of them has done nothing, and is asked again by whoever can wait so long."""
        while True:
            try:
                self._may_send(dispatcher)
                return await once()
            except HttpError as error:
                if not (error.limited and await waited(error.retry_after)):
                    raise

    def _may_send(self, dispatcher: Dispatcher) -> None:
        left = self._wait_until[dispatcher] - time.monotonic()
        if left > 0:
            raise HttpError(
                SYSTEM, _slowly(left), retryable=True, retry_after=left, sent=False, limited=True
            )

    def _refuse_limits(
        self, answer: httpx.Response, permission: str, dispatcher: Dispatcher
    ) -> None:
        if answer.status_code not in (403, 429):
            return
        said = _said(answer)
        if answer.status_code == 429 or _limited(answer.headers) or "rate limit" in said.lower():
            raise self._slow_down(answer, dispatcher)
        raise HttpError(
            SYSTEM, redact(forbidden(permission, said)), retryable=False, status=403, said=said
        )

    def _slow_down(self, answer: httpx.Response, dispatcher: Dispatcher) -> HttpError:
        wait = retry_after(answer.headers)
        reset = answer.headers.get("X-RateLimit-Reset", "")
        used_up = answer.headers.get("X-RateLimit-Remaining") == "0"
        if wait is None and used_up and reset.isdecimal():
            wait = min(max(float(reset) - datetime.now(UTC).timestamp(), 1.0), 3600.0)
        wait = SECONDARY_SECONDS if wait is None else wait
        doors: tuple[Dispatcher, ...] = (dispatcher,) if used_up else ("rest", "graphql")
        for one in doors:
            self._wait_until[one] = max(self._wait_until[one], time.monotonic() + wait)
        log.warning("GitHub asks us to slow down for %.0f s", wait)
        count_limited(SYSTEM)
        text = _slowly(wait)
        return HttpError(
            SYSTEM, text, retryable=True, retry_after=wait, status=answer.status_code, limited=True
        )


def _slowly(seconds: float) -> str:
    """In the words of whoever waits for it."""
    how_long = f" for {-(-seconds // 60):.0f} min" if seconds > 90 else ""
    return f"GitHub asks us to slow down{how_long}"


def _root(repository: str) -> str:
    owner, _, name = repository.partition("/")
    return f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"


def graphql_url(api_url: str) -> str:
    """https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql: beside `/api/v3`."""
    base = api_url.rstrip("/")
    return f"{base.removesuffix('/v3')}/graphql"


def filled(call: Call, repository: str, parts: Mapping[str, str | int]) -> str:
    """The path of a call. Raises `PortError` for a part that would lead to another path."""
    owner, _, name = repository.partition("/")
    path = call.whole_path
    for key, value in {"owner": owner, "repo": name, **parts}.items():
        text = str(value)
        if any(step in ("", ".", "..") for step in text.split("/")) or not text.isprintable():
            raise PortError(
                SYSTEM, f"{text[:80]!r} is nothing that can be asked for", retryable=False
            )
        path = path.replace(f"{{{key}}}", quote(text, safe="/" if key in ("path", "ref") else ""))
    return path


def read(model: type[S], value: Any) -> S:
    """An answer as its shape; raises a retryable `HttpError` for one that does not fit."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        text = f"GitHub's answer has not the shape that its documentation gives ({model.__name__}: {where})"
        raise HttpError(SYSTEM, text, retryable=True) from error


def _limited(headers: Mapping[str, str]) -> bool:
    return "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"


def _said(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    said = body.get("message") if isinstance(body, dict) else None
    return " ".join(str(said or "").split())[:200]
