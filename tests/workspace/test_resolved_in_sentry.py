"""After recovery Sentry's issues are resolved in what runs, by the bot or, without the scope, by people with a link."""

from __future__ import annotations

from sandbox.sentry.state import ALL_SCOPES
from sandbox.slack.channels import Channel
from sandbox.slack.people import plain
from sandbox.world import SENTRY_TOKEN, World
from tests.workspace.stage import burn, declared, eventually, go_on_burning, said


async def recovered(world: World) -> Channel:
    burn(world)
    channel = await declared(world.alice, "checkout is failing")
    decision = await world.alice.sees("Recommended: roll back", channel)
    await world.alice.click(decision, "decision.rollback")
    await world.alice.sees("*Recovered.*", channel, seconds=30)
    return channel


async def test_issues_are_resolved_in_what_runs_and_come_back_as_a_regression(small: World):
    channel = await recovered(small)
    told = await eventually(small, lambda: said(small.alice, channel, "set to resolved in 1.2.0"), "it is said")
    assert len(told) == 1
    [issue] = small.sentry.issues.values()
    assert (issue.status, issue.in_release) == ("resolved", "shop@1.2.0")
    go_on_burning(small, seconds=2)
    assert (issue.status, issue.substatus) == ("unresolved", "regressed"), "a newer release still has it"
    assert (await small.alerts.issue(issue, action="unresolved")).status == 200
    again = await small.alice.sees("Decision 2", channel, seconds=20)
    assert "it is back" in plain(again).lower()


async def test_without_the_scope_people_get_the_link(small: World):
    small.sentry.tokens[SENTRY_TOKEN] = ALL_SCOPES - {"event:write"}
    channel = await recovered(small)
    told = await eventually(small, lambda: said(small.alice, channel, "Sentry's issues stay open"), "it is said")
    [issue] = small.sentry.issues.values()
    words = plain(told[0])
    assert "it needs event:write" in words
    assert f"/organizations/sandbox/issues/{issue.id}/" in words
    assert issue.status == "unresolved"
    assert not said(small.alice, channel, "Try again"), "another try would be refused, too"
