"""The request of `commit.lua`: a change as JSON, with its indexes and its memory. Pure."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypedDict

from bot.connection.client import GROUP
from handlers.dispatcher import DELIVERY_SECONDS, Delivery, EffectEnded, TimerDue, Trigger
from phases.coordination.short_records import short_record
from phases.memory.recall import memory_to_keep
from phases.messages.actions import ACTION
from phases.messages.effects import EFFECT
from phases.mitigation.deploy_hold import hold
from phases.mitigation.hotfix_merge import unmerged
from phases.record.incident import Incident, Severity, Status
from phases.record.memories import PastIncident, counted_of
from phases.record.timeline import CORRECTION, entry_stub
from phases.shared.change import Change

COMMIT_SECONDS = 60
"""How long a commit's id is known. It is tried again within `DISPATCH_SECONDS` only."""


class Claim(TypedDict, total=False):
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
    counted: str
    """What trends count of it."""
    member: str
    at: int
    index: list[str]
    unindex: list[str]


class Part(TypedDict, total=False):
    """One incident of a commit. The script does not look into entries, effects and actions."""

    incident: str
    number: int
    base: int
    short: str
    """The short record (bot/store/short_records.py)."""
    entries: list[str]
    words: list[_Words]
    erased: list[str]
    effects: list[str]
    timers: list[dict[str, str | int]]
    cancels: list[str]
    claims: list[Claim]
    releases: Sequence[str]
    dirty: list[str]
    index: list[str]
    unindex: list[str]
    memory: Memory


class Request(Part, total=False):
    """The arguments of `commit.lua`; the records follow them, opaque."""

    commit: str
    read_at: int
    """When the record was read, by the clock of Redis."""
    tolerance_ms: int
    """A clock that is more than this before `read_at` was set back meanwhile: a conflict."""
    deadline: int
    deliveries: Sequence[str]
    delivery_ms: int
    commit_ms: int
    """How long this commit is known by its name. An import has none: its incident is known."""
    timer: dict[str, str | int]
    entry: str
    group: str
    also: list[Part]
    """The other incidents of a merge or a split."""
    urgency: int


SET_BACK_MS = 1000
"""A clock that is slewed, not set, loses less than that between reading and writing."""


def member(incident: str, name: str) -> str:
    """Return the name of a timer or a dirty mark: `INC-0001|status`."""
    return f"{incident}|{name}"


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970. Raises ValueError for a naive time."""
    if at.tzinfo is None:
        raise ValueError("a time without a time zone")
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def request_of(
    commit_id: str,
    before: Incident | None,
    base: int,
    change: Change,
    trigger: Trigger | None,
    deadline: datetime | None,
) -> Request:
    """`before` is the record as it was read, `base` its version."""
    request: Request = {
        **part_of(before, base, change),
        "commit": commit_id,
        "deliveries": trigger.claims if isinstance(trigger, Delivery) else (),
        "delivery_ms": DELIVERY_SECONDS * 1000,
        "commit_ms": COMMIT_SECONDS * 1000,
        "group": GROUP,
        "urgency": urgency(change.incident, trigger),
    }
    match trigger:
        case TimerDue():
            request["timer"] = {
                "member": member(trigger.incident, trigger.name),
                "at": trigger.at_ms,
            }
        case EffectEnded():
            request["entry"] = trigger.entry
        case _:
            pass
    if deadline is not None:
        request["deadline"] = to_ms(deadline)
    return request


def urgency(incident: Incident, trigger: Trigger | None) -> int:
    """Return 0 (first) to 7: where somebody acted, then the worse incidents are rendered first."""
    looks_on = isinstance(trigger, Delivery)
    return (0 if looks_on else 4) + ((incident.severity or Severity.SEV2) - 1)


def part_of(before: Incident | None, base: int, change: Change) -> Part:
    incident = change.incident
    was, now = indexes(before), indexes(incident)
    claims: list[Claim] = []
    for claim in change.claims:
        wanted: Claim = {"key": claim.key, "soft": claim.soft}
        if claim.seconds is not None:
            wanted["ms"] = claim.seconds * 1000
        claims.append(wanted)
    part: Part = {
        "incident": incident.id,
        "number": incident.number,
        "base": base,
        "short": short_json(incident, base + 1),
        "entries": [entry_stub(entry).model_dump_json() for entry in change.entries],
        "words": [
            {"ref": e.ref, "entry": e.model_dump_json()}
            for e in change.entries
            if e.ref is not None
        ],
        "erased": [
            ref
            for e in change.entries
            if e.hides is not None
            for ref in (e.hides, CORRECTION + e.hides)
        ],
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
        "index": sorted(now - was),
        "unindex": sorted(was - now),
    }
    if (memory := memory_request(before, incident)) is not None:
        part["memory"] = memory
    return part


def short_json(incident: Incident, version: int) -> str:
    """Return the short record of a record of this version; short_records.py reads it."""
    row = [version, *short_record(incident)]
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str)


def indexes(incident: Incident | None) -> set[str]:
    if incident is None:
        return set()
    names = {"all", f"service:{incident.service}"}
    if incident.open:
        names.add("open")
    owed = incident.postmortem.items if incident.postmortem else ()
    if incident.status is not Status.CANCELLED and any(item.open for item in owed):
        names.add("owing")
    if incident.status is Status.RESOLVED and (
        hold(incident) is not None or unmerged(incident) is not None
    ):
        names.add("holding")
    if incident.channel is not None:
        names.add(f"channel:{incident.channel.id}")
    return names


def memory_request(before: Incident | None, incident: Incident) -> Memory | None:
    """Return what a commit does to the memory.

    None where nothing is remembered, before or after, and where the memory knows more than a
    record that was compacted.
    """
    if incident.shrunk_at is not None:
        return None
    was = memory_to_keep(before) if before is not None else None
    now = memory_to_keep(incident)
    if was is None and now is None:
        return None
    return memory_of(incident, now, was)


def memory_of(
    incident: Incident, now: PastIncident | None, was: PastIncident | None = None
) -> Memory:
    """Writes the memory `now` in the place of `was`."""
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
        memory["counted"] = counted_json(now)
    return memory


def counted_json(past: PastIncident) -> str:
    """`at` in milliseconds; bot/store/past_incidents.py reads it."""
    counted = counted_of(past)
    return json.dumps(
        counted._replace(at=to_ms(counted.at)), ensure_ascii=False, separators=(",", ":")
    )  # pyright: ignore[reportArgumentType]


def recall_member(service: str, incident: str) -> str:
    """Return the name of an incident in the memory's indexes."""
    return f"{service}|{incident}"


def recall_indexes(past: PastIncident | None) -> set[str]:
    """Return the indexes of a memory: by place and issue only what everybody may be told."""
    if past is None:
        return set()
    names = {"all", f"of:{past.service}"}
    if past.private or past.drill:
        return names
    names |= {f"service:{past.service}", *(f"issue:{issue}" for issue in past.issues)}
    return names | {f"file:{past.file}"} if past.file else names
