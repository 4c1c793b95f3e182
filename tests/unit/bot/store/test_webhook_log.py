"""The log of received webhooks and `doctor`'s reading of it.

Known ones are named, and unknown ones are not called shut.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.cli.checks.webhooks import finding_of
from bot.config.settings import load
from bot.store.incident_store import Store
from bot.store.webhook_log import WEBHOOKS, Arrived, WebhookLog, arrived, opened

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SENTRY = next(webhook for webhook in WEBHOOKS if webhook.whose == "Sentry")


def app() -> Starlette:
    async def answer(request: Request) -> Response:
        return PlainTextResponse("", int(request.headers["wanted"]))

    return Starlette(routes=[Route("/{rest:path}", answer, methods=["POST"])])


async def until(store: Store, whose: str, wanted: Arrived) -> None:
    async with asyncio.timeout(20):
        while (await arrived(store))[whose] != wanted:  # noqa: ASYNC110  Redis sets no event
            await asyncio.sleep(0.01)


async def test_each_door_keeps_when_one_came_and_what_was_refused_since(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.webhook_log.PAUSE_SECONDS", 0)
    monkeypatch.setattr("bot.store.webhook_log.WELL_SECONDS", 0)
    arrivals = WebhookLog(app(), store, WEBHOOKS, lambda: NOW)
    arrivals.begin()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(arrivals), verify=False, base_url="http://bot"
    ) as http:

        async def sent(status: int, path: str = SENTRY.path) -> None:
            await http.post(path, headers={"wanted": str(status)})

        await until(store, "Sentry", Arrived(since=NOW))
        for _ in range(3):
            await sent(401)
        await until(store, "Sentry", Arrived(since=NOW, refused=3, refused_at=NOW))
        for status in (400, 404, 413, 503):
            await sent(status)  # none of them says anything of a signature
        await sent(202)
        await until(store, "Sentry", Arrived(since=NOW, at=NOW, refused=0, refused_at=NOW))
        await sent(401)
        await until(store, "Sentry", Arrived(since=NOW, at=NOW, refused=1, refused_at=NOW))
        await sent(401, "/webhooks/else")
    assert (await arrived(store))["GitHub"] == Arrived(since=NOW)


async def test_the_first_start_counts_and_not_the_last(store: Store) -> None:
    for days in (0, 3):
        arrivals = WebhookLog(app(), store, [SENTRY], lambda days=days: NOW + timedelta(days=days))
        arrivals.begin()
        await until(store, "Sentry", Arrived(since=NOW))
        assert (await arrived(store))["CI"] == Arrived(), "no secret, no door"


def test_only_doors_with_a_secret_are_looked_at() -> None:
    needed = {"slack_bot_token": "xoxb-1", "slack_signing_secret": "s", "data_dir": "/x"}
    assert [webhook.whose for webhook in opened(load(**needed))] == ["Slack"]
    socket = load(
        **needed, slack_app_token="xapp-1", sentry_webhook_secret="s", deploy_webhook_secret="d"
    )
    assert [webhook.whose for webhook in opened(socket)] == ["Sentry", "CI"]


@pytest.mark.parametrize(
    ("known", "state", "words"),
    [
        (Arrived(), "unproven", "the bot has not run with it yet"),
        (
            Arrived(since=NOW - timedelta(hours=3)),
            "unproven",
            "none has arrived since the bot first ran",
        ),
        (Arrived(since=NOW - timedelta(days=2)), "unproven", "no webhook has ever arrived"),
        (
            Arrived(since=NOW - timedelta(days=9), at=NOW - timedelta(days=5)),
            "works",
            "last arrived 2026-04-29",
        ),
        (
            Arrived(since=NOW, refused=1, refused_at=NOW),
            "broken",
            "wrong signature 1 time (last 2026-05-04 12:00 UTC)",
        ),
        (Arrived(since=NOW, at=NOW, refused=7, refused_at=NOW), "broken", "7 times"),
    ],
)
def test_doctor_says_what_is_known(known: Arrived, state: str, words: str) -> None:
    finding = finding_of(SENTRY, known, 3000, NOW)
    assert finding.state == state
    assert words in finding.says
    assert ("port 3000 from outside" in finding.mend) is (known.at is None and not known.refused)
    assert ("Client Secret" in finding.mend) is bool(known.refused)
