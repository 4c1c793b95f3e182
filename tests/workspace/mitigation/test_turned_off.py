"""A flag breaks production, and is turned off: by the catalogue's command, or by hand.

Also what goes wrong on the way: the command hangs, the bot is killed, Sentry has no flag log.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.credentials import CHANGE_SECRET
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    PAGES,
    PEOPLE,
    SHOP,
    declared,
    eventually,
    messages_with,
    running,
    status,
    town,
)

TURN_OFF = 'turn_off = ["sh", "flag.sh", "off", "{change}"]\n'
WITH_FLAGS = SHOP.replace("\n[services.shop.deploy]", f"{TURN_OFF}\n[services.shop.deploy]")
FLAG_SH = """\
echo "$1 $2" >> turned
while test -e hold; do sleep 0.05; done
echo "$2 is $1"
"""


def _with_script(world: World) -> World:
    (world.folder / "flag.sh").write_text(FLAG_SH)
    return world


@pytest.fixture
async def flagged(tmp_path: Path) -> AsyncIterator[World]:
    async with running(_with_script(town(tmp_path, services=WITH_FLAGS))) as started:
        yield started


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[World]:
    """A command may take two seconds."""
    services = WITH_FLAGS + "limit_seconds = 2\n"
    async with running(_with_script(town(tmp_path, services=services))) as started:
        yield started


@pytest.fixture
async def by_hand(tmp_path: Path) -> AsyncIterator[World]:
    """The catalogue has no `turn_off`."""
    async with running(town(tmp_path)) as started:
        yield started


def burn_behind_a_flag(world: World, *, known: bool = True) -> None:
    """The flag was changed 20 s ago, after the deploy; whoever has it fails since then."""
    now = time.time()
    if known:
        world.sentry.add_flag_change("new-pricing", at=now - 20, by="mara@shop.example")
    for page in PAGES:
        world.sentry.load(
            "KeyError: 'price_list'",
            at=now - 17.5,
            every=0.1,
            times=175,
            users=PEOPLE,
            transaction=page,
            release="shop@1.3.0",
            flags={"new-pricing": True},
        )


def turned(world: World) -> list[str]:
    """Return the runs of the flag script."""
    log = world.folder / "turned"
    return log.read_text().splitlines() if log.exists() else []


async def tell(world: World, at: datetime, **fields: Any) -> httpx.Response:
    """`POST /webhooks/changes`, signed."""
    change = {"service": "shop", "kind": "flag", "name": "new-pricing", "at": at.isoformat()}
    raw = json.dumps({**change, **fields}).encode()
    signature = hmac.new(CHANGE_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        return await http.post(
            f"{world.bot_url}/webhooks/changes",
            content=raw,
            headers={"X-Firebreak-Signature": f"sha256={signature}"},
        )


async def test_a_flag_is_turned_off_by_one_click_and_users_are_fine(flagged: World):
    world, alice = flagged, flagged.alice
    burn_behind_a_flag(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: turn off flag new-pricing", channel)
    words = plain(decision)
    assert "Turn off flag new-pricing (recommended)" in words
    assert "after flag new-pricing was changed" in words
    assert "100 % of the events have it on" in words
    assert turned(world) == [], "nothing without a click"
    await alice.click(decision, "decision.turn_off")
    done = plain(await alice.sees_change(decision, "done in"))
    assert "Turn off flag new-pricing" in done
    assert turned(world) == ["off new-pricing"]
    await alice.sees("*Recovered.*", channel)
    await eventually(world, lambda: "Users are fine" in status(channel), "the status says so")


async def test_a_restart_in_the_middle_runs_the_command_once(flagged: World):
    world, alice = flagged, flagged.alice
    burn_behind_a_flag(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: turn off flag new-pricing", channel)
    (world.folder / "hold").touch()
    await alice.click(decision, "decision.turn_off")
    await eventually(world, lambda: turned(world), "the command runs")
    world.kill_bot()
    (world.folder / "hold").unlink()
    await world.bot.until_running()
    await alice.sees_change(decision, "done in")
    assert turned(world) == ["off new-pricing"], "started once"


async def test_a_command_that_hangs_is_stopped_said_and_decided_again(impatient: World):
    world, alice = impatient, impatient.alice
    burn_behind_a_flag(world)
    (world.folder / "hold").touch()
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: turn off flag new-pricing", channel)
    await alice.click(decision, "decision.turn_off")
    hung = plain(await alice.sees_change(decision, "hung past its limit"))
    assert "was stopped" in hung
    again = plain(await alice.sees("Decision 2", channel))
    assert "turning off flag new-pricing failed" in again.lower()
    (world.folder / "hold").unlink()
    assert turned(world) == ["off new-pricing"], "never started a second time by itself"


async def test_without_a_command_it_is_done_by_hand_with_its_link(by_hand: World):
    world, alice = by_hand, by_hand.alice
    at = datetime.now(UTC) - timedelta(seconds=20)
    link = "https://flags.shop.example/new-pricing"
    answer = await tell(world, at, **{"from": False, "to": True, "by": "mara", "url": link})
    assert answer.json() == {"recorded": True, "incident": None}
    burn_behind_a_flag(world, known=False)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: turn off flag new-pricing", channel)
    assert "after flag new-pricing was turned on" in plain(decision)
    assert link in json.dumps(decision)
    assert "decision.turn_off" not in json.dumps(decision)
    await alice.click(decision, "decision.fixed")
    form = await alice.open_modal("incident.fixed")
    assert "Turned off flag new-pricing" in json.dumps(form), "prefilled"
    await alice.submit(form, {"sentence": "Turned off flag new-pricing"})
    await alice.sees("*Recovered.*", channel)


async def test_a_webhook_in_the_future_and_a_sentry_without_flag_log_cost_one_line(flagged: World):
    world, alice = flagged, flagged.alice
    world.sentry.has_flag_log = False
    refused = await tell(world, datetime.now(UTC) + timedelta(hours=2), to="on")
    assert refused.status_code == 400
    assert "in the future" in refused.json()["error"]
    burn_behind_a_flag(world, known=False)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    assert "Flag changes are not known (Sentry answers 404: it has no flag log)" in plain(decision)

    # The sender's clock is mended: the decision follows while nobody has acted.
    answer = await tell(world, datetime.now(UTC) - timedelta(seconds=25), to="on")
    assert answer.json() == {"recorded": True, "incident": "INC-0001"}
    await alice.sees_change(decision, "Recommended: turn off flag new-pricing")
    assert messages_with(alice, channel, "Flag new-pricing was turned on")
