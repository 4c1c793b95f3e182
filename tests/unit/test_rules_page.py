"""docs/rules.md names where each number lives: the names are there, and what docstrings call a rule has its place on the page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
SETTINGS = {"INCIDENTS_CHANNEL", "SENTRY_RESOLVE", "SLACK_RICH_BLOCKS"}


def test_every_constant_on_the_page_is_in_the_file_it_is_said_to_be_in():
    """A name belongs to the file that was named last in the same point of the page."""
    found = 0
    for point in re.split(r"\n(?=- |## )", PAGE):
        place: Path | None = None
        for token in re.findall(r"`([^`\n]+)`", point):
            named = re.fullmatch(r"((?:phases|handlers|bot)/[\w/]+\.py)(?: (\w+))?", token)
            if named:
                place = ROOT / named.group(1)
                assert place.is_file(), token
            name = named.group(2) if named else token if re.fullmatch(r"[A-Z]{2,}[A-Z_]*", token) else None
            if name is None or name in SETTINGS:
                continue
            assert place is not None, f"{name}: in which file?"
            there = re.search(rf"^(?:(?:async )?def |class )?{name}\b", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert there, f"{name} is not in {place.relative_to(ROOT)}"
            found += 1
    assert found > 50


def test_every_rule_that_the_code_refers_to_has_its_place():
    for path in (p for room in ("phases", "handlers", "bot") for p in (ROOT / room).rglob("*.py")):
        for said in re.findall(r"\([Rr]ules: ([A-Z][\w' /-]*[\w])", path.read_text(encoding="utf-8")):
            heading, bold = f"## {said}\n" in PAGE, f"**{said}**" in PAGE
            assert heading or bold, f"{path.relative_to(ROOT)} refers to {said!r}"
