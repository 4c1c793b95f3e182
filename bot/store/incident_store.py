"""Incidents in Redis: one record an incident, one script a commit, and the reads beside it."""

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ValidationError
from redis.asyncio import Redis

from bot.connection.client import (
    DISPATCH_SECONDS,
    GROUP,
    AnswerLost,
    Command,
    Keys,
    NotRecorded,
    NotThisVersion,
    Script,
    connect,
    copied,
    read,
    run_script,
)
from bot.connection.pool import close
from bot.store.commit import SET_BACK_MS, Request, member, part_of, request_of, to_ms
from handlers.dispatcher import Delivery, EffectEnded, TimerDue, Trigger
from phases.record.incident import Entry, Incident
from phases.record.timeline import Shown, shown_timeline
from phases.shared.change import Change

log = logging.getLogger(__name__)

TOGETHER = 50
"""Records that are read at once: some 10 ms of processor time, in which nobody else is answered."""
RECORDS_KEPT = 250
"""Records that are kept as they were read or written last: 32 kB each, 8 MB at most."""
COMMIT = Script("commit")
END = Script("outbox_end")
INCIDENTS_IN = Script("incidents_in")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A record as it was read. `version` 0: there is none (yet)."""

    incident: Incident | None
    version: int
    server_now: datetime
    handled_by: str | None = None
    """The incident that this delivery went to, or whose timer or effect was dealt with before."""
    next_number: int = 0
    """For a new incident: one above the highest."""


@dataclass(frozen=True, slots=True)
class Done:
    version: int


@dataclass(frozen=True, slots=True)
class Already:
    """This very commit was written before: a success whose answer was lost."""

    incident: str
    version: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The delivery was seen; it went to `incident`."""

    incident: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The timer or the outbox entry was dealt with before."""


@dataclass(frozen=True, slots=True)
class Late:
    """The deadline had passed on the server's clock; nothing was written."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else wrote first."""

    version: int


@dataclass(frozen=True, slots=True)
class Taken:
    claim: str
    owner: str


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """The time that a commit may take."""

    deadline: datetime | None = None
    """On the server's clock: later nothing is written."""
    seconds: float = DISPATCH_SECONDS
    """So long the answer is waited for."""


Answer = Done | Already | Duplicate | Gone | Late | Conflict | Taken


class Store:
    """Reads and commits, with a client of `bot.connection.client.connect`."""

    def __init__(self, redis: Redis, *, prefix: str = "{fb}", wait_replicas: int = 0) -> None:
        self.redis = redis
        self.keys = Keys(prefix)
        self._wait_replicas = wait_replicas
        """So many replicas must have a commit before it counts (REDIS_WAIT_REPLICAS)."""
        self.unreadable: set[str] = set()
        """Incidents whose records this version met and could not read."""
        self._read_before: dict[str, tuple[str, Incident]] = {}
        self.dirtied = asyncio.Event()
        """Set by every commit of this process that marks a live message, for `bot.live`."""

    @classmethod
    def open(cls, url: str, *, prefix: str = "{fb}", wait_replicas: int = 0) -> Self:
        """A store on a URL of `bot.config.redis_url`; nothing is sent yet."""
        return cls(connect(url), prefix=prefix, wait_replicas=wait_replicas)

    def beside(self, name: str) -> "Store":
        """The same Redis, under keys of its own that are the bot's, too."""
        return Store(
            self.redis, prefix=f"{self.keys.prefix}:{name}", wait_replicas=self._wait_replicas
        )

    async def close(self) -> None:
        await close(self.redis)

    # --- reads ------------------------------------------------------------------------------------

    async def load(self, incident: str | None, trigger: Trigger | None = None) -> Loaded:
        """Return the record and its version, and whether `trigger` was dealt with before.

        Raises `NotRecorded` when Redis or the record cannot be read.
        """
        if incident is None:
            what: Command = ("ZRANGE", self.keys.all, 0, 0, "REV", "WITHSCORES")
        else:
            what = ("HMGET", self.keys.incident(incident), "version", "record")
        commands: list[Command] = [("TIME",), what]
        match trigger:
            case Delivery(claims=claims) if claims:
                commands.append(("MGET", *map(self.keys.delivery, claims)))
            case TimerDue():
                commands.append(
                    ("ZSCORE", self.keys.timers, member(trigger.incident, trigger.name))
                )
            case EffectEnded():
                commands.append(
                    ("XPENDING", self.keys.outbox, GROUP, trigger.entry, trigger.entry, 1)
                )
            case _:
                pass
        # An entry without a group, or with what is no id, is pending nowhere: it is gone.
        answers = await read(self.redis, *commands, allowed=("NOGROUP", "Invalid stream ID"))
        server_now = _server_time(answers[0])
        handled_by = _handled_by(trigger, answers[2]) if len(answers) > 2 else None
        if incident is None:
            number = int(answers[1][1]) + 1 if answers[1] else 1
            return Loaded(None, 0, server_now, handled_by, number)
        version, record = answers[1]
        return Loaded(
            self.parsed(incident, record) if record else None,
            int(version or 0),
            server_now,
            handled_by,
        )

    def parsed(self, id: str, record: str) -> Incident:
        """Return the record; the one that was read last for this incident is not parsed again.

        Of an incident that opens these are two reads in three. Raises `NotThisVersion`.
        """
        known, incident = self._read_before.pop(id, ("", None))
        if incident is None or known != record:
            try:
                incident = Incident.model_validate_json(record)
            except ValidationError as error:
                self.unreadable.add(id)
                raise NotThisVersion(
                    f"The record of {id} cannot be read by this version of the bot"
                ) from error
        self._remember(id, record, incident)
        return incident

    def _remember(self, id: str, record: str, incident: Incident) -> None:
        """Keep a record as it was read or written, at the end: the oldest stands first."""
        self._read_before.pop(id, None)
        self._read_before[id] = (record, incident)
        if len(self._read_before) > RECORDS_KEPT:
            del self._read_before[next(iter(self._read_before))]

    async def get(self, incidents: Iterable[str]) -> list[Incident]:
        """Return the records of these incidents, in their order; unreadable ones are left out."""
        records: list[Incident] = []
        for some in _batches(list(incidents), TOGETHER):
            records += await self._get(some)
            # Others have their turn: an answer that is there already is read without one.
            await asyncio.sleep(0)
        return records

    async def _get(self, ids: Sequence[str]) -> list[Incident]:
        commands = (("HGET", self.keys.incident(id), "record") for id in ids)
        records = await read(self.redis, *commands)
        return self.readable(zip(ids, records, strict=True))

    async def standing_in(self, *indexes: str) -> list[Incident]:
        """Return `get(ids(*indexes))` in one round trip: for the few of one service or channel."""
        answer = await self.run(INCIDENTS_IN, indexes=indexes)
        return self.readable(zip(answer[::2], answer[1::2], strict=True))

    def readable(self, records: Iterable[tuple[str, str | None]]) -> list[Incident]:
        """Parse the records; what is no record is left out, and logged."""
        incidents: list[Incident] = []
        for id, record in records:
            if not record:
                continue
            try:
                incidents.append(Incident.model_validate_json(record))
            except ValidationError as error:
                self.unreadable.add(id)
                log.error(
                    "record of %s cannot be read: %s fields do not fit", id, error.error_count()
                )
        return incidents

    async def timeline(self, incident: str) -> list[Shown]:
        """Return what is shown, by time: the newest words, and nothing that was taken back."""
        lines, words = await read(
            self.redis,
            ("LRANGE", self.keys.timeline(incident), 0, -1),
            ("HGETALL", self.keys.words(incident)),
        )
        entries = [Entry.model_validate_json(line) for line in lines]
        return shown_timeline(
            entries,
            {
                ref: Entry.model_validate_json(entry)
                for ref, entry in zip(words[::2], words[1::2], strict=True)
            },
        )

    async def ids(self, *indexes: str) -> list[str]:
        """Return the incidents that stand in all these indexes (`Keys.index`), newest first."""
        keys = [self.keys.index(name) for name in indexes]
        if len(keys) == 1:
            return await self._read("ZRANGE", keys[0], 0, -1, "REV")
        both = await self._read("ZINTER", len(keys), *keys, "AGGREGATE", "MAX")
        return both[::-1]

    async def owner(self, claim: str) -> str | None:
        """Return the incident that holds a claim; None where it is free."""
        return await self._read("GET", self.keys.claim(claim))

    async def changed(self) -> str:
        """The counter of dirty marks: it grows with every change that people see."""
        return str(await self._read("GET", self.keys.dirty_counter))

    async def server_now(self) -> datetime:
        return _server_time(await self._read("TIME"))

    async def _read(self, *command: str | int) -> Any:
        (answer,) = await read(self.redis, command)
        return answer

    async def run(self, script: Script, *texts: str, **arguments: object) -> Any:
        """Runs a script on the keys of this store (`bot.connection.client.run_script`)."""
        return await run_script(self.redis, script, self.keys.prefix, *texts, **arguments)

    # --- the commit -------------------------------------------------------------------------------

    async def commit(
        self,
        commit_id: str,
        loaded: Loaded,
        change: Change,
        *,
        also: Sequence[Loaded] = (),
        trigger: Trigger | None = None,
        limit: TimeLimit = TimeLimit(),
    ) -> Answer:
        """Write a change, all of it or nothing; `also` are the others of a merge.

        After a lost answer it asks again with the same id, until the limit.

        Raises `AnswerLost` when no try was answered, `NotRecorded` when surely nothing was written.
        """
        request = request_of(
            commit_id, loaded.incident, loaded.version, change, trigger, limit.deadline
        )
        request["read_at"], request["tolerance_ms"] = to_ms(loaded.server_now), SET_BACK_MS
        if change.also:
            read = {other.incident.id: other for other in also if other.incident is not None}
            others = [(read[part.incident.id], part) for part in change.also]
            request["also"] = [part_of(was.incident, was.version, part) for was, part in others]
        records = [part.record for part in (change, *change.also)]
        answer = await self._until_answered(commit_id, request, records, limit.seconds)
        if isinstance(answer, Done):
            self._remember(change.incident.id, records[0], change.incident)
        if isinstance(answer, Done | Already) and (change.dirty or change.also):
            self.dirtied.set()
        return answer

    async def _until_answered(
        self, commit_id: str, request: Request, records: Sequence[str], seconds: float
    ) -> Answer:
        """Write, and ask again with the same id until Redis answers. Raises as `commit`."""
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        lost: AnswerLost | None = None
        for pause in (0.02, 0.05, 0.1, *([0.2] * 100)):
            try:
                async with asyncio.timeout_at(ends):
                    answer = await self.write(request, *records)
                    return await self._replicated(commit_id, answer, ends)
            except TimeoutError as error:
                raise lost or AnswerLost("Redis did not answer in time") from error
            except AnswerLost as error:
                if error.halfway:
                    # Asked again, it would find its own half and say that somebody else was faster.
                    raise
                lost = failed = error
            except NotRecorded as error:
                failed = lost or error  # this try wrote nothing, an earlier one may have
                if error.refused and lost is None:
                    raise
            if clock() + pause >= ends:
                raise failed
            await asyncio.sleep(random.uniform(0.5, 1) * pause)
        raise lost or NotRecorded("Redis cannot be reached")

    async def _replicated(self, commit_id: str, answer: Answer, ends: float) -> Answer:
        """Return the answer once as many replicas have it as the settings ask for."""
        if self._wait_replicas and isinstance(answer, Done | Already):
            await copied(
                self.redis,
                self._wait_replicas,
                ends - asyncio.get_running_loop().time(),
                fence=self.keys.fence,
                witness=self.keys.commit(commit_id),
            )
        return answer

    async def write(self, request: Request, *records: str) -> Answer:
        """Runs the script of a commit, once. Raises as `bot.connection.client.call`."""
        return _parsed_answer(await self.run(COMMIT, *records, **request))

    async def end_effect(self, loaded: Loaded, entry: str) -> Answer:
        """End an effect whose result changes nothing, while the record is still the loaded one.

        `Done` with its version, `Conflict` or `Gone`. Raises as `bot.connection.client.call`.
        """
        assert loaded.incident is not None
        incident, version = loaded.incident.id, loaded.version
        return _parsed_answer(
            await self.run(END, group=GROUP, incident=incident, version=version, entry=entry)
        )

    async def copied(self) -> None:
        """Wait until all that was written has its replicas. Raises `AnswerLost`."""
        if self._wait_replicas:
            await copied(self.redis, self._wait_replicas, DISPATCH_SECONDS, fence=self.keys.fence)


def _server_time(answer: Sequence[str]) -> datetime:
    """The time that `TIME` answered."""
    seconds, micros = map(int, answer)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


def _handled_by(trigger: Trigger | None, answer: Any) -> str | None:
    """The owner of a delivery, or "" for a timer or entry that is gone; None where it is new."""
    match trigger:
        case Delivery():
            return next((owner for owner in answer if owner), None)
        case TimerDue():
            return None if answer is not None and int(float(answer)) == trigger.at_ms else ""
        case EffectEnded():
            return None if isinstance(answer, list) and answer else ""
        case None:
            return None


def _parsed_answer(raw: list[Any]) -> Answer:
    match raw:
        case ["done", int(version), _]:
            return Done(version)
        case ["already", str(incident), int(version)]:
            return Already(incident, version)
        case ["duplicate", str(incident), _]:
            return Duplicate(incident)
        case ["gone"]:
            return Gone()
        case ["late", _]:
            return Late()
        case ["conflict", int(version)]:
            return Conflict(version)
        case ["taken", str(claim), str(owner)]:
            return Taken(claim, owner)
        case _:
            raise AnswerLost("Redis answered something that this bot does not understand")


def _batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for begin in range(0, len(ids), size):
        yield ids[begin : begin + size]
