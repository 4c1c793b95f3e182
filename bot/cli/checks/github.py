"""GitHub for one service: its workflows, what runs, and how its tags and deployments write a release."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import TypeVar

from bot.cli.checks import Finding, broken, works
from bot.clients.deployers.github_workflows import state_of
from bot.clients.github.client import GitHub
from bot.clients.github.deployments import GitHubDeployments
from bot.config.settings import Settings
from phases.ports.ports import PortError
from phases.record.findings import Release
from phases.record.service import HOTFIX, DeployWorkflow, Service

SHOWN = 3

T = TypeVar("T")


def client(settings: Settings, stack: AsyncExitStack) -> GitHub | None:
    if settings.github_token is None:
        return None
    github = GitHub(settings.github_api_url, settings.github_token.get_secret_value())
    stack.push_async_callback(github.aclose)
    return github


async def place(repository: str, github: GitHub, mend: str) -> Finding:
    """Whether it can be seen, written to, and still has the name that the catalogue gives it."""
    what = f"GitHub, {repository}"
    found = await _asked(what, github.about(repository), mend)
    if isinstance(found, Finding):
        return found
    if found.archived or found.disabled:
        how = "archived" if found.archived else "disabled by GitHub"
        mend = (
            "unarchive it on GitHub (Settings), or name another one in the catalogue"
            if found.archived
            else ""
        )
        return broken(what, f"it is {how}: nothing can be deployed, merged or written there.", mend)
    if found.full_name and found.full_name.lower() != repository.lower():
        says = f"it is {found.full_name} now: GitHub leads our calls there, but its webhooks are not known by that name."
        return Finding(
            "unproven", what, says, "name it anew in the catalogue (`repository`, `adr`)"
        )
    return works(what, f"default branch {found.default_branch}")


async def deployer(service: Service, github: GitHub | None) -> list[Finding]:
    """Whether the workflows are there and enabled, and what runs. Nothing is started: that their inputs fit shows with the first deploy."""
    what = f"Deployer, {service.name}"
    if (
        github is None
        or service.repository is None
        or not isinstance(service.deploy, DeployWorkflow)
    ):
        mend = "GITHUB_TOKEN: without it nothing can be deployed there (docs/github.md)"
        return [broken(what, "deploys by GitHub, and no token is set.", mend)]
    found: list[Finding] = []
    files = (
        (service.deploy.workflow, service.deploy.hotfix_workflow)
        if service.deploy.via == "workflow"
        else ()
    )
    for file in dict.fromkeys(files):
        wrong = await _asked(
            what, state_of(github, service.repository, file), "GITHUB_TOKEN (docs/github.md)"
        )
        if isinstance(wrong, Finding):
            found.append(wrong)
        elif wrong is not None:
            found.append(
                broken(
                    what,
                    f"{wrong}.",
                    f"deploy of {service.name} in the catalogue, and docs/github.md",
                )
            )
    environment = service.deploy.environment
    hub = GitHubDeployments(github)
    mend = "GITHUB_TOKEN: what runs is read of deployments (docs/github.md)"
    running = await _asked(what, hub.running(service), mend)
    if isinstance(running, Finding):
        return [*found, running]
    if running is not None:
        return [*found, works(what, f"{running[1].version} runs in {environment}")]
    rows = await _asked(what, hub.newest(service), mend)
    if isinstance(rows, Finding):
        return [*found, rows]
    says = f"no successful deployment to {environment} yet: what runs is not known, and a rollback has no target"
    mend = f"deploy of {service.name}, and docs/github.md: the workflow makes the deployment itself"
    if rows and not await hub.named(service, rows):
        names = ", ".join(dict.fromkeys(row.ref for row in rows[:SHOWN]))
        says = f"the newest deployments to {environment} are none of it, by their names: {names}; what runs is not known"
        mend = f"release of {service.name} in the catalogue: `tag` as its tags are written"
    return [*found, Finding("unproven", what, says, mend)]


async def _asked(what: str, question: Awaitable[T], mend: str) -> T | Finding:
    """As `asked`; how to mend it is said of a refusal alone, and not of a GitHub that is away."""
    try:
        return await question
    except PortError as error:
        return broken(what, f"{error.text}.", "" if error.retryable else mend)


async def deployed(service: Service, github: GitHub) -> list[str]:
    """What the newest deployments of the service call what they deployed; hotfixes, which have a name of their own, excepted.

    One that was made of a branch is called by its commit's tag, or by its commit. Where none is the service's, all are shown.
    """
    hub = GitHubDeployments(github)
    rows = await hub.newest(service)
    ours = await hub.named(service, rows)
    called = dict.fromkeys(
        _called(service, row.ref, r) for row, r in ours if not HOTFIX.fullmatch(r.version)
    )
    strange = dict.fromkeys(
        row.ref.removeprefix("refs/tags/") for row in rows if all(row != one for one, _ in ours)
    )
    return list(called or strange)


def _called(service: Service, ref: str, release: Release) -> str:
    name = ref.removeprefix("refs/tags/")
    if service.version_in(name) == release.version:
        return name
    if release.version == release.commit:
        return release.version
    return service.release.tag.replace("{version}", release.version)
