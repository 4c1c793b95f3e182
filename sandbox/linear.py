"""A local Linear: one team, its issues with comments and attachments, on the wire as https://linear.app/developers/graphql.

It knows the operations that a chat-ops bot needs, refuses what Linear refuses, and lets the page read along.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.graphql import BadDocument, Selected, root_fields, shaped
from sandbox.slack.api import lose_answer

API_KEY = "lin_api_sandbox"
STATES = (
    ("Backlog", "backlog"),
    ("Todo", "unstarted"),
    ("In Progress", "started"),
    ("Done", "completed"),
    ("Canceled", "canceled"),
)


@dataclass(slots=True)
class State:
    id: str
    name: str
    type: str
    position: float


@dataclass(slots=True)
class Team:
    id: str
    key: str
    name: str
    states: list[State]


@dataclass(slots=True)
class Comment:
    id: str
    issue_id: str
    body: str
    at: datetime


@dataclass(slots=True)
class Attachment:
    id: str
    issue_id: str
    url: str
    title: str


@dataclass(slots=True)
class Issue:
    id: str
    identifier: str
    title: str
    description: str
    priority: int
    team: Team
    state: State
    url: str
    created_at: datetime
    parent_id: str | None = None
    history: list[tuple[datetime, str]] = field(default_factory=list)
    """Names of the states it was in, oldest first."""


class LinearError(Exception):
    """What Linear answers with in `errors`. `code` as in its error extensions; `shown` is for people."""

    def __init__(self, code: str, message: str, shown: str = "", *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.shown = shown or message
        self.status = status

    def answer(self, headers: Mapping[str, str] | None = None) -> Response:
        extensions = {
            "type": self.code.lower().replace("_", " "),
            "code": self.code,
            "statusCode": self.status,
            "userError": self.status < 500,
            "userPresentableMessage": self.shown,
        }
        return JSONResponse(
            {"errors": [{"message": self.message, "extensions": extensions}], "data": None}, self.status, headers
        )


class Linear:
    """The state. Reads: `issues`, `comments`, `attachments` (oldest first), and `of` for what hangs on an issue."""

    def __init__(
        self,
        *,
        api_key: str = API_KEY,
        teams: Mapping[str, str] | None = None,
        public_url: str = "https://linear.app/sandbox",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api_key = api_key
        self.public_url = public_url.rstrip("/")
        self.teams = [
            Team(_id(), key, name, [State(_id(), n, t, float(i)) for i, (n, t) in enumerate(STATES)])
            for key, name in (teams or {"SHOP": "Shop"}).items()
        ]
        self.issues: list[Issue] = []
        self.comments: list[Comment] = []
        self.attachments: list[Attachment] = []
        self.on_change: Callable[[], None] = lambda: None
        self._now = now

    def of(self, issue: Issue) -> tuple[list[Comment], list[Attachment]]:
        """The comments and attachments of an issue."""
        return (
            [comment for comment in self.comments if comment.issue_id == issue.id],
            [attachment for attachment in self.attachments if attachment.issue_id == issue.id],
        )

    # --- queries -----------------------------------------------------------------------------------------------

    def query_teams(self, arguments: Mapping[str, Any]) -> Any:
        wanted = _filter(arguments)
        return {"nodes": [self._team(t) for t in self.teams if _fits(wanted, {"id": t.id, "key": t.key})]}

    def query_workflowStates(self, arguments: Mapping[str, Any]) -> Any:
        wanted = _filter(arguments)
        return {
            "nodes": [
                self._state(s)
                for t in self.teams
                for s in t.states
                if _fits(wanted, {"id": s.id, "type": s.type, "team": {"id": t.id, "key": t.key}})
            ]
        }

    def query_issues(self, arguments: Mapping[str, Any]) -> Any:
        wanted = _filter(arguments)
        return {"nodes": [self._issue(issue) for issue in self.issues if _fits(wanted, {"id": issue.id})]}

    def query_issue(self, arguments: Mapping[str, Any]) -> Any:
        return self._issue(self._find_issue(arguments.get("id")))

    def query_comments(self, arguments: Mapping[str, Any]) -> Any:
        wanted = _filter(arguments)
        return {"nodes": [{"id": c.id, "body": c.body} for c in self.comments if _fits(wanted, {"id": c.id})]}

    def query_viewer(self, arguments: Mapping[str, Any]) -> Any:
        return {"id": "00000000-0000-4000-8000-000000000001", "name": "Firebreak", "active": True}

    # --- mutations ---------------------------------------------------------------------------------------------

    def mutation_issueCreate(self, arguments: Mapping[str, Any]) -> Any:
        given = _input(arguments)
        id = self._new_id("Issue", given.get("id"), [issue.id for issue in self.issues])
        team = next((t for t in self.teams if t.id == given.get("teamId")), None)
        if team is None:
            raise LinearError("INPUT_ERROR", "Entity not found: Team", "Could not find referenced Team.")
        if not str(given.get("title") or "").strip():
            raise LinearError("INPUT_ERROR", "Argument Validation Error", "title should not be empty")
        if len(given["title"]) > 255:
            raise LinearError("INPUT_ERROR", "Argument Validation Error", "title must be at most 255 characters")
        state = self._find_state(given["stateId"], team) if given.get("stateId") else team.states[0]
        number = sum(issue.team is team for issue in self.issues) + 1
        identifier = f"{team.key}-{number}"
        at = self._now()
        issue = Issue(
            id=id,
            identifier=identifier,
            title=given["title"],
            description=given.get("description") or "",
            priority=int(given.get("priority") or 0),
            team=team,
            state=state,
            url=f"{self.public_url}/issue/{identifier}",
            created_at=at,
            parent_id=self._find_issue(given["parentId"]).id if given.get("parentId") else None,
            history=[(at, state.name)],
        )
        self.issues.append(issue)
        return {"success": True, "issue": self._issue(issue)}

    def mutation_issueUpdate(self, arguments: Mapping[str, Any]) -> Any:
        issue, given = self._find_issue(arguments.get("id")), _input(arguments)
        issue.title = given.get("title") or issue.title
        issue.description = given.get("description", issue.description)
        if given.get("stateId"):
            state = self._find_state(given["stateId"], issue.team)
            if state is not issue.state:
                issue.history.append((self._now(), state.name))
            issue.state = state
        return {"success": True, "issue": self._issue(issue)}

    def mutation_commentCreate(self, arguments: Mapping[str, Any]) -> Any:
        given = _input(arguments)
        id = self._new_id("Comment", given.get("id"), [comment.id for comment in self.comments])
        issue = self._find_issue(given.get("issueId"))
        comment = Comment(id, issue.id, str(given.get("body") or ""), self._now())
        self.comments.append(comment)
        return {"success": True, "comment": {"id": comment.id, "body": comment.body}}

    def mutation_attachmentCreate(self, arguments: Mapping[str, Any]) -> Any:
        """Keyed by URL: the same URL on the same issue changes the attachment that is there."""
        given = _input(arguments)
        issue = self._find_issue(given.get("issueId"))
        found = next((a for a in self.attachments if a.issue_id == issue.id and a.url == given["url"]), None)
        if found is None:
            id = self._new_id("Attachment", given.get("id"), [a.id for a in self.attachments])
            found = Attachment(id, issue.id, given["url"], given["title"])
            self.attachments.append(found)
        found.title = given["title"]
        return {"success": True, "attachment": {"id": found.id, "url": found.url, "title": found.title}}

    # --- shapes ------------------------------------------------------------------------------------------------

    def _team(self, team: Team) -> dict[str, Any]:
        return {
            "id": team.id,
            "key": team.key,
            "name": team.name,
            "states": {"nodes": [self._state(s) for s in team.states]},
        }

    def _state(self, state: State) -> dict[str, Any]:
        return {"id": state.id, "name": state.name, "type": state.type, "position": state.position}

    def _issue(self, issue: Issue) -> dict[str, Any]:
        return {
            "id": issue.id,
            "identifier": issue.identifier,
            "title": issue.title,
            "url": issue.url,
            "state": self._state(issue.state),
            "team": self._team(issue.team),
        }

    def _new_id(self, kind: str, asked: Any, taken: list[str]) -> str:
        if asked is None:
            return _id()
        try:
            proper = uuid.UUID(str(asked)).version == 4
        except ValueError:
            proper = False
        if not proper:
            raise LinearError("INPUT_ERROR", "Argument Validation Error", "id must be a UUID")
        if asked in taken:
            raise LinearError(
                "INPUT_ERROR", f"conflict on insert of {kind}", f"Entity {kind} with id {asked} already exists."
            )
        return str(asked)

    def _find_issue(self, id: Any) -> Issue:
        issue = next((issue for issue in self.issues if id in (issue.id, issue.identifier)), None)
        if issue is None:
            raise LinearError("INPUT_ERROR", "Entity not found: Issue", "Could not find referenced Issue.")
        return issue

    def _find_state(self, id: Any, team: Team) -> State:
        state = next((state for state in team.states if state.id == id), None)
        if state is None:
            raise LinearError(
                "INPUT_ERROR", "Entity not found: WorkflowState", "Could not find referenced WorkflowState."
            )
        return state


def linear_app(linear: Linear, faults: Faults) -> Starlette:
    """`POST /graphql`; every root field is one call `linear.<field>` to the faults."""

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
            document = str(body["query"])
            fields = root_fields(document, body.get("variables") or {})
            fault = faults.take(f"linear.{fields[0].name}")
            if fault is not None and (instead := await _before(fault)) is not None:
                return instead
            kind = "mutation" if document.lstrip().startswith("mutation") else "query"
            data = {field.alias: _perform(linear, kind, field) for field in fields}
        except (ValueError, KeyError, IndexError, TypeError) as error:
            text = str(error) if isinstance(error, BadDocument) else "Bad request"
            return LinearError("GRAPHQL_VALIDATION_FAILED", text).answer()
        except LinearError as error:
            return error.answer()
        if kind == "mutation":
            linear.on_change()
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        return JSONResponse({"data": data})

    return Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


async def _before(fault: Fault) -> Response | None:
    """Waits, or answers in the call's place: `error` is a code of Linear's, for instance `RATELIMITED`."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
    headers: dict[str, str] = {}
    if fault.retry_after is not None:
        reset = datetime.now(UTC).timestamp() + fault.retry_after
        headers = {"X-RateLimit-Requests-Remaining": "0", "X-RateLimit-Requests-Reset": str(int(reset * 1000))}
    if fault.error is not None:
        return LinearError(fault.error, f"{fault.error} was staged", status=fault.status or 400).answer(headers)
    if fault.status is not None:
        return Response("upstream connect error", fault.status, headers)
    return None


def _perform(linear: Linear, kind: str, field: Selected) -> Any:
    perform = getattr(linear, f"{kind}_{field.name}", None)
    if perform is None:
        raise BadDocument(f'Cannot query field "{field.name}" on type "{kind.capitalize()}".')
    return shaped(perform(field.arguments), field.fields)


def _filter(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return arguments.get("filter") or {}


def _input(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return arguments.get("input") or {}


def _fits(wanted: Mapping[str, Any], thing: Mapping[str, Any]) -> bool:
    """Comparators `eq`, `eqIgnoreCase` and `in`; a nested filter meets a nested thing."""
    for key, comparator in wanted.items():
        value = thing[key]
        if isinstance(value, Mapping):
            if not _fits(comparator, value):
                return False
            continue
        for name, operand in comparator.items():
            fits = {
                "eq": lambda v, o: v == o,
                "eqIgnoreCase": lambda v, o: v.casefold() == str(o).casefold(),
                "in": lambda v, o: v in o,
            }[name](value, operand)
            if not fits:
                return False
    return True


def _id() -> str:
    return str(uuid.uuid4())
