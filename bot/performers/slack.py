"""Effects in Slack: channel, topic, invitations, live messages, sentences, the summary."""

from __future__ import annotations

import re
from datetime import timedelta

from bot.clients.slack.errors import SlackRefused
from bot.performers.context import EffectContext, JobLike, Performer
from handlers import views
from handlers.views.text import plain
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
    SetTopic,
)
from phases.messages.results import (
    BookmarkSet,
    ChannelArchived,
    ChannelOpened,
    EffectDone,
    Invited,
    MessagePosted,
    Pinned,
    PutOffArchive,
)
from phases.ports.ports import PortError
from phases.postmortem import adr
from phases.record.incident import Channel, Incident, MessageRef
from phases.steps.rounds import decision_name

CHANNEL_LIMIT = 80  # https://docs.slack.dev/reference/methods/conversations.create#naming
GIVE_UP_SECONDS = 10  # rules, When Slack itself gets in the way: 10 s of errors
DECISION_TRIES = 4
"""Some seconds: then its output is posted without its decision."""
NO_CHANNEL = frozenset(
    {
        "restricted_action",
        "limit_exceeded",
        "too_many_channels",
        "user_is_restricted",
        "missing_scope",
    }
)


def channel_name(incident: Incident) -> str:
    """`inc-0042-<slug>`, at most 80 characters of a-z 0-9 - _ (contract: Slack)."""
    slug = re.sub(r"[^a-z0-9]+", "-", incident.title.lower()).strip("-")
    return f"{incident.id.lower()}-{slug}"[:CHANNEL_LIMIT].rstrip("-")


def _newest_decision(incident: Incident) -> str | None:
    """Where evidence and small things go: the thread of the newest decision that is posted."""
    newest = incident.round
    posted = incident.messages.get(decision_name(newest.number)) if newest else None
    posted = posted or incident.messages.get(decision_name(1))
    return posted.ts if posted else None


def _decision_of(incident: Incident, number: str, job: JobLike) -> str | None:
    """The thread of this round's decision, which may be posted at this moment."""
    posted = incident.messages.get(decision_name(int(number)))
    if posted is None and job.attempt < DECISION_TRIES:
        raise PortError("slack", "the decision is not posted yet", retryable=True)
    return posted.ts if posted is not None else _newest_decision(incident)


STILL_TALKING = timedelta(
    days=1
)  # a channel in which somebody wrote within the last day is not archived


def bookmark_title(name: str, incident: Incident) -> str:
    """What a bookmark is called: `Ticket ENG-42`, `ADR-0007`, `Sentry`, `Runbook`."""
    if name == "ticket" and incident.ticket is not None:
        return plain(f"Ticket {incident.ticket.identifier}", 80)
    if name == "adr" and incident.adr is not None:
        return incident.adr.name
    return name.capitalize()


def speaking(ctx: EffectContext) -> dict[str, Performer]:
    async def open_channel(effect: OpenChannel, job: JobLike) -> ChannelOpened:
        incident = await ctx.incident(job)
        if incident.channel is not None:
            return ChannelOpened(channel=incident.channel)
        try:
            id, name = await ctx.slack.create_channel(
                channel_name(incident),
                purpose=f"{plain(f'{incident.id}: {incident.title}', 200)} ({incident.ulid})",
                marker=incident.ulid,
                private=incident.private,
                since=job.created,
            )
        except PortError as error:
            waited = (ctx.now() - job.created).total_seconds()
            refused = isinstance(error, SlackRefused) and error.error in NO_CHANNEL
            if not refused and waited < GIVE_UP_SECONDS:
                raise
            made = (
                None
                if refused
                else await ctx.slack.our_channel(channel_name(incident), incident.ulid, job.created)
            )
            if made is None:
                return await _in_a_thread(incident, job, error)
            id, name = (
                made,
                channel_name(incident),
            )  # it is there, and only its purpose could not be set
        return ChannelOpened(channel=Channel(id=id, name=name))

    async def _in_a_thread(incident: Incident, job: JobLike, error: PortError) -> ChannelOpened:
        """A private incident never falls back to a public place."""
        if incident.private:
            if incident.declared_by is None:
                raise error
            channel = await ctx.slack.direct_message(incident.declared_by)
        else:
            found = await ctx.incidents_channel()
            if found is None:
                raise error
            channel = found
        text = f"{incident.id}: {incident.title}"
        message = views.say(Say(text=text), incident)
        ts = await ctx.post(job, message, channel)
        return ChannelOpened(
            channel=Channel(id=channel, name="a thread", thread_ts=ts), reason=error.text
        )

    async def set_topic(effect: SetTopic, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        channel, thread = ctx.channel(incident)
        if thread is None:
            await ctx.slack.set_topic(channel, views.topic(incident))
        return EffectDone(kind=effect.type)

    async def invite(effect: Invite, job: JobLike) -> Invited:
        incident = await ctx.incident(job)
        channel, _ = ctx.channel(incident)
        failed: list[str] = []
        people = [one for one in effect.people if re.fullmatch(r"[UW][A-Z0-9]{2,}", one)]
        try:
            if effect.owners and not incident.apart:
                people.extend(await ctx.people.owners(ctx.service(incident)))
        except PortError as error:
            if error.retryable:
                raise
            failed.append(error.text)
        if effect.members_of is not None:
            people.extend(await ctx.slack.members(effect.members_of))
        people = list(dict.fromkeys(people))
        not_invited = await ctx.slack.invite(channel, people)
        failed.extend(f"<@{who}>: {why}" for who, why in not_invited.items())
        return Invited(
            people=tuple(p for p in people if p not in not_invited), failed=tuple(failed)
        )

    async def archive(
        effect: ArchiveChannel, job: JobLike
    ) -> ChannelArchived | PutOffArchive | EffectDone:
        incident = await ctx.incident(job)
        if incident.open or incident.channel is None or incident.channel.thread_ts is not None:
            return EffectDone(kind=effect.type)
        channel = incident.channel.id
        if await ctx.slack.talked_since(channel, ctx.now() - STILL_TALKING):
            return PutOffArchive()
        await ctx.slack.archive(channel)
        return ChannelArchived(channel=channel)

    async def bookmark(effect: SetBookmark, job: JobLike) -> BookmarkSet | EffectDone:
        incident = await ctx.incident(job)
        mark = incident.bookmarks.get(effect.name)
        if mark is None or incident.channel is None or incident.channel.thread_ts is not None:
            return EffectDone(kind=effect.type)
        title = bookmark_title(effect.name, incident)
        id = await ctx.slack.bookmark(
            incident.channel.id, title, mark.link, known=mark.id, maybe_added=job.attempt > 1
        )
        return BookmarkSet(name=effect.name, id=id)

    async def post_live(effect: PostLive, job: JobLike) -> MessagePosted | EffectDone:
        incident = await ctx.incident(job)
        if effect.name in incident.messages:
            return EffectDone(kind=effect.type)
        channel, thread = ctx.channel(incident)
        if effect.name == "announcement":
            found = await ctx.incidents_channel()
            if found is None:
                return EffectDone(kind=effect.type)
            channel, thread = found, None
        elif effect.name in ("tree", "evidence"):
            thread = thread or _newest_decision(incident)
        elif effect.name.startswith("progress:"):
            thread = thread or _decision_of(incident, effect.name.removeprefix("progress:"), job)
        message = await ctx.render(effect.name, incident, ctx.now())
        ts = await ctx.post_live(job, incident, effect, message, channel, thread)
        await ctx.posted(incident.id, effect.name, message)
        return MessagePosted(name=effect.name, ref=MessageRef(channel=channel, ts=ts))

    async def pin(effect: Pin, job: JobLike) -> Pinned | EffectDone:
        incident = await ctx.incident(job)
        status = incident.messages.get("status")
        if status is None:
            return EffectDone(kind=effect.type)
        await ctx.slack.pin(status.channel, status.ts)
        return Pinned()

    async def say(effect: Say, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        channel, thread = ctx.channel(incident)
        if effect.goes_to == "announcement":
            announced = incident.messages.get("announcement")
            if announced is None:
                return EffectDone(kind=effect.type)
            channel, thread = announced.channel, announced.ts
        elif effect.thread and thread is None:
            thread = _newest_decision(incident)
        mentions = () if incident.drill else effect.mention
        people = [one for one in mentions if re.fullmatch(r"[UW][A-Z0-9]{2,}", one)]
        text = effect.text
        if len(people) < len(mentions):
            owners, unknown = await ctx.owners(incident)
            mentions, text = tuple(dict.fromkeys((*people, *owners))), text + unknown
        message = views.say(effect.model_copy(update={"mention": mentions, "text": text}), incident)
        await ctx.post(job, message, channel, thread)
        return EffectDone(kind=effect.type)

    async def remind(effect: Remind, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        try:
            alone = await ctx.slack.direct_message(effect.who)
            await ctx.post(job, views.reminder(effect.text, incident), alone)
        except SlackRefused as refused:
            if refused.retryable:
                raise
            channel, thread = ctx.channel(incident)
            message = views.say(
                Say(text=effect.text, mention=(effect.who,), ask="update"), incident
            )
            await ctx.post(job, message, channel, thread)
        return EffectDone(kind=effect.type)

    async def post_summary(effect: PostSummary, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        channel, thread = ctx.channel(incident)
        who = f" by <@{effect.by}>" if effect.by else ""
        over = "" if effect.said else f"{incident.id} is resolved{who}."
        message = views.summary(adr.summary(incident, await ctx.names(incident)), over)
        await ctx.post(job, message, channel, thread)
        return EffectDone(kind=effect.type)

    return {
        "open.channel": open_channel,
        "archive": archive,
        "bookmark": bookmark,
        "set.topic": set_topic,
        "invite": invite,
        "post.live": post_live,
        "pin": pin,
        "say": say,
        "remind": remind,
        "post.summary": post_summary,
    }
