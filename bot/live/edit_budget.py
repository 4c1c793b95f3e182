"""The edits that all replicas together send to Slack: bursts while it takes them, else evenly.

`chat.update` is Tier 3 (https://docs.slack.dev/reference/methods/chat.update): "50+ per minute".
Slack says that this is a minimum, and that "sporadic bursts are welcome"
(https://docs.slack.dev/apis/web-api/rate-limits). So there is a bucket that fills with 48 edits a
minute. After quiet minutes a hundred messages can be brought up to date at once, and over a long
time the tier holds. Where Slack answers 429, everybody waits as long as it says, and for an hour no
minute has more than 50 edits.
"""

from collections.abc import Mapping

from bot.connection.client import Script, read
from bot.store.incident_store import Store

A_MINUTE = 48
BURST = 200
LEFT_FOR_OTHERS: Mapping[str, int] = {
    "decision": 0,
    "status": 5,
    "progress": 120,
    "tree": 120,
    "announcement": 120,
}
"""Edits that a kind leaves in the bucket for more important kinds.

Decisions and statuses of a hundred incidents find room at any time.
"""
STRICT: Mapping[str, int] = {
    "decision": 50,
    "status": 47,
    "progress": 20,
    "tree": 25,
    "announcement": 25,
}
"""In a strict minute a kind may be edited while fewer than so many edits were made in it."""
OTHER_KIND = "announcement"
"""Kinds that are not named count as this one."""
STRICT_SECONDS = 3600
WINDOW_SECONDS = 61.0
"""A minute, and what the way to Slack may take."""

SPEND = Script("edit_spend")
REFUSED = Script("edit_refused")


class EditBudget:
    """Raises `StoreError` when Redis cannot be used."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def spend(self, kind: str, id: str, *, changes: str | None = None) -> float:
        """Take one edit, if this kind may have it now.

        Returns 0, or the seconds after which to ask again. `id` names this edit. `changes` is the
        live message that is edited: with the 0 it is forgotten what it shows, because until Slack
        answers nobody knows.
        """
        ms = await self._store.run(
            SPEND,
            id=id,
            leave=LEFT_FOR_OTHERS.get(kind, LEFT_FOR_OTHERS[OTHER_KIND]),
            strict=STRICT.get(kind, STRICT[OTHER_KIND]),
            rate=A_MINUTE,
            burst=BURST,
            window=round(WINDOW_SECONDS * 1000),
            member=changes,
        )
        return int(ms) / 1000

    async def refused(self, seconds: float, id: str) -> None:
        """Slack asked to wait: no replica edits for so long, and no bursts for an hour."""
        await self._store.run(
            REFUSED,
            id=id,
            wait=max(1, round(seconds * 1000)),
            strict=STRICT_SECONDS * 1000,
            rate=A_MINUTE,
            burst=BURST,
        )

    async def strict(self) -> bool:
        """Return whether Slack refused a burst within the last hour."""
        (answer,) = await read(self._store.redis, ("EXISTS", self._store.keys.strict))
        return bool(answer)
