"""The `github` deployer: workflows of the service's own repository (docs/github.md).

They are started by dispatch and followed by polling. A dispatch has no key of its own and its
inputs cannot be read afterwards, so the workflow's `run-name` must hold the `decision` input: a run
is found again by its title. The running release is never concluded from a run: it is the newest
successful deployment of the environment.
https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bot.clients.deployers import check_name, hotfix_commit
from bot.clients.deployers.github_deployments import ByDeployments
from bot.clients.deployers.github_workflows import why_not_started
from bot.clients.github import endpoints as calls
from bot.clients.github.client import PAGE, GitHub, or_none, read
from bot.clients.github.deployments import GitHubDeployments
from bot.clients.github.http import SYSTEM
from bot.clients.github.models import Dispatched, Published, WorkflowRun, WorkflowRuns
from bot.clients.http.errors import HttpError
from phases.ports.ports import DeployState, NotSetUp, PortError
from phases.record.findings import COMMIT, Release
from phases.record.service import DEPLOYABLE, DeployWorkflow, Service

log = logging.getLogger(__name__)

SEEN_SECONDS = 60.0
"""A dispatched run that does not show for so long is unknown."""
LIMIT_SECONDS = 30 * 60.0
"""A run that takes longer hangs: its result is unknown, and people are paged."""
SETTLE_SECONDS = 20.0
"""The time that the deployment of a successful run may take to show."""
RUNS_SHOWN = 50
RUN_AGE = timedelta(days=1)
"""Older runs belong to another life of the same incident number."""
RELEASES_SHOWN = 200

_GOING_ON = frozenset({"queued", "in_progress", "requested", "waiting", "pending"})
_WORDS = {
    "queued": "waits for a runner",
    "requested": "waits for a runner",
    "pending": "waits for another run",
    "waiting": "waits for somebody to approve it on GitHub",
    "in_progress": "is running",
}
_ENDS = {
    "failure": "failed",
    "startup_failure": "could not be started by GitHub, which says there why",
    "cancelled": "was cancelled on GitHub",
    "timed_out": "ran into its time limit on GitHub",
    "skipped": "was skipped: nothing was deployed",
    "neutral": "ended neutral: whether it deployed is not said",
    "stale": "was given up by GitHub",
    "action_required": "wants somebody to do something on GitHub",
}


class Handed(Protocol):
    """A deploy that was handed to GitHub."""

    @property
    def at(self) -> datetime: ...
    @property
    def run(self) -> int | None: ...
    @property
    def given_up(self) -> bool: ...


class Ledger(Protocol):
    """The deploys that were handed to GitHub, over all replicas. Raises `PortError`."""

    async def first(self, deploy_id: str) -> bool: ...

    async def give_up(self, deploy_id: str) -> bool: ...

    async def known(self, deploy_id: str) -> Handed | None: ...

    async def became(self, deploy_id: str, run: int) -> None: ...

    async def forget(self, deploy_id: str) -> None: ...


class GitHubDeployer:
    """Keeps `phases.ports.ports.Deployer`."""

    def __init__(self, github: GitHub, ledger: Ledger) -> None:
        self._github = github
        self._ledger = ledger
        self.deployments = GitHubDeployments(github)
        self._by_deployments = ByDeployments(github, self.deployments)

    async def running(self, service: Service) -> Release | None:
        """Return the newest deployment that was successful and is not taken down."""
        _workflow(service)
        newest = await self.deployments.running(service)
        return newest[1] if newest else None

    async def releases(self, service: Service) -> Sequence[Release]:
        """Return published releases, newest first, then the other tags, the highest first.

        Names that do not fit are left out. Where the catalogue does not say how tags are written,
        releases may be commits: then those that were deployed before come first.
        """
        repository, _ = _workflow(service)
        released, tags = await asyncio.gather(
            self._github.polled(calls.RELEASES, repository, {"per_page": PAGE}),
            self._github.tags(repository),
        )
        names = [r.tag_name for r in read(list[Published], released) if not r.draft]
        others = [name for name in tags if name not in names]
        fit: dict[str, Release] = {}
        if service.release.tag == "{version}":
            deployed = (deploy.release for deploy in await self.deployments.deploys([service]))
            fit |= {r.version: r for r in deployed if r.version == r.commit}
        for name in (*names, *others):
            version = service.release.version_of(service.release.tag, name)
            if (
                version is None
                or not DEPLOYABLE.fullmatch(version)
                or service.of_another(name, service.release.tag)
            ):
                continue
            fit.setdefault(version, Release(version=version, commit=tags.get(name) or None))
        return list(fit.values())[:RELEASES_SHOWN]

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        repository, deploy = _workflow(service)
        workflow = deploy.hotfix_workflow if hotfix else deploy.workflow
        inputs = await self._inputs(service, deploy_id, to, hotfix=hotfix)
        by_deployment = deploy.via == "deployments"
        branch = "" if by_deployment else await self._github.default_branch(repository)
        if await self._ledger.known(deploy_id) is not None:
            return
        find = self._by_deployments.find if by_deployment else self._newest_run
        if await find(service, deploy_id) is not None:
            return
        if not await self._ledger.first(deploy_id):
            return  # another replica was faster
        try:
            if by_deployment:
                tag = service.release.tag.replace("{version}", to.version)
                ref = inputs["commit"] if hotfix else tag
                release = inputs["release"]
                await self._by_deployments.create(service, deploy, deploy_id, ref, release)
                return
            body = {"ref": branch, "inputs": inputs, "return_run_details": True}
            answer = await self._dispatch(repository, workflow, body)
        except HttpError as error:
            if error.sent and (error.status is None or error.status >= 500 or error.status < 400):
                # It may have been taken. Following it looks for it, and never sends it again.
                log.warning("the answer to the start of %s was lost: %s", deploy_id, error.text)
                return
            await self._ledger.forget(deploy_id)
            if by_deployment:
                raise
            why = await why_not_started(self._github, repository, workflow, branch, error)
            raise _not_taken(error, why) from error
        if answer is not None:
            await self._remember(deploy_id, answer)

    async def _dispatch(self, repository: str, workflow: str, body: Mapping[str, Any]) -> Any:
        """Start a workflow.

        `return_run_details` came in 2026; GitHub Enterprise Server up to 3.20 answers 400 to a key
        that it does not know: https://github.com/cli/cli/issues/12672. A refused one was not
        started.
        """
        try:
            return await self._github.write(calls.DISPATCH, repository, body, workflow_id=workflow)
        except HttpError as error:
            named = error.status == 422 and "return_run_details" in error.said
            if error.status != 400 and not named:
                raise
        plain = {key: value for key, value in body.items() if key != "return_run_details"}
        return await self._github.write(calls.DISPATCH, repository, plain, workflow_id=workflow)

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        """Return False of a deploy that was handed to GitHub: it may begin at any time."""
        return await self._ledger.give_up(deploy_id)

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        by_deployment = _workflow(service)[1].via == "deployments"
        handed = await self._ledger.known(deploy_id)
        if by_deployment:
            deployment = await self._by_deployments.find(service, deploy_id)
            if deployment is not None:
                return await self._by_deployments.state(service, deployment)
        elif (run := await self._run_of(service, deploy_id, handed)) is not None:
            return await self._deploy_state(service, run)
        what = "deployment" if by_deployment else "run"
        if handed is not None and handed.given_up:
            reason = "nothing was started: it was given up"
            return DeployState(state="failed", reason=reason, started_at=handed.at)
        if handed is None:
            return DeployState(state="unknown", reason=f"GitHub has no {what} for it")
        if datetime.now(UTC) - handed.at < timedelta(seconds=SEEN_SECONDS):
            lines = (f"GitHub does not show the {what} yet.",)
            return DeployState(state="running", lines=lines, started_at=handed.at)
        reason = f"GitHub shows no {what} with {deploy_id}{'' if by_deployment else ' in its name'}"
        reason += f" after {SEEN_SECONDS:.0f} s; it is not started again"
        if not by_deployment:
            reason += ". The workflow's `run-name` must hold the `decision` input"
        return DeployState(state="unknown", reason=reason, started_at=handed.at)

    # --- a run ------------------------------------------------------------------------------------

    async def _run_of(
        self, service: Service, deploy_id: str, handed: Handed | None
    ) -> WorkflowRun | None:
        repository, _ = _workflow(service)
        if handed is None or handed.run is None:
            run = await self._newest_run(service, deploy_id)
            if run is not None and handed is not None:
                await self._ledger.became(deploy_id, run.id)
            return run
        asked = self._github.polled(calls.WORKFLOW_RUN, repository, run_id=handed.run)
        answer = await or_none(asked)  # None: not there yet, or deleted
        return None if answer is None else read(WorkflowRun, answer)

    async def _newest_run(self, service: Service, deploy_id: str) -> WorkflowRun | None:
        """Return the newest run whose title holds the id as a whole word."""
        repository, deploy = _workflow(service)
        titled = re.compile(rf"(?<![\w-]){re.escape(deploy_id)}(?![\w-])", re.IGNORECASE)
        since = datetime.now(UTC) - RUN_AGE
        workflows = dict.fromkeys((deploy.workflow, deploy.hotfix_workflow))
        pages = await asyncio.gather(*(self._runs(repository, name) for name in workflows))
        ours = [
            run
            for page in pages
            for run in page
            if run.created_at > since and titled.search(run.display_title)
        ]
        return max(ours, key=lambda run: run.created_at, default=None)

    async def _runs(self, repository: str, workflow: str) -> Sequence[WorkflowRun]:
        asked = {"event": "workflow_dispatch", "per_page": RUNS_SHOWN}
        runs = self._github.polled(calls.WORKFLOW_RUNS, repository, asked, workflow_id=workflow)
        answer = await or_none(runs)  # None: a repository without this workflow
        return () if answer is None else read(WorkflowRuns, answer).workflow_runs

    async def _deploy_state(self, service: Service, run: WorkflowRun) -> DeployState:
        started = run.run_started_at or run.created_at
        if run.status != "completed":
            words = _WORDS.get(run.status or "", str(run.status))
            if datetime.now(UTC) - started > timedelta(seconds=LIMIT_SECONDS):
                reason = (
                    f"the run {words} for more than {LIMIT_SECONDS / 60:.0f} min: {run.html_url}"
                )
                return DeployState(state="unknown", reason=reason, started_at=started)
            return DeployState(
                state="running", lines=(f"The run {words}: {run.html_url}",), started_at=started
            )
        lines = (f"The run ended ({run.conclusion or 'without a conclusion'}): {run.html_url}",)
        ended = run.updated_at
        if run.conclusion != "success":
            how = _ENDS.get(run.conclusion or "", f"ended as {run.conclusion}")
            reason = f"the run {how}: {run.html_url}"
            return DeployState(
                state="failed", lines=lines, reason=reason, started_at=started, finished_at=ended
            )
        if datetime.now(UTC) - ended < timedelta(seconds=SETTLE_SECONDS):
            newest = await self.deployments.running(service)
            if newest is None or newest[0].created_at < run.created_at:
                waiting = ("The run succeeded; GitHub does not show its deployment yet.",)
                return DeployState(state="running", lines=waiting, started_at=started)
        return DeployState(state="done", lines=lines, started_at=started, finished_at=ended)

    # --- what is there ----------------------------------------------------------------------------

    async def _inputs(
        self, service: Service, deploy_id: str, to: Release, *, hotfix: bool
    ) -> dict[str, str]:
        """Return the four inputs that both workflows declare (docs/github.md).

        Raises where the release may not be deployed.
        """
        repository, _ = _workflow(service)
        if hotfix:
            return {
                "release": to.version,
                "commit": hotfix_commit(to),
                "decision": deploy_id,
                "hotfix": "true",
            }
        check_name(to)
        by_commit = bool(COMMIT.fullmatch(to.version)) and service.release.tag == "{version}"
        tag = service.release.tag.replace("{version}", to.version)
        try:
            if by_commit:
                await self._github.polled(calls.COMMIT, repository, {"per_page": 1}, ref=to.version)
            else:
                await self._github.polled(calls.GIT_REF, repository, ref=f"tags/{tag}")
        except HttpError as error:
            if error.status not in ((404, 422) if by_commit else (404,)):
                raise
            what = "commit" if by_commit else "tag"
            text = f"{to.version} is not in the deployer's list of releases"
            text += f": {repository} has no {what} {tag}"
            raise PortError("deployer", text) from error
        name = service.release.deploy.replace("{version}", to.version)
        commit = to.version if by_commit else ""
        return {"release": name, "commit": commit, "decision": deploy_id, "hotfix": "false"}

    async def _remember(self, deploy_id: str, answer: object) -> None:
        """Keep the run's id, which spares looking for it by its title."""
        try:
            await self._ledger.became(deploy_id, read(Dispatched, answer).workflow_run_id)
        except PortError as error:
            log.warning("the run of %s will be looked for by its name: %s", deploy_id, error.text)


def _workflow(service: Service) -> tuple[str, DeployWorkflow]:
    if not isinstance(service.deploy, DeployWorkflow) or not service.repository:
        raise NotSetUp(
            "deployer", f"{service.name} has no `repository` with deploy workflows in the catalogue"
        )
    return service.repository, service.deploy


def _not_taken(error: HttpError, why: str) -> HttpError:
    """Return the error of a refused dispatch, with its reason."""
    return HttpError(
        SYSTEM,
        f"nothing was started: {why}",
        retryable=error.retryable,
        retry_after=error.retry_after,
        status=error.status,
    )
