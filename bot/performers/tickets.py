"""Effects in Linear: the ticket, its comments, state and priority, and the action items below it.

Without a key Linear is off, and each of them is done at once.
"""

from dataclasses import dataclass

from bot.clients.linear.client import Linear, NewIssue
from bot.clients.slack.errors import SlackRefused
from bot.performers.context import EffectContext, helps_soon, performs
from bot.store.job import Job
from handlers import views
from phases.coordination.ticket import (
    catch_up_text,
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
from phases.ports.ports import PortError
from phases.postmortem.action_items import items, sub_issue_body, sub_issue_title
from phases.postmortem.adr import summary
from phases.record.documents import ActionItem, SubIssue, Ticket
from phases.record.incident import Incident
from phases.text.markdown import one_line, paragraphs

TITLE_LIMIT = 250  # https://linear.app/docs/creating-issues: a title is one line
TRIES = 3
"""Some seconds: people are told then, and it is tried again by itself (phases/failures.py)."""


@dataclass(frozen=True, slots=True)
class OnTicket:
    """An incident with a ticket, while Linear is set up."""

    incident: Incident
    tickets: Linear
    ticket: Ticket

    @property
    def public(self) -> bool:
        return not self.incident.private


async def on_ticket(job: Job, context: EffectContext) -> OnTicket | None:
    """Return the newest state with its ticket; None without a ticket, or while Linear is off."""
    incident = await context.incident(job)
    if context.tickets is None or incident.ticket is None:
        return None
    return OnTicket(incident, context.tickets, incident.ticket)


async def _prose(context: EffectContext, text: str) -> str:
    """Return the Markdown that shows these words as they are, whoever wrote them."""
    return paragraphs(await context.people.plain(text), {})


# --- the ticket ------------------------------------------------------------------------------


@performs(OpenTicket)
async def open_ticket(effect: OpenTicket, job: Job, context: EffectContext) -> TicketOpened | None:
    incident = await context.incident(job)
    tickets, service = context.tickets, context.service(incident)
    if incident.ticket is not None or tickets is None or service.linear_team is None:
        return None
    body = await _prose(context, ticket_body(incident))
    try:
        named = incident.escalated if not incident.private else None
        parent = await tickets.find(named) if named else None
        new = NewIssue(f"{incident.ulid}:ticket", ticket_title(incident), body)
        priority = wanted_priority(incident)
        ticket = await tickets.open(service, new, priority=priority, parent=parent)
    except PortError as error:
        raise _final_when_it_lasts(error, job) from error
    return TicketOpened(ticket=ticket, parent=parent)


def _final_when_it_lasts(error: PortError, job: Job) -> PortError:
    """Return the error; one that has lasted, or will last, as one that people are told of now."""
    if not error.retryable or helps_soon(error, job, TRIES):
        return error
    return PortError(error.system, error.text)


@performs(AttachToTicket)
async def attach(effect: AttachToTicket, job: Job, context: EffectContext) -> EffectDone:
    on = await on_ticket(job, context)
    if on is not None and on.public:
        key = f"{on.incident.ulid}:{effect.url}"
        await on.tickets.attach(on.ticket, key=key, url=effect.url, title=effect.title)
    return EffectDone(kind=effect.type, about=effect.url)


@performs(AttachChannel)
async def attach_channel(effect: AttachChannel, job: Job, context: EffectContext) -> None:
    on = await on_ticket(job, context)
    if on is None or on.incident.channel is None:
        return
    status = on.incident.messages.get("status")
    url = await context.slack.permalink(status.channel, status.ts) if status else None
    if url is not None:
        name = "a private channel" if on.incident.private else on.incident.channel.name
        title = f"Slack: {name}" if name.startswith("a ") else f"Slack: #{name}"
        key = f"{on.incident.ulid}:channel"
        await on.tickets.attach(on.ticket, key=key, url=url, title=title)


@performs(CommentTicket)
async def comment(effect: CommentTicket, job: Job, context: EffectContext) -> None:
    on = await on_ticket(job, context)
    if on is not None and on.public:
        behind = any(failure.kind == "ticket.catch_up" for failure in on.incident.failures)
        if not behind:  # otherwise the one comment that catches up says this, too
            await _comment(on, effect.text, job, context)


@performs(CatchUp)
async def catch_up(effect: CatchUp, job: Job, context: EffectContext) -> None:
    """Say everything that could not be said while Linear was away, in one comment.

    Comments that are wanted meanwhile, or were since an earlier try, are left to this one: its text
    is mended until it says them, too.
    """
    on = await on_ticket(job, context)
    if on is None or not on.public:
        return
    text = await _missed(effect, on, context)
    written = text if await _comment(on, text, job, context) else ""
    while (text := await _missed(effect, on, context)) != written:
        key, body = _comment_key(on, job), await _prose(context, text)
        await on.tickets.mend_comment(key=key, body=body)
        written = text


async def _missed(effect: CatchUp, on: OnTicket, context: EffectContext) -> str:
    return catch_up_text(await context.dispatcher.timeline(on.incident.id), effect.since)


@performs(CommentParent)
async def comment_parent(effect: CommentParent, job: Job, context: EffectContext) -> None:
    incident = await context.incident(job)
    if incident.parent is not None and context.tickets is not None and not incident.private:
        parent = OnTicket(incident, context.tickets, incident.parent)
        await _comment(parent, effect.text, job, context)


def _comment_key(on: OnTicket, job: Job) -> str:
    return f"{on.incident.ulid}:{job.key}"


async def _comment(on: OnTicket, text: str, job: Job, context: EffectContext) -> bool:
    """Comment once for each effect. Return False where an earlier try did."""
    key, body = _comment_key(on, job), await _prose(context, text)
    return await on.tickets.comment(on.ticket, key=key, body=body)


@performs(SyncTicket)
async def sync(
    effect: SyncTicket, job: Job, context: EffectContext
) -> TicketSynced | TicketLooked | None:
    on = await on_ticket(job, context)
    return None if on is None else await _sync(on, effect.type)


@performs(CloseTicket)
async def close_ticket(
    effect: CloseTicket, job: Job, context: EffectContext
) -> TicketSynced | TicketLooked | None:
    """Say the resolution before the state changes: people who hear of the state find it there."""
    on = await on_ticket(job, context)
    if on is None:
        return None
    if not effect.cancelled and on.public:
        body = f"```\n{summary(on.incident, await context.names(on.incident))}\n```"
        key = f"{on.incident.ulid}:{job.key}:resolution"
        await on.tickets.comment(on.ticket, key=key, body=body)
    return await _sync(on, effect.type)


async def _sync(on: OnTicket, kind: str) -> TicketSynced | TicketLooked:
    """Write state and priority where they differ.

    Linear is asked first: what a person has moved meanwhile is not overwritten.
    """
    issues = await on.tickets.look(on.ticket.id)
    if not issues:
        raise PortError("Linear", f"{on.ticket.identifier} is not there any more")
    issue, incident = issues[0], on.incident
    if people_moved(incident, issue):
        return TicketLooked(issues=tuple(issues))
    wanted = wanted_state(incident)
    state = None if state_fits(wanted, issue.state) else wanted
    priority = wanted_priority(incident)
    if issue.priority == priority:
        priority = None
    if state is None and priority is None:
        return TicketSynced(issue=issue, kind=kind)
    written = await on.tickets.move(on.ticket.id, state=state, priority=priority)
    changes = {"state": state, "priority": priority}
    wrote = [field for field, value in changes.items() if value is not None]
    return TicketSynced.model_validate({"issue": written, "wrote": wrote, "kind": kind})


@performs(LookAtTicket)
async def look_at_ticket(
    effect: LookAtTicket, job: Job, context: EffectContext
) -> TicketLooked | None:
    on = await on_ticket(job, context)
    if on is None:
        return None
    return TicketLooked(issues=tuple(await on.tickets.look(on.ticket.id)))


# --- action items ----------------------------------------------------------------------------


@performs(OpenItems)
async def open_items(effect: OpenItems, job: Job, context: EffectContext) -> ItemsOpened | None:
    on = await on_ticket(job, context)
    if on is None:
        return None
    link = await _link_to_items(on.incident, context) if on.incident.private else ""
    opened: dict[int, SubIssue] = {}
    for number, item in enumerate(items(on.incident), 1):
        if item.open and item.ticket is None:
            opened[number] = await _open_item(on, context, number, item, link)
    return ItemsOpened(issues=opened)


async def _open_item(
    on: OnTicket, context: EffectContext, number: int, item: ActionItem, link: str
) -> SubIssue:
    name = await context.people.name(item.person) if item.person else item.owner
    email = await context.people.email(item.person) if item.person else None
    title = await context.people.plain(sub_issue_title(on.incident, number, item))
    new = NewIssue(
        f"{on.incident.ulid}:item:{number}",
        one_line(title, {}, TITLE_LIMIT),
        await _prose(context, sub_issue_body(on.incident, item, link)),
    )
    assignee = await on.tickets.person(name=name, email=email)
    return await on.tickets.open_item(on.ticket, new, due=item.due, assignee=assignee)


async def _link_to_items(incident: Incident, context: EffectContext) -> str:
    """Return a link to the list of items in the channel: it leads its members alone there."""
    message = incident.messages.get("items") or incident.messages.get("status")
    if message is None:
        return ""
    return await context.slack.permalink(message.channel, message.ts) or ""


@performs(SyncItem)
async def sync_item(effect: SyncItem, job: Job, context: EffectContext) -> ItemSynced | EffectDone:
    every = items(await context.incident(job))
    item = every[effect.number - 1] if effect.number <= len(every) else None
    if item is None or item.ticket is None or context.tickets is None:
        return EffectDone(kind=effect.type, about=str(effect.number))
    state = "completed" if item.done else "canceled" if item.dropped else "unstarted"
    issue = await context.tickets.move(item.ticket.id, state=state)
    return ItemSynced(number=effect.number, issue=issue)


@performs(RemindOwner)
async def remind_owner(effect: RemindOwner, job: Job, context: EffectContext) -> None:
    """Remind in a direct message; where that is not possible, in the channel.

    A reminder of a private incident always goes to its channel, where its members are.
    """
    incident = await context.incident(job)
    direct = None
    if effect.person and not incident.private:
        direct = await _direct_message(context, effect.person)
    channel, thread = (direct, None) if direct else context.channel(incident)
    mention = None if direct else effect.person
    message = views.overdue(incident, effect.numbers, effect.day, mention=mention)
    await context.post(job, incident, message, channel, thread)


async def _direct_message(context: EffectContext, person: str) -> str | None:
    """Return the channel of a direct message; None where Slack does not let us write to them."""
    try:
        return await context.slack.direct_message(person)
    except SlackRefused as refused:
        if refused.retryable:
            raise
        return None
