"""Faults that are put into the product, one at a time: `make lives ARGS="--faults"` must find each.

Each stands for a mistake that somebody could make. A world is a process of its own, so that nothing
of a fault reaches the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from bot.clients.discord import Discord
from bot.clients.linear import client as linear
from bot.clients.slack.client import Slack
from bot.connection.client import Script
from bot.live import dirty_marks, editor
from bot.outbox import stream, worker
from bot.performers import context, slack
from bot.store import clock_rewind, incident_store, incidents
from bot.store.dispatch_ledger import Dispatches
from bot.store.job import Job
from handlers.dispatcher import Delivery, EffectEnded, Recorded, TimerDue
from phases.coordination import declare
from phases.record.incident import Incident

Plant = Callable[[], None]


def _script(script: Script, before: str, after: str) -> Plant:
    """Put other words into a script."""

    def plant() -> None:
        assert before in script.text, f"{script.name} has no {before!r} any more"
        script.text = script.text.replace(before, after)
        script.sha = hashlib.sha1(script.text.encode(), usedforsecurity=False).hexdigest()

    return plant


def _set(owner: Any, name: str, value: Any) -> Plant:
    def plant() -> None:
        assert hasattr(owner, name), f"{owner} has no {name} any more"
        setattr(owner, name, value)

    return plant


def _answers(owner: Any, name: str, value: Any) -> Plant:
    """Let a coroutine function do nothing but answer this."""

    async def answer(*_: object, **__: object) -> Any:
        return value

    return _set(owner, name, answer)


def _all(*plants: Plant) -> Plant:
    def plant() -> None:
        for planted_fault in plants:
            planted_fault()

    return plant


def _unseen(kind: type) -> Plant:
    """Let a load not tell that such a trigger was dealt with before."""
    handled_by: Any = incident_store._handled_by  # pyright: ignore[reportPrivateUsage]

    def unseen(trigger: Any, answer: Any) -> str | None:
        return None if isinstance(trigger, kind) else handled_by(trigger, answer)

    return _set(incident_store, "_handled_by", unseen)


def _acks_first() -> None:
    perform: Any = worker.Outbox._perform  # pyright: ignore[reportPrivateUsage]

    async def acks_first(self: Any, held: Any) -> None:
        await self._queue.ack(held.entry)
        await perform(self, held)

    worker.Outbox._perform = acks_first  # pyright: ignore[reportPrivateUsage]


def _answers_first() -> None:
    dispatch: Any = incidents.Incidents.dispatch
    later = set[asyncio.Task[Any]]()

    async def answers_first(
        self: Any, action: Any, incident: Any, trigger: Any = None, *more: Any, **named: Any
    ) -> Any:
        asked = dispatch(self, action, incident, trigger, *more, **named)
        record = await self.load(incident) if isinstance(trigger, Delivery) and incident else None
        if record is None:
            return await asked
        later.add(asyncio.get_running_loop().create_task(asked))
        return Recorded(record)

    incidents.Incidents.dispatch = answers_first


def _reclaims_at_once() -> None:
    reclaim: Any = stream.Queue.reclaim

    async def at_once(self: stream.Queue, idle_ms: int) -> list[stream.PendingEntry]:
        return await reclaim(self, 0)

    stream.Queue.reclaim = at_once


def _forgets_fields() -> None:
    Incident.model_config["extra"] = "ignore"
    Incident.model_rebuild(force=True)


async def _ours(_: object, entries: list[str]) -> list[str]:
    return entries


async def _ack(queue: stream.Queue, entry: str, _: str) -> None:
    await queue.ack(entry)


async def _drop(outbox: Any, held: Any, *_: object) -> None:
    await outbox._queue.ack(held.entry)


async def _made(*_: object) -> Any:
    return editor._End(clear=True)  # pyright: ignore[reportPrivateUsage]


COMMIT, END = incident_store.COMMIT, incident_store.END
GONE = "if pending.err or #pending == 0 then return {'gone'} end"
TIMER_GONE = "if not due or tonumber(due) ~= request.timer.at then return {'gone'} end"
SEEN = "if seen then return {'duplicate', seen, claim} end"

FAULTS: dict[str, Plant] = {
    # the commit
    "a claim is not respected": _script(COMMIT, "if others and not claim.soft", "if false"),
    "a claim is never given up": _script(
        COMMIT, "if redis.call('GET', key('claim', name)) == incident then", "if false then"
    ),
    "a version is not compared": _script(COMMIT, "versions[i] ~= part.base then", "false then"),
    "a delivery counts twice": _all(_script(COMMIT, SEEN, ""), _unseen(Delivery)),
    "a result counts twice": _all(_script(COMMIT, GONE, ""), _unseen(EffectEnded)),
    "a timer counts although it is gone": _all(_script(COMMIT, TIMER_GONE, ""), _unseen(TimerDue)),
    "a timer stays when it went off": _script(
        COMMIT, "if request.timer then drop_timer(request.timer.member) end", ""
    ),
    "a commit does not end its effect": _script(COMMIT, "  end_entry(request.entry)\n", ""),
    "an effect that changes nothing does not end": _script(END, "end_entry(arguments.entry)\n", ""),
    "what changes nothing is judged by an old record": _script(
        END, "if version ~= arguments.version then return {'conflict', version} end\n", ""
    ),
    "a mark keeps its number": _script(
        COMMIT,
        "local counter = redis.call('INCR', key('dirty', 'counter'))",
        "local counter = had and math.floor(had) or redis.call('INCR', key('dirty', 'counter'))",
    ),
    "a person is answered before the commit": _answers_first,
    "fields of the next version are lost": _forgets_fields,
    "nothing moves when the clock is set back": _script(
        clock_rewind.SET_BACK, "if clock > seen then", "if true then"
    ),
    # the outbox
    "an effect is acked before it is performed": _acks_first,
    "a lease is ignored": _reclaims_at_once,
    "a lease is not renewed": _set(stream.Queue, "renew", _ours),
    "what a dead worker held is left": _answers(stream.Queue, "reclaim", []),
    "what waits is never promoted": _answers(stream.Queue, "promote", None),
    "a second try does not know that it is one": _set(
        stream.PendingEntry, "attempt", property(lambda _: 1)
    ),
    "what failed is dropped without a word": _set(worker.Outbox, "_fail", _drop),
    "what another version wrote is dropped": _set(stream.Queue, "set_aside", _ack),
    "a dead letter is never taken up": _answers(worker, "take_up", 0),
    # what effects recognise
    "what was posted is not looked for": _answers(Slack, "posted", None),
    "threads of earlier decisions are not read": _all(
        _set(context, "other_threads", lambda *_: ()), _set(slack, "other_threads", lambda *_: ())
    ),
    "tried again it is another effect": _set(Job, "key", property(lambda job: job.effect_id)),
    "a channel that is there is not taken": _answers(Slack, "our_channel", None),
    "a bookmark is not looked for": _answers(Slack, "_bookmarked", None),
    "a ticket has another id in each try": _set(linear, "made_id", lambda *_: str(uuid4())),
    "a post on Discord is not looked for": _answers(Discord, "_find_lost_post", None),
    "a dispatch is sent again": _answers(Dispatches, "first", True),
    "a page that came late rings on": _set(declare, "resolve_page", lambda draft: draft),
    # live messages
    "a newer mark is cleared, too": _script(
        dirty_marks.END, "if score and tonumber(score) == arguments.counter then", "if score then"
    ),
    "two edit one message": _script(dirty_marks.BEGIN, "'NX', ", ""),
    "an edit without an answer counts as made": _set(editor.Live, "_not_sent", _made),
}
