"""50 people decide at once, on three replicas.

One action follows, and 49 are told who was first. The race is staged, not slept for.
"""

from __future__ import annotations

import asyncio
import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.connection.embedded import embedded
from sandbox.slack.channels import ALICE, Channel
from sandbox.slack.people import Json, Person, plain
from tests.chaos.life import PATIENCE, channels, incident_id
from tests.chaos.town import Town, eventually

HELD_MS = 450
"""Commits are held this long, less than a commit may take.

Everybody has read the same record by then.
"""


@dataclass
class Race:
    people: int
    actions: int
    deploys: int
    informed: int
    """Number of people who were told that somebody else was first, by name."""
    silent: int
    """Number of people who were told nothing, and did not win."""


async def race(people: int = 50, *, replicas: int = 3) -> Race:
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with embedded(Path(folder) / "valkey") as url:
            town = Town(Path(folder), services=1, replicas=replicas, redis_url=url)
            async with town.open():
                return await _raced(town, people)


async def _raced(town: Town, people: int) -> Race:
    alice = town.world.alice
    town.burn(1)
    await alice.command("/incident shop001 is failing")
    await eventually(lambda: bool(channels(town, 1)), "its channel", PATIENCE)
    channel = channels(town, 1)[0]
    decision = await alice.sees("Recommended: roll back", channel, seconds=PATIENCE)
    crowd = [_newcomer(town, channel, number) for number in range(people)]
    forms = {person.id: await _form(person, decision) for person in crowd[1::2]}

    await town.store.redis.execute_command("CLIENT", "PAUSE", HELD_MS, "WRITE")
    await asyncio.gather(*(_press(person, decision, forms) for person in crowd))
    await _answered(town, crowd, forms)

    incident = (await town.store.get([incident_id(channel)]))[0]
    acted = [round_.action for round_ in incident.rounds if round_.action]
    winner = acted[0].by if acted else ""
    informed = [
        person
        for person in crowd
        if person.id != winner and f"<@{winner}>" in _heard(person, forms)
    ]
    silent = [person for person in crowd if person.id != winner and not _heard(person, forms)]
    await eventually(
        lambda: acted[0].kind != "rollback" or bool(town.deployed(1)), "the deploy", PATIENCE
    )
    return Race(people, len(acted), len(town.deployed(1)), len(informed), len(silent))


def _newcomer(town: Town, channel: Channel, number: int) -> Person:
    """One more full member, who stands in the channel."""
    workspace, id = town.world.workspace, f"U0CROWD{number:02d}"
    workspace.users[id] = {
        **copy.deepcopy(workspace.users[ALICE]),
        "id": id,
        "name": f"crowd{number:02d}",
    }
    workspace.join(channel, id)
    return Person(workspace, town.world.delivery, id)


async def _form(person: Person, decision: Json) -> Json:
    await person.click(decision, "decision.fixed")
    return await person.open_modal("incident.fixed", seconds=PATIENCE)


async def _press(person: Person, decision: Json, forms: dict[str, Json]) -> None:
    """Press, and again where Slack says that nobody answered in time."""
    while True:
        failed = len(person.toasts())
        if person.id in forms:
            await person.submit(forms[person.id], {"sentence": "Turned the flag off"})
        else:
            await person.click(decision, "decision.rollback")
        if len(person.toasts()) == failed:
            return


async def _answered(town: Town, crowd: list[Person], forms: dict[str, Json]) -> None:
    """Everybody but the winner has been answered."""

    def all_heard() -> bool:
        return sum(not _heard(person, forms) for person in crowd) <= 1

    await eventually(all_heard, "an answer for all but one", PATIENCE)


def _heard(person: Person, forms: dict[str, Json]) -> str:
    """Return this person's private answer: a whisper, or the text in the form that they sent."""
    whispers = [plain(message) for message in person.ephemerals()]
    view = person.modal()
    if view is not None and view.get("blocks") != forms.get(person.id, {}).get("blocks"):
        whispers.append(plain(view))
    return "\n".join(whispers)
