"""Sentry's order of releases, and its rule for what is a regression of a resolved issue.

https://github.com/getsentry/sentry/blob/master/src/sentry/models/groupresolution.py (`has_resolution`)
https://github.com/getsentry/sentry/blob/master/src/sentry/api/helpers/group_index/update.py (what a resolution stores)
https://github.com/getsentry/sentry/blob/master/src/sentry/models/releases/util.py (`follows_semver_versioning_scheme`)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.sentry.models import Issue, Release, Resolution

SEMVER = re.compile(
    r".+@(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.+-]+)?"
)
"""`package@1.2.3-rc.1+build`: without a package nothing is semantic (https://docs.sentry.io/product/releases/)."""

Number = tuple[int, int, int, int, tuple[int, tuple[tuple[int, int, str], ...]]]


def semver(version: str) -> Number | None:
    """The parts that versions are compared by; None: this is no semantic version."""
    found = SEMVER.fullmatch(version)
    if found is None:
        return None
    major, minor, patch, revision = (int(part or 0) for part in found.groups()[:4])
    pre = found[5]
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in (pre or "").split("."))
    return major, minor, patch, revision, ((0, parts) if pre else (1, ()))


def dated(release: Release) -> float:
    """`COALESCE(date_released, date_added)`."""
    return release.created if release.released is None else release.released


def follows_semver(releases: Iterable[Release], version: str = "") -> bool:
    """One of the newest three is semantic and, of ten or more, three of the newest ten; and so is `version`."""
    newest = sorted(releases, key=lambda one: one.created, reverse=True)[:10]
    fits = [semver(one.version) is not None for one in newest]
    recent = fits[:1] if len(newest) <= 2 else fits[:3]
    follows = any(recent) and (len(newest) < 10 or sum(fits) >= 3)
    return follows and (not version or semver(version) is not None)


def in_next(issue: Issue, releases: list[Release]) -> Resolution | None:
    """`inNextRelease` of an issue whose project has these releases; None where it has none: refused."""
    if not releases:
        return None
    newest = max(releases, key=dated)
    if follows_semver(releases, newest.version):
        numbered = [
            (number, one) for one in releases if (number := semver(one.version)) is not None
        ]
        greatest = max(numbered, key=lambda pair: pair[0])[1]
        return Resolution(newest.version, current=greatest.version)
    by_name = {one.version: one for one in releases}
    last = by_name.get(issue.last_release)  # of the newest event of the issue, whatever runs
    if last is None:
        return Resolution(newest.version, next=True)
    later = [one for one in releases if one.created > last.created]
    if later:
        return Resolution(min(later, key=dated).version, current=last.version)
    return Resolution(newest.version, next=True, current=last.version)


def holds(resolution: Resolution | None, release: Release | None, releases: list[Release]) -> bool:
    """Whether an event of this release leaves a resolved issue resolved: it is no regression."""
    if resolution is None:
        return False
    if release is None:
        return True
    by_name = {one.version: one for one in releases}
    resolved_in, current = by_name.get(resolution.release), by_name.get(resolution.current)
    number = semver(release.version) if follows_semver(releases, release.version) else None
    if resolution.current:
        so_far, target = semver(resolution.current), semver(resolution.release)
        if number is not None and so_far is not None:
            return so_far >= number or (target is not None and target > number)
        if number is None and current is not None:
            return current is release or dated(current) > dated(release)
    if resolved_in is None:
        return False
    if resolution.next:
        return resolved_in is release or dated(resolved_in) > dated(release)
    if resolved_in is release:
        return False
    target = semver(resolution.release)
    if number is not None and target is not None:
        return target > number
    return dated(resolved_in) >= dated(release)


def came(resolution: Resolution, created: Release, releases: list[Release]) -> Resolution:
    """A release was made: where the next one was waited for, this is it (tasks/clear_expired_resolutions.py)."""
    waited = {one.version: one for one in releases}.get(resolution.release)
    if (
        not resolution.next
        or waited is None
        or waited is created
        or waited.created >= created.created
    ):
        return resolution
    return Resolution(created.version, current=resolution.current)
