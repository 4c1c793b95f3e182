"""The form in which somebody corrects an entry of the timeline: which one, then its words and time.

A moment is chosen in the person's own zone: Slack's picker knows it.
https://docs.slack.dev/reference/block-kit/block-elements/datetime-picker-element
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.views.blocks import Block, Element, View, context, menu_option, section
from handlers.views.inputs import VALUE, field_input, select, text_input
from handlers.views.text import PERSON, spoken
from phases.record.incident import Incident
from phases.record.timeline import Shown, correction_note, entry_line
from phases.text.wording import capital

TITLE = "Correct the timeline"
CALLBACK = "incident.correct"
ENTRY_CHOSEN = "incident.correct_entry"
LONGEST = 2000
"""Characters: as many as an entry has."""
PEOPLE_NAMED = 10
"""As many people are named in the form; of more their ids stand there. Metadata is small."""
MENTION = re.compile(rf"<@({PERSON})>")


def which(
    incident: Incident,
    entries: Sequence[Shown],
    metadata: Mapping[str, Any],
    names: Mapping[str, str],
    offset: int,
) -> View:
    """Ask which entry of the page is meant. `offset`: seconds that the person is ahead of UTC."""
    options = [
        menu_option(
            f"{_clock(entry, entries[-1], offset)} {with_names(entry_line(entry), names)}",
            {"incident": incident.id, "of": entry.of, "entry": entry.id},
        )
        for entry in entries
    ]
    chooser = select(options, action_id=ENTRY_CHOSEN, placeholder="Choose an entry")
    text = "Which entry is wrong? What was recorded first stays in the record."
    return View(CALLBACK, TITLE, (section(text, accessory=chooser),), metadata=metadata)


@dataclass(frozen=True, slots=True)
class Entered:
    """The entered words or time, with the reason why they are asked again."""

    text: str = ""
    at: datetime | None = None
    note: str = ""


NOTHING_ENTERED = Entered()


def correction(
    incident: Incident,
    entry: Shown,
    metadata: Mapping[str, Any],
    entered: Entered = NOTHING_ENTERED,
) -> View:
    """Return the form with the entry as it stands, or with what was entered before.

    `metadata`: `of` whose record it stands in, `names` by Slack id, and `edition`, which makes new
    block ids.
    """
    names, edition = metadata.get("names") or {}, int(metadata.get("edition") or 1)
    words = text_input(
        initial=entered.text or with_names(entry.text, names),
        multiline=True,
        longest=LONGEST,
    )
    picker: Element = {
        "type": "datetimepicker",
        "action_id": VALUE,
        "initial_date_time": int((entered.at or entry.at).timestamp()),
    }
    blocks: list[Block] = [section(spoken(entered.note))] if entered.note else []
    blocks += [
        field_input(block_id("text", edition), "What happened?", words),
        field_input(block_id("at", edition), "When?", picker, hint="In your own time zone."),
    ]
    if entry.corrected:
        back = menu_option("As it was recorded first", {"back": True})
        box: Element = {"type": "checkboxes", "action_id": VALUE, "options": [back]}
        blocks.append(field_input(block_id("back", edition), "Take it back", box, optional=True))
        blocks.append(context(capital(spoken(correction_note(entry), lines=False))))
    blocks.append(context("Durations stay as they were measured."))
    known = {
        "incident": incident.id,
        "entry": entry.id,
        "edition": edition,
        "words": mark(entry.text),
        "filled": "" if entered.text else mark(str(words.get("initial_value", ""))),
        "at": int(entry.at.timestamp()),
    }
    return View(CALLBACK, TITLE, tuple(blocks), submit="Correct", metadata={**metadata, **known})


def block_id(name: str, edition: int) -> str:
    """Return the id of a field: another edition's shows other values than those that were typed."""
    return f"{name}~{edition}" if edition > 1 else name


def mark(text: str) -> str:
    """Return a fingerprint of words, whatever blanks stand between them."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return words as people type them: `@Alice` for `<@U0ALICE>`."""
    return MENTION.sub(lambda person: f"@{names.get(person[1], person[1])}", text)


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names that one person alone has: of the others, ids are typed."""
    count = Counter(names.values())
    return {id: name for id, name in names.items() if count[name] == 1}


def with_ids(typed: str, text: str, names: Mapping[str, str]) -> str:
    """Return typed words with the people again who were mentioned in `text`."""
    ids = {names.get(id, id): id for id in MENTION.findall(text)}
    for name in sorted(ids, key=len, reverse=True):
        typed = re.sub(rf"@{re.escape(name)}(?!\w)", f"<@{ids[name]}>", typed)
    return typed


def _clock(entry: Shown, newest: Shown, offset: int) -> str:
    here, today = (_local(each.at, offset) for each in (entry, newest))
    return f"{here:%H:%M}" if here.date() == today.date() else f"{here:%-d %b %H:%M}"


def _local(at: datetime, offset: int) -> datetime:
    return at.astimezone(UTC) + timedelta(seconds=offset)
