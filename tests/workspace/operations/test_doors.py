"""The outer doors: forged, malformed and oversized requests, wrong settings, and Socket Mode."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx

from sandbox.credentials import LINEAR_SECRET, SENTRY_SECRET
from sandbox.sentry.alerts import sign
from sandbox.slack.api import APP_TOKEN
from sandbox.slack.people import plain
from sandbox.slack.to_app.socket_mode import SocketMode
from sandbox.world import World
from tests.support.bots.serving import serve
from tests.support.bots.stage import (
    PATIENCE_SECONDS,
    asked,
    burn,
    declared,
    ephemeral_with,
    incidents,
    opened,
    runs,
    town,
)

CANARY = "canary-7c1f"
"""Stands in every refused body, and nowhere in the log."""
LIMIT = 1024 * 1024


async def test_what_is_forged_malformed_or_too_large_is_refused_and_not_logged(small: World):
    world, alice = small, small.alice
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    command = urlencode(
        {
            "command": "/incident",
            "text": f"checkout {CANARY}",
            "user_id": alice.id,
            "trigger_id": "1.2",
        }
    )
    event = json.dumps(
        {"type": "event_callback", "event": {"type": "message", "text": f"prod is down {CANARY}"}}
    )
    broken = f"{{{CANARY}"
    large = command + "&x=" + CANARY * (LIMIT // len(CANARY) + 1)
    signed = world.delivery.signature
    old = int(world.workspace.now()) - 600
    requests = {
        "no signature": (401, command, form),
        "somebody else's signature": (
            401,
            command,
            {**form, **signed(command), "X-Slack-Signature": "v0=" + "0" * 64},
        ),
        "signed for another body": (401, command, {**form, **signed("x=1")}),
        "signed long ago": (401, command, {**form, **signed(command, at=old)}),
        "a time that is none": (
            401,
            command,
            {**form, **signed(command), "X-Slack-Request-Timestamp": CANARY},
        ),
        "an event without signature": (401, event, {"Content-Type": "application/json"}),
        "no JSON": (400, broken, {"Content-Type": "application/json", **signed(broken)}),
        "no payload": (400, f"payload={CANARY}", {**form, **signed(f"payload={CANARY}")}),
        "neither command nor payload": (400, f"a={CANARY}", {**form, **signed(f"a={CANARY}")}),
        "too large": (413, large, {**form, **signed(large)}),
        "too large, unsigned": (413, large, form),
    }
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        for what, (status, body, headers) in requests.items():
            answer = await http.post(f"{world.bot_url}/slack/events", content=body, headers=headers)
            assert answer.status_code == status, what
        hook = f"{world.bot_url}/webhooks/sentry"
        headers = {"Content-Type": "application/json", "Sentry-Hook-Resource": "issue"}
        assert (await http.post(hook, content=event, headers=headers)).status_code == 401
        headers["Sentry-Hook-Signature"] = sign(broken.encode(), SENTRY_SECRET)
        assert (await http.post(hook, content=broken, headers=headers)).status_code == 400
        assert (await http.post(hook, content=large, headers=headers)).status_code == 413
        for what, (status, body, headers) in linear_requests(large).items():
            answer = await http.post(
                f"{world.bot_url}/webhooks/linear", content=body, headers=headers
            )
            assert answer.status_code == status, what
    await alice.command("/incident list")
    await ephemeral_with(alice, "No incident is open")
    assert incidents(world) == [], "nothing was recorded"

    # Nor is anything logged of what people write, of who was hit, or of tokens.
    someone = f"{CANARY}@example.com"
    world.sentry.load(
        f"ValueError: {CANARY}", times=60, every=0.2, users=[someone], release="shop@1.3.0"
    )
    channel = await declared(alice, f"checkout {CANARY}")
    await alice.command(f"/incident update {CANARY} is better", channel)
    await alice.sees("is better", channel)
    log = (world.folder / "bot.log").read_text()
    assert "refused with 401" in log
    for secret in (
        CANARY,
        "example.com",
        "xoxb-",
        "sntryi_",
        "lin_api",
        world.pagerduty.routing_key,
    ):
        assert secret not in log, secret


def linear_requests(large: str) -> dict[str, tuple[int, str, dict[str, str]]]:
    """Signed requests of Linear.

    They have a signature over the raw body, a delivery id, and a time within a minute.
    https://linear.app/developers/webhooks
    """

    def body(**changes: object) -> str:
        data = {"id": CANARY, "priority": 1, "state": {"name": "Done", "type": "completed"}}
        now = round(time.time() * 1000)
        payload = {
            "type": "Issue",
            "action": "update",
            "webhookTimestamp": now,
            "data": data,
            "updatedFrom": {},
        }
        return json.dumps(payload | changes)

    def signed(text: str, secret: str = LINEAR_SECRET) -> dict[str, str]:
        mark = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "Linear-Delivery": CANARY,
            "Linear-Signature": mark,
        }

    good, broken, listed = body(), f"{{{CANARY}", json.dumps([CANARY])
    old = body(webhookTimestamp=round(time.time() * 1000) - 61_000)
    odd = body(updatedFrom={"priority": 2}, data={"id": CANARY})
    unnamed = {name: mark for name, mark in signed(good).items() if name != "Linear-Delivery"}
    return {
        "no signature": (
            401,
            good,
            {"Content-Type": "application/json", "Linear-Delivery": CANARY},
        ),
        "somebody else's secret": (401, good, signed(good, "another")),
        "signed for another body": (401, good, signed(old)),
        "no delivery": (400, good, unnamed),
        "a minute old": (400, old, signed(old)),
        "no JSON": (400, broken, signed(broken)),
        "no object": (400, listed, signed(listed)),
        "an issue without a state": (400, odd, signed(odd)),
        "too large": (413, large, signed(large)),
        "somebody else's issue": (200, good, signed(good)),
    }


async def test_an_idle_connection_of_a_balancer_is_not_closed_under_its_next_request(small: World):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(small.bot.env["PORT"]))
    try:
        for idle in (6, 0):  # seconds: uvicorn would close after 5
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            length = next(
                line for line in head.splitlines() if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(int(length.split(b":")[1]))
            await asyncio.sleep(idle)
    finally:
        writer.close()


async def test_wrong_settings_every_fault_at_once(tmp_path: Path):
    services = tmp_path / "services.toml"
    services.write_text('[services.shop]\nownerz = "@x"\n[services.till]\ndeployer = "magic"\n')
    code, output = await serve(
        {"PORT": "a lot", "RECHECK_AFTER_SECONDS": "-3", "REDIS_URL": "ftp://x"}, tmp_path
    )
    assert code == 2
    settings = (
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "PORT",
        "RECHECK_AFTER_SECONDS",
        "REDIS_URL",
    )
    for name in (*settings, "ownerz", "service till: deployer"):
        assert name in output, name
    assert "Traceback" not in output

    services.write_text(
        '[services.shop]\nsentry = ["a"]\n[services.till]\nsentry = ["a"]\naliases = ["shop"]\n'
    )
    good = {
        "SLACK_BOT_TOKEN": "xoxb-secret-1",
        "SLACK_SIGNING_SECRET": "s",
        "DATA_DIR": str(tmp_path / "data"),
    }
    code, output = await serve(good, tmp_path)
    assert code == 2
    assert len(output.strip().splitlines()) == 3, (
        "a project in two services, a name for two services"
    )
    assert "xoxb-secret-1" not in output


async def test_over_socket_mode(tmp_path: Path):
    async with SocketMode() as socket:
        env = {"SLACK_APP_TOKEN": APP_TOKEN}
        world = town(tmp_path, env=env)
        world.delivery.socket = socket
        async with world:
            alice = world.alice
            async with asyncio.timeout(PATIENCE_SECONDS):
                await socket.arrived.wait()
            burn(world)
            alice.say("general", "prod is down")
            offer = await alice.sees("Is production on fire?", "general")
            await alice.click(offer, "incident.declare")
            form = await alice.open_modal("incident.declare")
            await alice.submit(form, {"title": "checkout is failing"})
            channel = await opened(alice)
            decision = await alice.sees("Recommended: roll back", channel)

            # Slack asks to connect anew every few hours; nothing is lost over it.
            await socket.refresh()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await socket.arrived.wait()
            await alice.click(decision, "decision.rollback")
            await alice.sees_change(decision, "Read back from the deployer")
            assert runs(world) == "v1.2.0"
            assert asked(world) == ["v1.2.0"]
            await alice.command("/incident list")
            assert "1 incident open" in plain(await ephemeral_with(alice, "incident open"))
