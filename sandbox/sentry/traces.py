"""Requests as traces tell of them: the transactions that SDKs send, and steady flows for tests.

Sentry makes a span of each transaction, with `is_transaction` where the request begins
(https://github.com/getsentry/sentry, src/sentry/search/eap/spans/attributes.py). Spans are sampled
by the SDK; Sentry extrapolates `count()` by the sample rate and counts what is there as
`count_sample()` (src/sentry/search/eap/spans/aggregates.py).
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sandbox.sentry.events import read_time
from sandbox.sentry.search import Value
from sandbox.wire import Json

MAX_REQUESTS = 200_000


@dataclass(frozen=True, slots=True)
class Traced:
    """A request that was kept. `rate`: the share of requests that are."""

    at: float
    """Its end, in seconds since 1970."""
    project_id: int
    environment: str
    release: str = ""
    transaction: str = ""
    op: str = "http.server"
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Flow:
    """A number of requests a second, evenly, from one time to another."""

    like: Traced
    per_second: float
    since: float
    until: float = math.inf

    def within(self, start: float, end: float) -> int:
        """Return how many are kept in start <= time < end."""
        first, last = max(start, self.since), min(end, self.until)
        rate = self.per_second * self.like.rate
        return max(math.ceil(last * rate) - math.ceil(first * rate), 0)


class Traces:
    """Every request that is known, oldest first."""

    def __init__(self) -> None:
        self.requests: list[Traced] = []
        self.flows: list[Flow] = []

    def ingest(self, payload: Json, *, project_id: int, received: float, rate: float) -> Traced:
        """Store a transaction as an SDK sends it.

        Raises:
            ValueError: not a transaction.
        """
        if payload.get("type") != "transaction" or "start_timestamp" not in payload:
            raise ValueError("not a transaction")
        trace = (payload.get("contexts") or {}).get("trace") or {}
        request = Traced(
            at=read_time(payload.get("timestamp"), received),
            project_id=project_id,
            environment=str(payload.get("environment") or ""),
            release=str(payload.get("release") or ""),
            transaction=str(payload.get("transaction") or ""),
            op=str(trace.get("op") or "default"),
            rate=rate if 0 < rate <= 1 else 1.0,
        )
        insort(self.requests, request, key=lambda stored: stored.at)
        if len(self.requests) > MAX_REQUESTS:
            del self.requests[0]
        return request

    def flow(self, like: Traced, per_second: float, *, since: float | datetime) -> None:
        """Let so many requests a second come from then on, in place of those before it."""
        begin = since.timestamp() if isinstance(since, datetime) else since
        self.flows = [
            replace(flow, until=min(flow.until, begin))
            if (flow.like.project_id, flow.like.environment) == (like.project_id, like.environment)
            else flow
            for flow in self.flows
        ]
        self.flows.append(Flow(like, per_second, begin))

    def counted(
        self, start: float, end: float, asked: Callable[[Traced], bool]
    ) -> tuple[float, int]:
        """Return (requests, as extrapolated; requests that are there) of start <= time < end."""
        first = bisect_left(self.requests, start, key=lambda request: request.at)
        last = bisect_left(self.requests, end, key=lambda request: request.at)
        counts = [(request, 1) for request in self.requests[first:last]]
        counts += [(flow.like, flow.within(start, end)) for flow in self.flows]
        there = [(request, number) for request, number in counts if number and asked(request)]
        return sum(n / r.rate for r, n in there), sum(n for _, n in there)


def read(request: Traced, key: str) -> Value:
    """Return what a search over spans reads; None where this one has no such attribute."""
    match key:
        case "is_transaction":
            return "true"
        case "event.type":
            return "transaction"
        case "transaction" | "span.description":
            return request.transaction
        case "span.op" | "transaction.op":
            return request.op
        case "release":
            return request.release
        case "environment":
            return request.environment
        case _:
            return None
