"""The local Linear as the panel shows it: tickets, sub-issues, and a colleague's moves."""

from __future__ import annotations

from sandbox.linear.rules import LinearError
from sandbox.linear.state import Issue, Linear
from sandbox.page.model import Row, Ticket

MOVES = {"Todo": "unstarted", "In Progress": "started", "Done": "completed", "Canceled": "canceled"}
PRIORITIES = ("", "Urgent", "High", "Medium", "Low")
COLLEAGUE = "Bob Okafor"
"""The one who moves things in Linear here."""


def tickets(linear: Linear) -> list[Ticket]:
    """Return tickets, the newest first, each with its sub-issues."""
    return [_ticket(linear, issue) for issue in reversed(linear.issues) if not issue.parent_id]


def act(linear: Linear, lever: str) -> str | None:
    """Let a colleague pull `<identifier>:<field>:<value>`. Return a text if it did not work."""
    try:
        identifier, field, value = lever.split(":")
        if field == "state":
            linear.move(identifier, value, by=COLLEAGUE)
        else:
            linear.prioritise(identifier, int(value), by=COLLEAGUE)
    except (LinearError, ValueError) as refused:
        return f"Linear: {refused}"
    return None


def _ticket(linear: Linear, issue: Issue) -> Ticket:
    lever = f"linear:{issue.identifier}"
    moves = [
        (name, f"{lever}:state:{type}") for name, type in MOVES.items() if type != issue.state.type
    ]
    levels = [
        (name, f"{lever}:priority:{number}")
        for number, name in enumerate(PRIORITIES)
        if name and number != issue.priority and not issue.parent_id
    ]
    comments = linear.comments_on(issue)
    attachments = linear.attachments_on(issue)
    return Ticket(
        issue.identifier,
        issue.title,
        issue.state.name,
        issue.state.type,
        issue.description,
        PRIORITIES[issue.priority],
        owner=issue.assignee.name if issue.assignee else "",
        due=issue.due_date or "",
        moves=moves,
        levels=levels,
        items=[_ticket(linear, sub_issue) for sub_issue in linear.below(issue)],
        comments=[
            Row("Firebreak", at=comment.at.timestamp(), body=comment.body) for comment in comments
        ],
        attachments=[Row(attachment.title, href=attachment.url) for attachment in attachments],
    )
