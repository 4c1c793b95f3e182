"""The protocols of ticket, announcement, pager, archive and memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from phases.record.documents import Adr, LinearIssue, SubIssue, Ticket
from phases.record.incident import Incident
from phases.record.memories import Counted, PastIncident, Question, Recalled
from phases.record.service import Service


@dataclass(frozen=True, slots=True)
class NewIssue:
    """An issue to be made. The same `key` is the same issue, however often it is asked for."""

    key: str
    title: str
    body: str


class Tickets(Protocol):
    """Linear. `key` makes every creation idempotent: the same key is the same thing."""

    async def open(
        self, service: Service, new: NewIssue, *, priority: int, parent: Ticket | None = None
    ) -> Ticket: ...

    async def open_item(
        self, parent: Ticket, new: NewIssue, *, due: date | None, assignee: str | None
    ) -> SubIssue:
        """A sub-issue; `assignee` as `person` knows them."""
        ...

    async def person(self, *, name: str, email: str | None) -> str | None:
        """Return Linear's id of an active user.

        The user is found by e-mail address, else by a name that only one has. Neither is kept.
        """
        ...

    async def look(self, id: str) -> Sequence[LinearIssue]:
        """The issue as it stands, and its sub-issues after it; none where it is gone."""
        ...

    async def move(
        self, id: str, *, state: str | None = None, priority: int | None = None
    ) -> LinearIssue:
        """Writes what is given: the type of a state, of which the team's first is taken."""
        ...

    async def find(self, identifier: str) -> Ticket | None:
        """The issue that people call `ENG-123`; None where there is none that our key may see."""
        ...

    async def attach(self, ticket: Ticket, *, key: str, url: str, title: str) -> None: ...

    async def comment(self, ticket: Ticket, *, key: str, body: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Posted:
    """A post outside, and the channel that it is in, where that is known."""

    id: str
    channel: str | None = None


class Announcer(Protocol):
    """Discord: one post an incident, edited in place, pinned where we may."""

    async def post(
        self, text: str, *, author: str, maybe_posted_since: datetime | None = None
    ) -> Posted:
        """Post the text and return its id.

        `maybe_posted_since`: an earlier try may have arrived since then, and is looked for first.
        """
        ...

    async def edit(self, id: str, text: str) -> None: ...

    async def pin(self, id: str, channel: str | None, *, pinned: bool) -> None: ...


class Pager(Protocol):
    async def page(self, *, key: str, text: str) -> None: ...

    async def follow(self, *, key: str, what: Literal["acknowledge", "resolve"]) -> None:
        """Somebody is at it, or it is over; a key that nothing was triggered with is nothing."""
        ...


class Archive(Protocol):
    """The place in which post-mortems are written."""

    async def highest(self, service: Service) -> int:
        """The highest ADR number in use there; 0 where there is none."""
        ...

    async def template(self, service: Service) -> str:
        """The folder's own template for such files; empty where there is none."""
        ...

    async def write(self, service: Service, incident: Incident, number: int, text: str) -> Adr:
        """Writes once: the file name carries the incident's id."""
        ...

    def repository(self, service: Service) -> str:
        """A stable name of the place, for the claim on the number."""
        ...

    async def revise(
        self, service: Service, incident: Incident, revised: Callable[[str], str], why: str
    ) -> str | None:
        """Change the written file once, and return its pull request, if any.

        `revised` changes nothing in a text that it has changed.
        """
        ...


class Memory(Protocol):
    async def recall(self, asked: Question) -> Recalled:
        """Return what was there before. Raises `PortError`."""
        ...

    async def newest(self, service: str | None, many: int) -> Sequence[PastIncident]:
        """The newest of a service, or of all; newest first. Raises `PortError`."""
        ...

    async def since(self, at: datetime) -> Sequence[Counted]:
        """Return the figures for trends of all that was detected since then.

        Raises `PortError`.
        """
        ...
