"""GitHub on the wire: the REST paths below `/repos/<owner>/<name>`, and `/graphql`.

https://github.com/github/rest-api-description
Every request is one call `github.<endpoint>` to the faults: `github.dispatch`, `github.graphql`, …
"""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.github import deployments, pulls, repository, workflows
from sandbox.github.call import Call, Endpoint, caller_of
from sandbox.github.graphql import SCHEMA, Root
from sandbox.github.state import GitHub, GitHubRefusal
from sandbox.graphql_execution import BadDocument, carry_out, read_operation

ENDPOINTS = (*repository.ENDPOINTS, *pulls.ENDPOINTS, *deployments.ENDPOINTS, *workflows.ENDPOINTS)


def github_app(github: GitHub, faults: Faults) -> Starlette:
    return Starlette(
        routes=[
            *(_rest(github, faults, endpoint) for endpoint in ENDPOINTS),
            _graphql(github, faults),
        ],
        exception_handlers={404: _not_found},
    )


def _rest(github: GitHub, faults: Faults, endpoint: Endpoint) -> Route:
    async def handle(request: Request) -> Response:
        async def answer() -> Response:
            if endpoint.method == "GET":
                return await _read(github, endpoint, request)
            return await _write(github, endpoint, request)

        refused = _refusal(github, request)
        return refused or await faults.around(
            f"github.{endpoint.name}", request, answer, _fault_response
        )

    path = f"/repos/{github.repository}{endpoint.path}"
    return Route(path, handle, methods=[endpoint.method])


async def _read(github: GitHub, endpoint: Endpoint, request: Request) -> Response:
    """Answer with an ETag, and with 304 where the asker has the same already."""
    await github.refresh()
    call = Call(github, request)
    try:
        body = endpoint.answer(call)
    except GitHubRefusal as refusal:
        return _error(refusal.status, refusal.message)
    etag = f'W/"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"'
    headers = {"ETag": etag, **({"Link": call.link} if call.link else {})}
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)


async def _write(github: GitHub, endpoint: Endpoint, request: Request) -> Response:
    if github.archived:
        # https://docs.github.com/en/repositories/archiving-a-github-repository/archiving-repositories
        return _error(403, "Repository was archived so is read-only.")
    await github.refresh()
    call = Call(github, request, await request.json() or {})
    try:
        async with github.working() if endpoint.waits_for_work else nullcontext():
            body = endpoint.answer(call)
    except GitHubRefusal as refusal:
        return _error(refusal.status, refusal.message)
    return Response(status_code=204) if body is None else JSONResponse(body, endpoint.status)


def _graphql(github: GitHub, faults: Faults) -> Route:
    root = Root(github)

    async def answer_document(asked: dict[str, Any]) -> Response:
        """Errors come with HTTP 200, in `errors`."""
        await github.refresh()
        try:
            operation = read_operation(str(asked.get("query")))
            async with github.working():
                data = carry_out(SCHEMA, operation, root, asked.get("variables") or {})
        except BadDocument as error:
            return JSONResponse({"errors": [{"message": str(error)}]})
        return JSONResponse({"data": data})

    async def handle(request: Request) -> Response:
        async def answer() -> Response:
            return await answer_document(await request.json())

        refused = _refusal(github, request)
        return refused or await faults.around("github.graphql", request, answer, _fault_response)

    return Route("/graphql", handle, methods=["POST"])


def _refusal(github: GitHub, request: Request) -> Response | None:
    if not caller_of(github, request):
        return _error(401, "Bad credentials")
    if "User-Agent" not in request.headers:
        rules = "Request forbidden by administrative rules."
        text = f"{rules} Please make sure your request has a User-Agent"
        return _error(403, text)
    return None


def _fault_response(fault: Fault) -> Response:
    return _error(fault.status or 400, fault.error or "Server Error", fault.retry_header())


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return JSONResponse(body, status, headers)


async def _not_found(request: Request, error: Exception) -> Response:
    return _error(404, "Not Found")
