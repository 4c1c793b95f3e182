"""All listeners on one Bolt app, the HTTP routes beside it, and the answer to every exception."""

import logging
import traceback
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.routing import Route

from handlers.command import router  # noqa: F401  importing these registers their functions
from handlers.dispatcher import StoreUnavailable
from handlers.events import app_home, declare_phrases, join, pins  # noqa: F401
from handlers.incident import (  # noqa: F401
    action_items,
    cancel,
    cause,
    correction,
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
    turn_off,
    update,
)
from handlers.slack.bolt import App
from handlers.slack.context import Context, Identity
from handlers.slack.listening import bind
from handlers.slack.payloads import from_interaction
from handlers.views import forms, notes
from handlers.webhooks.alerts import alerts_route
from handlers.webhooks.api import incidents_route
from handlers.webhooks.changes import changes_route
from handlers.webhooks.deploys import deploys_route
from handlers.webhooks.github import github_route
from handlers.webhooks.linear import linear_route
from handlers.webhooks.sentry import sentry_route
from handlers.webhooks.slack import slack_route
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

SORRY = (
    "Something went wrong on my side, and it may not have been recorded: "
    "check the incident, then try again."
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of the HTTP routes; a route without one does not exist."""

    slack: SecretStr | None = None
    sentry: SecretStr | None = None
    github: SecretStr | None = None
    linear: SecretStr | None = None
    deploys: SecretStr | None = None
    changes: SecretStr | None = None
    alerts: SecretStr | None = None
    api: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    app: App
    """Also what Socket Mode dispatches to."""
    routes: tuple[Route, ...]
    ctx: Context


def listeners(context: Context, secrets: Secrets) -> Listeners:
    """Return the app with all listeners, and the routes for which there is a secret."""
    app = build_app(context.client, context.me)
    bind(app, context)
    on_error(app, context)
    routes: list[Route] = []
    if secrets.slack is not None:
        routes.append(slack_route(app, secrets.slack.get_secret_value()))
    webhooks = (
        (secrets.sentry, sentry_route),
        (secrets.github, github_route),
        (secrets.linear, linear_route),
        (secrets.deploys, deploys_route),
        (secrets.changes, changes_route),
        (secrets.alerts, alerts_route),
        (secrets.api, incidents_route),
    )
    for secret, route in webhooks:
        if secret is not None:
            routes.append(route(context, secret.get_secret_value()))
    return Listeners(app=app, routes=tuple(routes), ctx=context)


def build_app(client: AsyncWebClient, me: Identity) -> App:
    """Return Bolt for our own route, which has verified the raw bytes.

    `authorize` answers with what auth.test said at the start. Without bot_id and bot_user_id Bolt's
    filter of the bot's own messages would be off.
    """

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=me.enterprise,
            team_id=me.team,
            bot_id=me.bot or None,
            bot_user_id=me.user,
            bot_token=client.token,
        )

    # Bolt finds SLACK_BOT_TOKEN in the environment, and warns at every start that it is not used.
    bolt = logging.getLogger("slack_bolt.AsyncApp")
    level = bolt.level
    bolt.setLevel(logging.ERROR)
    try:
        return App(
            name="firebreak",  # else Bolt reads every frame of the stack for one
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
            # Of assistants and workflow steps, which are none of ours.
            ignoring_self_assistant_message_events_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
            raise_error_for_unhandled_request=True,
        )
    finally:
        bolt.setLevel(level)


def on_error(app: App, ctx: Context) -> None:
    async def failed(error: Exception, body: dict[str, Any]) -> BoltResponse:
        """Answer a person in words, never with a bare 500; never log a body."""
        if isinstance(error, BoltUnhandledRequestError):
            log.info("nothing listens to a %s from Slack", body.get("type") or "request")
            return BoltResponse(status=200, body="")
        # The log says where it broke, and not the error's text: a person may have written that.
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " < ".join(
            f"{f.name} {f.filename.rpartition('/')[2]}:{f.lineno}" for f in reversed(frames)
        )
        log.error("a listener failed: %s in %s", type(error).__name__, where)
        text = (
            f"{error.text}. Nothing was recorded. Try again in a moment."
            if isinstance(error, StoreUnavailable)
            else SORRY
        )
        again = isinstance(error, PortError | TimeoutError)
        return _answer_to_failure(ctx, body, text, again=again)

    app.error(failed)
    app.failed = failed


def _answer_to_failure(
    ctx: Context, body: dict[str, Any], text: str, *, again: bool
) -> BoltResponse:
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
    # An event. Slack sends it again after a 500; one that fails by its shape would fail again.
    return BoltResponse(status=500 if again else 200, body="")
