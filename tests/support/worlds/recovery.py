"""Incidents on the local Sentry after an action or after recovery, and checks of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.clients.http.endpoint import HttpEndpoint
from phases.record.findings import DeployProof, Look, Release
from phases.record.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.record.service import Service
from phases.verification.recheck import Recheck
from phases.verification.recurrence import GUARD_LASTS
from tests.support.bots.story import Found, Story
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, incident


async def recovered(w: World, minutes: float, **fields: object) -> Incident:
    """Verified so many minutes ago; the fire of it ended 6 minutes and more ago by then."""
    burning = await burned(w)
    round_ = burning.rounds[0].model_copy(update={"verdict": "recovered"})
    until = ago(minutes) + GUARD_LASTS
    changed = {
        "rounds": (round_,),
        "recovered_at": ago(minutes),
        "guard_until": until,
        "status": Status.MITIGATED,
    }
    return burning.model_copy(update={**changed, **fields})


def looked(story: Story, outcome: Found, events: int = 0, *, after: float = 1) -> None:
    """The look that is due is made, and comes back with this."""
    story.fires("guard")
    story.looks_back(outcome, events=events, after=after)


def passed(story: Story, since: datetime) -> float:
    """Minutes from then to the next look."""
    return round((story.timers["guard"].at - since).total_seconds() / 60, 1)


def until(story: Story, since: datetime, minutes: float) -> None:
    """The looks before this one are made, and see nothing."""
    while passed(story, since) < minutes:
        looked(story, "quiet")
        assert (story.last.entries, story.last.effects, story.last.dirty) == ((), (), ())


ACTED = ago(6.5)

CLOCK = ago(6)


async def burned(w: World, **fields: Any) -> Incident:
    """Trouble from 20 minutes ago on, measured 14 minutes ago, rolled back 6 minutes ago."""
    w.deployed("v2", 600)
    w.deployed("v3", 22)
    w.local.load(
        "Oops: a",
        at=ago(20),
        every=10,
        times=80,
        users=["a", "b"],
        transaction="/cart",
        release="v3",
        function="f",
    )
    report = await w.triage(now=ago(14))
    action = RoundAction(
        kind=ActionKind.ROLLBACK,
        by="U1",
        at=ACTED,
        started_at=ACTED,
        finished_at=CLOCK,
        result="done",
        to_release=Release(version="v2"),
        proof=DeployProof(before="v3", after="v2"),
    )
    round_ = Round(number=1, opened_at=ago(14), why="triage", action=action, clock_started_at=CLOCK)
    return incident(triage=report, rounds=(round_,), **fields)


async def look(
    w: World,
    burning: Incident,
    service: Service = SHOP,
    number: int = 1,
    doubt: str = "",
) -> Look:
    endpoint = HttpEndpoint(timeout=60, pause=0)
    check = Recheck(burning, service, w.client, endpoint, NOW, doubt)
    result = await check.look(1, number)
    await endpoint.aclose()
    assert result.round == 1
    return result.look
