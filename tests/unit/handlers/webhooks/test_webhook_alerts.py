"""`POST /webhooks/alerts`: whose alerts come in, what they open, and that nothing is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.store.incident_store import Store
from phases.messages.commands import Cancel, MergeDuplicates, SplitOff
from phases.record.incident import Status
from tests.support.worlds.alert_webhooks import ago, fires, grouped, monitored, paged, plain
from tests.support.worlds.handlers_world import ALERT_SECRET, PAGER_SECRET, House, house

PATH = "/webhooks/alerts"


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def post(
    home: House, body: Any, *, headers: dict[str, str] | None = None, raw: bytes | None = None
) -> httpx.Response:
    raw = json.dumps(body).encode() if raw is None else raw
    given = {"Authorization": f"Bearer {ALERT_SECRET}"} if headers is None else headers
    return await home.http.post(f"{home.url}{PATH}", content=raw, headers=given)


def sign(raw: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


async def test_half_an_emoji_in_a_body_loses_no_alarm(home: House) -> None:
    """JavaScript cuts after so many UTF-16 units, and writes `\\ud83d` of what is left."""
    raw = rb'{"service":"shop","title":"Orders fail \ud83d","status":"firing","key":"\\ud83d"}'
    answer = await post(home, None, raw=raw)
    assert (answer.status_code, answer.json()["incident"]) == (200, "INC-0001")


# --- whose they are -------------------------------------------------------------------------------


async def test_each_sender_shows_the_secret_in_its_own_way(home: House) -> None:
    raw = json.dumps(plain(status="resolved")).encode()
    basic = base64.b64encode(f"firebreak:{ALERT_SECRET}".encode()).decode()
    at = "1795316520"
    for headers in (
        {"X-Firebreak-Signature": f"sha256={sign(raw, ALERT_SECRET)}"},
        {"X-PagerDuty-Signature": f"v1={sign(raw, 'old')},v1={sign(raw, PAGER_SECRET)}"},
        {"X-Grafana-Alerting-Signature": sign(raw, ALERT_SECRET)},
        {
            "X-Grafana-Alerting-Signature": sign(at.encode() + b":" + raw, ALERT_SECRET),
            "X-Grafana-Alerting-Timestamp": at,
        },
        {"Authorization": f"Bearer {ALERT_SECRET}"},
        {"Authorization": f"bearer {PAGER_SECRET}"},
        {"Authorization": f"Basic {basic}"},
    ):
        answer = await post(home, None, raw=raw, headers=headers)
        assert answer.status_code == 200, headers


async def test_who_shows_no_secret_is_401_and_nothing_of_the_body_is_logged(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    raw = json.dumps(plain(title="forged")).encode()
    empty = base64.b64encode(b"firebreak:").decode()
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {empty}"},
        {"Authorization": "Basic ???"},
        {"Authorization": f"Bearer {ALERT_SECRET},{PAGER_SECRET}"},
        {"X-PagerDuty-Signature": f"v1={sign(raw, 'wrong')}"},
        {"X-PagerDuty-Signature": sign(raw, PAGER_SECRET)},
        {"X-Firebreak-Signature": sign(raw, ALERT_SECRET)},
        {"X-Grafana-Alerting-Signature": sign(b"other", ALERT_SECRET)},
    ):
        assert (await post(home, None, raw=raw, headers=headers)).status_code == 401, headers
    assert "forged" not in caplog.text
    assert await home.count() == 0


# --- what they open -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "title", "system"),
    [
        (grouped(), "HighErrorRate of the shop", "Alertmanager"),
        (grouped(orgId=1, title="[FIRING:1]", state="alerting"), "HighErrorRate", "Grafana"),
        (monitored(), "Errors of the shop", "Datadog"),
        (monitored(alert_transition="Re-Triggered"), "Errors of the shop", "Datadog"),
        (monitored(tags=["service:shop"]), "Errors of the shop", "Datadog"),
        (paged(), "Checkout is slow", "PagerDuty"),
        (plain(), "Orders fail", "an alert"),
        (plain(service="", title="The shop is down"), "The shop is down", "an alert"),
    ],
)
async def test_an_alert_of_each_kind_opens_an_incident(
    home: House, body: Any, title: str, system: str
) -> None:
    answer = await post(home, body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"incident": "INC-0001", "incidents": ["INC-0001"]}
    incident = await home.newest()
    assert incident.title.startswith(title)
    assert (incident.source.kind, incident.source.text) == ("alert", system)
    assert incident.service == "shop"


async def test_labels_are_for_people_to_read(home: House) -> None:
    await post(home, grouped(fires(region="eu-west", instance="shop-3:9090")))
    description = (await home.newest()).description
    assert (
        description
        == "7 % of requests fail\nseverity critical · region eu-west · instance shop-3:9090"
    )


async def test_nothing_in_an_alert_mentions_anybody(home: House) -> None:
    body = grouped(fires("<!channel> down", region="<@U0ALICE>"))
    await post(home, body)
    incident = await home.newest()
    assert "<!" not in incident.title
    assert "<@" not in incident.description


async def test_one_storm_is_one_incident(home: House) -> None:
    first = grouped()
    await post(home, first)
    await post(home, first)  # the same body: one delivery
    await post(home, {**first, "receiver": "another"})
    await post(home, grouped(fires(minutes=1)))
    await post(home, grouped(fires("PodsRestart", fingerprint="77")))
    await post(home, paged())
    await post(home, monitored())
    assert await home.count() == 1
    heard = (await home.newest()).heard
    assert len([name for name in heard if "1a30ba71cca2921f" in name]) == 2, "two beginnings"


async def test_a_group_of_two_services_opens_two(home: House) -> None:
    body = grouped(fires(), fires("SearchDown", fingerprint="2", service="search"))
    answer = await post(home, body)
    assert answer.json()["incidents"] == ["INC-0001", "INC-0002"]


async def test_the_same_key_leads_to_its_incident_and_comes_back_after_its_end(
    home: House,
) -> None:
    await post(home, plain())
    first = await home.newest()
    # Relabelled meanwhile: it is the same alert.
    await post(home, plain(service="search"))
    assert await home.count() == 1
    await home.dispatch(Cancel(by="U0ALICE", reason="a test"), first.id)
    await post(home, plain())
    assert await home.count() == 2


# --- what opens nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        grouped(fires(status="resolved"), status="resolved"),
        grouped(fires(severity="info")),
        grouped(fires(severity="none")),
        grouped(fires(environment="staging")),
        monitored("[Recovered on {host:a}] Errors of the shop"),
        monitored(alert_transition="Recovered"),
        paged("incident.resolved"),
        paged("incident.acknowledged"),
        paged("pagey.ping", title=""),
        paged(urgency="low"),
        paged(incident_key="01JD" + "0" * 22),
        plain(status="resolved"),
    ],
)
async def test_an_end_a_notice_and_our_own_page_open_nothing(home: House, body: Any) -> None:
    answer = await post(home, body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"incident": None, "incidents": []}
    assert await home.count() == 0


@pytest.mark.parametrize("name", ["prod", "PROD", "production", "live"])
async def test_the_environment_may_be_written_short(home: House, name: str) -> None:
    await post(home, grouped(fires(env=name)))
    assert await home.count() == 1


async def test_resolved_is_evidence_and_never_recovery(home: House) -> None:
    await post(home, grouped())
    ended = await post(home, grouped(fires(status="resolved"), status="resolved"))
    assert ended.json()["incident"] == "INC-0001"
    incident = await home.newest()
    assert incident.status is not Status.MITIGATED
    entries = await home.heard.ctx.dispatcher.timeline(incident.id)
    lines = [entry.text for entry in entries if "resolved there" in entry.text]
    assert lines == [
        "Alertmanager: resolved there: HighErrorRate of the shop. Users may still be hit"
    ]


async def test_a_key_of_a_duplicate_leads_to_the_incident_that_goes_on(home: House) -> None:
    await post(home, plain())
    await post(home, plain(service="search", key="index", title="The index is stale"))
    merged = MergeDuplicates(by="U0ALICE", others=("INC-0002",))
    await home.dispatch(merged, "INC-0001")
    again = await post(home, plain(service="search", key="index", title="Stale", at=ago(0)))
    assert again.json()["incident"] == "INC-0001"
    await home.dispatch(SplitOff(by="U0ALICE", others=("INC-0001",)), "INC-0002")
    again = await post(home, plain(service="search", key="index", title="Staler", at=ago(0)))
    assert again.json()["incident"] == "INC-0002"


async def test_a_variable_without_a_value_is_no_key_and_no_service(home: House) -> None:
    """Datadog leaves `$ALERT_CYCLE_KEY` as it stands where an event has none."""
    unfilled = {"alert_cycle_key": "$ALERT_CYCLE_KEY", "link": "$LINK", "service": "$TAGS[service]"}
    await post(home, monitored(**unfilled))
    other = monitored("[Triggered] Queue of search grows", tags="service:search", **unfilled)
    answer = await post(home, other)
    assert answer.json()["incident"] == "INC-0002", "two monitors are no one alert"


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "no known kind; known are Alertmanager, Grafana, Datadog, PagerDuty (V3) or our own"),
        ({"hello": "world"}, "no known kind"),
        ([], "must be an object"),
        (grouped(alerts=[]), "alerts"),
        (grouped({"labels": {}}), "alerts.0.status"),
        (grouped(fires(status="exploded")), "alerts.0.status"),
        (plain(status="maybe"), "status"),
        (plain(title=""), "title"),
        (plain(at="yesterday"), "at"),
        (plain(at=ago(-60 * 24 * 365)), "of the future"),
        (grouped(fires(minutes=-60 * 24 * 365)), "of the future"),
        (
            plain(service="nobody"),
            "it names no service: give it a label `service`, of shop, search",
        ),
        (paged(title="", service={"summary": "shop"}), "event.data.title"),
    ],
)
async def test_what_cannot_be_read_is_400_and_says_why(home: House, body: Any, says: str) -> None:
    answer = await post(home, body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert await home.count() == 0


async def test_no_json_is_400_and_ten_megabytes_are_413(home: House) -> None:
    assert (await post(home, None, raw=b"\xff{")).status_code == 400
    assert (await post(home, None, raw=b"x" * (10 * 1024 * 1024))).status_code == 413
