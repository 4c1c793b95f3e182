"""Sentry's order of releases, and its rule for regressions of resolved issues.

In https://github.com/getsentry/sentry, src/sentry: models/groupresolution.py (`has_resolution`),
api/helpers/group_index/update.py (what a resolution stores),
models/releases/util.py (`follows_semver_versioning_scheme`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.sentry.models import Issue, Release, Resolution

SEMVER = re.compile(
    r".+@(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.+-]+)?"
)
"""`package@1.2.3-rc.1+build`; without a package nothing is semantic.

https://docs.sentry.io/product/releases/
"""

Number = tuple[int, int, int, int, tuple[int, tuple[tuple[int, int, str], ...]]]


def semver(version: str) -> Number | None:
    """Return the parts that versions are compared by; None for no semantic version."""
    parsed = SEMVER.fullmatch(version)
    if parsed is None:
        return None
    major, minor, patch, revision = (int(part or 0) for part in parsed.groups()[:4])
    pre = parsed[5]
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in (pre or "").split("."))
    return major, minor, patch, revision, ((0, parts) if pre else (1, ()))


def dated(release: Release) -> float:
    """`COALESCE(date_released, date_added)`."""
    return release.created if release.released is None else release.released


def follows_semver(releases: Iterable[Release], version: str = "") -> bool:
    """Return whether a project's releases are semantic, and `version` with them.

    They are where one of the newest three is and, of ten or more, three of the newest ten.
    """
    newest = sorted(releases, key=lambda release: release.created, reverse=True)[:10]
    fits = [semver(release.version) is not None for release in newest]
    recent = fits[:1] if len(newest) <= 2 else fits[:3]
    follows = any(recent) and (len(newest) < 10 or sum(fits) >= 3)
    return follows and (not version or semver(version) is not None)


def in_next(issue: Issue, releases: list[Release]) -> Resolution | None:
    """Return the resolution of `inNextRelease`; None where the project has no releases."""
    if not releases:
        return None
    by_name = {release.version: release for release in releases}
    newest = max(releases, key=dated)
    if follows_semver(releases, newest.version):
        numbered = [(number, name) for name in by_name if (number := semver(name)) is not None]
        greatest = max(numbered, key=lambda pair: pair[0])[1]
        return Resolution(newest.version, current=greatest)
    last = by_name.get(issue.last_release)  # of the newest event of the issue, whatever runs
    if last is None:
        return Resolution(newest.version, next=True)
    later = [release for release in releases if release.created > last.created]
    if later:
        return Resolution(min(later, key=dated).version, current=last.version)
    return Resolution(newest.version, next=True, current=last.version)


def holds(resolution: Resolution | None, release: Release | None, releases: list[Release]) -> bool:
    """Return whether an event of this release is no regression: the issue stays resolved."""
    if resolution is None:
        return False
    if release is None:
        return True
    by_name = {other.version: other for other in releases}
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


def after_release(resolution: Resolution, created: Release, releases: list[Release]) -> Resolution:
    """Return a resolution after a release was made: it is the next one that was waited for.

    tasks/clear_expired_resolutions.py
    """
    newest = {release.version: release for release in releases}.get(resolution.release)
    if not resolution.next or newest is None or newest is created:
        return resolution
    if newest.created >= created.created:
        return resolution
    return Resolution(created.version, current=resolution.current)
