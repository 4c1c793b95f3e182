"""Claims: rules across incidents that the commit script checks."""

from __future__ import annotations

from phases.record.incident import Incident


def open_claim(service: str, environment: str) -> str:
    """One open incident a service and environment."""
    return f"open:{service}:{environment}"


def fingerprint_claim(issue: str) -> str:
    """The incident that a Sentry issue belongs to."""
    return f"fingerprint:{issue}"


def issues_of(incident: Incident) -> tuple[str, ...]:
    """Every Sentry issue of the incident: seeds first, then what triage found."""
    found = incident.triage.issue_ids if incident.triage else ()
    return tuple(dict.fromkeys((*incident.seeds, *found)))
