"""`firebreak export`: incidents with their timelines as JSON lines, oldest first.

Nothing is changed.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date
from typing import Any, TextIO

from pydantic import ValidationError

from bot.cli.export_format import line
from bot.cli.store_access import run
from bot.connection.client import store_errors
from bot.store.commit import member
from bot.store.incident_store import Store
from phases.record.incident import Incident

Timers = Mapping[str, Sequence[tuple[str, float]]]
"""Incident → the names of its timers, each with the time at which it is due (ms)."""


def export_main(
    ids: Collection[str],
    since: date | None,
    until: date | None,
    *,
    private: bool,
) -> int:
    """Return exit code 0; 1 where an incident is missing or unreadable; 2 for wrong settings."""
    return run(lambda store: export(store, ids, since, until, private=private, out=sys.stdout))


async def export(
    store: Store,
    ids: Collection[str],
    since: date | None,
    until: date | None,
    *,
    private: bool,
    out: TextIO,
) -> int:
    exported = hidden = bad = 0
    timers = await _timers(store)
    for id in ids or reversed(await store.ids("all")):
        parts = await _parts(store, id, timers)
        if parts is None:
            print(f"{id} is not there.", file=sys.stderr)
            bad += 1
            continue
        try:
            incident = Incident.model_validate_json(parts["record"])
            if not _in_range(incident, since, until) or (incident.private and not private):
                continue
            text = line(**parts)
        except (ValidationError, ValueError):
            print(
                f"{id} cannot be read by this version of the bot; it is left out.", file=sys.stderr
            )
            bad += 1
            continue
        print(text, file=out)
        exported, hidden = exported + 1, hidden + incident.private
    more = f", private: {hidden}" if hidden else ""
    print(f"Incidents exported: {exported}{more}.", file=sys.stderr)
    return 1 if bad else 0


def _in_range(incident: Incident, since: date | None, until: date | None) -> bool:
    """Say whether the day of *Detected*, in UTC, is in the range; both its ends are."""
    day = incident.detected_at.astimezone(UTC).date()
    return (since is None or day >= since) and (until is None or day <= until)


async def _timers(store: Store) -> Timers:
    timers: dict[str, list[tuple[str, float]]] = defaultdict(list)
    with store_errors():
        due: Any = await store.redis.zrange(store.keys.timers, 0, -1, withscores=True)
    for timer, at in due:
        incident, _, name = timer.partition("|")
        timers[incident].append((name, at))
    return timers


async def _parts(store: Store, id: str, timers: Timers) -> dict[str, Any] | None:
    """Return an incident as it stands at one moment, for `export_format.line`.

    None where it is not there.
    """
    redis, keys = store.redis, store.keys
    pipe = redis.pipeline(transaction=True)
    pipe.hget(keys.incident(id), "record")
    pipe.lrange(keys.timeline(id), 0, -1)
    pipe.hgetall(keys.words(id))
    for name, _ in timers.get(id, ()):
        pipe.hget(keys.timer_actions, member(id, name))
    with store_errors():
        record, entries, words, *actions = await pipe.execute()
        if record is None:
            return None
        service = json.loads(record).get("service", "")
        memory: Any = await redis.hget(  # pyright: ignore[reportGeneralTypeIssues]
            f"{keys.prefix}:memory:{service}", id
        )
    waiting = [
        {"name": name, "at": int(at), "action": json.loads(action)}
        for (name, at), action in zip(timers.get(id, ()), actions, strict=True)
        if action
    ]
    return {
        "record": record,
        "entries": entries,
        "words": words,
        "memory": memory,
        "timers": waiting,
    }
