"""Alarms of other programs: one storm is one incident.

The first alarm opens it, the rest become its evidence.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from handlers import deliveries
from handlers.dispatcher import Delivery, Dispatcher, Recorded, Unknown
from phases.coordination.evidence import alert_is_known
from phases.messages.actions import AddEvidence, SeenAgain
from phases.messages.commands import Declare
from phases.ports.ports import Catalogue
from phases.record.claims import fingerprint_claim, key_claim, open_claim
from phases.record.findings import Evidence
from phases.record.incident import Incident, Source, Status
from phases.record.service import Service
from phases.shared.change import Refused

log = logging.getLogger(__name__)

NOT_OURS = ""
"""Returned in place of an incident's id for an alarm that is no concern of ours."""
RECOVERED = (Status.MITIGATED, Status.RESOLVED, Status.CLOSED)
"""Users were fine by then: an alarm that fires now is no part of the storm."""


@dataclass(frozen=True, slots=True)
class ReportedIssue:
    """A Sentry issue (or, without an id, an alert) that burns."""

    issue: str | None
    text: str
    url: str | None = None
    keys: tuple[str, ...] = ()
    """The sender's own key of it: the same while it fires, and whenever it fires again. Several
    where the line is about several."""
    heard: str | None = None
    """The key with its beginning: this fire alone."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The report of another program that something burns."""

    service: Service
    title: str
    source: Source
    at: datetime
    reported: tuple[ReportedIssue, ...] = ()
    description: str = ""
    concerns_us: Callable[[], Awaitable[bool]] | None = None
    """Asked before anything is recorded, where the alarm does not say whether its environment
    counts.
    """

    @property
    def issues(self) -> tuple[str, ...]:
        return tuple(f.issue for f in self.reported if f.issue)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(key for f in self.reported for key in f.keys))


async def raise_alarm(
    dispatcher: Dispatcher,
    catalogue: Catalogue,
    ulid: Callable[[], str],
    alarm: Alarm,
    delivery: Delivery,
) -> str | None:
    """Declare an incident, or add to the one that is open.

    Return its id, `NOT_OURS`, or None where it could not be recorded.
    """
    if (owner := await owner_by_key(dispatcher, alarm)) is not None:
        return await _add(dispatcher, alarm, owner, delivery)
    # Recorded before anybody is asked: the bot itself looks whether the trouble is back.
    if (recovered := await _recovered(dispatcher, alarm)) is not None:
        return await _add(dispatcher, alarm, recovered.id, delivery)
    open_ones = await dispatcher.find(service=alarm.service.name, open_only=True)
    own = [incident for incident in open_ones if not incident.apart]
    dependant = None if own else await _dependant(dispatcher, catalogue, alarm.service)
    for incident in (*own, *([dependant] if dependant else [])):
        evidence = _evidence(alarm, incident)
        if incident.status not in RECOVERED and all(alert_is_known(incident, e) for e in evidence):
            return incident.id
    if alarm.concerns_us is not None and not await alarm.concerns_us():
        return NOT_OURS
    if dependant is not None:
        return await _add(dispatcher, alarm, dependant.id, delivery)
    action = Declare(
        ulid=ulid(),
        title=alarm.title,
        description=alarm.description,
        service=alarm.service.name,
        environment=alarm.service.environment,
        source=alarm.source,
        seeds=alarm.issues,
        keys=alarm.keys,
        heard=tuple(f.heard for f in alarm.reported if f.heard),
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


async def add_quietly(dispatcher: Dispatcher, alarm: Alarm, delivery: Delivery) -> str | None:
    """Add what needs nobody to the incident that it belongs to: an end, or a mere notice.

    Return its id, `NOT_OURS` where there is none, or None where it could not be recorded.
    """
    owner = await owner_by_key(dispatcher, alarm)
    if owner is None:
        open_ones = await dispatcher.find(service=alarm.service.name, open_only=True)
        owner = next((incident.id for incident in open_ones if not incident.apart), None)
    if owner is None:
        return NOT_OURS
    return await _add(dispatcher, alarm, owner, delivery, quiet=True)


async def owner_by_key(dispatcher: Dispatcher, alarm: Alarm) -> str | None:
    """Return the open incident to which one of the alarm's keys leads."""
    for key in alarm.keys:
        incident = await surviving_incident(dispatcher, await dispatcher.owner(key_claim(key)))
        if incident is not None and incident.open:
            return incident.id
    return None


async def surviving_incident(dispatcher: Dispatcher, id: str | None) -> Incident | None:
    """Return the incident, or the one that goes on with it since they were merged."""
    incident = await dispatcher.load(id) if id is not None else None
    while incident is not None and incident.duplicate_of is not None:
        incident = await dispatcher.load(incident.duplicate_of)
    return incident


async def _recovered(dispatcher: Dispatcher, alarm: Alarm) -> Incident | None:
    """Return the incident that users recovered from and whose claims the alarm would run into."""
    service = alarm.service
    claims = [open_claim(service.name, service.environment), *map(fingerprint_claim, alarm.issues)]
    for claim in claims:
        owner = await dispatcher.owner(claim)
        incident = await dispatcher.load(owner) if owner is not None else None
        if incident is None:
            continue
        if incident.status not in RECOVERED:  # it burns there
            return None
        known = any(_is_known_issue(incident, issue) for issue in alarm.issues)
        return incident if known or alarm.concerns_us is None else None
    return None


async def _dependant(
    dispatcher: Dispatcher, catalogue: Catalogue, service: Service
) -> Incident | None:
    """Return the open incident of a service that depends on this one.

    Its triage looks at both (rules: One storm is one incident).
    """
    for dependant in catalogue.all():
        if service.name in dependant.depends_on:
            for incident in await dispatcher.find(service=dependant.name, open_only=True):
                fits = incident.environment == dependant.environment and not incident.apart
                if fits and incident.status not in RECOVERED:
                    return incident
    return None


def _evidence(alarm: Alarm, incident: Incident, *, quiet: bool = False) -> list[AddEvidence]:
    """Return the evidence for this incident. Another service's begins with that one's name."""
    service = alarm.service.name
    source = alarm.source.text if incident.service == service else f"{service}, {alarm.source.text}"
    looked = alarm.source.kind == "deploy"  # by the watch after a deploy, or by CI
    return [
        AddEvidence(
            evidence=Evidence(at=alarm.at, source=source, text=burning.text, url=burning.url),
            issue=burning.issue,
            looked=looked,
            key=burning.heard,
            keys=burning.keys,
            quiet=quiet,
        )
        for burning in alarm.reported or (ReportedIssue(None, alarm.title, alarm.source.url),)
    ]


async def _add(
    dispatcher: Dispatcher, alarm: Alarm, owner: str, delivery: Delivery, *, quiet: bool = False
) -> str | None:
    """Add the evidence to an incident. An issue that it knows may open it again after recovery."""
    if (first := await dispatcher.load(owner)) is None:
        return None
    for number, evidence in enumerate(_evidence(alarm, first, quiet=quiet)):
        incident, issue = await dispatcher.load(owner), evidence.issue
        action: AddEvidence | SeenAgain = evidence
        over = incident is not None and incident.status in RECOVERED
        if issue and incident is not None and over and _is_known_issue(incident, issue):
            action = SeenAgain(issue=issue, evidence=evidence.evidence)
        # Each counts once by itself: a second delivery adds whatever the first did not come to.
        part = delivery if number == 0 else deliveries.sub_delivery(delivery, issue or str(number))
        if not isinstance(await dispatcher.dispatch(action, owner, part), Recorded):
            return None
    return owner


def _is_known_issue(incident: Incident, issue: str) -> bool:
    triage = incident.triage
    return issue in incident.seeds or (triage is not None and issue in triage.issue_ids)
