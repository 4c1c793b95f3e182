"""Dispatches actions: load, step, commit, and again after a conflict. The only caller of `step`."""

import asyncio
import dataclasses
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import uuid4
from weakref import WeakValueDictionary

from bot.connection.client import DISPATCH_SECONDS, AnswerLost, NotRecorded, NotThisVersion
from bot.runtime.clock_jump import passed
from bot.runtime.turns import Turns
from bot.store.incident_store import (
    RECORDS_KEPT,
    Already,
    Answer,
    Conflict,
    Done,
    Duplicate,
    Gone,
    Late,
    Loaded,
    Store,
    Taken,
    TimeLimit,
)
from bot.store.refusals import number_of, taken_text, too_large
from bot.store.short_records import short_records
from handlers.dispatcher import Delivery, EffectEnded, Recorded, TimerDue, Trigger, Unknown
from phases.coordination.duplicates import joined_entry
from phases.coordination.short_records import Index, ShortRecord
from phases.messages.base import Action
from phases.messages.commands import Declare, WithOthers
from phases.messages.results import ChannelOpened, MessagePosted, Triaged
from phases.ports.ports import Catalogue
from phases.record.incident import Incident
from phases.record.service import Service
from phases.record.timeline import Shown
from phases.shared.change import Change, Refused

log = logging.getLogger(__name__)

Step = Callable[[Incident | None, Action, Service, datetime], Change | Refused]

NOTHING = "Nothing was recorded. Try again in a moment."
LOOKED_SECONDS = 0.25
"""The age up to which a record serves a person: a click loads, and speaks a moment later."""
KEPT_SECONDS = 2.0
"""The same for the bot's own work: effects of one incident end one after the other. So long the
time of a step may be wrong where the clock of Redis is set."""
WAITED_FOR = (ChannelOpened, Triaged, MessagePosted)
"""Results without which people see no channel, no decision and no pinned status."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A record, and when Redis told its time (`passed`), which goes on since then."""

    loaded: Loaded
    at: float
    newest: float
    """When it surely was the newest record."""

    @property
    def now(self) -> datetime:
        return self.loaded.server_now + timedelta(seconds=passed() - self.at)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One dispatch. `ends` is when it is given up, by the clock of the event loop."""

    action: Action
    incident: str | None
    trigger: Trigger | None
    deadline: datetime | None
    ends: float

    @property
    def left(self) -> float:
        return self.ends - asyncio.get_running_loop().time()

    @property
    def first(self) -> bool:
        """True where people wait for it: housekeeping that ends at the same time gives way."""
        return isinstance(self.trigger, Delivery) or isinstance(self.action, WAITED_FOR)


class Incidents:
    """Keeps `handlers.dispatcher.Dispatcher` over a store. Raises `StoreError`.

    `step` is `phases.workflow.step`. `now` is for tests: without it the time of a step is the time
    of the Redis server. Timers are compared with it, too, so that replicas with wrong clocks agree.
    """

    def __init__(
        self,
        store: Store,
        step: Step,
        catalogue: Catalogue,
        *,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._store = store
        self._step = step
        self._catalogue = catalogue
        self._now = now
        # One at a time an incident in this process. The version decides; this spares work.
        self._turns: WeakValueDictionary[str, Turns] = WeakValueDictionary()
        self._declaring = Turns()
        """One new incident at a time: twenty at once would all try for the same number."""
        self._kept: dict[str, _Read] = {}
        """The records read or written last.

        They spare a round trip: the commit checks version, delivery, timer and entry, and who is
        refused by an older record is refused by one that is loaded anew.
        """
        self._shared: dict[str, float] = {}
        """Incidents that another process wrote meanwhile, and when: it may well write next."""

    async def dispatch(
        self,
        action: Action,
        incident: str | None,
        trigger: Trigger | None = None,
        deadline: datetime | None = None,
        *,
        seconds: float | None = None,
    ) -> Recorded | Refused | Unknown:
        """Loads, steps, commits; again on a conflict, for 2 s in all, or for `seconds`.

        `deadline` is in the time of the Redis server: later nothing is committed (code `late`).
        Whatever the answer: an action that is said again with the same `trigger` counts once.
        """
        patience = min(DISPATCH_SECONDS, seconds or DISPATCH_SECONDS)
        ends = asyncio.get_running_loop().time() + patience
        try:
            asked = _Asked(action, incident, trigger, deadline, ends)
            async with self._turn(asked):
                return await self._step_and_commit(asked)
        except NotThisVersion as error:
            log.error("nothing recorded of %s: %s", action.type, error.text)
            return Refused("version", f"{error.text}. Run the newest one. Nothing was changed.")
        except NotRecorded as error:
            log.error(
                "nothing recorded of %s for %s: %s",
                action.type,
                incident or "a new incident",
                error.text,
            )
            return Unknown(f"{error.text}. {NOTHING}")
        except AnswerLost as error:
            log.error(
                "answer lost for %s of %s: %s",
                action.type,
                incident or "a new incident",
                error.text,
            )
            return Unknown(f"{error.text}. {Unknown().text}") if error.halfway else Unknown()

    async def _step_and_commit(self, asked: _Asked) -> Recorded | Refused | Unknown:
        commit_id = uuid4().hex
        action, incident = asked.action, asked.incident
        above = 0
        guess = self._kept_record(incident, asked.trigger)
        while True:
            read = guess or await self._read_record(incident, asked.trigger)
            loaded = read.loaded
            if ended := await self._ended_already(asked, loaded):
                return ended
            if isinstance(action, Declare) and incident is None:
                above = max(above + 1, loaded.next_number)
                action = action.model_copy(update={"number": above})
            others: list[Loaded] = []
            if isinstance(action, WithOthers):
                others = [await self._store.load(id) for id in dict.fromkeys(action.others)]
                other_records = tuple(
                    other.incident for other in others if other.incident is not None
                )
                action = action.model_copy(update={"records": other_records})
            change = self._step(
                loaded.incident, action, self._service(action, loaded), self._time(read)
            )
            if isinstance(change, Refused):
                if guess is None:
                    return change
                guess = None  # the newest record may say something else
                continue
            if loaded.incident is None:
                change = dataclasses.replace(
                    change, claims=(*change.claims, number_of(change.incident))
                )
            if isinstance(asked.trigger, EffectEnded) and change.is_nothing(loaded.incident):
                answer = await self._end_effect(asked.trigger, read)
            elif refused := too_large(change, asked.trigger):
                return refused
            else:
                answer = await self._commit(commit_id, asked, read, change, others)
            if guess is not None and isinstance(answer, Conflict | Gone):
                guess = None  # somebody else wrote, or did it; or all of it is lost
                if len(self._shared) >= RECORDS_KEPT:
                    self._shared.clear()
                self._shared[change.incident.id] = passed()
                continue
            guess = None
            outcome = await self._outcome(answer, action, change.incident, loaded, asked.trigger)
            if outcome is not None:
                return outcome
            if isinstance(answer, Conflict):
                above = max(0, above - 1)  # the same number is fine if it is still free
            await asyncio.sleep(random.uniform(0, 0.01))

    async def _ended_already(
        self, asked: _Asked, loaded: Loaded
    ) -> Recorded | Refused | Unknown | None:
        """Return the answer to what needs no step: it came before, comes too late, or to nobody."""
        if loaded.handled_by is not None:
            return await self._handled_before(loaded.handled_by, loaded)
        if asked.incident is not None and loaded.incident is None:
            return Refused("unknown", f"There is no incident {asked.incident}.")
        if asked.left <= 0:
            return Unknown(f"Too much happens here at once. {NOTHING}")
        return None

    async def _commit(
        self, commit_id: str, asked: _Asked, read: _Read, change: Change, others: Sequence[Loaded]
    ) -> Answer:
        """Commit a change, and keep its record for what comes next."""
        # Later nobody waits for the answer: a held-up commit must not come true then.
        latest = read.now + timedelta(seconds=asked.left)
        for part in (change, *change.also):
            self._kept.pop(part.incident.id, None)
        newest = passed()
        answer = await self._store.commit(
            commit_id,
            read.loaded,
            change,
            also=others,
            trigger=asked.trigger,
            limit=TimeLimit(min(latest, asked.deadline or latest), asked.left),
        )
        shared = passed() - self._shared.get(change.incident.id, 0.0) <= KEPT_SECONDS
        if isinstance(answer, Done) and not shared:
            written = Loaded(change.incident, answer.version, read.loaded.server_now)
            self._remember_record(_Read(written, read.at, newest))
        return answer

    async def _end_effect(self, trigger: EffectEnded, read: _Read) -> Answer:
        """End an effect that succeeded and changes nothing, as most do: that is no commit."""
        newest = passed()
        answer = await self._store.end_effect(read.loaded, trigger.entry)
        if isinstance(answer, Done):
            self._remember_record(dataclasses.replace(read, newest=newest))
        return answer

    async def _outcome(
        self,
        answer: Answer,
        action: Action,
        changed: Incident,
        loaded: Loaded,
        trigger: Trigger | None,
    ) -> Recorded | Refused | Unknown | None:
        """Return what a commit's answer means for the action; None: step and commit again."""
        match answer:
            case Done() | Already():
                # In the next turn of the loop, behind the ack: nobody waits for a line of the log.
                asyncio.get_running_loop().call_soon(_log, changed, action, trigger)
                return Recorded(changed)
            case Duplicate(incident=owner):
                return await self._handled_before(owner, loaded)
            case Gone():
                return await self._handled_before("", loaded)
            case Late() if isinstance(trigger, TimerDue | EffectEnded):
                # Redis was slow, or its clock was set forward: dispatched again, never dropped.
                return Unknown(NOTHING)
            case Late():
                return Refused("late", f"This came too late and was not carried out. {NOTHING}")
            case Taken(claim=claim) if claim == number_of(changed).key:
                return None  # the next free number
            case Taken():
                return Refused("taken", taken_text(answer), owner=answer.owner, claim=answer.claim)
            case Conflict():
                return None
            case _:
                assert_never(answer)

    async def load(self, incident: str) -> Incident | None:
        try:
            read = await self._read_record(incident)
        except NotThisVersion as error:
            log.error("%s", error.text)
            return None
        self._remember_record(read)
        return read.loaded.incident

    async def recent(self, incident: str, version: int) -> Incident | None:
        cached = self._kept.get(incident)
        if cached is None or cached.loaded.version < version:
            return await self.load(incident)
        young = passed() - cached.newest <= LOOKED_SECONDS
        return cached.loaded.incident if young else await self.load(incident)

    async def _read_record(self, incident: str | None, trigger: Trigger | None = None) -> _Read:
        asked = passed()
        return _Read(await self._store.load(incident, trigger), passed(), asked)

    def _remember_record(self, read: _Read) -> None:
        if (incident := read.loaded.incident) is None:
            return
        newest = self._kept.get(incident.id)
        if newest is not None and newest.loaded.version > read.loaded.version:
            return  # it was on its way while a newer one was written
        if len(self._kept) >= RECORDS_KEPT:
            self._kept.clear()
        self._kept[incident.id] = read

    def _kept_record(self, incident: str | None, trigger: Trigger | None) -> _Read | None:
        """Return the record that was read or written a moment ago, once."""
        if incident is None or (read := self._kept.pop(incident, None)) is None:
            return None
        most = LOOKED_SECONDS if isinstance(trigger, Delivery) else KEPT_SECONDS
        return read if passed() - read.at <= most else None

    async def timeline(self, incident: str) -> list[Shown]:
        """Return the entries with those of its duplicates, by time and marked."""
        entries = await self._store.timeline(incident)
        record = await self.load(incident)
        for id in record.merged if record is not None else ():
            entries += [joined_entry(id, entry) for entry in await self._store.timeline(id)]
        return sorted(entries, key=lambda entry: entry.at)

    async def short_records(self, index: Index) -> list[ShortRecord]:
        return await short_records(self._store, index)

    async def records(self, ids: Iterable[str]) -> list[Incident]:
        return await self._store.get(ids)

    async def owner(self, claim: str) -> str | None:
        return await self._store.owner(claim)

    async def holding(self, service: str) -> list[Incident]:
        return await self._store.get(await self._store.ids("holding", f"service:{service}"))

    async def changed(self) -> str:
        return await self._store.changed()

    async def find(
        self, *, channel: str | None = None, service: str | None = None, open_only: bool = True
    ) -> list[Incident]:
        """Return incidents by channel or service, newest first."""
        indexes = ["open"] if open_only else ["all"]
        if channel is not None:
            indexes.append(f"channel:{channel}")
        if service is not None:
            indexes.append(f"service:{service}")
        if len(indexes) > 1:
            return await self._store.standing_in(*indexes)
        return await self._store.get(await self._store.ids(*indexes))

    async def _handled_before(self, seen: str, loaded: Loaded) -> Recorded | Refused:
        """Answer what was dealt with before, in the incident `seen` or in the loaded one."""
        if seen:  # its first answer may be lost because no replica has it yet
            await self._store.copied()
        if not seen or (loaded.incident is not None and loaded.incident.id == seen):
            incident = loaded.incident
        else:
            incident = await self.load(seen)
        # Lost with a fail-over, say: nobody can be told better by saying it again.
        if incident is None:
            return Refused(
                "unknown", "This was dealt with before, in an incident that is not there any more."
            )
        return Recorded(incident, again=True)

    def _service(self, action: Action, loaded: Loaded) -> Service:
        """Return the catalogue's service; a removed one lives on with every default."""
        name = loaded.incident.service if loaded.incident else getattr(action, "service", "")
        return self._catalogue.get(name) or Service(name=name)

    def _time(self, read: _Read) -> datetime:
        return self._now() if self._now else read.now

    @asynccontextmanager
    async def _turn(self, asked: _Asked) -> AsyncIterator[None]:
        turns = (
            self._declaring
            if asked.incident is None
            else self._turns.setdefault(asked.incident, Turns())
        )
        try:
            async with asyncio.timeout_at(asked.ends):
                await turns.take(first=asked.first)
        except TimeoutError as error:
            raise NotRecorded("Too much happens at once") from error
        try:
            yield
        finally:
            turns.give_back()


def _log(incident: Incident, action: Action, trigger: Trigger | None) -> None:
    log.info("%s %s", incident.id, action.type, extra=_log_fields(incident, trigger))


def _log_fields(incident: Incident, trigger: Trigger | None) -> dict[str, str]:
    """Return the fields of the log line: ids only, never what was said."""
    fields = {"incident": incident.id, "status": incident.status.value}
    match trigger:
        case Delivery(claims=claims):
            return {**fields, "delivery": " ".join(claims)}
        case TimerDue(name=name):
            return {**fields, "timer": name}
        case EffectEnded(entry=entry):
            return {**fields, "entry": entry}
        case None:
            return fields
