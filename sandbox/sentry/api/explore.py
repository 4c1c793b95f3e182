"""Rows and series of events, and the list of projects.

https://docs.sentry.io/api/explore/query-explore-events-in-table-format/
https://docs.sentry.io/api/explore/query-explore-events-in-timeseries-format/
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.sentry.api import discover, projects
from sandbox.sentry.api.call import READ_EVENTS, READ_PROJECTS, Call
from sandbox.sentry.api.paging import asked_events, page, paged, window
from sandbox.sentry.events import Event, iso
from sandbox.sentry.search import InvalidQuery, Matcher, seconds
from sandbox.sentry.state import Sentry

DATASETS = (
    "errors",
    "discover",
    "issuePlatform",
    "logs",
    "ourlogs",
    "spans",
    "transactions",
    "tracemetrics",
)

MAX_POINTS = 10_000


def listed(params: QueryParams, name: str) -> list[str]:
    """A repeated parameter; also in its `name[]` spelling."""
    return [*params.getlist(name), *params.getlist(f"{name}[]")]


def _found(sentry: Sentry, params: QueryParams, start: float, end: float) -> list[Event]:
    """The asked errors; the other datasets are empty here."""
    dataset = params.get("dataset", "discover")
    if dataset not in DATASETS:
        raise InvalidQuery(f"dataset must be one of: {', '.join(DATASETS)}")
    matches = Matcher(params.get("query", ""), discover.reader(sentry), now=sentry.clock())
    if dataset not in ("errors", "discover"):
        return []
    found = asked_events(sentry, params, start, end)
    return [event for event in found if event.kind == ("error", "error") and matches(event)]


async def list_events(sentry: Sentry, request: Request) -> Response:
    params = request.query_params
    start, end = window(params, sentry.clock(), "90d")
    fields = listed(params, "field")
    events = _found(sentry, params, start, end)
    rows = discover.table(sentry, events, fields, listed(params, "sort"), span=end - start)
    found, headers = page(request, rows)
    meta = discover.meta(fields) | {"dataScanned": "partial" if sentry.sampled else "full"}
    return JSONResponse({"data": found, "meta": meta}, headers=headers)


async def show_timeseries(sentry: Sentry, request: Request) -> Response:
    params = request.query_params
    if "dataset" not in params:
        raise InvalidQuery(f"dataset must be one of: {', '.join(DATASETS)}")
    start, end = window(params, sentry.clock(), "90d")
    top = params.get("topEvents")
    if top is not None and not (top.isdigit() and 1 <= int(top) <= 10):
        raise InvalidQuery("topEvents needs to be at least 1 and at most 10")
    values = discover.timeseries(
        sentry,
        _found(sentry, params, start, end),
        listed(params, "yAxis") or ["count()"],
        start=start,
        end=end,
        interval=_interval(params, end - start),
        group_by=listed(params, "groupBy"),
        top=int(top or 0),
        exclude_other=params.get("excludeOther") == "1",
    )
    meta = {"dataset": params["dataset"], "start": start * 1000, "end": end * 1000}
    return JSONResponse({"timeSeries": values, "meta": meta})


async def show_stats(sentry: Sentry, request: Request) -> Response:
    """`events-stats/`: the older form, with seconds; several axes give an object by axis."""
    params = request.query_params
    start, end = window(params, sentry.clock(), "90d")
    events = _found(sentry, params, start, end)
    interval = _interval(params, end - start)
    axes = listed(params, "yAxis") or ["count()"]

    def one(axis: str, order: int) -> dict[str, Any]:
        points = discover.series(sentry, events, axis, start=start, end=end, interval=interval)
        return {
            "data": [[bucket, [{"count": value}]] for bucket, value in points],
            "start": int(start),
            "end": int(end),
            "order": order,
            "isMetricsData": False,
            "isMetricsExtractedData": False,
            "meta": discover.meta([axis]),
        }

    if len(axes) == 1:
        return JSONResponse(one(axes[0], 0))
    return JSONResponse({axis: one(axis, order) for order, axis in enumerate(axes)})


def _interval(params: QueryParams, span: float) -> int:
    interval = (
        seconds(params["interval"]) if params.get("interval") else discover.usual_interval(span)
    )
    if span / interval > MAX_POINTS:
        raise InvalidQuery("Your interval and date range would create too many results.")
    return interval


async def list_projects(sentry: Sentry, request: Request) -> Response:
    rows = sorted(sentry.projects.values(), key=lambda project: project.slug)

    def shape(project: Any) -> dict[str, Any]:
        made = {"dateCreated": iso(project.created), "status": "active"}
        return projects.project_row(project) | made

    return paged(request, rows, shape)


CALLS = (
    Call("events", "GET", "events/", READ_EVENTS, list_events, discover=True),
    Call("timeseries", "GET", "events-timeseries/", READ_EVENTS, show_timeseries, discover=True),
    Call("timeseries", "GET", "events-stats/", READ_EVENTS, show_stats, discover=True),
    Call("projects", "GET", "projects/", READ_PROJECTS, list_projects),
)
