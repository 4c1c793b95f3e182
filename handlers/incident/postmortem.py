"""The post-mortem form: proposed by record and evidence, its drafts kept."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from handlers.dispatcher import Recorded
from handlers.incident.names import names_of
from handlers.incident.unfit import unfit
from handlers.ports import Kept
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Interaction
from handlers.slack.listening import Outcome, gone, listens, on_click, on_incident, on_submit
from handlers.slack.payloads import Form, from_view, read_form
from handlers.views import forms, notes
from handlers.views import postmortem as views
from handlers.views.blocks import Message, View
from handlers.views.contradictions import KEEP, KEEP_HERE, MEND
from phases.messages.commands import KeepContradiction, MendPostmortem, SubmitPostmortem
from phases.ports.ports import PortError
from phases.postmortem.contradictions.named import parts_of
from phases.postmortem.contradictions.steps import refuse_to_mend
from phases.postmortem.contributing_factors import look_up
from phases.postmortem.draft import corrected_timeline, draft_parts, gone_on_since
from phases.postmortem.form_parts import PART_LIMIT, Parts, checked_postmortem
from phases.postmortem.steps import refuse_postmortem
from phases.record.incident import Entry, Incident
from phases.record.timeline import entry_line

NAMES_SECONDS = 3.0
WRITING = timedelta(hours=1)
"""A form counts as being written in for this long after it was opened."""
NOT_SAVED = "the draft is not saved: Redis cannot be reached. Copy what matters"


@on_incident("incident.postmortem")
async def postmortem(interaction: Interaction, incident: Incident) -> Message | None:
    """Open the form, unless nothing that is written in it could be kept."""
    if (refused := refuse_postmortem(incident)) is not None:
        return notes.note(refused.text)
    return _open_form(interaction, incident)


def _open_form(interaction: Interaction, incident: Incident) -> None:

    async def fill() -> View:
        return await _filled(interaction, incident)

    loading = forms.loading(views.CALLBACK, views.TITLE, incident, "Looking up what is known …")
    interaction.open(loading, fill)


async def _filled(interaction: Interaction, incident: Incident) -> View:
    """Return the form with this person's draft, the newest of somebody else, or a proposal."""
    ctx, me = interaction.ctx, interaction.user
    every = await ctx.drafts.of(incident.id)
    current = [form for form in every if _is_current(form, incident)]
    await ctx.drafts.opened(incident.id, me, ctx.now())
    writing = tuple(
        (form.by, form.opened_at)
        for form in current
        if form.by != me and form.opened_at and ctx.now() - form.opened_at < WRITING
    )
    drafts = sorted((form for form in current if form.parts is not None), key=lambda form: form.at)
    own = next((form for form in reversed(drafts) if form.by == me), None)
    others = next((form for form in reversed(drafts) if form.by != me), None)
    shown = own or others
    if shown is None or shown.parts is None:
        parts, missing = await _proposed(ctx, incident)
        named = await unfit(ctx, incident, parts)
        known = views.KnownDrafts(writing=writing, notes=missing, contradictions=named)
        return views.postmortem(incident, parts, me=me, drafts=known)
    parts = await _up_to_date(ctx, incident, shown.parts)
    newer = others if own is not None and others is not None and others.at > own.at else None
    known = views.KnownDrafts(
        shown_by=shown.by,
        shown_at=shown.at,
        newer_by=newer.by if newer else "",
        newer_at=newer.at if newer else None,
        writing=writing,
        contradictions=await unfit(ctx, incident, parts),
    )
    return views.postmortem(incident, parts, me=me, drafts=known)


async def _up_to_date(ctx: Context, incident: Incident, parts: Parts) -> Parts:
    """Return a draft with what was corrected, and what happened, since it was kept."""
    entries = await ctx.dispatcher.timeline(incident.id)
    names = await _names(ctx, incident, entries)
    corrected = await _with_corrections(ctx, incident, parts)
    return gone_on_since(corrected, incident, entries, names)


async def _with_corrections(ctx: Context, incident: Incident, parts: Parts) -> Parts:
    """Return what was written, with the lines of entries that were corrected since."""
    entries = await ctx.dispatcher.timeline(incident.id)
    if all(entry.recorded is None for entry in entries):
        return parts
    text = corrected_timeline(parts.timeline, entries, await _names(ctx, incident, entries))
    return parts.model_copy(update={"timeline": text}) if len(text) <= PART_LIMIT else parts


def _is_current(kept: Kept, incident: Incident) -> bool:
    """Return whether a draft is newer than the post-mortem of an incident that was opened again."""
    return incident.postmortem is None or kept.at > incident.postmortem.at


async def _proposed(ctx: Context, incident: Incident) -> tuple[Parts, tuple[str, ...]]:
    """Return the parts that record and source propose, and what could not be looked up."""
    if incident.adr is not None and incident.postmortem is not None:
        return await _with_corrections(
            ctx, incident, parts_of(incident.postmortem)
        ), ()  # it is mended
    service = ctx.service(incident)
    entries, factors = await asyncio.gather(
        ctx.dispatcher.timeline(incident.id),
        look_up(incident, service, ctx.source_for(service), ctx.pulls_for(service)),
    )
    names = await _names(ctx, incident, entries)
    return draft_parts(incident, entries, ctx.now(), names, factors), factors.notes


async def _names(ctx: Context, incident: Incident, entries: Sequence[Entry]) -> dict[str, str]:
    """Return the display names of the people who are named, for a text that leaves Slack.

    Ids stand in for the names that do not come in time.
    """
    text = " ".join((incident.source.text, *(entry_line(entry) for entry in entries)))
    people = (id for id in (incident.lead, incident.declared_by) if id)
    return await names_of(ctx, (*views.MENTION.findall(text), *people), NAMES_SECONDS)


@on_incident(MEND)
async def mend_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    """Open the form again with what was written."""
    if (refused := refuse_to_mend(incident)) is not None:
        return notes.note(refused.text)
    _open_form(interaction, incident)
    return None


@on_incident(KEEP)
async def keep_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    """Keep what the message names; one that was mended meanwhile is gone."""
    key = interaction.value.get("key")
    contradiction = next((c for c in incident.contradictions if c.key == key), None)
    if contradiction is None:
        return notes.note("That was mended meanwhile. Nothing was changed.")
    action = KeepContradiction(by=interaction.user, contradiction=contradiction)
    return await interaction.act(action, incident.id)


@on_incident(KEEP_HERE)
async def keep_in_form(interaction: Interaction, incident: Incident) -> Message | None:
    """Keep what the open form names, as it stands in it now."""
    parts = _parts(read_form(interaction.view))
    named = await unfit(interaction.ctx, incident, parts)
    contradiction = next((c for c in named if c.key == interaction.value.get("key")), None)
    if contradiction is not None:
        action = KeepContradiction(by=interaction.user, contradiction=contradiction)
        answer = await interaction.act(action, incident.id)
        if answer is not None:
            return answer
    return await _show_again(interaction)


# --- the open form -------------------------------------------------------------------------------


def _parts(form: Form) -> Parts:
    typed = {name: slack_text.typed(text) for name, text in form.entered.items()}
    return views.entered(typed, form.number("rows"))


async def _keep_draft(interaction: Interaction, form: Form, *, writing: bool = True) -> bool:
    """Keep what stands in the form; return whether that worked."""
    ctx = interaction.ctx
    try:
        await ctx.drafts.keep(
            form.incident, interaction.user, _parts(form), ctx.now(), writing=writing
        )
    except PortError:
        return False
    return True


async def _show_again(
    interaction: Interaction, *, more_rows: int = 0, saved: bool = False
) -> Message | None:
    """Show the same form with what was typed in it; nothing of that may be lost."""
    form = read_form(interaction.view)
    incident = await interaction.find(form.incident)
    if incident is None:
        return notes.note(GONE.format(id=form.metadata.get("incident", "of that name")))
    is_kept = await _keep_draft(interaction, form)
    drafts = views.KnownDrafts(
        contradictions=await unfit(interaction.ctx, incident, _parts(form)),
        saved_at=interaction.ctx.now() if saved and is_kept else None,
        notes=() if is_kept else (NOT_SAVED,),
    )
    view = views.postmortem(
        incident,
        _parts(form),
        me=interaction.user,
        drafts=drafts,
        rows=form.number("rows") + more_rows,
        edition=form.number("edition"),
    )
    interaction.show(view)
    return None


@on_click(views.ADD)
async def row_added(interaction: Interaction) -> Message | None:
    return await _show_again(interaction, more_rows=1)


@on_click(views.SAVE)
async def draft_saved(interaction: Interaction) -> Message | None:
    return await _show_again(interaction, saved=True)


@on_incident(views.TAKE)
async def draft_taken(interaction: Interaction, incident: Incident) -> Message | None:
    """Show somebody else's draft in place of one's own, which stays kept."""
    form = read_form(interaction.view)
    await _keep_draft(interaction, form)
    drafts = await interaction.ctx.drafts.of(incident.id)
    theirs = next((draft for draft in drafts if draft.by == interaction.value.get("of")), None)
    if theirs is not None and theirs.parts is not None:
        view = views.postmortem(
            incident,
            theirs.parts,
            me=interaction.user,
            drafts=views.KnownDrafts(
                shown_by=theirs.by,
                shown_at=theirs.at,
                contradictions=await unfit(interaction.ctx, incident, theirs.parts),
            ),
            edition=form.number("edition") + 1,
        )
        interaction.show(view)
    return None


@on_submit(views.CALLBACK)
async def postmortem_submitted(interaction: Interaction, form: Form) -> Outcome:
    """Record the parts. What was written stays kept, and in the form, where they are refused."""
    ctx, edition = interaction.ctx, form.number("edition")
    incident = await ctx.dispatcher.load(form.incident)
    mended = incident is not None and incident.adr is not None and bool(form.metadata.get("mends"))
    again = incident is not None and (incident.rewriting or mended)
    before = incident.postmortem if incident is not None and again else None
    written = checked_postmortem(
        _parts(form), interaction.user, ctx.now(), before.items if before is not None else ()
    )
    if isinstance(written, dict):
        await _keep_draft(interaction, form)
        return views.fields_of(written, edition)
    action = MendPostmortem if mended else SubmitPostmortem
    answer = await interaction.dispatch(action(postmortem=written), form.incident)
    if isinstance(answer, Recorded):
        _note_closed(interaction, form)
        return None
    await _keep_draft(interaction, form)
    return views.fields_of({"timeline": answer.text}, edition)


@listens("click", *views.CHOICES)
async def choice_made(ctx: Context, body: dict[str, Any]) -> None:
    """Keep what is typed by now: Slack sends all of it with every choice in the form."""
    interaction, form = from_view(ctx, body), read_form(body.get("view") or {})
    refusal = await interaction.refusal() or await gone(interaction, form)
    if refusal is not None:
        interaction.show(forms.refused(views.TITLE, refusal))
    elif form.incident:
        await _keep_draft(interaction, form)


@listens("closed form", views.CALLBACK)
async def form_closed(ctx: Context, body: dict[str, Any]) -> None:
    """Keep what was typed, as far as Slack sends it. A form that was never filled has no rows."""
    interaction, form = from_view(ctx, body), read_form(body.get("view") or {})
    if not form.metadata.get("rows"):
        return
    if await interaction.refusal() is not None or await gone(interaction, form) is not None:
        return
    if any(form.entered.values()):
        await _keep_draft(interaction, form, writing=False)
    else:
        _note_closed(interaction, form)


def _note_closed(interaction: Interaction, form: Form) -> None:
    ctx = interaction.ctx
    ctx.tasks.start(ctx.drafts.opened(form.incident, interaction.user, None), "note a closed form")
