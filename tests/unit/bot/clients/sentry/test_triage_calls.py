"""The number of a triage's calls to Sentry, whose rate limits are shared by a whole company."""

from __future__ import annotations

import pytest

from phases.record.findings import Choice, TriageReport
from tests.support.worlds.sentry_world import FIVE, NOW, World, ago, busy_world

FLAG = "new-pricing"


async def counted(w: World) -> TriageReport:
    """Triage after the start of the bot: what every triage needs is known."""
    assert w.calls is not None
    await w.client.warm([w.service])
    w.calls.paths.clear()
    w.calls.rounds = 0
    return await w.triage()


def within_limits(w: World) -> bool:
    assert w.calls is not None
    return len(w.calls.paths) <= 12 and w.calls.rounds <= 3


def burn_before(w: World, times: int) -> None:
    """Another error that comes since a week, in another region: so many times an hour today."""
    for begin, hours, an_hour in ((7 * 24, 6 * 24, 60), (24, 24, times)):
        w.local.load(
            "TimeoutError: slow",
            at=ago(begin * 60),
            every=3600 / an_hour,
            times=hours * an_hour,
            users=[f"z{n}" for n in range(9)],
            transaction="/",
            function="slow",
            project=FIVE[0],
            release="v2",
            tags={"region": "us"},
        )


async def test_two_hundred_issues_over_five_projects_take_twelve_calls_in_three_rounds() -> None:
    async with busy_world() as w:
        report = await counted(w)
        assert within_limits(w), w.calls
    assert report.events == 400
    assert len(report.issue_ids) == 200
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.at == NOW


@pytest.mark.parametrize(("issues", "asked"), [(200, False), (60, True)])
async def test_where_a_pool_is_full_requests_are_asked_for_within_the_same_calls(
    issues: int, asked: bool
) -> None:
    async with busy_world(issues) as w:
        w.local.traffic(20, since=ago(3000), project=FIVE[0])
        w.local.load(
            "TimeoutError: QueuePool limit of size 10 overflow 20 reached, connection timed out",
            at=ago(5),
            every=2,
            times=120,
            users=[f"p{n}" for n in range(60)],
            transaction="/cart",
            project=FIVE[0],
            release="v3",
        )
        await counted(w)
        assert w.calls is not None
        assert within_limits(w), w.calls
        traffic = [path for path in w.calls.paths if "is_transaction" in path]
        assert bool(traffic) is asked


@pytest.mark.parametrize("issues", [200, 60])
async def test_with_flags_and_all_of_it_in_one_region_it_takes_no_more(issues: int) -> None:
    async with busy_world(issues, tags={"region": "eu"}, flags={FLAG: True}) as w:
        w.local.add_flag_change(FLAG, at=ago(12).timestamp())
        report = await counted(w)
        assert within_limits(w), w.calls
    assert report.recommendation.choice is Choice.ROLLBACK
    assert [change.name for change in report.changes] == [FLAG]
    assert report.began_exact
    assert (report.flag_evidence is not None) == (issues <= 100)


@pytest.mark.parametrize(
    ("issues", "an_hour", "changed"), [(60, 60, 7), (60, 60, 40), (60, 6000, 40), (200, 60, 7)]
)
async def test_beside_a_service_that_failed_all_along_it_takes_no_more(
    issues: int, an_hour: int, changed: float
) -> None:
    """Who else has errors is asked, or which events have the flag off if it is news."""
    async with busy_world(issues, tags={"region": "eu"}, flags={FLAG: True}) as w:
        burn_before(w, an_hour)
        w.local.add_flag_change(FLAG, at=ago(changed).timestamp())
        report = await counted(w)
        assert within_limits(w), w.calls
        assert w.calls is not None
        asked = w.calls.paths
    others = [path for path in asked if "tags%5Bregion%5D" in path and "%21issue.id" in path]
    off = [path for path in asked if "%3Afalse" in path]
    if issues == 60 and an_hour == 60:
        assert (len(others), len(off)) == ((1, 0) if changed > 20 else (0, 1))
    if an_hour == 60 and others:
        away = "All of it is in one region, eu; one other region does not fail."
        assert report.recommendation.points_away == (away,)
