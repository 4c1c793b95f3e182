"""The number of a triage's calls to Sentry, whose rate limits are shared by a whole company."""

from __future__ import annotations

from phases.record.findings import Choice
from tests.support.sentry_world import NOW, busy_world


async def test_two_hundred_issues_over_five_projects_take_twelve_calls_in_three_rounds() -> None:
    async with busy_world() as w:
        assert w.calls is not None
        await w.client.warm([w.service])
        w.calls.paths.clear()
        w.calls.rounds = 0
        report = await w.triage()
    assert report.events == 400
    assert len(report.issue_ids) == 200
    assert report.recommendation.choice is Choice.ROLLBACK
    assert len(w.calls.paths) <= 12, w.calls.paths
    assert w.calls.rounds <= 3
    assert report.at == NOW
