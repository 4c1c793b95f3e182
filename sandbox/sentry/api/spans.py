"""Rows and series of requests: the data sets `spans` and, in an older Sentry, `transactions`.

Of https://github.com/getsentry/sentry: src/sentry/snuba/rpc_dataset_common.py
(`validate_granularity`, `process_timeseries_list`) and
src/sentry/api/endpoints/organization_events_timeseries.py (`serialize_timeseries`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import QueryParams

from sandbox.sentry.api.discover import INGESTION_DELAY, buckets, usual_interval
from sandbox.sentry.api.paging import asked_places
from sandbox.sentry.search import InvalidQuery, Matcher, seconds
from sandbox.sentry.state import Sentry
from sandbox.sentry.traces import Traced, read
from sandbox.wire import Json

GRANULARITIES = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 43200, 86400)
"""VALID_GRANULARITIES and MAX_ROLLUP_POINTS of src/sentry/search/eap/constants.py."""
MOST_POINTS = 2016
COUNTS = re.compile(r"count\((?:span\.duration)?\)|count_sample\((?:span\.duration)?\)")
CONFIDENT = 100
"""About so many samples Sentry calls an extrapolated value sure."""
KEYS = {"is_transaction", "event.type", "transaction", "span.description", "span.op"} | {
    "transaction.op",
    "release",
    "environment",
}


def interval(params: QueryParams, span: float) -> int:
    """Return the seconds of a bucket. One that is longer than the span gives way to the usual one.

    `get_rollup` of src/sentry/api/bases/organization_events.py
    """
    asked = seconds(params["interval"]) if params.get("interval") else usual_interval(span)
    chosen = usual_interval(span) if asked > span else asked
    if span / chosen > MOST_POINTS:
        raise InvalidQuery("Selected interval would create too many buckets for the timeseries")
    if chosen not in GRANULARITIES:
        allowed = sorted(GRANULARITIES)
        raise InvalidQuery(f"Selected interval is not allowed, allowed intervals are: {allowed}")
    return chosen


def timeseries(
    sentry: Sentry, params: QueryParams, axes: Sequence[str], *, start: float, end: float
) -> list[Json]:
    """Return the `timeSeries`: one an axis, each point with its samples.

    Raises:
        InvalidQuery
    """
    environments, projects = asked_places(sentry, params)
    matches = Matcher(params.get("query", ""), read, now=sentry.clock())
    if unknown := matches.keys() - KEYS:
        raise InvalidQuery(f"Could not parse {min(unknown)}")

    def asked(request: Traced) -> bool:
        here = not environments or request.environment in environments
        return here and request.project_id in projects and matches(request)

    step = interval(params, end - start)
    start, end = int(start), int(end)  # sent to the store in whole seconds: `update_timestamps`
    complete = sentry.clock() - INGESTION_DELAY - step
    answers: list[Json] = []
    for axis in axes:
        if COUNTS.fullmatch(axis) is None:
            raise InvalidQuery(f"Unknown function {axis.partition('(')[0]}")
        values: list[Json] = []
        for bucket in buckets(start, end, step):
            requests, sampled = sentry.traces.counted(
                max(bucket, start), min(bucket + step, end), asked
            )
            value = sampled if axis.startswith("count_sample") else requests
            row: Json = {"timestamp": bucket * 1000, "value": value, "incomplete": False}
            if bucket >= complete:
                row |= {"incomplete": True, "incompleteReason": "INCOMPLETE_BUCKET"}
            sure = "high" if sampled >= CONFIDENT or sampled == requests else "low"
            row |= {
                "sampleCount": sampled,
                "sampleRate": sampled / requests if requests else None,
                "confidence": sure if sampled else None,
            }
            values.append(row)
        meta = {"valueType": "integer", "valueUnit": None, "interval": step * 1000}
        answers.append({"values": values, "yAxis": axis, "meta": meta | {"dataScanned": "full"}})
    return answers
