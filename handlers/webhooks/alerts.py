"""One storm is one incident: what another program reports opens one, or becomes evidence of the one that is open."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from handlers import deliveries
from handlers.dispatcher import Delivery, Dispatcher, Recorded, Unknown
from phases.coordination.evidence import heard_already
from phases.messages.actions import AddEvidence, SeenAgain
from phases.messages.commands import Declare
from phases.ports.ports import Catalogue
from phases.record.claims import fingerprint_claim, open_claim
from phases.record.findings import Evidence
from phases.record.incident import Incident, Source, Status
from phases.record.service import Service
from phases.steps.change import Refused

log = logging.getLogger(__name__)

NOT_OURS = ""
"""Instead of an incident's id: nothing to us."""
AFTER = (Status.MITIGATED, Status.RESOLVED, Status.CLOSED)
"""Users were fine by then: what fires now is no part of the storm."""


@dataclass(frozen=True, slots=True)
class Found:
    """A Sentry issue (or, without an id, an alert) that burns."""

    issue: str | None
    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """What another program says is burning."""

    service: Service
    title: str
    source: Source
    at: datetime
    found: tuple[Found, ...] = ()
    concerns_us: Callable[[], Awaitable[bool]] | None = None
    """Asked before anything is recorded, where the alarm itself does not say whether its environment counts."""


async def raise_alarm(
    dispatcher: Dispatcher,
    catalogue: Catalogue,
    ulid: Callable[[], str],
    alarm: Alarm,
    delivery: Delivery,
) -> str | None:
    """Declares, or adds to the incident that is open; its id, `NOT_OURS`, or None where it could not be recorded."""
    if (
        held := await _recovered(dispatcher, alarm)
    ) is not None:  # recorded before anything is asked: then the bot looks
        return await _add(dispatcher, alarm, held.id, delivery)
    mine = [
        one
        for one in await dispatcher.find(service=alarm.service.name, open_only=True)
        if not one.apart
    ]
    joined = None if mine else await _dependant(dispatcher, catalogue, alarm.service)
    for incident in (*mine, *([joined] if joined else [])):
        if incident.status not in AFTER and all(
            heard_already(incident, one) for one in _evidence(alarm, incident)
        ):
            return incident.id
    if alarm.concerns_us is not None and not await alarm.concerns_us():
        return NOT_OURS
    if joined is not None:
        return await _add(dispatcher, alarm, joined.id, delivery)
    action = Declare(
        ulid=ulid(),
        title=alarm.title,
        service=alarm.service.name,
        environment=alarm.service.environment,
        source=alarm.source,
        seeds=tuple(one.issue for one in alarm.found if one.issue),
    )
    match await dispatcher.dispatch(action, None, delivery):
        case Recorded(incident=incident):
            return incident.id
        case Refused(code="taken", owner=str(owner)):
            return await _add(dispatcher, alarm, owner, delivery)
        case Refused(code=code):
            log.warning("an alarm about %s was refused: %s", alarm.service.name, code)
            return None
        case Unknown():
            return None


async def _recovered(dispatcher: Dispatcher, alarm: Alarm) -> Incident | None:
    """The incident that users recovered from and that this alarm belongs to, by the claims that it would run into."""
    issues = [one.issue for one in alarm.found if one.issue]
    claims = [
        open_claim(alarm.service.name, alarm.service.environment),
        *map(fingerprint_claim, issues),
    ]
    for claim in claims:
        owner = await dispatcher.owner(claim)
        incident = await dispatcher.load(owner) if owner is not None else None
        if incident is None:
            continue
        if incident.status not in AFTER:  # it burns there
            return None
        known = any(_known(incident, issue) for issue in issues)
        return incident if known or alarm.concerns_us is None else None
    return None


async def _dependant(
    dispatcher: Dispatcher, catalogue: Catalogue, service: Service
) -> Incident | None:
    """The open incident of a service that depends on this one: its triage looks at both (rules: One storm is one incident)."""
    for one in catalogue.all():
        if service.name in one.depends_on:
            for incident in await dispatcher.find(service=one.name, open_only=True):
                fits = incident.environment == one.environment and not incident.apart
                if fits and incident.status not in AFTER:
                    return incident
    return None


def _evidence(alarm: Alarm, incident: Incident) -> list[AddEvidence]:
    """For this incident; what another service's alarm says begins with its name."""
    theirs = "" if incident.service == alarm.service.name else f"{alarm.service.name}, "
    source = f"{theirs}{alarm.source.text}"
    looked = alarm.source.kind == "deploy"  # by the watch after a deploy, or by CI
    return [
        AddEvidence(
            evidence=Evidence(at=alarm.at, source=source, text=one.text, url=one.url),
            issue=one.issue,
            looked=looked,
        )
        for one in alarm.found or (Found(None, alarm.title, alarm.source.url),)
    ]


async def _add(dispatcher: Dispatcher, alarm: Alarm, owner: str, delivery: Delivery) -> str | None:
    """Evidence of the incident that has the service or the issue; the same issue after recovery may open it again."""
    if (first := await dispatcher.load(owner)) is None:
        return None
    for number, one in enumerate(_evidence(alarm, first)):
        incident = await dispatcher.load(owner)
        action: AddEvidence | SeenAgain = one
        over = incident is not None and incident.status in AFTER
        if one.issue and incident is not None and over and _known(incident, one.issue):
            action = SeenAgain(issue=one.issue, evidence=one.evidence)
        # Each counts once by itself: a second delivery adds what the first one did not come to.
        trigger = delivery if number == 0 else deliveries.part(delivery, one.issue or str(number))
        if not isinstance(await dispatcher.dispatch(action, owner, trigger), Recorded):
            return None
    return owner


def _known(incident: Incident, issue: str) -> bool:
    return issue in incident.seeds or (
        incident.triage is not None and issue in incident.triage.issue_ids
    )
