"""People who are quicker than Slack: what is shown must follow them, and nothing be shown twice."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from phases.record.incident import Incident
from sandbox.slack.people import Person
from tests.lives.patience import AGAIN, PATIENCE, Lost
from tests.lives.stale import stale

if TYPE_CHECKING:
    from tests.lives.life import Life

QUIET, LOOKS_WHEN_QUIET = 4.0, 3
"""Seconds from one look at what is shown, while nothing is to be edited, to the next; so many."""


async def restless(life: Life) -> None:
    """Change the lead to and fro; what is shown when it is quiet again must be the newest."""
    for _ in range(3):
        turns = [_leads(life, life.alice, 0.0)]
        turns += [_leads(life, life.dice.choice((life.alice, life.bob)), 0.3) for _ in range(2)]
        await asyncio.gather(*turns)
    await _is_quiet(life)
    if life.plot.twice and life.place.root is None:
        await _there_and_back(life)
        await _is_quiet(life)


async def _there_and_back(life: Life) -> None:
    """All is as before, and nobody knows that Slack shows something else."""
    first, second = life.alice, life.bob
    if (life.record().get("lead") or "") == second.id:
        first, second = second, first
    unheard, channel = life.town.wire.unheard, life.channel.id.encode()
    unheard[channel] = 0
    await _leads(life, second, 0.0)
    with suppress(Lost):
        await life.until("an edit that is unheard", lambda: unheard[channel], AGAIN, 0.1)
    del unheard[channel]
    await _leads(life, first, 0.0)


async def _is_quiet(life: Life) -> None:
    life.step, looks, ends = "it is quiet", 0, time.monotonic() + PATIENCE
    while (
        looks < LOOKS_WHEN_QUIET
        and time.monotonic() < ends
        and (life.unrest() or await stale(life.town, Incident.model_validate(life.record())))
    ):
        looks = 0 if life.unrest() else looks + 1
        await asyncio.sleep(QUIET)
    if looks == LOOKS_WHEN_QUIET:  # nothing was under way, so nothing will mend it
        wrong = await stale(life.town, Incident.model_validate(life.record()))
        life.faults += [f"while it was quiet: {fault}" for fault in wrong]


async def comes_anew(life: Life) -> None:
    """Whoever comes is shown how things stand, once, however often Slack tells of it."""
    if life.place.root is not None:  # nobody comes to a thread
        return
    shown = len(life.bob.ephemerals(life.channel))
    if life.bob.id in life.channel.members:
        life.bob.leave(life.channel)
    life.bob.join(life.channel)
    await asyncio.sleep(AGAIN)
    times = len(life.bob.ephemerals(life.channel)) - shown
    if times > 1 and "slack" not in life.town.wire.weather:
        life.faults.append(f"somebody who came was shown {times} times how things stand")


async def _leads(life: Life, person: Person, within: float) -> None:
    await asyncio.sleep(life.dice.uniform(0, within))
    await life.types(person, "lead")
