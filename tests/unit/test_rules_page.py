"""docs/rules/ holds to the code: numbers, names of files, and the headings that docstrings name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("phases", "handlers", "bot")
DOCUMENTS = (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md")
PAGES = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs/rules").glob("*.md"))]
ROW = re.compile(
    r"^\| [^|]+ \| (?P<value>[^|]+) \| `(?P<file>[\w/]+\.py)` (?P<name>[A-Z_]+) \|", re.MULTILINE
)
ROWS = [row for text in PAGES for row in ROW.finditer(text)]
UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400, "KiB": 1024, "%": 0.01}
HELD_IN = {"MINUTES": 60, "DAYS": 86400}
"""The unit of a constant by the end of its name, where it is not seconds."""


@pytest.fixture(scope="module", autouse=True)
def patience() -> None:
    """Here the deadlines of the bot are as they are."""


def module(file: str) -> ModuleType:
    return importlib.import_module(file.removesuffix(".py").replace("/", "."))


def constant(file: str, name: str) -> Any:
    value: Any = module(file)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def parts(value: Any) -> list[float | str]:
    """Return the numbers (times in seconds) or words that a constant holds."""
    match value:
        case timedelta():
            return [value.total_seconds()]
        case time():
            return [float(value.hour)]
        case Mapping():
            return [part for held in value.values() for part in parts(held)]
        case tuple():
            return [part for held in value for part in parts(held)]
        case str():
            return [value]
        case _:
            return [float(value)]


def readings(text: str, name: str) -> list[list[float | str]]:
    """Return the meanings of a value on the page: `15 min` is 900 seconds, `1/5` is 0.2 or 5."""
    if hour := re.fullmatch(r"(\d+):00", text):
        return [[float(hour[1])]]
    if ratio := re.match(r"([\d,]+)(/| in )([\d,]+)", text):
        above, below = (float(number.replace(",", "")) for number in ratio.group(1, 3))
        return [[above / below], *([[below / above]] if ratio[2] == "/" else [])]
    if not text[0].isdigit():
        return [list[float | str](text.split(", ")), [text]]
    number = r"\d+(?:,\d{3})*(?:\.\d+)?"
    listed = re.match(rf"({number}(?:, {number})*) ?(\S*)", text)
    assert listed is not None
    factor = UNITS.get(listed[2], 1) / HELD_IN.get(name.rpartition("_")[2], 1)
    return [[float(number.replace(",", "")) * factor for number in listed[1].split(", ")]]


def test_a_number_on_the_page_is_that_of_its_constant():
    wrong: list[str] = []
    for row in ROWS:
        where, value = f"{row['file']} {row['name']}", row["value"].strip()
        try:
            held = parts(constant(row["file"], row["name"]))
        except (ImportError, AttributeError) as error:
            wrong.append(f"{where}: {error}")
            continue
        if not any(reading == pytest.approx(held) for reading in readings(value, row["name"])):
            wrong.append(f"{where} is {held}, on the page {value}")
    assert not wrong, "\n".join(wrong)


def test_every_row_of_the_tables_is_held_and_stands_once():
    names = {(row["file"], row["name"]) for row in ROWS}
    lines = [line for text in PAGES for line in text.partition("## Numbers\n")[2].splitlines()]
    rows = [
        line
        for line in lines
        if line.startswith("| ") and not line.startswith(("| ---", "| number"))
    ]
    assert len(rows) == len(ROWS) == len(names)


def test_names_beside_a_file_are_in_it():
    wrong: list[str] = []
    for text in PAGES:
        for file, name in re.findall(r"`((?:phases|handlers|bot)/[\w/]+\.py)(?: ([\w.]+))?`", text):
            try:
                constant(file, name) if name else module(file)
            except (ImportError, AttributeError) as error:
                wrong.append(f"{file} {name}: {error}")
    assert not wrong, "\n".join(wrong)


def test_every_rule_that_the_code_refers_to_has_one_heading():
    headings = [
        heading for text in PAGES for heading in re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    ]
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for rules in re.findall(r"\([Rr]ules: ([A-Z][^)]*)\)", path.read_text(encoding="utf-8")):
            for rule in " ".join(rules.split()).split(", "):
                rule = re.split(r"[:;]| \(", rule)[0]
                assert headings.count(rule) == 1, f"{path.relative_to(ROOT)} refers to {rule!r}"


def test_files_that_the_documents_name_are_there():
    wrong: list[str] = []
    for page in DOCUMENTS:
        text = page.read_text(encoding="utf-8")
        for file in re.findall(r"`((?:phases|handlers|bot|sandbox|tests)/[\w/.-]+)[ `]", text):
            if not (ROOT / file).exists():
                wrong.append(f"{page.relative_to(ROOT)} names {file}")
    assert not wrong, "\n".join(wrong)


def test_links_between_the_pages_lead_somewhere():
    for page in DOCUMENTS:
        for target, anchor in re.findall(
            r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text(encoding="utf-8")
        ):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.relative_to(ROOT)} links to {target}"
            named = f"{page.relative_to(ROOT)} links to {target}#{anchor}"
            assert not anchor or anchor in anchors(there), named


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
