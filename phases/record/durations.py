"""The parts of an incident's time: to detect, to decide, to act, to recover. None: not yet."""

from datetime import datetime, timedelta

from phases.record.findings import Value
from phases.record.incident import Incident, RoundAction


class Durations(Value):
    """The four parts. `to_recover` is the whole time from *Detected*, as the summary's `took`."""

    to_detect: timedelta | None = None
    to_decide: timedelta | None = None
    to_act: timedelta | None = None
    to_recover: timedelta | None = None


def durations(incident: Incident) -> Durations:
    return Durations(
        to_detect=to_detect(incident),
        to_decide=to_decide(incident),
        to_act=to_act(incident),
        to_recover=to_recover(incident),
    )


def to_detect(incident: Incident) -> timedelta | None:
    """Return the time from the beginning of trouble, as triage measured it, to *Detected*."""
    report = incident.triage
    if report is None or report.manual_by is not None:
        return None
    return _time_between(report.began_at, incident.detected_at)


def to_decide(incident: Incident) -> timedelta | None:
    """Return the time from *Detected* to the first action on production that a person chose.

    *Investigate* decides nothing.
    """
    acted = _actions_taken(incident)
    return _time_between(incident.detected_at, acted[0].at) if acted else None


def to_act(incident: Incident) -> timedelta | None:
    """Return the time from the first choice to the first action that was carried out.

    A failed deploy in between counts as time.
    """
    acted = _actions_taken(incident)
    carried_out = next((action for action in acted if action.result == "done"), None)
    return _time_between(acted[0].at, carried_out.finished_at) if carried_out else None


def to_recover(incident: Incident) -> timedelta | None:
    """Return the time from *Detected* to verified recovery, never to the paperwork."""
    return _time_between(incident.detected_at, incident.recovered_at)


def _actions_taken(incident: Incident) -> list[RoundAction]:
    return [round.action for round in incident.rounds if round.action is not None]


def _time_between(start: datetime | None, end: datetime | None) -> timedelta | None:
    """Return the time between, or zero if an incident was declared before its first event."""
    return None if start is None or end is None else max(end - start, timedelta())
