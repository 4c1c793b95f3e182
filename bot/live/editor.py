"""Live messages: rendered from the newest state under a lease, so that the last state wins."""

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from bot.clients.slack.client import Slack
from bot.clients.slack.errors import SlackRefused
from bot.connection.client import NotThisVersion, StoreError
from bot.live.dirty_marks import RANK_COUNT, DirtyMarks, EditLease
from bot.live.edit_budget import EditBudget
from bot.runtime.worker import Worker, log_crash
from bot.store.commit import member
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Unknown
from handlers.views.blocks import Message
from phases.messages.base import Action
from phases.messages.commands import LiveMessageDeleted
from phases.messages.results import ChannelArchived
from phases.ports.ports import PortError
from phases.record.incident import Incident, MessageRef

log = logging.getLogger(__name__)

KINDS = ("decision", "status", "progress", "tree", "announcement")
"""The kinds by importance. Within a kind: the most urgent first (bot/store/commit.py `urgency`)."""
COOL_SECONDS: Mapping[str, float] = {"progress": 5.0}
"""How long after an edit a message is left alone; the marks of that time become one edit."""
COOL_DOWN_SECONDS = 1.0
EDIT_SECONDS = 8.0
"""Shorter than the lease: an edit has ended before anybody else may begin one."""
LOOK_SECONDS = 0.5
SPENT_SECONDS = 10.0
"""A kind whose edits are used up is asked about again after this at most: the wait was told by the
clock of Redis, and is an hour too long where that was set back by an hour just then."""
APART_SECONDS = 0.05
"""Between two looks: many changes in a row cost one look, not one each."""
AT_MOST = 500
"""Marks that one look takes from Redis: reading more would hold up acks meanwhile."""
ANEW_SECONDS = 30.0
"""All marks are read again so often, which heals whatever went wrong."""
NOT_POSTED_SECONDS = 1.0
NOT_POSTED_AT_MOST = 30.0
"""Between two looks whether a marked message is posted by now; twice as long each time.

Some messages are never posted. A message that is posted is looked at at once.
"""
BUSY_SECONDS = 0.2
TROUBLE_SECONDS = 2.0
FAULT_SECONDS = 30.0
AT_ONCE = 4
DELETED, ARCHIVED = "message_not_found", "is_inactive"
"""https://docs.slack.dev/reference/methods/chat.update#errors

Bolt does not hand on the event that tells of a deletion: it takes whatever is about a bot's own
message for the bot's own doing.
"""


Render = Callable[[str, Incident, datetime], Awaitable[Message]]
"""(name, incident, now): a live message from the newest state."""


class _Place(NamedTuple):
    """The place of a mark in the queue."""

    importance: int
    urgency: int
    kind: str


class _End(NamedTuple):
    """The end of an edit."""

    clear: bool = False
    """Its mark is dealt with."""
    shows: str | None = None
    """The fingerprint of what was sent."""
    cool: float = 0.0
    """Seconds for which the message is left alone now."""


class Live(Worker):
    """Edits what is marked until it is cancelled. Any number may run on one Redis."""

    def __init__(
        self,
        store: Store,
        render: Render,
        slack: Slack,
        incidents: Incidents | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """`edited`, `unchanged`, `dropped`, `put off`, since the start of this process."""
        super().__init__(log, "live messages")
        self._store = store
        self._render = render
        self._slack = slack
        self._incidents = incidents
        """Told of messages that somebody deleted."""
        self._marks = DirtyMarks(store)
        self._budget = EditBudget(store)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._known: dict[_Place, dict[str, float]] = {}
        """Place in the queue → member → its newest known mark, the one that waits longest first."""
        self._place: dict[str, _Place] = {}
        self._seen = 0.0
        """All marks up to this counter are known."""
        self._anew = 0.0
        """When all are read again (monotonic seconds)."""
        self._not_before: dict[str, tuple[float, float, float]] = {}
        """Member → counter of the mark that has to wait, for how long, until when (monotonic).

        A newer mark does not have to wait.
        """
        self._held_off: dict[str, float] = {}
        """Member → until when whatever its mark, e.g. while another replica edits it."""
        self._spent: dict[str, float] = {}
        """Kind → until when its share of the budget is used up."""

    async def run(self) -> None:
        try:
            while True:
                self._store.dirtied.clear()
                wait = TROUBLE_SECONDS
                with self.turn():
                    wait = await self.sweep()
                await asyncio.sleep(min(APART_SECONDS, wait))
                try:
                    async with asyncio.timeout(wait):
                        await self._store.dirtied.wait()
                except TimeoutError:
                    continue
        finally:
            self.running = False
            for task in self._tasks.values():
                task.cancel()
            if self._tasks:
                await asyncio.wait(list(self._tasks.values()), timeout=EDIT_SECONDS)

    async def sweep(self) -> float:
        """Begins the edits that are due, the important first. Seconds after which to look again."""
        more = await self._listen()
        now = time.monotonic()
        for known in [known for known, until in self._held_off.items() if until <= now]:
            del self._held_off[known]
        wait = 0.0 if more else LOOK_SECONDS
        for place in sorted(self._known):
            spent = self._spent.get(place.kind, 0.0)
            if spent > now:
                wait = min(wait, spent - now)
                continue
            for marked, counter in self._known[place].items():
                if len(self._tasks) >= AT_ONCE:
                    return wait
                if marked in self._tasks:
                    continue
                held, _, until = self._not_before.get(marked, (0, 0.0, 0.0))
                until = max(until if held == counter else 0.0, self._held_off.get(marked, 0.0))
                if until > now:
                    wait = min(wait, until - now)
                    continue
                task = asyncio.create_task(self._edit(marked, counter), name=f"live {marked}")
                self._tasks[marked] = task
                task.add_done_callback(lambda _, marked=marked: self._task_ended(marked))
        return wait

    async def _listen(self) -> bool:
        """Take in the new marks, or (now and then) all; return whether there are more at once."""
        now = time.monotonic()
        if now >= self._anew:
            self._seen, self._anew = 0, now + ANEW_SECONDS
        marks, newest = await self._marks.since(self._seen, AT_MOST)
        # Redis lost the end of its memory, and counts those numbers again.
        if newest < int(self._seen):
            self._seen = self._anew = 0
            return True
        for marked, counter in marks:
            place, before = _place(marked, counter), self._place.get(marked)
            if before is not None and before != place:
                self._known[before].pop(marked, None)
            self._place[marked] = place
            self._known.setdefault(place, {})[marked] = counter
            self._seen = counter
        return len(marks) == AT_MOST

    def _forget(self, marked: str, counter: float) -> None:
        """Its mark is gone, unless a newer one was heard of meanwhile."""
        place = self._place.get(marked)
        if place is not None and self._known[place].get(marked, counter + 1) <= counter:
            del self._known[place][marked], self._place[marked]
            self._not_before.pop(marked, None)

    async def posted(self, incident: str, name: str, message: Message | None) -> None:
        """Remember what a live message showed when it was posted, so that it is not sent again.

        None: nobody knows, and the next mark is an edit in any case.
        """
        if message is not None:
            await self._marks.remember(member(incident, name), _fingerprint(message))
        self._not_before.pop(member(incident, name), None)

    def _task_ended(self, marked: str) -> None:
        self._tasks.pop(marked, None)
        self._store.dirtied.set()

    async def _edit(self, marked: str, heard: float) -> None:
        try:
            begun = await self._marks.begin(marked)
            if begun is None:
                self._held_off[marked] = time.monotonic() + BUSY_SECONDS
                return
            end = _End()
            try:
                end = await self._under_lease(marked, heard, begun)
            finally:
                cleared = await self._marks.end(
                    marked, begun, clear=end.clear, shows=end.shows, cool_seconds=end.cool
                )
                if cleared and begun.counter is not None:
                    self._forget(marked, begun.counter)
        except StoreError as error:
            log.warning("live message %s waits for Redis: %s", marked, error.text)
            self._held_off[marked] = time.monotonic() + TROUBLE_SECONDS
        # A fault of ours must not end the others' edits, nor spin.
        except Exception as error:  # noqa: BLE001
            log_crash(log, f"live message {marked} failed", error)
            self._held_off[marked] = time.monotonic() + FAULT_SECONDS

    async def _under_lease(self, marked: str, heard: float, begun: EditLease) -> _End:
        # The mark was read first, then the state: a mark in between is newer, and stays.
        if begun.counter is None:
            self._forget(marked, heard)
            return _End()
        id, _, name = marked.partition("|")
        incident = self._parsed_record(id, begun.record)
        ref = incident.messages.get(name) if incident else None
        if incident is None or (ref is None and not incident.open):
            return self._drop(marked, "there is no such message")
        if ref is None:  # its effect will post it
            held, before, _ = self._not_before.get(marked, (0, 0.0, 0.0))
            wait = (
                min(NOT_POSTED_AT_MOST, before * 2) if held == begun.counter else NOT_POSTED_SECONDS
            )
            self._not_before[marked] = (begun.counter, wait, time.monotonic() + wait)
            return _End()
        try:
            message = await self._render(name, incident, datetime.now(UTC))
        # The same state fails in the same way: the mark waits for the next one.
        except Exception as error:  # noqa: BLE001
            log_crash(log, f"live message {marked} cannot be rendered", error)
            return self._drop(marked, "it cannot be rendered")
        fingerprint = _fingerprint(message)
        if fingerprint == begun.shows:
            self.counts["unchanged"] += 1
            return _End(clear=True)
        if wait := await self._budget.spend(_kind(marked), begun.token, changes=marked):
            self.counts["put off"] += 1
            self._spent[_kind(marked)] = time.monotonic() + min(wait, SPENT_SECONDS)
            return _End()
        return await self._send(marked, ref, message, fingerprint, begun.token)

    def _parsed_record(self, id: str, record: str | None) -> Incident | None:
        try:
            return self._store.parsed(id, record) if record else None
        except NotThisVersion as error:
            log.error("%s", error.text)
            return None

    async def _send(
        self, marked: str, ref: MessageRef, message: Message, fingerprint: str, token: str
    ) -> _End:
        try:
            async with asyncio.timeout(EDIT_SECONDS):
                await self._slack.update(ref.channel, ref.ts, message)
        except (PortError, TimeoutError) as error:
            if isinstance(error, SlackRefused) and error.error == DELETED:
                return await self._lost(marked, LiveMessageDeleted(ref=ref), "somebody deleted it")
            if isinstance(error, SlackRefused) and error.error == ARCHIVED:
                why = "its channel is archived"
                return await self._lost(marked, ChannelArchived(channel=ref.channel), why)
            return await self._not_sent(marked, error, token)
        self.counts["edited"] += 1
        return _End(
            clear=True, shows=fingerprint, cool=COOL_SECONDS.get(_kind(marked), COOL_DOWN_SECONDS)
        )

    async def _not_sent(self, marked: str, error: PortError | TimeoutError, token: str) -> _End:
        if isinstance(error, PortError) and not error.retryable:
            return self._drop(marked, error.text)
        wait = TROUBLE_SECONDS
        if isinstance(error, PortError) and error.retry_after is not None:
            wait = error.retry_after
            await self._budget.refused(wait, token)  # the limit is on the method, over all messages
        reason = (
            error.text if isinstance(error, PortError) else f"not done within {EDIT_SECONDS:.0f} s"
        )
        log.warning("live message %s again in %.0f s: %s", marked, wait, reason)
        self._held_off[marked] = time.monotonic() + wait
        return _End()

    async def _lost(self, marked: str, action: Action, why: str) -> _End:
        """Report what became of a message: the incident may want another in its place."""
        id = marked.partition("|")[0]
        if self._incidents is not None and isinstance(
            await self._incidents.dispatch(action, id), Unknown
        ):
            self._held_off[marked] = time.monotonic() + TROUBLE_SECONDS
            return _End()
        return self._drop(marked, why)

    def _drop(self, marked: str, reason: str) -> _End:
        self.counts["dropped"] += 1
        log.warning("live message %s is left as it is: %s", marked, reason)
        return _End(clear=True)


def _kind(marked: str) -> str:
    """`INC-0001|decision:2` → `decision`."""
    return marked.partition("|")[2].partition(":")[0]


def _place(marked: str, counter: float) -> _Place:
    kind = _kind(marked)
    importance = KINDS.index(kind) if kind in KINDS else len(KINDS)
    return _Place(importance, round(counter % 1 * RANK_COUNT), kind)


def _fingerprint(message: Message) -> str:
    shown = json.dumps(
        [message.text, list(message.blocks), list(message.rich)], ensure_ascii=False, sort_keys=True
    )
    return hashlib.sha256(shown.encode(errors="surrogatepass")).hexdigest()[:32]
