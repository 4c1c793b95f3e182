"""`POST /api/incidents`: a script declares, once for each key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.store.incident_store import Store
from handlers.webhooks import api
from phases.messages.commands import Cancel
from phases.messages.results import ChannelOpened
from phases.record.incident import Channel, Severity
from tests.support.worlds.handlers_world import ALERT_SECRET, API_TOKEN, House, house


@pytest.fixture
async def home(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(api, "CHANNEL_SECONDS", 0.0)  # the outbox does not run here
    async with house(store) as opened:
        yield opened


async def post(home: House, body: Any, *, token: str = API_TOKEN) -> httpx.Response:
    given = {"Authorization": f"Bearer {token}"} if token else {}
    return await home.http.post(f"{home.url}/api/incidents", json=body, headers=given)


def asks(**fields: Any) -> dict[str, Any]:
    return {"title": "Orders fail", "service": "shop", **fields}


async def test_a_script_declares(home: House) -> None:
    answer = await post(home, asks(description="since 14:00", severity="SEV2", key="orders-4711"))
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "id": "INC-0001",
        "status": "declared",
        "service": "shop",
        "channel": None,
    }
    incident = await home.newest()
    assert (incident.title, incident.description) == ("Orders fail", "since 14:00")
    assert incident.severity is Severity.SEV2
    assert incident.source.kind == "script"


async def test_the_answer_waits_for_the_channel(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "CHANNEL_SECONDS", 30.0)
    asked = asyncio.create_task(post(home, asks()))
    async with asyncio.timeout(30):
        while await home.count() == 0:  # noqa: ASYNC110 (the record is in Redis)
            await asyncio.sleep(0.01)
    opened = ChannelOpened(channel=Channel(id="C0INC1", name="inc-0001-orders-fail"))
    await home.dispatch(opened, "INC-0001")
    assert (await asked).json()["channel"] == {
        "id": "C0INC1",
        "name": "inc-0001-orders-fail",
        "url": "https://firebreak.slack.com/archives/C0INC1",
    }


async def test_a_known_key_is_the_same_incident_also_when_it_is_over(home: House) -> None:
    assert (await post(home, asks(key="orders"))).status_code == 201
    again = await post(home, asks(key="orders", service="search"))
    assert (again.status_code, again.json()["id"]) == (200, "INC-0001")
    await home.dispatch(Cancel(by="U0ALICE", reason="a test"), "INC-0001")
    late = await post(home, asks(key="orders"))
    assert (late.status_code, late.json()["status"]) == (200, "cancelled")
    assert await home.count() == 1


async def test_many_at_once_with_one_key_are_one_incident(home: House) -> None:
    bodies = [asks(key="k", service=name) for name in ("shop", "search") for _ in range(10)]
    answers = await asyncio.gather(*(post(home, body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert {answer.json()["id"] for answer in answers} == {"INC-0001"}


async def test_an_open_incident_of_the_service_is_the_one(home: House) -> None:
    await home.slack.alice.command("/incident checkout of the shop is failing")
    answer = await post(home, asks(key="orders"))
    assert (answer.status_code, answer.json()["id"]) == (200, "INC-0001")


async def test_an_alert_and_a_script_share_their_keys(home: House) -> None:
    alert = {"service": "shop", "title": "Orders fail", "key": "orders", "status": "firing"}
    heard = await home.http.post(
        f"{home.url}/webhooks/alerts",
        json=alert,
        headers={"Authorization": f"Bearer {ALERT_SECRET}"},
    )
    assert heard.json()["incident"] == "INC-0001"
    answer = await post(home, asks(key="orders", service="search"))
    assert (answer.status_code, answer.json()["id"]) == (200, "INC-0001")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"title", "service"}),
        (asks(titel="x", service="nobody", severity=9), {"titel", "service", "severity"}),
        (asks(title=7, environment="moon"), {"title", "environment"}),
        ([], {"body"}),
        (asks(service="nobody"), {"service"}),
        ({"title": "Something fails"}, {"service"}),
        (asks(environment="moon"), {"environment"}),
        (asks(severity=7), {"severity"}),
        (asks(tittle="x"), {"tittle"}),
        (
            {"title": "", "severity": "high", "key": "k" * 201},
            {"title", "severity", "key", "service"},
        ),
    ],
)
async def test_every_fault_is_named_at_once(home: House, body: Any, fields: set[str]) -> None:
    answer = await post(home, body)
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["errors"]} == fields
    assert await home.count() == 0


@pytest.mark.parametrize("token", ["", "wrong", f"{API_TOKEN}x"])
async def test_a_wrong_token_is_401_and_nothing_of_the_body_is_logged(
    home: House, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    caplog.set_level("DEBUG")
    answer = await post(home, asks(title="forged"), token=token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "forged" not in caplog.text
    assert await home.count() == 0


async def test_ten_megabytes_are_413(home: House) -> None:
    assert (await post(home, asks(title="x" * (10 * 1024 * 1024)))).status_code == 413
