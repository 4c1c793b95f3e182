"""Effects of coordination: Discord, pages, memory. A system without settings is off, and nothing fails."""

from __future__ import annotations

from bot.performers.context import EffectContext, JobLike, Performer
from handlers import views
from phases.coordination.discord import discord_text
from phases.messages.effects import Page, PinDiscord, Remember, Say, TellDiscord, TellPager
from phases.messages.results import DiscordPosted, EffectDone, Paged, Remembered
from phases.ports.ports import PortError
from phases.record.markdown import one_line
from phases.record.privacy import page_text

PAGE_LIMIT = 1000  # https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: a summary has 1,024 characters
NEWEST_TRIES = 3
"""Edits of one effect until what was told is still the newest; what comes after that has an effect of its own."""
PAGER_TRIES = 3
"""Some seconds: who is not paged is mentioned then, because a page that comes after 15 minutes of trying comes too late."""


def coordinating(ctx: EffectContext) -> dict[str, Performer]:
    async def discord(effect: TellDiscord, job: JobLike) -> DiscordPosted | EffectDone:
        incident = await ctx.incident(job)
        if ctx.announcer is None or incident.apart:
            return EffectDone(kind=effect.type)
        text = discord_text(incident, await ctx.names(incident))
        if incident.discord_id is not None:
            for _ in range(NEWEST_TRIES):
                await ctx.announcer.edit(incident.discord_id, text)
                # Another replica may have told something newer while this edit was under way, and this one came last.
                incident, told = await ctx.incident(job), text
                text = discord_text(incident, await ctx.names(incident))
                if text == told or incident.discord_id is None:
                    break
            return EffectDone(kind=effect.type)
        posted = await ctx.announcer.post(
            text,
            author=f"Firebreak {incident.id}",
            maybe_posted_since=job.created if job.attempt > 1 else None,
        )
        return DiscordPosted(id=posted.id, channel=posted.channel)

    async def pin_discord(effect: PinDiscord, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        if ctx.announcer is not None and incident.discord_id is not None:
            for _ in range(NEWEST_TRIES):
                pinned = incident.open
                await ctx.announcer.pin(
                    incident.discord_id, incident.discord_channel, pinned=pinned
                )
                incident = await ctx.incident(job)
                if incident.open is pinned or incident.discord_id is None:
                    break
        return EffectDone(kind=effect.type)

    async def page(effect: Page, job: JobLike) -> Paged:
        incident = await ctx.incident(job)
        via = "mention"
        if incident.drill:
            return Paged(key=effect.key, via="nobody: a drill")
        if ctx.pager is not None:
            text = one_line(
                await ctx.people.plain(page_text(incident, effect.text)), {}, PAGE_LIMIT
            )
            try:
                if incident.paged[:1] != (
                    effect.key,
                ):  # an alert that is open calls nobody anew: it ends, and another begins
                    await ctx.pager.follow(key=incident.ulid, what="resolve")
                await ctx.pager.page(key=incident.ulid, text=text)
            except PortError as error:
                if error.retryable and job.attempt < PAGER_TRIES:
                    raise
                via = f"mention, because {error.system} failed: {error.text}"
            else:
                return Paged(key=effect.key, via="PagerDuty")
        channel, thread = ctx.channel(incident)
        owners, unknown = await ctx.owners(incident)
        message = views.say(Say(text=effect.text + unknown, mention=owners), incident)
        await ctx.post(job, message, channel, thread)
        return Paged(key=effect.key, via=via)

    async def follow_page(effect: TellPager, job: JobLike) -> EffectDone:
        incident = await ctx.incident(job)
        if ctx.pager is not None and not incident.drill and len(incident.paged) == effect.pages:
            await ctx.pager.follow(key=incident.ulid, what=effect.what)
        return EffectDone(kind=effect.type)

    async def remember(effect: Remember, job: JobLike) -> Remembered:
        """Asked for by an older version: the commit of the answer brings the memory with it, as every commit does."""
        del effect, job
        return Remembered()

    return {
        "discord": discord,
        "discord.pin": pin_discord,
        "page": page,
        "page.follow": follow_page,
        "remember": remember,
    }
