"""A Sentry whose plan refuses questions over several projects.

Asked project by project, it gives the same picture.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
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


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("status", [403, 404])
async def test_a_project_that_is_refused_leaves_the_service_measured_by_the_other(
    several: bool, status: int
) -> None:
    """Sentry refuses the whole question where one of its projects is not ours to read."""
    async with world(service=BOTH, several=several) as w:
        for version, minutes in (("v2", 600), ("v3", 9)):
            w.deployed(version, minutes)
        w.burn("/cart", "/search", users=20)
        payments = str(w.local.projects["payments"].id)
        w.refusing.refuse(
            f"project={payments}", status=status, message="You do not have permission."
        )
        report = await w.triage()
        assert (report.events, report.recommendation.choice) == (80, "rollback")
        assert any("(payments: " in note for note in report.notes), report.notes
        w.local.issues.clear()
        w.local.events.clear()
        with pytest.raises(PortError, match="payments"):
            await w.triage()


async def test_a_project_that_is_not_there_leaves_the_service_measured_by_the_other() -> None:
    gone = SHOP.model_copy(update={"sentry": ("shop", "renamed")})
    async with world(service=gone) as w:
        for version, minutes in (("v2", 600), ("v3", 9)):
            w.deployed(version, minutes)
        w.burn("/cart", "/search", users=20)
        report = await w.triage()
        assert (report.events, report.recommendation.choice) == (80, "rollback")
        assert any("Sentry has no project renamed" in note for note in report.notes), report.notes


async def test_the_first_project_may_be_the_one_that_is_refused() -> None:
    async with world(service=BOTH.model_copy(update={"sentry": ("payments", "shop")})) as w:
        for version, minutes in (("v2", 600), ("v3", 9)):
            w.deployed(version, minutes)
        w.burn("/cart", "/search", users=20)
        payments = str(w.local.projects["payments"].id)
        w.refusing.refuse(f"project={payments}", status=403, message="You do not have permission.")
        assert (await w.triage()).events == 80


async def test_the_clock_of_sentry_is_told_by_the_date_of_its_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as w:
        await w.client.warm([SHOP])
        assert abs(w.client.clock_ahead()) < timedelta(minutes=1)

        class Late(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:
                return datetime.now(tz) - timedelta(minutes=20)

        monkeypatch.setattr("bot.clients.sentry.http.datetime", Late)
        await w.client.page([SHOP], SINCE, NOW)
        assert round(w.client.clock_ahead() / timedelta(minutes=1)) == 20
