"""Dirty marks in Redis: what must be rendered again, who renders it, and what was sent last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from bot.store.errors import said
from bot.store.incident_store import Store
from bot.store.redis import NotRecorded, Script, ask, call, run_script

LEASE_SECONDS = 10.0
RANKS = 8
"""A mark's score is its counter and, in eighths, how urgent it is (bot/store/commit.py `urgency`): the whole part says what is newer."""
REMEMBERED_SECONDS = 7 * 24 * 3600

# KEYS: lease, marks, rendered. ARGV: token, ms, member. Nil where an edit is under way (or was a moment ago); else the newest mark
# of this message ('' where there is none) and the fingerprint of what it shows. The lease first: what is read after it is not overtaken.
BEGIN = Script(
    """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
return {redis.call('ZSCORE', KEYS[2], ARGV[3]) or '', redis.call('GET', KEYS[3]) or ''}
"""
)

# KEYS: lease, marks, rendered, counter. ARGV: token, ms to leave it alone (0: free at once), member, its counter as it was read ('': it
# stays marked), fingerprint ('': as it was), seconds for which that is remembered. Only the holder of the lease may change anything, and a
# mark that is newer than what was read stays. Whether the mark was cleared. What was sent after the lease had ended (by a replica that
# stood still) may be older than what another sent meanwhile: then nobody knows what it shows, and it is marked anew.
END = Script(
    """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  if ARGV[5] ~= '' then
    redis.call('DEL', KEYS[3])
    redis.call('ZADD', KEYS[2], string.format('%.0f', redis.call('INCR', KEYS[4])), ARGV[3])
  end
  return 0
end
local cleared = 0
if ARGV[4] ~= '' then
  local score = redis.call('ZSCORE', KEYS[2], ARGV[3])
  if score and tonumber(score) == tonumber(ARGV[4]) then cleared = redis.call('ZREM', KEYS[2], ARGV[3]) end
end
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6]) end
if tonumber(ARGV[2]) <= 0 then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], 'cooling', 'PX', ARGV[2]) end
return cleared
"""
)


@dataclass(frozen=True, slots=True)
class Begun:
    """What was found when an edit began, under its lease."""

    token: str
    counter: float | None
    """Of the newest mark; None where there is none any more."""
    shows: str | None
    """The fingerprint of what this message shows, as far as it is known."""


class Marks:
    """Raises `bot.store.redis.StoreError` when Redis cannot be used. A member is `<incident>|<name>`."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._keys = store.keys

    async def since(self, counter: float, at_most: int) -> tuple[list[tuple[str, float]], int]:
        """Marks that are newer than `counter`, the oldest of them first, each with its own; and the newest that was ever given."""
        between = (f"({counter}", "+inf", "BYSCORE", "LIMIT", 0, at_most, "WITHSCORES")
        new, newest = _answered(
            await ask(
                self._redis,
                ("ZRANGE", self._keys.marks, *between),
                ("GET", self._keys.dirty_counter),
            )
        )
        return [
            (member, float(score)) for member, score in zip(new[::2], new[1::2], strict=True)
        ], int(newest or 0)

    async def begin(self, member: str) -> Begun | None:
        """The lease for the only edit of this message, or None where one is under way (or was a moment ago)."""
        token = uuid4().hex
        found = await run_script(
            self._redis, BEGIN, self._of(member), token, round(LEASE_SECONDS * 1000), member
        )
        if found is None:
            return None
        counter, sent = found
        return Begun(token, float(counter) if counter else None, sent or None)

    async def end(
        self,
        member: str,
        begun: Begun,
        *,
        clear: bool = False,
        shows: str | None = None,
        cool_seconds: float = 0,
    ) -> bool:
        """Gives the lease back, or keeps everybody off this message for a moment. Whether its mark was cleared: not when there is a newer
        one, or the lease ran out. `shows`: the fingerprint of what Slack shows now."""
        counter = repr(begun.counter) if clear and begun.counter is not None else ""
        cool = round(cool_seconds * 1000)
        given = (begun.token, cool, member, counter, shows or "", REMEMBERED_SECONDS)
        return bool(
            await run_script(
                self._redis, END, [*self._of(member), self._keys.dirty_counter], *given
            )
        )

    async def remember(self, member: str, fingerprint: str) -> None:
        """What this message shows, as it was posted."""
        await call(
            self._redis, "SET", self._keys.rendered(member), fingerprint, "EX", REMEMBERED_SECONDS
        )

    def _of(self, member: str) -> list[str]:
        return [self._keys.lease(member), self._keys.marks, self._keys.rendered(member)]


def _answered(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise NotRecorded(said(answer)) from answer
    return answers
