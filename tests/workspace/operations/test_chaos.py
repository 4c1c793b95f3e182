"""A short `make chaos`.

Replicas are killed before, during and after outside calls; each incident still ends, once.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.clock import STEPS, stepped
from tests.chaos.kill import batch
from tests.chaos.race import race
from tests.chaos.store import TROUBLES, trouble
from tests.chaos.timers import thousand
from tests.chaos.weather import ROWS, lived_through

pytestmark = pytest.mark.slow


async def test_killed_around_outside_calls_on_two_replicas_every_incident_ends_once() -> None:
    outcome = await batch([(6, "before"), (17, "during"), (31, "after"), (44, "during")])
    assert outcome.wrong == {}
    assert outcome.kills >= 3, "an incident may make fewer calls than planned, not all of them"


async def test_in_bad_weather_every_incident_ends_as_in_good() -> None:
    """One of each kind, side by side: `make chaos` has them all."""
    names = (
        "answers lost, once for",
        "everything told twice and out of order",
        "GitHub's answers lost",
    )
    rows = [row for name, row in ROWS.items() if name.startswith(names)]
    assert len(rows) == len(names)
    for outcome in await asyncio.gather(*(lived_through(row, services=1) for row in rows)):
        assert (outcome.lives, outcome.wrong) == (1, {})


async def test_many_people_decide_at_once_and_all_but_one_are_told_who_was_first() -> None:
    raced = await race(12)
    assert (raced.actions, raced.informed, raced.silent) == (1, 11, 0)
    assert raced.deploys <= 1


async def test_timers_that_fall_due_together_fire_once_each_though_a_clock_is_killed() -> None:
    fired = await thousand(150)
    assert (fired.lost, fired.doubled) == (0, 0)


async def test_with_the_clock_set_every_check_comes_once_and_none_is_judged_wrongly() -> None:
    """Asleep for an hour, and set back: `make chaos` has more of them."""
    for result in await asyncio.gather(*(stepped(*how) for how in list(STEPS.values())[:2])):
        assert (result.stuck, result.faults) == (0, [])
        assert result.verdicts == {"over: recovered": 3, "burns: not recovered": 3}


@pytest.mark.parametrize("name", list(TROUBLES))
async def test_what_was_acknowledged_survives_redis_in_trouble_and_counts_once(name: str) -> None:
    outcome = await trouble(TROUBLES[name])
    assert outcome.acked > 0
    assert (outcome.lost, outcome.doubled, outcome.faults) == (0, 0, [])
