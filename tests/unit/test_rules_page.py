"""docs/rules/: each number is that of its constant, each name is in its file, each heading that code refers to is there."""

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
PAGES = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs/rules").glob("*.md"))}
ROW = re.compile(
    r"^\| (?P<number>[^|]+) \| (?P<value>[^|]+) \| `(?P<file>[\w/]+\.py)` (?P<name>[A-Z_]+) \|", re.MULTILINE
)
ROWS = [row for text in PAGES.values() for row in ROW.finditer(text)]
UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400, "KiB": 1024, "%": 0.01}


def module(file: str) -> ModuleType:
    return importlib.import_module(file.removesuffix(".py").replace("/", "."))


def constant(file: str, name: str) -> Any:
    value: Any = module(file)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def parts(value: Any) -> list[float | str]:
    """The numbers (times in seconds) or words that a constant holds."""
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


def readings(text: str) -> list[list[float | str]]:
    """What a value on the page may mean: `15 min` is 15 minutes or 900 seconds, `1/5` a fifth or "one in five"."""
    if hour := re.fullmatch(r"(\d+):00", text):
        return [[float(hour[1])]]
    if ratio := re.match(r"([\d,]+)(?:/| in )([\d,]+)", text):
        above, below = (float(number.replace(",", "")) for number in ratio.groups())
        return [[above / below], [below / above]]
    if not text[0].isdigit():
        return [list[float | str](text.split(", ")), [text]]
    number = r"\d+(?:,\d{3})*(?:\.\d+)?"
    listed = re.match(rf"({number}(?:, {number})*) ?(\S*)", text)
    assert listed is not None
    numbers = [float(number.replace(",", "")) for number in listed[1].split(", ")]
    return [list(numbers), [number * UNITS.get(listed[2], 1) for number in numbers]]


def test_a_number_on_the_page_is_that_of_its_constant():
    wrong: list[str] = []
    for row in ROWS:
        held = parts(constant(row["file"], row["name"]))
        if not any(reading == pytest.approx(held) for reading in readings(row["value"].strip())):
            wrong.append(f"{row['file']} {row['name']} is {held}, on the page {row['value']}")
    assert not wrong, "\n".join(wrong)


def test_a_number_stands_once():
    names = [(row["file"], row["name"]) for row in ROWS]
    assert len(names) == len(set(names)) > 150


def test_names_beside_a_file_are_in_it():
    found = 0
    for text in PAGES.values():
        for file, name in re.findall(r"`((?:phases|handlers|bot)/[\w/]+\.py)(?: ([\w.]+))?`", text):
            found += 1
            if name:
                constant(file, name)
            else:
                module(file)
    assert found > 200


def test_every_rule_that_the_code_refers_to_has_one_heading():
    headings = [line.lstrip("# ") for text in PAGES.values() for line in text.splitlines() if line.startswith("##")]
    for path in (path for room in ("phases", "handlers", "bot") for path in (ROOT / room).rglob("*.py")):
        for rules in re.findall(r"\([Rr]ules: ([A-Z][^)]*)\)", path.read_text(encoding="utf-8")):
            for rule in " ".join(rules.split()).split(", "):
                rule = re.split(r"[:;]| \(", rule)[0]
                assert headings.count(rule) == 1, f"{path.relative_to(ROOT)} refers to {rule!r}"


def test_links_between_the_pages_lead_somewhere():
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"):
        for target, anchor in re.findall(
            r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text(encoding="utf-8")
        ):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.relative_to(ROOT)} links to {target}"
            assert not anchor or anchor in anchors(there), f"{page.relative_to(ROOT)} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """As GitHub names them: https://docs.github.com/get-started/writing-on-github (section links)."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
