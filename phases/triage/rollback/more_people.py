"""Phase 1: whether more people came than usual just before trouble began.

A pool that is empty, a queue that is full and a database that takes no more connections say that
something was too much for them: a release that leaks, or people who came. Requests tell these two
apart, and only those from before trouble began: whoever meets an error asks again.
"""

import math
import re
from collections.abc import Iterable
from datetime import timedelta

from phases.record.findings import IssueSeen
from phases.record.traffic_seen import TrafficSeen
from phases.triage.rollback.edge_errors import edge_of, is_exhaustion, type_and_value
from phases.triage.rollback.edge_words import Edge

SURGE_SPAN = timedelta(minutes=5)
"""Before trouble began: a surge shows, and few have asked again."""
USUAL_TRAFFIC_SPAN = timedelta(hours=1)
"""Before that: a service's day hardly changes by a fifth in so short a time."""
SURGE_FACTOR = 1.3
"""Times the requests of the hour before, at least: more than a morning brings in half an hour."""
SAMPLE_DEVIATIONS = 2.0
"""Standard deviations that are taken off for what was not kept."""
OVERLOAD_EDGES = (Edge.OVERLOAD, Edge.CONNECTION)
LOUDEST_ISSUES = 3
"""Issues whose titles are looked at."""


_JOB = re.compile(
    r"(?:^|[./:#_ -])(?:jobs?|workers?|tasks?|queues?|consumers?|cron|sidekiq|celery|resque|rq)"
    r"(?:[./:#_ -]|$)|(?:Job|Worker|Task|Consumer|Listener)(?:[#.:]\w+)?$",
    re.IGNORECASE,
)
"""Celery's `shop.tasks.confirm`, Sidekiq's and Active Job's `ConfirmJob`, `Sidekiq/MailWorker`,
BullMQ's and Kafka's consumers. https://docs.sentry.io/platforms/python/integrations/celery/"""


def may_be_too_much(issues: Iterable[IssueSeen]) -> bool:
    """Say whether more people alone may bring these failures."""
    titles = [type_and_value(issue.title) for issue in list(issues)[:LOUDEST_ISSUES]]
    return any(is_exhaustion(*title) or edge_of(*title) in OVERLOAD_EDGES for title in titles)


def rush_factor(just: TrafficSeen, before: TrafficSeen) -> float:
    """Return how many times the requests of the hour before came at least; 0: not known."""
    if min(just.kept, before.kept) <= 0:
        return 0.0
    times = just.per_minute / before.per_minute
    doubt = math.sqrt(1 / just.kept + 1 / before.kept)
    return times * max(1 - SAMPLE_DEVIATIONS * doubt, 0.0)


def is_job(transaction: str) -> bool:
    """Say whether a transaction is a background job's, as frameworks name them."""
    return _JOB.search(transaction) is not None
