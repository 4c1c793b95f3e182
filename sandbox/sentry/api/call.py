"""What one call of the API is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sandbox.sentry.api.paging import Missing
from sandbox.sentry.models import Issue
from sandbox.sentry.state import Sentry

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
    """The issue of the path: by its number, or by its short id, as the real endpoint takes it too."""
    name = request.path_params["issue"]
    found = sentry.issues.get(int(name)) if name.isdigit() else sentry.by_short_id(name)
    if found is None:
        raise Missing
    return found
