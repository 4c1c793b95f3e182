"""Blocks that Slack is still rolling out: not every workspace takes them.

https://docs.slack.dev/reference/block-kit/blocks/ plan-block, task-card-block, data-table-block,
data-visualization-block
"""

from __future__ import annotations

from typing import Any

from sandbox.slack.block_kit.checker import Checker
from sandbox.wire import Json

RICH_BLOCKS = frozenset({"plan", "task_card", "data_table", "data_visualization"})
STATUSES = ("pending", "in_progress", "complete", "error")
MAX_SERIES, MAX_POINTS, LABEL, TITLE = 12, 20, 20, 50
MAX_ROWS, MAX_COLUMNS, CELL_CHARACTERS = 201, 20, 10_000


def check_rich_block(checker: Checker, block: Json, at: str) -> None:
    match block["type"]:
        case "plan":
            _plan(checker, block, at)
        case "task_card":
            _task_card(checker, block, at, alone=True)
        case "data_table":
            _data_table(checker, block, at)
        case _:
            _data_visualization(checker, block, at)


def _plan(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "title", "tasks"})
    checker.string(block, "title", at, 3000, required=True)
    for index, task in enumerate(block.get("tasks") or []):
        _task_card(checker, task, f"{at}/tasks/{index}", alone=False)


def _task_card(checker: Checker, task: Any, at: str, *, alone: bool) -> None:
    if not isinstance(task, dict) or task.get("type") not in (None, "task_card"):
        checker.fault("failed to match all allowed schemas", at)
        return
    checker.only(
        task, at, {"type", "block_id", "task_id", "title", "details", "output", "sources", "status"}
    )
    checker.string(task, "task_id", at, 255, required=True)
    checker.string(task, "title", at, 3000, required=True)
    checker.one_of(task, "status", at, STATUSES[1:] if alone else STATUSES, required=True)
    for key in ("details", "output"):
        if key in task and (
            not isinstance(task[key], dict) or task[key].get("type") != "rich_text"
        ):
            checker.fault("must be a rich_text block", f"{at}/{key}")


def _data_table(checker: Checker, block: Json, at: str) -> None:
    checker.only(
        block, at, {"type", "block_id", "rows", "caption", "page_size", "row_header_column_index"}
    )
    checker.string(block, "caption", at, 3000, required=True)
    rows = checker.items(block, "rows", at, MAX_ROWS, least=2)
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if rows and (len(widths) > 1 or not 1 <= max(widths) <= MAX_COLUMNS):
        checker.fault("every row must have the same number of cells, 1 to 20", f"{at}/rows")
    for key, least, most in (
        ("page_size", 1, 100),
        ("row_header_column_index", 0, MAX_COLUMNS - 1),
    ):
        if key in block and not (isinstance(block[key], int) and least <= block[key] <= most):
            checker.fault(f"must be {least} to {most}", f"{at}/{key}")
    characters = 0
    for index, row in enumerate(rows):
        allowed = (
            {"raw_text", "raw_number"} if index == 0 else {"raw_text", "raw_number", "rich_text"}
        )
        for column, cell in enumerate(row if isinstance(row, list) else []):
            here = f"{at}/rows/{index}/{column}"
            if not isinstance(cell, dict) or cell.get("type") not in allowed:
                checker.fault("failed to match all allowed schemas", here)
                continue
            _cell(checker, cell, here)
            characters += len(str(cell.get("text", "")))
    if characters > CELL_CHARACTERS:
        checker.fault(f"no more than {CELL_CHARACTERS} characters in all cells", f"{at}/rows")


def _cell(checker: Checker, cell: Json, at: str) -> None:
    if cell["type"] != "rich_text":
        checker.string(cell, "text", at, CELL_CHARACTERS, required=cell["type"] == "raw_text")
    if cell["type"] == "raw_number" and not _is_number(cell.get("value")):
        checker.fault("missing required field: value", at)


def _data_visualization(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "title", "chart"})
    checker.string(block, "title", at, TITLE, required=True)
    chart = block.get("chart")
    if not isinstance(chart, dict):
        checker.fault("missing required field: chart", at)
        return
    here = f"{at}/chart"
    checker.one_of(chart, "type", here, ("line", "bar", "area", "pie"), required=True)
    if chart.get("type") == "pie":
        for index, segment in enumerate(checker.items(chart, "segments", here, MAX_SERIES)):
            _point(checker, segment, f"{here}/segments/{index}")
        return
    axis = chart.get("axis_config")
    if not isinstance(axis, dict):
        checker.fault("missing required field: axis_config", here)
        return
    categories = axis.get("categories")
    for key in ("x_label", "y_label"):
        checker.string(axis, key, f"{here}/axis_config", TITLE)
    series_list = [series for series in chart.get("series") or [] if isinstance(series, dict)]
    names = [series.get("name") for series in series_list]
    if len(names) != len(set(map(str, names))):
        checker.fault("series names must be unique", f"{here}/series")
    for index, series in enumerate(checker.items(chart, "series", here, MAX_SERIES)):
        place = f"{here}/series/{index}"
        checker.string(series, "name", place, LABEL, required=True)
        points = checker.items(series, "data", place, MAX_POINTS)
        for number, point in enumerate(points):
            _point(checker, point, f"{place}/data/{number}")
        if [point.get("label") for point in points] != categories:
            checker.fault("labels must match axis_config.categories", f"{place}/data")


def _point(checker: Checker, point: Any, at: str) -> None:
    if not isinstance(point, dict) or not _is_number(point.get("value")):
        checker.fault("missing required field: value", at)
        return
    checker.string(point, "label", at, LABEL, required=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
