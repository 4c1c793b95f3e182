"""The documents that are sent to Linear, and the parts of its answers that are used.

https://github.com/linear/linear/blob/master/packages/sdk/src/schema.graphql
"""

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import Field

from bot.clients.http.shape import Shape
from phases.record.documents import LinearIssue, SubIssue, Ticket

TEAM = """
query FirebreakTeam($key: String!) {
  teams(filter: {key: {eqIgnoreCase: $key}}, first: 1) {
    nodes { id key name states(first: 100) { nodes { id type position } } }
  }
}
"""
ONLY_TEAM = """
query FirebreakTeams {
  teams(first: 2) {
    nodes { id key name states(first: 100) { nodes { id type position } } }
  }
}
"""
FIND_ISSUE = """
query FirebreakIssue($id: ID!) {
  issues(filter: {id: {eq: $id}}, first: 1, includeArchived: true) {
    nodes { id identifier url priority updatedAt state { name type } }
  }
}
"""
NAMED_ISSUE = """
query FirebreakNamed($identifier: String!) {
  issue(id: $identifier) { id identifier url priority updatedAt state { name type } }
}
"""
FIND_COMMENT = """
query FirebreakComment($id: ID!) {
  comments(filter: {id: {eq: $id}}, first: 1) { nodes { id } }
}
"""
CREATE_ISSUE = """
mutation FirebreakOpen($input: IssueCreateInput!) {
  issueCreate(input: $input) {
    success
    issue { id identifier url priority updatedAt state { name type } }
  }
}
"""
ATTACH = """
mutation FirebreakAttach($input: AttachmentCreateInput!) {
  attachmentCreate(input: $input) { success attachment { id } }
}
"""
COMMENT = """
mutation FirebreakComment($input: CommentCreateInput!) {
  commentCreate(input: $input) { success comment { id } }
}
"""
MEND_COMMENT = """
mutation FirebreakMendComment($id: String!, $input: CommentUpdateInput!) {
  commentUpdate(id: $id, input: $input) { success comment { id } }
}
"""
LOOK = """
query FirebreakLook($id: String!) {
  issue(id: $id) {
    id identifier url priority updatedAt state { name type }
    team { id key name states(first: 100) { nodes { id type position } } }
    children(first: 50) { nodes { id identifier url priority updatedAt state { name type } } }
  }
}
"""
MOVE = """
mutation FirebreakMove($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) {
    success
    issue { id identifier url priority updatedAt state { name type } }
  }
}
"""
PERSON = """
query FirebreakPerson($filter: UserFilter!) {
  users(filter: $filter, first: 2) { nodes { id } }
}
"""
VIEWER = """
query FirebreakViewer {
  viewer { id name }
}
"""


N = TypeVar("N", bound=Shape)


class Nodes(Shape, Generic[N]):
    """A page of a list, as every list of Linear's comes."""

    nodes: tuple[N, ...]


class TeamState(Shape):
    id: str
    type: str
    position: float = 0.0


class StateName(Shape):
    name: str
    type: str


class Issue(Shape):
    """An issue as every call here asks for it."""

    id: str
    identifier: str
    url: str
    priority: float
    updated_at: datetime = Field(alias="updatedAt")
    state: StateName

    @property
    def linear_issue(self) -> LinearIssue:
        return LinearIssue(
            id=self.id,
            state=self.state.type,
            state_name=self.state.name,
            priority=round(self.priority),
            at=self.updated_at,
        )

    @property
    def ticket(self) -> Ticket:
        return Ticket(
            id=self.id,
            identifier=self.identifier,
            url=self.url,
            state=self.state.type,
            state_at=self.updated_at,
            priority=round(self.priority),
            priority_at=self.updated_at,
        )

    @property
    def sub_issue(self) -> SubIssue:
        return SubIssue(
            id=self.id,
            identifier=self.identifier,
            url=self.url,
            state=self.state.type,
            state_at=self.updated_at,
        )


class Team(Shape):
    id: str
    key: str
    name: str
    states: Nodes[TeamState]

    def state(self, type: str) -> str | None:
        """Return the first state of that type, as the team orders them."""
        states = sorted((s for s in self.states.nodes if s.type == type), key=lambda s: s.position)
        return states[0].id if states else None


class IssueWithChildren(Issue):
    team: Team
    children: Nodes[Issue]


class Node(Shape):
    id: str


class Changed(Shape):
    """The answer to a mutation; `issue` is there where one was made or moved."""

    success: bool
    issue: Issue | None = None


class Viewer(Shape):
    name: str
