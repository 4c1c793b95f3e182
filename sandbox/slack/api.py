"""Slack's Web API over HTTP, and the response URLs. The local world mounts it at `/slack`.

https://docs.slack.dev/apis/web-api/: form, JSON or query arguments, GET or POST, bearer token or
`token` argument.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.slack.block_kit.limits import check_message_blocks
from sandbox.slack.errors import SlackError
from sandbox.slack.message_store import ApiCall
from sandbox.slack.methods import METHODS
from sandbox.slack.methods.call import Call
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json

BOT_TOKEN = "xoxb-sandbox"
APP_TOKEN = "xapp-sandbox"


@dataclass(slots=True)
class SlackApi:
    """The HTTP face of one workspace; its faults are `slack.<method>` and `slack.response_url`."""

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

        async def answer() -> Response:
            args: Json = {}
            try:
                args = await _arguments(request)
                body: Json = {"ok": True, **self._perform(method, args, request)}
            except SlackError as error:
                body = {"ok": False, "error": error.error, **error.extra}
            self.workspace.calls.append(ApiCall(method, args, body, self.workspace.now()))
            scopes = ",".join(sorted(self.workspace.scopes))
            return JSONResponse(body, headers={"X-OAuth-Scopes": scopes})

        return await self.faults.around(f"slack.{method}", request, answer, _fault_response)

    def _perform(self, method: str, args: Json, request: Request) -> Json:
        perform = METHODS.get(method)
        if perform is None:
            raise SlackError("unknown_method", req_method=method)
        token = str(
            args.pop("token", "")
            or request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        )
        self._check_token(method, token)
        socket = self.delivery.socket
        call = Call(self.workspace, method, args, socket.url if socket is not None else None)
        answer = perform(call)
        if call.warnings:
            answer["warning"] = ",".join(call.warnings)
            answer["response_metadata"] = {
                **answer.get("response_metadata", {}),
                "warnings": call.warnings,
            }
        return answer

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackError("invalid_auth")
        if (token == self.app_token) != (method == "apps.connections.open"):
            raise SlackError("not_allowed_token_type")

    async def response_url(self, request: Request) -> Response:
        async def answer() -> Response:
            try:
                body = await request.json()
                if body.get("blocks") is not None:
                    check_message_blocks(body["blocks"], rich=self.workspace.rich_blocks)
                self.delivery.response_urls.use(request.path_params["key"], body)
            except ValueError:
                return PlainTextResponse("invalid_payload", 400)
            except SlackError as error:
                gone = error.error.endswith("_url")
                return PlainTextResponse(error.error, 404 if gone else 400)
            return PlainTextResponse("ok")

        return await self.faults.around("slack.response_url", request, answer, _fault_response)


def slack_app(workspace: Workspace, delivery: Delivery, faults: Faults, **tokens: str) -> Starlette:
    """Mounted at `<mount>`, it answers `SLACK_API_URL=<mount>/api/` and `Delivery.public_url`."""
    return Starlette(routes=SlackApi(workspace, delivery, faults, **tokens).routes())


def _fault_response(fault: Fault) -> Response:
    limited = fault.status == 429 or fault.error == "ratelimited"
    error = fault.error or ("ratelimited" if limited else "internal_error")
    status = fault.status or (429 if limited else 200)
    return JSONResponse({"ok": False, "error": error}, status, fault.retry_header())


async def _arguments(request: Request) -> Json:
    """Return query arguments, overridden by those of the body. Raises `SlackError`."""
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
        return args | dict(
            parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=kind == "")
        )
    except ValueError as error:
        raise SlackError(
            "invalid_json" if kind == "application/json" else "invalid_form_data"
        ) from error
