"""One storm is one incident: what another program reports opens one, or becomes evidence of the one that is open."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers import deliveries
from handlers.door import Delivery, Door, Recorded, Unknown
from phases.actions import AddEvidence, Declare, SeenAgain
from phases.change import Refused
from phases.incident import Incident, Source, Status
from phases.report import Evidence
from phases.service import Service

log = logging.getLogger(__name__)


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


async def raise_alarm(door: Door, ulid: Callable[[], str], alarm: Alarm, delivery: Delivery) -> str | None:
    """Declares, or adds to the incident that is open; its id, or None where it could not be recorded."""
    action = Declare(
        ulid=ulid(),
        title=alarm.title,
        service=alarm.service.name,
        environment=alarm.service.environment,
        source=alarm.source,
        seeds=tuple(one.issue for one in alarm.found if one.issue),
    )
    match await door.say(action, None, delivery):
        case Recorded(incident=incident):
            return incident.id
        case Refused(code="taken", owner=str(owner)):
            return await _add(door, alarm, owner, delivery)
        case Refused(code=code):
            log.warning("an alarm about %s was refused: %s", alarm.service.name, code)
            return None
        case Unknown():
            return None


async def _add(door: Door, alarm: Alarm, owner: str, delivery: Delivery) -> str | None:
    """Evidence of the incident that has the service or the issue; the same issue after recovery opens it again."""
    if await door.look(owner) is None:
        return None
    for number, one in enumerate(alarm.found or (Found(None, alarm.title, alarm.source.url),)):
        incident = await door.look(owner)
        evidence = Evidence(at=alarm.at, source=alarm.source.text, text=one.text, url=one.url)
        action: AddEvidence | SeenAgain = AddEvidence(evidence=evidence, issue=one.issue)
        over = incident is not None and incident.status in (Status.MITIGATED, Status.RESOLVED)
        if one.issue and incident is not None and over and _known(incident, one.issue):
            action = SeenAgain(issue=one.issue, evidence=evidence)
        # Each counts once by itself: a second delivery adds what the first one did not come to.
        because = delivery if number == 0 else deliveries.part(delivery, one.issue or str(number))
        if not isinstance(await door.say(action, owner, because), Recorded):
            return None
    return owner


def _known(incident: Incident, issue: str) -> bool:
    return issue in incident.seeds or (incident.triage is not None and issue in incident.triage.issue_ids)
