"""Rows and series of events, and the list of projects.

https://docs.sentry.io/api/explore/query-explore-events-in-table-format/
https://docs.sentry.io/api/explore/query-explore-events-in-timeseries-format/
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.sentry import shapes
from sandbox.sentry.api import discover, spans
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


def _errors(sentry: Sentry, params: QueryParams, start: float, end: float) -> list[Event]:
    """Return the errors that are asked for; the other datasets are empty here."""
    dataset = params.get("dataset", "discover")
    if dataset not in DATASETS:
        raise InvalidQuery(f"dataset must be one of: {', '.join(DATASETS)}")
    matches = Matcher(
        params.get("query", ""),
        discover.reader(sentry),
        now=sentry.clock(),
        reading=discover.reading(sentry),
    )
    if dataset not in ("errors", "discover"):
        return []
    events = asked_events(sentry, params, start, end)
    return [event for event in events if event.kind == ("error", "error") and matches(event)]


async def list_events(sentry: Sentry, request: Request) -> Response:
    params = request.query_params
    start, end = window(params, sentry.clock(), "90d")
    fields = listed(params, "field")
    events = _errors(sentry, params, start, end)
    rows = discover.table(sentry, events, fields, listed(params, "sort"), span=end - start)
    shown, headers = page(request, rows)
    meta = discover.meta(fields) | {"dataScanned": "partial" if sentry.sampled else "full"}
    return JSONResponse({"data": shown, "meta": meta}, headers=headers)


async def show_timeseries(sentry: Sentry, request: Request) -> Response:
    params = request.query_params
    if "dataset" not in params:
        raise InvalidQuery(f"dataset must be one of: {', '.join(DATASETS)}")
    start, end = window(params, sentry.clock(), "90d")
    meta = {"dataset": params["dataset"], "start": start * 1000, "end": end * 1000}
    axes = listed(params, "yAxis") or ["count()"]
    if params["dataset"] == "spans" and not sentry.spans:
        raise InvalidQuery(f"dataset must be one of: {', '.join(DATASETS)}")
    if params["dataset"] == ("spans" if sentry.spans else "transactions"):
        series = spans.timeseries(sentry, params, axes, start=start, end=end)
        return JSONResponse({"timeSeries": series, "meta": meta})
    values = discover.timeseries(
        sentry,
        _errors(sentry, params, start, end),
        axes,
        start=start,
        end=end,
        interval=_interval(params, end - start),
    )
    return JSONResponse({"timeSeries": values, "meta": meta})


async def show_stats(sentry: Sentry, request: Request) -> Response:
    """The older form of a series, with seconds. Only one axis is known here."""
    params = request.query_params
    start, end = window(params, sentry.clock(), "90d")
    axis = params.get("yAxis") or "count()"
    points = discover.series(
        sentry,
        _errors(sentry, params, start, end),
        axis,
        start=start,
        end=end,
        interval=_interval(params, end - start),
    )
    return JSONResponse(
        {
            "data": [[bucket, [{"count": value}]] for bucket, value in points],
            "start": int(start),
            "end": int(end),
            "order": 0,
            "isMetricsData": False,
            "isMetricsExtractedData": False,
            "meta": discover.meta([axis]),
        }
    )


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
        return shapes.project_row(project) | made

    return paged(request, rows, shape)


CALLS = (
    Call("events", "GET", "events/", READ_EVENTS, list_events, discover=True),
    Call("timeseries", "GET", "events-timeseries/", READ_EVENTS, show_timeseries, discover=True),
    Call("timeseries", "GET", "events-stats/", READ_EVENTS, show_stats, discover=True),
    Call("projects", "GET", "projects/", READ_PROJECTS, list_projects),
)
