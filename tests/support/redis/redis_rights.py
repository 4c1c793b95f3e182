"""The least rights in Redis, as docs/operations.md names them."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
PASSWORD = "p/w"


def least() -> list[str]:
    """The words behind `ACL SETUSER firebreak`."""
    [line] = re.findall(r"^ACL SETUSER firebreak (.*)$", DOCS, re.MULTILINE)
    return line.replace(">PASSWORD", f">{PASSWORD}").split()


def besides() -> set[str]:
    """The rights of the table below it."""
    rows = re.findall(r"^\| (?:on the sentinels: )?`(\+[^`]*)` \|", DOCS, re.MULTILINE)
    return {word.replace("\\|", "|") for row in rows for word in row.split()}
