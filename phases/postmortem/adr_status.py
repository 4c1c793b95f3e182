"""The post-mortem's file when its action items are done: its status changes and its boxes are ticked, nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from phases.postmortem.adr_headings import fact
from phases.record.documents import ActionItem
from phases.record.markdown import Names, inline

HEAD_LINES = 40
"""A status stands at the top of a file; the word further down is prose."""

_LINE = re.compile(
    r"^(\s*(?:[-*+]\s+)?(?:\*\*|__)?([^\W\d_]{4,12})(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*)(.*)$"
)
_HEADING = re.compile(r"^#{1,6}\s+(.{4,20}?)\s*#*$")
_BOX = re.compile(r"^(\s*[-*+]\s+)\[[ xX]\](\s+)(.*)$")
_DROPPED = " (dropped)"


def completed(text: str, *, items: Sequence[ActionItem], at: datetime, names: Names) -> str:
    """The same file, done. Where it says so already, not a letter is changed."""
    lines = text.split("\n")
    _set_status(lines, f"done, action items settled {at.astimezone(UTC):%Y-%m-%d}")
    _tick(lines, items, names)
    return "\n".join(lines)


def _set_status(lines: list[str], status: str) -> None:
    """`- Status: accepted`, `status: accepted` in front matter (MADR), or a heading *Status* with its first line (Nygard).

    In any language that templates are followed in.
    """
    for number, line in enumerate(lines[:HEAD_LINES]):
        if (found := _LINE.match(line)) and fact(found.group(2)) == "status":
            if not found.group(3).lstrip('"').startswith("done"):
                quote = '"' if found.group(3).startswith('"') else ""
                lines[number] = f"{found.group(1)}{quote}{status}{quote}"
            return
        if (found := _HEADING.match(line)) and fact(found.group(1)) == "status":
            below = next((n for n in range(number + 1, len(lines)) if lines[n].strip()), None)
            if below is None or lines[below].startswith("#"):
                lines[number + 1 : number + 1] = ["", status]
            elif not lines[below].startswith("done"):
                lines[below] = status
            return


def _tick(lines: list[str], items: Sequence[ActionItem], names: Names) -> None:
    """Each item's box by its words: people may have put them into another order."""
    boxes = [(number, found) for number, line in enumerate(lines) if (found := _BOX.match(line))]
    for one in items:
        said = inline(one.text, names)
        hit = next((box for box in boxes if said in box[1].group(3)), None)
        if hit is None or one.open:
            continue
        number, found = hit
        rest = found.group(3)
        dropped = _DROPPED if one.dropped and not rest.endswith(_DROPPED) else ""
        lines[number] = f"{found.group(1)}[x]{found.group(2)}{rest}{dropped}"
