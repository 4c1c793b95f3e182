"""Effects in Linear: the ticket, what is said on it, its state and priority, and the action items below it. Off without a key."""

from __future__ import annotations

from bot.clients.slack.errors import SlackRefused
from bot.performers.context import EffectContext, JobLike, Performer
from handlers import views
from phases.coordination.ticket import (
    meanwhile,
    people_moved,
    state_fits,
    ticket_body,
    ticket_title,
    wanted_priority,
    wanted_state,
)
from phases.messages.effects import (
    AttachChannel,
    AttachToTicket,
    CatchUp,
    CloseTicket,
    CommentParent,
    CommentTicket,
    LookAtTicket,
    OpenItems,
    OpenTicket,
    RemindOwner,
    SyncItem,
    SyncTicket,
)
from phases.messages.results import (
    EffectDone,
    ItemsOpened,
    ItemSynced,
    TicketLooked,
    TicketOpened,
    TicketSynced,
)
from phases.ports.coordination import Tickets
from phases.ports.ports import PortError
from phases.postmortem.action_items import items, sub_issue_body, sub_issue_title
from phases.postmortem.adr import summary
from phases.record.documents import ActionItem, SubIssue, Ticket
from phases.record.incident import Incident
from phases.record.markdown import one_line, paragraphs

TITLE_LIMIT = 250  # https://linear.app/docs/creating-issues: a title is one line
TRIES = 3
"""Some seconds: people are told then, and it is tried again by itself (phases/failures.py)."""
PATIENCE_SECONDS = 10.0
"""Where Linear asks us to wait for longer than this, people are told at once."""


def ticketing(ctx: EffectContext) -> dict[str, Performer]:
    async def prose(text: str) -> str:
        """Linear's descriptions and comments are Markdown; whoever wrote the words, they stay words."""
        return paragraphs(await ctx.people.plain(text), {})

    async def on_ticket(job: JobLike) -> tuple[Incident, Tickets | None, Ticket | None]:
        """The newest state, and its ticket where there is one and Linear is set up."""
        incident = await ctx.incident(job)
        return incident, ctx.tickets, incident.ticket if ctx.tickets is not None else None

    async def open_ticket(effect: OpenTicket, job: JobLike) -> TicketOpened | EffectDone:
        incident, tickets, ticket = await on_ticket(job)
        service = ctx.service(incident)
        if ticket is not None or tickets is None or service.linear_team is None:
            return EffectDone(kind=effect.type)
        body = await prose(ticket_body(incident))
        key, title = f"{incident.ulid}:ticket", ticket_title(incident)
        try:
            named = incident.escalated if not incident.private else None
            parent = await tickets.find(named) if named else None
            opened = await tickets.open(
                service,
                key=key,
                title=title,
                body=body,
                priority=wanted_priority(incident),
                parent=parent,
            )
        except PortError as error:
            raise _said_soon(error, job) from error
        return TicketOpened(ticket=opened, parent=parent)

    async def attach(effect: AttachToTicket, job: JobLike) -> EffectDone:
        incident, tickets, ticket = await on_ticket(job)
        if ticket is not None and tickets is not None and not incident.private:
            await tickets.attach(
                ticket, key=f"{incident.ulid}:{effect.url}", url=effect.url, title=effect.title
            )
        return EffectDone(kind=effect.type, about=effect.url)

    async def attach_channel(effect: AttachChannel, job: JobLike) -> EffectDone:
        incident, tickets, ticket = await on_ticket(job)
        status = incident.messages.get("status")
        if (
            ticket is not None
            and tickets is not None
            and status is not None
            and incident.channel is not None
        ):
            url = await ctx.slack.permalink(status.channel, status.ts)
            if url is not None:
                name = "a private channel" if incident.private else incident.channel.name
                title = f"Slack: {name}" if name.startswith("a ") else f"Slack: #{name}"
                await tickets.attach(ticket, key=f"{incident.ulid}:channel", url=url, title=title)
        return EffectDone(kind=effect.type)

    async def comment(effect: CommentTicket, job: JobLike) -> EffectDone:
        incident, tickets, ticket = await on_ticket(job)
        behind = any(failure.kind == "ticket.catch_up" for failure in incident.failures)
        if ticket is not None and tickets is not None and not incident.private and not behind:
            body = await prose(effect.text)
            await tickets.comment(ticket, key=f"{incident.ulid}:{job.effect_id}", body=body)
        return EffectDone(kind=effect.type)

    async def catch_up(effect: CatchUp, job: JobLike) -> EffectDone:
        """Everything that could not be said while Linear was away, in one comment."""
        incident, tickets, ticket = await on_ticket(job)
        if ticket is not None and tickets is not None and not incident.private:
            said = meanwhile(await ctx.dispatcher.timeline(incident.id), effect.since)
            body = await prose(said)
            await tickets.comment(ticket, key=f"{incident.ulid}:{job.effect_id}", body=body)
        return EffectDone(kind=effect.type)

    async def comment_parent(effect: CommentParent, job: JobLike) -> EffectDone:
        incident, tickets, _ = await on_ticket(job)
        if incident.parent is not None and tickets is not None and not incident.private:
            body = await prose(effect.text)
            await tickets.comment(
                incident.parent, key=f"{incident.ulid}:{job.effect_id}", body=body
            )
        return EffectDone(kind=effect.type)

    async def sync(
        effect: SyncTicket | CloseTicket, job: JobLike
    ) -> TicketSynced | TicketLooked | EffectDone:
        """Looks first: what a person has moved meanwhile is heard before anything is written over it."""
        incident, tickets, ticket = await on_ticket(job)
        if ticket is None or tickets is None:
            return EffectDone(kind=effect.type)
        seen = await tickets.look(ticket.id)
        if not seen:
            raise PortError("Linear", f"{ticket.identifier} is not there any more", retryable=False)
        if people_moved(incident, seen[0]):
            return TicketLooked(issues=tuple(seen))
        state = (
            None if state_fits(wanted_state(incident), seen[0].state) else wanted_state(incident)
        )
        priority = (
            None if seen[0].priority == wanted_priority(incident) else wanted_priority(incident)
        )
        if state is None and priority is None:
            return TicketSynced(issue=seen[0], kind=effect.type)
        written = await tickets.move(ticket.id, state=state, priority=priority)
        wrote = [
            field
            for field, value in (("state", state), ("priority", priority))
            if value is not None
        ]
        return TicketSynced.model_validate({"issue": written, "wrote": wrote, "kind": effect.type})

    async def close_ticket(
        effect: CloseTicket, job: JobLike
    ) -> TicketSynced | TicketLooked | EffectDone:
        """The resolution is said before the state changes: who is told that it is done finds there why."""
        incident, tickets, ticket = await on_ticket(job)
        if (
            ticket is not None
            and tickets is not None
            and not effect.cancelled
            and not incident.private
        ):
            body = f"```\n{summary(incident, await ctx.names(incident))}\n```"
            await tickets.comment(
                ticket, key=f"{incident.ulid}:{job.effect_id}:resolution", body=body
            )
        return await sync(effect, job)

    async def look(effect: LookAtTicket, job: JobLike) -> TicketLooked | EffectDone:
        _, tickets, ticket = await on_ticket(job)
        if ticket is None or tickets is None:
            return EffectDone(kind=effect.type)
        return TicketLooked(issues=tuple(await tickets.look(ticket.id)))

    # --- action items ------------------------------------------------------------------------------------------

    async def open_items(effect: OpenItems, job: JobLike) -> ItemsOpened | EffectDone:
        incident, tickets, ticket = await on_ticket(job)
        if ticket is None or tickets is None:
            return EffectDone(kind=effect.type)
        where = await _place(incident) if incident.private else ""
        made: dict[int, SubIssue] = {}
        for number, one in enumerate(items(incident), 1):
            if one.open and one.ticket is None:
                made[number] = await _sub_issue(tickets, incident, ticket, number, one, where)
        return ItemsOpened(issues=made)

    async def _sub_issue(
        tickets: Tickets,
        incident: Incident,
        ticket: Ticket,
        number: int,
        one: ActionItem,
        where: str,
    ) -> SubIssue:
        name = await ctx.people.name(one.person) if one.person else one.owner
        email = await ctx.people.email(one.person) if one.person else None
        return await tickets.open_item(
            ctx.service(incident),
            ticket,
            key=f"{incident.ulid}:item:{number}",
            title=one_line(
                await ctx.people.plain(sub_issue_title(incident, number, one)), {}, TITLE_LIMIT
            ),
            body=await prose(sub_issue_body(incident, one, where)),
            due=one.due,
            assignee=await tickets.person(name=name, email=email),
        )

    async def _place(incident: Incident) -> str:
        """Leads its members to the list of items; nobody else gets anything from it."""
        told = incident.messages.get("items") or incident.messages.get("status")
        return (await ctx.slack.permalink(told.channel, told.ts) or "") if told is not None else ""

    async def sync_item(effect: SyncItem, job: JobLike) -> ItemSynced | EffectDone:
        incident, tickets, _ = await on_ticket(job)
        every = items(incident)
        one = every[effect.number - 1] if effect.number <= len(every) else None
        if one is None or one.ticket is None or tickets is None:
            return EffectDone(kind=effect.type, about=f'"number":{effect.number}')
        state = "completed" if one.done else "canceled" if one.dropped else "unstarted"
        return ItemSynced(
            number=effect.number, issue=await tickets.move(one.ticket.id, state=state)
        )

    async def remind(effect: RemindOwner, job: JobLike) -> EffectDone:
        """In a direct message; where that cannot be, and of a private incident always, in its channel: there are its members."""
        incident = await ctx.incident(job)
        direct = await _direct(effect.person) if effect.person and not incident.private else None
        place, thread = (direct, None) if direct else ctx.channel(incident)
        mention = None if direct else effect.person
        await ctx.post(
            job, views.overdue(incident, effect.numbers, effect.day, mention=mention), place, thread
        )
        return EffectDone(kind=effect.type)

    async def _direct(person: str) -> str | None:
        """None where Slack does not let us write to them: they left, or never were there."""
        try:
            return await ctx.slack.direct_message(person)
        except SlackRefused as refused:
            if refused.retryable:
                raise
            return None

    return {
        "ticket.open": open_ticket,
        "ticket.attach": attach,
        "ticket.channel": attach_channel,
        "ticket.comment": comment,
        "ticket.catch_up": catch_up,
        "ticket.parent": comment_parent,
        "ticket.sync": sync,
        "ticket.close": close_ticket,
        "ticket.look": look,
        "items.open": open_items,
        "items.sync": sync_item,
        "items.remind": remind,
    }


def _said_soon(error: PortError, job: JobLike) -> PortError:
    """The same error; one that has lasted, or will last, is told to people now."""
    lasts = job.attempt >= TRIES or (error.retry_after or 0) > PATIENCE_SECONDS
    return (
        PortError(error.system, error.text, retryable=False) if error.retryable and lasts else error
    )
