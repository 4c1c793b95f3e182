"""What is asked about issues before the service's errors have told which ones burn."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.worlds.sentry_world import World, ago, world

HISTORY, PICTURE = "interval=5m", "count_unique(user)"
PEOPLE = [f"u{n}" for n in range(150)]


class SlowHistory:
    """Answers the two weeks of errors once somebody has asked who is hit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._asked = app, asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        question = unquote_plus(scope["query_string"].decode())
        if PICTURE in question:
            self._asked.set()
        if HISTORY in question:
            await self._asked.wait()
        await self._app(scope, receive, send)


def grown(w: World) -> None:
    """A new issue, and forty old ones that each grew a little: a slow database."""
    w.burn("/cart")
    for n in range(40):
        fields: dict[str, Any] = {
            "transaction": f"/p{n % 4}",
            "function": f"old{n}",
            "release": "v1",
        }
        w.local.load(f"Slow: {n}", at=ago(4320 - n), every=1200, times=215, users=PEOPLE, **fields)
        w.local.load(f"Slow: {n}", at=ago(30), every=300, times=6, users=PEOPLE, **fields)


def about_one(url: str) -> bool:
    """Whether a question is about a single issue: the new one."""
    _, found, issues = url.partition("issue.id:[")
    return bool(found) and "," not in issues.partition("]")[0]


async def test_who_is_hit_is_asked_while_sentry_still_counts_two_weeks_of_errors() -> None:
    async with world() as w:
        w.burn("/cart", "/pay")
        assert w.refusing.app is not None
        w.refusing.app = SlowHistory(w.refusing.app)
        report = await w.triage()
    assert report.events == 80
    assert not report.incomplete


async def test_where_older_issues_burn_too_all_of_them_are_asked_about_anew() -> None:
    async with world(counting=True) as w:
        grown(w)
        report = await w.triage()
        assert w.calls is not None
        pictures = [path for path in w.calls.paths if PICTURE in unquote_plus(path)]
    assert len(report.issue_ids) == 41
    assert {about_one(unquote_plus(path)) for path in pictures} == {True, False}
    assert report.events > 40 + 40, "those of the old ones, too"


async def test_a_question_about_too_few_issues_leaves_no_word_behind() -> None:
    async with world() as w:
        grown(w)
        w.refusing.rules.append((about_one, 503, "Service unavailable"))
        report = await w.triage()
    assert len(report.issue_ids) == 41
    assert not any("not known" in note for note in report.notes)
    assert not report.incomplete
    assert report.events > 40 + 40, "those of the old ones, too"
