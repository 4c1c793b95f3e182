"""Windows, pages and filters that most calls share.

https://docs.sentry.io/api/pagination/: `Link` with `rel`, `results="true|false"` and
`cursor="<value>:<offset>:<is previous>"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse

from sandbox.sentry.events import Event
from sandbox.sentry.search import InvalidQuery, number_or_time, seconds
from sandbox.sentry.state import Sentry

T = TypeVar("T")

MAX_PAGE = 100


class Forbidden(Exception):
    """Answered with 403: the token may not see this project, or the scope is missing."""


class Missing(Exception):
    """Answered with 404."""


def window(params: QueryParams, now: float, default: str) -> tuple[float, float]:
    """(start, end) in seconds since 1970, from `start` and `end` or `statsPeriod`.

    Raises:
        InvalidQuery
    """
    start, end = params.get("start"), params.get("end")
    if start or end:
        if not start or not end:
            raise InvalidQuery("start and end are both required")
        first, last = number_or_time(start), number_or_time(end)
        if first >= last:
            raise InvalidQuery("start must be before end")
        return first, last
    # The window is open at its end: an event whose SDK's clock is a moment ahead is still seen.
    return now - seconds(params.get("statsPeriod") or default), now + 1


def asked_projects(sentry: Sentry, params: QueryParams) -> set[int]:
    """The numeric `project` parameters; none, or -1, means every project.

    Raises:
        InvalidQuery: not a number.
        Forbidden: no such project here.
    """
    try:
        numbers = {int(value) for value in params.getlist("project")}
    except ValueError as wrong:
        raise InvalidQuery("Invalid project parameter. Values must be numbers.") from wrong
    if not numbers or numbers == {-1}:
        return {project.id for project in sentry.projects.values()}
    if any(sentry.project(number) is None for number in numbers):
        raise Forbidden
    return numbers


def asked_environments(sentry: Sentry, params: QueryParams) -> set[str]:
    """The `environment` parameters; none means every environment, an empty one events without.

    https://github.com/getsentry/sentry/blob/master/src/sentry/api/helpers/environments.py

    Raises:
        Missing: one of them was never seen.
    """
    environments = set(params.getlist("environment"))
    if not environments <= sentry.environments:
        raise Missing
    return environments


def asked_events(sentry: Sentry, params: QueryParams, start: float, end: float) -> list[Event]:
    """Return the events of the window, projects and environments that are asked for.

    Environments are checked first, as in Sentry's issues/endpoints/organization_group_index.py.

    Raises:
        InvalidQuery: several projects, and the plan has no `organizations:global-views`.
    """
    environments, projects = asked_places(sentry, params)
    return [
        event
        for event in sentry.window(start, end)
        if event.project_id in projects and (not environments or event.environment in environments)
    ]


def asked_places(sentry: Sentry, params: QueryParams) -> tuple[set[str], set[int]]:
    """Return the environments and projects that are asked for. Raises as `asked_events`."""
    environments, projects = asked_environments(sentry, params), asked_projects(sentry, params)
    if len(projects) > 1 and not sentry.several:
        raise InvalidQuery("You cannot view events from multiple projects.")
    return environments, projects


def page(request: Request, rows: Sequence[T]) -> tuple[list[T], dict[str, str]]:
    """Return the page of `rows` that is asked for, and its headers.

    Raises:
        InvalidQuery
    """
    size = page_size(request.query_params)
    offset = _offset(request.query_params)
    more = offset + size < len(rows)
    parameters = [
        (key, value) for key, value in request.query_params.multi_items() if key != "cursor"
    ]
    address = request.url.replace(query=f"{urlencode(parameters)}&" if parameters else "")
    before = f"{address}" if parameters else f"{address}?"
    links = [
        _link(before, "previous", max(offset - size, 0), back=1, results=offset > 0),
        _link(before, "next", offset + size, back=0, results=more),
    ]
    return list(rows[offset : offset + size]), {"Link": ", ".join(links), "X-Hits": str(len(rows))}


def page_size(params: QueryParams) -> int:
    asked = params.get("per_page") or params.get("limit") or str(MAX_PAGE)
    if not asked.isdigit() or not 1 <= int(asked) <= MAX_PAGE:
        raise InvalidQuery(f"Invalid per_page value. Must be between 1 and {MAX_PAGE}.")
    return int(asked)


def _offset(params: QueryParams) -> int:
    cursor = params.get("cursor")
    if not cursor:
        return 0
    parts = cursor.split(":")
    if len(parts) != 3 or not parts[1].isdigit():
        raise InvalidQuery("Invalid cursor parameter.")
    return int(parts[1])


def _link(address: str, rel: str, offset: int, *, back: int, results: bool) -> str:
    """`address` ends where the last parameter begins."""
    cursor = f"0:{offset}:{back}"
    url = f"{address}{urlencode({'cursor': cursor})}"
    return f'<{url}>; rel="{rel}"; results="{"true" if results else "false"}"; cursor="{cursor}"'


def paged(request: Request, rows: Sequence[T], shape: Any) -> JSONResponse:
    """Answer one page of `rows`, each made JSON by `shape`."""
    shown, headers = page(request, rows)
    return JSONResponse([shape(row) for row in shown], headers=headers)
