"""Incidents in Redis: one record an incident, one script a commit (`commit.lua`), and the reads beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from bot import sentinel
from bot.connection import GROUP, SAY_SECONDS, AnswerLost, Keys, NotRecorded, Script, connect, copied, run_script
from handlers.door import Because, Delivery, EffectEnded, TimerDue
from phases.actions import ACTION
from phases.change import Change
from phases.effects import EFFECT
from phases.incident import Entry, Incident
from phases.memory import kept
from phases.past import PastIncident
from phases.timeline import shown, stub

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 15 * 60  # rules: Delivery claims (kept 15 minutes)
COMMIT_SECONDS = 60
"""How long a commit's id is known. It is tried again within `SAY_SECONDS` only."""
COMMIT = Script((Path(__file__).parent / "commit.lua").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A record as it was read. `version` 0: there is none (yet)."""

    incident: Incident | None
    version: int
    server_now: datetime
    seen: str | None = None
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


Answer = Done | Already | Duplicate | Gone | Late | Conflict | Taken


class _Claim(TypedDict, total=False):
    key: str
    ms: int
    soft: bool


class _Words(TypedDict):
    ref: str
    entry: str


class Memory(TypedDict, total=False):
    """The memory of an incident with the indexes that find it; without `record` it is forgotten."""

    service: str
    record: str
    member: str
    at: int
    index: list[str]
    unindex: list[str]


class Request(TypedDict, total=False):
    """What `commit.lua` reads from its first argument. Entries, effects and actions are JSON that it does not look into."""

    commit: str
    incident: str
    number: int
    base: int
    deadline: int
    deliveries: Sequence[str]
    delivery_ms: int
    commit_ms: int
    timer: dict[str, str | int]
    entry: str
    group: str
    entries: list[str]
    words: list[_Words]
    erased: list[str]
    effects: list[str]
    timers: list[dict[str, str | int]]
    cancels: list[str]
    claims: list[_Claim]
    releases: Sequence[str]
    dirty: list[str]
    index: list[str]
    unindex: list[str]
    memory: Memory


def member(incident: str, name: str) -> str:
    """How a timer or a dirty mark is called: `INC-0001|status`."""
    return f"{incident}|{name}"


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970. Raises ValueError for a naive time, which would mean another moment on each machine."""
    if at.tzinfo is None:
        raise ValueError("a time without a time zone")
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class Store:
    """Reads and commits. Give it a client of `bot.connection.connect`, or a URL with `Store.open`."""

    def __init__(self, redis: Redis, *, prefix: str = "{fb}", wait_replicas: int = 0) -> None:
        self.redis = redis
        self.keys = Keys(prefix)
        self._wait_replicas = wait_replicas
        """So many replicas must have a commit before it counts (REDIS_WAIT_REPLICAS)."""
        self.dirtied = asyncio.Event()
        """Set by every commit of this process that marks a live message: `bot.live` need not wait for its next look."""

    @classmethod
    def open(cls, url: str, *, prefix: str = "{fb}", wait_replicas: int = 0) -> Store:
        """A store on `redis://`, `rediss://`, `unix://` or `sentinel://`; nothing is sent yet."""
        return cls(connect(url), prefix=prefix, wait_replicas=wait_replicas)

    async def close(self) -> None:
        await sentinel.close(self.redis)

    # --- reads -------------------------------------------------------------------------------------------------

    async def load(self, incident: str | None, because: Because | None = None) -> Loaded:
        """The record with its version, the server's time, and whether `because` was dealt with before; one round trip.

        Raises `NotRecorded` when Redis or the record cannot be read.
        """
        pipe = self.redis.pipeline(transaction=False)
        pipe.time()
        if incident is None:
            pipe.zrange(self.keys.all, 0, 0, desc=True, withscores=True)
        else:
            pipe.hmget(self.keys.incident(incident), "version", "record")
        match because:
            case Delivery(claims=claims) if claims:
                pipe.mget([self.keys.delivery(claim) for claim in claims])
            case TimerDue():
                pipe.zscore(self.keys.timers, member(because.incident, because.name))
            case EffectEnded():
                pipe.xpending_range(self.keys.outbox, GROUP, because.entry, because.entry, 1)
            case _:
                pass
        try:
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise NotRecorded("Redis cannot be read.") from error
        for answer in answers[:2]:
            if isinstance(answer, Exception):
                raise NotRecorded(f"Redis refuses to be read ({answer}).") from answer
        seconds, micros = answers[0]
        server_now = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
        seen = _seen(because, answers[2]) if len(answers) > 2 else None
        if incident is None:
            number = int(answers[1][0][1]) + 1 if answers[1] else 1
            return Loaded(None, 0, server_now, seen, number)
        version, record = answers[1]
        try:
            parsed = Incident.model_validate_json(record) if record else None
        except ValidationError as error:
            raise NotRecorded(f"The record of {incident} cannot be read by this version of the bot.") from error
        return Loaded(parsed, int(version or 0), server_now, seen)

    async def get(self, incidents: Iterable[str]) -> list[Incident]:
        """The records of these incidents, in their order; what is not there, or is no record, is left out (and logged)."""
        ids = list(incidents)
        pipe = self.redis.pipeline(transaction=False)
        for id in ids:
            pipe.hget(self.keys.incident(id), "record")
        found: list[Incident] = []
        for id, record in zip(ids, await _read(pipe.execute), strict=True):
            if record is None:
                continue
            try:
                found.append(Incident.model_validate_json(record))
            except ValidationError as error:
                log.error("record of %s cannot be read: %s fields do not fit", id, error.error_count())
        return found

    async def timeline(self, incident: str) -> list[Entry]:
        """What is shown of it, by time: the newest words of what can change, and nothing that was taken back."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.lrange(self.keys.timeline(incident), 0, -1)
        pipe.hgetall(self.keys.words(incident))
        lines, words = await _read(pipe.execute)
        entries = [Entry.model_validate_json(line) for line in lines]
        return shown(entries, {ref: Entry.model_validate_json(one) for ref, one in words.items()})

    async def ids(self, *indexes: str) -> list[str]:
        """Incidents that stand in all these indexes (`all`, `open`, `channel:<id>`, `service:<name>`), newest first."""
        keys = [self.keys.index(name) for name in indexes]
        if len(keys) == 1:
            return list(await _read(lambda: self.redis.zrange(keys[0], 0, -1, desc=True)))
        both = await _read(lambda: self.redis.zinter(keys, aggregate="MAX"))
        return list(reversed(both))

    async def owner(self, claim: str) -> str | None:
        """Who holds a claim; None where it is free."""
        return await _read(lambda: self.redis.get(self.keys.claim(claim)))

    async def server_now(self) -> datetime:
        seconds, micros = await _read(self.redis.time)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)

    # --- the commit --------------------------------------------------------------------------------------------

    async def commit(
        self,
        commit_id: str,
        loaded: Loaded,
        change: Change,
        *,
        because: Because | None = None,
        deadline: datetime | None = None,
        seconds: float = SAY_SECONDS,
    ) -> Answer:
        """Writes a change, all of it or nothing. After a lost answer it asks again with the same id, within `seconds`.

        Raises `AnswerLost` when no try was answered, `NotRecorded` when surely nothing was written.
        """
        request = self._request(commit_id, loaded, change, because, deadline)
        arguments = (json.dumps(request, ensure_ascii=False), change.incident.model_dump_json())
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        lost: AnswerLost | None = None
        for pause in (0.02, 0.05, 0.1, *([0.2] * 100)):
            try:
                async with asyncio.timeout_at(ends):
                    answer = _answer(await run_script(self.redis, COMMIT, [self.keys.prefix], *arguments))
                    if self._wait_replicas and isinstance(answer, Done | Already):
                        await copied(self.redis, self._wait_replicas, ends - clock(), fence=self.keys.fence)
                break
            except TimeoutError as error:
                raise lost or AnswerLost("Redis did not answer in time.") from error
            except AnswerLost as error:
                lost = failed = error
            except NotRecorded as error:
                failed = lost or error  # this try wrote nothing, an earlier one may have
                if error.refused and lost is None:
                    raise
            if clock() + pause >= ends:
                raise failed
            await asyncio.sleep(random.uniform(0.5, 1) * pause)
        else:
            raise lost or NotRecorded("Redis cannot be reached.")
        if isinstance(answer, Done | Already) and change.dirty:
            self.dirtied.set()
        return answer

    def _request(
        self, commit_id: str, loaded: Loaded, change: Change, because: Because | None, deadline: datetime | None
    ) -> Request:
        incident = change.incident
        before, after = _indexes(loaded.incident), _indexes(incident)
        claims: list[_Claim] = []
        for claim in change.claims:
            wanted: _Claim = {"key": claim.key, "soft": claim.soft}
            if claim.seconds is not None:
                wanted["ms"] = claim.seconds * 1000
            claims.append(wanted)
        request: Request = {
            "commit": commit_id,
            "incident": incident.id,
            "number": incident.number,
            "base": loaded.version,
            "deliveries": because.claims if isinstance(because, Delivery) else (),
            "delivery_ms": DELIVERY_SECONDS * 1000,
            "commit_ms": COMMIT_SECONDS * 1000,
            "group": GROUP,
            "entries": [stub(entry).model_dump_json() for entry in change.entries],
            "words": [{"ref": e.ref, "entry": e.model_dump_json()} for e in change.entries if e.ref is not None],
            "erased": [e.hides for e in change.entries if e.hides is not None],
            "effects": [EFFECT.dump_json(effect).decode() for effect in change.effects],
            "timers": [
                {
                    "member": member(incident.id, timer.name),
                    "at": to_ms(timer.at),
                    "action": ACTION.dump_json(timer.action).decode(),
                }
                for timer in change.timers
            ],
            "cancels": [member(incident.id, name) for name in change.cancels],
            "claims": claims,
            "releases": change.releases,
            "dirty": [member(incident.id, name) for name in change.dirty],
            "index": sorted(after - before),
            "unindex": sorted(before - after),
        }
        if (memory := memory_request(loaded.incident, incident)) is not None:
            request["memory"] = memory
        match because:
            case TimerDue():
                request["timer"] = {"member": member(because.incident, because.name), "at": because.at_ms}
            case EffectEnded():
                request["entry"] = because.entry
            case _:
                pass
        if deadline is not None:
            request["deadline"] = to_ms(deadline)
        return request


def _indexes(incident: Incident | None) -> set[str]:
    if incident is None:
        return set()
    names = {"all", f"service:{incident.service}"}
    if incident.open:
        names.add("open")
    if incident.channel is not None:
        names.add(f"channel:{incident.channel.id}")
    return names


def memory_request(before: Incident | None, incident: Incident) -> Memory | None:
    """What a commit does to the memory; None: nothing is remembered of it, before or after."""
    was = kept(before) if before is not None else None
    now = kept(incident)
    if was is None and now is None:
        return None
    old, new = recall_indexes(was), recall_indexes(now)
    memory: Memory = {
        "service": incident.service,
        "member": recall_member(incident.service, incident.id),
        "at": to_ms(incident.detected_at),
        "index": sorted(new),
        "unindex": sorted(old - new),
    }
    if now is not None:
        memory["record"] = now.model_dump_json(exclude_defaults=True)
    return memory


def recall_member(service: str, incident: str) -> str:
    """How an incident is called in the memory's indexes."""
    return f"{service}|{incident}"


def recall_indexes(past: PastIncident | None) -> set[str]:
    """Where a memory is found: everything by service; by place and issue only what may be told to everybody."""
    if past is None:
        return set()
    names = {"all", f"of:{past.service}"}
    if past.private or past.drill:
        return names
    names |= {f"service:{past.service}", *(f"issue:{issue}" for issue in past.issues)}
    return names | {f"file:{past.file}"} if past.file else names


def _seen(because: Because | None, answer: Any) -> str | None:
    """The owner of a delivery, or "" for a timer or entry that is gone; None where it is new."""
    match because:
        case Delivery():
            return next((owner for owner in answer if owner), None)
        case TimerDue():
            return None if answer is not None and int(answer) == because.at_ms else ""
        case EffectEnded():
            return None if isinstance(answer, list) and answer else ""
        case None:
            return None


def _answer(raw: list[Any]) -> Answer:
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
            raise AnswerLost("Redis answered something that this bot does not understand.")


async def _read(ask: Callable[[], Any]) -> Any:
    """Reads; raises `NotRecorded` when Redis cannot be read, so that callers know one error only."""
    try:
        return await ask()
    except ResponseError as error:
        raise NotRecorded(f"Redis refuses to be read ({error}).") from error
    except (RedisError, OSError) as error:
        raise NotRecorded("Redis cannot be read.") from error
