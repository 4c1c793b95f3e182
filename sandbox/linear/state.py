"""The state of a local Linear: teams, people, issues with sub-issues, comments and attachments.

It refuses what Linear refuses, and lets the page read along.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.linear.rules import LinearError, iso, new_id, priority_of, timeless_date, unknown

API_KEY = "lin_api_sandbox"
TITLE_LIMIT = 255
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
    """A change of an issue, its fields as they were before, and the one who changed it."""

    issue: Issue
    before: Mapping[str, Any]
    by: User


class Linear:
    """Teams, people and everything about issues, oldest first.

    People act with `move` and `prioritise`. `on_update` is called with every change.
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
            Team(
                new_id(),
                key,
                name,
                [State(new_id(), n, t, float(i)) for i, (n, t) in enumerate(STATES)],
            )
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

    def comments_on(self, issue: Issue) -> list[Comment]:
        return [comment for comment in self.comments if comment.issue_id == issue.id]

    def attachments_on(self, issue: Issue) -> list[Attachment]:
        return [attachment for attachment in self.attachments if attachment.issue_id == issue.id]

    def below(self, issue: Issue) -> list[Issue]:
        """Return the sub-issues of `issue`, oldest first."""
        return [other for other in self.issues if other.parent_id == issue.id]

    def issue(self, reference: str | None) -> Issue:
        """Return the issue with this id or identifier. Raises `LinearError` where there is none."""
        for issue in self.issues:
            if reference in (issue.id, issue.identifier):
                return issue
        raise unknown("Issue")

    # --- people in Linear's own app --------------------------------------------------------------

    def move(self, identifier: str, type: str, by: str = "Alice Reyes") -> None:
        """Somebody drags an issue into the first state of this type."""
        issue = self.issue(identifier)
        state = next(state for state in issue.team.states if state.type == type)
        self.update(issue, {"stateId": state.id}, self._user_named(by))

    def prioritise(self, identifier: str, priority: int, by: str = "Alice Reyes") -> None:
        """Somebody sets the priority of an issue."""
        self.update(self.issue(identifier), {"priority": priority}, self._user_named(by))

    def _user_named(self, name: str) -> User:
        return next(user for user in self.users if user.name == name)

    # --- changes, by inputs of Linear's schema ---------------------------------------------------

    def create_issue(self, given: Mapping[str, Any]) -> Issue:
        """Make an issue of an `IssueCreateInput`. Raises `LinearError`."""
        id = _id_for("Issue", given.get("id"), self.issues)
        team = next((team for team in self.teams if team.id == given["teamId"]), None)
        if team is None:
            raise unknown("Team")
        title = given.get("title") or ""
        if not title.strip():
            raise LinearError(
                "INPUT_ERROR", "Argument Validation Error", "title should not be empty"
            )
        if len(title) > TITLE_LIMIT:
            text = f"title must be at most {TITLE_LIMIT} characters"
            raise LinearError("INPUT_ERROR", "Argument Validation Error", text)
        state = _state_of(team, given["stateId"]) if given.get("stateId") else team.states[0]
        number = sum(issue.team is team for issue in self.issues) + 1
        identifier = f"{team.key}-{number}"
        at = self._moment()
        issue = Issue(
            id=id,
            identifier=identifier,
            title=title,
            description=given.get("description") or "",
            priority=priority_of(given.get("priority")),
            team=team,
            state=state,
            url=f"{self.public_url}/issue/{identifier}",
            created_at=at,
            updated_at=at,
            due_date=timeless_date(given.get("dueDate")),
            assignee=self._active_user(given.get("assigneeId")),
            parent_id=self.issue(given["parentId"]).id if given.get("parentId") else None,
            history=[(at, state.name)],
        )
        self.issues.append(issue)
        return issue

    def update(self, issue: Issue, given: Mapping[str, Any], by: User) -> None:
        """Write an `IssueUpdateInput`, and tell with it how the issue was before.

        https://linear.app/developers/webhooks, `updatedFrom`. Raises `LinearError`.
        """
        before: dict[str, Any] = {}
        state = _state_of(issue.team, given["stateId"]) if given.get("stateId") else issue.state
        assignee = (
            self._active_user(given["assigneeId"]) if "assigneeId" in given else issue.assignee
        )
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
        # Linear's own times tell the order of changes, so no two are of one moment.
        issue.updated_at = max(self._moment(), issue.updated_at + timedelta(milliseconds=1))
        self.on_update(Updated(issue, before, by))

    def create_comment(self, given: Mapping[str, Any]) -> Comment:
        """Make a comment of a `CommentCreateInput`. Raises `LinearError`."""
        id = _id_for("Comment", given.get("id"), self.comments)
        issue = self.issue(given.get("issueId"))
        comment = Comment(id, issue.id, given.get("body") or "", self._now())
        self.comments.append(comment)
        return comment

    def update_comment(self, id: str, given: Mapping[str, Any]) -> Comment:
        """Apply a `CommentUpdateInput`. Raises `LinearError`."""
        comment = next((comment for comment in self.comments if comment.id == id), None)
        if comment is None:
            raise unknown("Comment")
        comment.body = given.get("body") or comment.body
        return comment

    def attach(self, given: Mapping[str, Any]) -> Attachment:
        """Make an attachment of an `AttachmentCreateInput`. Raises `LinearError`.

        The same URL on the same issue changes the attachment that is there.
        """
        issue = self.issue(given["issueId"])
        for attachment in self.attachments_on(issue):
            if attachment.url == given["url"]:
                attachment.title = given["title"]
                return attachment
        id = _id_for("Attachment", given.get("id"), self.attachments)
        attachment = Attachment(id, issue.id, given["url"], given["title"])
        self.attachments.append(attachment)
        return attachment

    def _moment(self) -> datetime:
        """Return the time in milliseconds, as Linear keeps it."""
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _active_user(self, id: str | None) -> User | None:
        if not id:
            return None
        user = next((user for user in self.users if user.id == id and user.active), None)
        if user is None:
            raise unknown("User")
        return user


def _id_for(kind: str, wanted: str | None, taken: Iterable[Issue | Comment | Attachment]) -> str:
    """Return `wanted`, or a new id. Raises `LinearError` where it is no UUID, or taken."""
    if wanted is None:
        return new_id()
    try:
        proper = uuid.UUID(wanted).version == 4
    except ValueError:
        proper = False
    if not proper:
        raise LinearError("INPUT_ERROR", "Argument Validation Error", "id must be a UUID")
    if any(row.id == wanted for row in taken):
        text = f"Entity {kind} with id {wanted} already exists."
        raise LinearError("INPUT_ERROR", f"conflict on insert of {kind}", text)
    return wanted


def _state_of(team: Team, id: str) -> State:
    for state in team.states:
        if state.id == id:
            return state
    raise unknown("WorkflowState")
