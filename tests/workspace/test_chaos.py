"""A short `make chaos`: replicas are killed before, during and after outside calls; each incident still ends, once."""

from __future__ import annotations

from tests.chaos.kill import batch


async def test_killed_around_outside_calls_on_two_replicas_every_incident_ends_once() -> None:
    outcome = await batch([(6, "before"), (17, "during"), (31, "after"), (44, "during")])
    assert outcome.wrong == {}
    assert outcome.kills >= 3, "an incident may make fewer calls than planned, not all of them"
