"""Answers of Sentry that lack a part. A number that is not there is not zero."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote_plus

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError
from phases.record.findings import Choice, LookVerdict, Word
from phases.record.incident import GuardLook, Severity
from phases.triage.picture.blast_radius import severity_of
from phases.triage.steps import headline
from phases.verification.recurrence import look_back
from tests.support.worlds.overload import FEATURES, TOTALS, USERS, fire
from tests.support.worlds.recovery import burned, look, recovered
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, world

COUNT = ("/events/", "field=count()")
LOST: dict[str, Any] = {
    "data": [{"count()": None, "count_unique(user)": None, "count_unique(user.ip)": None}]
}


class Instead:
    """In front of the local Sentry: what is in a request's decoded URL is answered with this."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.answers: list[tuple[tuple[str, ...], int, str]] = []

    def answer(self, parts: tuple[str, ...], body: object, status: int = 200) -> None:
        self.answers.append((parts, status, body if isinstance(body, str) else json.dumps(body)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        url = f"{scope['path']}?{unquote_plus(scope['query_string'].decode())}"
        for parts, status, body in self.answers:
            if all(part in url for part in parts):
                await Response(body, status, media_type="application/json")(scope, receive, send)
                return
        await self.app(scope, receive, send)


@asynccontextmanager
async def halved(**fields: Any) -> AsyncIterator[tuple[World, Instead]]:
    async with world(**fields) as w:
        assert w.refusing.app is not None
        w.refusing.app = instead = Instead(w.refusing.app)
        yield w, instead


@pytest.mark.parametrize(
    "answers",
    [
        {FEATURES: {"data": []}},
        {
            FEATURES: {
                "data": [{"transaction": "/cart/add", "count()": None}, {"transaction": "/pay"}]
            }
        },
        {USERS: {"data": []}},
        {USERS: {"data": [{"user": "id:1", "count()": None}]}},
        {TOTALS: LOST},
        {TOTALS: '{"data": [{"count()": NaN, "count_unique(user)": NaN}]}'},
        {TOTALS: LOST, USERS: LOST},
        {TOTALS: {"data": [{"count()": 120, "count_unique(user)": None}]}, USERS: {"data": []}},
    ],
)
async def test_a_table_without_its_numbers_is_not_known_and_never_mild(
    answers: dict[tuple[str, ...], Any],
) -> None:
    """With a well Sentry it is 30 users, 3 features, roll back."""
    async with halved() as (w, instead):
        await fire(w)
        for parts, body in answers.items():
            instead.answer(parts, body)
        report = await w.triage()
    assert report.events == 120
    assert (report.blast.users, report.blast.features) == (Word.MANY, Word.MANY)
    assert report.recommendation.choice is Choice.ROLLBACK
    assert severity_of(report) is Severity.SEV1
    assert " 0 events" not in headline(report)
    assert FEATURES not in answers or not report.blast.knows("features")


@pytest.mark.parametrize(
    "body", [{"data": []}, LOST, '{"data": [{"count()": NaN}]}', "<html>Down</html>", ""]
)
async def test_a_count_that_is_not_there_is_neither_recovery_nor_a_quiet_look(body: object) -> None:
    async with halved() as (w, instead):
        burning = await burned(w)
        instead.answer(COUNT, body)
        assert (await look(w, burning)).verdict is LookVerdict.UNREACHABLE
    async with halved() as (w, instead):
        incident = await recovered(w, 5)
        assert incident.guard_until is not None
        instead.answer(COUNT, body)
        answer = await look_back(
            incident, SHOP, GuardLook(until=incident.guard_until, number=1, seeds=0), w.client, NOW
        )
    assert answer.outcome == "not asked"


async def test_releases_without_their_counts_make_no_return_of_what_stragglers_send() -> None:
    async with halved() as (w, instead):
        await fire(w)
        instead.answer(
            ("/events/", "field=release"), {"data": [{"release": "v3", "count()": None}]}
        )
        with pytest.raises(HttpError, match="shape that is not known"):
            await w.client.releases(SHOP, ["1"], ago(15), NOW)


async def test_an_environment_that_sentry_never_saw_is_not_nothing_unusual() -> None:
    """The SDK says `production`, the catalogue `prod`. Without any issues, nothing burns."""
    async with world(service=SHOP.model_copy(update={"environments": ("prod",)})) as w:
        assert headline(await w.triage()) == "Sentry shows nothing unusual"
        w.burn("/cart")
        with pytest.raises(PortError, match="never an event of the environment prod"):
            await w.triage()
