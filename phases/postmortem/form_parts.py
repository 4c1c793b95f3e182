"""Phase 6, the post-mortem: the parts as people send them, and their checks.

Workflow: "Phase 6 — Post-mortem (always, mandatory)". The form's proposals are in `draft.py`, the
six proofs in `proofs.py`, the texts that leave the bot in `adr.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from phases.record.documents import ActionItem, Postmortem
from phases.record.findings import Value
from phases.text.wording import short

PART_LIMIT = 3000
"""A text input of Slack:
https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
"""
PARTS_BYTES = 14 * 1024  # the record has 32 KiB for everything (rules: Size and memory)
ITEMS_LEAST = 3
"""Rows for action items that the form begins with: one for each kind."""
ITEMS_LIMIT = 10
"""Rows at most: longer lists are not done.

A form has 100 blocks (https://docs.slack.dev/reference/views).
"""
ITEM_LIMIT = 300
IMPACT_LIMIT = 500

UNFINISHED = "because …"
"""The end of a proposed sentence that only a person can finish."""
_EMPTY = frozenset({"", "-", "--", ".", "…", "?", "n/a", "na", "none", "tbd", "todo"})


class Parts(Value):
    """The form's texts: as proposed, as a draft, and as a person sends them."""

    timeline: str = ""
    impact: str = ""
    root_cause: str = ""
    monitoring: str = ""
    tests: str = ""
    items: tuple[ActionItem, ...] = ()
    """The form's rows in their order; one without a text is no item."""
    revisit: str = ""
    factors: str = ""
    went_well: str = ""


OPTIONAL = ("factors", "went_well")
"""Texts beside the six parts; like the impact they may stay empty."""
_ASKED = {
    "timeline": "the timeline, from the alert to the end",
    "root_cause": "the root cause",
    "monitoring": "why monitoring did not catch it earlier",
    "tests": "why it slipped through tests and CI",
    "revisit": "when to look at this again",
}


def checked_postmortem(
    parts: Parts, by: str, at: datetime, before: Sequence[ActionItem] = ()
) -> Postmortem | dict[str, str]:
    """Return the post-mortem, or the faults by the part's name (`item_1` for the first row).

    `before` are the items of a post-mortem that is sent again. They keep their places, and
    everything that is known of each.
    """
    wrong: dict[str, str] = {}
    texts: dict[str, str] = {name: getattr(parts, name).strip() for name in _ASKED}
    for name, text in texts.items():
        if is_empty(text):
            wrong[name] = f"Say {_ASKED[name]}; this part cannot be empty."
        elif text.rstrip(" .").endswith(UNFINISHED.rstrip(" .")) or text.endswith(UNFINISHED):
            wrong[name] = f"Finish the sentence: say {_ASKED[name]}."
        elif len(text) > PART_LIMIT:
            wrong[name] = f"Too long: {len(text)} characters, at most {PART_LIMIT}."
    more: dict[str, str] = {name: getattr(parts, name).strip() for name in OPTIONAL}
    wrong |= {
        name: f"Too long: {len(text)} characters, at most {PART_LIMIT}."
        for name, text in more.items()
        if len(text) > PART_LIMIT
    }
    wrong |= _wrong_items(parts.items)
    items = _merged_items(parts.items, before)
    impact = short(" ".join(parts.impact.split()), IMPACT_LIMIT)
    everything = (*texts.values(), *more.values(), impact, *(item.text for item in items))
    size = sum(len(text.encode()) for text in everything)
    if not wrong and size > PARTS_BYTES:
        longest = max(texts | more, key=lambda name: len((texts | more)[name].encode()))
        wrong[longest] = (
            f"Altogether {size - PARTS_BYTES:,} bytes too long: shorten this, the longest part."
        )
    if wrong:
        return wrong
    return Postmortem(
        timeline=texts["timeline"],
        impact="" if is_empty(impact) else impact,
        root_cause=texts["root_cause"],
        monitoring=texts["monitoring"],
        tests=texts["tests"],
        items=items,
        revisit=texts["revisit"],
        factors="" if is_empty(more["factors"]) else more["factors"],
        went_well="" if is_empty(more["went_well"]) else more["went_well"],
        by=by,
        at=at,
    )


def _wrong_items(rows: Sequence[ActionItem]) -> dict[str, str]:
    wrong = {
        f"item_{number}": f"Too long: {len(row.text)} characters, at most {ITEM_LIMIT}."
        for number, row in enumerate(rows, 1)
        if len(row.text) > ITEM_LIMIT
    }
    if all(is_empty(row.text) for row in rows):
        wrong["item_1"] = "Add at least one action item: what will keep this from happening again?"
    if len(rows) > ITEMS_LIMIT:
        wrong[f"item_{ITEMS_LIMIT}"] = (
            f"{len(rows)} action items are too many to be done: at most {ITEMS_LIMIT}."
        )
    return wrong


def _merged_items(
    rows: Sequence[ActionItem], before: Sequence[ActionItem]
) -> tuple[ActionItem, ...]:
    """Return the rows that are not empty.

    An emptied row that was an item before is dropped, not forgotten: its number stays.
    """
    items: list[ActionItem] = []
    for old, row in zip_longest(before, rows):
        if row is not None and not is_empty(row.text):
            written = _tidied_item(row).model_dump(include={"kind", "text", "owner", "due"})
            items.append(old.model_copy(update=written) if old else _tidied_item(row))
        elif old is not None:
            items.append(old.model_copy(update={"dropped": True}) if old.open else old)
    return tuple(items)


def _tidied_item(item: ActionItem) -> ActionItem:
    return item.model_copy(
        update={"text": " ".join(item.text.split()), "owner": item.owner.strip()[:80]}
    )


def is_empty(text: str) -> bool:
    return " ".join(text.split()).lower() in _EMPTY
