"""Linear on the wire: `POST /graphql`. https://linear.app/developers/graphql"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphql import build_schema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.graphql_execution import BadDocument, carry_out, read_operation
from sandbox.linear.rules import LinearError, fits, iso
from sandbox.linear.state import Attachment, Comment, Issue, Linear, State, Team, User
from sandbox.wire import Json

SCHEMA = build_schema((Path(__file__).with_name("schema.graphql")).read_text())
PAGE = 50
"""Rows of a list where a document does not say how many."""


def linear_app(linear: Linear, faults: Faults) -> Starlette:
    """Every operation is one call to the faults, `linear.<its first root field>`."""
    root = Root(linear)

    async def graphql(request: Request) -> Response:
        if request.headers.get("authorization", "").removeprefix("Bearer ") != linear.api_key:
            return LinearError(
                "AUTHENTICATION_ERROR",
                "Authentication required, not authenticated",
                "You need to authenticate to access this operation.",
                status=401,
            ).answer()
        try:
            body = await request.json()
            operation, variables = read_operation(str(body["query"])), body.get("variables") or {}
        except (ValueError, KeyError, TypeError) as error:
            text = str(error) if isinstance(error, BadDocument) else "Bad request"
            return LinearError("GRAPHQL_VALIDATION_FAILED", text).answer()

        async def perform() -> Response:
            try:
                data = carry_out(SCHEMA, operation, root, variables)
            except BadDocument as error:
                return LinearError("GRAPHQL_VALIDATION_FAILED", str(error)).answer()
            except LinearError as error:
                return error.answer()
            if operation.kind == "mutation":
                linear.on_change()
            return JSONResponse({"data": data})

        return await faults.around(
            f"linear.{operation.root_field}", request, perform, _fault_response
        )

    return Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


def _fault_response(fault: Fault) -> Response:
    """The answer of a fault: its `error` is a code of Linear's, for instance `RATELIMITED`."""
    headers: dict[str, str] = {}
    if fault.retry_after is not None:
        reset = datetime.now(UTC).timestamp() + fault.retry_after
        headers = {
            "X-RateLimit-Requests-Remaining": "0",
            "X-RateLimit-Requests-Reset": str(int(reset * 1000)),
        }
    if fault.error is not None:
        staged = LinearError(fault.error, f"{fault.error} was staged", status=fault.status or 400)
        return staged.answer(headers)
    return Response("upstream connect error", fault.status or 500, headers)


class Root:
    """The root fields of the schema, by the schema's own names."""

    def __init__(self, linear: Linear) -> None:
        self._linear = linear

    def viewer(self, _: object) -> Json:
        return _user(self._linear.bot)

    def users(self, _: object, **arguments: Any) -> Json:
        return _nodes(map(_user, self._linear.users), **arguments)

    def teams(self, _: object, **arguments: Any) -> Json:
        return _nodes(map(_team, self._linear.teams), **arguments)

    def issue(self, _: object, id: str) -> Json:
        return self._issue(self._linear.issue(id))

    def issues(self, _: object, includeArchived: bool = False, **arguments: Any) -> Json:
        return _nodes(map(self._issue, self._linear.issues), **arguments)

    def comments(self, _: object, **arguments: Any) -> Json:
        return _nodes(map(_comment, self._linear.comments), **arguments)

    def issueCreate(self, _: object, input: Mapping[str, Any]) -> Json:
        return {"success": True, "issue": self._issue(self._linear.create_issue(input))}

    def issueUpdate(self, _: object, id: str, input: Mapping[str, Any]) -> Json:
        issue = self._linear.issue(id)
        self._linear.update(issue, input, self._linear.bot)
        return {"success": True, "issue": self._issue(issue)}

    def commentCreate(self, _: object, input: Mapping[str, Any]) -> Json:
        return {"success": True, "comment": _comment(self._linear.create_comment(input))}

    def commentUpdate(self, _: object, id: str, input: Mapping[str, Any]) -> Json:
        return {"success": True, "comment": _comment(self._linear.update_comment(id, input))}

    def attachmentCreate(self, _: object, input: Mapping[str, Any]) -> Json:
        return {"success": True, "attachment": _attachment(self._linear.attach(input))}

    def _issue(self, issue: Issue) -> Json:
        return {
            "id": issue.id,
            "identifier": issue.identifier,
            "title": issue.title,
            "description": issue.description,
            "url": issue.url,
            "priority": float(issue.priority),
            "dueDate": issue.due_date,
            "createdAt": iso(issue.created_at),
            "updatedAt": iso(issue.updated_at),
            "state": _state(issue.state),
            "team": _team(issue.team),
            "assignee": _user(issue.assignee) if issue.assignee else None,
            "children": _listed(lambda: map(self._issue, self._linear.below(issue))),
        }


def _nodes(
    rows: Iterable[Json], filter: Mapping[str, Any] | None = None, first: int = PAGE
) -> Json:
    return {"nodes": [row for row in rows if fits(filter or {}, row)][:first]}


def _listed(rows: Callable[[], Iterable[Json]]) -> Callable[..., Json]:
    """Return the field of an object that is itself a list."""

    def field(_: object, **arguments: Any) -> Json:
        return _nodes(rows(), **arguments)

    return field


def _user(user: User) -> Json:
    return {
        "id": user.id,
        "name": user.name,
        "displayName": user.display_name,
        "email": user.email,
        "active": user.active,
    }


def _team(team: Team) -> Json:
    return {
        "id": team.id,
        "key": team.key,
        "name": team.name,
        "states": _listed(lambda: map(_state, team.states)),
    }


def _state(state: State) -> Json:
    return {"id": state.id, "name": state.name, "type": state.type, "position": state.position}


def _comment(comment: Comment) -> Json:
    return {"id": comment.id, "body": comment.body}


def _attachment(attachment: Attachment) -> Json:
    return {"id": attachment.id, "url": attachment.url, "title": attachment.title}
