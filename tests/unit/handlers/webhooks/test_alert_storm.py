"""Alerts as they come when much is wrong: by the hundred, again and again, odd, and our own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.store.incident_store import Store
from handlers.webhooks import api
from handlers.webhooks.alert_storm import LINES
from phases.messages.commands import Cancel
from tests.support.worlds.alert_webhooks import ago, fires, grouped, monitored, paged, plain
from tests.support.worlds.handlers_world import ALERT_SECRET, API_TOKEN, House, house


@pytest.fixture
async def home(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(api, "CHANNEL_SECONDS", 0.0)  # the outbox does not run here
    async with house(store) as opened:
        yield opened


async def post(
    home: House, body: Any, path: str = "/webhooks/alerts", token: str = ALERT_SECRET
) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = {"Authorization": f"Bearer {token}"}
    return await home.http.post(f"{home.url}{path}", content=raw, headers=shown)


async def heard(home: House) -> list[str]:
    """Return the lines of the newest incident's timeline."""
    incident = await home.newest()
    return [entry.text for entry in await home.heard.ctx.dispatcher.timeline(incident.id)]


def many(count: int, **more: Any) -> list[dict[str, Any]]:
    return [fires("PodDown", fingerprint=f"f{n}", pod=f"shop-{n}", **more) for n in range(count)]


# --- by the hundred -------------------------------------------------------------------------------


async def test_a_group_that_is_sent_as_a_whole_each_time_is_not_told_again_as_a_whole(
    home: House,
) -> None:
    pods = many(120)  # what begins at another time is another fire
    await post(home, grouped(*pods))
    for number in range(3):
        await post(home, grouped(*pods, fires(f"More{number}", fingerprint=f"m{number}")))
    lines = await heard(home)
    assert lines[1:] == [
        "Alertmanager: More0 of the shop: 7 % of requests fail",
        "Alertmanager: More1 of the shop: 7 % of requests fail",
        "Alertmanager: More2 of the shop: 7 % of requests fail",
    ]


async def test_a_storm_that_doubles_and_its_end_are_a_line_each(home: House) -> None:
    pods = many(100)
    await post(home, grouped(*pods[:30]))
    await post(home, grouped(*pods))
    await post(home, grouped(*many(100, status="resolved"), status="resolved"))
    lines = await heard(home)
    assert lines[1] == "Alertmanager: 90 more alerts: PodDown"
    assert (
        lines[2:-1]
        == ["Alertmanager: resolved there: PodDown of the shop. Users may still be hit"] * LINES
    )
    last = "Alertmanager: resolved there: 90 more alerts: PodDown. Users may still be hit"
    assert lines[-1] == last


async def test_every_alert_of_a_storm_leads_to_its_incident(home: House) -> None:
    await post(home, grouped(*many(100)))
    alarm = many(100)[99]
    alarm["labels"]["service"] = "search"
    assert (await post(home, grouped(alarm))).json()["incident"] == "INC-0001"


async def test_what_fires_is_read_before_what_is_over(home: House) -> None:
    over = many(300, status="resolved")
    await post(home, grouped(*over, fires("DatabaseDown", fingerprint="db")))
    assert (await home.newest()).title == "DatabaseDown of the shop"


async def test_thousands_of_alerts_are_heard_from_whoever_shows_the_secret_first(
    home: House,
) -> None:
    body = json.dumps(grouped(*many(2500, node="ip-10-0-0-1.eu-west-1.compute.internal"))).encode()
    assert 1024 * 1024 < len(body) < 4 * 1024 * 1024
    assert (await post(home, body)).json()["incident"] == "INC-0001"
    for other in ({"Authorization": "Bearer wrong"}, {"X-Firebreak-Signature": "sha256=0"}, {}):
        answer = await home.http.post(f"{home.url}/webhooks/alerts", content=body, headers=other)
        assert (answer.status_code, answer.json()["error"][-5:]) == (413, "1 MiB")


# --- again and again ------------------------------------------------------------------------------


def renotified(minutes: float, transition: str, **more: Any) -> dict[str, Any]:
    sent = str(1795316520000 + int(minutes * 60_000))
    return monitored(f"[{transition} on {{host:a}}] Errors of the shop", date=sent, **more)


async def test_datadog_that_reminds_every_ten_minutes_says_it_once(home: House) -> None:
    cycle = {"alert_cycle_key": "1490190"}
    await post(home, renotified(0, "Triggered", **cycle))
    for minutes in range(10, 60, 10):
        await post(home, renotified(minutes, "Re-Triggered", alert_transition="Renotify", **cycle))
    assert len(await heard(home)) == 1
    await post(home, renotified(60, "Recovered", **cycle))
    assert (await heard(home))[1:] == [
        "Datadog: resolved there: Errors of the shop. Users may still be hit"
    ]


async def test_its_default_payload_has_no_cycle_key_and_a_reminder_is_one_line(
    home: House,
) -> None:
    await post(home, renotified(0, "Triggered"))
    for minutes in range(10, 60, 10):
        await post(home, renotified(minutes, "Re-Triggered"))
    assert len(await heard(home)) == 2
    await post(home, renotified(60, "Recovered"))
    await post(home, renotified(90, "Triggered"))
    assert len(await heard(home)) == 4, "it is over, and fires anew"


async def test_long_keys_that_begin_alike_are_not_one(home: House) -> None:
    link = "https://monitoring.example.com/alerts/" + "x" * 130
    await post(home, plain(key=f"{link}1"))
    await post(home, plain(key=f"{link}2", title="Another thing fails"))
    await post(home, plain(key=f"{link}1", status="resolved"))
    assert (await heard(home))[1:] == [
        "an alert: Another thing fails",
        "an alert: resolved there: Orders fail. Users may still be hit",
    ]


# --- our own --------------------------------------------------------------------------------------


async def test_our_own_page_comes_back_without_its_key_and_opens_nothing(home: House) -> None:
    """PagerDuty tells no key of an incident that an alert made."""
    await post(
        home,
        {"title": "Orders fail", "severity": 1, "service": "shop"},
        "/api/incidents",
        API_TOKEN,
    )
    await home.dispatch(Cancel(by="U0ALICE", reason="a test"), "INC-0001")
    back = paged(incident_key=None, title="INC-0001 Orders fail: SEV1")
    answer = await post(home, back)
    assert answer.json() == {"incident": None, "incidents": []}
    assert await home.count() == 1
    # Somebody else's, who counts in the same way.
    await post(home, paged(incident_key=None, title="INC-4711 The till is stuck"))
    assert (await home.newest()).title == "INC-4711 The till is stuck"


# --- whose, where and when ------------------------------------------------------------------------


async def test_any_label_may_name_the_service_where_no_other_word_does(home: House) -> None:
    alert = fires("IngressErrors", ingress="shop", pod="ingress-nginx-7c9f")
    del alert["labels"]["service"]
    alert["annotations"] = {"summary": "5xx"}
    assert (await post(home, grouped(alert))).json()["incident"] == "INC-0001"


async def test_opentelemetrys_name_of_the_environment_counts_and_the_log_says_so(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    answer = await post(home, grouped(fires(deployment_environment_name="staging")))
    assert answer.json()["incident"] is None
    assert "an alarm about shop is of an environment that does not count" in caplog.text


async def test_an_alert_whose_sender_is_hours_ahead_is_of_now(home: House) -> None:
    """A wrong zone, or no NTP: nobody reads the answer that the sender would get."""
    assert (await post(home, grouped(fires(minutes=-120)))).json()["incident"] == "INC-0001"
    assert "firing since" not in (await home.newest()).description


# --- what scripts send when something is wrong ----------------------------------------------------


@pytest.mark.parametrize(
    ("path", "token", "body"),
    [
        ("/webhooks/alerts", ALERT_SECRET, plain(title="Orders fail\n" + "x" * 2000)),
        ("/webhooks/alerts", ALERT_SECRET, plain(description="at pay.py:1\n" * 1000, at=ago(1))),
        ("/webhooks/alerts", ALERT_SECRET, plain(url="https://logs.example.com/?q=" + "x" * 3000)),
        ("/api/incidents", API_TOKEN, {"service": "shop", "title": "Orders fail " + "x" * 2000}),
        (
            "/api/incidents",
            API_TOKEN,
            {"service": "shop", "title": "Orders fail", "description": "at pay.py:1\n" * 1000},
        ),
    ],
)
async def test_the_end_of_a_log_is_cut_and_the_alarm_stands(
    home: House, path: str, token: str, body: dict[str, Any]
) -> None:
    answer = await post(home, body, path, token)
    assert answer.status_code in (200, 201), answer.text
    incident = await home.newest()
    assert incident.title.startswith("Orders fail")
    assert len(incident.description) <= 3000


async def test_a_byte_order_mark_of_windows_is_no_part_of_the_body(home: House) -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(plain()).encode()
    assert (await post(home, raw)).json()["incident"] == "INC-0001"
