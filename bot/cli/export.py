"""`firebreak export`: incidents with their timelines as JSON lines, oldest first; nothing is changed."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Collection
from datetime import UTC, date
from typing import Any, TextIO, cast

from pydantic import ValidationError

from bot.cli.export_format import line
from bot.cli.store_access import opened, run
from bot.store.commit import member
from bot.store.incident_store import Store
from phases.record.incident import Incident


def export_main(
    ids: Collection[str],
    since: date | None,
    until: date | None,
    *,
    private: bool,
    out: TextIO = sys.stdout,
) -> int:
    """Exit code 0; 1 where something could not be read or is not there; 2 for wrong settings."""

    async def command() -> int:
        async with opened(must_exist=True) as store:
            return await export(store, ids, since, until, private=private, out=out)

    return run(command)


async def export(
    store: Store,
    ids: Collection[str],
    since: date | None,
    until: date | None,
    *,
    private: bool,
    out: TextIO,
) -> int:
    written: list[Incident] = []
    bad = 0
    async for id, found in _all(store, ids):
        if found is None:
            print(f"{id} is not there.", file=sys.stderr)
            bad += 1
            continue
        try:
            incident = Incident.model_validate_json(found["record"])
            if not _wanted(incident, since, until) or (incident.private and not private):
                continue
            text = line(
                found["record"], found["entries"], found["words"], found["memory"], found["timers"]
            )
        except (ValidationError, ValueError):
            print(
                f"{id} cannot be read by this version of the bot; it is left out.", file=sys.stderr
            )
            bad += 1
            continue
        print(text, file=out)
        written.append(incident)
    hidden = sum(one.private for one in written)
    print(
        f"Incidents exported: {len(written)}{f', private: {hidden}' if hidden else ''}.",
        file=sys.stderr,
    )
    return 1 if bad else 0


def _wanted(incident: Incident, since: date | None, until: date | None) -> bool:
    """By the day of *Detected*, in UTC; both days count."""
    day = incident.detected_at.astimezone(UTC).date()
    return (since is None or day >= since) and (until is None or day <= until)


async def _all(
    store: Store, ids: Collection[str]
) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
    """Each as it stands at one moment."""
    redis, keys = store.redis, store.keys
    timers: dict[str, list[tuple[str, float]]] = {}
    for each, at in cast(
        "list[tuple[str, float]]", await redis.zrange(keys.timers, 0, -1, withscores=True)
    ):
        incident, _, name = each.partition("|")
        timers.setdefault(incident, []).append((name, at))
    for id in ids or reversed(await store.ids("all")):
        pipe = redis.pipeline(transaction=True)
        pipe.hget(keys.incident(id), "record")
        pipe.lrange(keys.timeline(id), 0, -1)
        pipe.hgetall(keys.words(id))
        for name, _ in timers.get(id, []):
            pipe.hget(keys.timer_actions, member(id, name))
        record, entries, words, *actions = await pipe.execute()
        if record is None:
            yield id, None
            continue
        waiting = [
            {"name": name, "at": int(at), "action": json.loads(action)}
            for (name, at), action in zip(timers.get(id, []), actions, strict=True)
            if action
        ]
        service = json.loads(record).get("service", "")
        memory = await redis.hget(f"{keys.prefix}:memory:{service}", id)  # pyright: ignore[reportGeneralTypeIssues]
        yield (
            id,
            {
                "record": record,
                "entries": entries,
                "words": words,
                "memory": memory,
                "timers": waiting,
            },
        )
