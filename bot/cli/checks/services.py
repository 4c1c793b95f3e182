"""Each service: deployer, clone, endpoint, post-mortems, owners; and its last three releases as each system names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import combinations, pairwise
from pathlib import Path

from bot.cli.checks import Finding, asked, broken, github, works
from bot.cli.checks.clones import clone
from bot.clients.deployers.command import CommandDeployer
from bot.clients.git.archive import LocalArchive
from bot.clients.git.tags import tags_with_commits
from bot.clients.github.archive import GitHubArchive
from bot.clients.github.client import GitHub
from bot.clients.http.endpoint import HttpEndpoint
from bot.clients.sentry.client import Sentry
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.wiring import STATE_BESIDE_REDIS
from phases.ports.ports import PortError
from phases.record.findings import Release
from phases.record.service import DeployCommands, Service

LAST = 3


async def services(
    settings: Settings, catalogue: Catalogue, stack: AsyncExitStack
) -> list[Finding]:
    endpoint = HttpEndpoint(pause=0.1)
    stack.push_async_callback(endpoint.aclose)
    people = await _people(settings, stack)
    tracker: Sentry | None = None
    if settings.sentry_org is not None and settings.sentry_auth_token is not None:
        tracker = Sentry(
            settings.sentry_url, settings.sentry_org, settings.sentry_auth_token.get_secret_value()
        )
        stack.push_async_callback(tracker.aclose)
    hub = github.client(settings, stack)
    state = settings.data_dir or STATE_BESIDE_REDIS
    found: list[Finding] = []
    for service in catalogue.all():
        found += await _deployer(service, hub, state)
        if service.checkout:
            found += await clone(service)
        found += await release_names(service, tracker, hub, state)
        if service.endpoint:
            answer = await endpoint.call(service.endpoint)
            mend = (
                ""
                if answer.ok
                else f"endpoint of {service.name}: recovery is not seen while it does not answer well"
            )
            found.append(
                Finding(
                    "works" if answer.ok else "broken",
                    f"Endpoint, {service.name}",
                    answer.said,
                    mend,
                )
            )
        found += await decisions(service, hub)
        if people is not None and service.owners:
            mend = (
                f"owners of {service.name}: a user group's handle, or users, as Slack writes them"
            )
            owners = await asked(
                f"Owners, {service.name}", people.owners(service, every=True), mend
            )
            says = f"may deploy: {len(owners)}" if not isinstance(owners, Finding) else ""
            found.append(
                owners if isinstance(owners, Finding) else works(f"Owners, {service.name}", says)
            )
    return found


async def decisions(service: Service, hub: GitHub | None) -> list[Finding]:
    """Where post-mortems go, and how the next one is named."""
    what, place = f"ADRs, {service.name}", service.adr
    if place is not None and place.directory:
        mend = f"adr of {service.name}: a directory of a Git clone that the bot's user may write"
        ways = await asked(what, LocalArchive().numbering(service), mend)
    elif place is not None and place.repository and hub is not None:
        mend = f"adr of {service.name}: a folder of a repository that GITHUB_TOKEN may write (docs/github.md)"
        ways = await asked(what, GitHubArchive(hub).numbering(service), mend)
    else:
        return []
    if isinstance(ways, Finding):
        return [ways]
    day = (
        f"{ways.dated.replace('%Y', 'YYYY').replace('%m', 'MM').replace('%d', 'DD')}-"
        if ways.dated
        else ""
    )
    like = f"{day}{ways.before}{ways.highest + 1:0{ways.width}d}{ways.after}….{ways.ext}"
    other = f"; its files end in .{ways.foreign}, post-mortems are Markdown" if ways.foreign else ""
    at = place.directory or f"{place.repository}/{place.path}"
    return [works(what, f"{at}, newest number {ways.highest}, the next is {like}{other}")]


async def _people(settings: Settings, stack: AsyncExitStack) -> SlackPeople | None:
    client = Slack(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)
    await client.start()
    stack.push_async_callback(client.aclose)
    try:
        me, _ = await client.who()
    except PortError:
        return None  # the check of the token has said so
    return SlackPeople(client, str(me["team_id"]), me.get("enterprise_id"))


async def _deployer(service: Service, hub: GitHub | None, state: Path) -> list[Finding]:
    what = f"Deployer, {service.name}"
    if service.deployer is None:
        mend = f"set deployer and deploy of {service.name} (docs/services.md)"
        return [Finding("off", what, "none: rollback and hotfix are done by hand, and said", mend)]
    if not isinstance(service.deploy, DeployCommands):
        return await github.deployer(service, hub)
    deployer = CommandDeployer(state / "deploys")
    mend = f"deploy of {service.name} in the catalogue: try its commands by hand in {service.deploy.directory}"
    running = await asked(what, deployer.running(service), mend)
    if isinstance(running, Finding):
        return [running]
    if running is None:
        return [
            broken(
                what,
                "`current` prints nothing: a rollback could not be compared with what runs.",
                mend,
            )
        ]
    return [works(what, f"{running.version} runs")]


# --- release names side by side ----------------------------------------------------------------------------------


async def release_names(
    service: Service, tracker: Sentry | None, hub: GitHub | None, state: Path = STATE_BESIDE_REDIS
) -> list[Finding]:
    """One version is written differently by each system; the catalogue's patterns must read them all."""
    names = service.release
    found: list[Finding] = []
    sides: list[tuple[str, str, Sequence[str]]] = []
    if tracker is not None:
        told = await asked(f"Releases, {service.name}", tracker.release_names(service))
        if not isinstance(told, Finding):  # Sentry's own row says so otherwise
            sides.append(("sentry", names.sentry, told))
    commits: Mapping[str, str] = {}
    if service.checkout:
        mend = f"checkout of {service.name}: a Git clone that the bot's user may read"
        tags = await asked(f"Releases, {service.name}", tags_with_commits(service.checkout), mend)
        if isinstance(tags, Finding):
            found.append(tags)
        else:
            commits = tags
            sides.append(("tag", names.tag, list(tags)))
    elif hub is not None and service.repository:
        tagged = await asked(f"Releases, {service.name}", hub.tags(service.repository or ""))
        if isinstance(tagged, Finding):
            found.append(tagged)
        else:
            commits = tagged
            sides.append(("tag", names.tag, list(tagged)))
    if isinstance(service.deploy, DeployCommands):
        listed = await asked(
            f"Releases, {service.name}", CommandDeployer(state / "deploys").release_names(service)
        )
    elif hub is not None and service.deploy is not None:
        listed = await asked(f"Releases, {service.name}", github.deployed(service, hub))
    else:
        listed = None
    if isinstance(listed, Finding):
        found.append(listed)
    elif listed is not None:
        sides.append(("deploy", names.deploy, listed))
    return [*found, *side_by_side(service, sides, commits)]


Side = tuple[str, str, Sequence[str]]
"""`sentry`, `tag` or `deploy`, its pattern, and the names that the system told, newest first."""
SYSTEMS = {"sentry": "Sentry", "tag": "Git", "deploy": "the deployer"}


def side_by_side(
    service: Service, sides: Sequence[Side], commits: Mapping[str, str] | None = None
) -> list[Finding]:
    """The last three of each system, in a line; broken where not one name fits its pattern, or where no version is known to two of them.

    `commits` are those of the tags: a version and a commit at which its tag points are one release.
    """
    points = {
        v: at
        for tag, at in (commits or {}).items()
        if (v := service.release.version_of(service.release.tag, tag))
    }
    found: list[Finding] = []
    read: list[tuple[Side, set[str]]] = []
    what = f"Releases, {service.name}"
    for side in sides:
        key, pattern, told = side
        system = SYSTEMS[key]
        if not told:
            found.append(Finding("unproven", what, f"{system} names none yet"))
            continue
        # The deployer's list may be one of tags (bot/clients/deployers); the pattern that says more is tried first.
        both = {pattern, service.release.tag} if key == "deploy" else {pattern}
        patterns = sorted(both, key=lambda p: (-len(p), p))
        readers = {
            one: p for one in told if (p := _reader(service, key, patterns, one)) is not None
        }
        # In a repository of several services most tags may be of others: they are no fault.
        shown = [*readers, *(one for one in told if one not in readers)][:LAST]
        says = f"{system}: {', '.join(shown)} (read by {readers.get(shown[0], pattern)})"
        if not readers:
            found.append(broken(what, f"{says}: none fits.", _advice(service, side, sides)))
            continue
        read.append(
            (side, {service.release.version_of(p, one) or "" for one, p in readers.items()})
        )
        found.append(works(what, says))
    untagged = _untagged(read, points)
    if untagged:
        says = f"{' and '.join(SYSTEMS[key] for key in untagged)}: commits, at none of which a tag points; Git knows them by themselves"
        found.append(Finding("unproven", what, says))
    for (one, mine), (other, theirs) in combinations(read, 2) if untagged else pairwise(read):
        if "tag" in (one[0], other[0]) and (one[0] in untagged or other[0] in untagged):
            continue
        if not _shared(mine, theirs, points):
            says = f"{SYSTEMS[one[0]]} and {SYSTEMS[other[0]]} have not one version in common."
            found.append(broken(what, says, _together(service, one, other)))
    return found


def _untagged(read: Sequence[tuple[Side, set[str]]], points: Mapping[str, str]) -> list[str]:
    """Return the systems whose releases are commits, where there are tags and none points at one of them."""
    tags = next((versions for side, versions in read if side[0] == "tag"), None)
    if tags is None:
        return []
    others = [(side[0], versions) for side, versions in read if side[0] != "tag"]
    return [
        key
        for key, versions in others
        if _commits(versions) and not _shared(versions, tags, points)
    ]


def _commits(versions: Collection[str]) -> bool:
    """Whether these are commits, whole or abbreviated; a number of eight digits may be a date."""
    return all(re.fullmatch(r"[0-9a-f]{7,64}", one) for one in versions) and bool(
        re.search("[a-f]", "".join(versions))
    )


def _reader(service: Service, key: str, patterns: Sequence[str], name: str) -> str | None:
    if key == "sentry":
        return patterns[0] if service.version_in_sentry(name) is not None else None
    fits = (p for p in patterns if service.release.version_of(p, name) is not None)
    return next((p for p in fits if not service.of_another(name, p)), None)


def _shared(
    mine: Collection[str], theirs: Collection[str], points: Mapping[str, str] | None = None
) -> bool:
    """One version in common, also as a commit and its abbreviation, or as a tag and its commit."""
    at = points or {}
    releases = [Release(version=one, commit=at.get(one)) for one in theirs]
    return any(
        Release(version=one, commit=at.get(one)).same_as(other)
        for one in mine
        for other in releases
    )


# --- which pattern would read them -------------------------------------------------------------------------------


def _advice(service: Service, side: Side, sides: Sequence[Side]) -> str:
    """Advise a pattern that reads these names, and a version that another system has, where there is one."""
    key, _, told = side
    where = f"release of {service.name} in the catalogue"
    others = [_versions(service, pattern, names) for other, pattern, names in sides if other != key]
    others += [
        _versions(service, p, names)
        for other, _, names in sides
        if other != key
        for p in _guesses(other, names)
    ]
    known = [versions for versions in others if versions]
    guesses = _guesses(key, told)
    for guess in guesses if known else guesses[-1:]:
        mine = _versions(service, guess, told)
        if not known or any(_shared(mine, theirs) for theirs in known):
            return f'{where}, for instance {key} = "{guess}"'
    return f"{where}: no pattern reads these names so that a version of another system comes out (docs/services.md)"


def _together(service: Service, one: Side, other: Side) -> str:
    """Where each is read, but not as the same version: which of the two patterns to change, if one is enough."""
    where = f"release of {service.name} in the catalogue"
    tags = "tag" in (one[0], other[0])  # what is a commit needs none
    for (key, _, told), (_, pattern, names) in ((one, other), (other, one)):
        for guess in _guesses(key, told):
            mine = _versions(service, guess, told)
            if _shared(mine, _versions(service, pattern, names)) or (
                tags and key != "tag" and _commits(mine)
            ):
                return f'{where}, for instance {key} = "{guess}"'
    for first in _guesses(one[0], one[2]):
        for second in _guesses(other[0], other[2]):
            if _shared(_versions(service, first, one[2]), _versions(service, second, other[2])):
                return f'{where}, for instance {one[0]} = "{first}" and {other[0]} = "{second}"'
    return (
        f"{where}: the same version must come out of every system's name; no pattern was found that reads one out of "
        f"{one[2][0]} and {other[2][0]} (docs/services.md)"
    )


def _versions(service: Service, pattern: str, names: Sequence[str]) -> set[str]:
    return {
        version
        for one in names
        if (version := service.release.version_of(pattern, one)) is not None
    }


def _guesses(key: str, names: Sequence[str]) -> list[str]:
    """Return patterns that may read these names: a beginning, the version, and in Sentry a build behind it."""
    found = {stem for one in names if (stem := _stem(one)) is not None}
    stems: list[str] = sorted(found, key=lambda stem: (len(stem), stem))
    if not stems:
        return []
    if len(stems) == 1:
        before = stems[0]
    elif key == "sentry" and all(stem.endswith("@") for stem in stems):
        before = "*@"  # an app for each system, in one project
    else:
        return [
            f"{stem}{{version}}" for stem in stems
        ]  # of several services: one of them is this one's
    rests = [one[len(_stem(one) or "") :] for one in names]
    plain = f"{before}{{version}}"
    if key != "sentry" or not any("+" in rest for rest in rests):
        return [plain]
    build = "+{build}" if all("+" in rest for rest in rests) else "*"
    return [plain, f"{plain}{build}"]


_STEM = re.compile(
    r"(?:.*[@/])?(?:(?=[0-9a-f]{7,64}$)|(?!v?\d+\.).*?[-_]v?(?=\d+\.)|[^0-9]*?(?:[^0-9A-Za-z]v?|v|)(?=\d))"
)
"""What stands before the version: `shop@`, `release/`, `shop-v`, `v`, or nothing."""


def _stem(name: str) -> str | None:
    found = _STEM.match(name)
    return found.group() if found and len(found.group()) < len(name) else None
