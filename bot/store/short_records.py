"""Short records in Redis: a field beside each record, written by the commit that makes it true.

Each begins with the version of its record. One that an older release left out or behind, by a
commit of its own, is made anew from the record by whoever reads it first: two releases may run at
once, and a reader that is killed halfway leaves nothing wrong behind.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from bot.connection.client import Script, read
from bot.store.commit import short_json
from bot.store.incident_store import TOGETHER, Store
from phases.coordination.short_records import Index, OwedItem, ShortRecord, short_record

AT_ONCE = 1_000
"""Short records of one answer: some 4 ms in which Redis, and then this process, does only this."""
WIDTH = 1 + len(ShortRecord._fields)
ITEMS = WIDTH - 1
READ = Script("short_records")
KEEP = Script("short_records_keep")


async def short_records(store: Store, index: Index) -> list[ShortRecord]:
    """Return those that stand in the index, newest first. Raises `StoreError`."""
    records: list[ShortRecord] = []
    below: int | None = None
    while True:
        last, rows, behind = await store.run(READ, index=index, below=below, limit=AT_ONCE)
        read_rows: list[list[Any]] = json.loads(rows)
        records += [_record(row) for row in read_rows if len(row) >= WIDTH]
        # A release that knew fewer fields wrote the others.
        behind += [row[1] for row in read_rows if len(row) < WIDTH]
        records += await _made_anew(store, behind)
        if not last:
            return sorted(records, key=lambda record: record.number, reverse=True)
        below = int(last)
        await asyncio.sleep(0)


def _record(row: Sequence[Any]) -> ShortRecord:
    """A row of a newer release is longer: what it has more is not known here."""
    items = row[ITEMS]
    return ShortRecord._make((*row[1:ITEMS], tuple(map(_item, items)) if items else ()))


def _item(fields: Sequence[Any]) -> OwedItem:
    number, person, owned, due = fields
    return OwedItem(number, person, owned, date.fromisoformat(due) if due else None)


async def _made_anew(store: Store, ids: Sequence[str]) -> list[ShortRecord]:
    """Return the short records of these, read from their records, and keep them."""
    made: list[ShortRecord] = []
    for begin in range(0, len(ids), TOGETHER):
        some = ids[begin : begin + TOGETHER]
        commands = (("HMGET", store.keys.incident(id), "version", "record") for id in some)
        answers = await read(store.redis, *commands)
        versions = {id: int(version or 0) for id, (version, _) in zip(some, answers, strict=True)}
        records = store.readable(
            (id, record) for id, (_, record) in zip(some, answers, strict=True)
        )
        made += (short := [short_record(incident) for incident in records])
        await store.run(
            KEEP,
            incidents=[record.id for record in short],
            versions=[versions[record.id] for record in short],
            records=[short_json(incident, versions[incident.id]) for incident in records],
        )
        await asyncio.sleep(0)
    return made
