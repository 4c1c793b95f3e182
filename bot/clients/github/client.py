"""GitHub: one way to its REST API and one to GraphQL, and polling by ETag.

https://docs.github.com/en/rest. The calls are listed in `endpoints.py`; limits and errors are in
`http.py`. The deployer and the source code stand on this.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from bot.clients.github.endpoints import REPOSITORY, Call
from bot.clients.github.http import REDIRECTS, SYSTEM, GraphQL, Rest
from bot.clients.github.models import Repository
from bot.clients.http.client import adapter, place_of
from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

PAGE = 100
REMEMBERED = 200
"""Answers kept with their ETag."""
BRANCH_SECONDS = 600.0
PAGES = 5
"""Of a list that goes on and on no more is read."""
HOPS = 3

S = TypeVar("S")


class GitHub:
    """Raises `HttpError` (a `PortError`). While GitHub wants us to wait nothing is sent: who can wait does (`patience.py`), others hear it at once.

    A renamed repository is followed to where it is now, on the same host alone; nothing else that an answer names is called.
    """

    def __init__(self, api_url: str, token: str) -> None:
        wait_until: dict[str, float] = {}
        self._rest = Rest(api_url, token, wait_until)
        self._graphql = GraphQL(graphql_url(api_url), token, wait_until)
        self._etags: OrderedDict[tuple[str, str], tuple[str, Any, bool | None]] = OrderedDict()
        self._branches: dict[str, tuple[float, str]] = {}
        self._base = httpx.URL(api_url.rstrip("/"))
        self._moved: dict[str, str] = {}
        """Where the repositories are now that were renamed, as GitHub's redirects name it."""

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
        """Return `data`. Raises where there is none."""
        answer = await self._graphql.request(
            "POST",
            "",
            json={"query": document, "variables": dict(variables)},
            scope=permission,
            repeatable=not document.lstrip().startswith("mutation"),
        )
        return self._graphql.json(answer)["data"]

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

        for _ in range(HOPS):
            answer = await self._rest.request(
                call.method,
                path,
                params=params,
                json=dict(json) if json is not None else None,
                headers=headers,
                scope=call.permission,
                repeatable=repeatable,
            )
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


def read(shape: type[S], value: Any) -> S:
    """Return an answer as its shape. Raises a retryable `HttpError` for one that does not fit."""
    try:
        return adapter(shape).validate_python(value)
    except ValidationError as error:
        where = f"{shape.__name__}: {place_of(error)}"
        text = f"GitHub's answer has not the shape that its documentation gives ({where})"
        raise HttpError(SYSTEM, text, retryable=True) from error
