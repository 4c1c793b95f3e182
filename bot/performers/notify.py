"""Effects on Discord and PagerDuty. A system without settings is off, and nothing fails."""

from bot.clients.discord import Discord
from bot.clients.pagerduty import PagerDuty
from bot.performers.context import EffectContext, helps_soon, performs
from bot.store.job import Job
from handlers import views
from phases.coordination.discord import discord_text
from phases.failures import was_given_up
from phases.messages.effects import Page, PinDiscord, Say, TellDiscord, TellPager
from phases.messages.results import DiscordPosted, Paged
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.record.privacy import page_text
from phases.text.markdown import one_line
from phases.text.wording import ended

# A summary has 1,024 characters:
# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
PAGE_LIMIT = 1000
NEWEST_TRIES = 3
"""Edits of one effect until Discord shows the newest state; a later change has its own effect."""
PAGER_TRIES = 3
"""Some seconds, and then the owners are mentioned: a page after 15 minutes comes too late."""


@performs(TellDiscord)
async def tell_discord(
    effect: TellDiscord, job: Job, context: EffectContext
) -> DiscordPosted | None:
    """Post the status, or edit what was posted; what somebody deleted is posted anew.

    When the incident is over, what people delete stays deleted.
    """
    if context.announcer is None:
        return None
    deleted: str | None = None
    while True:
        incident = await context.incident(job)
        if incident.apart or (deleted is not None and not incident.open):
            return None
        if incident.discord_id in (None, deleted):
            break
        if await _edited(context.announcer, incident, job, context):
            return None
        deleted = incident.discord_id
    maybe_posted = job.maybe_done or was_given_up(incident, effect)
    posted = await context.announcer.post(
        discord_text(incident, await context.names(incident)),
        author=f"Firebreak {incident.id}",
        maybe_posted_since=incident.declared_at if maybe_posted else None,
    )
    return DiscordPosted(id=posted.id, channel=posted.channel)


async def _edited(announcer: Discord, incident: Incident, job: Job, context: EffectContext) -> bool:
    """Edit the post until it shows the newest state. Return False where it was deleted."""
    text, id = discord_text(incident, await context.names(incident)), incident.discord_id
    for _ in range(NEWEST_TRIES):
        if id is None or not await announcer.edit(id, text):
            return False
        # Another replica may have sent a newer text meanwhile, and this edit came last.
        incident, sent = await context.incident(job), text
        text, id = discord_text(incident, await context.names(incident)), incident.discord_id
        if text == sent or id is None:
            break
    return True


@performs(PinDiscord)
async def pin_discord(effect: PinDiscord, job: Job, context: EffectContext) -> None:
    incident = await context.incident(job)
    if context.announcer is not None and incident.discord_id is not None:
        for _ in range(NEWEST_TRIES):
            pinned = incident.open
            await context.announcer.pin(
                incident.discord_id, incident.discord_channel, pinned=pinned
            )
            incident = await context.incident(job)
            if incident.open is pinned or incident.discord_id is None:
                break


@performs(Page)
async def page(effect: Page, job: Job, context: EffectContext) -> Paged:
    """Page by PagerDuty; where that fails or is off, mention the owners in the channel."""
    incident = await context.incident(job)
    if incident.drill:
        return Paged(key=effect.key, via="nobody: a drill")
    via, unheard = "mention", ""
    if context.pager is not None:
        text = await context.people.plain(page_text(incident, effect.text))
        try:
            await _page(context.pager, incident, effect.key, one_line(text, {}, PAGE_LIMIT))
            return Paged(key=effect.key, via="PagerDuty")
        except PortError as error:
            if helps_soon(error, job, PAGER_TRIES):
                raise
            via = f"mention, because {error.system} failed: {error.text}"
            unheard = f"\nNobody was called: {ended(error.text)}"
    channel, thread = context.channel(incident)
    owners, unknown = await context.owners(incident)
    message = views.say(Say(text=effect.text + unknown + unheard, mention=owners), incident)
    await context.post(job, incident, message, channel, thread)
    return Paged(key=effect.key, via=via)


async def _page(pager: PagerDuty, incident: Incident, key: str, text: str) -> None:
    if incident.paged[:1] != (key,):
        # An alert that is open calls nobody anew: it ends, and another begins.
        await pager.follow(key=incident.ulid, what="resolve")
    await pager.page(key=incident.ulid, text=text)


@performs(TellPager)
async def tell_pager(effect: TellPager, job: Job, context: EffectContext) -> None:
    incident = await context.incident(job)
    newest = len(incident.paged) == effect.pages
    if context.pager is not None and not incident.drill and newest:
        await context.pager.follow(key=incident.ulid, what=effect.what)
