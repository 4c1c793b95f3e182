"""The line of JSON for an incident: `firebreak export` writes it, `firebreak import` reads it."""

import json
import re
from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.runtime.redaction import without_secrets
from phases.messages.actions import ACTION
from phases.postmortem.proofs import proofs
from phases.record.incident import RECORD_LIMIT_BYTES, Entry, Incident
from phases.record.memories import PastIncident
from phases.record.timeline import entry_stub

FORMAT = 1
_ID = re.compile(r"INC-\d{4,7}")

Json = dict[str, Any]


class Unreadable(Exception):
    """A line that is no incident; the text says why."""


class Archived(BaseModel):
    """A checked line.

    Its parts stay as they were written: no field of another version is lost.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    incident: Incident
    record: str
    entries: tuple[str, ...]
    words: dict[str, str]
    """Entries that can be taken back, by their `ref`; they stand beside the list."""
    memory: PastIncident | None
    timers: dict[str, tuple[int, str]]
    """Name → due at (ms), action as JSON."""


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
        "timeline": _with_words(
            [json.loads(entry) for entry in entries],
            {ref: json.loads(entry) for ref, entry in words.items()},
        ),
        "proofs": [proof._asdict() for proof in proofs(incident)],
        "memory": json.loads(memory) if memory else None,
        "timers": list(timers),
    }
    return json.dumps(_clean(body), ensure_ascii=False, separators=(",", ":"))


def _with_words(entries: list[Json], words: dict[str, Json]) -> list[Json]:
    """Return each entry in its place; the newest entry of a `ref` has its words again."""
    newest = {entry["ref"]: at for at, entry in enumerate(entries) if entry.get("ref")}
    return [
        words[entry["ref"]] if entry.get("ref") in words and newest[entry["ref"]] == at else entry
        for at, entry in enumerate(entries)
    ]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, list):
        return [_clean(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in cast("Json", value).items()}
    return value


def read(text: str) -> Archived:
    """Read and check a line. Raises `Unreadable`."""
    try:
        # A byte order mark is there where an editor or a shell wrote the file.
        body = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise Unreadable("it is no JSON") from error
    if not isinstance(body, dict) or "incident" not in body:
        raise Unreadable("it is no incident that `firebreak export` wrote")
    if body.get("firebreak") != FORMAT:
        raise Unreadable(f"its format is {body.get('firebreak')!r}, this version reads {FORMAT}")
    try:
        incident = Incident.model_validate(body["incident"])
        entries = [Entry.model_validate(entry) for entry in body.get("timeline") or ()]
        memory = PastIncident.model_validate(body["memory"]) if body.get("memory") else None
        timers = {
            timer["name"]: (int(timer["at"]), json.dumps(timer["action"]))
            for timer in body.get("timers") or ()
        }
        for _, action in timers.values():
            ACTION.validate_json(action)
    except ValidationError as error:
        raise Unreadable(f"{_first_fault(error)}") from error
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
    return Archived(
        incident=incident,
        record=record,
        entries=tuple(entry_stub(entry).model_dump_json() for entry in entries),
        words={entry.ref: entry.model_dump_json() for entry in entries if entry.ref and entry.text},
        memory=memory,
        timers=timers,
    )


def _first_fault(error: ValidationError) -> str:
    """Return the first fault, by its place. The text there is not repeated."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg'].lower()}"
