"""Linear: the incident's ticket, its attachments and comments. https://linear.app/developers/graphql"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import httpx

from bot.clients.http.client import Http
from bot.clients.http.errors import HttpError, json_of, retry_after
from bot.clients.linear import documents as shapes
from bot.runtime.redaction import redact
from phases.ports.ports import PortError
from phases.record.documents import LinearIssue, SubIssue, Ticket
from phases.record.markdown import cut
from phases.record.service import Service

SYSTEM = "Linear"
TITLE_LIMIT = 255
BODY_LIMIT = 60_000
KNOWN_SECONDS = 600
"""How long a team and its states are remembered."""

# https://github.com/linear/linear/blob/master/packages/sdk/src/error.ts: the kinds of errors that may go away by themselves.
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
        limited = code == "RATELIMITED"
        super().__init__(
            SYSTEM,
            text,
            retryable=code in _PASSING,
            retry_after=retry_after,
            status=status,
            passing=code in _PASSING and not limited,
            limited=limited,
        )
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
        errors = body.get("errors") if isinstance(body, dict) else None
        if not errors and answer.is_success:
            return None
        return _refused(answer, errors if isinstance(errors, list) else [])


A = TypeVar("A", bound=shapes.Read)


@dataclass(frozen=True, slots=True)
class _Known:
    team: shapes.Team
    until: float


def made_id(kind: str, key: str) -> str:
    """The id that `key` always gets: a hash in the form of a UUID of version 4, which is the form that Linear takes."""
    return str(
        uuid.UUID(bytes=hashlib.sha256(f"firebreak:{kind}:{key}".encode()).digest()[:16], version=4)
    )


class Linear:
    """Keeps `phases.ports.ports.Tickets`. A personal API key goes into `Authorization` as it is, an OAuth token as a Bearer."""

    def __init__(self, api_url: str, key: str) -> None:
        authorization = f"Bearer {key}" if key.startswith("lin_oauth_") else key
        self._http = LinearHttp(SYSTEM, api_url, {"Authorization": authorization})
        self._known: dict[str, _Known] = {}

    async def open(
        self,
        service: Service,
        *,
        key: str,
        title: str,
        body: str,
        priority: int,
        parent: Ticket | None = None,
    ) -> Ticket:
        """The ticket of `key`, made if it is not there yet, in the team's first state of type `started`. Raises `PortError`."""
        team = await self._team(service)
        id = made_id("issue", key)
        given = {
            "id": id,
            "teamId": team.id,
            "title": cut(" ".join(title.split()) or "Incident", TITLE_LIMIT),
            "description": cut(body, BODY_LIMIT),
            "priority": priority,
            "stateId": team.state("started"),
            "parentId": parent.id if parent else None,
        }
        return (await self._create(id, given)).ticket

    async def open_item(
        self,
        service: Service,
        parent: Ticket,
        *,
        key: str,
        title: str,
        body: str,
        due: date | None,
        assignee: str | None,
    ) -> SubIssue:
        """The sub-issue of `key`, made if it is not there yet, in the team's first state of type `unstarted`. Raises `PortError`."""
        team = await self._team_of(parent.id)
        id = made_id("issue", key)
        given = {
            "id": id,
            "teamId": team.id,
            "parentId": parent.id,
            "title": cut(" ".join(title.split()) or "Action item", TITLE_LIMIT),
            "description": cut(body, BODY_LIMIT),
            "stateId": team.state("unstarted"),
            "dueDate": due.isoformat() if due else None,
            "assigneeId": assignee,
        }
        try:
            return (await self._create(id, given)).sub_issue
        except LinearError as error:
            if error.code != "INPUT_ERROR" or assignee is None:
                raise
            # Whoever may not be assigned in this team is named in the text.
            return (await self._create(id, {**given, "assigneeId": None})).sub_issue

    async def person(self, *, name: str, email: str | None) -> str | None:
        """An active user's id, where exactly one fits. Raises `PortError`."""
        active = {"active": {"eq": True}}
        if email:
            found = await self._ask(
                shapes.PERSON,
                {"filter": {**active, "email": {"eqIgnoreCase": email}}},
                shapes.UsersAnswer,
            )
            if len(found.users.nodes) == 1:
                return found.users.nodes[0].id
        if not name.strip():
            return None
        called = [
            {"name": {"eqIgnoreCase": name.strip()}},
            {"displayName": {"eqIgnoreCase": name.strip()}},
        ]
        found = await self._ask(
            shapes.PERSON, {"filter": {**active, "or": called}}, shapes.UsersAnswer
        )
        return found.users.nodes[0].id if len(found.users.nodes) == 1 else None

    async def look(self, id: str) -> Sequence[LinearIssue]:
        """The issue and its sub-issues; none where it was deleted. Raises `PortError`."""
        try:
            seen = await self._look(id)
        except LinearError as error:
            if error.code == "INPUT_ERROR":  # "Entity not found: Issue"
                return ()
            raise
        return (seen.told, *(child.told for child in seen.children.nodes))

    async def move(
        self, id: str, *, state: str | None = None, priority: int | None = None
    ) -> LinearIssue:
        """Into the first state of that type of the team that the issue is in by now. Raises `PortError`."""
        given: dict[str, Any] = {} if priority is None else {"priority": priority}
        if state is not None:
            team = await self._team_of(id)
            found = team.state(state)
            if found is None:
                text = f"team {team.key} has no state of type {state}: add one in Linear, then try again"
                raise PortError(SYSTEM, text, retryable=False)
            given["stateId"] = found
        try:
            moved = (
                await self._ask(shapes.MOVE, {"id": id, "input": given}, shapes.MoveAnswer)
            ).moved
        except LinearError:
            self._known.clear()  # the team or its states may have changed; the next try asks again
            raise
        if not moved.success or moved.issue is None:
            raise PortError(
                SYSTEM, "Linear did not change the issue and does not say why", retryable=True
            )
        return moved.issue.told

    async def _look(self, id: str) -> shapes.Looked:
        return (await self._ask(shapes.LOOK, {"id": id}, shapes.LookAnswer)).issue

    async def _team_of(self, id: str) -> shapes.Team:
        """The team that an issue is in by now: people may move it to another one."""
        known = self._known.get(id)
        if known is None or known.until < time.monotonic():
            self._known[id] = known = _Known(
                (await self._look(id)).team, time.monotonic() + KNOWN_SECONDS
            )
        return known.team

    async def _create(self, id: str, given: Mapping[str, Any]) -> shapes.Issue:
        """Made once: its id is ours, so that a second time finds it."""
        try:
            wanted = {key: value for key, value in given.items() if value not in (None, "")}
            answer = await self._ask(shapes.CREATE_ISSUE, {"input": wanted}, shapes.CreateAnswer)
        except LinearError as error:
            self._known.clear()  # the team or its states may have changed; the next try asks again
            if error.code != "INPUT_ERROR":
                raise
            found = await self._find(id)
            if found is None:
                raise
            return found
        made = answer.created.issue or await self._find(id)
        if not answer.created.success or made is None:
            raise PortError(
                SYSTEM, "Linear did not create the issue and does not say why", retryable=True
            )
        return made

    async def attach(self, ticket: Ticket, *, key: str, url: str, title: str) -> None:
        """Linear keys attachments by URL: attaching again changes the title. Raises `PortError`."""
        given = {"issueId": ticket.id, "url": url, "title": cut(title.strip() or url, TITLE_LIMIT)}
        await self._ask(shapes.ATTACH, {"input": given}, shapes.Anything)

    async def comment(self, ticket: Ticket, *, key: str, body: str) -> None:
        """Comments once for each `key`. Raises `PortError`."""
        id = made_id("comment", key)
        given = {"id": id, "issueId": ticket.id, "body": cut(body, BODY_LIMIT)}
        try:
            await self._ask(shapes.COMMENT, {"input": given}, shapes.Anything)
        except LinearError as error:
            if error.already_there:
                return
            if (
                error.code != "INPUT_ERROR"
                or not (
                    await self._ask(shapes.FIND_COMMENT, {"id": id}, shapes.CommentsAnswer)
                ).comments.nodes
            ):
                raise

    async def check(self) -> str:
        """The name of whom the key belongs to (`firebreak doctor`). Raises `PortError`."""
        return (await self._ask(shapes.VIEWER, {}, shapes.ViewerAnswer)).viewer.name

    async def team_name(self, service: Service) -> str:
        """The service's team (`firebreak doctor`). Raises `PortError`."""
        return (await self._team(service)).name

    async def lacks(self, service: Service) -> tuple[str, ...]:
        """Types of states that tickets and action items go through and the team has none of (`firebreak doctor`). Raises `PortError`."""
        team = await self._team(service)
        return tuple(
            one
            for one in ("unstarted", "started", "completed", "canceled")
            if team.state(one) is None
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def find(self, identifier: str) -> Ticket | None:
        """`issue(id:)` takes an identifier, too (https://linear.app/developers/graphql). Raises `PortError`."""
        try:
            return (
                await self._ask(shapes.NAMED_ISSUE, {"identifier": identifier}, shapes.NamedAnswer)
            ).issue.ticket
        except LinearError as error:
            if error.code == "INPUT_ERROR":  # "Entity not found: Issue"
                return None
            raise

    async def _find(self, id: str) -> shapes.Issue | None:
        found = (await self._ask(shapes.FIND_ISSUE, {"id": id}, shapes.IssuesAnswer)).issues.nodes
        return found[0] if found else None

    async def _team(self, service: Service) -> shapes.Team:
        """The service's team; where the catalogue names none, the only one that the key sees."""
        key = service.linear_team or ""
        known = self._known.get(key)
        if known is not None and known.until > time.monotonic():
            return known.team
        if key:
            teams = (await self._ask(shapes.TEAM, {"key": key}, shapes.TeamsAnswer)).teams.nodes
            text = f"there is no team {key} in Linear, or our key may not see it: mend linear_team of {service.name}"
        else:
            teams = (await self._ask(shapes.ONLY_TEAM, {}, shapes.TeamsAnswer)).teams.nodes
            text = f"set linear_team of {service.name} in the catalogue: Linear has {'several teams' if teams else 'none'}"
        if len(teams) != 1:
            raise PortError(SYSTEM, text, retryable=False)
        self._known[key] = _Known(teams[0], time.monotonic() + KNOWN_SECONDS)
        return teams[0]

    async def _ask(self, document: str, variables: Mapping[str, Any], shape: type[A]) -> A:
        """Return the answer to a document of ours.

        Each may be sent twice: ids are made here, and what is set is set again.
        """
        asked = {"query": document, "variables": variables}
        answer = await self._http.request("POST", "", json=asked, repeatable=True)
        body = self._http.json(answer)
        data = body.get("data") if isinstance(body, dict) else None
        return self._http.read_value(shape, data, answer)


def _refused(answer: httpx.Response, errors: list[Any]) -> LinearError:
    first = next((error for error in errors if isinstance(error, dict)), {})
    extensions = first.get("extensions") or {}
    message = str(first.get("message") or "")
    code = str(extensions.get("code") or extensions.get("type") or "").upper().replace(" ", "_")
    code = code or {401: "AUTHENTICATION_ERROR", 403: "FORBIDDEN", 429: "RATELIMITED"}.get(
        answer.status_code, ""
    )
    said = redact(str(extensions.get("userPresentableMessage") or message))[:200]
    wait: float | None = None
    match code:
        case "RATELIMITED":
            text, wait = "Linear asks us to slow down", _until_reset(answer.headers)
        case "AUTHENTICATION_ERROR":
            text = "Linear does not accept LINEAR_API_KEY: make a new key in Linear, Settings, Security & access"
        case "FORBIDDEN":
            text = (
                f"LINEAR_API_KEY may not do this: {said}"
                if said
                else "LINEAR_API_KEY may not do this"
            )
        case _:
            text = (
                f"Linear refused: {said}"
                if said
                else f"Linear refused the request ({answer.status_code})"
            )
    return LinearError(
        text, code=code, message=message, retry_after=wait, status=answer.status_code
    )


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the exhausted bucket is full again; the reset is in milliseconds (https://linear.app/developers/rate-limiting)."""
    waits = [
        float(reset) / 1000 - datetime.now(UTC).timestamp()
        for bucket in ("Requests", "Complexity")
        if headers.get(f"X-RateLimit-{bucket}-Remaining") == "0"
        and (reset := headers.get(f"X-RateLimit-{bucket}-Reset", "")).isdecimal()
    ]
    return min(max(*waits, 1.0), 3600.0) if waits else retry_after(headers)
