"""Rows and series over events: what `events/`, `events-timeseries/` and `events-stats/` answer.

https://docs.sentry.io/api/explore/query-explore-events-in-table-format/
sentry/api/endpoints/organization_events_timeseries.py of https://github.com/getsentry/sentry
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from sandbox.sentry.events import Event, exceptions
from sandbox.sentry.models import Issue
from sandbox.sentry.search import InvalidQuery, Value
from sandbox.sentry.state import Sentry
from sandbox.wire import Json

FUNCTION = re.compile(r"(count|count_unique|min|max|last_seen|first_seen|epm|eps)\(([^()]*)\)")

MAX_FIELDS = 20

INGESTION_DELAY = 90
"""Seconds until a bucket is complete after its end: api/endpoints/timeseries.py."""

EMPTY_WHEN_MISSING = ("transaction", "title", "message", "culprit")


def _display(event: Event, _: Issue) -> str | None:
    keys = ("email", "username", "id", "ip_address")
    return next((event.user[key] for key in keys if key in event.user), None)


READS: dict[str, Callable[[Event, Issue], Value]] = {
    "id": lambda event, _: event.id,
    "timestamp": lambda event, _: event.timestamp,
    "title": lambda event, _: event.title,
    "message": lambda event, _: event.value or event.title,
    "issue": lambda _, issue: issue.short_id,
    "issue.id": lambda _, issue: str(issue.id),
    "group.id": lambda _, issue: str(issue.id),
    "project": lambda _, issue: issue.project.slug,
    "project.name": lambda _, issue: issue.project.slug,
    "project.id": lambda _, issue: str(issue.project.id),
    "project_id": lambda _, issue: str(issue.project.id),
    "event.type": lambda event, _: "error" if event.type else "default",
    "user.id": lambda event, _: event.user.get("id"),
    "user.email": lambda event, _: event.user.get("email"),
    "user.username": lambda event, _: event.user.get("username"),
    "user.ip": lambda event, _: event.user.get("ip_address"),
    "user.display": _display,
    "error.type": lambda event, _: [str(v.get("type") or "") for v in exceptions(event.payload)],
    "error.value": lambda event, _: [str(v.get("value") or "") for v in exceptions(event.payload)],
    "error.handled": lambda event, _: "1" if event.handled else "0",
    "error.unhandled": lambda event, _: "0" if event.handled else "1",
    "stack.function": lambda event, _: str(event.frame.get("function") or ""),
    "stack.filename": lambda event, _: str(event.frame.get("filename") or ""),
    "stack.module": lambda event, _: str(event.frame.get("module") or ""),
    "platform": lambda event, _: str(event.payload.get("platform") or "other"),
}
"""What an event is asked for by name; all else is a flag or a tag."""


def reader(sentry: Sentry) -> Callable[[Event, str], Value]:
    """Return the function with which a search reads an event."""
    of_key = reading(sentry)
    return lambda event, key: of_key(key)(event)


def reading(sentry: Sentry) -> Callable[[str], Callable[[Event], Value]]:
    """Return, by key, the function that reads it of an event: one key is read of thousands."""
    issues = sentry.issues

    @cache
    def of_key(key: str) -> Callable[[Event], Value]:
        known = READS.get(key)
        if known is not None:
            return lambda event: known(event, issues[event.issue_id])
        if key.startswith("flags["):
            name = key[6:-1].strip('"')
            return lambda event: event.flags.get(name)
        return lambda event: event.tags.get(key)

    return of_key


def field_value(read: Callable[[Event, str], Value], event: Event, name: str) -> Any:
    tag = _tag(name)
    value = event.tags.get(tag) if tag else read(event, name)
    if name == "timestamp":
        return utc(event.timestamp)
    if name in ("issue.id", "group.id", "project.id", "project_id"):
        return int(str(value))
    if name in ("error.handled", "error.unhandled"):
        return int(str(value))
    if value is None and name in EMPTY_WHEN_MISSING:
        return ""
    return value


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


@lru_cache
def _parsed_function(function: str) -> tuple[str, str]:
    """`count_unique(user)` → ("count_unique", "user")."""
    match = FUNCTION.fullmatch(function)
    if match is None:
        raise InvalidQuery(f"{function} is not a valid function")
    return match[1], match[2].strip()


@lru_cache
def _tag(name: str) -> str | None:
    match = re.fullmatch(r"tags\[(.+)\]", name)
    return match[1] if match else None


def aggregate(
    read: Callable[[Event, str], Value], events: Sequence[Event], function: str, span: float
) -> Any:
    """The value of `count()`, `count_unique(user)`, `min(timestamp)`, … over these events."""
    name, argument = _parsed_function(function)
    match name:
        case "count":
            return len(events)
        case "epm":
            return len(events) / (span / 60) if span else 0
        case "eps":
            return len(events) / span if span else 0
        case "count_unique":
            if not argument:
                raise InvalidQuery("count_unique() needs a column")
            values = (field_value(read, event, argument) for event in events)
            return len({str(value) for value in values if value not in (None, "")})
        case "last_seen" | "first_seen":
            argument, name = "timestamp", "max" if name == "last_seen" else "min"
    if argument != "timestamp":
        raise InvalidQuery(f"{function}: only timestamp is supported here")
    if not events:
        return None
    times = [event.timestamp for event in events]
    return utc(max(times) if name == "max" else min(times))


def field_type(name: str) -> str:
    if (
        name == "timestamp"
        or name.endswith("(timestamp)")
        or name in ("last_seen()", "first_seen()")
    ):
        return "date"
    if name.startswith(("count", "issue.id", "project.id")):
        return "integer"
    if name.startswith(("epm", "eps")):
        return "rate"
    return "array" if name in ("error.type", "error.value") else "string"


def table(
    sentry: Sentry,
    events: Sequence[Event],
    fields: Sequence[str],
    sort: Sequence[str],
    *,
    span: float,
) -> list[Json]:
    """The rows of `events/`: one an event, or one a group when a function is among the fields.

    Raises:
        InvalidQuery
    """
    if not fields:
        raise InvalidQuery("No columns selected")
    if len(fields) > MAX_FIELDS:
        raise InvalidQuery(
            f"You can view up to {MAX_FIELDS} fields at a time. Please delete some and try again."
        )
    read = reader(sentry)
    functions = [name for name in fields if "(" in name]
    columns = [name for name in fields if "(" not in name]
    if "issue" in columns and "issue.id" not in columns:
        columns.append("issue.id")
    if functions:
        rows = [
            dict(zip(columns, key, strict=True))
            | {name: aggregate(read, group, name, span) for name in functions}
            for key, group in grouped(read, events, columns, alone=not columns)
        ]
    else:
        rows = [
            {name: field_value(read, event, name) for name in [*columns, "id", "project.name"]}
            for event in events
        ]
    ordered(rows, sort, [*fields, *columns])
    return rows


def grouped(
    read: Callable[[Event, str], Value],
    events: Sequence[Event],
    columns: Sequence[str],
    *,
    alone: bool,
) -> list[tuple[tuple[Any, ...], list[Event]]]:
    """Events by the values of `columns`; `alone`: one group even when there are no events."""
    groups: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in events:
        values = (field_value(read, event, name) for name in columns)
        groups[
            tuple(tuple(value) if isinstance(value, list) else value for value in values)
        ].append(event)
    if alone and not groups:
        groups[()] = []
    return list(groups.items())


def ordered(rows: list[Json], sort: Sequence[str], fields: Sequence[str]) -> None:
    aliases = {alias(name): name for name in fields}
    for order in reversed(sort or default_sort(fields)):
        name = order.lstrip("-")
        if name not in fields and name not in aliases:
            raise InvalidQuery("Cannot sort by a field that is not selected.")
        rows.sort(key=_sort_key(aliases.get(name, name)), reverse=order.startswith("-"))


def _sort_key(name: str) -> Callable[[Json], tuple[bool, Any]]:
    return lambda row: _comparable(row[name])


def _comparable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if isinstance(value, int | float) else str(value))


def default_sort(fields: Sequence[str]) -> list[str]:
    return (
        ["-timestamp"] if "timestamp" in fields and not any("(" in name for name in fields) else []
    )


def alias(name: str) -> str:
    """`count_unique(user)` → `count_unique_user`, which `sort` takes, too."""
    return re.sub(r"\W+", "_", name).strip("_")


def meta(fields: Sequence[str]) -> Json:
    names = (
        [*fields, "issue.id"] if "issue" in fields and "issue.id" not in fields else list(fields)
    )
    return {
        "fields": {name: field_type(name) for name in names},
        "units": dict.fromkeys(names),
        "isMetricsData": False,
        "isMetricsExtractedData": False,
        "tips": {"query": None, "columns": None},
        "datasetReason": "unchanged",
        "dataset": "errors",
    }


def usual_interval(span: float) -> int:
    """Return the usual seconds of a bucket: get_interval_from_range in sentry/utils/dates.py."""
    hour, day = 3600, 86_400
    for longest, interval in ((hour, 60), (day, 300), (14 * day, 1800), (30 * day, hour)):
        if span <= longest:
            return interval
    return 4 * hour


def buckets(start: float, end: float, interval: int) -> list[int]:
    return list(range(int(start // interval * interval), int(-(-end // 1)), interval))


def series(
    sentry: Sentry, events: Sequence[Event], axis: str, *, start: float, end: float, interval: int
) -> list[tuple[int, Any]]:
    """(start of the bucket in seconds, value), zero-filled."""
    read = reader(sentry)
    by_bucket: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_bucket[int(event.timestamp // interval * interval)].append(event)
    nothing = aggregate(read, [], axis, interval) or 0
    values = {
        bucket: aggregate(read, inside, axis, interval) or 0 for bucket, inside in by_bucket.items()
    }
    return [(bucket, values.get(bucket, nothing)) for bucket in buckets(start, end, interval)]


def timeseries(
    sentry: Sentry,
    events: Sequence[Event],
    axes: Sequence[str],
    *,
    start: float,
    end: float,
    interval: int,
) -> list[Json]:
    """Return the `timeSeries` of `events-timeseries/`: one an axis."""

    complete = sentry.clock() - INGESTION_DELAY - interval

    def along(axis: str) -> Json:
        values = []
        for bucket, value in series(sentry, events, axis, start=start, end=end, interval=interval):
            row: Json = {"timestamp": bucket * 1000, "value": value, "incomplete": False}
            if bucket >= complete:
                row |= {"incomplete": True, "incompleteReason": "INCOMPLETE_BUCKET"}
            values.append(row)
        meta = {
            "valueType": field_type(axis),
            "valueUnit": None,
            "interval": interval * 1000,
            "dataScanned": "partial" if sentry.sampled else "full",
        }
        return {"values": values, "yAxis": axis, "meta": meta}

    return [along(axis) for axis in axes]
