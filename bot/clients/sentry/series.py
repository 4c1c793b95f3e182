"""Series of counts: the answers of `events-timeseries/` and of the older `events-stats/`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx

from bot.clients.sentry.http import SentryHttp
from bot.clients.sentry.models import StatsShape, TimeseriesShape
from phases.ports.tracker_values import Minutes

INGESTION = timedelta(seconds=90)
"""Younger buckets may still grow (Sentry: api/endpoints/timeseries.py)."""


def of_timeseries(http: SentryHttp, answers: Mapping[str, httpx.Response]) -> Minutes:
    """Return the sum of the answers, whose times are in milliseconds."""
    series = [
        s
        for answer in answers.values()
        for s in http.read_numbers(TimeseriesShape, answer).timeSeries
    ]
    points = [p for s in series for p in s.values or ()]
    counts: dict[datetime, int] = {}
    for point in points:
        if point.value:
            at = _minute(point.timestamp / 1000)
            counts[at] = counts.get(at, 0) + int(point.value)
    return Minutes(
        counts={at: n for at, n in counts.items() if n},
        incomplete=tuple(
            dict.fromkeys(_minute(p.timestamp / 1000) for p in points if p.incomplete)
        ),
        sampled=any(s.meta is not None and s.meta.dataScanned == "partial" for s in series),
    )


def of_stats(
    http: SentryHttp, answers: Mapping[str, httpx.Response], interval: timedelta, until: datetime
) -> Minutes:
    """Return the sum of the answers, whose times are in seconds."""
    counts: dict[datetime, int] = {}
    for answer in answers.values():
        for seconds, points in http.read(StatsShape, answer).data:
            if points:
                at = _minute(seconds)
                counts[at] = counts.get(at, 0) + int(points[0].count or 0)
    return Minutes(
        counts={at: count for at, count in counts.items() if count},
        incomplete=tuple(at for at in counts if at + interval > until - INGESTION),
    )


def _minute(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds // 60 * 60, UTC)
