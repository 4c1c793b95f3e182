"""Deploys by GitHub's Deployments API: a deployment is made, and a listener carries it out.

Our id stands in its `payload`, so a deployment is found again whatever happened to the answer. Its
state is its newest status.
https://docs.github.com/en/rest/deployments/deployments#create-a-deployment. `required_contexts` is
empty: the status checks of *this deployment* are skipped, as an emergency wants. No rule of a
branch is touched, and `auto_merge` is off, so that nothing is merged into what is deployed.
"""

import logging
from datetime import UTC, datetime, timedelta

from bot.clients.github import endpoints as calls
from bot.clients.github.client import PAGE, GitHub
from bot.clients.github.deployments import GitHubDeployments, payload_of
from bot.clients.github.models import Deployment
from phases.ports.ports import DeployState
from phases.record.service import DeployWorkflow, Service

log = logging.getLogger(__name__)

TAKEN_SECONDS = 5 * 60.0
"""A deployment without any status for so long is carried out by nobody."""
LIMIT_SECONDS = 30 * 60.0
"""One that goes on for longer hangs: its result is unknown, and people are paged."""

_GOING_ON = {
    "pending": "is waited for",
    "queued": "waits for its turn",
    "in_progress": "is running",
    "waiting": "waits for somebody to approve it on GitHub",
}


class ByDeployments:
    def __init__(self, github: GitHub, deployments: GitHubDeployments) -> None:
        self._github = github
        self._deployments = deployments

    async def find(self, service: Service, deploy_id: str) -> Deployment | None:
        """Return the newest deployment that carries our id."""
        rows = await self._deployments.newest(service, PAGE)
        return next((row for row in rows if payload_of(row).get("decision") == deploy_id), None)

    async def create(
        self, service: Service, deploy: DeployWorkflow, deploy_id: str, ref: str, release: str
    ) -> None:
        """Make a deployment. Raises `HttpError`.

        Where its answer was lost the deployment may be there, and `find` shows it.
        """
        hotfix = release.startswith("hotfix ")
        body = {
            "ref": ref,
            "task": "deploy:hotfix" if hotfix else "deploy",
            "auto_merge": False,
            "required_contexts": [],
            "environment": deploy.environment,
            "description": f"Firebreak {deploy_id}",
            "payload": {"release": release, "decision": deploy_id, "hotfix": hotfix},
        }
        await self._github.write(calls.CREATE_DEPLOYMENT, service.repository or "", body)

    async def state(self, service: Service, deployment: Deployment) -> DeployState:
        statuses = await self._deployments.statuses(service, deployment, most=1)
        started = deployment.created_at
        age = datetime.now(UTC) - started
        if not statuses:
            if age > timedelta(seconds=TAKEN_SECONDS):
                reason = f"nobody has taken the deployment {deployment.id}"
                reason += f" for {TAKEN_SECONDS / 60:.0f} min: it has no status yet"
                return DeployState(state="unknown", reason=reason, started_at=started)
            return DeployState(
                state="running",
                lines=("The deployment waits for somebody to take it.",),
                started_at=started,
            )
        newest = statuses[0]
        address = newest.log_url or newest.target_url
        where = f": {address}" if address else ""
        words = f" ({' '.join(newest.description.split())[:140]})" if newest.description else ""
        if (going_on := _GOING_ON.get(newest.state)) is not None:
            line = f"The deployment {going_on}{words}{where}"
            if age > timedelta(seconds=LIMIT_SECONDS):
                limit = f"more than {LIMIT_SECONDS / 60:.0f} min"
                reason = f"the deployment {going_on} for {limit}{where}"
                return DeployState(state="unknown", reason=reason, started_at=started)
            return DeployState(state="running", lines=(line,), started_at=started)
        ended = newest.created_at
        lines = (f"The deployment ended ({newest.state}){words}{where}",)
        # Inactive: a newer one has succeeded since; the running release is read back.
        if newest.state in ("success", "inactive"):
            return DeployState(state="done", lines=lines, started_at=started, finished_at=ended)
        reason = f"the deployment ended as {newest.state}{words}{where}"
        return DeployState(
            state="failed", lines=lines, reason=reason, started_at=started, finished_at=ended
        )
