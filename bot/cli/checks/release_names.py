"""The last three releases of a service as each system names them, side by side.

Each system writes one version differently; the catalogue's patterns must read them all.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path

from bot.cli.checks import Finding, asked, broken, github, unproven, works
from bot.clients.deployers.command import CommandDeployer
from bot.clients.git.tags import tags_with_commits
from bot.clients.github.client import GitHub
from bot.clients.sentry.client import Sentry
from bot.wiring import STATE_BESIDE_REDIS
from phases.record.findings import Release
from phases.record.service import DeployCommands, Service

RELEASES_SHOWN = 3
SYSTEMS = {"sentry": "Sentry", "tag": "Git", "deploy": "the deployer"}
Side = tuple[str, str, Sequence[str]]
"""The key of `SYSTEMS`, its pattern, and the names that the system has, newest first."""


async def release_names(
    service: Service, tracker: Sentry | None, hub: GitHub | None, state: Path = STATE_BESIDE_REDIS
) -> list[Finding]:
    what, patterns = f"Releases, {service.name}", service.release
    sentry = await asked(what, tracker.release_names(service)) if tracker is not None else None
    tags = await _tags(what, service, hub)
    deployed = await _deployed(what, service, hub, state)
    answers = (
        ("sentry", patterns.sentry, sentry),
        ("tag", patterns.tag, tags),
        ("deploy", patterns.deploy, deployed),
    )
    # Sentry's own row says so where it does not answer.
    faults = [fault for fault in (tags, deployed) if isinstance(fault, Finding)]
    sides = [
        (key, pattern, list(names))
        for key, pattern, names in answers
        if names is not None and not isinstance(names, Finding)
    ]
    commits = None if isinstance(tags, Finding) else tags
    return [*faults, *side_by_side(service, sides, commits)]


async def _tags(
    what: str, service: Service, hub: GitHub | None
) -> Mapping[str, str] | Finding | None:
    """Return the tags with their commits; None where nothing holds the service's code."""
    if service.checkout:
        mend = f"checkout of {service.name}: a Git clone that the bot's user may read"
        return await asked(what, tags_with_commits(service.checkout), mend)
    if hub is not None and service.repository:
        return await asked(what, hub.tags(service.repository))
    return None


async def _deployed(
    what: str, service: Service, hub: GitHub | None, state: Path
) -> Sequence[str] | Finding | None:
    if isinstance(service.deploy, DeployCommands):
        deployer = CommandDeployer(state / "deploys")
        return await asked(what, deployer.release_names(service))
    if hub is not None and service.deploy is not None:
        return await asked(what, github.deployed(service, hub))
    return None


def side_by_side(
    service: Service, sides: Sequence[Side], commits: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return the last three of each system, in a line.

    Broken where no name fits its pattern, or where two systems know no version in common.
    `commits` are those of the tags: a version and a commit at which its tag points are one release.
    """
    points = {
        version: commit
        for tag, commit in (commits or {}).items()
        if (version := service.release.version_of(service.release.tag, tag))
    }
    what = f"Releases, {service.name}"
    findings: list[Finding] = []
    read: list[tuple[Side, set[str]]] = []
    for side in sides:
        finding, versions = _read_names(what, service, side, sides)
        findings.append(finding)
        if versions:
            read.append((side, versions))
    untagged = _untagged(read, points)
    if untagged:
        systems = " and ".join(SYSTEMS[key] for key in untagged)
        says = f"{systems}: commits, at none of which a tag points; Git knows them by themselves"
        findings.append(unproven(what, says))
    pairs = combinations(read, 2) if untagged else pairwise(read)
    for (left, left_versions), (right, right_versions) in pairs:
        keys = (left[0], right[0])
        if "tag" in keys and any(key in untagged for key in keys):
            continue
        if not _in_both(left_versions, right_versions, points):
            says = f"{SYSTEMS[keys[0]]} and {SYSTEMS[keys[1]]} have not one version in common."
            findings.append(broken(what, says, _pattern_advice(service, left, right)))
    return findings


def _read_names(
    what: str, service: Service, side: Side, sides: Sequence[Side]
) -> tuple[Finding, set[str]]:
    """Return the finding of one system, and the versions that its pattern reads."""
    key, pattern, names = side
    system = SYSTEMS[key]
    if not names:
        return unproven(what, f"{system} names none yet"), set()
    # A deployer's list may be one of tags (bot/clients/deployers). The longer pattern says more.
    both = {pattern, service.release.tag} if key == "deploy" else {pattern}
    patterns = sorted(both, key=lambda text: (-len(text), text))
    readers = {
        name: reader
        for name in names
        if (reader := _reader(service, key, patterns, name)) is not None
    }
    # In a repository of several services most tags may be of others: they are no fault.
    shown = [*readers, *(name for name in names if name not in readers)][:RELEASES_SHOWN]
    says = f"{system}: {', '.join(shown)} (read by {readers.get(shown[0], pattern)})"
    if not readers:
        return broken(what, f"{says}: none fits.", _advice(service, side, sides)), set()
    versions = {service.release.version_of(reader, name) or "" for name, reader in readers.items()}
    return works(what, says), versions


def _untagged(read: Sequence[tuple[Side, set[str]]], points: Mapping[str, str]) -> list[str]:
    """Return the systems whose releases are commits, where there are tags and none points there."""
    tags = next((versions for side, versions in read if side[0] == "tag"), None)
    if tags is None:
        return []
    others = [(side[0], versions) for side, versions in read if side[0] != "tag"]
    return [
        key
        for key, versions in others
        if _are_commits(versions) and not _in_both(versions, tags, points)
    ]


def _are_commits(versions: Collection[str]) -> bool:
    """Say whether these are commits, whole or short; a number of eight digits may be a date."""
    return all(re.fullmatch(r"[0-9a-f]{7,64}", version) for version in versions) and bool(
        re.search("[a-f]", "".join(versions))
    )


def _reader(service: Service, key: str, patterns: Sequence[str], name: str) -> str | None:
    if key == "sentry":
        return patterns[0] if service.version_in_sentry(name) is not None else None
    fits = (p for p in patterns if service.release.version_of(p, name) is not None)
    return next((p for p in fits if not service.of_another(name, p)), None)


def _in_both(
    left: Collection[str], right: Collection[str], points: Mapping[str, str] | None = None
) -> bool:
    """Say whether a version is in both, also as a short commit, or as a tag and its commit."""
    at = points or {}
    releases = [Release(version=version, commit=at.get(version)) for version in right]
    return any(
        Release(version=version, commit=at.get(version)).same_as(release)
        for version in left
        for release in releases
    )


# --- the pattern that would read them -----------------------------------------------------------


def _advice(service: Service, side: Side, sides: Sequence[Side]) -> str:
    """Advise a pattern that reads these names, if possible as a version of another system."""
    key, _, names = side
    where = f"release of {service.name} in the catalogue"
    known = [
        versions
        for other, pattern, theirs in sides
        if other != key
        for reader in (pattern, *_guesses(other, theirs))
        if (versions := _versions(service, reader, theirs))
    ]
    guesses = _guesses(key, names)
    for guess in guesses if known else guesses[-1:]:
        versions = _versions(service, guess, names)
        if not known or any(_in_both(versions, theirs) for theirs in known):
            return f'{where}, for instance {key} = "{guess}"'
    return (
        f"{where}: no pattern reads these names so that a version of another system comes out "
        "(docs/services.md)"
    )


def _pattern_advice(service: Service, left: Side, right: Side) -> str:
    """Advise which pattern to change, or both, so that one version comes out of both systems."""
    where = f"release of {service.name} in the catalogue"
    tags = "tag" in (left[0], right[0])  # a commit needs no tag
    for (key, _, names), (_, pattern, theirs) in ((left, right), (right, left)):
        for guess in _guesses(key, names):
            versions = _versions(service, guess, names)
            if _in_both(versions, _versions(service, pattern, theirs)) or (
                tags and key != "tag" and _are_commits(versions)
            ):
                return f'{where}, for instance {key} = "{guess}"'
    for first in _guesses(left[0], left[2]):
        for second in _guesses(right[0], right[2]):
            if _in_both(_versions(service, first, left[2]), _versions(service, second, right[2])):
                return f'{where}, for instance {left[0]} = "{first}" and {right[0]} = "{second}"'
    return (
        f"{where}: the same version must come out of every system's name; "
        f"no pattern was found that reads one out of {left[2][0]} and {right[2][0]} "
        "(docs/services.md)"
    )


def _versions(service: Service, pattern: str, names: Sequence[str]) -> set[str]:
    return {
        version
        for name in names
        if (version := service.release.version_of(pattern, name)) is not None
    }


def _guesses(key: str, names: Sequence[str]) -> list[str]:
    """Return patterns that may read the names: a stem, the version, and in Sentry a build."""
    distinct = {stem for name in names if (stem := _stem(name)) is not None}
    stems: list[str] = sorted(distinct, key=lambda stem: (len(stem), stem))
    if not stems:
        return []
    if len(stems) == 1:
        before = stems[0]
    elif key == "sentry" and all(stem.endswith("@") for stem in stems):
        before = "*@"  # an app for each system, in one project
    else:  # names of several services: one of the stems is this service's
        return [f"{stem}{{version}}" for stem in stems]
    rests = [name[len(_stem(name) or "") :] for name in names]
    plain = f"{before}{{version}}"
    if key != "sentry" or not any("+" in rest for rest in rests):
        return [plain]
    build = "+{build}" if all("+" in rest for rest in rests) else "*"
    return [plain, f"{plain}{build}"]


_STEM = re.compile(
    r"(?:.*[@/])?(?:(?=[0-9a-f]{7,64}$)|(?!v?\d+\.).*?[-_]v?(?=\d+\.)"
    r"|[^0-9]*?(?:[^0-9A-Za-z]v?|v|)(?=\d))"
)
"""The text before the version: `shop@`, `release/`, `shop-v`, `v`, or nothing."""


def _stem(name: str) -> str | None:
    stem = _STEM.match(name)
    return stem.group() if stem and len(stem.group()) < len(name) else None
