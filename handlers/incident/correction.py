"""Corrections of the timeline: a page's button, the entry that is meant, its words and its time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from handlers.dispatcher import Recorded
from handlers.incident.names import names_of
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form, json_object
from handlers.views import correction as views
from handlers.views import forms, notes
from handlers.views.blocks import Message
from handlers.views.timeline import page
from handlers.views.timeline import timeline as timeline_page
from phases.messages.commands import CorrectEntry
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.record.timeline import Shown, correction_note, entry_line
from phases.shared.change import Refused
from phases.text.wording import stamp

NAMES_SECONDS = 0.8
"""Names are asked for so long: the ack waits, and most are known."""
ENTRY_GONE = "That entry was taken back meanwhile. Nothing was changed."
NOTHING_DIFFERENT = "Nothing is different: change the words or the time, or close the form."
CORRECTED_NOTE = "Corrected. What was recorded first stays in the record."


@on_incident("incident.correct")
async def correct_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    """Ask which entry of the page is meant."""
    ctx, until = interaction.ctx, int(interaction.clicked("until") or 0) or None
    entries = await ctx.dispatcher.timeline(incident.id)
    shown = [entries[number] for number in page(len(entries), until)]
    if not shown:
        return notes.note("Nothing has happened yet.")
    metadata = {"incident": incident.id, "until": until, "url": interaction.response_url}
    names = await _names(interaction, shown)
    offset = await _offset(interaction)
    interaction.open(views.which(incident, shown, metadata, names, offset))
    return None


async def _names(interaction: Interaction, entries: Sequence[Shown]) -> dict[str, str]:
    ids = views.MENTION.findall(" ".join(entry_line(entry) for entry in entries))
    return await names_of(interaction.ctx, ids, NAMES_SECONDS)


async def _offset(interaction: Interaction) -> int:
    """Return the seconds that this person's clock is ahead of UTC; 0 where Slack cannot say."""
    try:
        return (await interaction.ctx.people.person(interaction.user, None)).offset
    except PortError:
        return 0


@on_incident(views.ENTRY_CHOSEN)
async def entry_chosen(interaction: Interaction, incident: Incident) -> Message | None:
    """Show the entry in the form."""
    entry = await _entry(interaction, incident, interaction.value)
    if entry is None:
        return notes.note(ENTRY_GONE)
    before = json_object(str(interaction.view.get("private_metadata") or ""))
    names = await _names(interaction, [entry])
    named = dict(sorted(views.told_apart(names).items())[: views.PEOPLE_NAMED])
    page_again = {"until": before.get("until"), "url": before.get("url")}
    metadata = {**page_again, "of": interaction.clicked("of"), "names": named}
    interaction.show(views.correction(incident, entry, metadata))
    return None


async def _entry(
    interaction: Interaction, incident: Incident, meant: Mapping[str, Any]
) -> Shown | None:
    """Return the entry as it is now, as its own record has it; None where it was taken back."""
    owner = str(meant.get("of") or "") or incident.id
    if owner not in (incident.id, *incident.merged):
        return None
    entries = await interaction.ctx.dispatcher.timeline(owner)
    own = (entry for entry in entries if not entry.of)
    return next((entry for entry in own if entry.id == meant.get("entry")), None)


@on_submit(views.CALLBACK)
async def correction_submitted(interaction: Interaction, form: Form) -> Outcome:
    incident = await interaction.ctx.dispatcher.load(form.incident)
    entry = await _entry(interaction, incident, form.metadata) if incident is not None else None
    if incident is None or entry is None:
        return forms.refused(form.title, ENTRY_GONE)
    edition = form.number("edition")
    text, at = _meant(form, entry)
    if not form.text(views.block_id("text", edition)):
        return {views.block_id("text", edition): "Say what happened. Nothing was changed."}
    if not text and at is None:
        return {views.block_id("text", edition): NOTHING_DIFFERENT}
    if (note := _meanwhile(form, entry, text, at)) and not _goes_back(form):
        metadata = {**form.metadata, "edition": edition + 1}
        typed = form.text(views.block_id("text", edition)) if text else ""
        return views.correction(incident, entry, metadata, views.Entered(typed, at, note))
    action = CorrectEntry(by=interaction.user, entry=entry.id, text=text, at=at)
    owner = str(form.metadata.get("of") or "") or incident.id
    answer = await interaction.dispatch(action, owner)
    if isinstance(answer, Refused) and answer.code == "input":
        return {views.block_id("at", edition): answer.text}
    if isinstance(answer, Recorded):
        work = _show_timeline_page(interaction, incident, form)
        interaction.ctx.tasks.start(work, "show the corrected page")
    return answer


def _goes_back(form: Form) -> bool:
    return bool(form.entered.get(views.block_id("back", form.number("edition"))))


def _meant(form: Form, entry: Shown) -> tuple[str, datetime | None]:
    """Return the words and the time that somebody changed; of what stays, nothing."""
    edition, was_filled = form.number("edition"), form.metadata
    if _goes_back(form) and entry.recorded is not None:
        first = entry.recorded
        text = first.text if first.text != entry.text else ""
        return text, first.at if first.at != entry.at else None
    typed = form.text(views.block_id("text", edition))
    text = views.with_ids(typed, entry.text, was_filled.get("names") or {})
    if views.mark(typed) == was_filled.get("filled") or views.mark(text) == views.mark(entry.text):
        text = ""
    picked = form.entered.get(views.block_id("at", edition), "")
    seconds = int(picked) if picked.isdecimal() else 0
    known = form.number("at")
    moved = seconds and seconds // 60 != known // 60  # the picker knows no seconds
    return text, datetime.fromtimestamp(seconds, UTC) if moved else None


def _meanwhile(form: Form, entry: Shown, text: str, at: datetime | None) -> str:
    """Say what somebody else changed while the form was open, and this would replace."""
    words_moved = bool(text) and views.mark(entry.text) != form.metadata.get("words")
    time_moved = at is not None and int(entry.at.timestamp()) != form.number("at")
    if not words_moved and not time_moved:
        return ""
    now = f"{stamp(entry.at)} “{entry.text}”"
    by = correction_note(entry) or "by its author"
    return f"*Changed while you wrote:* it is {now} now ({by}). Yours:"


async def _show_timeline_page(interaction: Interaction, incident: Incident, form: Form) -> None:
    """Show the page again from which they came, corrected."""
    url = str(form.metadata.get("url") or "")
    if not url:
        return
    entries = await interaction.ctx.dispatcher.timeline(incident.id)
    until = form.metadata.get("until")
    shown = timeline_page(
        incident, entries, until=until if isinstance(until, int) else None, said=CORRECTED_NOTE
    )
    replace(interaction, view_id="", response_url=url).tell(shown, replace=True)
