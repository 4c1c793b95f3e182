"""GlitchTip's API, which has a part of Sentry's calls, on Sentry's paths.

Source: https://gitlab.com/glitchtip/glitchtip-backend, `apps/issue_events/api/issues.py`,
`services.py` and `schema.py`, `apps/releases/api.py`.

- `events/`, `events-stats/`, `events-timeseries/` and `shortids/` do not exist.
- The issue list refuses Sentry's words for `sort` with 422. Its `start` and `end` are of the first
  seen. Its `count` is over an issue's whole life.
- One issue, its events and its tags are asked for without the organisation.
"""

from collections.abc import Sequence
from datetime import datetime

import httpx

from bot.clients.http.errors import HttpError
from bot.clients.sentry.event import EventShape
from bot.clients.sentry.http import EVENTS, PAGE, Pairs, SentryHttp, next_cursor, path_part
from bot.clients.sentry.models import IssueShape, TagDetailShape, utc
from phases.ports.tracker_values import EventDetail, IssuePage, IssueRow
from phases.triage.picture.blast_radius import LEVELS, NEW

REFUSED = 422
"""Its answer to a `sort` of Sentry's (Django Ninja)."""


class GlitchTip:
    """One organisation. `site` is the same system without the organisation in its paths."""

    def __init__(self, organisation: SentryHttp, site: SentryHttp) -> None:
        self._http = organisation
        self._site = site

    async def page(self, where: Pairs, since: datetime, after: str | None) -> IssuePage:
        """Return the issues seen since then. An old one counts as one event: more is not told."""
        more: Pairs = [("cursor", after)] if after else []
        answer = await self._list([*where, ("sort", "-last_seen"), *more])
        issues = self._http.read(list[IssueShape], answer)
        seen_since = [i for i in issues if i.lastSeen is None or utc(i.lastSeen) >= since]
        rows = [_in_window(issue.row(), since) for issue in seen_since if issue.level in LEVELS]
        rows.sort(key=lambda row: -row.events)
        cursor = next_cursor(answer) if len(seen_since) == len(issues) else None
        return IssuePage(rows=tuple(rows), next=cursor)

    async def new_issues(
        self, where: Pairs, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        """Return the issues first seen in that span with an event of the release."""
        span: Pairs = [("start", utc(since).isoformat()), ("end", utc(until).isoformat())]
        answer = await self._list(
            [*where, *span, ("query", f'release:"{release}"'), ("sort", "-first_seen")]
        )
        issues = self._http.read(list[IssueShape], answer)
        rows = [issue.row() for issue in issues if issue.level in LEVELS]
        return [row for row in rows if row.first_seen >= since]

    async def issue(self, id: str) -> IssueRow:
        answer = await self._site.get(f"/issues/{path_part(id)}/", scope=EVENTS)
        return self._site.read(IssueShape, answer).row()

    async def latest(self, issue: str) -> EventDetail | None:
        answer = await self._site.get_or_none(f"/issues/{path_part(issue)}/events/latest/")
        return None if answer is None else self._site.read(EventShape, answer).detail()

    async def tag(self, issue: str, key: str) -> TagDetailShape | None:
        """Return the tag, or None where no event has it."""
        path = f"/issues/{path_part(issue)}/tags/"
        answer = await self._site.get(path, [("key", key)], scope=EVENTS)
        details = self._site.read(list[TagDetailShape], answer)
        return next((detail for detail in details if detail.key in ("", key)), None)

    async def _list(self, params: Pairs) -> httpx.Response:
        named = [(name, value) for name, value in params if (name, value) != ("environment", "")]
        return await self._http.get("/issues/", [*named, ("limit", str(PAGE))], scope=EVENTS)


def cannot_count() -> HttpError:
    text = "this Sentry (GlitchTip) does not count the events of a time, so nothing can be compared"
    return HttpError("Sentry", text, retryable=False)


def _in_window(row: IssueRow, since: datetime) -> IssueRow:
    """Return the row with the events of the window, as far as they are known."""
    return row if row.first_seen >= since - NEW else row.model_copy(update={"events": 1})
