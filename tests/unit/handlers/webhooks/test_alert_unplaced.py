"""Alerts that name no service: people hear of them, once, and can open the incident themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.store.incident_store import Store
from handlers.webhooks.alert_unplaced import POSTING_SECONDS
from sandbox.faults import Fault
from tests.support.worlds.alert_webhooks import fires, grouped, paged
from tests.support.worlds.handlers_world import ALERT_SECRET, House, house

NOBODYS = {"service": "ledger", "job": "ledger"}


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store, incidents_channel="general") as opened:
        yield opened


async def post(home: House, body: Any) -> httpx.Response:
    given = {"Authorization": f"Bearer {ALERT_SECRET}"}
    return await home.http.post(
        f"{home.url}/webhooks/alerts", content=json.dumps(body), headers=given
    )


def nobodys(name: str = "LedgerDown", **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "service": "ledger", "severity": "critical"}
    return fires() | {"labels": labels | more, "fingerprint": name, "annotations": {}}


def told(home: House) -> list[Any]:
    messages = home.slack.workspace.channel("general").messages
    return [message for message in messages if "no service I know" in message["text"]]


async def test_people_hear_once_of_an_alert_that_names_no_service_and_declare_it(
    home: House,
) -> None:
    answer = await post(home, grouped(nobodys()))
    assert answer.status_code == 400
    assert "it names no service" in answer.json()["error"]
    await post(home, grouped(nobodys(), nobodys("LedgerSlow")))
    first, second = told(home)
    assert "*LedgerDown (Alertmanager)*" in first["text"]
    assert "LedgerSlow" in second["text"]
    assert "LedgerDown" not in second["text"]
    bob = home.slack.bob
    await bob.click(await bob.sees("LedgerDown"), "incident.declare")
    await bob.submit(await bob.open_modal("incident.declare"), {"service": "shop"})
    assert (await home.newest()).title == "LedgerDown (Alertmanager)"


async def test_the_rest_of_the_group_opens_its_incident_all_the_same(home: House) -> None:
    answer = await post(home, grouped(nobodys(), fires()))
    assert answer.json()["incident"] == "INC-0001"
    assert len(told(home)) == 1


@pytest.mark.parametrize(
    "body",
    [
        grouped(nobodys(severity="info")),
        grouped(nobodys(environment="staging")),
        grouped(nobodys() | {"status": "resolved"}),
    ],
)
async def test_what_wakes_nobody_is_not_told(home: House, body: Any) -> None:
    await post(home, body)
    assert told(home) == []


async def test_the_bots_own_page_that_comes_back_is_not_told(home: House) -> None:
    await home.decision()
    incident = await home.newest()
    assert incident.paged
    back = paged(title=f"{incident.id}: something is down", service={"summary": "On-call"})
    assert (await post(home, back)).status_code == 400
    assert told(home) == []


async def test_what_slack_did_not_take_is_told_by_a_later_try(home: House, store: Store) -> None:
    home.slack.faults.next("slack.chat.postMessage", Fault(error="fatal_error"))
    assert (await post(home, grouped(nobodys()))).status_code == 503
    assert (await post(home, grouped(nobodys()))).status_code == 503, "the first may be at it"
    (key,) = await store.redis.keys("*:unplaced:*")
    assert 0 < await store.redis.ttl(key) <= POSTING_SECONDS, "nobody has to give it back"
    await store.redis.delete(key)
    assert (await post(home, grouped(nobodys()))).status_code == 400
    assert len(told(home)) == 1
    assert await store.redis.ttl(key) > POSTING_SECONDS
    await post(home, grouped(nobodys()))
    assert len(told(home)) == 1
