"""What is asked about issues before the service's errors have told which ones burn."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Receive, Scope, Send

from phases.triage.picture.blast_radius import belonging
from phases.triage.picture.fire import fire
from phases.triage.reading.questions import Sources
from phases.triage.reading.speculation import AskingAhead
from tests.support.worlds.sentry_world import NOW, ago, world

HISTORY, PICTURE = "interval=5m", "count_unique(user)"
HOUR = timedelta(hours=1)


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


def about_two(url: str) -> bool:
    _, found, issues = url.partition("issue.id:[")
    return bool(found) and "," in issues.partition("]")[0]


async def test_who_is_hit_is_asked_while_sentry_still_counts_two_weeks_of_errors() -> None:
    async with world() as w:
        w.burn("/cart", "/pay")
        assert w.refusing.app is not None
        w.refusing.app = SlowHistory(w.refusing.app)
        report = await w.triage()
    assert report.events == 80
    assert not report.incomplete


async def test_beside_an_older_issue_who_is_hit_is_asked_once() -> None:
    """Two weeks of errors may say that it burns, too: nothing is asked twice."""
    async with world(counting=True) as w:
        w.burn("/cart")
        w.local.load("Slow", at=ago(4320), every=1200, times=216, users=["z"], function="old")
        await w.triage()
        assert w.calls is not None
        pictures = [path for path in w.calls.paths if PICTURE in unquote_plus(path)]
    assert len(pictures) == 2, "of the totals, and of the transactions"


async def test_what_was_asked_about_other_issues_is_asked_anew_and_leaves_no_word() -> None:
    async with world() as w:
        w.burn("/cart", "/pay")
        ask = AskingAhead(Sources(w.service, w.client), ago(15), NOW)
        w.refusing.rules.append((about_two, 503, "Service unavailable"))
        rows = (await ask.issues()).rows
        issues = belonging(rows, NOW, w.service.window, (), fire(rows, None, NOW, HOUR, HOUR))
        picture = await ask.picture(issues[:1], [issues[0].id])
        event = await ask.newest_event(rows, issues[1])
        ask.end()
    assert (len(issues), picture.events) == (2, 40)
    assert event is not None
    assert event.frames[0].function in issues[1].title.replace("KeyError: '", "view")
    assert not ask.notes.sentences
    assert not ask.notes.incomplete
