"""Each service: deployer, clone, endpoint, post-mortems, owners; and its last three releases as each system names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

from bot.app import STATE_BESIDE_REDIS
from bot.catalogue import Catalogue
from bot.checkup import Finding, asked, broken, github, works
from bot.checkup.clones import clone
from bot.clients.archive import LocalArchive
from bot.clients.deployers.command import CommandDeployer
from bot.clients.endpoint import HttpEndpoint
from bot.clients.git_calls import ask
from bot.clients.github import GitHub
from bot.clients.github_archive import GitHubArchive
from bot.clients.sentry import Sentry
from bot.clients.slack import Slack
from bot.people import SlackPeople
from bot.settings import Settings
from phases.ports import PortError
from phases.service import DeployCommands, Service

LAST = 3
NUMBER = re.compile(r"\d+(?:\.\d+)+|\d{2,}")


async def services(settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> list[Finding]:
    endpoint = HttpEndpoint(pause=0.1)
    stack.push_async_callback(endpoint.aclose)
    people = await _people(settings, stack)
    tracker: Sentry | None = None
    if settings.sentry_org is not None and settings.sentry_auth_token is not None:
        tracker = Sentry(settings.sentry_url, settings.sentry_org, settings.sentry_auth_token.get_secret_value())
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
                "" if answer.ok else f"endpoint of {service.name}: recovery is not seen while it does not answer well"
            )
            found.append(Finding("works" if answer.ok else "broken", f"Endpoint, {service.name}", answer.said, mend))
        found += await decisions(service, hub)
        if people is not None and service.owners:
            mend = f"owners of {service.name}: a user group's handle, or users, as Slack writes them"
            owners = await asked(f"Owners, {service.name}", people.owners(service), mend)
            says = f"may deploy: {len(owners)}" if not isinstance(owners, Finding) else ""
            found.append(owners if isinstance(owners, Finding) else works(f"Owners, {service.name}", says))
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
    like = f"{ways.before}{ways.highest + 1:0{ways.width}d}{ways.after}….{ways.ext}"
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
        return [broken(what, "`current` prints nothing: a rollback could not be compared with what runs.", mend)]
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
    if service.checkout:
        mend = f"checkout of {service.name}: a Git clone that the bot's user may read"
        tags = await asked(f"Releases, {service.name}", ask(service.checkout, "tag", "--sort=-creatordate"), mend)
        if isinstance(tags, Finding):
            found.append(tags)
        else:
            sides.append(("tag", names.tag, tags.text.split()))
    elif hub is not None and service.repository:
        listed = await asked(f"Releases, {service.name}", github.tags(service, hub))
        if isinstance(listed, Finding):
            found.append(listed)
        else:
            sides.append(("tag", names.tag, listed))
    if isinstance(service.deploy, DeployCommands):
        listed = await asked(f"Releases, {service.name}", CommandDeployer(state / "deploys").release_names(service))
    elif hub is not None and service.deploy is not None:
        listed = await asked(f"Releases, {service.name}", github.deployed(service, hub))
    else:
        listed = None
    if isinstance(listed, Finding):
        found.append(listed)
    elif listed is not None:
        sides.append(("deploy", names.deploy, listed))
    return [*found, *side_by_side(service, sides)]


def side_by_side(service: Service, sides: Sequence[tuple[str, str, Sequence[str]]]) -> list[Finding]:
    """The last three of each system, in a line; broken where not one name fits its pattern, or where no version is known to two of them."""
    found: list[Finding] = []
    read: list[tuple[str, set[str]]] = []
    for key, pattern, told in sides:
        what = f"Releases, {service.name}"
        system = {"sentry": "Sentry", "tag": "Git", "deploy": "the deployer"}[key]
        if not told:
            found.append(Finding("unproven", what, f"{system} names none yet"))
            continue
        # The deployer's list may be one of tags (bot/clients/deployers); the pattern that says more is tried first.
        both = {pattern, service.release.tag} if key == "deploy" else {pattern}
        patterns = sorted(both, key=lambda p: (-len(p), p))
        versions = [
            next((v for p in patterns if (v := service.release.version_of(p, one)) is not None), None) for one in told
        ]
        fit = [version for version in versions if version is not None]
        reader = next((p for p in patterns if service.release.version_of(p, told[0]) is not None), pattern)
        says = f"{system}: {', '.join(told[:LAST])} (read by {reader})"
        if not fit:
            mend = f'release of {service.name} in the catalogue, for instance {key} = "{_guess(told[0])}"'
            found.append(broken(what, f"{says}: none fits.", mend))
            continue
        read.append((system, set(fit)))
        found.append(works(what, says))
    for (one, mine), (other, theirs) in pairwise(read):
        if not mine & theirs:
            mend = f"release of {service.name} in the catalogue: the same version must come out of every system's name"
            says = f"{one} and {other} have not one version in common."
            found.append(broken(f"Releases, {service.name}", says, mend))
    return found


def _guess(name: str) -> str:
    """The pattern that would read this name, if its number is the version."""
    number = NUMBER.search(name)
    return name.replace(number.group(), "{version}", 1) if number else "{version}"
