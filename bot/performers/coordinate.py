"""Effects of coordination: ticket, Discord, pages, memory. A system without settings is off, and nothing fails."""

from __future__ import annotations

from bot.performers.kit import JobLike, Kit, Performer
from handlers import views
from phases.actions import DiscordPosted, EffectDone, Paged, Remembered, TicketOpened
from phases.coordination import discord_text, ticket_body, ticket_title
from phases.effects import (
    AttachToTicket,
    CloseTicket,
    CommentParent,
    CommentTicket,
    OpenTicket,
    Page,
    Remember,
    Say,
    TellDiscord,
)
from phases.ports import PortError
from phases.privacy import page_text

PAGER_TRIES = 3
"""Some seconds: who is not paged is mentioned then, because a page that comes after 15 minutes of trying comes too late."""

TICKET_TRIES = 3
"""Some seconds as well: people are told then, and it is tried again by itself (phases/failures.py)."""


def coordinating(kit: Kit) -> dict[str, Performer]:
    async def open_ticket(effect: OpenTicket, job: JobLike) -> TicketOpened | EffectDone:
        incident = await kit.incident(job)
        service = kit.service(incident)
        if incident.ticket is not None or kit.tickets is None or service.linear_team is None:
            return EffectDone(kind=effect.type)
        body = await kit.people.plain(ticket_body(incident))
        key, title = f"{incident.ulid}:ticket", ticket_title(incident)
        try:
            named = incident.escalated if not incident.private else None
            parent = await kit.tickets.find(named) if named else None
            ticket = await kit.tickets.open(service, key=key, title=title, body=body, parent=parent)
            return TicketOpened(ticket=ticket, parent=parent)
        except PortError as error:
            if error.retryable and job.attempt >= TICKET_TRIES:
                raise PortError(error.system, error.text, retryable=False) from error
            raise

    async def attach(effect: AttachToTicket, job: JobLike) -> EffectDone:
        incident = await kit.incident(job)
        if incident.ticket is not None and kit.tickets is not None and not incident.private:
            key = f"{incident.ulid}:{effect.url}"
            await kit.tickets.attach(incident.ticket, key=key, url=effect.url, title=effect.title)
        return EffectDone(kind=effect.type)

    async def comment(effect: CommentTicket, job: JobLike) -> EffectDone:
        incident = await kit.incident(job)
        if incident.ticket is not None and kit.tickets is not None and not incident.private:
            body = await kit.people.plain(effect.text)
            await kit.tickets.comment(incident.ticket, key=f"{incident.ulid}:{job.effect_id}", body=body)
        return EffectDone(kind=effect.type)

    async def comment_parent(effect: CommentParent, job: JobLike) -> EffectDone:
        incident = await kit.incident(job)
        if incident.parent is not None and kit.tickets is not None and not incident.private:
            body = await kit.people.plain(effect.text)
            await kit.tickets.comment(incident.parent, key=f"{incident.ulid}:{job.effect_id}", body=body)
        return EffectDone(kind=effect.type)

    async def close_ticket(effect: CloseTicket, job: JobLike) -> EffectDone:
        incident = await kit.incident(job)
        if incident.ticket is not None and kit.tickets is not None:
            await kit.tickets.close(kit.service(incident), incident.ticket, cancelled=effect.cancelled)
        return EffectDone(kind=effect.type)

    async def discord(effect: TellDiscord, job: JobLike) -> DiscordPosted | EffectDone:
        incident = await kit.incident(job)
        if kit.announcer is None or incident.apart:
            return EffectDone(kind=effect.type)
        text = await kit.people.plain(discord_text(incident))
        if incident.discord_id is not None:
            await kit.announcer.edit(incident.discord_id, text)
            return EffectDone(kind=effect.type)
        return DiscordPosted(id=await kit.announcer.post(text))

    async def page(effect: Page, job: JobLike) -> Paged:
        incident = await kit.incident(job)
        via = "mention"
        if incident.drill:
            return Paged(key=effect.key, via="nobody: a drill")
        if kit.pager is not None:
            key = f"{incident.ulid}:{effect.key}"
            text = await kit.people.plain(page_text(incident, effect.text))
            try:
                await kit.pager.page(key=key, text=text, severity="critical", url=None)
            except PortError as error:
                if error.retryable and job.attempt < PAGER_TRIES:
                    raise
                via = f"mention, because {error.system} failed: {error.text}"
            else:
                return Paged(key=effect.key, via="PagerDuty")
        channel, thread = kit.channel(incident)
        owners = tuple(await kit.people.owners(kit.service(incident)))
        message = views.say(Say(text=effect.text, mention=owners), incident)
        await kit.post(job, message, channel, thread)
        return Paged(key=effect.key, via=via)

    async def remember(effect: Remember, job: JobLike) -> Remembered:
        """Asked for by an older version: the commit of the answer brings the memory with it, as every commit does."""
        del effect, job
        return Remembered()

    return {
        "ticket.open": open_ticket,
        "ticket.attach": attach,
        "ticket.comment": comment,
        "ticket.parent": comment_parent,
        "ticket.close": close_ticket,
        "discord": discord,
        "page": page,
        "remember": remember,
    }
