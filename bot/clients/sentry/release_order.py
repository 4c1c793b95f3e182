"""Which release comes after the one that was taken back, in Sentry's own order of releases.

https://github.com/getsentry/sentry/blob/master/src/sentry/models/groupresolution.py compares semantic versions where a
project has them, else dates: `date_added`, in newer versions `date_released` where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

SEMVER = re.compile(
    r".+@(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.+-]+)?"
)
"""`package@1.2.3`: https://docs.sentry.io/product/releases/ (without a package nothing is semantic)."""


class _Project(BaseModel):
    slug: str = ""


class ReleaseRow(BaseModel):
    """A row of https://docs.sentry.io/api/releases/list-an-organizations-releases/"""

    model_config = ConfigDict(extra="ignore")

    version: str
    dateCreated: datetime
    dateReleased: datetime | None = None
    firstEvent: datetime | None = None
    projects: list[_Project] = Field(default_factory=list[_Project])


def after(rows: Sequence[ReleaseRow], taken_back: str, projects: Sequence[str]) -> str | None:
    """The first release above `taken_back` by every order that Sentry may use, and that has not sent an event yet.

    None: there is none, or nobody can tell. One that sends events already may fail in the same way, in another environment.
    """
    old = next((row for row in rows if row.version == taken_back), None)
    if old is None:
        return None
    ours = [row for row in rows if not projects or {p.slug for p in row.projects} & set(projects)]
    above = [row for row in ours if row.firstEvent is None and _above(row, old)]
    if _number(old.version) is not None:
        return (
            min(above, key=lambda row: _number(row.version) or (), default=old).version
            if above
            else None
        )
    return min(above, key=_dated).version if above else None


def _above(row: ReleaseRow, old: ReleaseRow) -> bool:
    """By number and by both dates; releases that are written in two ways cannot be compared."""
    mine, theirs = _number(row.version), _number(old.version)
    if (mine is None) is not (theirs is None):
        return False
    by_number = mine is None or theirs is None or mine > theirs
    return by_number and row.dateCreated > old.dateCreated and _dated(row) > _dated(old)


def _dated(row: ReleaseRow) -> datetime:
    return row.dateReleased or row.dateCreated


def _number(version: str) -> tuple[int, ...] | None:
    """Of a semantic version; one that is no final release stands below it, and beside others of its kind."""
    found = SEMVER.fullmatch(version)
    return (
        None
        if found is None
        else (*(int(part or 0) for part in found.groups()[:4]), 0 if found[5] else 1)
    )
