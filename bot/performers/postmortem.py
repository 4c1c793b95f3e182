"""Effects of the post-mortem: its number, its file, and the time zone of its writer."""

from collections.abc import Sequence
from functools import partial

from bot.performers.context import EffectContext, performs
from bot.store.job import Job
from phases.messages.effects import AskZone, CompleteAdr, MendAdr, NumberAdr, ReviseAdr, WriteAdr
from phases.messages.results import AdrMended, AdrNumbered, AdrWritten, Zones
from phases.ports.coordination import Archive
from phases.ports.ports import PortError
from phases.postmortem.action_items import items
from phases.postmortem.adr import adr_text, up_to_date
from phases.postmortem.adr_status import with_items_settled, with_kept
from phases.postmortem.contradictions.case import Case
from phases.postmortem.contradictions.named import contradictions, parts_of
from phases.postmortem.entry_table import entries_with_links, with_entries
from phases.record.claims import adr_claim
from phases.record.documents import Contradiction
from phases.record.incident import Entry, Incident
from phases.record.privacy import seen_from_outside
from phases.shared.rounds import decision_name
from phases.text.markdown import Names
from phases.text.wording import stamp


@performs(NumberAdr)
async def number_adr(effect: NumberAdr, job: Job, context: EffectContext) -> AdrNumbered:
    """Find the next number that neither the directory nor another incident's claim holds."""
    incident = await context.incident(job)
    service = context.service(incident)
    archive = context.archive_for(service)
    repository = archive.repository(service)
    number = max(await archive.highest(service), effect.above) + 1
    while await context.dispatcher.owner(adr_claim(repository, number)) not in (None, incident.id):
        number += 1
    return AdrNumbered(repository=repository, number=number)


@performs(WriteAdr)
async def write_adr(effect: WriteAdr, job: Job, context: EffectContext) -> AdrWritten:
    """Write the file; of an incident that went on after it was written, the same file anew."""
    incident = await context.incident(job)
    if incident.adr is not None:
        return AdrWritten(adr=incident.adr)
    service = context.service(incident)
    archive = context.archive_for(service)
    text, contradictions = await _whole_file(context, archive, incident, effect.number)
    incident = seen_from_outside(incident)  # the file's name and Git's message are public, too
    before = incident.adr_before
    if before is None:
        adr = await archive.write(service, incident, effect.number, text)
        return AdrWritten(adr=adr, contradictions=contradictions)
    sent = incident.postmortem.at if incident.postmortem else context.now()
    known = incident.model_copy(update={"adr": before})
    message = f"{before.name}: written again {stamp(sent)}"
    url = await archive.revise(service, known, lambda _: text, message)
    return AdrWritten(
        adr=before.model_copy(update={"url": url or before.url}), contradictions=contradictions
    )


async def _whole_file(
    context: EffectContext, archive: Archive, incident: Incident, number: int
) -> tuple[str, tuple[Contradiction, ...]]:
    """Return the whole file, in the shape of its folder, and what contradicts itself in it."""
    entries = await _entries(context, incident)
    incident = seen_from_outside(incident)
    names = await context.names(incident, entries)
    template = await archive.template(context.service(incident))
    contradictions = await _contradictions(context, incident, entries, names)
    named = incident.model_copy(update={"contradictions": contradictions})
    return adr_text(named, entries, number, names, template), contradictions


async def _entries(context: EffectContext, incident: Incident) -> Sequence[Entry]:
    """Return the entries that the file lists, with links: none of a private incident."""
    if incident.private:
        return []
    entries = await context.dispatcher.timeline(incident.id)
    return entries_with_links(entries, incident, await _decisions(context, incident))


async def _decisions(context: EffectContext, incident: Incident) -> dict[int, str]:
    """Return the addresses of the decisions; the file does not wait for a Slack that is away."""
    links: dict[int, str] = {}
    for round in incident.rounds:
        posted = incident.messages.get(decision_name(round.number))
        try:
            url = await context.slack.permalink(posted.channel, posted.ts) if posted else None
        except PortError:
            return links
        if url is not None:
            links[round.number] = url
    return links


async def _contradictions(
    context: EffectContext, incident: Incident, entries: Sequence[Entry], names: Names
) -> tuple[Contradiction, ...]:
    written = incident.postmortem
    if written is None:
        return ()
    owners = {item.person for item in written.items if item.person is not None and item.open}
    gone = {id for id in sorted(owners) if await context.has_left(id)}
    return contradictions(Case(incident, parts_of(written), written.at, entries, gone, names))


@performs(MendAdr)
async def mend_adr(effect: MendAdr, job: Job, context: EffectContext) -> AdrMended:
    """Write the mended post-mortem, or into the file as it is who keeps what, and corrections."""
    incident = await context.incident(job)
    adr = incident.adr
    if adr is None or incident.postmortem is None:
        return AdrMended()
    service = context.service(incident)
    archive = context.archive_for(service)
    if not effect.whole:
        entries = await _entries(context, incident)
        names = await context.names(incident, entries)

        def settled(text: str) -> str:
            signed = with_kept(text, some=incident.contradictions, names=names)
            return with_entries(signed, entries, names)

        message = f"{adr.name}: what people kept and corrected"
        await archive.revise(service, seen_from_outside(incident), settled, message)
        return AdrMended()
    text, contradictions = await _whole_file(context, archive, incident, adr.number)
    message = f"{adr.name}: mended {stamp(incident.postmortem.at)}"
    await archive.revise(service, seen_from_outside(incident), lambda _: text, message)
    return AdrMended(contradictions=contradictions)


@performs(ReviseAdr)
async def revise_adr(effect: ReviseAdr, job: Job, context: EffectContext) -> None:
    """Write into the file that recovery is verified."""
    incident = await context.incident(job)
    number = incident.adr.number if incident.adr else 0
    names, shown = await context.names(incident), seen_from_outside(incident)
    if number:
        message = f"ADR-{number:04d}: recovery of {incident.id} is verified"
        service = context.service(incident)
        await context.archive_for(service).revise(
            service, shown, lambda text: up_to_date(text, shown, number, names), message
        )


@performs(CompleteAdr)
async def complete_adr(effect: CompleteAdr, job: Job, context: EffectContext) -> None:
    """Write into the file what became of its action items."""
    incident = await context.incident(job)
    if incident.adr is not None and incident.closed_at is not None:
        revision = partial(
            with_items_settled,
            items=items(incident),
            at=incident.closed_at,
            names=await context.names(incident),
        )
        message = f"{incident.adr.name}: the action items of {incident.id} are done"
        service = context.service(incident)
        await context.archive_for(service).revise(service, incident, revision, message)


@performs(AskZone)
async def ask_zone(effect: AskZone, _job: Job, context: EffectContext) -> Zones:
    offsets = {person: await _offset(context, person) for person in effect.people}
    left = [person for person in effect.people if await context.has_left(person)]
    return Zones(offsets=offsets, left=tuple(left))


async def _offset(context: EffectContext, person: str) -> int:
    """Return the seconds that a person's clock is ahead of UTC; 0 where Slack cannot say."""
    try:
        return (await context.people.person(person, None)).offset
    except PortError as error:
        if error.retryable:
            raise
        return 0
