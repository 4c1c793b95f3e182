"""The post-mortem's file once its action items are done: a new status and ticked boxes."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from phases.postmortem.adr_headings import fact_key
from phases.postmortem.adr_template import FACT, HEADING
from phases.record.documents import ActionItem, Contradiction
from phases.text.markdown import Names, inline

HEAD_LINES = 40
"""A status stands in the first lines of a file; further down the word is prose."""

_BOX = re.compile(r"^(?P<bullet>\s*[-*+]\s+)\[[ xX]\](?P<text>\s+.*)$")
_DROPPED = " (dropped)"


def with_items_settled(
    text: str, *, items: Sequence[ActionItem], at: datetime, names: Names
) -> str:
    """Return the same file, done. A file that says so already does not change."""
    lines = text.split("\n")
    _set_status(lines, f"done, action items settled {at.astimezone(UTC):%Y-%m-%d}")
    _tick_boxes(lines, items, names)
    return "\n".join(lines)


def with_kept(text: str, *, some: Sequence[Contradiction], names: Names) -> str:
    """Return the same file, with who keeps what; a line that says so already does not change."""
    kept_by_line = {
        contradiction_line(contradiction.model_copy(update={"kept_by": ""}), names): contradiction
        for contradiction in some
        if not contradiction.open
    }
    lines = text.split("\n")
    return "\n".join(
        contradiction_line(kept_by_line[line], names) if line in kept_by_line else line
        for line in lines
    )


def contradiction_line(one: Contradiction, names: Names) -> str:
    """Return a contradiction's line in the file."""
    when = f" on {one.kept_at.astimezone(UTC):%Y-%m-%d}" if one.kept_at else ""
    state = "Open" if one.open else inline(f"Kept by <@{one.kept_by}>{when}", names)
    return f"- {state}: {inline(one.says, names)}"


def _set_status(lines: list[str], status: str) -> None:
    """Change the line with the status, or the first line below a heading *Status* (Nygard).

    The file may be in any language in which templates are followed.
    """
    for number, line in enumerate(lines[:HEAD_LINES]):
        if (match := FACT.match(line)) and fact_key(match["key"]) == "status":
            value = match["value"]
            if not value.lstrip('"').startswith("done"):
                quote = '"' if value.startswith('"') else ""
                lines[number] = f"{line[: match.start('value')]}{quote}{status}{quote}"
            return
        if (match := HEADING.match(line)) and fact_key(match["text"]) == "status":
            below = next((n for n in range(number + 1, len(lines)) if lines[n].strip()), None)
            if below is None or lines[below].startswith("#"):
                lines[number + 1 : number + 1] = ["", status]
            elif not lines[below].startswith("done"):
                lines[below] = status
            return


def _tick_boxes(lines: list[str], items: Sequence[ActionItem], names: Names) -> None:
    """Tick the box of each settled item.

    An item is known by its words: people may have changed the order.
    """
    boxes = [(number, box) for number, line in enumerate(lines) if (box := _BOX.match(line))]
    for item in items:
        words = inline(item.text, names)
        number, box = next(((n, box) for n, box in boxes if words in box["text"]), (0, None))
        if box is None or item.open:
            continue
        text = box["text"]
        dropped = _DROPPED if item.dropped and not text.endswith(_DROPPED) else ""
        lines[number] = f"{box['bullet']}[x]{text}{dropped}"
