"""A Sentry whose plan refuses questions over several projects.

Asked project by project, it gives the same picture.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from phases.ports.ports import PortError
from phases.record.findings import TriageReport
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, world

SINCE = NOW - timedelta(minutes=15)
BOTH = SHOP.model_copy(update={"sentry": ("shop", "payments")})


async def burning(w: World) -> TriageReport:
    for version, minutes in (("v2", 600), ("v3", 9)):
        w.deployed(version, minutes)
    w.burn("/cart", "/search", users=20)
    w.burn("/pay", users=20, project="payments")
    return await w.triage()


def picture(report: TriageReport) -> dict[str, Any]:
    """The measured picture and the decision that follows from it."""
    return report.model_dump(mode="json", include={"recommendation", "blast", "suspect"})


@pytest.mark.parametrize("discover", [True, False])
async def test_triage_measures_the_same_project_by_project(discover: bool) -> None:
    async with world(service=BOTH, discover=discover) as w:
        at_once = await burning(w)
    async with world(service=BOTH, discover=discover, several=False) as w:
        apart = await burning(w)
    assert apart.recommendation.choice == "rollback"
    assert picture(apart) == picture(at_once)


async def test_a_project_that_does_not_answer_leaves_the_others_and_is_no_nothing_unusual() -> None:
    async with world(service=BOTH, several=False) as w:
        for version, minutes in (("v2", 600), ("v3", 9)):
            w.deployed(version, minutes)
        w.burn("/cart", "/search", users=20)
        payments = str(w.local.projects["payments"].id)
        w.refusing.refuse(f"/issues/?project={payments}&", status=503)
        report = await w.triage()
        assert report.events == 80
        assert any(
            note.startswith("The issues of some projects are not known") for note in report.notes
        )
        assert report.incomplete
        w.local.issues.clear()
        w.local.events.clear()
        with pytest.raises(PortError, match="503"):
            await w.triage()


async def test_pages_go_on_in_every_project() -> None:
    async with world(service=BOTH, several=False) as w:
        for n in range(130):
            w.local.load(f"Oops: {n}", at=ago(3), function=f"f{n}", project=BOTH.sentry[n % 8 == 0])
        first = await w.client.page([BOTH], SINCE, NOW)
        second = await w.client.page([BOTH], SINCE, NOW, after=first.next)
    assert (len(first.rows), len(second.rows), second.next) == (117, 13, None)
    assert len({r.id for r in (*first.rows, *second.rows)}) == 130


async def test_minutes_and_counts_add_up_and_issues_of_neighbours_count() -> None:
    async with world(several=False) as w:
        for project in ("shop", "payments"):
            w.local.load(
                f"Oops: {project}", at=ago(3.4), times=4, every=1, function=project, project=project
            )
        issues = [r.id for r in (await w.client.page([BOTH], SINCE, NOW)).rows]
        assert len(issues) == 2
        assert await w.client.count([SHOP], issues, SINCE, NOW) == 8
        assert sum((await w.client.per_minute([BOTH], issues, SINCE, NOW)).counts.values()) == 8
