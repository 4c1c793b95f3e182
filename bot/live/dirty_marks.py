"""Dirty marks in Redis: what must be rendered again, who renders it, and what was sent last."""

from dataclasses import dataclass
from uuid import uuid4

from bot.connection.client import Script, call, read
from bot.store.incident_store import Store

LEASE_SECONDS = 10.0
RANK_COUNT = 8
"""A mark's score is its counter and, in eighths, how urgent it is (bot/store/commit.py `urgency`).

The whole part says which mark is newer.
"""
REMEMBERED_SECONDS = 7 * 24 * 3600

BEGIN = Script("edit_begin")
END = Script("edit_end")


@dataclass(frozen=True, slots=True)
class EditLease:
    """The lease of an edit, with what Redis held when it began."""

    token: str
    counter: float | None
    """Of the newest mark; None where there is none any more."""
    shows: str | None
    """The fingerprint of what this message shows, as far as it is known."""
    record: str | None
    """The incident's newest record; None where it is gone."""


class DirtyMarks:
    """The marks of live messages; a member is `<incident>|<name>`.

    Raises `StoreError` when Redis cannot be used.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.redis
        self._keys = store.keys

    async def since(self, counter: float, at_most: int) -> tuple[list[tuple[str, float]], int]:
        """Return the marks newer than `counter`, oldest first, and the newest counter given."""
        between = (f"({counter}", "+inf", "BYSCORE", "LIMIT", 0, at_most, "WITHSCORES")
        new, newest = await read(
            self._redis, ("ZRANGE", self._keys.marks, *between), ("GET", self._keys.dirty_counter)
        )
        return [
            (member, float(score)) for member, score in zip(new[::2], new[1::2], strict=True)
        ], int(newest or 0)

    async def begin(self, member: str) -> EditLease | None:
        """Return the lease for the only edit of this message.

        None where an edit is under way, or was a moment ago.
        """
        token = uuid4().hex
        answer = await self._store.run(
            BEGIN,
            member=member,
            incident=member.partition("|")[0],
            token=token,
            lease=round(LEASE_SECONDS * 1000),
        )
        if answer is None:
            return None
        counter, sent, record = answer
        return EditLease(token, float(counter) if counter else None, sent or None, record or None)

    async def end(
        self,
        member: str,
        begun: EditLease,
        *,
        clear: bool = False,
        shows: str | None = None,
        cool_seconds: float = 0,
    ) -> bool:
        """Give the lease back, or keep everybody off this message for `cool_seconds`.

        `shows`: the fingerprint of what Slack shows now. Returns whether the mark was cleared: not
        when there is a newer one, or when the lease ran out.
        """
        cleared = await self._store.run(
            END,
            member=member,
            token=begun.token,
            counter=begun.counter if clear else None,
            shows=shows,
            cool=round(cool_seconds * 1000),
            remembered=REMEMBERED_SECONDS,
        )
        return bool(cleared)

    async def remember(self, member: str, fingerprint: str) -> None:
        """Remember what a message shows, as it was posted."""
        await call(
            self._redis, "SET", self._keys.rendered(member), fingerprint, "EX", REMEMBERED_SECONDS
        )
