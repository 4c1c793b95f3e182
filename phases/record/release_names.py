"""The names of one release (a tag, a commit, an abbreviated commit), joined by the commit.

A release goes by its name in Sentry, because events carry that name, else by the deployer's name
(rules: Releases and deploys).
"""

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
    """The known names of one service's releases."""

    sentry: Mapping[str, Release] = field(default_factory=dict[str, Release])
    deployable: Mapping[str, Release] = field(default_factory=dict[str, Release])
    commits: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version → commit, from every source that knows both."""
    moving: frozenset[str] = frozenset()
    """Names of several commits, such as a branch's: they do not tell what was deployed."""
    by_sentry: Index = field(default_factory=dict[str, tuple[Release, ...]])
    by_deployer: Index = field(default_factory=dict[str, tuple[Release, ...]])

    def of(self, release: Release) -> Release:
        """Return the release by the name that counts, with its commit if it is known.

        A hotfix keeps its own name.
        """
        version = release.version
        commit = release.commit or self.commits.get(version) or _whole_commit(version)
        known = Release(version=version, commit=commit)
        if version in self.sentry or HOTFIX.fullmatch(version):
            return known
        same = _same_release(known, self.by_sentry)
        if same is None and version not in self.deployable:
            same = _same_release(known, self.by_deployer)
        if same is not None:
            return Release(version=same.version, commit=commit or same.commit)
        moves = version in self.moving and version not in self.deployable
        return Release(version=commit, commit=commit) if moves and commit else known

    def called(self, version: str) -> str:
        return self.of(Release(version=version)).version


def join_names(
    sentry: Iterable[Release], deployable: Iterable[Release], others: Iterable[Release]
) -> Names:
    """Join the names from Sentry, the deployer and every other source."""
    by_sentry = {release.version: release for release in sentry}
    by_deployer = {release.version: release for release in deployable}
    commits: dict[str, str] = {}
    moving: set[str] = set()
    for release in (*by_sentry.values(), *by_deployer.values(), *others):
        version, commit = release.version, release.commit
        if commit is not None and commits.setdefault(version, commit) != commit:
            moving.add(version)
    for name in moving:
        del commits[name]
    return Names(
        by_sentry,
        by_deployer,
        commits,
        frozenset(moving),
        _by_commit(by_sentry.values()),
        _by_commit(by_deployer.values()),
    )


def names_a_version(version: str) -> bool:
    """True if a name can be a version's or a commit's: `main` and `latest` move."""
    return any(letter.isdigit() for letter in version) or bool(
        ABBREVIATED.fullmatch(version.lower())
    )


def _whole_commit(version: str) -> str | None:
    return version.lower() if COMMIT.fullmatch(version.lower()) else None


def _commit_prefix(release: Release) -> str | None:
    commit = (release.commit or release.version).lower()
    return commit[:_SHORT] if ABBREVIATED.fullmatch(commit) else None


def _by_commit(releases: Iterable[Release]) -> dict[str, tuple[Release, ...]]:
    index: dict[str, tuple[Release, ...]] = {}
    for release in releases:
        if (begins := _commit_prefix(release)) is not None:
            index[begins] = (*index.get(begins, ()), release)
    return index


def _same_release(release: Release, index: Index) -> Release | None:
    begins = _commit_prefix(release)
    if begins is None:
        return None
    return next((known for known in index.get(begins, ()) if known.same_as(release)), None)
