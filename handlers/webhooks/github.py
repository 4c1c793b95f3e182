"""`POST /webhooks/github`: deploys by others are said and watched, a deploy of ours is asked about at once, a hotfix's merge is seen.

Headers, signature: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads (#deployment_status, #workflow_run, #pull_request)
What is lost on the way is seen by polling; nothing waits for a webhook.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    field_validator,
    model_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Recorded, Unknown
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.signature import hmac_fits, refused, signed_body
from phases.messages.actions import DeployedByOthers, DeployTick, MergeDue
from phases.messages.results import MergeSeen
from phases.mitigation.hotfix_merge import open_hotfix, pull_of
from phases.ports.ports import PortError
from phases.record.findings import DeploySeen, MergeState, Release
from phases.record.service import DeployWorkflow, Service, environment_among
from phases.record.text import foreign

log = logging.getLogger(__name__)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """What is null is what is not told: `merged` and a run's `display_title` may be."""
        return (
            {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        )


class _Account(_Part):
    login: Annotated[str, AfterValidator(foreign)] = ""


class _Repository(_Part):
    full_name: str


class _Deployment(_Part):
    sha: str
    ref: str
    environment: str
    payload: dict[str, Any] = {}
    created_at: datetime
    creator: _Account | None = None

    @field_validator("payload", mode="before")
    @classmethod
    def _told(cls, value: Any) -> Any:
        """As it was sent: an object, or its text. What is neither says nothing."""
        try:
            told = json.loads(value or "{}") if isinstance(value, str) else value
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


class _Status(_Part):
    state: str
    created_at: datetime
    creator: _Account | None = None


class _DeploymentStatus(_Part):
    """The body of a `deployment_status` event."""

    deployment: _Deployment
    deployment_status: _Status
    repository: _Repository


class _Run(_Part):
    display_title: str = ""


class _WorkflowRun(_Part):
    """The body of a `workflow_run` event."""

    workflow_run: _Run
    repository: _Repository


class _Head(_Part):
    sha: str


class _Pull(_Part):
    number: int
    merged: bool = False
    merged_at: datetime | None = None
    merged_by: _Account | None = None
    head: _Head


class _PullRequest(_Part):
    """The body of a `pull_request` event."""

    pull_request: _Pull
    repository: _Repository


def github_route(ctx: Context, secret: str, path: str = "/webhooks/github") -> Route:
    async def webhook(request: Request) -> Response:
        signature = request.headers.get("x-hub-signature-256", "")
        raw = await signed_body(
            request, lambda body: hmac_fits(body, secret, signature, prefix="sha256=")
        )
        if isinstance(raw, Response):
            return raw
        delivery = request.headers.get("x-github-delivery", "").strip()
        if not delivery or len(delivery) > 100:
            return refused(request, 400, "X-GitHub-Delivery is missing")
        event = request.headers.get("x-github-event", "")
        try:
            incidents = await _hear(ctx, event, _json(raw), delivery)
        except ValidationError:
            return refused(request, 400, "the body cannot be read")
        if incidents is None:
            return refused(request, 503, "it could not be recorded")
        return JSONResponse({"incidents": incidents})

    return Route(path, webhook, methods=["POST"])


def _json(raw: bytes) -> bytes:
    """The other content type that a webhook may be set to, and GitHub's first proposal: the JSON is the form's `payload`.

    https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
    """
    if not raw.startswith(b"payload="):
        return raw
    return (
        parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10).get("payload", [""])[0].encode()
    )


async def _hear(ctx: Context, event: str, raw: bytes, delivery: str) -> list[str] | None:
    """The incidents that heard of it; None where one could not be told."""
    match event:
        case "deployment_status":
            told = _DeploymentStatus.model_validate_json(raw)
            decision = str(told.deployment.payload.get("decision") or "")
            woken = await _wake(ctx, told.repository, decision, delivery)
            heard_of = await _tell(ctx, told, delivery)
            return (
                None
                if woken is None or heard_of is None
                else list(dict.fromkeys((*woken, *heard_of)))
            )
        case "workflow_run":
            run = _WorkflowRun.model_validate_json(raw)
            return await _wake(ctx, run.repository, run.workflow_run.display_title, delivery)
        case "pull_request":
            return await _merge(ctx, _PullRequest.model_validate_json(raw), delivery)
        case _:
            return []


async def _wake(
    ctx: Context, repository: _Repository, naming: str, delivery: str
) -> list[str] | None:
    """Our deploys that this text names are asked about now, and not only at the next tick."""
    incidents: list[str] = []
    for service in _of(ctx, repository):
        for incident in await ctx.dispatcher.find(service=service.name):
            acted = incident.round.action if incident.round is not None else None
            if (
                acted is None
                or acted.deploy_id is None
                or acted.result not in ("waiting", "running")
            ):
                continue
            if not re.search(
                rf"(?<![\w-]){re.escape(acted.deploy_id)}(?![\w-])", naming, re.IGNORECASE
            ):
                continue
            once = deliveries.part(deliveries.github(delivery, incident.id), "tick")
            answer = await ctx.dispatcher.dispatch(
                DeployTick(deploy_id=acted.deploy_id), incident.id, once
            )
            if isinstance(answer, Unknown):
                return None
            incidents.append(incident.id)
    return incidents


async def _merge(ctx: Context, told: _PullRequest, delivery: str) -> list[str] | None:
    """A pull request that was shipped as a hotfix: merged, closed, or moved on. Incidents that are resolved hear of it, too."""
    incidents: list[str] = []
    pull = told.pull_request
    for service in _of(ctx, told.repository):
        for incident in await ctx.dispatcher.find(service=service.name, open_only=False):
            found = open_hotfix(incident)
            if found is None or pull_of(found[1].to_release) != pull.number:
                continue
            number, shipped = found[0].number, found[1].to_release
            action: MergeSeen | MergeDue = MergeDue(round=number)  # what it says is then asked for
            if pull.merged and shipped is not None and pull.head.sha == shipped.commit:
                by = (
                    slack_text.cut(slack_text.typed(pull.merged_by.login), 60)
                    if pull.merged_by
                    else ""
                )
                state = MergeState(
                    merged=True, at=pull.merged_at, by=by, head=pull.head.sha, holds=True
                )
                action = MergeSeen(round=number, state=state)
            answer = await ctx.dispatcher.dispatch(
                action, incident.id, deliveries.github(delivery, incident.id)
            )
            if isinstance(answer, Unknown):
                return None
            if isinstance(answer, Recorded):
                incidents.append(incident.id)
    return incidents


def _of(ctx: Context, repository: _Repository) -> list[Service]:
    name = repository.full_name.lower()
    return [one for one in ctx.catalogue.all() if (one.repository or "").lower() == name]


async def _tell(ctx: Context, told: _DeploymentStatus, delivery: str) -> list[str] | None:
    """The open incidents that heard of it; None where one could not be told."""
    if told.deployment_status.state != "success":
        return []
    incidents: list[str] = []
    for service in _of(ctx, told.repository):
        if not _deploys(service, told):
            continue
        deploy = await _seen(ctx, service, told)
        if deploy is None:
            continue  # another service's in the same repository
        try:
            await ctx.deploys.told(deploy, service.environment)
        except PortError as error:
            log.warning("a deployment could not be recorded: %s", error.text)
            return None
        action = DeployedByOthers(deploy=deploy)
        for incident in (
            *await ctx.dispatcher.find(service=service.name),
            *await ctx.dispatcher.holding(service.name),
        ):
            # Each incident counts the delivery by itself.
            once = deliveries.github(delivery, incident.id)
            answer = await ctx.dispatcher.dispatch(action, incident.id, once)
            if isinstance(answer, Unknown):
                return None
            if isinstance(answer, Recorded):
                incidents.append(incident.id)
    return incidents


def _deploys(service: Service, told: _DeploymentStatus) -> bool:
    """Whether this deployment is one of the service, to the environment that counts."""
    ours = (
        (service.deploy.environment,)
        if isinstance(service.deploy, DeployWorkflow)
        else service.environments
    )
    return environment_among(told.deployment.environment, ours) is not None


async def _seen(ctx: Context, service: Service, told: _DeploymentStatus) -> DeploySeen | None:
    deployment = told.deployment
    called = str(deployment.payload.get("release") or "")
    asked = ctx.deployments.release if ctx.deployments is not None else _unasked
    release = await asked(service, slack_text.cut(deployment.ref, 200), deployment.sha, called)
    if release is None:
        return None
    creator = deployment.creator or told.deployment_status.creator
    return DeploySeen(
        release=release,
        service=service.name,
        started_at=deployment.created_at,
        finished_at=told.deployment_status.created_at,
        by=slack_text.cut(slack_text.typed(creator.login), 60)
        if creator and creator.login
        else None,
        source="github",
    )


async def _unasked(service: Service, ref: str, sha: str, told: str) -> Release | None:
    """Without a token for GitHub: what the ref and the commit say."""
    return service.deployed(ref, sha, told)
