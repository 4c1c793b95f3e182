"""Effects of the post-mortem: its number, its file (written, written again, brought up to date), and when its writer's morning is."""

from __future__ import annotations

from functools import partial

from bot.performers.context import EffectContext, JobLike, Performer
from phases.messages.effects import AskZone, CompleteAdr, NumberAdr, ReviseAdr, WriteAdr
from phases.messages.results import AdrNumbered, AdrWritten, EffectDone, Zones
from phases.ports.ports import Archive, NotSetUp, PortError
from phases.postmortem.action_items import items
from phases.postmortem.adr import adr_text, up_to_date
from phases.postmortem.adr_status import completed
from phases.record.incident import Incident
from phases.record.privacy import outside
from phases.record.wording import stamp


def writing(ctx: EffectContext) -> dict[str, Performer]:
    def archive() -> Archive:
        if ctx.archive is None:
            raise NotSetUp("git", "no place for post-mortems is set up (`adr` in the catalogue)")
        return ctx.archive

    async def number_adr(effect: NumberAdr, job: JobLike) -> AdrNumbered:
        """The next number that neither the directory nor another incident's claim holds."""
        incident = await ctx.incident(job)
        service = ctx.service(incident)
        repository = archive().repository(service)
        number = max(await archive().highest(service), effect.above) + 1
        while await ctx.claimed(f"adr:{repository}:{number}") not in (None, incident.id):
            number += 1
        return AdrNumbered(repository=repository, number=number)

    async def adr(incident: Incident, number: int) -> str:
        """The whole file, in the folder's own shape."""
        entries = [] if incident.private else await ctx.dispatcher.timeline(incident.id)
        incident = outside(incident)
        names = await ctx.names(incident, entries)
        return adr_text(
            incident, entries, number, names, await archive().template(ctx.service(incident))
        )

    async def write_adr(effect: WriteAdr, job: JobLike) -> AdrWritten:
        """Of an incident that went on after it was written: the same file anew."""
        incident = await ctx.incident(job)
        if incident.adr is not None:
            return AdrWritten(adr=incident.adr)
        text, service = await adr(incident, effect.number), ctx.service(incident)
        incident = outside(incident)  # the file's name and what Git says of it, too
        before = incident.adr_before
        if before is None:
            return AdrWritten(adr=await archive().write(service, incident, effect.number, text))
        sent = incident.postmortem.at if incident.postmortem else ctx.now()
        known = incident.model_copy(update={"adr": before})
        url = await archive().revise(
            service, known, lambda _: text, f"{before.name}: written again {stamp(sent)}"
        )
        return AdrWritten(adr=before.model_copy(update={"url": url or before.url}))

    async def revise_adr(effect: ReviseAdr, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        number = incident.adr.number if incident.adr else 0
        names, shown = await ctx.names(incident), outside(incident)
        if number:
            why = f"ADR-{number:04d}: recovery of {incident.id} is verified"
            await archive().revise(
                ctx.service(incident),
                shown,
                lambda text: up_to_date(text, shown, number, names),
                why,
            )
        return EffectDone(kind=effect.type)

    async def complete_adr(effect: CompleteAdr, job: JobLike) -> EffectDone:
        """The file says what became of its action items."""
        incident = await ctx.incident(job)
        if incident.adr is not None and incident.closed_at is not None:
            done = partial(
                completed,
                items=items(incident),
                at=incident.closed_at,
                names=await ctx.names(incident),
            )
            why = f"{incident.adr.name}: the action items of {incident.id} are done"
            await archive().revise(ctx.service(incident), incident, done, why)
        return EffectDone(kind=effect.type)

    async def ask_zone(effect: AskZone, job: JobLike) -> Zones:
        return Zones(offsets={person: await offset(person) for person in effect.people})

    async def offset(person: str) -> int:
        """Where Slack cannot say, it is nine in UTC."""
        try:
            return (await ctx.people.person(person, None)).offset
        except PortError as error:
            if error.retryable:
                raise
            return 0

    return {
        "adr.number": number_adr,
        "adr.write": write_adr,
        "adr.revise": revise_adr,
        "adr.complete": complete_adr,
        "zone": ask_zone,
    }
