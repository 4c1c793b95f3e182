"""Phase 5: issues of monitors (uptime, cron), of which counts of errors say nothing."""

import asyncio

from phases.ports.ports import ErrorTracker, PortError
from phases.record.incident import Incident
from phases.triage.picture.blast_radius import ERROR


async def unmeasured_monitors(incident: Incident, tracker: ErrorTracker) -> tuple[str, ...]:
    """Return the short ids of a monitor's issues: errors that stop say nothing of them.

    An issue that an alert named since triage was never measured, so Sentry is asked what it is.
    Raises `PortError`.
    """
    measured = incident.triage.issue_ids if incident.triage else ()
    named = [id for id in incident.seeds if id not in measured]
    answers = await asyncio.gather(*(monitor_short_id(incident, tracker, id) for id in named))
    return tuple(dict.fromkeys((*measured_monitors(incident).values(), *filter(None, answers))))


def measured_monitors(incident: Incident) -> dict[str, str]:
    """Return the short ids, by id, of a monitor's issues that triage measured."""
    report = incident.triage
    if report is None:
        return {}
    return {**report.monitors, **{i.id: i.short_id for i in report.issues if i.category != ERROR}}


async def monitor_short_id(incident: Incident, tracker: ErrorTracker, issue: str) -> str | None:
    """Return the short id of a monitor's issue; None: it is counted as errors, or it is gone.

    Raises `PortError` where another try may tell.
    """
    if (known := measured_monitors(incident).get(issue)) is not None:
        return known
    if incident.triage is not None and issue in incident.triage.issue_ids:
        return None
    try:
        row = await tracker.issue(issue)
    except PortError as error:
        if error.retryable:
            raise
        return None
    return row.short_id if row.category != ERROR else None
