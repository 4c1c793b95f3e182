"""One incident from its command to its post-mortem, and the facts that must be true after it.

Its person tries again where the bot asks for that.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal

from redis.exceptions import RedisError

from phases.record.incident import Entry, Incident, Status
from sandbox.slack.channels import Channel
from sandbox.slack.errors import ClientRefused, NeverHappened
from sandbox.slack.people import Json, plain
from tests.chaos.town import Town, eventually, name_of

PATIENCE = 120.0
"""Seconds in which each step must come true.

A dead worker is missed after 15 s, and a step may meet several deaths.
"""
AGAIN = 12.0
"""Seconds after which a person says the same once more."""


SEEN = "The pool of the database is full"

EACH_ROUND = ("triage", "decision", "deploy", "check")
"""Kinds of entries of which each round may have one in the same words."""

Begin = Literal["command", "alert"]


async def life(
    town: Town, number: int, *, patience: float = PATIENCE, begin: Begin = "command"
) -> Channel:
    """The life of a shop that burns from now on.

    `patience`: seconds a step may take. Raises `AssertionError` with the step that did not come
    true.
    """
    town.burn(number)
    channel = await _declared(town, number, patience, begin)
    decision = await _decided(town, channel, patience)
    await _rolled_back(town, number, decision, patience)
    await asyncio.gather(
        town.world.alice.sees("Recovered", channel, seconds=patience),
        _pinned(town, channel, patience),
        _closed_in_linear(town, channel, patience),
    )
    await written(town, number, channel, patience)
    await rested(town, number, channel, patience)
    return channel


async def _declared(town: Town, number: int, patience: float, begin: Begin) -> Channel:
    name, alice = name_of(number), town.world.alice
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if begin == "alert":
            await town.alert(number)
        else:
            await alice.command(f"/incident {name} is failing")
        waits = time.monotonic() + AGAIN
        while time.monotonic() < waits:
            if opened := channels(town, number):
                return opened[0]
            await asyncio.sleep(0.1)
    raise AssertionError(f"{name}: no channel was opened")


async def _decided(town: Town, channel: Channel, patience: float) -> Json:
    try:
        return await town.world.alice.sees("Recommended: roll back", channel, seconds=patience)
    except NeverHappened as never:
        shown = [plain(m) for m in town.world.alice.messages(channel) if "Recommended" in plain(m)]
        raise AssertionError(f"{incident_id(channel)} was told: {shown}") from never


async def _rolled_back(town: Town, number: int, decision: Json, patience: float) -> None:
    """Clicks, and again where nothing came of it: a click counts once."""
    alice = town.world.alice
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        now = alice.now(decision)
        if "decision.rollback" in str(now):
            try:
                await alice.click(now, "decision.rollback")
            except ClientRefused:
                continue
        waits = time.monotonic() + AGAIN
        while time.monotonic() < waits:
            if "decision.rollback" not in str(alice.now(decision)) and town.deployed(number):
                return
            await asyncio.sleep(0.1)
    raise AssertionError(f"{name_of(number)}: the rollback did not happen")


async def _pinned(town: Town, channel: Channel, patience: float) -> None:
    """Somebody says what they see, and pins it."""
    alice, incident = town.world.alice, incident_id(channel)
    alice.join(channel)
    alice.react(alice.say(channel, SEEN))

    async def there() -> bool:
        return any(entry.text == SEEN for entry in await town.store.timeline(incident))

    await eventually(there, f"{incident}: the pin in the timeline", patience)


async def _closed_in_linear(town: Town, channel: Channel, patience: float) -> None:
    """Somebody closes the ticket in Linear too early: that is heard, and it is opened again."""
    incident = incident_id(channel)

    async def known() -> bool:
        return (await town.store.get([incident]))[0].ticket is not None

    await _at_last(known, town, channel, patience, f"{incident}: its ticket")
    ticket = (await town.store.get([incident]))[0].ticket
    assert ticket is not None
    town.world.linear.move(ticket.identifier, "completed", by="Bob Okafor")
    await town.world.alice.sees(f"closed {ticket.identifier} in Linear", channel, seconds=patience)


async def written(town: Town, number: int, channel: Channel, patience: float) -> None:
    """Submit the post-mortem until it is taken; then the summary comes.

    Waiting for one's turn costs no patience.
    """
    alice, incident = town.world.alice, incident_id(channel)
    ends = time.monotonic() + patience
    while (before := time.monotonic()) < ends:
        if any("PRODUCTION INCIDENT —" in plain(m) for m in alice.messages(channel)):
            return
        if (await town.store.get([incident]))[0].postmortem is not None:
            await asyncio.sleep(0.1)
            continue
        async with town.form:
            ends += time.monotonic() - before
            alice.workspace.modals.close(alice.id)
            await alice.command(f"/incident postmortem {incident}")
            try:
                form = await alice.open_modal(
                    "incident.postmortem", text="Root cause", seconds=AGAIN
                )
                # The cause is the investigation's proposal. Without one the form is refused.
                await alice.submit(form, {"monitoring": "Nothing watched it.", "tests": "None."})
            except (AssertionError, TimeoutError, ClientRefused):
                continue
    raise AssertionError(f"{name_of(number)}: no post-mortem was written")


async def rested(town: Town, number: int, channel: Channel, patience: float) -> None:
    """Until nothing is left to be done."""
    await _at_last(
        lambda: _at_rest(town, channel), town, channel, patience, f"{name_of(number)} comes to rest"
    )


async def _at_last(
    true: Callable[[], Awaitable[bool]], town: Town, channel: Channel, patience: float, what: str
) -> None:
    """Wait until it comes true.

    An effect that failed for good is tried again by the button that the status shows.
    """
    alice, ends = town.world.alice, time.monotonic() + patience
    pressed = time.monotonic()
    while not await true():
        if time.monotonic() > ends:
            raise AssertionError(f"not within {patience:.0f} s: {what}")
        status = await _status(town, channel)
        if (
            status is not None
            and "incident.try_again" in str(status)
            and time.monotonic() > pressed + AGAIN / 2
        ):
            pressed = time.monotonic()
            await alice.click(status, "incident.try_again")
        await asyncio.sleep(0.1)


async def _status(town: Town, channel: Channel) -> Json | None:
    """The status as it reads now, pinned or not: a pin may be what failed."""
    incident = (await town.store.get([incident_id(channel)]))[0]
    posted = incident.messages.get("status")
    return (
        town.world.alice.now({"channel": channel.id, "ts": posted.ts})
        if posted is not None
        else None
    )


async def _at_rest(town: Town, channel: Channel) -> bool:
    """Return if it is resolved, nothing has failed, and neither effects nor edits wait."""
    incident = (await town.store.get([incident_id(channel)]))[0]
    keys = town.store.keys
    try:
        entries = await town.store.redis.xrange(keys.outbox)
        waiting = await town.store.redis.zrange(keys.waiting, 0, -1)
        dirty = await town.store.redis.zrange(keys.marks, 0, -1)
    except RedisError:  # it is away for a moment
        return False
    queued = [fields.get("incident") for _, fields in entries]
    still_to_do = (incident.id in queued, any(incident.id in entry for entry in (*waiting, *dirty)))
    return (
        incident.status in (Status.RESOLVED, Status.CLOSED)
        and not any(still_to_do)
        and not incident.failures
    )


def channels(town: Town, number: int) -> list[Channel]:
    return [
        c
        for c in town.world.workspace.channels.values()
        if re.search(rf"^inc-.*{name_of(number)}", c.name)
    ]


def incident_id(channel: Channel) -> str:
    return f"INC-{channel.name.split('-')[1]}"


# --- what must be true, whoever was killed --------------------------------------------------------


async def faults(town: Town, number: int) -> list[str]:
    """Every difference from the end of a quiet life.

    Empty means that nothing was lost and nothing happened twice.
    """
    opened = channels(town, number)
    if len(opened) != 1:
        return [f"{len(opened)} channels"]
    channel = opened[0]
    incident = (await town.store.get([incident_id(channel)]))[0]
    ticket = incident.ticket.identifier if incident.ticket else ""
    exact = {
        "pins in the timeline": sum(
            entry.text == SEEN for entry in await town.store.timeline(incident.id)
        ),
        "words on the closed ticket": _count(channel, f"closed {ticket} in Linear"),
        "runs of the deploy": len(town.deployed(number)),
        "rounds": len(incident.rounds),
        "ADRs": len(list((town.folder / name_of(number) / "adr").glob("*.md"))),
    }
    state = town.world.linear.issue(ticket).state.type if ticket else "not there"
    wrong = [] if state == "completed" else [f"the ticket is {state}"]
    return other_than_one(exact) + wrong + await told_once(town, number, channel, incident)


def other_than_one(exact: dict[str, int]) -> list[str]:
    return [f"{count} {what}" for what, count in exact.items() if count != 1]


async def told_once(town: Town, number: int, channel: Channel, incident: Incident) -> list[str]:
    """Faults that no life may have, whichever way it went."""
    name = name_of(number)
    exact = {
        "incidents of this service": len(await town.store.ids(f"service:{name}")),
        "pinned messages": len(channel.pins),
        "recoveries": _count(channel, "Recovered."),
        "summaries": _count(channel, "PRODUCTION INCIDENT —"),
        "tickets": sum(
            name in issue.title
            for issue in town.world.linear.issues
            if issue.parent_id is None  # else it is an action item, whose words name the service
        ),
        **{
            f"messages of decision {round_.number}": _count(channel, f"Decision {round_.number}")
            for round_ in incident.rounds
        },
    }
    wrong = other_than_one(exact)
    wrong += [f"posted twice: {text[:80]!r}" for text in twice(channel)]
    wrong += _timeline(await town.store.timeline(incident.id), incident)
    return wrong


def _count(channel: Channel, words: str) -> int:
    return sum(
        words in plain(m)
        for m in channel.messages
        if m.get("bot_id") and m.get("thread_ts", m["ts"]) == m["ts"]
    )


def twice(channel: Channel) -> list[str]:
    """Effects of which the bot posted a message with their metadata more than once."""
    effects = [
        (m.get("metadata") or {}).get("event_payload", {}).get("effect") for m in channel.messages
    ]
    double = {effect for effect, times in Counter(effects).items() if effect and times > 1}
    return [f"{effect}" for effect in double]


def _timeline(entries: list[Entry], incident: Incident) -> list[str]:
    """Pages beyond one for each reason to call somebody: the record keeps the reasons."""
    counts = Counter((entry.kind, entry.text) for entry in entries)
    may = {**dict.fromkeys(EACH_ROUND, len(incident.rounds)), "page": len(set(incident.paged))}
    wrong = [
        f"{times} times in the timeline: {kind}: {text[:60]!r}"
        for (kind, text), times in counts.items()
        if times > may.get(kind, 1)
    ]
    kinds = {entry.kind for entry in entries}
    missing = [
        kind
        for kind in ("declared", "triage", "decision", "deploy", "check", "resolved")
        if kind not in kinds
    ]
    return wrong + ([f"{incident.id}: no entry of kind {', '.join(missing)}"] if missing else [])
