"""GitHub: one way to its REST API and one to GraphQL, and polling by ETag.

https://docs.github.com/en/rest. The calls are listed in `endpoints.py`; limits and errors are in
`http.py`. The deployer and the source code stand on this.
"""

import logging
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from bot.clients.cache import Cache
from bot.clients.github.endpoints import REPOSITORY, TAGS, Call
from bot.clients.github.http import REDIRECTS, SYSTEM, GraphQL, Rest
from bot.clients.github.models import Repository, Tag
from bot.clients.http.client import adapter, place_of, with_query
from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

PAGE = 100
ANSWERS_KEPT = 200
"""Answers kept with their ETag."""
PAGES_MOST = 5
"""Of a list that goes on and on no more is read."""
HOPS = 3
TAG_PAGES = 3
TAGS_LISTED = TAG_PAGES * PAGE

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call, with what is filled into its path and its query."""

    call: Call
    repository: str
    params: Mapping[str, Any] | None = None
    parts: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])

    @property
    def path(self) -> str:
        return filled(self.call, self.repository, self.parts)


class GitHub:
    """Methods raise `HttpError` (a `PortError`).

    A renamed repository is followed to its new place, on the same host alone. Nothing else that an
    answer names is called.
    """

    def __init__(self, api_url: str, token: str) -> None:
        wait_until: dict[str, float] = {}
        self._rest = Rest(api_url, token, wait_until)
        self._graphql = GraphQL(graphql_url(api_url), token, wait_until)
        self._etags = Cache[tuple[str, str], tuple[str, Any, bool | None]](most=ANSWERS_KEPT)
        self._base = httpx.URL(api_url.rstrip("/"))
        self._moved: dict[str, str] = {}
        """The new places of renamed repositories, as GitHub's redirects name them."""

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
        """Return the answer's JSON."""
        return self._rest.json(await self._send(_Asked(call, repository, params, parts)))

    async def polled(
        self,
        call: Call,
        repository: str,
        params: Mapping[str, Any] | None = None,
        **parts: str | int,
    ) -> Any:
        """Return as `get`. Where nothing changed GitHub answers 304, which is free of the limit.

        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
        """
        return (await self._polled(_Asked(call, repository, params, parts)))[0]

    async def _polled(self, asked: _Asked) -> tuple[Any, bool | None]:
        """Return the answer's JSON, and whether a next page is there; None: no `Link` says so."""
        key = (asked.path, repr(sorted((asked.params or {}).items())))
        known = self._etags.get(key)
        headers = {"If-None-Match": known[0]} if known else None
        answer = await self._send(asked, headers=headers)
        if answer.status_code == 304 and known is not None:
            return known[1], known[2]
        body = self._rest.json(answer)
        goes_on = "next" in answer.links if "Link" in answer.headers else None
        if etag := answer.headers.get("ETag"):
            self._etags[key] = (etag, body, goes_on)
        return body, goes_on

    async def pages(
        self,
        call: Call,
        repository: str,
        params: Mapping[str, Any] | None = None,
        *,
        most: int = PAGES_MOST,
    ) -> list[Any]:
        """Return the rows of a list, page by page as `Link` says that it goes on.

        https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
        """
        rows: list[Any] = []
        for page in range(1, most + 1):
            paged = {**(params or {}), "per_page": PAGE, "page": page}
            listed, goes_on = await self._polled(_Asked(call, repository, paged))
            rows += listed if isinstance(listed, list) else []
            if not (goes_on if goes_on is not None else len(listed) >= PAGE):
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
        """Return the answer's JSON, or None where it has none (204).

        It is sent again after a fault only where that is harmless (`repeatable`).
        """
        asked = _Asked(call, repository, parts=parts)
        answer = await self._send(asked, json=json, repeatable=repeatable)
        return self._rest.json(answer) if answer.content else None

    async def about(self, repository: str) -> Repository:
        return read(Repository, await self.polled(REPOSITORY, repository))

    async def tags(self, repository: str) -> dict[str, str]:
        """Return the tags with their commits, the highest first: GitHub does not list them by date.

        There may be more of them where there are `TAGS_LISTED`.
        """
        rows = await self.pages(TAGS, repository, most=TAG_PAGES)
        tags = {tag.name: tag.commit.sha for tag in read(list[Tag], rows)}
        return {name: tags[name] for name in sorted(tags, key=_natural, reverse=True)}

    async def default_branch(self, repository: str) -> str:
        """Return the branch whose workflow files run. It is not remembered: it may be renamed."""
        return (await self.about(repository)).default_branch

    async def graphql(
        self, shape: type[S], document: str, variables: Mapping[str, Any], *, permission: str
    ) -> S:
        """Return `data` as its shape. Raises where there is none, or it does not fit."""
        answer = await self._graphql.request(
            "POST",
            "",
            json={"query": document, "variables": dict(variables)},
            scope=permission,
            repeatable=not document.lstrip().startswith("mutation"),
        )
        return read(shape, self._graphql.json(answer)["data"])

    # --- one request ------------------------------------------------------------------------------

    async def _send(
        self,
        asked: _Asked,
        *,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> httpx.Response:
        path, repository = asked.path, asked.repository
        if repository in self._moved:
            path = self._moved[repository] + path.removeprefix(_root(repository))

        for _ in range(HOPS):
            answer = await self._rest.request(
                asked.call.method,
                with_query(path, asked.params),
                json=dict(json) if json is not None else None,
                headers=headers,
                scope=asked.call.permission,
                repeatable=repeatable,
            )
            if answer.status_code not in REDIRECTS:
                return answer
            path = self._new_place(asked, answer)
        raise HttpError(SYSTEM, f"{repository} is sent round in circles by GitHub")

    def _new_place(self, asked: _Asked, answer: httpx.Response) -> str:
        """Return the path that a redirect leads to. Raises where it is not below our address."""
        repository = asked.repository
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
            text = f"{repository} was renamed or moved to another server"
            text += ": name it anew in the catalogue (`repository`)"
            raise HttpError(SYSTEM, text, status=answer.status_code)
        path = path.removeprefix(below)
        rest = asked.path.removeprefix(_root(repository))
        if path.endswith(rest) and repository not in self._moved:
            self._moved[repository] = path.removesuffix(rest)
            log.warning("%s was renamed or moved: name it anew in the catalogue", repository)
        return path


async def or_none(answer: Awaitable[Any], *absent: int) -> Any:
    """Return an answer, or None where its status is one of `absent` (404 where none is named)."""
    try:
        return await answer
    except HttpError as error:
        if error.limited or error.status not in (absent or (404,)):
            raise
        return None


def _root(repository: str) -> str:
    owner, _, name = repository.partition("/")
    return f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts 1.10 after 1.9."""
    return [(1, int(w), "") if w.isdecimal() else (0, 0, w) for w in re.split(r"(\d+)", name)]


def graphql_url(api_url: str) -> str:
    """Return the address of GraphQL; on an Enterprise Server it is beside `/api/v3`.

    https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql
    """
    base = api_url.rstrip("/")
    return f"{base.removesuffix('/v3')}/graphql"


def may_be_asked(text: str) -> bool:
    """Return whether a name may be filled into a path. One that leads elsewhere may not."""
    steps = text.split("/")
    return text.isprintable() and not any(step in ("", ".", "..") for step in steps)


def filled(call: Call, repository: str, parts: Mapping[str, str | int]) -> str:
    """Return the path of a call. Raises `PortError` for a part that leads to another path."""
    owner, _, name = repository.partition("/")
    path = call.whole_path
    for key, value in {"owner": owner, "repo": name, **parts}.items():
        text = str(value)
        if not may_be_asked(text):
            raise PortError(SYSTEM, f"{text[:80]!r} is nothing that can be asked for")
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
