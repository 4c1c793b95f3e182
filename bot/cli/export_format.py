"""One incident as a line of JSON: what `firebreak export` writes and `firebreak import` reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.runtime.redaction import without_secrets
from phases.messages.actions import ACTION
from phases.postmortem.proofs import proofs
from phases.record.incident import RECORD_LIMIT_BYTES, Entry, Incident
from phases.record.memories import PastIncident
from phases.record.timeline import stub

FORMAT = 1
_ID = re.compile(r"INC-\d{4,7}")

Json = dict[str, Any]


class Unreadable(Exception):
    """A line that is no incident; the text says why."""


class Archived(BaseModel):
    """A checked line.

    Its parts are kept as they were written: no field of another version is lost.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    incident: Incident
    record: str
    entries: tuple[str, ...]
    words: dict[str, str]
    """By `ref`: what can be taken back stands beside the list."""
    memory: PastIncident | None
    timers: dict[str, tuple[int, str]]
    """Name → when (ms), action as JSON."""


def line(
    record: str,
    entries: Iterable[str],
    words: dict[str, str],
    memory: str | None,
    timers: Iterable[Json],
) -> str:
    """Return the incident with its timeline and its six proofs, without secrets and addresses."""
    incident = Incident.model_validate_json(record)
    body: Json = {
        "firebreak": FORMAT,
        "id": incident.id,
        "private": incident.private,
        "incident": json.loads(record),
        "timeline": _whole(
            [json.loads(one) for one in entries],
            {ref: json.loads(one) for ref, one in words.items()},
        ),
        "proofs": [one.model_dump() for one in proofs(incident)],
        "memory": json.loads(memory) if memory else None,
        "timers": list(timers),
    }
    return json.dumps(_clean(body), ensure_ascii=False, separators=(",", ":"))


def _whole(entries: list[Json], words: dict[str, Json]) -> list[Json]:
    """Each entry in its place; the newest one of a `ref` with its words."""
    newest = {one["ref"]: at for at, one in enumerate(entries) if one.get("ref")}
    return [
        words[one["ref"]] if one.get("ref") in words and newest[one["ref"]] == at else one
        for at, one in enumerate(entries)
    ]


def _clean(thing: Any) -> Any:
    if isinstance(thing, str):
        return without_secrets(thing)
    if isinstance(thing, list):
        return [_clean(one) for one in thing]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(thing, dict):
        return {name: _clean(value) for name, value in thing.items()}  # pyright: ignore[reportUnknownVariableType]
    return thing


def read(text: str) -> Archived:
    """Raises `Unreadable`."""
    try:
        body = json.loads(
            text.removeprefix("\ufeff")
        )  # a byte order mark, where an editor or a shell wrote the file
    except ValueError as error:
        raise Unreadable("it is no JSON") from error
    if not isinstance(body, dict) or "incident" not in body:
        raise Unreadable("it is no incident that `firebreak export` wrote")
    if body.get("firebreak") != FORMAT:
        raise Unreadable(f"its format is {body.get('firebreak')!r}, this version reads {FORMAT}")
    try:
        incident = Incident.model_validate(body["incident"])
        entries = [Entry.model_validate(one) for one in body.get("timeline") or ()]
        memory = PastIncident.model_validate(body["memory"]) if body.get("memory") else None
        timers = {
            one["name"]: (int(one["at"]), json.dumps(one["action"]))
            for one in body.get("timers") or ()
        }
        for _, action in timers.values():
            ACTION.validate_json(action)
    except ValidationError as error:
        raise Unreadable(f"{_where(error)}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("a timer of it cannot be read") from error
    if not _ID.fullmatch(incident.id) or int(incident.id[4:]) != incident.number:
        raise Unreadable(
            f"its id and its number are not the same: {incident.id[:20]}, {incident.number}"
        )
    if memory is not None and (memory.id, memory.service) != (incident.id, incident.service):
        raise Unreadable("its memory is of another incident")
    record = json.dumps(body["incident"], ensure_ascii=False, separators=(",", ":"))
    if len(record.encode()) > RECORD_LIMIT_BYTES:
        raise Unreadable("its record is larger than 32 KiB")
    spoken = {one.ref: one.model_dump_json() for one in entries if one.ref and one.text}
    kept = tuple(stub(one).model_dump_json() for one in entries)
    return Archived(
        incident=incident, record=record, entries=kept, words=spoken, memory=memory, timers=timers
    )


def _where(error: ValidationError) -> str:
    """The first fault, by its place; what stands there is not repeated."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg'].lower()}"
