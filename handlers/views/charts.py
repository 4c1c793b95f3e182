"""Charts and tables as Slack draws them, each with the same numbers in plain blocks.

Shapes and limits: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
(messages only; six or twelve series by the page's age: six) and
https://docs.slack.dev/reference/block-kit/blocks/data-table-block (100 or 200 rows: 100).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from handlers.views.blocks import Block, Native, section
from handlers.views.text import code, plain, size, words
from phases.verification.event_chart import POINTS

TITLE, AXIS, LABEL = 50, 50, 20
SERIES = 6
ROWS = 100
COLUMNS = 20
CELLS = 10_000  # characters of all of them
PAGE = 20  # rows of a table that are seen at once: our own
CAPTION = 150  # our own
CELL = 200  # our own
PLAIN_ROWS = 40  # our own: a code block beyond that is not read

Number = int | float
Cell = str | int | float


def chart(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[Number]],
    *,
    kind: Literal["line", "bar", "area"] = "bar",
    axes: tuple[str, str] = ("", ""),
    plainly: Sequence[Block] | None = None,
) -> Native:
    """Return one value of each series for each label, at most 20 labels; older ones are left out.

    `axes`: the names of x and y. `plainly`: blocks with the same in words; without them the numbers
    stand in a small table.
    """
    names = _labels(labels[-POINTS:])
    finite = [[_finite(value) for value in values[-POINTS:]] for values in series.values()]
    drawn = {
        name: values[: len(names)]
        for name, values in zip(_labels(series), finite, strict=True)
        if len(values) >= len(names)
    }
    drawn = dict(list(drawn.items())[:SERIES])
    if plainly is None:
        plainly = _table(title, ["", *drawn], zip(names, *drawn.values(), strict=True))
    if not names or not drawn:
        return Native(section(f"*{words(title, TITLE)}*: no numbers"), tuple(plainly))
    axis: Block = {"categories": names}
    for key, name in zip(("x_label", "y_label"), axes, strict=True):
        if label := plain(name, AXIS):
            axis[key] = label
    data: list[Block] = []
    for name, values in drawn.items():
        points = [{"label": at, "value": value} for at, value in zip(names, values, strict=True)]
        data.append({"name": name, "data": points})
    block: Block = {
        "type": "data_visualization",
        "title": plain(title, TITLE) or "—",
        "chart": {"type": kind, "series": data, "axis_config": axis},
    }
    return Native(block, tuple(plainly))


def _labels(names: Iterable[str]) -> list[str]:
    return _distinct_names((plain(name, LABEL) or "—" for name in names), LABEL)


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Native:
    """Return a table with sortable columns, in which numbers sort as numbers.

    At most 20 columns and 100 rows: the rest is left out, and the caption says so.
    """
    head = list(head[:COLUMNS])
    whole = [[*row[: len(head)], *[""] * (len(head) - len(row))] for row in rows]
    shown: list[list[Block]] = [[_raw_text(name) for name in head]]
    left = CELLS - sum(size(cell["text"]) for cell in shown[0])
    for row in whole[:ROWS]:
        cells = [_raw_text(cell) if isinstance(cell, str) else _number(cell) for cell in row]
        left -= sum(size(cell["text"]) for cell in cells)
        if left < 0:
            break
        shown.append(cells)
    missing = len(whole) - len(shown) + 1
    caption = f"{plain(caption, CAPTION)}{f' ({missing} more not shown)' if missing else ''}"
    plainly = _table(caption, head, whole)
    if len(shown) < 2:
        return Native(section(f"*{words(caption, CAPTION)}*: nothing to show"), plainly)
    block: Block = {
        "type": "data_table",
        "caption": caption or "—",
        "page_size": PAGE,
        "rows": shown,
    }
    return Native(block, plainly)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> tuple[Block, ...]:
    """Return columns that stand under each other, in a code block."""
    texts = [[plain(name, LABEL) for name in head]]
    texts += [
        [plain(c, LABEL) if isinstance(c, str) else _number_text(c) for c in row] for row in rows
    ]
    left = len(texts) - 1 - PLAIN_ROWS
    texts = texts[: PLAIN_ROWS + 1]
    wide = [max(len(row[at]) for row in texts) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip()
        for row in texts
    ]
    if left > 0:
        lines.append(f"… and {left} more")
    return (section(f"*{words(title, CAPTION)}*\n{code(chr(10).join(lines))}"),)


def _raw_text(raw: str) -> Block:
    return {"type": "raw_text", "text": plain(raw, CELL) or "—"}


def _number(value: Number) -> Block:
    value = _finite(value)
    return {"type": "raw_number", "value": value, "text": _number_text(value)}


def _number_text(value: Number) -> str:
    value = _finite(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _finite(value: Number) -> Number:
    return value if math.isfinite(value) else 0


def _distinct_names(names: Iterable[str], limit: int) -> list[str]:
    """Return names that differ: by them Slack tells points and series apart."""
    different: list[str] = []
    for name in names:
        other, number = name, 2
        while other in different:
            tail = f" {number}"
            other, number = f"{plain(name, limit - len(tail))}{tail}", number + 1
        different.append(other)
    return different
