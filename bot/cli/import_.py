"""`firebreak import`: what `firebreak export` wrote, put into this store. What is here already stays as it is; twice changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from bot.cli.export_format import Archived, Unreadable, read
from bot.cli.store_access import opened, run
from bot.store.commit import counted_json, indexes, member, recall_indexes, recall_member, to_ms
from bot.store.incident_store import Store
from bot.store.redis import Script, run_script
from phases.memory.recall import kept
from phases.record.claims import fingerprint_claim, issues_of, open_claim
from phases.record.incident import Incident

# KEYS: the prefix. ARGV: the request as JSON, the record. Answers: new | here <record> | taken <claim> <owner>.
# One incident, all of it or nothing; what is here is not touched.
PUT = Script(
    """
local prefix, request = KEYS[1], cjson.decode(ARGV[1])
local id = request.incident
local function key(...) return prefix .. ':' .. table.concat({...}, ':') end
local here = redis.call('HGET', key('incident', id), 'record')
if here then return {'here', here} end
for _, claim in ipairs(request.claims) do
  local owner = redis.call('GET', key('claim', claim))
  if owner and owner ~= id then return {'taken', claim, owner} end
end
redis.call('HSET', key('incident', id), 'version', 1, 'record', ARGV[2])
redis.call('DEL', key('timeline', id), key('words', id))
for _, entry in ipairs(request.entries) do redis.call('RPUSH', key('timeline', id), entry) end
for ref, entry in pairs(request.words) do redis.call('HSET', key('words', id), ref, entry) end
for _, name in ipairs(request.index) do redis.call('ZADD', key('index', name), request.number, id) end
for _, claim in ipairs(request.claims) do redis.call('SET', key('claim', claim), id) end
for _, claim in ipairs(request.soft) do redis.call('SET', key('claim', claim), id, 'NX') end
for _, timer in ipairs(request.timers) do
  redis.call('ZADD', key('timers'), string.format('%.0f', timer.at), timer.member)
  redis.call('HSET', key('timers', 'actions'), timer.member, timer.action)
end
for _, one in ipairs(request.dirty) do
  redis.call('ZADD', key('dirty', 'marks'), string.format('%.0f', redis.call('INCR', key('dirty', 'counter'))), one)
end
if request.memory then
  redis.call('HSET', key('memory', request.service), id, request.memory)
  redis.call('HSET', key('recall', 'counted'), request.member, request.counted)
  for _, name in ipairs(request.recall) do
    redis.call('ZADD', key('recall', name), string.format('%.0f', request.at), request.member)
  end
end
return {'new'}
"""
)


def import_main(lines: TextIO = sys.stdin, *, go_on: bool = False) -> int:
    """Exit code 0; 1 where a line was not imported; 2 for wrong settings."""

    async def command() -> int:
        async with opened(must_exist=False) as store:
            return await import_lines(store, lines, go_on=go_on)

    return run(command)


async def import_lines(
    store: Store, lines: Iterable[str], out: TextIO = sys.stderr, *, go_on: bool = False
) -> int:
    """`go_on`: an open incident's timers and live messages are taken over; for when the bot that it comes from is off."""
    new = here = bad = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            one = read(text)
            was_new = await put(store, one, go_on=go_on)
        except Unreadable as error:
            print(f"line {number}: not imported: {error}.", file=out)
            bad += 1
            continue
        new, here = new + was_new, here + (not was_new)
        if was_new and one.incident.open:
            print(f"line {number}: {_open(one, go_on=go_on)}", file=out)
    print(f"Incidents imported: {new}; here already: {here}; lines not imported: {bad}.", file=out)
    return 1 if bad else 0


def _open(one: Archived, *, go_on: bool) -> str:
    id, timers = one.incident.id, ", ".join(sorted(one.timers)) or "none"
    if go_on:
        return f"{id} is open and goes on here (timers: {timers}). What was being sent when it was exported is not: look at its failures."
    return (
        f"{id} is open: nothing of it goes on by itself here (timers left out: {timers}). "
        "Once the bot that it comes from is off, `firebreak import --go-on` takes it over."
    )


async def put(store: Store, one: Archived, *, go_on: bool = False) -> bool:
    """False where it was here already. Raises `Unreadable` where its number belongs to another incident, or the service burns here."""
    incident = one.incident
    memory = one.memory or kept(incident)
    claims = [f"number:{incident.number}"]
    soft: list[str] = []  # two incidents may know the same issue; the first of them hears of it
    timers: list[dict[str, Any]] = []
    dirty: list[str] = []
    if incident.open and not incident.apart:
        claims += (
            [open_claim(incident.service, incident.environment)]
            if incident.else_reason is None
            else []
        )
        soft = [fingerprint_claim(issue) for issue in issues_of(incident)]
    if incident.open:
        dirty = [member(incident.id, name) for name in incident.messages] if go_on else []
    if (
        go_on or not incident.open
    ):  # what is under way elsewhere does not go on here as well; reminders and the like do
        timers = [
            {"member": member(incident.id, name), "at": at, "action": action}
            for name, (at, action) in one.timers.items()
        ]
    request = {
        "incident": incident.id,
        "number": incident.number,
        "service": incident.service,
        "entries": one.entries,
        "words": one.words,
        "index": sorted(indexes(incident)),
        "claims": claims,
        "soft": soft,
        "timers": timers,
        "dirty": dirty,
        "at": to_ms(incident.detected_at),
        "member": recall_member(incident.service, incident.id),
        "recall": sorted(recall_indexes(memory)),
        **(
            {
                "memory": memory.model_dump_json(exclude_defaults=True),
                "counted": counted_json(memory),
            }
            if memory
            else {}
        ),
    }
    said = await run_script(
        store.redis, PUT, [store.keys.prefix], json.dumps(request, ensure_ascii=False), one.record
    )
    match said:
        case ["new"]:
            return True
        case ["here", str(record)]:
            if Incident.model_validate_json(record).ulid != incident.ulid:
                raise Unreadable(f"{incident.id} is another incident here")
            return False
        case _:
            if str(said[1]).startswith("open:"):
                where = f"{incident.service} ({incident.environment})"
                raise Unreadable(
                    f"{said[2]} is open here on {where}, too; end it, or merge them, and import again"
                )
            raise Unreadable(
                f"{incident.id} and {said[2]}, which is here, cannot both have {said[1]}"
            )
