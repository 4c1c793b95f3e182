"""`POST /webhooks/github`: deploys by others, news of our own, and the merge of a hotfix.

Headers, signature:
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
(#deployment_status, #workflow_run, #pull_request)
Polling sees what is lost on the way; nothing waits for a webhook.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.routing import Route

from handlers import deliveries
from handlers.dispatcher import Recorded, Unknown
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.webhooks.route import (
    Foreign,
    NotRecorded,
    Part,
    Signature,
    delivery_id,
    parsed,
    webhook,
)
from phases.messages.actions import DeployedByOthers, DeployTick, MergeDue
from phases.messages.base import Action
from phases.messages.results import MergeSeen
from phases.mitigation.hotfix_merge import open_hotfix, pull_of
from phases.ports.ports import PortError
from phases.record.findings import DeploySeen, MergeState, Release
from phases.record.incident import Incident
from phases.record.service import DeployWorkflow, Service, environment_among
from phases.text.wording import short

log = logging.getLogger(__name__)

PATH = "/webhooks/github"
UNDER_WAY = ("waiting", "running")


class _Account(Part):
    login: Foreign = ""


class _Repository(Part):
    full_name: str


class _Deployment(Part):
    sha: str
    ref: str
    environment: str
    payload: dict[str, Any] = Field(default_factory=dict[str, Any])
    created_at: datetime
    creator: _Account | None = None

    @field_validator("payload", mode="before")
    @classmethod
    def _object(cls, value: Any) -> Any:
        """Return the object, which may be sent as its text; anything else is empty."""
        try:
            payload = json.loads(value or "{}") if isinstance(value, str) else value
        except ValueError:
            return {}
        return payload if isinstance(payload, dict) else {}


class _Status(Part):
    state: str
    created_at: datetime
    creator: _Account | None = None


class _DeploymentStatus(Part):
    """The body of a `deployment_status` event."""

    deployment: _Deployment
    deployment_status: _Status
    repository: _Repository


class _Run(Part):
    display_title: str = ""


class _WorkflowRun(Part):
    """The body of a `workflow_run` event."""

    workflow_run: _Run
    repository: _Repository


class _Head(Part):
    sha: str


class _Pull(Part):
    number: int
    merged: bool = False
    merged_at: datetime | None = None
    merged_by: _Account | None = None
    head: _Head


class _PullRequest(Part):
    """The body of a `pull_request` event."""

    pull_request: _Pull
    repository: _Repository


def github_route(ctx: Context, secret: str) -> Route:
    async def receive(request: Request, raw: bytes) -> Mapping[str, object]:
        delivery = delivery_id(request, "X-GitHub-Delivery")
        event = request.headers.get("x-github-event", "")
        incidents = await _handle_event(ctx, event, _json(raw), delivery)
        return {"incidents": list(dict.fromkeys(incidents))}

    return webhook(PATH, Signature("x-hub-signature-256", secret, "sha256="), receive)


def _json(raw: bytes) -> bytes:
    """Return the JSON of a form's `payload`: the other content type that a webhook may be set to.

    https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
    """
    if not raw.startswith(b"payload="):
        return raw
    form = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10)
    return form.get("payload", [""])[0].encode()


async def _handle_event(ctx: Context, event: str, raw: bytes, delivery: str) -> list[str]:
    """Return the incidents that heard of it. Raises `NotRecorded` where one could not be told."""
    match event:
        case "deployment_status":
            body = parsed(_DeploymentStatus, raw)
            decision = str(body.deployment.payload.get("decision") or "")
            deployed = await _record_deploy(ctx, body, delivery)
            return [*await _ask_now(ctx, body.repository, decision, delivery), *deployed]
        case "workflow_run":
            run = parsed(_WorkflowRun, raw)
            return await _ask_now(ctx, run.repository, run.workflow_run.display_title, delivery)
        case "pull_request":
            return await _tell_of_merge(ctx, parsed(_PullRequest, raw), delivery)
        case _:
            return []


def _services(ctx: Context, repository: _Repository) -> list[Service]:
    name = repository.full_name.lower()
    return [s for s in ctx.catalogue.all() if (s.repository or "").lower() == name]


async def _dispatch(
    ctx: Context, incident: Incident, action: Action, delivery: str, part: str = ""
) -> bool:
    """Dispatch the action; each incident counts the delivery by itself.

    Return whether it is recorded.
    """
    claim = deliveries.github(delivery, incident.id)
    answer = await ctx.dispatcher.dispatch(
        action, incident.id, deliveries.sub_delivery(claim, part) if part else claim
    )
    if isinstance(answer, Unknown):
        raise NotRecorded
    return isinstance(answer, Recorded)


async def _ask_now(ctx: Context, repository: _Repository, text: str, delivery: str) -> list[str]:
    """Ask about those of our deploys that the text names, without waiting for the next tick."""
    incidents: list[str] = []
    for service in _services(ctx, repository):
        for incident in await ctx.dispatcher.find(service=service.name):
            acted = incident.round.action if incident.round is not None else None
            if acted is None or acted.deploy_id is None or acted.result not in UNDER_WAY:
                continue
            named = rf"(?<![\w-]){re.escape(acted.deploy_id)}(?![\w-])"
            if re.search(named, text, re.IGNORECASE):
                tick = DeployTick(deploy_id=acted.deploy_id)
                await _dispatch(ctx, incident, tick, delivery, "tick")
                incidents.append(incident.id)
    return incidents


async def _tell_of_merge(ctx: Context, body: _PullRequest, delivery: str) -> list[str]:
    """Tell of a pull request that was shipped as a hotfix, and was merged, closed, or moved on.

    Incidents that are resolved hear of it, too.
    """
    incidents: list[str] = []
    pull = body.pull_request
    for service in _services(ctx, body.repository):
        for incident in await ctx.dispatcher.find(service=service.name, open_only=False):
            hotfix = open_hotfix(incident)
            if hotfix is None or pull_of(hotfix[1].to_release) != pull.number:
                continue
            number, shipped = hotfix[0].number, hotfix[1].to_release
            # Whatever is not the merge of what was shipped is asked for.
            action: MergeSeen | MergeDue = MergeDue(round=number)
            if pull.merged and shipped is not None and pull.head.sha == shipped.commit:
                action = MergeSeen(round=number, state=_merge_state(pull))
            if await _dispatch(ctx, incident, action, delivery):
                incidents.append(incident.id)
    return incidents


def _merge_state(pull: _Pull) -> MergeState:
    by = _login(pull.merged_by) or ""
    return MergeState(merged=True, at=pull.merged_at, by=by, head=pull.head.sha, holds=True)


def _login(account: _Account | None) -> str | None:
    if account is None or not account.login:
        return None
    return short(slack_text.typed(account.login), 60)


async def _record_deploy(ctx: Context, body: _DeploymentStatus, delivery: str) -> list[str]:
    """Record a deploy of a service, and tell its incidents that are open or hold deploys."""
    if body.deployment_status.state != "success":
        return []
    incidents: list[str] = []
    for service in _services(ctx, body.repository):
        if not _in_scope(service, body.deployment):
            continue
        deploy = await _deploy_seen(ctx, service, body)
        if deploy is None:
            continue  # another service's in the same repository
        try:
            await ctx.deploys.record(deploy, service.environment)
        except PortError as error:
            log.warning("a deployment could not be recorded: %s", error.text)
            raise NotRecorded from error
        action = DeployedByOthers(deploy=deploy)
        for incident in (
            *await ctx.dispatcher.find(service=service.name),
            *await ctx.dispatcher.holding(service.name),
        ):
            if await _dispatch(ctx, incident, action, delivery):
                incidents.append(incident.id)
    return incidents


def _in_scope(service: Service, deployment: _Deployment) -> bool:
    """Return whether this deployment goes to an environment of the service that counts."""
    ours = service.environments
    if isinstance(service.deploy, DeployWorkflow):
        ours = (service.deploy.environment,)
    return environment_among(deployment.environment, ours) is not None


async def _deploy_seen(
    ctx: Context, service: Service, body: _DeploymentStatus
) -> DeploySeen | None:
    deployment = body.deployment
    called = str(deployment.payload.get("release") or "")
    release = await _release(ctx, service, deployment, called)
    if release is None:
        return None
    return DeploySeen(
        release=release,
        service=service.name,
        started_at=deployment.created_at,
        finished_at=body.deployment_status.created_at,
        by=_login(deployment.creator or body.deployment_status.creator),
        source="github",
    )


async def _release(
    ctx: Context, service: Service, deployment: _Deployment, called: str
) -> Release | None:
    """Return what was deployed. Without a token for GitHub the ref and the commit tell it."""
    ref, sha = short(deployment.ref, 200), deployment.sha
    if ctx.deployments is None:
        return service.deployed(ref, sha, called)
    return await ctx.deployments.release(service, ref, sha, called)
