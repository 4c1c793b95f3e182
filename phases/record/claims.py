"""Claims: rules across incidents that the commit script checks."""

import hashlib

from phases.record.incident import Incident


def open_claim(service: str, environment: str) -> str:
    """Return the claim that allows one open incident a service and environment."""
    return f"open:{service}:{environment}"


def fingerprint_claim(issue: str) -> str:
    """Return the claim that gives a Sentry issue to one incident."""
    return f"fingerprint:{issue}"


def deploying_claim(service: str) -> str:
    """Return the claim that allows one deploy of a service at a time."""
    return f"deploying:{service}"


def linear_claim(id: str) -> str:
    """Return the claim by which a webhook finds the incident of a Linear issue."""
    return f"linear:{id}"


def adr_claim(repository: str, number: int) -> str:
    """Return the claim that gives the number of a post-mortem's file to one incident."""
    return f"adr:{repository}:{number}"


def number_claim(number: int) -> str:
    """Return the claim that gives a number to one incident."""
    return f"number:{number}"


def key_claim(key: str) -> str:
    """Return the claim that gives the key of a sender (an alert, a script) to one incident."""
    return f"key:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def issues_of(incident: Incident) -> tuple[str, ...]:
    """Return every Sentry issue of the incident: seeds first, then those that triage found."""
    measured = incident.triage.issue_ids if incident.triage else ()
    return tuple(dict.fromkeys((*incident.seeds, *measured)))
