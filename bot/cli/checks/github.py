"""GitHub for one service: its workflows, what runs, and the names of its releases there."""

from bot.cli.checks import Finding, asked, broken, check, unproven, works
from bot.clients.advice import Mend
from bot.clients.deployers.github_workflows import state_of
from bot.clients.github.client import GitHub
from bot.clients.github.deployments import GitHubDeployments
from bot.clients.github.models import Repository
from phases.record.findings import Release
from phases.record.service import HOTFIX, DeployWorkflow, Service

SHOWN = 3


def _for_refusals(mend: str) -> Mend:
    """Return what helps with a refusal: nothing does while GitHub is away."""
    return lambda error: "" if error.retryable else mend


async def place(repository: str, github: GitHub, mend: str) -> Finding:
    """Check that it can be seen, written to, and still has its name in the catalogue."""
    what = f"GitHub, {repository}"

    def judge(about: Repository) -> Finding:
        if about.archived or about.disabled:
            how = "archived" if about.archived else "disabled by GitHub"
            says = f"it is {how}: nothing can be deployed, merged or written there."
            unarchive = "unarchive it on GitHub (Settings), or name another one in the catalogue"
            return broken(what, says, unarchive if about.archived else "")
        if about.full_name and about.full_name.lower() != repository.lower():
            says = (
                f"it is {about.full_name} now: GitHub leads our calls there, "
                "but its webhooks are not known by that name."
            )
            return unproven(what, says, "name it anew in the catalogue (`repository`, `adr`)")
        return works(what, f"default branch {about.default_branch}")

    return await check(what, github.about(repository), judge, _for_refusals(mend))


async def deployer(service: Service, github: GitHub | None) -> list[Finding]:
    """Check that the workflows are there and enabled, and read what runs.

    Nothing is started: that their inputs fit shows with the first deploy.
    """
    what, deploy = f"Deployer, {service.name}", service.deploy
    if github is None or service.repository is None or not isinstance(deploy, DeployWorkflow):
        mend = "GITHUB_TOKEN: without it nothing can be deployed there (docs/github.md)"
        return [broken(what, "deploys by GitHub, and no token is set.", mend)]
    files = (deploy.workflow, deploy.hotfix_workflow) if deploy.via == "workflow" else ()
    findings: list[Finding] = []
    for file in dict.fromkeys(files):
        question = state_of(github, service.repository, file)
        fault = await asked(what, question, _for_refusals("GITHUB_TOKEN (docs/github.md)"))
        if isinstance(fault, Finding):
            findings.append(fault)
        elif fault is not None:
            mend = f"deploy of {service.name} in the catalogue, and docs/github.md"
            findings.append(broken(what, f"{fault}.", mend))
    return [*findings, await _running(service, deploy.environment, github)]


async def _running(service: Service, environment: str, github: GitHub) -> Finding:
    what, deployments = f"Deployer, {service.name}", GitHubDeployments(github)
    mend = _for_refusals("GITHUB_TOKEN: what runs is read of deployments (docs/github.md)")
    running = await asked(what, deployments.running(service), mend)
    if isinstance(running, Finding):
        return running
    if running is not None:
        return works(what, f"{running[1].version} runs in {environment}")
    rows = await asked(what, deployments.newest(service), mend)
    if isinstance(rows, Finding):
        return rows
    if rows and not await deployments.named(service, rows):
        names = ", ".join(dict.fromkeys(row.ref for row in rows[:SHOWN]))
        says = (
            f"the newest deployments to {environment} are none of it, by their names: {names}; "
            "what runs is not known"
        )
        mend = f"release of {service.name} in the catalogue: `tag` as its tags are written"
        return unproven(what, says, mend)
    says = (
        f"no successful deployment to {environment} yet: "
        "what runs is not known, and a rollback has no target"
    )
    mend = f"deploy of {service.name}, and docs/github.md: the workflow makes the deployment itself"
    return unproven(what, says, mend)


async def deployed(service: Service, github: GitHub) -> list[str]:
    """Return the names that the service's newest deployments give their releases.

    Hotfixes, which have a name of their own, are left out. A deployment that was made of a branch
    is called by its commit's tag, or by its commit. Where none is the service's, all are shown.
    """
    deployments = GitHubDeployments(github)
    rows = await deployments.newest(service)
    own = await deployments.named(service, rows)
    names = dict.fromkeys(
        _release_title(service, row.ref, release)
        for row, release in own
        if not HOTFIX.fullmatch(release.version)
    )
    own_rows = [row for row, _ in own]
    foreign = dict.fromkeys(
        row.ref.removeprefix("refs/tags/") for row in rows if row not in own_rows
    )
    return list(names or foreign)


def _release_title(service: Service, ref: str, release: Release) -> str:
    name = ref.removeprefix("refs/tags/")
    if service.version_in(name) == release.version:
        return name
    if release.version == release.commit:
        return release.version
    return service.release.tag.replace("{version}", release.version)
