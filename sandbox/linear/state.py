"""A local Linear: teams, people, issues with sub-issues, comments and attachments, on the wire as https://linear.app/developers/graphql.

It knows the operations that a chat-ops bot needs, refuses what Linear refuses, and lets the page read along.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.linear.graphql import BadDocument, Selected, root_fields, shaped
from sandbox.linear.rules import (
    CREATE_FIELDS,
    UPDATE_FIELDS,
    LinearError,
    filter_of,
    fits,
    input_of,
    iso,
    known_fields,
    new_id,
    priority_of,
    timeless_date,
)
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


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    display_name: str
    email: str
    active: bool = True


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
    updated_at: datetime
    parent_id: str | None = None
    due_date: str | None = None
    assignee: User | None = None
    history: list[tuple[datetime, str]] = field(default_factory=list)
    """Names of the states it was in, oldest first."""


@dataclass(frozen=True, slots=True)
class Updated:
    """A change of an issue as a webhook tells it: what its fields were before, and who changed them."""

    issue: Issue
    before: Mapping[str, Any]
    by: User


class Linear:
    """The state. Reads: `issues`, `comments`, `attachments` (oldest first), and `of` for what hangs on an issue.

    People act with `move` and `prioritise`; `on_update` is told of every change, theirs and ours.
    """

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
            Team(new_id(), key, name, [State(new_id(), n, t, float(i)) for i, (n, t) in enumerate(STATES)])
            for key, name in (teams or {"SHOP": "Shop"}).items()
        ]
        self.issues: list[Issue] = []
        self.comments: list[Comment] = []
        self.attachments: list[Attachment] = []
        self.bot = User(new_id(), "Firebreak", "firebreak", "firebreak@example.com")
        self.users = [
            self.bot,
            User(new_id(), "Alice Reyes", "alice", "alice@example.com"),
            User(new_id(), "Bob Okafor", "bob", "bob@example.com"),
            User(new_id(), "Alice Lindqvist", "alice.l", "alice.l@example.com", active=False),
        ]
        self.on_change: Callable[[], None] = lambda: None
        self.on_update: Callable[[Updated], None] = lambda _: None
        self._now = now

    def of(self, issue: Issue) -> tuple[list[Comment], list[Attachment]]:
        """The comments and attachments of an issue."""
        return (
            [comment for comment in self.comments if comment.issue_id == issue.id],
            [attachment for attachment in self.attachments if attachment.issue_id == issue.id],
        )

    def below(self, issue: Issue) -> list[Issue]:
        """Its sub-issues, oldest first."""
        return [one for one in self.issues if one.parent_id == issue.id]

    def issue(self, identifier: str) -> Issue:
        """Raises `LinearError` where there is none."""
        return self._find_issue(identifier)

    # --- people in Linear's own app ----------------------------------------------------------------------------

    def move(self, identifier: str, type: str, by: str = "Alice Reyes") -> None:
        """Somebody drags an issue into the first state of this type."""
        issue = self._find_issue(identifier)
        state = next(state for state in issue.team.states if state.type == type)
        self._update(issue, {"stateId": state.id}, self._called(by))

    def prioritise(self, identifier: str, priority: int, by: str = "Alice Reyes") -> None:
        self._update(self._find_issue(identifier), {"priority": priority}, self._called(by))

    def _called(self, name: str) -> User:
        return next(user for user in self.users if user.name == name)

    # --- queries -----------------------------------------------------------------------------------------------

    def query_teams(self, arguments: Mapping[str, Any]) -> Any:
        wanted = filter_of(arguments)
        return {"nodes": [self._team(t) for t in self.teams if fits(wanted, {"id": t.id, "key": t.key})]}

    def query_workflowStates(self, arguments: Mapping[str, Any]) -> Any:
        wanted = filter_of(arguments)
        return {
            "nodes": [
                self._state(s)
                for t in self.teams
                for s in t.states
                if fits(wanted, {"id": s.id, "type": s.type, "team": {"id": t.id, "key": t.key}})
            ]
        }

    def query_issues(self, arguments: Mapping[str, Any]) -> Any:
        wanted = filter_of(arguments)
        return {"nodes": [self._issue(issue) for issue in self.issues if fits(wanted, {"id": issue.id})]}

    def query_users(self, arguments: Mapping[str, Any]) -> Any:
        wanted = filter_of(arguments)
        return {
            "nodes": [_user(user) for user in self.users if fits(wanted, _user(user))][: arguments.get("first", 50)]
        }

    def query_issue(self, arguments: Mapping[str, Any]) -> Any:
        return self._issue(self._find_issue(arguments.get("id")))

    def query_comments(self, arguments: Mapping[str, Any]) -> Any:
        wanted = filter_of(arguments)
        return {"nodes": [{"id": c.id, "body": c.body} for c in self.comments if fits(wanted, {"id": c.id})]}

    def query_viewer(self, arguments: Mapping[str, Any]) -> Any:
        return _user(self.bot)

    # --- mutations ---------------------------------------------------------------------------------------------

    def mutation_issueCreate(self, arguments: Mapping[str, Any]) -> Any:
        given = input_of(arguments)
        id = self._new_id("Issue", given.get("id"), [issue.id for issue in self.issues])
        team = next((t for t in self.teams if t.id == given.get("teamId")), None)
        if team is None:
            raise LinearError("INPUT_ERROR", "Entity not found: Team", "Could not find referenced Team.")
        if not str(given.get("title") or "").strip():
            raise LinearError("INPUT_ERROR", "Argument Validation Error", "title should not be empty")
        known_fields(given, CREATE_FIELDS, "IssueCreateInput")
        if len(given["title"]) > 255:
            raise LinearError("INPUT_ERROR", "Argument Validation Error", "title must be at most 255 characters")
        state = self._find_state(given["stateId"], team) if given.get("stateId") else team.states[0]
        number = sum(issue.team is team for issue in self.issues) + 1
        identifier = f"{team.key}-{number}"
        at = self._now()
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        issue = Issue(
            id=id,
            identifier=identifier,
            title=given["title"],
            description=given.get("description") or "",
            priority=priority_of(given.get("priority")),
            team=team,
            state=state,
            url=f"{self.public_url}/issue/{identifier}",
            created_at=at,
            updated_at=at,
            due_date=timeless_date(given.get("dueDate")),
            assignee=self._find_user(given.get("assigneeId")),
            parent_id=self._find_issue(given["parentId"]).id if given.get("parentId") else None,
            history=[(at, state.name)],
        )
        self.issues.append(issue)
        return {"success": True, "issue": self._issue(issue)}

    def mutation_issueUpdate(self, arguments: Mapping[str, Any]) -> Any:
        issue, given = self._find_issue(arguments.get("id")), input_of(arguments)
        known_fields(given, UPDATE_FIELDS, "IssueUpdateInput")
        self._update(issue, given, self.bot)
        return {"success": True, "issue": self._issue(issue)}

    def _update(self, issue: Issue, given: Mapping[str, Any], by: User) -> None:
        """Writes what is given, and tells with what it was before: https://linear.app/developers/webhooks, `updatedFrom`."""
        before: dict[str, Any] = {}
        state = self._find_state(given["stateId"], issue.team) if given.get("stateId") else issue.state
        assignee = self._find_user(given["assigneeId"]) if "assigneeId" in given else issue.assignee
        fields = {
            "title": ("title", given.get("title") or issue.title),
            "description": ("description", given.get("description", issue.description)),
            "priority": ("priority", priority_of(given.get("priority", issue.priority))),
            "dueDate": ("due_date", timeless_date(given.get("dueDate", issue.due_date))),
        }
        for name, (attribute, value) in fields.items():
            if value != getattr(issue, attribute):
                before[name] = getattr(issue, attribute)
                setattr(issue, attribute, value)
        if assignee is not issue.assignee:
            before["assigneeId"] = issue.assignee.id if issue.assignee else None
            issue.assignee = assignee
        if state is not issue.state:
            before["stateId"] = issue.state.id
            issue.state = state
            issue.history.append((self._now(), state.name))
        if not before:
            return
        before["updatedAt"] = iso(issue.updated_at)
        # Two changes are never of one moment: Linear's own times tell their order.
        now = self._now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        issue.updated_at = max(now, issue.updated_at + timedelta(milliseconds=1))
        self.on_update(Updated(issue, before, by))

    def mutation_commentCreate(self, arguments: Mapping[str, Any]) -> Any:
        given = input_of(arguments)
        id = self._new_id("Comment", given.get("id"), [comment.id for comment in self.comments])
        issue = self._find_issue(given.get("issueId"))
        comment = Comment(id, issue.id, str(given.get("body") or ""), self._now())
        self.comments.append(comment)
        return {"success": True, "comment": {"id": comment.id, "body": comment.body}}

    def mutation_attachmentCreate(self, arguments: Mapping[str, Any]) -> Any:
        """Keyed by URL: the same URL on the same issue changes the attachment that is there."""
        given = input_of(arguments)
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
            "description": issue.description,
            "url": issue.url,
            "priority": float(issue.priority),
            "dueDate": issue.due_date,
            "createdAt": iso(issue.created_at),
            "updatedAt": iso(issue.updated_at),
            "state": self._state(issue.state),
            "team": self._team(issue.team),
            "assignee": _user(issue.assignee) if issue.assignee else None,
            "children": {"nodes": [self._issue(one) for one in self.below(issue)]},
        }

    def _new_id(self, kind: str, asked: Any, taken: list[str]) -> str:
        if asked is None:
            return new_id()
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

    def _find_user(self, id: Any) -> User | None:
        if not id:
            return None
        user = next((user for user in self.users if user.id == id and user.active), None)
        if user is None:
            raise LinearError("INPUT_ERROR", "Entity not found: User", "Could not find referenced User.")
        return user

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


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "displayName": user.display_name,
        "email": user.email,
        "active": user.active,
    }
