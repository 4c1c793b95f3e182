"""The Web API over HTTP, and the response URLs: `slack_app(…)` is mounted at `/slack` of the local world.

Requests: https://docs.slack.dev/apis/web-api/ (form, JSON or query arguments, GET or POST, bearer token or `token` argument).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.slack.block_kit.limits import check_message_blocks
from sandbox.slack.changes import Json
from sandbox.slack.errors import SlackError
from sandbox.slack.methods import METHODS
from sandbox.slack.methods.call import Call
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.workspace import ApiCall, Workspace

BOT_TOKEN = "xoxb-sandbox"
APP_TOKEN = "xapp-sandbox"


@dataclass(slots=True)
class SlackApi:
    """The HTTP face of one workspace. A fault named `slack.<method>` or `slack.response_url` is obeyed."""

    workspace: Workspace
    delivery: Delivery
    faults: Faults
    bot_token: str = BOT_TOKEN
    app_token: str = APP_TOKEN

    def routes(self) -> list[Route]:
        return [
            Route("/api/{method:path}", self.method, methods=["GET", "POST"]),
            Route("/response/{key}", self.response_url, methods=["POST"]),
        ]

    async def method(self, request: Request) -> Response:
        method = request.path_params["method"].strip("/")
        fault = self.faults.take(f"slack.{method}")
        if (instead := await _before(fault)) is not None:
            return instead
        args: Json = {}
        try:
            args = await _arguments(request)
            answer: Json = {"ok": True, **self._perform(method, args, request)}
        except SlackError as error:
            answer = {"ok": False, "error": error.error, **error.extra}
        self.workspace.calls.append(ApiCall(method, args, answer, self.workspace.now()))
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        return JSONResponse(answer, headers={"X-OAuth-Scopes": ",".join(sorted(self.workspace.scopes))})

    def _perform(self, method: str, args: Json, request: Request) -> Json:
        perform = METHODS.get(method)
        if perform is None:
            raise SlackError("unknown_method", req_method=method)
        token = str(args.pop("token", "") or request.headers.get("authorization", "").removeprefix("Bearer ").strip())
        if method != "api.test":
            self._check_token(method, token)
        socket = self.delivery.socket
        call = Call(self.workspace, method, args, socket.url if socket is not None else None)
        answer = perform(call)
        if call.warnings:
            answer["warning"] = ",".join(call.warnings)
            answer["response_metadata"] = {**answer.get("response_metadata", {}), "warnings": call.warnings}
        return answer

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackError("invalid_auth")
        if (token == self.app_token) != (method == "apps.connections.open"):
            raise SlackError("not_allowed_token_type")

    async def response_url(self, request: Request) -> Response:
        fault = self.faults.take("slack.response_url")
        if (instead := await _before(fault)) is not None:
            return instead
        try:
            body = await request.json()
            if body.get("blocks") is not None:
                check_message_blocks(body["blocks"], rich=self.workspace.rich_blocks)
            self.delivery.response_urls.use(request.path_params["key"], body)
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        except SlackError as error:
            return PlainTextResponse(error.error, 404 if error.error.endswith("_url") else 400)
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        return PlainTextResponse("ok")


def slack_routes(workspace: Workspace, delivery: Delivery, faults: Faults, **tokens: str) -> list[Route]:
    return SlackApi(workspace, delivery, faults, **tokens).routes()


def slack_app(workspace: Workspace, delivery: Delivery, faults: Faults, **tokens: str) -> Starlette:
    """Mount at `/slack`; then `SLACK_API_URL` is `<origin>/slack/api/` and `Delivery.public_url` `<origin>/slack`."""
    return Starlette(routes=slack_routes(workspace, delivery, faults, **tokens))


async def _before(fault: Fault | None) -> Response | None:
    """What a fault does before the call is looked at: wait, or answer in its place."""
    if fault is None:
        return None
    if fault.delay:
        await asyncio.sleep(fault.delay)
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    if fault.status is not None:
        error = fault.error or ("ratelimited" if fault.status == 429 else "internal_error")
        return JSONResponse({"ok": False, "error": error}, fault.status, headers)
    if fault.error is not None:
        status = 429 if fault.error == "ratelimited" else 200
        return JSONResponse({"ok": False, "error": fault.error}, status, headers)
    return None


async def lose_answer(request: Request) -> None:
    """Close the connection without an answer, as a network does that breaks after the request went through.

    ASGI has no word for this. uvicorn's `receive` is a method of the object that holds the transport.
    """
    cycle: Any = getattr(request.receive, "__self__", None)
    cycle.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _arguments(request: Request) -> Json:
    """Query arguments, overridden by those of the body. Raises `invalid_json`, `invalid_form_data`."""
    args: Json = dict(parse_qsl(request.url.query, keep_blank_values=True))
    raw = await request.body()
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if not raw:
        return args
    try:
        if kind == "application/json":
            body = json.loads(raw)
            if not isinstance(body, dict):
                raise SlackError("json_not_object")
            return args | body
        return args | dict(parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=kind == ""))
    except ValueError as error:
        raise SlackError("invalid_json" if kind == "application/json" else "invalid_form_data") from error
