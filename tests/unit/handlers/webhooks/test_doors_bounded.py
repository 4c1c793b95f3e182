"""An open port withstands every crowd.

Bodies never end or grow, signatures are old, and many ask for the readiness page.

Each is refused with one line in the log, in bounded time and memory, and nothing is changed.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from bot import health
from bot.store.incident_store import Store
from tests.support.worlds.handlers_world import (
    CI_SECRET,
    GITHUB_HOOK_SECRET,
    HOOK_SECRET,
    LINEAR_SECRET,
    House,
    house,
)
from tests.support.worlds.local_http import serving
from tests.support.worlds.slack_world import SECRET

PATHS = ("/slack/events", "/webhooks/sentry", "/webhooks/deploys", "/webhooks/github")


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if " refused with " in r.getMessage()]


async def slowly(url: str, path: str, head: str, drops: bytes) -> bytes:
    """Send the head and then a drop now and then.

    Return the answer once the other side no longer listens.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n".encode())

    async def drip() -> None:
        while True:
            writer.write(drops)
            await writer.drain()
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        return await asyncio.wait_for(reader.readline(), 20)
    finally:
        dripping.cancel()
        writer.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("head", "drops"),
    [("Content-Length: 1000000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")],
    ids=["length told", "chunked"],
)
async def test_a_body_that_never_ends_is_not_waited_for(
    home: House,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
    head: str,
    drops: bytes,
) -> None:
    monkeypatch.setattr("handlers.webhooks.signature.BODY_SECONDS", 0.2)
    assert b" 408 " in await slowly(home.url, path, head, drops)
    assert refusals(caplog) == [f"POST {path} refused with 408: the body did not come in time"]
    assert await home.count() == 0


async def test_a_packed_body_is_never_unpacked(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody who calls us compresses.

    Ten megabytes of nothing stay ten kilobytes, and are no JSON.
    """
    bomb = gzip.compress(b" " * 10_485_760)
    assert len(bomb) < 20_000
    at = str(int(time.time()))
    slack = hmac.new(
        SECRET.encode(), b"v0:" + at.encode() + b":" + bomb, hashlib.sha256
    ).hexdigest()
    ours = hmac.new(CI_SECRET.encode(), bomb, hashlib.sha256).hexdigest()
    theirs = hmac.new(HOOK_SECRET.encode(), bomb, hashlib.sha256).hexdigest()
    for path, headers in (
        ("/slack/events", {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={slack}"}),
        ("/webhooks/deploys", {"X-Firebreak-Signature": f"sha256={ours}"}),
        ("/webhooks/sentry", {"Sentry-Hook-Resource": "issue", "Sentry-Hook-Signature": theirs}),
    ):
        packed = {**headers, "Content-Encoding": "gzip", "Content-Type": "application/json"}
        answer = await home.http.post(f"{home.url}{path}", content=bomb, headers=packed)
        assert answer.status_code in (400, 401), "Slack's own check reads text only"
        assert len(refusals(caplog)) == 1
        caplog.clear()
    assert await home.count() == 0


# From the future with room for a slow machine: it grows younger on its way.
@pytest.mark.parametrize("age", [301, -330, 86_400])
async def test_a_signed_request_of_another_time_is_refused(
    home: House, caplog: pytest.LogCaptureFixture, age: int
) -> None:
    """Five minutes either way are allowed.

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    raw = (
        "command=%2Fincident&text=declare+the+shop+is+down&user_id=U0ALICE&team_id=T0FIREBREAK&"
        "trigger_id=1.2.3"
    )
    headers = home.slack.delivery.signature(raw, at=int(time.time()) - age)
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    answer = await home.http.post(f"{home.url}/slack/events", content=raw, headers=form)
    assert answer.status_code == 401
    assert len(refusals(caplog)) == 1
    assert await home.count() == 0
    now = {**form, **home.slack.delivery.signature(raw)}
    assert (
        await home.http.post(f"{home.url}/slack/events", content=raw, headers=now)
    ).status_code == 200
    assert await home.count() == 1, "the same words, signed now"


async def test_another_systems_secret_opens_no_door(home: House) -> None:
    secrets = (
        SECRET,
        HOOK_SECRET,
        CI_SECRET,
        GITHUB_HOOK_SECRET,
        LINEAR_SECRET.get_secret_value(),
        "",
    )
    doors = {
        "/webhooks/sentry": ("Sentry-Hook-Signature", "", HOOK_SECRET),
        "/webhooks/deploys": ("X-Firebreak-Signature", "sha256=", CI_SECRET),
        "/webhooks/github": ("X-Hub-Signature-256", "sha256=", GITHUB_HOOK_SECRET),
    }
    raw = json.dumps({"action": "created", "data": {}}).encode()
    for path, (header, prefix, right) in doors.items():
        for secret in secrets:
            if secret == right:
                continue
            digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
            answer = await home.http.post(
                f"{home.url}{path}", content=raw, headers={header: f"{prefix}{digest}"}
            )
            assert answer.status_code == 401, (path, secret)


async def test_a_crowd_that_asks_whether_we_are_ready_costs_one_write(store: Store) -> None:
    routes = health.routes(store, dict, {})
    async with (
        serving(Starlette(routes=routes)) as url,
        httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http,
    ):
        before = (
            (await store.redis.info("commandstats"))["cmdstat_set"]["calls"]
            if await touched(store)
            else 0
        )
        answers = await asyncio.gather(*(http.get(f"{url}/readyz") for _ in range(30)))
        after = (await store.redis.info("commandstats"))["cmdstat_set"]["calls"]
    assert {a.status_code for a in answers} == {200}
    assert after - before <= 2


async def touched(store: Store) -> bool:
    await store.redis.set("{fb}:x", "1")
    return True
