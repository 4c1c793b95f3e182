"""Open incidents as real ones are in Redis, as many as wanted, and people's clicks in them."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from bot.store.incident_store import Loaded, Store
from handlers import views
from phases.messages.actions import UpdateDue
from phases.record.incident import Channel, Entry, Incident, MessageRef, Status
from phases.shared.change import Change, Timer
from sandbox.slack.channels import ALICE, APP, BOT_USER, TEAM
from sandbox.world import World
from tests.bench.rig import slack_request
from tests.support.values import incidents

SERVICES = 500
"""Over so many services the seeded incidents are spread."""
BUTTON = "incident.rule_out"
"""The click of these benches.

It records a person's word in the timeline, marks three live messages, and needs no answer.
"""
_numbers = itertools.count(1)


def open_one(number: int, channel: Channel, ts: str) -> Incident:
    """Decided about and looked into, nothing done yet: the record that people click on most."""
    at = incidents.T0
    return incidents.incident(
        id=f"INC-{number:04d}",
        number=number,
        ulid=f"01JD{number:022d}",
        title=f"checkout is failing for customers in eu-west, number {number}",
        service=f"service-{number % SERVICES}",
        status=Status.DECIDING,
        declared_by=ALICE,
        channel=channel,
        messages={
            name: MessageRef(channel=channel.id, ts=ts) for name in ("status", "decision:1", "tree")
        },
        pinned=True,
        tree_asked=True,
        discord_asked=True,
        invited=(ALICE,),
        rounds=(incidents.rollback(action=None, looks=(), verdict=None),),
        investigation=None,
        cause=None,
        ticket=None,
        ticket_off=True,
        postmortem=None,
        adr=None,
        recovered_at=None,
        triage=incidents.report(
            issues=(), issue_ids=tuple(str(7_000_000 + number * 4 + n) for n in range(4))
        ),
        detected_at=at,
        declared_at=at,
    )


async def fill(store: Store, world: World, count: int, *, first: int = 1) -> list[Incident]:
    """Store `count` incidents.

    All share the live messages of one real message in #general, and each has a timer.
    """
    general = world.workspace.channel("general")
    message = world.workspace.post(general, BOT_USER, "what the seeded incidents edit")
    seeded: list[Incident] = []
    now = await store.server_now()
    for number in range(first, first + count):
        incident = open_one(number, Channel(id=general.id, name=general.name), message["ts"])
        entries = tuple(
            Entry(at=now, kind="note", text=f"line {n} of {incident.id}") for n in range(5)
        )
        timers = (Timer(name="update", at=now + timedelta(hours=1), action=UpdateDue()),)
        await store.commit(
            uuid4().hex,
            Loaded(None, 0, now),
            Change(incident=incident, entries=entries, timers=timers),
        )
        seeded.append(incident)
    return seeded


def clicks(among: Sequence[Incident], count: int) -> list[bytes]:
    """Return `count` clicks in turn over these incidents.

    Each is its own delivery with the whole message, as Slack sends it.
    """
    return [_click(incident) for incident in itertools.islice(itertools.cycle(among), count)]


def _click(incident: Incident) -> bytes:
    shown = views.tree(incident, reverts=False).payload()
    ref = incident.messages["tree"]
    value = json.dumps({"incident": incident.id, "hypothesis": incident.hypotheses[0].id})
    now = time.time()
    payload: dict[str, Any] = {
        # https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
        "type": "block_actions",
        "user": {"id": ALICE, "username": "alice", "name": "alice", "team_id": TEAM},
        "api_app_id": APP,
        "token": "bench-verification-token",
        "container": {
            "type": "message",
            "message_ts": ref.ts,
            "channel_id": ref.channel,
            "is_ephemeral": False,
        },
        "trigger_id": f"{next(_numbers)}.{now:.6f}.bench",
        "team": {"id": TEAM, "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": ref.channel, "name": "general"},
        "message": {
            "type": "message",
            "user": BOT_USER,
            "ts": ref.ts,
            "app_id": APP,
            "team": TEAM,
            **shown,
        },
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/T0/1/bench",
        "actions": [
            {
                "type": "button",
                "action_id": BUTTON,
                "block_id": "judge",
                "text": {"type": "plain_text", "text": "Rule out", "emoji": True},
                "value": value,
                "action_ts": f"{now:.6f}",
            }
        ],
    }
    return slack_request(payload)
