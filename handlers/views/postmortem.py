"""The post-mortem's form: the parts as inputs, a row an action item, and what is known of drafts.

Field names are block ids. Slack keeps what was typed where block id and action id stay, so a form
that shall show *other* texts (somebody else's draft) gets new block ids: `timeline~2`.
https://docs.slack.dev/surfaces/modals#updating_views
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from handlers.views.blocks import Block, Element, View, actions, button, context, option, section
from handlers.views.contradictions import in_the_form
from handlers.views.inputs import date_picker, field_input, person_select, select, text_input
from handlers.views.text import person, spoken, when, words
from phases.postmortem import form_parts
from phases.postmortem.form_parts import IMPACT_LIMIT, ITEM_LIMIT, ITEMS_LEAST, ITEMS_LIMIT, Parts
from phases.record.documents import ActionItem, Contradiction
from phases.record.incident import Incident

CALLBACK = "incident.postmortem"
TITLE = "Post-mortem"
ADD, SAVE, TAKE = "incident.add_item", "incident.save_draft", "incident.take_draft"
CHOICES = ("incident.item.kind.", "incident.item.owner.", "incident.item.due.")
"""Action ids of a row's choices, without its number."""

PARTS = {
    "timeline": ("Timeline, alert to resolved", ""),
    "impact": ("Impact", "Counts only, never names of users."),
    "root_cause": ("Root cause", ""),
    "monitoring": (
        "Why did monitoring not catch it earlier?",
        "Which alert would have fired first, and when?",
    ),
    "tests": (
        "Why did it slip through tests and CI?",
        "Which test or check would have stopped it?",
    ),
    "factors": ("Contributing factors", "What made it worse, longer, or harder to see?"),
    "went_well": ("What went well", "What should we do again?"),
    "revisit": ("Revisit when", ""),
}
"""The parts that are texts, by field, with label and hint.

With the action items they are the workflow's six (phase 6); those of `OPTIONAL` may stay empty.
"""
OPTIONAL = ("impact", *form_parts.OPTIONAL)
KINDS = {"tests": "Tests", "monitors": "Monitors", "gates": "Gates"}
MENTION = re.compile(r"<@([UW][A-Z0-9]{1,20})>")


@dataclass(frozen=True, slots=True)
class KnownDrafts:
    """The drafts that are known when the form is shown."""

    shown_by: str = ""
    """The author of the draft that is shown; empty where the evidence proposes the text."""
    shown_at: datetime | None = None
    newer_by: str = ""
    """Somebody else who saved one since, and when."""
    newer_at: datetime | None = None
    writing: tuple[tuple[str, datetime], ...] = ()
    """Others who have the form open, and since when."""
    saved_at: datetime | None = None
    """Set where this person just saved."""
    notes: tuple[str, ...] = ()
    """Sources that could not be looked up."""
    contradictions: tuple[Contradiction, ...] = ()
    """What does not fit in what is shown."""


def postmortem(
    incident: Incident,
    parts: Parts,
    *,
    me: str = "",
    drafts: KnownDrafts | None = None,
    rows: int = 0,
    edition: int = 1,
) -> View:
    """`incident.postmortem`: six parts, none empty, and what may stay empty.

    `rows` of action items at least; `edition` makes new block ids. One that is written already is
    mended.
    """
    drafts = drafts or KnownDrafts()
    rows = min(max(rows, len(parts.items), ITEMS_LEAST), ITEMS_LIMIT)
    tail = f"~{edition}" if edition > 1 else ""
    blocks: list[Block | None] = [section(_head(incident)), *_drafts(incident, me, drafts)]
    blocks += in_the_form(incident, drafts.contradictions)
    for name, (label, hint) in PARTS.items():
        if name == "revisit":
            blocks += _items(parts.items, rows, tail)
        entry = text_input(
            initial=getattr(parts, name),
            multiline=name != "revisit",
            longest=IMPACT_LIMIT if name == "impact" else 3000,
        )
        blocks.append(
            field_input(f"{name}{tail}", label, entry, hint=hint, optional=name in OPTIONAL)
        )
    return View(
        CALLBACK,
        TITLE,
        tuple(block for block in blocks if block is not None),
        submit="Write it",
        metadata={
            "incident": incident.id,
            "rows": rows,
            "edition": edition,
            "mends": incident.adr is not None,
        },
        tells=True,
    )


def _head(incident: Incident) -> str:
    if incident.adr is not None:
        return (
            f"*{incident.id}* {words(incident.title, 200)}\n"
            f"*Write it* writes {incident.adr.name} anew with what you mend here."
        )
    once = "" if incident.recovered_at else " once recovery is verified"
    head = (
        f"*{incident.id}* {words(incident.title, 200)}\n"
        f"*Write it* keeps this as an ADR, and resolves the incident{once}."
    )
    private = (
        "\n*Everybody who can read the folder of post-mortems can read these parts*; "
        "the rest stays here."
    )
    return f"{head}{private}" if incident.private else head


def _drafts(incident: Incident, me: str, drafts: KnownDrafts) -> list[Block | None]:
    lines: list[str] = []
    if drafts.saved_at is not None:
        lines.append(f"Draft saved {when(drafts.saved_at)}.")
    elif drafts.shown_at is not None and drafts.shown_by == me:
        lines.append(f"Your draft of {when(drafts.shown_at)}.")
    elif drafts.shown_at is not None:
        lines.append(
            f"{person(drafts.shown_by)}’s draft of {when(drafts.shown_at)}. "
            "What you save is kept beside it."
        )
    lines += [
        f"{person(who)} has had this form open since {when(since)}."
        for who, since in drafts.writing[:3]
    ]
    lines += [f"Not looked up: {spoken(note, 150, lines=False)}." for note in drafts.notes[:3]]
    take: list[Element] = []
    if drafts.newer_at is not None:
        lines.append(f"{person(drafts.newer_by)} saved one, {when(drafts.newer_at)}.")
        take.append(
            button("Show it instead", TAKE, {"incident": incident.id, "of": drafts.newer_by})
        )
    return [context("\n".join(lines)) if lines else None, actions(take, block_id="drafts")]


def _items(items: Sequence[ActionItem], rows: int, tail: str) -> list[Block | None]:
    blocks: list[Block | None] = []
    for number in range(1, rows + 1):
        row = items[number - 1] if number <= len(items) else None
        entry = text_input(initial=row.text if row else "", longest=ITEM_LIMIT)
        label = f"Action item {number}"
        blocks.append(field_input(f"item_{number}{tail}", label, entry, optional=True))
        kinds = [option(name, kind) for kind, name in KINDS.items()]
        chosen = next(
            (o for o in kinds if row and o["value"] == row.kind), kinds[(number - 1) % len(kinds)]
        )
        owner = MENTION.fullmatch(row.owner) if row else None
        choices = [
            select(kinds, action_id=f"incident.item.kind.{number}", initial=chosen),
            person_select(f"incident.item.owner.{number}", "Owner", owner[1] if owner else ""),
            date_picker(f"incident.item.due.{number}", "Due", row.due if row else None),
        ]
        blocks.append(actions(choices, block_id=f"choices_{number}{tail}"))
    buttons = [button("Save draft", SAVE, {})]
    if rows < ITEMS_LIMIT:
        buttons.insert(0, button("Add another item", ADD, {}))
    return [*blocks, actions(buttons, block_id="form")]


def entered(values: Mapping[str, str], rows: int) -> Parts:
    """Return what stands in the form, by field name; a row that nobody filled in stays empty."""
    named = {name.partition("~")[0]: value for name, value in values.items()}
    items: list[dict[str, Any]] = []
    for number in range(1, min(rows, ITEMS_LIMIT) + 1):
        kind = named.get(f"incident.item.kind.{number}", "")
        owner = named.get(f"incident.item.owner.{number}", "")
        items.append(
            {
                "kind": kind if kind in KINDS else "tests",
                "text": named.get(f"item_{number}", ""),
                "owner": f"<@{owner}>" if re.fullmatch(r"[UW][A-Z0-9]{2,20}", owner) else "",
                "due": _day(named.get(f"incident.item.due.{number}", "")),
            }
        )
    return Parts.model_validate({**{name: named.get(name, "") for name in PARTS}, "items": items})


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def fields_of(wrong: Mapping[str, str], edition: int) -> dict[str, str]:
    """Sentences by part → by block id of the form as it is shown."""
    return {f"{name}~{edition}" if edition > 1 else name: text for name, text in wrong.items()}
