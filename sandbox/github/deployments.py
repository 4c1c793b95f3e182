"""Endpoints of deployments. https://docs.github.com/en/rest/deployments

A deploy reports on itself while the developer who started it still works in the tree and waits.
So these writes do not wait for that work.
"""

from __future__ import annotations

from sandbox.github.call import Call, Endpoint, not_found
from sandbox.github.shapes import deployment_row
from sandbox.github.state import Deployment, GitHubRefusal
from sandbox.wire import Json


def deployments(call: Call) -> list[Json]:
    environment = call.query("environment")
    rows = [
        deployment_row(deployment)
        for deployment in reversed(call.github.deployments)
        if environment in ("", deployment.environment)
    ]
    return call.page(rows)


def create_deployment(call: Call) -> Json:
    ref = str(call.body["ref"])
    sha = call.github.resolve(ref)
    if sha is None:
        raise GitHubRefusal(422, f"No ref found for: {ref}")
    environment = str(call.body.get("environment") or "production")
    payload = call.body.get("payload") or {}
    return deployment_row(
        call.github.open_deployment(ref, sha, environment, payload, call.caller())
    )


def statuses(call: Call) -> list[Json]:
    newest_first = reversed(_deployment_of_path(call).statuses)
    return call.page([{"state": state, "created_at": at.isoformat()} for state, at in newest_first])


def create_status(call: Call) -> Json:
    deployment, state = _deployment_of_path(call), str(call.body["state"])
    call.github.set_status(deployment, state)
    return {"state": state, "created_at": deployment.statuses[-1][1].isoformat()}


def _deployment_of_path(call: Call) -> Deployment:
    for deployment in call.github.deployments:
        if deployment.id == call.path("id"):
            return deployment
    raise not_found()


_STATUSES = "/deployments/{id:int}/statuses"
ENDPOINTS = (
    Endpoint("deployments", "GET", "/deployments", deployments),
    Endpoint(
        "create_deployment", "POST", "/deployments", create_deployment, 201, waits_for_work=False
    ),
    Endpoint("deployment_statuses", "GET", _STATUSES, statuses),
    Endpoint("create_status", "POST", _STATUSES, create_status, 201, waits_for_work=False),
)
