"""All listeners on one Bolt app, the HTTP routes beside it, and the one place where an exception becomes an answer."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.routing import Route

from handlers.command import router
from handlers.dispatcher import Dispatcher, StoreUnavailable
from handlers.events import app_home, declare_phrases, join, pins
from handlers.events.app_home import Homes
from handlers.incident import (
    action_items,
    cancel,
    cause,
    decide,
    declare,
    history,
    hotfix_merge,
    hypotheses,
    lead_and_severity,
    merge_and_reopen,
    postmortem,
    recheck,
    resolve,
    status,
    triage,
    update,
)
from handlers.ports import Deployments, Deploys, Drafts, Issues, Members, Once, Viewers, Whereabouts
from handlers.slack.background import Tasks
from handlers.slack.bolt import App
from handlers.slack.context import Context
from handlers.slack.listening import bind
from handlers.slack.payloads import from_interaction
from handlers.slack.rich_blocks import NEVER, Taste
from handlers.views import forms, notes
from handlers.webhooks.deploys import deploys_route
from handlers.webhooks.github import github_route
from handlers.webhooks.linear import Owner, linear_route
from handlers.webhooks.sentry import sentry_route
from handlers.webhooks.slack import slack_route
from phases.ports.ports import (
    Catalogue,
    Deployer,
    Memory,
    People,
    PortError,
    PullRequests,
    SourceCode,
)
from phases.record.service import Service

log = logging.getLogger(__name__)

LISTENING = (
    router,
    declare,
    decide,
    triage,
    update,
    lead_and_severity,
    status,
    cause,
    hypotheses,
    postmortem,
    hotfix_merge,
    action_items,
    resolve,
    cancel,
    recheck,
    merge_and_reopen,
    history,
    pins,
    declare_phrases,
    join,
    app_home,
)
"""The modules whose functions listen: importing them fills `handlers.slack.listening.LISTENERS`."""

SORRY = "Something went wrong on my side. I cannot say whether it was recorded: look at the incident, then try again."


class Me(Protocol):
    """Who the token says that we are (auth.test)."""

    @property
    def team(self) -> str: ...

    @property
    def enterprise(self) -> str | None: ...

    @property
    def user(self) -> str: ...

    @property
    def bot(self) -> str: ...

    @property
    def url(self) -> str: ...


class Wanted(Protocol):
    """Of the settings, what the listeners need."""

    @property
    def slack_signing_secret(self) -> SecretStr | None: ...

    @property
    def sentry_webhook_secret(self) -> SecretStr | None: ...

    @property
    def github_webhook_secret(self) -> SecretStr | None: ...

    @property
    def linear_webhook_secret(self) -> SecretStr | None: ...

    @property
    def deploy_webhook_secret(self) -> SecretStr | None: ...

    @property
    def watched(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Listeners:
    app: App
    """Also what Socket Mode dispatches to."""
    routes: tuple[Route, ...]
    tasks: Tasks
    ctx: Context
    homes: Homes
    """To be run beside: keeps the open App Homes current."""


def listeners(
    *,
    dispatcher: Dispatcher,
    catalogue: Catalogue,
    people: People,
    slack: AsyncWebClient,
    me: Me,
    source_for: Callable[[Service], SourceCode | None],
    deployer_for: Callable[[Service], Deployer | None],
    once: Once,
    deploys: Deploys,
    drafts: Drafts,
    viewers: Viewers,
    memory: Memory,
    settings: Wanted,
    now: Callable[[], datetime],
    pulls_for: Callable[[Service], PullRequests | None] = lambda _: None,
    sentry: Issues | None = None,
    whereabouts: Whereabouts | None = None,
    asked: Callable[[], AbstractContextManager[None]] = nullcontext,
    members: Members | None = None,
    taste: Taste | None = None,
    owner: Owner | None = None,
    deployments: Deployments | None = None,
) -> Listeners:
    """Everything that is heard: `app` with all listeners, and the routes that settings allow."""
    tasks = Tasks()
    ctx = Context(
        dispatcher=dispatcher,
        catalogue=catalogue,
        people=people,
        client=slack,
        source_for=source_for,
        deployer_for=deployer_for,
        once=once,
        deploys=deploys,
        drafts=drafts,
        viewers=viewers,
        pulls_for=pulls_for,
        memory=memory,
        tasks=tasks,
        now=now,
        watched=frozenset(settings.watched),
        sentry=sentry,
        whereabouts=whereabouts,
        deployments=deployments,
        members=members,
        me=me.user,
        site=me.url,
        taste=taste or NEVER,
    )
    app, homes = build_app(slack, me), Homes(ctx)
    bind(app, ctx)
    on_error(app, ctx)
    routes: list[Route] = []
    if settings.slack_signing_secret is not None:
        routes.append(
            slack_route(app, settings.slack_signing_secret.get_secret_value(), asked=asked)
        )
    if settings.sentry_webhook_secret is not None:
        routes.append(sentry_route(ctx, settings.sentry_webhook_secret.get_secret_value()))
    if settings.github_webhook_secret is not None:
        routes.append(github_route(ctx, settings.github_webhook_secret.get_secret_value()))
    if settings.linear_webhook_secret is not None and owner is not None:
        routes.append(linear_route(ctx, settings.linear_webhook_secret.get_secret_value(), owner))
    if settings.deploy_webhook_secret is not None:
        routes.append(deploys_route(ctx, settings.deploy_webhook_secret.get_secret_value()))
    return Listeners(app=app, routes=tuple(routes), tasks=tasks, ctx=ctx, homes=homes)


def build_app(client: AsyncWebClient, me: Me) -> App:
    """Bolt behind our own route, which has verified the raw bytes.

    `authorize` answers from what auth.test said at the start, with bot_id and bot_user_id: without them Bolt's filter of
    the bot's own messages is off.
    """

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=me.enterprise,
            team_id=me.team,
            bot_id=me.bot or None,
            bot_user_id=me.user,
            bot_token=client.token,
        )

    # Bolt finds SLACK_BOT_TOKEN in the environment by itself, and warns at every start that it does not use it.
    bolt = logging.getLogger("slack_bolt.AsyncApp")
    level = bolt.level
    bolt.setLevel(logging.ERROR)
    try:
        return App(
            # Without a token of its own: with one Bolt warns that `authorize` goes before it.
            client=AsyncWebClient(
                base_url=client.base_url,
                timeout=client.timeout,
                session=client.session,
                retry_handlers=[],
            ),
            authorize=authorize,
            logger=bolt,  # else Bolt takes the root's level for its own
            process_before_response=True,
            request_verification_enabled=False,
            raise_error_for_unhandled_request=True,
        )
    finally:
        bolt.setLevel(level)


def on_error(app: AsyncApp, ctx: Context) -> None:
    @app.error
    async def failed(error: Exception, request: AsyncBoltRequest) -> BoltResponse:
        """Never a bare 500 to a person, and never a body in the log."""
        if isinstance(error, BoltUnhandledRequestError):
            log.info("nothing listens to a %s from Slack", request.body.get("type") or "request")
            return BoltResponse(status=200, body="")
        # Where it broke, not what it said: the text of an error may hold what a person wrote.
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " < ".join(
            f"{f.name} {f.filename.rpartition('/')[2]}:{f.lineno}" for f in reversed(frames)
        )
        log.error("a listener failed: %s in %s", type(error).__name__, where)
        text = (
            f"{error.text} Nothing was recorded. Try again in a moment."
            if isinstance(error, StoreUnavailable)
            else SORRY
        )
        return _sorry(
            ctx,
            request.body,
            text,
            again=isinstance(error, StoreUnavailable | PortError | TimeoutError),
        )


def _sorry(ctx: Context, body: dict[str, Any], text: str, *, again: bool) -> BoltResponse:
    message = notes.note(text)
    if body.get("command"):
        return BoltResponse(status=200, body={"response_type": "ephemeral", **message.payload()})
    if body.get("type") == "view_submission":
        view = forms.refused("Firebreak", text).payload()
        return BoltResponse(status=200, body={"response_action": "update", "view": view})
    if body.get("type") in ("block_actions", "message_action", "shortcut"):
        if body.get("trigger_id"):
            from_interaction(ctx, body).tell(message)
        return BoltResponse(status=200, body="")
    # An event: Slack sends it again where that may help; what fails by its shape would fail again.
    return BoltResponse(status=500 if again else 200, body="")
