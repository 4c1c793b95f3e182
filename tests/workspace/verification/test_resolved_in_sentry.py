"""After recovery Sentry's issues are resolved.

The bot does it or, without the scope, people with a link.
"""

from __future__ import annotations

from sandbox.credentials import SENTRY_TOKEN
from sandbox.sentry.state import ALL_SCOPES
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import eventually, messages_with
from tests.support.worlds.resolved import recovered


async def test_issues_are_resolved_so_that_the_rolled_back_is_no_regression_and_the_next_deploy_is(
    small: World,
):
    channel = await recovered(small)
    messages = await eventually(
        small,
        lambda: messages_with(small.alice, channel, "set to resolved in the next release"),
        "it is said",
    )
    assert len(messages) == 1
    assert "I watch 1.2.0 for an hour" in plain(messages[0])
    [issue] = small.sentry.issues.values()
    assert issue.status == "resolved"
    for release in ("shop@1.3.0", "shop@1.2.0", "shop@1.1.0"):
        small.sentry.load("KeyError: 'region'", release=release, transaction="/")
        assert issue.status == "resolved", release
    small.sentry.add_release("shop@1.4.0")
    small.sentry.load("KeyError: 'region'", release="shop@1.4.0", transaction="/")
    assert (issue.status, issue.substatus) == ("unresolved", "regressed")


async def test_a_release_that_ci_has_built_by_then_is_named(small: World):
    small.sentry.add_release("shop@1.4.0")
    channel = await recovered(small)
    await eventually(
        small, lambda: messages_with(small.alice, channel, "set to resolved in 1.4.0"), "it is said"
    )
    [issue] = small.sentry.issues.values()
    assert issue.in_release == "shop@1.4.0"
    small.sentry.load("KeyError: 'region'", release="shop@1.3.0", transaction="/")
    assert issue.status == "resolved"


async def test_without_the_scope_people_get_the_link(small: World):
    small.sentry.tokens[SENTRY_TOKEN] = ALL_SCOPES - {"event:write"}
    channel = await recovered(small)
    messages = await eventually(
        small,
        lambda: messages_with(small.alice, channel, "Sentry's issues stay open"),
        "it is said",
    )
    [issue] = small.sentry.issues.values()
    words = plain(messages[0])
    assert "it needs event:write" in words
    assert f"/organizations/sandbox/issues/{issue.id}/" in words
    assert issue.status == "unresolved"
    assert not messages_with(small.alice, channel, "Try again"), "another try would be refused, too"
