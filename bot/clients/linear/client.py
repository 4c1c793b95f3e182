"""Linear: the incident's ticket, its attachments and comments.

https://linear.app/developers/graphql
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import httpx

from bot.clients.cache import Cache
from bot.clients.http.client import Http
from bot.clients.http.errors import LONGEST_WAIT_SECONDS, HttpError, json_of, retry_after
from bot.clients.http.shape import Shape
from bot.clients.linear import documents as shapes
from bot.runtime.redaction import redact
from phases.ports.ports import PortError
from phases.record.documents import LinearIssue, SubIssue, Ticket
from phases.record.service import Service
from phases.text.wording import short

SYSTEM = "Linear"
TITLE_LIMIT = 255
BODY_LIMIT = 60_000
KNOWN_SECONDS = 600
"""How long a team and its states are remembered."""

# The kinds of errors that may go away by themselves:
# https://github.com/linear/linear/blob/master/packages/sdk/src/error.ts
_PASSING = frozenset(
    {"RATELIMITED", "INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "NETWORK_ERROR", "LOCK_TIMEOUT"}
)


class LinearError(HttpError):
    """An answer of Linear's with `errors`; `code` is from the extensions, in capitals."""

    def __init__(
        self,
        text: str,
        *,
        code: str,
        message: str,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        retryable = code in _PASSING
        super().__init__(SYSTEM, text, retryable=retryable, retry_after=retry_after, status=status)
        self.limited = code == "RATELIMITED"
        self.passing = retryable and not self.limited
        self.code = code
        self.message = message

    @property
    def already_there(self) -> bool:
        """Return whether a second creation under the same id was refused.

        Linear says `conflict on insert of Issue`, shown to people as `Entity Issue with id …
        already exists.`; code INPUT_ERROR, HTTP 400.
        """
        words = f"{self.message} {self.text}".lower()
        return self.code == "INPUT_ERROR" and (
            "conflict on insert" in words or "already exists" in words
        )


class LinearHttp(Http):
    """Errors come with HTTP 200 and with 400, rate limits among them, in `errors` either way."""

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        if not answer.is_success and answer.status_code not in (400, 401, 403, 429):
            return super().refusal(answer, scope)
        body = json_of(answer)
        if not answer.is_success and not isinstance(body, dict):
            return super().refusal(answer, scope)  # a page of a wall, which knows no key
        errors = body.get("errors") if isinstance(body, dict) else None
        if not errors and answer.is_success:
            return None
        return _refused(answer, errors if isinstance(errors, list) else [])


A = TypeVar("A", bound=Shape)


def made_id(kind: str, key: str) -> str:
    """Return the id that `key` always gets: a hash in Linear's form, a UUID of version 4."""
    digest = hashlib.sha256(f"firebreak:{kind}:{key}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


@dataclass(frozen=True, slots=True)
class NewIssue:
    """An issue to be made. The same `key` is the same issue, however often it is asked for."""

    key: str
    title: str
    body: str


def _issue_input(new: NewIssue, untitled: str) -> dict[str, Any]:
    return {
        "id": made_id("issue", new.key),
        "title": short(" ".join(new.title.split()) or untitled, TITLE_LIMIT),
        "description": short(new.body, BODY_LIMIT),
    }


class Linear:
    """Tickets, their sub-issues and their comments. Methods raise `PortError`.

    A personal API key goes into `Authorization` as it is, an OAuth token as a Bearer.
    """

    def __init__(self, api_url: str, key: str) -> None:
        authorization = f"Bearer {key}" if key.startswith("lin_oauth_") else key
        self._http = LinearHttp(SYSTEM, api_url, {"Authorization": authorization})
        self._teams = Cache[str, shapes.Team](seconds=KNOWN_SECONDS)
        """By the key of a team, or by the id of an issue that it has."""

    async def open(
        self, service: Service, new: NewIssue, *, priority: int, parent: Ticket | None = None
    ) -> Ticket:
        """Return the ticket, made if it is not there yet.

        It begins in the team's first state of type `started`.
        """
        team = await self._team(service)
        given = {
            **_issue_input(new, "Incident"),
            "teamId": team.id,
            "priority": priority,
            "stateId": team.state("started"),
            "parentId": parent.id if parent else None,
        }
        return (await self._create(given)).ticket

    async def open_item(
        self, parent: Ticket, new: NewIssue, *, due: date | None, assignee: str | None
    ) -> SubIssue:
        """Return the sub-issue, made if it is not there yet.

        It begins in the team's first state of type `unstarted`.
        """
        team = await self._team_of(parent.id)
        given = {
            **_issue_input(new, "Action item"),
            "teamId": team.id,
            "parentId": parent.id,
            "stateId": team.state("unstarted"),
            "dueDate": due.isoformat() if due else None,
            "assigneeId": assignee,
        }
        try:
            return (await self._create(given)).sub_issue
        except LinearError as error:
            if error.code != "INPUT_ERROR" or assignee is None:
                raise
            # Whoever may not be assigned in this team is named in the text.
            return (await self._create({**given, "assigneeId": None})).sub_issue

    async def person(self, *, name: str, email: str | None) -> str | None:
        """Return an active user's id, where exactly one fits."""
        named = {"eqIgnoreCase": name.strip()}
        filters: list[dict[str, Any]] = []
        if email:
            filters.append({"email": {"eqIgnoreCase": email}})
        if name.strip():
            filters.append({"or": [{"name": named}, {"displayName": named}]})
        for wanted in filters:
            asked = {"filter": {"active": {"eq": True}, **wanted}}
            users = (await self._ask(shapes.PERSON, asked, shapes.Nodes[shapes.Node])).nodes
            if len(users) == 1:
                return users[0].id
        return None

    async def look(self, id: str) -> Sequence[LinearIssue]:
        """Return the issue and its sub-issues; nothing where it was deleted."""
        try:
            issue = await self._issue_with_children(id)
        except LinearError as error:
            if error.code == "INPUT_ERROR":  # "Entity not found: Issue"
                return ()
            raise
        return (issue.linear_issue, *(child.linear_issue for child in issue.children.nodes))

    async def move(
        self, id: str, *, state: str | None = None, priority: int | None = None
    ) -> LinearIssue:
        """Move an issue into the first state of that type of the team that it is in by now."""
        given: dict[str, Any] = {} if priority is None else {"priority": priority}
        if state is not None:
            team = await self._team_of(id)
            given["stateId"] = team.state(state)
            if given["stateId"] is None:
                text = f"team {team.key} has no state of type {state}"
                text += ": add one in Linear, then try again"
                raise PortError(SYSTEM, text)
        try:
            moved = await self._ask(shapes.MOVE, {"id": id, "input": given}, shapes.Changed)
        except LinearError:
            self._teams.clear()  # the team or its states may have changed; the next try asks again
            raise
        if not moved.success or moved.issue is None:
            raise PortError(
                SYSTEM, "Linear did not change the issue and does not say why", retryable=True
            )
        return moved.issue.linear_issue

    async def _issue_with_children(self, id: str) -> shapes.IssueWithChildren:
        return await self._ask(shapes.LOOK, {"id": id}, shapes.IssueWithChildren)

    async def _team_of(self, id: str) -> shapes.Team:
        """Return the team that an issue is in by now: people may move it to another one."""
        if id not in self._teams:
            self._teams[id] = (await self._issue_with_children(id)).team
        return self._teams[id]

    async def _create(self, given: Mapping[str, Any]) -> shapes.Issue:
        """Create an issue once: its id is ours, so that a second time finds it."""
        try:
            wanted = {key: value for key, value in given.items() if value not in (None, "")}
            created = await self._ask(shapes.CREATE_ISSUE, {"input": wanted}, shapes.Changed)
        except LinearError as error:
            self._teams.clear()  # the team or its states may have changed; the next try asks again
            if error.code != "INPUT_ERROR":
                raise
            issue = await self._find_issue(given["id"])
            if issue is None:
                raise
            return issue
        made = created.issue or await self._find_issue(given["id"])
        if not created.success or made is None:
            raise PortError(
                SYSTEM, "Linear did not create the issue and does not say why", retryable=True
            )
        return made

    async def attach(self, ticket: Ticket, *, key: str, url: str, title: str) -> None:
        """Attach a link. Linear keys attachments by URL: attaching again changes the title."""
        given = {
            "issueId": ticket.id,
            "url": url,
            "title": short(title.strip() or url, TITLE_LIMIT),
        }
        await self._ask(shapes.ATTACH, {"input": given}, shapes.Changed)

    async def comment(self, ticket: Ticket, *, key: str, body: str) -> bool:
        """Comment once for each `key`. Return False where the comment is there already."""
        id = made_id("comment", key)
        given = {"id": id, "issueId": ticket.id, "body": short(body, BODY_LIMIT)}
        try:
            await self._ask(shapes.COMMENT, {"input": given}, shapes.Changed)
        except LinearError as error:
            if error.already_there:
                return False
            if error.code != "INPUT_ERROR":
                raise
            there = await self._ask(shapes.FIND_COMMENT, {"id": id}, shapes.Nodes[shapes.Node])
            if not there.nodes:
                raise
            return False
        return True

    async def mend_comment(self, *, key: str, body: str) -> None:
        """Give the comment that was made under this `key` another text."""
        given = {"id": made_id("comment", key), "input": {"body": short(body, BODY_LIMIT)}}
        await self._ask(shapes.MEND_COMMENT, given, shapes.Changed)

    async def check(self) -> str:
        """Return the name of the key's owner (`firebreak doctor`)."""
        return (await self._ask(shapes.VIEWER, {}, shapes.Viewer)).name

    async def team_name(self, service: Service) -> str:
        """Return the name of the service's team (`firebreak doctor`)."""
        return (await self._team(service)).name

    async def lacks(self, service: Service) -> tuple[str, ...]:
        """Return the types of states that the team has none of (`firebreak doctor`).

        Tickets and action items go through these.
        """
        team = await self._team(service)
        types = ("unstarted", "started", "completed", "canceled")
        return tuple(type for type in types if team.state(type) is None)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def find(self, identifier: str) -> Ticket | None:
        """Return the ticket of an identifier.

        `issue(id:)` takes an identifier, too (https://linear.app/developers/graphql).
        """
        asked = {"identifier": identifier}
        try:
            return (await self._ask(shapes.NAMED_ISSUE, asked, shapes.Issue)).ticket
        except LinearError as error:
            if error.code == "INPUT_ERROR":  # "Entity not found: Issue"
                return None
            raise

    async def _find_issue(self, id: str) -> shapes.Issue | None:
        issues = (await self._ask(shapes.FIND_ISSUE, {"id": id}, shapes.Nodes[shapes.Issue])).nodes
        return issues[0] if issues else None

    async def _team(self, service: Service) -> shapes.Team:
        """Return the service's team, or the only one that the key sees."""
        key = service.linear_team or ""
        if (team := self._teams.get(key)) is not None:
            return team
        if key:
            teams = (await self._ask(shapes.TEAM, {"key": key}, shapes.Nodes[shapes.Team])).nodes
            text = f"there is no team {key} in Linear, or our key may not see it"
            text += f": mend linear_team of {service.name}"
        else:
            teams = (await self._ask(shapes.ONLY_TEAM, {}, shapes.Nodes[shapes.Team])).nodes
            text = f"set linear_team of {service.name} in the catalogue"
            text += f": Linear has {'several teams' if teams else 'none'}"
        if len(teams) != 1:
            raise PortError(SYSTEM, text)
        self._teams[key] = teams[0]
        return teams[0]

    async def _ask(self, document: str, variables: Mapping[str, Any], shape: type[A]) -> A:
        """Return the answer to a document of ours, which asks for one field of Linear's.

        Each may be sent twice: ids are made here, and what is set is set again.
        """
        asked = {"query": document, "variables": variables}
        answer = await self._http.request("POST", "", json=asked, repeatable=True)
        body = self._http.json(answer)
        data = body.get("data") if isinstance(body, dict) else None
        field = next(iter(data.values()), None) if isinstance(data, dict) else None
        return self._http.read_value(shape, field, answer)


def _refused(answer: httpx.Response, errors: list[Any]) -> LinearError:
    first = next((error for error in errors if isinstance(error, dict)), {})
    extensions = first.get("extensions") or {}
    message = str(first.get("message") or "")
    code = str(extensions.get("code") or extensions.get("type") or "").upper().replace(" ", "_")
    code = code or {401: "AUTHENTICATION_ERROR", 403: "FORBIDDEN", 429: "RATELIMITED"}.get(
        answer.status_code, ""
    )
    reason = redact(str(extensions.get("userPresentableMessage") or message))[:200]
    wait: float | None = None
    match code:
        case "RATELIMITED":
            text, wait = "Linear asks us to slow down", _until_reset(answer.headers)
        case "AUTHENTICATION_ERROR":
            text = "Linear does not accept LINEAR_API_KEY"
            text += ": make a new key in Linear, Settings, Security & access"
        case "FORBIDDEN":
            text = "LINEAR_API_KEY may not do this" + (f": {reason}" if reason else "")
        case _:
            without = f"Linear refused the request ({answer.status_code})"
            text = f"Linear refused: {reason}" if reason else without
    return LinearError(
        text, code=code, message=message, retry_after=wait, status=answer.status_code
    )


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the exhausted bucket is full again.

    The reset is in milliseconds (https://linear.app/developers/rate-limiting).
    """
    waits = [
        float(reset) / 1000 - datetime.now(UTC).timestamp()
        for bucket in ("Requests", "Complexity")
        if headers.get(f"X-RateLimit-{bucket}-Remaining") == "0"
        and (reset := headers.get(f"X-RateLimit-{bucket}-Reset", "")).isdecimal()
    ]
    return min(max(*waits, 1.0), LONGEST_WAIT_SECONDS) if waits else retry_after(headers)
