"""The local Sentry on the wire: envelopes in, the API out.

Paths and parameters as in https://docs.sentry.io/api/ ; mounted at some path, so that `SENTRY_URL` is `http://…/<path>`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.faults import Fault, Faults
from sandbox.sentry import envelope
from sandbox.sentry.api import explore as explore_routes
from sandbox.sentry.api import issues as issue_routes
from sandbox.sentry.api import releases as release_routes
from sandbox.sentry.api.call import Call
from sandbox.sentry.api.paging import Forbidden, Missing
from sandbox.sentry.search import InvalidQuery
from sandbox.sentry.state import Sentry

SENTRY_KEY = re.compile(r"sentry_key=([0-9a-f]+)")


class Lost(Response):
    """A response that breaks off: the client sees a closed connection, never an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})


def sentry_app(sentry: Sentry, faults: Faults | None = None) -> Starlette:
    """The application: every call asks `faults` first (`sentry.<what>`; envelopes are `ingest.envelope`)."""
    faults = faults or Faults()
    calls = [*issue_routes.CALLS, *explore_routes.CALLS, *release_routes.CALLS]
    routes = [
        Route(f"/api/0/organizations/{{org}}/{call.path}", _guarded(sentry, faults, call), methods=[call.method])
        for call in calls
    ]
    routes.append(Route("/api/{project:int}/envelope/", _envelopes(sentry, faults), methods=["POST"]))
    routes.append(Route("/api/0/{rest:path}", _nowhere, methods=["GET", "POST", "PUT", "DELETE"]))
    return Starlette(routes=routes)


async def _nowhere(request: Request) -> Response:
    return failure(404, "The requested resource does not exist")


def _guarded(sentry: Sentry, faults: Faults, call: Call) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        fault = faults.take(f"sentry.{call.name}")
        if early := await obey(fault):
            return early
        refused = _refuse(sentry, call, request)
        response = refused or await _run(sentry, call, request)
        response.headers.update(QUOTA)
        return Lost() if fault and fault.lose_answer else response

    return answer


# As a client far from its limits sees them: https://docs.sentry.io/api/ratelimits/
QUOTA: Mapping[str, str] = {
    "X-Sentry-Rate-Limit-Limit": "50",
    "X-Sentry-Rate-Limit-Remaining": "49",
    "X-Sentry-Rate-Limit-ConcurrentLimit": "25",
    "X-Sentry-Rate-Limit-ConcurrentRemaining": "24",
}


async def obey(fault: Fault | None) -> Response | None:
    """Wait as long as the fault says; answer as it says, if it does."""
    if fault is None:
        return None
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.status is None:
        return None
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    if fault.status == 429:
        headers["X-Sentry-Rate-Limit-Remaining"] = "0"
    usual = "You are attempting to use this endpoint too frequently." if fault.status == 429 else "Internal Error"
    return JSONResponse({"detail": fault.error or usual}, status_code=fault.status, headers=headers)


def failure(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status)


def _refuse(sentry: Sentry, call: Call, request: Request) -> Response | None:
    """401 without a good token, 404 for another organisation, 403 without the scope."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return failure(401, "Authentication credentials were not provided.")
    scopes = sentry.tokens.get(token.strip())
    if scopes is None:
        return failure(401, "Invalid token")
    if request.path_params["org"] != sentry.org:
        return failure(404, "The requested resource does not exist")
    if not scopes & call.scopes:
        return failure(403, "You do not have permission to perform this action.")
    if call.discover and not sentry.discover:
        # The endpoints answer 404 when the plan lacks the feature (has_feature in organization_events.py).
        return Response(status_code=404)
    return None


async def _run(sentry: Sentry, call: Call, request: Request) -> Response:
    try:
        return await call.answer(sentry, request)
    except Missing:
        return failure(404, "The requested resource does not exist")
    except Forbidden:
        return failure(403, "You do not have permission to perform this action.")
    except InvalidQuery as wrong:
        return failure(400, str(wrong)) if wrong.fields is None else JSONResponse(wrong.fields, status_code=400)


def _envelopes(sentry: Sentry, faults: Faults) -> Callable[[Request], Awaitable[Response]]:
    """`POST /api/<project id>/envelope/`: https://develop.sentry.dev/sdk/data-model/envelopes/#ingestion"""

    async def take(request: Request) -> Response:
        fault = faults.take("ingest.envelope")
        if early := await obey(fault):
            return early
        project = sentry.project(request.path_params["project"])
        key = SENTRY_KEY.search(request.headers.get("x-sentry-auth", "") or str(request.url.query))
        if project is None or key is None or key[1] != project.public_key:
            return failure(403, "event submission rejected with_reason: ProjectId")
        stored: str | None = None
        try:
            body = envelope.decompress(await request.body(), request.headers.get("content-encoding", ""))
            for header, content in envelope.items(body):
                if header.get("type") == "event":
                    stored = sentry.ingest(json.loads(content), project=project.slug).id
        except envelope.UnsupportedEncoding as wrong:
            return failure(415, str(wrong))
        except ValueError as wrong:
            return failure(400, f"bad request: {wrong}")
        return Lost() if fault and fault.lose_answer else JSONResponse({"id": stored})

    return take
