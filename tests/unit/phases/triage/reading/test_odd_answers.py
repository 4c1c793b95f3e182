"""Answers of Sentry that are odd, and no reason for a crash or a mild word."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phases.record.findings import Choice, TriageReport, Word
from tests.support.worlds.sentry_world import World, world

Entry = Callable[[str, Any], Any]


def each(value: Any, change: Entry) -> Any:
    """Return JSON with each named entry changed."""
    if isinstance(value, dict):
        entries: dict[str, Any] = value
        return {key: each(change(key, entry), change) for key, entry in entries.items()}
    if isinstance(value, list):
        rows: list[Any] = value
        return [each(entry, change) for entry in rows]
    return value


class Changed:
    """In front of the local Sentry: changes entries of its answers."""

    def __init__(self, app: ASGIApp, change: Entry) -> None:
        self.app = app
        self.change = change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        if body:
            body = json.dumps(each(json.loads(body), self.change)).encode()
        others = [(k, v) for k, v in sent[0]["headers"] if k.lower() != b"content-length"]
        headers = [*others, (b"content-length", str(len(body)).encode())]
        await send({**sent[0], "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def triaged(change: Entry, put: Callable[[World], None] | None = None) -> TriageReport:
    async with world() as w:
        assert w.refusing.app is not None
        w.refusing.app = Changed(w.refusing.app, change)
        w.deployed("v2", 900)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", "/search")
        if put is not None:
            put(w)
        return await w.triage()


COUNTS = ("count", "count()", "userCount", "count_unique(user)")


@pytest.mark.parametrize("value", [None, -5])
async def test_counts_that_are_not_told_are_no_silence(value: int | None) -> None:
    report = await triaged(lambda key, entry: value if key in COUNTS else entry)
    assert report.blast.users is Word.MANY
    assert "users" in report.blast.unknown
    assert "may be over" not in " ".join(report.recommendation.reasons)


async def test_counts_as_texts_are_counts() -> None:
    report = await triaged(lambda key, entry: str(entry) if key in COUNTS else entry)
    assert report.events == 120
    assert report.recommendation.choice is Choice.ROLLBACK


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
async def test_the_zero_time_of_a_program_is_no_time(time: str) -> None:
    report = await triaged(lambda key, entry: time if key == "dateStarted" else entry)
    assert report.suspect is not None
    assert report.suspect.version == "v3"
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_a_deploy_without_any_time_is_its_first_event() -> None:
    zero = {"dateStarted": "0001-01-01T00:00:00Z", "dateFinished": "9999-12-31T23:59:59Z"}
    report = await triaged(lambda key, entry: zero.get(key, entry))
    assert report.suspect is not None
    assert [deploy.source for deploy in report.deploys] == ["first event"]


async def test_nothing_began_in_the_future() -> None:
    late = "2026-05-06T00:00:00Z"
    report = await triaged(lambda key, entry: late if key == "firstSeen" else entry)
    assert report.began_at is not None
    assert report.began_at < report.at
    assert report.recommendation.choice is Choice.ROLLBACK
