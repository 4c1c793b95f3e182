"""How much a triage asks of Sentry, whose rate limits are shared by a whole company."""

from __future__ import annotations

from datetime import timedelta

from sentry_world import NOW, SHOP, ago, world

from phases.report import Choice


async def test_two_hundred_issues_over_five_projects_take_twelve_calls_in_three_rounds() -> None:
    slugs = tuple(f"p{n}" for n in range(5))
    service = SHOP.model_copy(update={"sentry": slugs})
    async with world(projects=slugs, service=service, counting=True) as w:
        assert w.calls is not None
        w.local.add_release("v2", projects=slugs, created=ago(600).timestamp())
        w.local.add_deploy("v2", started=ago(600).timestamp(), finished=ago(600).timestamp())
        w.local.add_release("v3", projects=slugs, created=ago(9).timestamp())
        w.local.add_deploy("v3", started=ago(9).timestamp(), finished=ago(9).timestamp())
        for n in range(200):
            w.local.load(
                f"Oops: {n}",
                at=ago(6) + timedelta(seconds=n),
                times=2,
                users=[f"u{n}", f"w{n}"],
                transaction=("/cart", "/pay")[n % 2],
                function=f"f{n}",
                project=slugs[n % 5],
                release="v3",
            )
        await w.client.warm([service])
        w.calls.paths.clear()
        w.calls.rounds = 0
        report = await w.triage()
    assert report.events == 400
    assert len(report.issue_ids) == 200
    assert report.recommendation.choice is Choice.ROLLBACK
    assert len(w.calls.paths) <= 12, w.calls.paths
    assert w.calls.rounds <= 3
    assert report.at == NOW
