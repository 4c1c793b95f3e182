"""The requests of a service, from its traces.

`events-timeseries/` (src/sentry/api/endpoints/organization_events_timeseries.py of
https://github.com/getsentry/sentry): spans have `is_transaction:true` where a request begins,
`count()` is extrapolated from what was sampled, and each point's `sampleCount` is what Sentry kept.
The data set `transactions` is what spans replace
(https://github.com/getsentry/sentry-docs/pull/18662); an older Sentry has only that. Sessions are
not asked for: their shortest documented interval is an hour
(https://docs.sentry.io/api/releases/retrieve-release-health-session-statistics/).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.clients.cache import Cache
from bot.clients.http.errors import HttpError
from bot.clients.sentry.http import KNOWN_SECONDS, Pairs, SentryHttp
from bot.clients.sentry.models import PointShape, TimeseriesShape, utc
from bot.clients.sentry.projects import ProjectQueries, Projects
from phases.record.service import Service
from phases.record.traffic_seen import TrafficSeen

PATH = "/events-timeseries/"
DATASETS = (("spans", "is_transaction:true"), ("transactions", "event.type:transaction"))
"""Data sets, the newest first, each with the search for whole requests."""
LACKING = (400, 403, 404, 405)
"""The answers of a plan, or of a Sentry, that has no such call or data set."""
MINUTE = timedelta(minutes=1)
ISO = "%Y-%m-%dT%H:%M:%S"
LEAST_SECONDS = 15
"""The finest interval of spans; others are whole minutes.

VALID_GRANULARITIES of src/sentry/search/eap/constants.py
"""
MOST_POINTS = 1500
INTERVALS = (60, 120, 300, 600, 900, 1800, 3600)


class Traces:
    """The traces of one organisation. Raises `PortError`."""

    def __init__(self, http: SentryHttp, projects: Projects, queries: ProjectQueries) -> None:
        self._http = http
        self._projects = projects
        self._queries = queries
        self._refused = Cache[str, bool](seconds=KNOWN_SECONDS)
        """Data sets that this Sentry has not, or not for us."""

    async def seen(self, service: Service, since: datetime, until: datetime) -> TrafficSeen | None:
        """Return the requests of a span; None where no data set tells.

        The points of a span add up to it, whatever their interval: Sentry filters by start and end,
        in whole seconds (`update_timestamps` of src/sentry/snuba/rpc_dataset_common.py).
        """
        if until <= since:
            return None
        end = utc(until).replace(microsecond=0)
        start = min(utc(since).replace(microsecond=0), end - timedelta(seconds=1))
        points = await self._points(service, start, end, _interval(end - start))
        return None if points is None else _total_traffic(points, end - start)

    async def around(
        self, service: Service, since: datetime, at: datetime, until: datetime
    ) -> tuple[TrafficSeen, TrafficSeen] | None:
        """Return the requests on both sides of a minute, by one call.

        All three times are cut to whole minutes. None where no data set tells.
        """
        start, middle, end = (
            utc(time).replace(second=0, microsecond=0) for time in (since, at, until)
        )
        if not start < middle < end:
            return None
        points = await self._points(service, start, end, "1m")
        if points is None:
            return None
        before = [point for point in points if point.timestamp < middle.timestamp() * 1000]
        after = [point for point in points if point.timestamp >= middle.timestamp() * 1000]
        return _total_traffic(before, middle - start), _total_traffic(after, end - middle)

    async def _points(
        self, service: Service, start: datetime, end: datetime, interval: str
    ) -> list[PointShape] | None:
        where = await self._projects.where([service])
        if where is None:
            return None
        params: Pairs = [("start", f"{start:{ISO}}"), ("end", f"{end:{ISO}}")]
        params += [("yAxis", "count()"), ("interval", interval)]
        for dataset, query in DATASETS:
            if dataset in self._refused:
                continue
            try:
                asked = [*params, ("dataset", dataset), ("query", query)]
                answers = await self._queries.get(PATH, where, asked)
            except HttpError as error:
                if error.retryable or error.status not in LACKING:
                    raise
                self._refused[dataset] = True
                continue
            shapes = (self._http.read_numbers(TimeseriesShape, a) for a in answers.values())
            return [p for shape in shapes for s in shape.timeSeries for p in s.values or ()]
        return None


def _total_traffic(points: Iterable[PointShape], lasts: timedelta) -> TrafficSeen:
    requests = stored = 0.0
    for point in points:
        requests += point.value or 0.0
        stored += _stored_samples(point.sampleCount, point.value)
    return TrafficSeen(requests=requests, kept=round(stored), minutes=lasts / MINUTE)


def _stored_samples(samples: float | None, value: float | None) -> float:
    """Return what was kept; where Sentry does not say, nothing was left out."""
    return (value or 0.0) if samples is None else samples


def _interval(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 2 * 60:
        return f"{LEAST_SECONDS}s"
    fits = (i for i in INTERVALS if seconds / i <= MOST_POINTS)
    return f"{next(fits, INTERVALS[-1]) // 60}m"
