"""Calls of Sentry's API: their scopes, and the parts of a request that several read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sandbox.sentry.api.paging import Missing
from sandbox.sentry.models import Issue
from sandbox.sentry.search import InvalidQuery
from sandbox.sentry.state import Sentry
from sandbox.wire import Json

READ_EVENTS = frozenset({"event:read", "event:write", "event:admin"})
WRITE_EVENTS = frozenset({"event:write", "event:admin"})
READ_RELEASES = frozenset({"project:read", "project:write", "project:releases", "org:ci"})
WRITE_RELEASES = frozenset({"project:write", "project:admin", "project:releases", "org:ci"})
READ_PROJECTS = frozenset({"org:read", "project:read", "org:write", "org:admin"})


@dataclass(frozen=True, slots=True)
class Call:
    """One path of the API. Any one of `scopes` is enough; `name` is what faults call it."""

    name: str
    method: str
    path: str
    scopes: frozenset[str]
    answer: Callable[[Sentry, Request], Awaitable[Response]]
    discover: bool = False
    """Not there on plans without Discover."""


def asked_issue(sentry: Sentry, request: Request) -> Issue:
    """Return the issue of the path, named by its number or its short id. Raises `Missing`."""
    name = request.path_params["issue"]
    issue = sentry.issues.get(int(name)) if name.isdigit() else sentry.by_short_id(name)
    if issue is None:
        raise Missing
    return issue


async def json_body(request: Request) -> Json:
    """Raises `InvalidQuery` where it is no JSON object."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as wrong:
        raise InvalidQuery(f"JSON parse error - {wrong}") from wrong
    if not isinstance(body, dict):
        raise InvalidQuery("Invalid data. Expected a dictionary.")
    return body
