"""The `github` deployer: workflows of the service's own repository, started by dispatch and followed by polling (docs/github.md).

A dispatch has no key of its own and its inputs cannot be read afterwards, so the workflow's `run-name` must hold the `decision` input: a
run is found again by its title. What runs is never concluded from a run: it is the newest successful deployment of the environment.
https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bot.clients.deployers.command import SHA
from bot.clients.deployers.github_deployments import ByDeployments
from bot.clients.deployers.github_workflows import why_not_started
from bot.clients.github import endpoints as calls
from bot.clients.github.client import PAGE, SYSTEM, GitHub, read
from bot.clients.github.deployments import GitHubDeployments
from bot.clients.github.models import Dispatched, Releases, Tags, WorkflowRun, WorkflowRuns
from bot.clients.http.errors import HttpError
from phases.ports.ports import DeployState, NotSetUp, PortError
from phases.record.findings import Release
from phases.record.service import DEPLOYABLE, DeployWorkflow, Service

log = logging.getLogger(__name__)

SEEN_SECONDS = 60.0
"""A dispatched run that does not show for so long is unknown (architecture: What each effect does)."""
LIMIT_SECONDS = 30 * 60.0
"""A run that takes longer hangs: its result is unknown, and people are paged."""
SETTLE_SECONDS = 20.0
"""After a run has succeeded, how long its deployment may take to show."""
RUNS_SHOWN = 50
RUN_AGE = timedelta(days=1)
"""Older runs belong to another life of the same incident number."""
TAG_PAGES = 3
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


class Ledger(Protocol):
    """Which deploys were handed to GitHub, over all replicas. Raises `PortError`."""

    async def first(self, deploy_id: str) -> bool: ...

    async def known(self, deploy_id: str) -> Handed | None: ...

    async def became(self, deploy_id: str, run: int) -> None: ...

    async def forget(self, deploy_id: str) -> None: ...


class GitHubDeployer:
    """Keeps `phases.ports.ports.Deployer`."""

    def __init__(self, github: GitHub, ledger: Ledger) -> None:
        self._github = github
        self._ledger = ledger
        self._deployments = GitHubDeployments(github)
        self._by_deployments = ByDeployments(github)

    async def running(self, service: Service) -> Release | None:
        """The newest deployment of the environment that was successful and is not taken down."""
        _workflow(service)
        newest = await self._deployments.running(service)
        return newest[1] if newest else None

    async def releases(self, service: Service) -> Sequence[Release]:
        """Published releases, newest first, then the other tags, the highest first; names that fit not are left out.

        Where nothing is said of how tags are written, releases may be commits: then those that were deployed before come first.
        """
        repository, _ = _workflow(service)
        released, *tags = await asyncio.gather(
            self._github.polled(calls.RELEASES, repository, {"per_page": PAGE}),
            self._tags(repository),
        )
        names = [r.tag_name for r in read(Releases, {"rows": released}).rows if not r.draft]
        others = sorted(set(tags[0]) - set(names), key=natural, reverse=True)
        fit: dict[str, Release] = {}
        if service.release.tag == "{version}":
            seen = (one.release for one in await self._deployments.deploys([service]))
            fit |= {one.version: one for one in seen if one.version == one.commit}
        for name in (*names, *others):
            version = service.release.version_of(service.release.tag, name)
            if (
                version is None
                or not DEPLOYABLE.fullmatch(version)
                or service.of_another(name, service.release.tag)
            ):
                continue
            fit.setdefault(version, Release(version=version, commit=tags[0].get(name) or None))
        return list(fit.values())[:RELEASES_SHOWN]

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        repository, deploy = _workflow(service)
        workflow = deploy.hotfix_workflow if hotfix else deploy.workflow
        inputs = await self._inputs(service, deploy_id, to, hotfix=hotfix)
        if deploy.via == "deployments":
            await self._deploy(service, deploy, deploy_id, inputs["release"], to, hotfix=hotfix)
            return
        branch = await self._github.default_branch(repository)
        if (
            await self._ledger.known(deploy_id) is not None
            or await self._find(service, deploy_id) is not None
        ):
            return
        if not await self._ledger.first(deploy_id):
            return  # another replica was faster
        body = {"ref": branch, "inputs": inputs, "return_run_details": True}
        try:
            answer = await self._dispatch(repository, workflow, body)
        except HttpError as error:
            if error.sent and (error.status is None or error.status >= 500 or error.status < 400):
                # It may have been taken. Following it looks for its run, and never sends it again.
                log.warning("the answer to a dispatch of %s was lost: %s", workflow, error.text)
                return
            await self._ledger.forget(deploy_id)
            why = await why_not_started(self._github, repository, workflow, branch, error)
            raise _not_taken(error, why) from error
        if answer is not None:
            await self._remember(deploy_id, answer)

    async def _dispatch(self, repository: str, workflow: str, body: Mapping[str, Any]) -> Any:
        """`return_run_details` came in 2026; GitHub Enterprise Server up to 3.20 answers 400 to a key that it does not know:
        https://github.com/cli/cli/issues/12672. What was refused was not started."""
        try:
            return await self._github.write(calls.DISPATCH, repository, body, workflow_id=workflow)
        except HttpError as error:
            if error.status != 400 and not (
                error.status == 422 and "return_run_details" in error.said
            ):
                raise
        plain = {key: value for key, value in body.items() if key != "return_run_details"}
        return await self._github.write(calls.DISPATCH, repository, plain, workflow_id=workflow)

    async def _deploy(
        self,
        service: Service,
        deploy: DeployWorkflow,
        deploy_id: str,
        name: str,
        to: Release,
        *,
        hotfix: bool,
    ) -> None:
        ref = (
            (to.commit or "").lower()
            if hotfix
            else service.release.tag.replace("{version}", to.version)
        )
        if await self._ledger.known(deploy_id) is not None or await self._by_deployments.find(
            service, deploy_id
        ):
            return
        if not await self._ledger.first(deploy_id):
            return  # another replica was faster
        try:
            await self._by_deployments.create(service, deploy, deploy_id, ref, name)
        except HttpError as error:
            if error.sent and (error.status is None or error.status >= 500 or error.status < 400):
                log.warning("the answer to a deployment was lost: %s", error.text)
                return
            await self._ledger.forget(deploy_id)
            raise

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        """What was handed to GitHub may begin at any time."""
        return False

    async def _deployment(self, service: Service, deploy_id: str) -> DeployState:
        handed = await self._ledger.known(deploy_id)
        found = await self._by_deployments.find(service, deploy_id)
        if found is not None:
            return await self._by_deployments.state(service, found)
        if handed is None:
            return DeployState(state="unknown", reason="GitHub has no deployment for it")
        if datetime.now(UTC) - handed.at < timedelta(seconds=SEEN_SECONDS):
            waiting = ("GitHub does not show the deployment yet.",)
            return DeployState(state="running", lines=waiting, started_at=handed.at)
        reason = f"GitHub shows no deployment with {deploy_id} after {SEEN_SECONDS:.0f} s; it is not started again"
        return DeployState(state="unknown", reason=reason, started_at=handed.at)

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        if _workflow(service)[1].via == "deployments":
            return await self._deployment(service, deploy_id)
        handed = await self._ledger.known(deploy_id)
        run = await self._run(service, deploy_id, handed)
        if run is not None:
            return await self._state(service, run)
        if handed is None:
            return DeployState(state="unknown", reason="GitHub has no run for it")
        if datetime.now(UTC) - handed.at < timedelta(seconds=SEEN_SECONDS):
            return DeployState(
                state="running", lines=("GitHub does not show the run yet.",), started_at=handed.at
            )
        reason = (
            f"GitHub shows no run with {deploy_id} in its name after {SEEN_SECONDS:.0f} s; it is not started again. "
            "The workflow's `run-name` must hold the `decision` input"
        )
        return DeployState(state="unknown", reason=reason, started_at=handed.at)

    # --- a run ---------------------------------------------------------------------------------------------------

    async def _run(
        self, service: Service, deploy_id: str, handed: Handed | None
    ) -> WorkflowRun | None:
        repository, _ = _workflow(service)
        if handed is None or handed.run is None:
            found = await self._find(service, deploy_id)
            if found is not None and handed is not None:
                await self._ledger.became(deploy_id, found.id)
            return found
        try:
            return read(
                WorkflowRun,
                await self._github.polled(calls.WORKFLOW_RUN, repository, run_id=handed.run),
            )
        except HttpError as error:
            if error.status != 404:
                raise
            return None  # not there yet, or deleted

    async def _find(self, service: Service, deploy_id: str) -> WorkflowRun | None:
        """The newest run whose title holds the id as a whole word."""
        repository, deploy = _workflow(service)
        titled = re.compile(rf"(?<![\w-]){re.escape(deploy_id)}(?![\w-])", re.IGNORECASE)
        since = datetime.now(UTC) - RUN_AGE
        pages = await asyncio.gather(
            *(
                self._runs(repository, name)
                for name in dict.fromkeys((deploy.workflow, deploy.hotfix_workflow))
            )
        )
        found = [
            run
            for page in pages
            for run in page
            if run.created_at > since and titled.search(run.display_title)
        ]
        return max(found, key=lambda run: run.created_at, default=None)

    async def _runs(self, repository: str, workflow: str) -> Sequence[WorkflowRun]:
        asked = {"event": "workflow_dispatch", "per_page": RUNS_SHOWN}
        try:
            answer = await self._github.polled(
                calls.WORKFLOW_RUNS, repository, asked, workflow_id=workflow
            )
        except HttpError as error:
            if error.status != 404:
                raise
            return ()  # a repository without this workflow
        return read(WorkflowRuns, answer).workflow_runs

    async def _state(self, service: Service, run: WorkflowRun) -> DeployState:
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
            newest = await self._deployments.running(service)
            if newest is None or newest[0].created_at < run.created_at:
                waiting = ("The run succeeded; GitHub does not show its deployment yet.",)
                return DeployState(state="running", lines=waiting, started_at=started)
        return DeployState(state="done", lines=lines, started_at=started, finished_at=ended)

    # --- what is there -------------------------------------------------------------------------------------------

    async def _tags(self, repository: str) -> dict[str, str]:
        """With the commits that they point at."""
        rows = await self._github.pages(calls.TAGS, repository, most=TAG_PAGES)
        return {tag.name: tag.commit.sha for tag in read(Tags, {"rows": rows}).rows}

    async def _inputs(
        self, service: Service, deploy_id: str, to: Release, *, hotfix: bool
    ) -> dict[str, str]:
        """The four inputs that both workflows declare (docs/github.md). Raises where the release may not be deployed."""
        repository, _ = _workflow(service)
        commit = (to.commit or "").lower()
        if hotfix:
            if not SHA.fullmatch(commit):
                raise PortError(
                    "deployer",
                    "a hotfix is deployed by its full commit, and none was given",
                    retryable=False,
                )
            return {
                "release": to.version,
                "commit": commit,
                "decision": deploy_id,
                "hotfix": "true",
            }
        if not DEPLOYABLE.fullmatch(to.version):
            raise PortError(
                "deployer", f"{to.version[:200]!r} is no name that may be deployed", retryable=False
            )
        by_commit = bool(SHA.fullmatch(to.version)) and service.release.tag == "{version}"
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
            text = f"{to.version} is not in the deployer's list of releases: {repository} has no {what} {tag}"
            raise PortError("deployer", text, retryable=False) from error
        name = service.release.deploy.replace("{version}", to.version)
        commit = to.version if by_commit else ""
        return {"release": name, "commit": commit, "decision": deploy_id, "hotfix": "false"}

    async def _remember(self, deploy_id: str, answer: object) -> None:
        """The run's id spares looking for it; without it the run is found by its title."""
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
    """A refused dispatch, with its reason."""
    return HttpError(
        SYSTEM,
        f"nothing was started: {why}",
        retryable=error.retryable,
        retry_after=error.retry_after,
        status=error.status,
        sent=error.sent,
    )


def natural(name: str) -> list[tuple[int, int, str]]:
    """1.10 after 1.9."""
    return [(1, int(w), "") if w.isdecimal() else (0, 0, w) for w in re.split(r"(\d+)", name)]
