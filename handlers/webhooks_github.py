"""`POST /webhooks/github`: a deploy that the bot did not start is said to the open incident of its service, and is watched.

Headers, signature: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
Runs of workflows (`workflow_run`) need nothing here: the deployer asks for its own.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers import deliveries, heard
from handlers.bodies import hmac_fits, refused, signed_body
from handlers.door import Recorded, Unknown
from handlers.kit import Kit
from phases.actions import DeployedByOthers
from phases.ports import PortError
from phases.report import DeploySeen
from phases.service import DeployWorkflow, Service

log = logging.getLogger(__name__)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Account(_Part):
    login: str = ""


class _Repository(_Part):
    full_name: str


class _Deployment(_Part):
    sha: str
    ref: str
    environment: str
    payload: dict[str, Any] | str | None = None
    created_at: datetime
    creator: _Account | None = None


class _Status(_Part):
    state: str
    created_at: datetime
    creator: _Account | None = None


class _DeploymentStatus(_Part):
    """The body of a `deployment_status` event."""

    deployment: _Deployment
    deployment_status: _Status
    repository: _Repository


def github_route(kit: Kit, secret: str, path: str = "/webhooks/github") -> Route:
    async def webhook(request: Request) -> Response:
        signature = request.headers.get("x-hub-signature-256", "")
        raw = await signed_body(request, lambda body: hmac_fits(body, secret, signature, prefix="sha256="))
        if isinstance(raw, Response):
            return raw
        delivery = request.headers.get("x-github-delivery", "").strip()
        if not delivery or len(delivery) > 100:
            return refused(request, 400, "X-GitHub-Delivery is missing")
        if request.headers.get("x-github-event") != "deployment_status":
            return JSONResponse({"incidents": []})
        try:
            told = _DeploymentStatus.model_validate_json(raw)
        except ValidationError:
            return refused(request, 400, "the body cannot be read: the webhook's content type must be application/json")
        incidents = await _tell(kit, told, delivery)
        if incidents is None:
            return refused(request, 503, "it could not be recorded")
        return JSONResponse({"incidents": incidents})

    return Route(path, webhook, methods=["POST"])


async def _tell(kit: Kit, told: _DeploymentStatus, delivery: str) -> list[str] | None:
    """The open incidents that heard of it; None where one could not be told."""
    if told.deployment_status.state != "success":
        return []
    incidents: list[str] = []
    for service in kit.catalogue.all():
        if not _deploys(service, told):
            continue
        deploy = _seen(service, told)
        try:
            await kit.deploys.told(deploy, service.environment)
        except PortError as error:
            log.warning("a deployment could not be recorded: %s", error.text)
            return None
        action = DeployedByOthers(deploy=deploy)
        for incident in await kit.door.find(service=service.name):
            # Each incident counts the delivery by itself.
            once = deliveries.github(delivery, incident.id)
            answer = await kit.door.say(action, incident.id, once)
            if isinstance(answer, Unknown):
                return None
            if isinstance(answer, Recorded):
                incidents.append(incident.id)
    return incidents


def _deploys(service: Service, told: _DeploymentStatus) -> bool:
    """Whether this deployment is one of the service, to the environment that counts."""
    if (service.repository or "").lower() != told.repository.full_name.lower():
        return False
    if isinstance(service.deploy, DeployWorkflow):
        return told.deployment.environment == service.deploy.environment
    return told.deployment.environment in service.environments


def _seen(service: Service, told: _DeploymentStatus) -> DeploySeen:
    deployment = told.deployment
    payload = deployment.payload if isinstance(deployment.payload, dict) else {}
    release = service.deployed(heard.cut(deployment.ref, 200), deployment.sha, str(payload.get("release") or ""))
    creator = deployment.creator or told.deployment_status.creator
    return DeploySeen(
        release=release,
        service=service.name,
        started_at=deployment.created_at,
        finished_at=told.deployment_status.created_at,
        by=heard.cut(heard.typed(creator.login), 60) if creator and creator.login else None,
        source="github",
    )
