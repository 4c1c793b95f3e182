"""The two doors for HTTP: size, signature, parse; and what Sentry's alerts become."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.store.incident_store import Store
from handlers.app import build_app
from phases.messages.results import Looked
from phases.record.findings import Look, LookVerdict
from phases.record.incident import Status
from sandbox.faults import Fault
from tests.support.worlds.handlers_world import ME, House, house
from tests.support.worlds.sentry_world import ago, world
from tests.support.worlds.slack_world import SECRET
from tests.support.worlds.webhook_bodies import event_alert, issue, metric


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


def signed(raw: bytes, at: str | None = None, secret: str = SECRET) -> dict[str, str]:
    at = at or str(int(time.time()))
    digest = hmac.new(
        secret.encode(), b"v0:" + at.encode() + b":" + raw, hashlib.sha256
    ).hexdigest()
    return {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={digest}"}


FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-slack-signature": "v0=abc", "x-slack-request-timestamp": str(int(time.time()))},
        {"x-slack-signature": "v0=abc", "x-slack-request-timestamp": "yesterday"},
        signed(b"command=other"),
        signed(b"command=/incident&text=forged-words", str(int(time.time()) - 600)),
        signed(b"command=/incident&text=forged-words", secret="wrong"),
    ],
)
async def test_a_wrong_signature_is_401_and_nothing_of_it_is_logged(
    home: House, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    body = b"command=/incident&text=forged-words"
    answer = await home.http.post(
        f"{home.url}/slack/events", content=body, headers={**FORM, **headers}
    )
    assert answer.status_code == 401
    assert "forged-words" not in caplog.text
    assert await home.count() == 0


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (JSON, b"{"),
        (JSON, b"[1]"),
        (JSON, b"\xff\xfe"),
        (JSON, b"[" * 100_000),
        (FORM, b"payload={"),
        (FORM, b"payload=[]"),
        (FORM, b"text=x"),
        (FORM, b""),
        ({}, b"nothing"),
    ],
)
async def test_a_malformed_body_is_400(home: House, kind: dict[str, str], raw: bytes) -> None:
    answer = await home.http.post(
        f"{home.url}/slack/events", content=raw, headers={**kind, **signed(raw)}
    )
    # The SDK hashes text: bytes that are none cannot have been signed by it.
    assert answer.status_code == (401 if b"\xff" in raw else 400)


async def test_a_large_body_is_413_with_and_without_its_length(home: House) -> None:
    raw = b"x" * (1024 * 1024 + 1)

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 512 * 1024

    for content in (raw, in_pieces()):
        answer = await home.http.post(f"{home.url}/slack/events", content=content, headers=FORM)
        assert answer.status_code == 413


async def test_the_url_is_verified_and_unknown_events_are_taken(home: House) -> None:
    raw = json.dumps({"type": "url_verification", "challenge": "c-1"}).encode()
    answer = await home.http.post(
        f"{home.url}/slack/events", content=raw, headers={**JSON, **signed(raw)}
    )
    assert answer.json() == {"challenge": "c-1"}
    raw = json.dumps(
        {"type": "event_callback", "event": {"type": "tokens_revoked"}, "team_id": "T1"}
    ).encode()
    answer = await home.http.post(
        f"{home.url}/slack/events", content=raw, headers={**JSON, **signed(raw)}
    )
    assert answer.status_code == 200


async def test_a_replayed_command_counts_once(home: House) -> None:
    raw = (
        b"command=%2Fincident&text=shop+is+down&user_id=U0ALICE&team_id=T0FIREBREAK&channel_"
        b"id=C1&trigger_id=1.2.3"
    )
    for _ in range(2):
        answer = await home.http.post(
            f"{home.url}/slack/events", content=raw, headers={**FORM, **signed(raw)}
        )
        assert answer.status_code == 200
    assert await home.count() <= 1


# --- Sentry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "body", "source"),
    [
        ("event_alert", event_alert(), "Sentry alert “Very important rule”"),
        ("issue", issue(), "Sentry SHOP-41"),
        ("issue", issue(shortId=None, level=None, permalink=None), "Sentry issue 41"),
        ("metric_alert", metric(), "Sentry metric alert"),
        (
            "error",
            {
                **event_alert(),
                "action": "created",
                "data": {"error": event_alert()["data"]["event"]},
            },
            "Sentry error",
        ),
    ],
)
async def test_an_alert_opens_an_incident_by_itself(
    home: House, resource: str, body: dict[str, Any], source: str
) -> None:
    answer = await home.sentry(resource, body)
    assert answer.json() == {"incident": "INC-0001"}
    incident = await home.newest()
    assert (incident.service, incident.source.kind, incident.source.text) == (
        "shop",
        "sentry",
        source,
    )
    assert incident.lead is None
    if resource != "metric_alert":
        assert incident.seeds == ("41",)


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("installation", {"action": "created", "data": {"installation": {}}}),
        ("issue", issue("resolved")),
        ("issue", issue("assigned")),
        ("issue", issue(level="warning")),
        ("issue", issue(project={"slug": "unknown"})),
        ("metric_alert", metric("resolved")),
        ("metric_alert", metric(alert_rule={"projects": [], "environment": "staging"})),
        ("event_alert", event_alert(environment="staging")),
        ("event_alert", event_alert(project="elsewhere")),
        (
            "event_alert",
            event_alert(tags=[{"key": "environment", "value": "staging"}, None, ["x"]]),
        ),
        # Seer at work is no incident:
        # https://docs.sentry.io/integrations/integration-platform/webhooks/activity-alerts/
        ("activity_alert", {**issue("triggered"), "installation": {"uuid": "717a85e5"}}),
    ],
)
async def test_what_does_not_count_is_taken_and_changes_nothing(
    home: House, resource: str, body: dict[str, Any]
) -> None:
    answer = await home.sentry(resource, body)
    assert answer.status_code == 200
    assert await home.count() == 0


async def test_an_alarm_of_a_project_that_nobody_has_is_in_the_log(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await home.sentry("issue", issue(project={"slug": "renamed-shop"}))
    assert "renamed-shop" in caplog.text


async def test_an_event_without_environment_counts(home: House) -> None:
    await home.sentry("event_alert", event_alert(environment=None))
    assert await home.count() == 1


@pytest.mark.parametrize(
    ("environments", "opened"),
    [
        (("staging",), 0),
        (("production",), 1),
        ((None,), 1),  # counts as the first of those that count
        (("production", "staging", "staging"), 1),
        ((), 1),  # Sentry knows no event of it yet: an alarm is not kept back for that
    ],
)
async def test_an_issue_of_an_environment_that_does_not_count_is_nothing_to_us(
    store: Store, environments: tuple[str | None, ...], opened: int
) -> None:
    """Sentry's issue webhook does not say where it burns; its events do (rules: The picture)."""
    async with world() as w, house(store, tracker=w.client) as home:
        other = w.local.load("Other: b", at=ago(90), function="g", environment="production")
        for number, environment in enumerate(environments):
            w.local.load("Oops: a", at=ago(5 - number), function="f", environment=environment)
        answer = await home.sentry("issue", issue(id=str(other[0].issue_id + 1)))
        assert answer.status_code == 200
        assert await home.count() == opened
        assert (answer.json()["incident"] is not None) == bool(opened)


async def test_a_sentry_that_cannot_say_where_keeps_no_alarm_back(store: Store) -> None:
    async with world() as w, house(store, tracker=w.client) as home:
        staged = w.local.load("Oops: a", at=ago(5), function="f", environment="staging")
        w.faults.always("sentry.*", Fault(status=503))
        await home.sentry("issue", issue(id=str(staged[0].issue_id)))
        await home.idle()
        assert await home.count() == 1


async def test_one_storm_is_one_incident(home: House) -> None:
    for number in range(30):
        answer = await home.sentry(
            "event_alert", event_alert(str(40 + number % 5), title=f"error {number}")
        )
        assert answer.json() == {"incident": "INC-0001"}
    assert await home.count() == 1
    incident = await home.newest()
    assert set(incident.seeds) == {"40", "41", "42", "43", "44"}
    assert (
        len([e for e in await home.dispatcher.timeline(incident.id) if e.kind == "evidence"]) == 4
    )


async def test_an_alert_of_a_declared_incident_is_its_evidence(home: House) -> None:
    await home.slack.alice.command("/incident the shop is down")
    await home.sentry("issue", issue())
    assert await home.count() == 1
    assert (await home.newest()).seeds == ("41",)


async def test_the_same_issue_after_recovery_is_recorded_and_looked_at_and_a_late_event_is_nothing(
    home: House,
) -> None:
    incident, message = await home.decision()
    await home.sentry("event_alert", event_alert("41"))
    await home.slack.alice.click(message, "decision.fixed")
    await home.slack.alice.submit(
        await home.slack.alice.open_modal("incident.fixed"), {"sentence": "flag off"}
    )
    look = Look(number=1, at=datetime.now(UTC), verdict=LookVerdict.RECOVERED)
    await home.dispatch(Looked(round=1, look=look), incident.id)
    late = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    await home.sentry("event_alert", event_alert("41", datetime=late, title="late"))
    assert (await home.newest()).status is Status.MITIGATED
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await home.sentry("event_alert", event_alert("41", datetime=soon, title="again"))
    incident = await home.newest()
    assert (incident.status, len(incident.rounds)) == (Status.MITIGATED, 1), (
        "an alarm opens nothing by itself"
    )
    assert incident.alarm is not None
    noted = [e.text for e in await home.dispatcher.timeline(incident.id) if e.kind == "evidence"]
    assert "after recovery, looked at: Sentry alert" in noted[-1]


async def test_sentry_bad_input(home: House, caplog: pytest.LogCaptureFixture) -> None:
    answer = await home.sentry("issue", issue(), secret="wrong")
    assert answer.status_code == 401
    answer = await home.sentry("issue", {"action": "created", "data": {"issue": "forged-words"}})
    assert answer.status_code == 400
    raw = b"x" * (1024 * 1024 + 1)
    answer = await home.http.post(f"{home.url}/webhooks/sentry", content=raw)
    assert answer.status_code == 413
    assert "forged-words" not in caplog.text
    assert await home.count() == 0


def test_starting_says_nothing_of_the_token_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bolt reads `SLACK_BOT_TOKEN` and warns that it is unused.

    An operator can do nothing about that.
    """

    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-of-the-environment")
    with caplog.at_level(logging.INFO):
        build_app(AsyncWebClient(token="xoxb-1"), ME)
    assert not caplog.records
