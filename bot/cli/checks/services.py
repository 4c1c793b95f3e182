"""Each service: its deployer, clone, endpoint, post-mortems and owners."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bot.cli.checks import Finding, broken, check, github, off, works
from bot.cli.checks.clones import clone
from bot.cli.checks.release_names import release_names
from bot.clients.deployers.command import CommandDeployer
from bot.clients.git.archive import LocalArchive
from bot.clients.github.archive import GitHubArchive
from bot.clients.github.client import GitHub
from bot.clients.http.endpoint import HttpEndpoint
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.wiring import STATE_BESIDE_REDIS, Outside
from phases.ports.ports import PortError
from phases.postmortem.adr_numbering import Numbering
from phases.record.findings import Release
from phases.record.service import DeployCommands, Service


async def services(
    settings: Settings, catalogue: Catalogue, outside: Outside, slack: Slack
) -> list[Finding]:
    people, hub = await _people(slack), outside.github
    state = settings.data_dir or STATE_BESIDE_REDIS
    findings: list[Finding] = []
    for service in catalogue.all():
        findings += await _deployer(service, hub, state)
        if service.turn_off:
            findings.append(_turn_off(service))
        if service.checkout:
            findings += await clone(service)
        findings += await release_names(service, outside.tracker, hub, state)
        if service.endpoint:
            findings.append(await _endpoint(service, service.endpoint, outside.endpoint))
        findings += await decisions(service, hub)
        if people is not None and service.owners:
            findings.append(await _owners(service, people))
    return findings


async def _endpoint(service: Service, url: str, endpoint: HttpEndpoint) -> Finding:
    what, answer = f"Endpoint, {service.name}", await endpoint.call(url)
    if answer.ok:
        return works(what, answer.said)
    mend = f"endpoint of {service.name}: recovery is not seen while it does not answer well"
    return broken(what, answer.said, mend)


def _turn_off(service: Service) -> Finding:
    """Check that the command is there; only a person runs it."""
    what, command = f"Turn off, {service.name}", service.turn_off[0]
    where = Path(service.turn_off_in or ".")
    executable = shutil.which(command if "/" not in command else str(where / command))
    if executable is None or not where.is_dir():
        mend = f"turn_off of {service.name}: a command that the bot's user may run in {where}"
        return broken(what, f"{command} is not there, or may not be run.", mend)
    return works(what, f"{' '.join(service.turn_off)}, in {where}")


async def _owners(service: Service, people: SlackPeople) -> Finding:
    def judge(owners: Sequence[str]) -> Finding:
        return works(what, f"may deploy: {len(owners)}")

    what = f"Owners, {service.name}"
    mend = f"owners of {service.name}: a user group's handle, or users, as Slack writes them"
    return await check(what, people.owners(service, every=True), judge, mend)


async def decisions(service: Service, hub: GitHub | None) -> list[Finding]:
    """Check where post-mortems go, and say how the next one is named."""
    what, place = f"ADRs, {service.name}", service.adr
    if place is not None and place.directory:
        mend = f"adr of {service.name}: a directory of a Git clone that the bot's user may write"
        question = LocalArchive().numbering(service)
    elif place is not None and place.repository and hub is not None:
        mend = (
            f"adr of {service.name}: a folder of a repository "
            "that GITHUB_TOKEN may write (docs/github.md)"
        )
        question = GitHubArchive(hub).numbering(service)
    else:
        return []
    at = place.directory or f"{place.repository}/{place.path}"

    def judge(numbering: Numbering) -> Finding:
        return works(what, f"{at}, {_next_name(numbering)}")

    return [await check(what, question, judge, mend)]


def _next_name(adrs: Numbering) -> str:
    date = adrs.dated.replace("%Y", "YYYY").replace("%m", "MM").replace("%d", "DD")
    day = f"{date}-" if date else ""
    like = f"{day}{adrs.before}{adrs.highest + 1:0{adrs.width}d}{adrs.after}….{adrs.ext}"
    other = f"; its files end in .{adrs.foreign}, post-mortems are Markdown" if adrs.foreign else ""
    return f"newest number {adrs.highest}, the next is {like}{other}"


async def _people(client: Slack) -> SlackPeople | None:
    try:
        me, _ = await client.token_scopes()
    except PortError:
        return None  # the check of the token has said so
    return SlackPeople(client, str(me["team_id"]), me.get("enterprise_id"))


async def _deployer(service: Service, hub: GitHub | None, state: Path) -> list[Finding]:
    what = f"Deployer, {service.name}"
    if service.deployer is None:
        mend = f"set deployer and deploy of {service.name} (docs/services.md)"
        return [off(what, "none: rollback and hotfix are done by hand, and said", mend)]
    if not isinstance(service.deploy, DeployCommands):
        return await github.deployer(service, hub)
    mend = (
        f"deploy of {service.name} in the catalogue: "
        f"try its commands by hand in {service.deploy.directory}"
    )

    def judge(running: Release | None) -> Finding:
        if running is not None:
            return works(what, f"{running.version} runs")
        says = "`current` prints nothing: a rollback could not be compared with what runs."
        return broken(what, says, mend)

    question = CommandDeployer(state / "deploys").running(service)
    return [await check(what, question, judge, mend)]
