"""Recovered: Sentry's issues are set to resolved in what runs, over the real HTTP of the local Sentry; and what the record wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sentry_world import NOW, World, world

from bot.clients.http import HttpError
from bot.clients.sentry_issues import SentryIssues
from phases import actions as said
from phases import effects as wanted
from phases.report import LookVerdict
from sandbox.faults import Fault
from tests.unit.story import verifying


@asynccontextmanager
async def resolver(w: World) -> AsyncIterator[SentryIssues]:
    site = w.client._http._base.partition("/api/0/")[0]  # pyright: ignore[reportPrivateUsage]
    issues = SentryIssues(site, "acme", "sntrys_local", timeout=5)
    yield issues
    await issues.aclose()


async def test_resolved_in_the_release_that_runs_and_a_return_is_a_regression() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v2", 600)
        w.deployed("v3", 22)
        w.burn("/cart", "/pay")
        ids = [str(i) for i in w.local.issues]
        assert await issues.resolve(ids, ["v2"]) == ("v2", "v2")
        assert await issues.resolve(ids, ["v2"]) == ("v2", "v2"), "twice is once"
        for issue in w.local.issues.values():
            assert (issue.status, issue.in_release) == ("resolved", "v2")
        w.deployed("v1", 9000)
        first = w.local.issues[int(ids[0])]
        # What an older release still sends, or something without one, is no news; what runs, or is newer, is.
        for release, status in (("v1", "resolved"), ("", "resolved"), ("v2", "unresolved")):
            w.local.clock = lambda: NOW.timestamp() + 60
            w.burn("/cart", since=-1, times=1, release=release)
            assert first.status == status, release
        assert first.substatus == "regressed"


async def test_a_release_that_sentry_does_not_know_is_left_out() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        [(id, issue)] = w.local.issues.items()
        assert await issues.resolve([str(id), "999999"], ["hotfix fix/x@abc1234", "v3"]) == ("v3",), "one is gone"
        assert issue.in_release == "v3"
        assert await issues.resolve([str(id)], ["nobody-knows"]) == ("",), "resolved, and not said to be in it"
        assert (issue.status, issue.in_release) == ("resolved", "")


async def test_without_the_scope_it_says_which_one_and_out_of_reach_it_is_tried_again() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        w.faults.next("sentry.issue", Fault(status=503))
        with pytest.raises(HttpError) as away:
            await issues.resolve(["1"], ["v3"])
        assert away.value.retryable
        w.local.tokens["sntrys_local"] = frozenset({"org:read", "project:read", "event:read"})
        with pytest.raises(HttpError, match="event:write") as refused:
            await issues.resolve(["1"], ["v3"])
        assert (refused.value.status, refused.value.retryable) == (403, False)
        assert issues.link("1").endswith("/organizations/acme/issues/1/")


# --- what the record wants -------------------------------------------------------------------------------------


def test_recovery_wants_every_issue_of_the_incident_in_what_was_read_back() -> None:
    story = verifying()
    assert not story.wants(wanted.ResolveIssues)
    story.looked(LookVerdict.RECOVERED)
    [one] = story.wants(wanted.ResolveIssues)
    assert one.release == "1.2.0"
    assert (
        set(one.issues) == {i for i in story.record.triage.issue_ids if i.isdigit()} if story.record.triage else set()
    )
    story.say(said.IssuesResolved(resolved=2, release="1.2.0"))
    assert (
        story.in_thread[-1]
        == "2 Sentry issues set to resolved in 1.2.0: if it comes back, Sentry calls it a regression."
    )
    assert "2 Sentry issues set to resolved in 1.2.0" in story.noted


def test_a_person_s_word_resolves_them_too_and_a_drill_none() -> None:
    for drill in (False, True):
        story = verifying()
        story.incident = story.record.model_copy(update={"drill": drill})
        story.looked(LookVerdict.TOO_FEW)
        story.looked(LookVerdict.TOO_FEW)
        story.say(said.ConfirmRecovery(by="U0ALICE", round=1, recovered=True))
        assert bool(story.wants(wanted.ResolveIssues)) is not drill


def test_refused_it_stays_with_people_who_get_the_links() -> None:
    story = verifying().recovered()
    why = "our token may not do this in Sentry: it needs event:write"
    story.say(said.IssuesResolved(resolved=0, release=None, refused=why, links=("https://sentry.example/issues/1/",)))
    told = story.in_thread[-1]
    assert why in told
    assert "https://sentry.example/issues/1/" in told
    story.say(said.IssuesResolved(resolved=0, release=None))
    assert story.in_thread == [], "switched off: nothing to say"
