"""`POST /webhooks/changes`: who may say it, what is refused, and that nothing is lost."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.store.changes import Changes
from bot.store.incident_store import Store
from phases.messages.effects import Triage
from tests.support.worlds.handlers_world import CI_SECRET, House, house


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


def change_body(*, minutes: float = 1, **fields: Any) -> dict[str, Any]:
    at = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    return {"service": "shop", "kind": "flag", "name": "new-pricing", "at": at, **fields}


async def post(
    home: House, body: Any, *, secret: str = CI_SECRET, raw: bytes | None = None
) -> httpx.Response:
    raw = json.dumps(body).encode() if raw is None else raw
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"X-Firebreak-Signature": signature}
    return await home.http.post(f"{home.url}/webhooks/changes", content=raw, headers=headers)


async def test_a_wrong_signature_is_401_and_nothing_of_it_is_logged(
    home: House, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert (await post(home, change_body(name="forged"), secret="wrong")).status_code == 401
    assert "forged" not in caplog.text
    assert not await Changes(store).known("shop")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "cannot be read: at, kind, name, service"),
        ([], "cannot be read"),
        (change_body(kind="database"), "`kind` must be flag, config or infrastructure"),
        (change_body(service="nobody"), "no such service"),
        (change_body(name=""), "name"),
        (change_body(name="\u200f"), "`name` has no letter that is seen"),
        (change_body(at="yesterday"), "at"),
        (change_body(at="2026-01-01T00:00:00"), "at"),
        (change_body(minutes=-60), "`at` is in the future"),
        (change_body(minutes=25 * 60), "more than a day ago"),
    ],
)
async def test_what_cannot_be_read_is_400_and_says_why(
    home: House, store: Store, body: Any, says: str
) -> None:
    answer = await post(home, body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert not await Changes(store).known("shop")


async def test_no_json_is_400_and_too_large_is_413(home: House) -> None:
    assert (await post(home, None, raw=b"\xff{")).status_code == 400
    assert (await post(home, None, raw=b"x" * (1024 * 1024 + 1))).status_code == 413


async def test_a_change_is_known_once_however_often_it_is_told(home: House, store: Store) -> None:
    body = change_body(
        **{"from": False, "to": True, "by": "ann@shop.example", "url": "https://f.x/1"}
    )
    for _ in range(2):
        answer = await post(home, body)
        assert (answer.status_code, answer.json()) == (200, {"recorded": True, "incident": None})
    [change] = await Changes(store).known("shop")
    assert (change.kind, change.name, change.old, change.new) == (
        "flag",
        "new-pricing",
        "false",
        "true",
    )
    assert (change.by, change.url, change.service) == ("ann", "https://f.x/1", "shop")
    assert await home.count() == 0


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x", "https://a b", 7, None])
async def test_an_odd_link_is_left_out_and_the_change_stands(
    home: House, store: Store, url: Any
) -> None:
    assert (
        await post(home, change_body(url=url, to=20, name=" <!channel> flag "))
    ).status_code == 200
    [change] = await Changes(store).known("shop")
    assert (change.url, change.new) == (None, "20")
    assert "<!channel>" not in change.name


async def test_a_flag_may_hold_an_object(home: House, store: Store) -> None:
    answer = await post(home, change_body(**{"from": {"limit": 20}, "to": ["käse", True]}))
    assert answer.status_code == 200
    [change] = await Changes(store).known("shop")
    assert (change.old, change.new) == ('{"limit": 20}', '["käse", true]')


async def test_a_clock_that_is_a_little_ahead_counts_as_now(home: House, store: Store) -> None:
    assert (await post(home, change_body(minutes=-4))).status_code == 200
    [change] = await Changes(store).known("shop")
    assert change.at <= datetime.now(UTC)


async def test_an_open_incident_says_it_once_and_measures_again(home: House, store: Store) -> None:
    incident, _ = await home.decision()
    body = change_body(to="on", by="ann")
    for _ in range(2):
        answer = await post(home, body)
        assert answer.json() == {"recorded": True, "incident": incident.id}
    entries = await home.dispatcher.timeline(incident.id)
    lines = [entry.text for entry in entries if entry.kind == "change"]
    assert len(lines) == 1
    assert lines[0].startswith("Flag new-pricing was turned on by ann, ")
    entries_of: Any = store.redis
    outbox = await entries_of.xrange(store.keys.outbox)
    asked = Triage.model_fields["type"].default
    assert sum(asked in str(entry) for entry in outbox) >= 2, "at the declaration, and again"
