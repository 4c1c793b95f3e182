"""The local Sentry on the wire: envelopes in, the API out.

Paths and parameters: https://docs.sentry.io/api/. `SENTRY_URL` is the mount of this app.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.sentry import envelope
from sandbox.sentry.api import explore as explore_routes
from sandbox.sentry.api import flags as flag_routes
from sandbox.sentry.api import issues as issue_routes
from sandbox.sentry.api import releases as release_routes
from sandbox.sentry.api.call import Call
from sandbox.sentry.api.paging import Forbidden, Missing
from sandbox.sentry.search import InvalidQuery
from sandbox.sentry.state import Sentry

SENTRY_KEY = re.compile(r"sentry_key=([0-9a-f]+)")

Endpoint = Callable[[Request], Awaitable[Response]]


def sentry_app(sentry: Sentry, faults: Faults | None = None) -> Starlette:
    """Calls to `faults` are `sentry.<name>` and, for envelopes, `ingest.envelope`."""
    faults = faults or Faults()
    calls = [*issue_routes.CALLS, *explore_routes.CALLS, *release_routes.CALLS, *flag_routes.CALLS]
    routes = [
        Route(
            f"/api/0/organizations/{{org}}/{call.path}",
            _guarded(sentry, faults, call),
            methods=[call.method],
        )
        for call in calls
    ]
    routes.append(
        Route(
            "/api/0/organizations/{org}/flags/hooks/provider/{provider}/",
            _flag_hooks(sentry, faults),
            methods=["POST"],
        )
    )
    routes.append(
        Route("/api/{project:int}/envelope/", _envelopes(sentry, faults), methods=["POST"])
    )
    routes.append(Route("/api/0/{rest:path}", _nowhere, methods=["GET", "POST", "PUT", "DELETE"]))
    return Starlette(routes=routes)


def _flag_hooks(sentry: Sentry, faults: Faults) -> Endpoint:
    async def handle(request: Request) -> Response:
        return await faults.around(
            "ingest.flags", request, lambda: flag_routes.receive(sentry, request), _fault_response
        )

    return handle


async def _nowhere(request: Request) -> Response:
    return failure(404, "The requested resource does not exist")


def _guarded(sentry: Sentry, faults: Faults, call: Call) -> Endpoint:
    async def handle(request: Request) -> Response:
        async def answer() -> Response:
            response = _refuse(sentry, call, request) or await _run(sentry, call, request)
            response.headers.update(QUOTA)
            return response

        return await faults.around(f"sentry.{call.name}", request, answer, _fault_response)

    return handle


# As a client far from its limits sees them: https://docs.sentry.io/api/ratelimits/
QUOTA: Mapping[str, str] = {
    "X-Sentry-Rate-Limit-Limit": "50",
    "X-Sentry-Rate-Limit-Remaining": "49",
    "X-Sentry-Rate-Limit-ConcurrentLimit": "25",
    "X-Sentry-Rate-Limit-ConcurrentRemaining": "24",
}


def _fault_response(fault: Fault) -> Response:
    headers, detail = fault.retry_header(), "Internal Error"
    if fault.status == 429:
        headers["X-Sentry-Rate-Limit-Remaining"] = "0"
        detail = "You are attempting to use this endpoint too frequently."
    return JSONResponse({"detail": fault.error or detail}, fault.status or 500, headers)


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
        # They answer 404 when the plan lacks the feature (organization_events.py).
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
        return (
            failure(400, str(wrong))
            if wrong.fields is None
            else JSONResponse(wrong.fields, status_code=400)
        )


def _envelopes(sentry: Sentry, faults: Faults) -> Endpoint:
    """`POST /api/<project id>/envelope/`

    https://develop.sentry.dev/sdk/data-model/envelopes/#ingestion
    """

    async def store(request: Request) -> Response:
        project = sentry.project(request.path_params["project"])
        credentials = request.headers.get("x-sentry-auth", "") or str(request.url.query)
        key = SENTRY_KEY.search(credentials)
        if project is None or key is None or key[1] != project.public_key:
            return failure(403, "event submission rejected with_reason: ProjectId")
        stored: str | None = None
        try:
            encoding = request.headers.get("content-encoding", "")
            body = envelope.decompress(await request.body(), encoding)
            sampled = (envelope.header(body).get("trace") or {}).get("sample_rate")
            for header, content in envelope.items(body):
                if header.get("type") == "event":
                    stored = sentry.ingest(json.loads(content), project=project.slug).id
                elif header.get("type") == "transaction":
                    sentry.traces.ingest(
                        json.loads(content),
                        project_id=project.id,
                        received=sentry.clock(),
                        rate=float(sampled or 1.0),
                    )
        except envelope.UnsupportedEncoding as wrong:
            return failure(415, str(wrong))
        except ValueError as wrong:
            return failure(400, f"bad request: {wrong}")
        return JSONResponse({"id": stored})

    async def handle(request: Request) -> Response:
        return await faults.around(
            "ingest.envelope", request, lambda: store(request), _fault_response
        )

    return handle
