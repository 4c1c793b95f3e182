"""Effects in Slack: channel, topic, invitations, live messages, sentences, the summary."""

import re
from datetime import timedelta

from bot.clients.slack.client import MessageKey
from bot.clients.slack.errors import SlackRefused
from bot.performers.context import EffectContext, other_threads, performs
from bot.store.job import Job
from handlers import views
from handlers.views.text import plain
from phases.failures import was_given_up
from phases.messages.effects import (
    ArchiveChannel,
    Invite,
    OpenChannel,
    Pin,
    PostLive,
    PostSummary,
    Remind,
    Say,
    SetBookmark,
    SetPurpose,
    SetTopic,
)
from phases.messages.results import (
    BookmarkSet,
    ChannelArchived,
    ChannelOpened,
    Invited,
    MessagePosted,
    PeopleLeft,
    PutOffArchive,
)
from phases.ports.ports import PortError
from phases.postmortem import adr
from phases.record.incident import Channel, Incident, MessageRef
from phases.shared.rounds import decision_name
from phases.text.cleaning import unaccented

CHANNEL_LIMIT = 80  # https://docs.slack.dev/reference/methods/conversations.create#naming
GIVE_UP_SECONDS = 10  # rules, When Slack itself gets in the way: 10 s of errors
DECISION_TRIES = 4
"""Some seconds: then the output of a deploy is posted without its decision."""
STILL_TALKING = timedelta(days=1)
"""A channel in which somebody wrote within this time is not archived."""
USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")


def channel_name(incident: Incident) -> str:
    """Return `inc-0042-<slug>`, at most 80 characters of a-z 0-9 - _ (contract: Slack).

    *Höhe* is `hohe`, whichever way its letters are composed, and not `h-he`.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", unaccented(incident.title)).strip("-")
    return f"{incident.id.lower()}-{slug}"[:CHANNEL_LIMIT].rstrip("-")


# --- the channel -----------------------------------------------------------------------------


@performs(OpenChannel)
async def open_channel(effect: OpenChannel, job: Job, context: EffectContext) -> ChannelOpened:
    incident = await context.recent(job)
    if incident.channel is not None:
        return ChannelOpened(channel=incident.channel)
    if incident.in_thread and await context.incidents_channel() is not None:
        return await _open_thread(incident, job, context, None)
    if job.maybe_done and (thread := await _begun_thread(incident, job, context)) is not None:
        return ChannelOpened(channel=thread)
    name = channel_name(incident)
    try:
        id, name = await context.slack.create_channel(
            name, incident.ulid, private=incident.private, since=incident.declared_at
        )
    except PortError as error:
        waited = (await context.redis_now() - job.created).total_seconds()
        refused = isinstance(error, SlackRefused) and not error.retryable
        if not refused and waited < GIVE_UP_SECONDS:
            raise
        # It may be there, and only Slack's answer was lost.
        began = incident.declared_at
        made = None if refused else await context.slack.our_channel(name, incident.ulid, began)
        if made is None:
            return await _open_thread(incident, job, context, error)
        id = made
    return ChannelOpened(channel=Channel(id=id, name=name))


async def _open_thread(
    incident: Incident, job: Job, context: EffectContext, error: PortError | None
) -> ChannelOpened:
    """Begin a thread in place of the channel. A private incident never goes to a public place.

    `error`: why no channel could be opened; None where none is wanted.
    """
    channel = await _place_of_threads(incident, context)
    if channel is None and error is not None:
        raise error
    assert channel is not None  # asked before, where no channel of its own is wanted
    message = views.say(Say(text=f"{incident.id}: {incident.title}"), incident)
    ts = await context.post(job, incident, message, channel)
    thread = _thread(channel, ts)
    return ChannelOpened(channel=thread, reason=error.text if error is not None else "")


async def _begun_thread(incident: Incident, job: Job, context: EffectContext) -> Channel | None:
    """Return the thread that an earlier try began, of which nobody heard.

    People may talk there already: a channel that could be opened by now would be a second place.
    """
    channel = await _place_of_threads(incident, context)
    if channel is None:
        return None
    try:
        ts = await context.find_posted(job, incident, channel)
    except SlackRefused as refused:
        if refused.retryable:
            raise
        return None  # where we may not read, a channel is better than nothing
    return _thread(channel, ts) if ts is not None else None


async def _place_of_threads(incident: Incident, context: EffectContext) -> str | None:
    """Return the channel in which an incident without one of its own has its thread."""
    if not incident.private:
        return await context.incidents_channel()
    if incident.declared_by is not None:
        return await context.slack.direct_message(incident.declared_by)
    return None


def _thread(channel: str, ts: str) -> Channel:
    return Channel(id=channel, name="a thread", thread_ts=ts)


@performs(SetPurpose)
async def set_purpose(effect: SetPurpose, job: Job, context: EffectContext) -> None:
    incident = await context.recent(job)
    channel, thread = context.channel(incident)
    if thread is None:
        title = plain(f"{incident.id}: {incident.title}", 200)
        await context.slack.set_purpose(channel, f"{title} ({incident.ulid})")


@performs(SetTopic)
async def set_topic(effect: SetTopic, job: Job, context: EffectContext) -> None:
    incident = await context.recent(job)
    channel, thread = context.channel(incident)
    if thread is None:
        await context.slack.set_topic(channel, views.topic(incident))


@performs(Invite)
async def invite(effect: Invite, job: Job, context: EffectContext) -> Invited:
    incident = await context.recent(job)
    channel, _ = context.channel(incident)
    failed: list[str] = []
    people = [person for person in effect.people if USER_ID.fullmatch(person)]
    try:
        if effect.owners and not incident.apart:
            people.extend(await context.people.owners(context.service(incident)))
    except PortError as error:
        if error.retryable:
            raise
        failed.append(error.text)
    if effect.members_of is not None:
        people.extend(await context.slack.members(effect.members_of))
    people = list(dict.fromkeys(people))
    not_invited = await context.slack.invite(channel, people)
    failed.extend(f"<@{person}>: {reason}" for person, reason in not_invited.items())
    invited = tuple(person for person in people if person not in not_invited)
    return Invited(people=invited, failed=tuple(failed))


@performs(ArchiveChannel)
async def archive_channel(
    effect: ArchiveChannel, job: Job, context: EffectContext
) -> ChannelArchived | PutOffArchive | None:
    incident = await context.incident(job)
    if incident.open or incident.own_channel is None:
        return None
    channel = incident.own_channel.id
    if await context.slack.talked_since(channel, context.now() - STILL_TALKING):
        return PutOffArchive()
    await context.slack.archive(channel)
    return ChannelArchived(channel=channel)


@performs(SetBookmark)
async def set_bookmark(effect: SetBookmark, job: Job, context: EffectContext) -> BookmarkSet | None:
    incident = await context.recent(job)
    bookmark = incident.bookmarks.get(effect.name)
    channel = incident.own_channel
    if bookmark is None or channel is None:
        return None
    id = await context.slack.bookmark(
        channel.id,
        bookmark_title(effect.name, incident),
        bookmark.link,
        known=bookmark.id,
        maybe_added=job.maybe_done or was_given_up(incident, effect),
    )
    return BookmarkSet(name=effect.name, id=id)


def bookmark_title(name: str, incident: Incident) -> str:
    """Return the title of a bookmark: `Ticket ENG-42`, `ADR-0007`, `Sentry`, `Runbook`."""
    if name == "ticket" and incident.ticket is not None:
        return plain(f"Ticket {incident.ticket.identifier}", 80)
    if name == "adr" and incident.adr is not None:
        return incident.adr.name
    return name.capitalize()


# --- messages --------------------------------------------------------------------------------


@performs(PostLive)
async def post_live(effect: PostLive, job: Job, context: EffectContext) -> MessagePosted | None:
    """Post a live message, once over all effects that want it.

    An earlier effect may have been given up and have posted it for all that: then it is looked for.
    """
    incident = await context.recent(job)
    if effect.name in incident.messages:
        return None
    place = await _place_of_live(effect.name, job, incident, context)
    if place is None:
        return None
    channel, thread = place
    message = await context.render(effect.name, incident, context.now())
    given_up = was_given_up(incident, effect)
    earlier = given_up or job.maybe_done
    key = MessageKey(
        job.incident,
        job.key,
        since=incident.declared_at if given_up else job.created,
        maybe_posted=earlier,
        live=f"{incident.ulid}:{effect.name}",
        threads=other_threads(incident, channel, thread),
    )
    ts = await context.post_once(incident, channel, message, key, thread)
    # What an earlier try posted shows the state of that time, and nobody knows which.
    await context.posted(incident.id, effect.name, None if earlier else message)
    return MessagePosted(name=effect.name, ref=MessageRef(channel=channel, ts=ts))


async def _place_of_live(
    name: str, job: Job, incident: Incident, context: EffectContext
) -> tuple[str, str | None] | None:
    """Return channel and thread of a live message; None where it has no place."""
    channel, thread = context.channel(incident)
    if name == "announcement":
        announcements = await context.incidents_channel()
        return None if announcements is None else (announcements, None)
    if name == "tree":
        thread = thread or _newest_decision(incident)
    elif name.startswith("progress:"):
        thread = thread or _decision_of(incident, int(name.removeprefix("progress:")), job)
    return channel, thread


def _newest_decision(incident: Incident) -> str | None:
    """Return the thread for evidence and small things: of the newest decision that is posted."""
    newest = incident.round
    posted = incident.messages.get(decision_name(newest.number)) if newest else None
    posted = posted or incident.messages.get(decision_name(1))
    return posted.ts if posted else None


def _decision_of(incident: Incident, number: int, job: Job) -> str | None:
    """Return the thread of this round's decision, which may be posted at this moment."""
    posted = incident.messages.get(decision_name(number))
    if posted is None and job.attempt < DECISION_TRIES:
        raise PortError("slack", "the decision is not posted yet", retryable=True)
    return posted.ts if posted is not None else _newest_decision(incident)


@performs(Pin)
async def pin(effect: Pin, job: Job, context: EffectContext) -> None:
    incident = await context.recent(job)
    status = incident.messages.get("status")
    if status is not None:
        await context.slack.pin(status.channel, status.ts)


@performs(Say)
async def say(effect: Say, job: Job, context: EffectContext) -> None:
    incident = await context.recent(job)
    channel, thread = context.channel(incident)
    if effect.goes_to == "announcement":
        announced = incident.messages.get("announcement")
        if announced is None:
            return
        channel, thread = announced.channel, announced.ts
    elif effect.thread and thread is None:
        thread = _newest_decision(incident)
    mentions = () if incident.drill else effect.mention
    people = [person for person in mentions if USER_ID.fullmatch(person)]
    text = effect.text
    if len(people) < len(mentions):
        owners, unknown = await context.owners(incident)
        mentions, text = tuple(dict.fromkeys((*people, *owners))), text + unknown
    message = views.say(effect.model_copy(update={"mention": mentions, "text": text}), incident)
    await context.post(job, incident, message, channel, thread)


@performs(Remind)
async def remind(effect: Remind, job: Job, context: EffectContext) -> PeopleLeft | None:
    incident = await context.incident(job)
    if await context.has_left(effect.who):
        return PeopleLeft(people=(effect.who,))
    try:
        direct_message = await context.slack.direct_message(effect.who)
        await context.post(job, incident, views.reminder(effect.text, incident), direct_message)
    except SlackRefused as refused:
        if refused.retryable:
            raise
        channel, thread = context.channel(incident)
        reminder = Say(text=effect.text, mention=(effect.who,), ask="update")
        await context.post(job, incident, views.say(reminder, incident), channel, thread)
    return None


@performs(PostSummary)
async def post_summary(effect: PostSummary, job: Job, context: EffectContext) -> None:
    incident = await context.incident(job)
    channel, thread = context.channel(incident)
    by = f" by <@{effect.by}>" if effect.by else ""
    heading = "" if effect.said else f"{incident.id} is resolved{by}."
    message = views.summary(adr.summary(incident, await context.names(incident)), heading)
    await context.post(job, incident, message, channel, thread)
