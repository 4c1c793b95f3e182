"""`firebreak import`: write incidents that `firebreak export` wrote into this store.

An incident that is here already stays as it is, so a second run changes nothing.
"""

import sys
from collections.abc import Iterable
from typing import TextIO

from bot.cli.export_format import Archived, Unreadable, read
from bot.cli.store_access import run
from bot.connection.client import GROUP, AnswerLost
from bot.store.commit import Claim, Request, indexes, member, memory_of, short_json
from bot.store.incident_store import Conflict, Done, Store, Taken
from phases.memory.recall import memory_to_keep
from phases.record.claims import fingerprint_claim, issues_of, number_claim, open_claim


def import_main(*, go_on: bool = False) -> int:
    """Return exit code 0; 1 where a line was not imported; 2 for wrong settings."""
    return run(lambda store: import_lines(store, sys.stdin, go_on=go_on), must_exist=False)


async def import_lines(
    store: Store, lines: Iterable[str], out: TextIO = sys.stderr, *, go_on: bool = False
) -> int:
    """Import the lines and report to `out`. Return the exit code.

    `go_on`: timers and live messages of open incidents are taken over. That is for when the bot
    that they come from is off.
    """
    new = here = bad = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            archived = read(text)
            was_new = await put(store, archived, go_on=go_on)
        except Unreadable as error:
            print(f"line {number}: not imported: {error}.", file=out)
            bad += 1
            continue
        new, here = new + was_new, here + (not was_new)
        if was_new and archived.incident.open:
            print(f"line {number}: {_open_note(archived, go_on=go_on)}", file=out)
    print(f"Incidents imported: {new}; here already: {here}; lines not imported: {bad}.", file=out)
    return 1 if bad else 0


def _open_note(archived: Archived, *, go_on: bool) -> str:
    id, timers = archived.incident.id, ", ".join(sorted(archived.timers)) or "none"
    if go_on:
        return (
            f"{id} is open and goes on here (timers: {timers}). "
            "What was being sent when it was exported is not: look at its failures."
        )
    return (
        f"{id} is open: nothing of it goes on by itself here (timers left out: {timers}). "
        "Once the bot that it comes from is off, `firebreak import --go-on` takes it over."
    )


async def put(store: Store, archived: Archived, *, go_on: bool = False) -> bool:
    """Write an incident; False where it is here already.

    Raises `Unreadable` where its number belongs to another incident, or where its service has
    an open incident here.
    """
    incident = archived.incident
    answer = await store.write(_request(archived, go_on=go_on), archived.record)
    match answer:
        case Done():
            return True
        case Conflict() | Taken(owner=incident.id):
            (here,) = await store.get([incident.id])
            if here.ulid != incident.ulid:
                raise Unreadable(f"{incident.id} is another incident here")
            return False
        case Taken(claim=claim, owner=owner) if claim.startswith("open:"):
            where = f"{incident.service} ({incident.environment})"
            raise Unreadable(
                f"{owner} is open here on {where}, too; end it, or merge them, and import again"
            )
        case Taken(claim=claim, owner=owner):
            raise Unreadable(f"{incident.id} and {owner}, which is here, cannot both have {claim}")
        case _:
            raise AnswerLost(f"Redis answered {type(answer).__name__} to an import")


def _request(archived: Archived, *, go_on: bool) -> Request:
    """The commit that creates the incident as it was."""
    incident = archived.incident
    claims: list[Claim] = [{"key": number_claim(incident.number), "soft": False}]
    if incident.open and not incident.apart:
        if incident.else_reason is None:
            claims.append(
                {"key": open_claim(incident.service, incident.environment), "soft": False}
            )
        # Two incidents may know the same issue; the first of them hears of it.
        for issue in issues_of(incident):
            claims.append({"key": fingerprint_claim(issue), "soft": True})
    # What is under way elsewhere does not go on here as well; reminders and the like do.
    timers = archived.timers if go_on or not incident.open else {}
    request: Request = {
        "commit": f"import:{incident.ulid}",
        "deliveries": (),
        "group": GROUP,
        "urgency": 0,
        "incident": incident.id,
        "number": incident.number,
        "base": 0,
        "short": short_json(incident, 1),
        "entries": list(archived.entries),
        "words": [{"ref": ref, "entry": entry} for ref, entry in archived.words.items()],
        "erased": [],
        "effects": [],
        "timers": [
            {"member": member(incident.id, name), "at": at, "action": action}
            for name, (at, action) in timers.items()
        ],
        "cancels": [],
        "claims": claims,
        "releases": (),
        "dirty": [member(incident.id, name) for name in incident.messages]
        if go_on and incident.open
        else [],
        "index": sorted(indexes(incident)),
        "unindex": [],
    }
    if memory := archived.memory or memory_to_keep(incident):
        request["memory"] = memory_of(incident, memory)
    return request
