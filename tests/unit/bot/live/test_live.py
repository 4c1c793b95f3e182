"""Live messages show the last state, one edit at a time, within the budget."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime
from itertools import pairwise
from uuid import uuid4

import pytest

from bot.live.edit_budget import EditBudget
from bot.live.editor import Live
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, Recorded
from handlers.views.blocks import Message
from phases.messages.base import Action
from phases.messages.commands import Cancel, PostUpdate
from phases.messages.results import MessagePosted
from phases.ports.ports import PortError
from phases.record.incident import Incident, MessageRef
from phases.shared.change import Draft, Refused
from tests.support.worlds.small_world import declare, dispatcher, running, until, update


async def render(name: str, incident: Incident, now: datetime) -> Message:
    return Message(f"{name}: {incident.latest_update}", ({"type": "section"},))


class Slack:
    """Keeps what it was told; can wait, and fail."""

    def __init__(self) -> None:
        self.edits: list[tuple[str, str]] = []
        self.under_way: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.go = asyncio.Event()
        self.go.set()
        self.fail: list[Exception] = []

    async def update(self, channel: str, ts: str, message: Message) -> None:
        self.under_way[ts] = self.under_way.get(ts, 0) + 1
        self.most[ts] = max(self.most.get(ts, 0), self.under_way[ts])
        try:
            await self.go.wait()
            if self.fail:
                raise self.fail.pop(0)
            self.edits.append((ts, message.text))
        finally:
            self.under_way[ts] -= 1


NAMES = ("status", "decision:1", "tree", "announcement")


def more(draft: Draft, action: Action) -> Draft | Refused:
    """Updates mark what they name (all, if nothing); a posted message is kept."""
    if isinstance(action, MessagePosted):
        return draft.set(messages={**draft.incident.messages, action.name: action.ref})
    if isinstance(action, PostUpdate):
        marked = [name for name in NAMES if f"[{name}]" in action.text]
        return draft.dirty(*(marked or NAMES))
    return draft


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("bot.live.editor.COOL_DOWN_SECONDS", 0.0)
    monkeypatch.setattr("bot.live.editor.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("bot.live.editor.NOT_POSTED_SECONDS", 0.05)
    caplog.set_level(logging.WARNING)


@pytest.fixture
async def incidents(store: Store) -> Incidents:
    """INC-0001, with its status posted as message 1.1."""
    incidents = dispatcher(store, more)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    await posted(incidents, "status", "1.1")
    return incidents


async def posted(incidents: Incidents, name: str, ts: str) -> None:
    answer = await incidents.dispatch(
        MessagePosted(name=name, ref=MessageRef(channel="C1", ts=ts)), "INC-0001"
    )
    assert isinstance(answer, Recorded)


async def change(incidents: Incidents, text: str) -> None:
    assert isinstance(await incidents.dispatch(update(text), "INC-0001"), Recorded)


async def spent(store: Store) -> list[float]:
    """When each edit was taken out of the budget, in milliseconds of the server's clock."""
    return [at for _, at in await store.redis.zrange("{fb}:live:budget", 0, -1, withscores=True)]


async def clean(store: Store) -> bool:
    return not await store.redis.zcard(store.keys.marks)


async def test_a_marked_message_is_edited_to_the_newest_state(
    store: Store, incidents: Incidents
) -> None:
    slack = Slack()
    live = Live(store, render, slack)
    async with running(live.run()):
        await change(incidents, "one [status]")
        await until(lambda: clean(store))
        assert slack.edits == [("1.1", "status: one [status]")]
        assert live.running
    assert not live.running


async def test_many_changes_become_few_edits_and_the_last_state_wins(
    store: Store, incidents: Incidents
) -> None:
    slack = Slack()
    slack.go.clear()
    async with running(Live(store, render, slack).run()):
        await change(incidents, "0 [status]")
        await until(lambda: slack.under_way.get("1.1") == 1)
        for i in range(1, 30):
            await change(incidents, f"{i} [status]")
        slack.go.set()
        await until(lambda: clean(store))
    assert slack.edits == [("1.1", "status: 0 [status]"), ("1.1", "status: 29 [status]")]


async def test_over_two_replicas_one_edit_of_a_message_is_under_way(
    store: Store, redis_url: str, incidents: Incidents
) -> None:
    slack = Slack()
    other = Store.open(redis_url)
    async with running(
        Live(store, render, slack).run(),
        Live(other, render, slack).run(),
    ):
        for i in range(30):
            await change(incidents, f"{i} [status]")
        await until(lambda: clean(store))
        assert slack.edits[-1] == ("1.1", "status: 29 [status]")
    await other.close()
    assert slack.most == {"1.1": 1}


async def test_the_same_again_is_not_sent(store: Store, incidents: Incidents) -> None:
    slack = Slack()
    live = Live(store, render, slack)
    async with running(live.run()):
        for _ in range(3):
            await change(incidents, "same [status]")
            await until(lambda: clean(store))
    assert slack.edits == [("1.1", "status: same [status]")]
    assert live.counts["unchanged"] >= 1
    # The next bot, too, knows the edits that were sent.
    await change(incidents, "same [status]")
    async with running(Live(store, render, slack).run()):
        await until(lambda: clean(store))
    assert len(slack.edits) == 1


async def test_what_was_posted_is_not_sent_again_as_the_first_edit(
    store: Store, incidents: Incidents
) -> None:
    slack = Slack()
    live = Live(store, render, slack)
    await live.posted(
        "INC-0001", "status", Message("status: as posted [status]", ({"type": "section"},))
    )
    await change(incidents, "as posted [status]")
    async with running(live.run()):
        await until(lambda: clean(store))
    assert slack.edits == []


async def test_a_mark_waits_until_its_message_is_posted(store: Store, incidents: Incidents) -> None:
    slack = Slack()
    live = Live(store, render, slack)
    async with running(live.run()):
        await change(incidents, "x [tree] [status]")
        await until(lambda: len(slack.edits) == 1)

        async def only_the_tree() -> bool:
            return await store.redis.zrange(store.keys.marks, 0, -1) == ["INC-0001|tree"]

        await until(only_the_tree)
        await posted(incidents, "tree", "2.2")
        await until(lambda: clean(store))
    assert slack.edits == [("1.1", "status: x [tree] [status]"), ("2.2", "tree: message.posted")]


async def test_marks_without_a_message_end_with_the_incident(
    store: Store, incidents: Incidents
) -> None:
    async with running(Live(store, render, Slack()).run()):
        await change(incidents, "x [tree]")
        await incidents.dispatch(Cancel(by="U1", reason="false alarm"), "INC-0001")
        await until(lambda: clean(store))
    await store.redis.zadd(store.keys.marks, {"INC-0099|status": 1})
    async with running(Live(store, render, Slack()).run()):
        await until(lambda: clean(store))


async def test_more_marks_than_one_look_takes(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.editor.AT_MOST", 1)
    for number, name in enumerate(NAMES[1:], start=2):
        await posted(incidents, name, f"{number}.{number}")
    await change(incidents, "a")
    slack = Slack()
    async with running(Live(store, render, slack).run()):
        await until(lambda: clean(store))
    assert sorted(text for _, text in slack.edits) == sorted(f"{name}: a" for name in NAMES)


async def test_marks_are_heard_after_redis_lost_the_end_of_its_memory(
    store: Store, incidents: Incidents
) -> None:
    slack = Slack()
    async with running(Live(store, render, slack).run()):
        await store.redis.set(store.keys.dirty_counter, 500)
        await change(incidents, "a [status]")
        await until(lambda: clean(store))
        await store.redis.set(store.keys.dirty_counter, 3)
        await change(incidents, "b [status]")
        await until(lambda: clean(store))
    assert [text for _, text in slack.edits] == ["status: a [status]", "status: b [status]"]


async def test_the_important_goes_first_and_leaves_room_for_what_matters_more(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.edit_budget.BURST", 5)
    monkeypatch.setattr("bot.live.edit_budget.A_MINUTE", 1)
    monkeypatch.setattr(
        "bot.live.edit_budget.LEFT_FOR_OTHERS",
        {"decision": 0, "status": 1, "tree": 3, "announcement": 4},
    )
    monkeypatch.setattr("bot.live.editor.AT_ONCE", 1)
    for number, name in enumerate(NAMES[1:], start=2):
        await posted(incidents, name, f"{number}.{number}")
    slack = Slack()
    live = Live(store, render, slack)
    async with running(live.run()):
        await change(incidents, "a")
        await until(lambda: len(slack.edits) == 2 and live.counts["put off"] == 2)
        assert [text for _, text in slack.edits] == ["decision:1: a", "status: a"]
        await change(incidents, "b")
        await until(lambda: len(slack.edits) == 4)

        async def only_the_rest_waits() -> bool:
            return sorted(await store.redis.zrange(store.keys.marks, 0, -1)) == [
                "INC-0001|announcement",
                "INC-0001|tree",
            ]

        await until(only_the_rest_waits)
    assert [text for _, text in slack.edits[2:]] == ["decision:1: b", "status: b"]


async def test_the_bucket_fills_again(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.edit_budget.BURST", 1)
    monkeypatch.setattr("bot.live.edit_budget.LEFT_FOR_OTHERS", {"announcement": 0})
    monkeypatch.setattr("bot.live.edit_budget.A_MINUTE", 60)
    slack = Slack()
    async with running(Live(store, render, slack).run()):
        await change(incidents, "a [status]")
        await until(lambda: len(slack.edits) == 1)
        await change(incidents, "b [status]")
        await until(lambda: len(slack.edits) == 2)
    first, second = await spent(store)
    assert second - first >= 990
    assert slack.edits[-1] == ("1.1", "status: b [status]")


async def test_a_wait_that_a_wrong_clock_of_redis_told_is_asked_about_again(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.editor.SPENT_SECONDS", 0.1)
    slack = Slack()
    live = Live(store, render, slack)
    await store.redis.set("{fb}:live:pause", "429", px=3_600_000)
    async with running(live.run()):
        await change(incidents, "a [status]")
        await until(lambda: live.counts["put off"] > 0)
        await store.redis.delete("{fb}:live:pause")  # as clock_rewind.lua shortens it
        await until(lambda: len(slack.edits) == 1)


async def test_a_hundred_edits_go_at_once_after_a_quiet_time_and_progress_leaves_them(
    store: Store,
) -> None:
    budget = EditBudget(store)
    while await budget.spend("progress", uuid4().hex) == 0:
        pass  # a day of deploys
    waits = [await budget.spend("status", uuid4().hex) for _ in range(100)]
    assert waits == [0] * 100
    assert 0 < await budget.spend("announcement", uuid4().hex) < 180


async def test_once_slack_was_strict_no_minute_has_more_than_fifty(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = EditBudget(store)
    for _ in range(49):
        assert await budget.spend("status", uuid4().hex) == 0
    refused = uuid4().hex
    assert await budget.spend("status", refused) == 0
    await budget.refused(30, refused)
    assert 0 < await budget.spend("decision", uuid4().hex) <= 30, (
        "nobody, for as long as Slack says"
    )
    await store.redis.delete("{fb}:live:pause")
    assert await budget.strict()
    assert 10 < await budget.spend("status", uuid4().hex) <= 61, (
        "the minute is full for a status, with what Slack took"
    )
    assert await budget.spend("decision", uuid4().hex) == 0, (
        "what was refused does not count: the fiftieth"
    )
    assert 10 < await budget.spend("decision", uuid4().hex) <= 61


async def test_where_somebody_acted_comes_first_then_what_is_worse(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.editor.AT_ONCE", 1)
    monkeypatch.setattr("bot.live.editor.COOL_DOWN_SECONDS", 5.0)
    slack = Slack()
    slack.go.clear()
    for number, (severity, acted) in enumerate(
        [(3, False), (1, False), (4, True), (2, True)], start=2
    ):
        answer = await incidents.dispatch(declare(f"s{number}"), None)
        assert isinstance(answer, Recorded)
        ref = MessageRef(channel="C1", ts=f"{number}.{number}")
        assert isinstance(
            await incidents.dispatch(MessagePosted(name="status", ref=ref), answer.incident.id),
            Recorded,
        )
        await rated(store, answer.incident.id, severity)
        trigger = Delivery((f"click-{number}",)) if acted else None
        assert isinstance(
            await incidents.dispatch(update(f"{number} [status]"), answer.incident.id, trigger),
            Recorded,
        )
        if acted:  # a mark that waits does not become less urgent by the bot's own next one
            assert isinstance(
                await incidents.dispatch(update(f"{number}b [status]"), answer.incident.id),
                Recorded,
            )
    async with running(Live(store, render, slack).run()):
        slack.go.set()
        await until(lambda: len(slack.edits) == 4)
    assert [ts for ts, _ in slack.edits] == ["5.5", "4.4", "3.3", "2.2"]


async def rated(store: Store, id: str, severity: int) -> None:
    """As triage or a person would."""
    record = json.loads(await store.redis.hget(store.keys.incident(id), "record"))
    await store.redis.hset(
        store.keys.incident(id), "record", json.dumps({**record, "severity": severity})
    )
    await store.redis.hincrby(store.keys.incident(id), "version", 1)


async def test_slack_asking_for_patience_is_heard_by_every_replica(
    store: Store, redis_url: str, incidents: Incidents
) -> None:
    await posted(incidents, "tree", "2.2")
    slack = Slack()
    slack.fail = [PortError("slack", "ratelimited", retryable=True, retry_after=1.0)]
    other = Store.open(redis_url)
    before = await store.server_now()
    await change(incidents, "x [status]")
    async with running(
        Live(store, render, slack).run(),
        Live(other, render, slack).run(),
    ):
        await until(lambda: not slack.fail)
        await change(incidents, "y [tree] [status]")
        await until(lambda: clean(store))
    await other.close()
    assert min(await spent(store)) >= before.timestamp() * 1000 + 990
    assert dict(slack.edits) == {
        "1.1": "status: y [tree] [status]",
        "2.2": "tree: y [tree] [status]",
    }


async def test_what_can_never_be_edited_is_dropped_and_logged(
    store: Store, incidents: Incidents, caplog: pytest.LogCaptureFixture
) -> None:
    slack = Slack()
    slack.fail = [
        PortError("slack", "Slack refused chat.update: message_not_found", retryable=False)
    ]
    live = Live(store, render, slack)
    async with running(live.run()):
        await change(incidents, "x [status]")
        await until(lambda: clean(store))
    assert slack.edits == []
    assert live.counts["dropped"] == 1
    assert "message_not_found" in caplog.text


async def test_what_did_not_answer_is_sent_again(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.editor.TROUBLE_SECONDS", 0.05)
    monkeypatch.setattr("bot.live.editor.EDIT_SECONDS", 0.2)
    slack = Slack()
    slack.fail = [PortError("slack", "no answer", retryable=True), TimeoutError()]
    async with running(Live(store, render, slack).run()):
        await change(incidents, "x [status]")
        await until(lambda: clean(store))
    assert slack.edits == [("1.1", "status: x [status]")]


async def test_a_rendering_that_fails_is_dropped_until_the_next_change(
    store: Store, incidents: Incidents, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(name: str, incident: Incident, now: datetime) -> Message:
        if incident.latest_update == "bad [status]":
            raise KeyError(incident.latest_update)
        return await render(name, incident, now)

    slack = Slack()
    async with running(Live(store, failing, slack).run()):
        await change(incidents, "bad [status]")
        await until(lambda: clean(store))
        await change(incidents, "good [status]")
        await until(lambda: clean(store))
    assert slack.edits == [("1.1", "status: good [status]")]
    assert "cannot be rendered: KeyError" in caplog.text


async def test_a_message_is_left_alone_for_a_moment_after_an_edit(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live.editor.COOL_DOWN_SECONDS", 1.0)
    slack = Slack()
    async with running(Live(store, render, slack).run()):
        await change(incidents, "a [status]")
        await until(lambda: len(slack.edits) == 1)
        for text in ("b [status]", "c [status]"):
            await change(incidents, text)
        await until(lambda: clean(store))
    edits = await spent(store)
    assert all(later - before >= 990 for before, later in pairwise(edits))
    assert slack.edits[-1] == ("1.1", "status: c [status]")
    assert 2 <= len(edits) <= 3


async def test_an_edit_of_a_killed_bot_is_made_by_the_next(
    store: Store, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of the dead is left behind; it ends by itself, and the mark is still there."""
    await change(incidents, "x [status]")
    await store.redis.set("{fb}:live:lease:INC-0001|status", "of the dead", px=400)
    slack = Slack()
    async with running(Live(store, render, slack).run()):
        await until(lambda: clean(store))
    assert slack.edits == [("1.1", "status: x [status]")]


async def test_an_edit_that_lands_after_its_lease_does_not_leave_what_is_old(
    store: Store, redis_url: str, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that stood still sends its edit when another has long sent a newer one."""
    monkeypatch.setattr("bot.live.dirty_marks.LEASE_SECONDS", 0.2)
    slow, quick = Slack(), Slack()
    slow.edits = quick.edits
    slow.go.clear()
    other = Store.open(redis_url)
    async with running(Live(store, render, slow).run()):
        await change(incidents, "old [status]")
        await until(lambda: slow.under_way.get("1.1") == 1)
        async with running(Live(other, render, quick).run()):
            await change(incidents, "new [status]")
            await until(lambda: quick.edits[-1:] == [("1.1", "status: new [status]")])
            await until(lambda: clean(store))
            slow.go.set()
            await until(lambda: ("1.1", "status: old [status]") in quick.edits)
            await until(lambda: quick.edits[-1] == ("1.1", "status: new [status]"))
            await until(lambda: clean(store))
    await other.close()
