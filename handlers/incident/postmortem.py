"""The post-mortem form: prefilled from record and evidence, its drafts kept; what is wrong stands under its part."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers.dispatcher import Recorded, Unknown
from handlers.ports import Kept
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Interaction
from handlers.slack.listening import Errors, on_click, on_incident, on_submit, unseen
from handlers.slack.payloads import fields, from_closing, values
from handlers.views import forms
from handlers.views import notes as says
from handlers.views import postmortem as shown
from handlers.views.blocks import Message, View
from phases.messages.commands import SubmitPostmortem
from phases.ports.ports import PortError
from phases.postmortem.contributing_factors import look_up
from phases.postmortem.draft import draft
from phases.postmortem.gate import Parts, submitted
from phases.postmortem.steps import not_now
from phases.record.incident import Entry, Incident
from phases.record.timeline import line
from phases.steps.change import Refused

_PERSON = re.compile(r"<@([UW][A-Z0-9]{1,20})>")
NAMES_SECONDS = 3.0
WRITING = timedelta(hours=1)
"""So long after it was opened a form counts as being written in."""


async def postmortem(interaction: Interaction, incident: Incident) -> Message | None:
    """Opens the form, unless nothing that is written in it could be kept."""
    if (refused := not_now(incident)) is not None:
        return says.note(refused.text)

    async def fill() -> View:
        return await _filled(interaction, incident)

    interaction.open(
        forms.loading(shown.CALLBACK, shown.TITLE, incident, "Looking up what is known …"), fill
    )
    return None


async def _filled(interaction: Interaction, incident: Incident) -> View:
    """The form with this person's draft, or the newest of somebody else's, or what the evidence proposes."""
    ctx, me = interaction.ctx, interaction.user
    kept = [one for one in await ctx.drafts.of(incident.id) if _of_this_one(one, incident)]
    await ctx.drafts.opened(incident.id, me, ctx.now())
    writing = tuple(
        (one.by, one.opened_at)
        for one in kept
        if one.by != me and one.opened_at and _writes(one, ctx)
    )
    drafts = sorted(
        (one for one in kept if one.parts is not None), key=lambda one: one.at, reverse=True
    )
    mine = next((one for one in drafts if one.by == me), None)
    others = next((one for one in drafts if one.by != me), None)
    best = mine or others
    if best is None or best.parts is None:
        parts, notes = await _proposed(ctx, incident)
        return shown.postmortem(
            incident, parts, me=me, shelf=shown.Shelf(writing=writing, notes=notes)
        )
    newer = others if mine is not None and others is not None and others.at > mine.at else None
    shelf = shown.Shelf(
        shown_by=best.by,
        shown_at=best.at,
        newer_by=newer.by if newer else "",
        newer_at=newer.at if newer else None,
        writing=writing,
    )
    return shown.postmortem(incident, best.parts, me=me, shelf=shelf)


def _of_this_one(one: Kept, incident: Incident) -> bool:
    """Of an incident that was written up and opened again, the drafts from before are history."""
    return incident.postmortem is None or one.at > incident.postmortem.at


def _writes(one: Kept, ctx: Context) -> bool:
    return one.opened_at is not None and ctx.now() - one.opened_at < WRITING


async def _proposed(ctx: Context, incident: Incident) -> tuple[Parts, tuple[str, ...]]:
    """What record and source know; and what could not be looked up."""
    service = ctx.service(incident)
    entries, found = await asyncio.gather(
        ctx.dispatcher.timeline(incident.id),
        look_up(incident, service, ctx.source_for(service), ctx.pulls_for(service)),
    )
    names = await _names(ctx, incident, entries)
    return draft(incident, entries, ctx.now(), names, found), found.notes


async def _names(ctx: Context, incident: Incident, entries: Sequence[Entry]) -> dict[str, str]:
    """Display names of the people who are named, for a text that leaves Slack."""
    told = " ".join((incident.source.text, *(line(e) for e in entries)))
    ids = {*_PERSON.findall(told), *(i for i in (incident.lead, incident.declared_by) if i)}
    names: dict[str, str] = {}

    async def one(id: str) -> None:
        names[id] = await ctx.people.name(id)

    try:
        async with asyncio.timeout(NAMES_SECONDS):
            await asyncio.gather(*(one(i) for i in sorted(ids)[:30]))
    except TimeoutError:
        return names  # ids stand in for the names that did not come
    return names


# --- in the form -----------------------------------------------------------------------------------------------


def _typed(meta: dict[str, Any], entered: dict[str, str]) -> Parts:
    return shown.entered(
        {name: slack_text.typed(text) for name, text in entered.items()}, _number(meta, "rows")
    )


def _number(meta: dict[str, Any], name: str) -> int:
    found = meta.get(name)
    return found if isinstance(found, int) else 1


async def _keep(
    interaction: Interaction, incident: str, parts: Parts, *, writing: bool = True
) -> bool:
    """Keeps what stands in the form; whether that worked."""
    try:
        await interaction.ctx.drafts.keep(
            incident, interaction.user, parts, interaction.ctx.now(), writing=writing
        )
    except PortError:
        return False
    return True


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await postmortem(interaction, incident)

    async def again(
        interaction: Interaction, *, rows: int = 0, saved: bool = False
    ) -> Message | None:
        """The same form with what was typed in it; nothing of that may be lost."""
        view: dict[str, Any] = interaction.more.get("view") or {}
        meta = values(view.get("private_metadata"))
        incident = await interaction.find(str(meta.get("incident", "")))
        if incident is None:
            return says.note(GONE.format(id=meta.get("incident", "of that name")))
        parts = _typed(meta, fields(view))
        kept = await _keep(interaction, incident.id, parts)
        notes = (
            () if kept else ("the draft is not saved: Redis cannot be asked. Copy what matters",)
        )
        shelf = shown.Shelf(saved_at=ctx.now() if saved and kept else None, notes=notes)
        edition, rows = _number(meta, "edition"), _number(meta, "rows") + rows
        form = shown.postmortem(
            incident, parts, me=interaction.user, shelf=shelf, rows=rows, edition=edition
        )
        interaction.show(form)
        return None

    async def add(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        del value
        return await again(interaction, rows=1)

    async def save(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        del value
        return await again(interaction, saved=True)

    async def take(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        """Somebody else's draft in place of one's own, which stays kept."""
        view: dict[str, Any] = interaction.more.get("view") or {}
        meta = values(view.get("private_metadata"))
        await _keep(interaction, incident.id, _typed(meta, fields(view)))
        theirs = next(
            (one for one in await ctx.drafts.of(incident.id) if one.by == value.get("of")), None
        )
        if theirs is not None and theirs.parts is not None:
            shelf = shown.Shelf(shown_by=theirs.by, shown_at=theirs.at)
            edition = _number(meta, "edition") + 1
            interaction.show(
                shown.postmortem(
                    incident, theirs.parts, me=interaction.user, shelf=shelf, edition=edition
                )
            )
        return None

    async def sent(
        interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
    ) -> View | Errors | None:
        incident, edition = str(meta.get("incident", "")), _number(meta, "edition")
        parts = _typed(meta, entered)
        known = await ctx.dispatcher.load(incident)
        before = known.postmortem.items if known and known.rewriting and known.postmortem else ()
        written = submitted(parts, interaction.user, ctx.now(), before)
        if isinstance(written, dict):
            await _keep(interaction, incident, parts)
            return shown.fields_of(written, edition)
        answer = await interaction.dispatch(SubmitPostmortem(postmortem=written), incident)
        match answer:
            case Recorded():
                ctx.tasks.start(
                    ctx.drafts.opened(incident, interaction.user, None), "note a closed form"
                )
                return None
            case Refused(text=text) | Unknown(text=text):
                await _keep(interaction, incident, parts)
                return shown.fields_of(
                    {"timeline": text}, edition
                )  # under a part: what was written stays

    @app.action(shown.CHOICE)
    async def chosen(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Every choice in the form tells what is typed by then: it is kept."""
        view: dict[str, Any] = body.get("view") or {}
        meta = values(view.get("private_metadata"))
        interaction = from_closing(ctx, body)
        id = str(meta.get("incident", ""))
        if (refused := await interaction.stranger() or await unseen(interaction, meta)) is not None:
            interaction.show(forms.refused(shown.TITLE, refused))
        elif id:
            await _keep(interaction, id, _typed(meta, fields(view)))
        await ack()

    @app.view_closed(shown.CALLBACK)
    async def closed(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Closing keeps what was typed, as far as Slack sends it; a form that was never filled tells nothing."""
        view: dict[str, Any] = body.get("view") or {}
        meta, entered = values(view.get("private_metadata")), fields(view)
        interaction, id = from_closing(ctx, body), str(meta.get("incident", ""))
        if (
            meta.get("rows")
            and (await interaction.stranger() or await unseen(interaction, meta)) is None
        ):
            if any(entered.values()):
                await _keep(interaction, id, _typed(meta, entered), writing=False)
            else:
                ctx.tasks.start(ctx.drafts.opened(id, interaction.user, None), "note a closed form")
        await ack()

    on_incident(app, ctx, "incident.postmortem", clicked)
    on_click(app, ctx, shown.ADD, add)
    on_click(app, ctx, shown.SAVE, save)
    on_incident(app, ctx, shown.TAKE, take)
    on_submit(app, ctx, "incident.postmortem", sent)
