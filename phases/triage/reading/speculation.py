"""Phase 1: questions about the issues, asked before all is there that says which ones these are.

Which issues burn is said by the list of issues and by two weeks of the service's errors, which take
Sentry longest. Where all that is listed is new, the errors can add no issue: what is asked about
them is asked as soon as the list is there, and people have their decision so much earlier. Should
it turn out that some are regular, the others are asked about anew. No answer is another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from phases.ports.ports import PortError
from phases.ports.tracker_values import EventDetail, EventPicture, IssuePage, IssueRow, Minutes
from phases.record.findings import ChangeSeen, IssueSeen
from phases.triage.picture.blast_radius import NEW, belonging
from phases.triage.picture.fire import fire
from phases.triage.reading.questions import Questions
from phases.triage.reading.unavailable import TriageNotes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Early:
    """A question that is under way; `about` is what it was asked about."""

    about: object
    notes: TriageNotes
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class AskingAhead(Questions):
    """The questions of one triage. `seeds`: issues that somebody named. `end` it."""

    seeds: Collection[str] = ()
    early: dict[str, _Early] = field(default_factory=dict[str, _Early])

    def end(self) -> None:
        """Give up what was asked and is not needed."""
        for one in self.early.values():
            one.answer.cancel()

    async def issues(self) -> IssuePage:
        page = await Questions.issues(self)
        self._begin("further", page, lambda ask: ask.further_issues(page))
        self._begin("flags", page, lambda ask: ask.flag_changes(page))
        if page.next is not None or page.missing or not self._all_new(page):
            return page
        window = self.sources.service.window
        burning = fire(page.rows, None, self.now, window, NEW)
        issues = belonging(page.rows, self.now, window, self.seeds, burning)
        if issues:
            ids = tuple(dict.fromkeys((*ids_of(issues), *self.seeds)))
            self._begin("minutes", ids_of(issues), lambda ask: ask.minutes(issues))
            self._begin("picture", ids, lambda ask: ask.picture(issues, ids))
            self._begin("event", issues[0].id, lambda ask: ask.newest_event(page.rows, issues[0]))
        return page

    def _all_new(self, page: IssuePage) -> bool:
        """Return whether each issue began with any fire: a louder service makes none older."""
        return all(row.first_seen >= self.now - NEW for row in page.rows if row.events > 0)

    async def further_issues(self, page: IssuePage) -> tuple[list[IssueRow], PortError | None]:
        return await self._told("further", page, lambda ask: ask.further_issues(page))

    async def flag_changes(self, page: IssuePage) -> Sequence[ChangeSeen]:
        return await self._told("flags", page, lambda ask: ask.flag_changes(page))

    async def minutes(self, issues: Sequence[IssueSeen]) -> Minutes:
        return await self._told("minutes", ids_of(issues), lambda ask: ask.minutes(issues))

    async def picture(self, issues: Sequence[IssueSeen], ids: Sequence[str]) -> EventPicture:
        return await self._told("picture", tuple(ids), lambda ask: ask.picture(issues, ids))

    async def newest_event(self, rows: Sequence[IssueRow], issue: IssueSeen) -> EventDetail | None:
        return await self._told("event", issue.id, lambda ask: ask.newest_event(rows, issue))

    def _begin(self, what: str, about: object, ask: Callable[[Questions], Awaitable[Any]]) -> None:
        notes = TriageNotes()
        asked = asyncio.ensure_future(ask(self._plain(notes)))
        self.early[what] = _Early(about, notes, asked)

    async def _told(self, what: str, about: object, ask: Callable[[Questions], Awaitable[T]]) -> T:
        """Return the early answer, or ask now where there is none or it was about other issues."""
        early = self.early.pop(what, None)
        if early is None:
            return await ask(self._plain(self.notes))
        if early.about != about:
            early.answer.cancel()
            return await ask(self._plain(self.notes))
        answer: T = await early.answer
        self.notes.take(early.notes)
        return answer

    def _plain(self, notes: TriageNotes) -> Questions:
        return Questions(self.sources, self.since, self.now, notes)


def ids_of(issues: Sequence[IssueSeen]) -> tuple[str, ...]:
    return tuple(issue.id for issue in issues)
