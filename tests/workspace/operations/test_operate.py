"""The operator's view: /metrics, the log, and SIGTERM.

After SIGTERM the next process finishes open work, once.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bot.runtime.ending import STOP_SECONDS
from sandbox.faults import Fault
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    burn,
    declared,
    ephemeral_with,
    eventually,
    log_lines,
    messages_with,
)

PROMISED = 10.0
"""docs/operations.md: "SIGTERM ends it within 10 seconds"."""
HANGS = ("sentry.*", "linear.*", "discord.*", "slack.bookmarks.add", "slack.views.open")


def test_whatever_holds_it_is_cut_off_in_the_time_that_is_promised():
    assert STOP_SECONDS < PROMISED


async def test_a_hung_call_outside_does_not_hold_the_stop(sentry_hangs: World):
    world, alice = sentry_hangs, sentry_hangs.alice
    for call in HANGS:
        world.faults.always(call, Fault(delay=600))
    await alice.command("/incident checkout is failing")
    channel = await alice.channel("inc-0001-")
    await alice.sees("Decision 1", channel)
    await eventually(world, lambda: alice.id in channel.members, "she is in")
    await alice.command("/incident cause", channel)  # a form that Slack does not open
    process = world.bot.pid
    assert process is not None
    os.kill(process, signal.SIGTERM)
    await eventually(
        world,
        lambda: not Path(f"/proc/{process}").exists(),
        "the bot has ended",
    )
    log = [json.loads(line) for line in log_lines(world)]
    handed = [line["said"] for line in log if "handed back unfinished" in line["said"]]
    assert handed, "effects that hung were handed back"
    assert not [line for line in log if "not stopped within" in line["said"]], (
        "nothing had to be forced"
    )

    world.faults.clear()
    await world.bot.until_running()
    await eventually(
        world,
        lambda: len(world.linear.issues) == 1 and len(world.discord.posts) == 1,
        "what hung is done",
    )
    await eventually(
        world,
        lambda: alice.id in channel.members and channel.pins,
        "people are in, the status is pinned",
    )
    assert len(messages_with(alice, channel, "Decision 1")) == 1
    assert len(world.linear.issues) == 1
    assert [
        plain(m)
        for m in world.workspace.channel("incidents").messages
        if f"<#{channel.id}>" in plain(m)
    ]


async def test_metrics_and_log_tell_of_an_incident(small: World):
    """Metrics name acks, effects, queue age, late timers, API calls, 429s and open incidents.

    Effects are counted by kind and result, API calls by method and status.
    """
    world, alice = small, small.alice
    world.faults.next("slack.chat.postMessage", Fault(status=429, retry_after=1))
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await alice.sees("Recovered.", channel)
    await alice.click(decision, "decision.rollback")  # too late: she alone is told
    await ephemeral_with(alice, "Nothing more was done")

    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        text = (await http.get(f"{world.bot_url}/metrics")).text
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def metric(name: str, **labels: str) -> float:
        values = [
            value
            for given, value in samples[f"firebreak_{name}"]
            if labels.items() <= given.items()
        ]
        assert values, (name, labels, samples[f"firebreak_{name}"])
        return sum(values)

    assert metric("ack_seconds_count", path="/slack/events", status="200") >= 3
    assert metric("effects_total", result="done") > 5
    assert {"deploy.start", "triage", "say"} & {
        labels["kind"] for labels, _ in samples["firebreak_effects_total"]
    }
    assert metric("effects_oldest_seconds") < 60
    assert metric("timers_late") >= 0
    assert metric("timers_latest_seconds") >= 0
    assert metric("api_calls_total", system="slack", method="chat.postMessage", status="200") >= 3
    assert metric("api_calls_total", system="slack", method="response_url", status="200") >= 1
    for system in ("sentry", "linear", "discord", "pagerduty"):
        assert metric("api_calls_total", system=system) >= 1, system
    assert metric("api_rate_limited_total", system="slack") == 1
    assert metric("open_incidents") == 1
    for worker in ("outbox", "clock", "live", "watch"):
        assert metric("worker_running", worker=worker) == 1
    assert metric("redis_up") == 1

    log = [json.loads(line) for line in log_lines(world)]
    decided = next(line for line in log if line["said"] == "INC-0001 decide.rollback")
    assert decided["incident"] == "INC-0001"
    assert re.fullmatch(r"trigger:\S+", decided["delivery"])
    assert all({"at", "level", "logger", "said"} <= line.keys() for line in log)
    changed = [line for line in log if line["logger"] == "bot.store.incidents"]
    assert all(
        line.get("delivery") or line.get("timer") or line.get("entry") for line in changed
    ), "what brought it there"
