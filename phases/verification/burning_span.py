"""Phase 5: the time in which trouble was left alone. Its rate is what a look compares with."""

from collections.abc import Sequence
from datetime import datetime

from phases.ports.ports import ErrorTracker
from phases.record.incident import Incident, Round
from phases.record.service import Service

BURNING_WINDOWS = 4  # the rate before is counted over so many windows (an hour) at most


async def burning_span(
    incident: Incident,
    service: Service,
    ended: datetime,
    tracker: ErrorTracker,
    ids: Sequence[str],
) -> tuple[datetime, datetime]:
    """Return the time from the beginning until `ended`, when somebody acted; an hour at most.

    An endpoint that fails is measured within seconds, when no error has come yet. So where triage
    saw no beginning, the first event is it: the quiet before that would thin the rate out. Raises
    `PortError`.
    """
    earliest = ended - BURNING_WINDOWS * service.window
    began = incident.triage.began_at if incident.triage else None
    if began is not None and began < ended:
        return max(began, earliest), ended
    since = ended - service.window
    first = await tracker.first_event([service], ids, since, ended) if ids else None
    return (max(first, since) if first is not None and first < ended else since), ended


def acted_at(current: Round | None, clock: datetime) -> datetime:
    """Return when somebody acted in this round; the clock's start where nobody did."""
    action = current.action if current else None
    return (action.started_at or action.at) if action else clock
