"""One release has several names: a tag, a commit, an abbreviated commit. They are joined by the commit.

A release is called what Sentry calls it, because events carry that name, else what the deployer calls it
(rules: Releases and deploys).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from phases.record.findings import ABBREVIATED, COMMIT, Release
from phases.record.service import HOTFIX

_SHORT = 7
"""Letters by which commits are indexed: no abbreviated commit has fewer (`ABBREVIATED`)."""

Index = Mapping[str, tuple[Release, ...]]
"""Releases by the first letters of their commits."""


@dataclass(frozen=True, slots=True)
class Names:
    """What is known of the names of one service's releases."""

    sentry: Mapping[str, Release] = field(default_factory=dict[str, Release])
    deployable: Mapping[str, Release] = field(default_factory=dict[str, Release])
    commits: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version → commit, by whoever told both."""
    moving: frozenset[str] = frozenset()
    """Names that were told of several commits, such as a branch's: they say nothing of what was deployed."""
    by_sentry: Index = field(default_factory=dict[str, tuple[Release, ...]])
    by_deployer: Index = field(default_factory=dict[str, tuple[Release, ...]])

    def of(self, release: Release) -> Release:
        """The release by the name that counts, with its commit where one is known. A hotfix keeps its own name."""
        version = release.version
        commit = release.commit or self.commits.get(version) or _whole(version)
        known = Release(version=version, commit=commit)
        if version in self.sentry or HOTFIX.fullmatch(version):
            return known
        found = _same(known, self.by_sentry)
        if found is None and version not in self.deployable:
            found = _same(known, self.by_deployer)
        if found is not None:
            return Release(version=found.version, commit=commit or found.commit)
        moves = version in self.moving and version not in self.deployable
        return Release(version=commit, commit=commit) if moves and commit else known

    def called(self, version: str) -> str:
        return self.of(Release(version=version)).version


def names(
    sentry: Iterable[Release], deployable: Iterable[Release], others: Iterable[Release]
) -> Names:
    """What Sentry's releases, the deployer's list and everybody else's words say together."""
    by_sentry, by_deployer = ({one.version: one for one in told} for told in (sentry, deployable))
    commits: dict[str, str] = {}
    moving: set[str] = set()
    for one in (*by_sentry.values(), *by_deployer.values(), *others):
        if one.commit is not None and commits.setdefault(one.version, one.commit) != one.commit:
            moving.add(one.version)
    for name in moving:
        del commits[name]
    return Names(
        by_sentry,
        by_deployer,
        commits,
        frozenset(moving),
        _index(by_sentry.values()),
        _index(by_deployer.values()),
    )


def numbered(version: str) -> bool:
    """Whether a name can be a version's or a commit's: `main` and `latest` move."""
    return any(letter.isdigit() for letter in version) or bool(
        ABBREVIATED.fullmatch(version.lower())
    )


def _whole(version: str) -> str | None:
    return version.lower() if COMMIT.fullmatch(version.lower()) else None


def _begins(release: Release) -> str | None:
    commit = (release.commit or release.version).lower()
    return commit[:_SHORT] if ABBREVIATED.fullmatch(commit) else None


def _index(releases: Iterable[Release]) -> dict[str, tuple[Release, ...]]:
    found: dict[str, tuple[Release, ...]] = {}
    for one in releases:
        if (begins := _begins(one)) is not None:
            found[begins] = (*found.get(begins, ()), one)
    return found


def _same(release: Release, index: Index) -> Release | None:
    begins = _begins(release)
    return (
        next((one for one in index.get(begins, ()) if one.same_as(release)), None)
        if begins is not None
        else None
    )
