"""The bot's clock is not Sentry's: the picture is that of Sentry's minutes, and it is said."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from phases.messages.results import Triaged
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from phases.triage.their_clock import triage_by_their_clock
from tests.support.worlds.sentry_world import NOW, World, incident, world


async def burning(w: World, now: datetime, ahead: list[timedelta]) -> Triaged:
    """Triage at our time `now`. Sentry tells at last how much it is ahead."""
    for version, minutes in (("v2", 600), ("v3", 9)):
        w.deployed(version, minutes)
    w.burn("/cart", "/search", "/pay")
    sources = Sources(w.service, w.client, (), w.deployer, w.source)

    def clock_offset() -> timedelta:
        return ahead.pop(0) if len(ahead) > 1 else ahead[0]

    return await triage_by_their_clock(
        now, clock_offset, lambda at: triage(incident(), sources, (), at)
    )


@pytest.mark.parametrize("minutes", [-20, 20])
@pytest.mark.parametrize("known", [True, False])
async def test_a_clock_that_is_twenty_minutes_off_is_noticed_and_said(
    minutes: int, known: bool
) -> None:
    ahead = timedelta(minutes=minutes)
    async with world() as w:
        triaged = await burning(w, NOW - ahead, [ahead if known else timedelta(0), ahead])
    report = triaged.report
    assert report.recommendation.choice == "rollback"
    assert report.at == NOW - ahead, "it is our record"
    which = "behind" if minutes > 0 else "ahead of"
    assert report.recommendation.against[0] == f"The bot's clock is 20 min {which} Sentry's."
    assert "Recovery cannot be measured until it is set." in report.notes[0]


async def test_clocks_that_nearly_agree_are_one() -> None:
    async with world() as w:
        triaged = await burning(w, NOW, [timedelta(seconds=70)])
    assert triaged.report.recommendation.choice == "rollback"
    assert not any("clock" in note for note in triaged.report.notes)
