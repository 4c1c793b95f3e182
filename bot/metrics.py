"""`/metrics` for Prometheus: counts of this process since its start, and what stands in Redis now.

No secret, no person, no text. Names are as Prometheus asks for
(https://prometheus.io/docs/practices/naming/). Each replica answers for itself; what stands in
Redis is the same at each of them. docs/operations.md explains each alarm.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.clients.http.call_counts import CALLS, LIMITED, Call
from bot.connection.client import StoreError, store_errors
from bot.report import Report
from bot.store.commit import from_ms
from bot.store.incident_store import Store

# Slack waits 3 s for an ack; the goal is a p99 of 15 ms.
ACK_BUCKETS = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
LATE_SECONDS = 1.0
"""A timer that is due for longer than this is late: timers are swept every 250 ms."""
UNKNOWN_PATH = "other"
"""All paths that are not ours: a person who tries addresses must not make metrics."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of Redis at one moment; ages in seconds."""

    open_incidents: int
    queued: int
    oldest_queued: float
    waiting: int
    aside: int
    timers: int
    late: int
    latest: float
    dirty: int


async def what_stands(store: Store) -> Standing:
    """Return the state of Redis. Raises `NotRecorded` where it cannot be read."""
    keys = store.keys
    pipe = store.redis.pipeline(transaction=False)
    pipe.time()
    pipe.zcard(keys.open)
    pipe.xlen(keys.outbox)
    pipe.xrange(keys.outbox, count=1)
    pipe.zcard(keys.waiting)
    pipe.xlen(keys.aside)
    pipe.zcard(keys.timers)
    pipe.zrange(keys.timers, 0, 0, withscores=True)
    pipe.zcard(keys.marks)
    with store_errors():
        answers: list[Any] = await pipe.execute()
        (seconds, micros), open_now, queued, first, waiting, aside, timers, due, dirty = answers
        now = seconds + micros / 1e6
        late = await store.redis.zcount(keys.timers, "-inf", round((now - LATE_SECONDS) * 1000))
    since = from_ms(int(first[0][0].partition("-")[0])).timestamp() if first else now
    return Standing(
        open_incidents=open_now,
        queued=queued,
        oldest_queued=max(0.0, now - since),
        waiting=waiting,
        aside=aside,
        timers=timers,
        late=late,
        latest=max(0.0, now - due[0][1] / 1000) if due else 0.0,
        dirty=dirty,
    )


class Metrics:
    """Collects for one bot. `acks` is filled by `Timed`, and by Socket Mode.

    `report` is the newest word of the process that works, and `running` whether its workers do.
    """

    def __init__(
        self,
        store: Store,
        report: Callable[[], Report | None],
        running: Callable[[], Mapping[str, bool]],
    ) -> None:
        self._store, self._report, self._running = store, report, running
        self._registry = CollectorRegistry(auto_describe=False)
        self.acks = Histogram(
            "firebreak_ack_seconds",
            "From a request until its answer",
            ("path", "status"),
            buckets=ACK_BUCKETS,
            registry=self._registry,
        )

    @contextmanager
    def timed(self, path: str) -> Iterator[None]:
        """Time something that is no HTTP request: 200 where it ended well, 500 where it raised."""
        began, status = time.perf_counter(), "500"
        try:
            yield
            status = "200"
        finally:
            self.acks.labels(path, status).observe(time.perf_counter() - began)

    def route(self) -> Route:
        async def metrics(_request: Request) -> Response:
            try:
                state = await what_stands(self._store)
            except StoreError:
                state = None
            families = (*self._registry.collect(), *self._counters(), *_gauges(state))
            text = generate_latest(_Families(families))
            return Response(text, media_type=None, headers={"content-type": CONTENT_TYPE_LATEST})

        return Route("/metrics", metrics)

    def _counters(self) -> Iterator[Metric]:
        report = self._report()
        effects = _counter("effects", "Effects by kind and how they ended", ("kind", "result"))
        for kind, result, count in report.effects if report else ():
            effects.add_metric((kind, result), count)
        yield effects
        yield from _calls(report)
        timers, live = (report.timers, report.live) if report else ({}, {})
        yield _by_result("timers_fired", "Timers by how they ended", timers)
        yield _by_result("live_messages", "Edits of live messages by how they ended", live)
        workers = GaugeMetricFamily(
            "firebreak_worker_running", "1 while the worker runs", labels=("worker",)
        )
        for name, runs in self._running().items():
            workers.add_metric((name,), float(runs))
        yield workers
        unread = self._store.unreadable | set(report.unreadable if report else ())
        yield _gauge(
            "records_unreadable",
            "Incidents whose records this version met and could not read",
            len(unread),
        )


def _calls(report: Report | None) -> Iterator[Metric]:
    """Return the calls of both processes together."""
    made, asked = Counter(CALLS), Counter(LIMITED)
    if report is not None:
        made.update({Call(*call): count for *call, count in report.calls})
        asked.update(report.limited)
    calls = _counter(
        "api_calls", "Calls of outside systems by method and status", ("system", "method", "status")
    )
    limited = _counter("api_rate_limited", "Answers that asked us to slow down", ("system",))
    for call, count in made.items():
        calls.add_metric(call, count)
    for system, count in asked.items():
        limited.add_metric((system,), count)
    yield calls
    yield limited


class Timed:
    """ASGI middleware: how long each answer took, by path and status."""

    def __init__(self, app: ASGIApp, acks: Histogram, paths: Iterable[str]) -> None:
        self._app, self._acks, self._paths = app, acks, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            path = scope["path"] if scope["path"] in self._paths else UNKNOWN_PATH
            self._acks.labels(path, str(status)).observe(time.perf_counter() - began)


class _Families(CollectorRegistry):
    """The metrics of one answer, as `generate_latest` takes them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__(auto_describe=False)
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauges(state: Standing | None) -> Iterator[Metric]:
    yield _gauge("redis_up", "1 while Redis can be read", float(state is not None))
    if state is None:
        return
    for name, says, value in (
        (
            "open_incidents",
            "Incidents that are not resolved, closed or cancelled",
            state.open_incidents,
        ),
        ("effects_queued", "Effects that wait for a worker or run", state.queued),
        ("effects_oldest_seconds", "Age of the oldest of them", state.oldest_queued),
        ("effects_waiting", "Effects that will be tried again", state.waiting),
        (
            "effects_aside",
            "Effects and timers set aside: another version can read them",
            state.aside,
        ),
        ("timers", "Timers that are set", state.timers),
        ("timers_late", "Timers that are due for more than a second", state.late),
        ("timers_latest_seconds", "How late the latest of them is", state.latest),
        ("live_messages_dirty", "Live messages that wait for an edit", state.dirty),
    ):
        yield _gauge(name, says, value)


def _counter(name: str, says: str, labels: tuple[str, ...]) -> CounterMetricFamily:
    return CounterMetricFamily(f"firebreak_{name}", says, labels=labels)


def _by_result(name: str, says: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = _counter(name, says, ("result",))
    for result, count in counts.items():
        family.add_metric((result,), count)
    return family


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"firebreak_{name}", says, value=value)
