"""Alarms of other systems, and scripts that declare: from the alarm to the opened incident."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sandbox.alarms_of_others import SENDERS, Ringing, script
from sandbox.credentials import ALERT_SECRET, API_TOKEN
from sandbox.slack.channels import Channel
from sandbox.slack.people import Person, plain
from sandbox.world import World
from tests.support.bots.stage import burn, ephemeral_with, eventually, incidents, opened, status

CANARY = "canary-5e2d"
"""Stands in every refused body, and nowhere in the log."""


async def post(
    world: World, path: str, body: Any, token: str, *, raw: bytes | None = None
) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        content = json.dumps(body).encode() if raw is None else raw
        headers = {"Authorization": f"Bearer {token}"}
        return await http.post(f"{world.bot_url}{path}", content=content, headers=headers)


async def timeline(person: Person, channel: Channel) -> str:
    last = max((m["ts"] for m in person.ephemerals()), default="")
    await person.command("/incident timeline", channel)
    return plain(await ephemeral_with(person, "React with :pushpin:", after=last))


async def test_each_system_opens_an_incident_and_its_end_is_evidence_never_recovery(small: World):
    world, alice = small, small.alice
    titles = {
        "alertmanager": "More than 5 % of the shop's requests fail",
        "grafana": "The till takes more than 3 s",
        "datadog": "Errors of the shop",
        "pagerduty": "The shop's synthetic check fails",
        "script": "Orders fail",
    }
    for number, sender in enumerate(SENDERS, 1):
        burn(world)
        assert await world.alarms_of_others.ring(sender.key) == 200
        channel = await alice.channel(f"inc-{number:04d}-")
        decision = await alice.sees("Decision 1", channel)
        assert "30 users" in plain(decision), "Sentry stays the measure"
        assert "Recommended: roll back" in plain(decision)
        # It rings on: nothing new. Its end is evidence; users may still be hit.
        assert await world.alarms_of_others.ring(sender.key) == 200
        assert await world.alarms_of_others.ring_off(sender.key) == 200
        lines = await timeline(alice, channel)
        assert lines.count(f"resolved there: {titles[sender.key]}. Users may still be hit") == 1
        await eventually(world, lambda c=channel: c.pins, "its status")
        assert titles[sender.key] in status(channel)
        assert "Recovered" not in status(channel)
        await alice.command("/incident resolve", channel)
        await ephemeral_with(alice, "recovery: nothing was done that was checked")
        await alice.command("/incident cancel false alarm", channel)
        await alice.sees("was cancelled", channel)
    assert len(incidents(world)) == len(SENDERS)


async def test_a_storm_of_all_of_them_is_one_incident(small: World):
    world, alice = small, small.alice
    burn(world)
    lever = world.page.panel.act
    for sender in SENDERS:
        assert await lever(f"alarm:{sender.key}", True) is None
    assert world.page.panel.panel().ringing == {sender.key for sender in SENDERS}
    channel = await opened(alice)
    for sender in SENDERS:
        assert await world.alarms_of_others.ring(sender.key) == 200
    lines = await timeline(alice, channel)
    for words in ("The till takes more than 3 s", "Errors of the shop", "synthetic check fails"):
        assert lines.count(words) == 1, words
    assert len(incidents(world)) == 1
    for sender in SENDERS:
        assert await lever(f"alarm:{sender.key}", False) is None
    assert not world.page.panel.panel().ringing
    assert (await timeline(alice, channel)).count("resolved there") == len(SENDERS)


async def test_one_key_is_one_incident_through_both_doors(small: World):
    world, alice = small, small.alice
    burn(world)
    alarm = script(Ringing(world.sentry.clock()))
    body = {"title": "Orders fail", "service": "shop", "severity": "SEV2", "key": alarm["key"]}
    first = await post(world, "/api/incidents", body, API_TOKEN)
    assert first.status_code == 201, first.text
    assert first.json()["id"] == "INC-0001"
    channel = await opened(alice)
    assert first.json()["channel"]["id"] == channel.id

    again = await post(world, "/api/incidents", body, API_TOKEN)
    assert (again.status_code, again.json()["id"]) == (200, "INC-0001")
    heard = await post(world, "/webhooks/alerts", alarm, ALERT_SECRET)
    assert heard.json() == {"incident": "INC-0001", "incidents": ["INC-0001"]}

    # It is over; a script that tries again still gets it, an alarm that fires anew a new one.
    await alice.command("/incident cancel false alarm", channel)
    await alice.sees("was cancelled", channel)
    again = await post(world, "/api/incidents", body, API_TOKEN)
    assert (again.status_code, again.json()["id"]) == (200, "INC-0001")
    fires_anew = {**alarm, "at": datetime.now(UTC).isoformat()}
    heard = await post(world, "/webhooks/alerts", fires_anew, ALERT_SECRET)
    assert heard.json()["incident"] == "INC-0002"


async def test_what_cannot_be_taken_is_refused_with_words_and_leaves_nothing(small: World):
    world = small
    next_year = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    plain_one = {"service": "shop", "title": CANARY, "status": "firing"}
    for path, body, token, status_code, says in (
        ("/webhooks/alerts", {"hello": CANARY}, ALERT_SECRET, 400, "Alertmanager, Grafana"),
        ("/webhooks/alerts", plain_one, "wrong", 401, "signature does not fit"),
        ("/webhooks/alerts", {**plain_one, "at": next_year}, ALERT_SECRET, 400, "of the future"),
        ("/webhooks/alerts", {**plain_one, "x": "y" * 10**7}, ALERT_SECRET, 413, "8 MiB"),
        ("/api/incidents", {"title": CANARY}, "wrong", 401, "token does not fit"),
        ("/api/incidents", {"title": CANARY, "x": "y" * 10**7}, API_TOKEN, 413, "1 MiB"),
        ("/api/incidents", {"titel": CANARY, "severity": 9}, API_TOKEN, 422, "severity"),
    ):
        answer = await post(world, path, body, token)
        assert answer.status_code == status_code, (path, status_code, answer.text)
        assert says in answer.text
        assert CANARY not in answer.text
    assert incidents(world) == []
    log = (world.folder / "bot.log").read_text()
    assert "refused with 401" in log
    assert CANARY not in log
