"""The reasons why a commit was refused, in words; and what is refused before it is sent."""

import logging

from bot.store.incident_store import Taken
from handlers.dispatcher import Delivery, Trigger
from phases.record.claims import number_claim
from phases.record.incident import RECORD_LIMIT_BYTES, Incident
from phases.shared.change import Change, Claim, Refused

log = logging.getLogger(__name__)


def number_of(incident: Incident) -> Claim:
    return Claim(number_claim(incident.number))


def taken_text(answer: Taken) -> str:
    """Say what a taken claim means (docs/code.md, What makes it safe, 3)."""
    kind, _, rest = answer.claim.partition(":")
    match kind:
        case "open":
            return f"{answer.owner} is already open for {rest.partition(':')[0]}."
        case "deploying":
            return (
                f"{answer.owner} is deploying {rest} right now; one deploy a service at a time. "
                "Wait for its result."
            )
        case "fingerprint":
            return f"This Sentry issue belongs to {answer.owner}."
        case "adr":
            return f"{answer.owner} has this ADR number."
        case _:
            return f"{answer.owner} was first."


def too_large(change: Change, trigger: Trigger | None) -> Refused | None:
    """Refuse a record over its limit (rules: Size and memory).

    The bot's own timers and effects are never turned away: they would be lost.
    """
    sizes = [len(part.record.encode()) for part in (change, *change.also)]
    if max(sizes) <= RECORD_LIMIT_BYTES:
        return None
    log.error(
        "record of %s has %s bytes, the limit is %s",
        change.incident.id,
        max(sizes),
        RECORD_LIMIT_BYTES,
    )
    if trigger is None or isinstance(trigger, Delivery):
        return Refused(
            "input",
            "This incident's record is full; put it in the channel instead. Nothing was changed.",
        )
    return None
