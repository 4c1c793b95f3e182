"""After recovery Sentry's issues are resolved in the running release.

The tests go over the local Sentry's real HTTP, and check what the record wants.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.clients.http.errors import HttpError
from bot.clients.sentry.client import Sentry
from bot.clients.sentry.resolver import SentryIssues, Way
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import LookVerdict
from sandbox.faults import Fault
from tests.support.bots.story import Story, verifying
from tests.support.values.factories import FIX
from tests.support.worlds.local_http import serving
from tests.support.worlds.sentry_world import NOW, World, world


@asynccontextmanager
async def resolver(w: World) -> AsyncIterator[SentryIssues]:
    yield w.client.issues()


def sends(w: World, release: str) -> str:
    """Return the issue's status after one more event of this release."""
    w.burn("/cart", since=-1, times=1, release=release)
    issue = min(w.local.issues.values(), key=lambda candidate: candidate.id)
    status = issue.status
    w.local.set_status(issue.id, "resolved", resolution=issue.resolution)
    return status


@pytest.mark.parametrize("name", ["shop@1.{}.0", "sha-{}"])
async def test_a_straggler_of_what_was_rolled_back_is_no_regression_and_the_next_release_is_one(
    name: str,
) -> None:
    """Events of the release that was taken back, of older ones and of none.

    Releases are numbers or dates.
    """
    v1, v2, v3, v4 = (name.format(n) for n in range(1, 5))
    async with world() as w, resolver(w) as issues:
        w.deployed(v1, 900)
        w.deployed(v2, 600)
        w.deployed(v3, 22)
        w.burn("/cart", release=v3)
        [id] = (str(i) for i in w.local.issues)
        assert await issues.resolve([id], [Way(v2)]) == (Way(v2),)
        assert sends(w, v3) == "unresolved", "what an earlier Firebreak did"
        assert await issues.resolve([id], [Way(next=True)]) == (Way(next=True),)
        assert await issues.resolve([id], [Way(next=True)]) == (Way(next=True),), "twice is once"
        resolution = w.local.issues[int(id)].resolution
        for release in (v1, v2, v3, ""):
            w.local.set_status(int(id), "resolved", resolution=resolution)
            assert sends(w, release) == "resolved", release
        w.local.set_status(int(id), "resolved", resolution=resolution)
        w.local.add_release(v4, created=NOW.timestamp() + 60)
        assert sends(w, v4) == "unresolved"


async def test_where_sentry_knows_the_release_after_it_that_one_is_named() -> None:
    """A release that CI has built by now would otherwise be no regression.

    It brings the trouble back when it is deployed.
    """
    async with world() as w, resolver(w) as issues:
        w.deployed("shop@1.2.0", 600)
        w.deployed("shop@1.3.0", 22)
        w.burn("/cart", release="shop@1.3.0")
        [id] = (str(i) for i in w.local.issues)
        assert await issues.after("shop@1.3.0", ("shop",)) is None
        w.local.add_release("shop@1.4.0", created=NOW.timestamp() - 60)
        w.local.add_release("shop@1.2.1", created=NOW.timestamp() - 30)  # later, and below
        assert await issues.after("shop@1.3.0", ("shop",)) == "shop@1.4.0"
        assert await issues.after("shop@1.3.0", ("other",)) is None
        assert await issues.after("nobody-knows", ("shop",)) is None
        assert await issues.resolve([id], [Way("shop@1.4.0"), Way(next=True)]) == (
            Way("shop@1.4.0"),
        )
        for release, status in (
            ("shop@1.3.0", "resolved"),
            ("shop@1.2.0", "resolved"),
            ("shop@1.4.0", "unresolved"),
        ):
            w.local.set_status(
                int(id), "resolved", resolution=w.local.issues[int(id)].resolution or None
            )
            assert sends(w, release) == status, release
        w.faults.next("sentry.releases", Fault(status=403))
        assert await issues.after("shop@1.3.0", ("shop",)) is None, (
            "a token that may not list releases"
        )


async def test_a_release_that_sends_events_already_may_have_the_same_fault() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("shop@1.3.0", 600)
        w.deployed("shop@1.4.0", 22)
        w.burn("/cart", times=1, release="shop@1.4.0")
        assert await issues.after("shop@1.3.0", ("shop",)) is None


async def test_a_release_that_sentry_does_not_know_is_left_out() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        [(id, issue)] = w.local.issues.items()
        ways = [Way("hotfix fix/x@abc1234"), Way("v3")]
        assert await issues.resolve([str(id), "999999"], ways) == (Way("v3"),), "one is gone"
        assert issue.in_release == "v3"
        assert await issues.resolve([str(id)], [Way("nobody-knows")]) == (Way(),), (
            "resolved, not said to be in it"
        )
        assert (issue.status, issue.in_release) == ("resolved", "")


async def test_a_project_without_releases_refuses_the_next_one_and_resolves_plainly() -> None:
    async with world() as w, resolver(w) as issues:
        w.burn("/cart", release="")
        [(id, issue)] = w.local.issues.items()
        assert await issues.resolve([str(id)], [Way(next=True)]) == (Way(),)
        assert (issue.status, issue.resolution) == ("resolved", None)
        assert sends(w, "") == "unresolved"


async def test_without_the_scope_it_says_which_one_and_out_of_reach_it_is_tried_again() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        w.faults.next("sentry.issue", Fault(status=503))
        with pytest.raises(HttpError) as away:
            await issues.resolve(["1"], [Way("v3")])
        assert away.value.retryable
        w.local.tokens["sntrys_local"] = frozenset({"org:read", "project:read", "event:read"})
        with pytest.raises(HttpError, match="event:write") as refused:
            await issues.resolve(["1"], [Way("v3")])
        assert (refused.value.status, refused.value.retryable) == (403, False)
        assert issues.link("1").endswith("/organizations/acme/issues/1/")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (
            400,
            (
                "Query timeout. Please try again. If the problem persists try a smaller date "
                "range or fewer projects."
            ),
        ),
        (400, "Internal error. Please try again."),
        (408, ""),
        (429, "Rate limit exceeded."),
        (504, ""),
    ],
)
async def test_an_overload_is_no_word_on_the_release_and_no_other_way_is_tried(
    status: int, error: str
) -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        [(id, issue)] = w.local.issues.items()
        w.faults.next("sentry.issue", Fault(status=status, error=error))
        with pytest.raises(HttpError) as away:
            await issues.resolve([str(id)], [Way("v3"), Way(next=True)])
        assert away.value.retryable
        assert issue.status == "unresolved"
        assert await issues.resolve([str(id)], [Way("v3"), Way(next=True)]) == (Way("v3"),)
        w.faults.always("sentry.releases", Fault(status=status, error=error))
        with pytest.raises(HttpError) as unlisted:
            await issues.after("v3", ("shop",))
        assert unlisted.value.retryable, (
            "whether a later release is there is not known, so none is guessed"
        )


async def test_where_every_issue_is_said_to_be_gone_that_is_told() -> None:
    """A token of another organisation gets the same answer for each of them."""
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        with pytest.raises(
            HttpError, match="does not know this, or our token may not see it"
        ) as gone:
            await issues.resolve(["999998", "999999"], [Way("v3")])
        assert (gone.value.status, gone.value.retryable) == (404, False)


async def test_a_reason_within_a_field_of_a_field_is_told() -> None:
    async with world() as w, resolver(w) as issues:
        w.deployed("v3", 22)
        w.burn("/cart")
        [id] = (str(i) for i in w.local.issues)
        with pytest.raises(HttpError, match="Unable to find a release with the given version"):
            await issues._resolve_one(id, Way("nobody-knows"))  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("body", "way"),
    [
        ({"id": "1", "status": "resolved", "statusDetails": {}}, Way()),
        ({"id": "1", "status": "resolved"}, Way()),
        (
            {"id": "1", "status": "resolved", "statusDetails": {"inNextRelease": True}},
            Way(next=True),
        ),
        ({"id": "1", "status": "resolved", "statusDetails": {"inRelease": "v3"}}, Way(next=True)),
    ],
)
async def test_a_sentry_that_drops_the_release_resolved_it_in_none(
    body: dict[str, object], way: Way
) -> None:
    """GlitchTip reads the status alone.

    "a return in a newer release" would promise something that it never does.
    """

    async def answer(request: Request) -> Response:
        return JSONResponse(body)

    async with serving(Starlette(routes=[Route("/{rest:path}", answer, methods=["PUT"])])) as url:
        sentry = Sentry(url, "acme", "t")
        assert await sentry.issues().resolve(["1"], [Way(next=True)]) == (way,)
        await sentry.aclose()


# --- what the record wants ------------------------------------------------------------------------


def test_recovery_wants_every_issue_of_the_incident_in_what_was_read_back() -> None:
    story = verifying()
    assert not story.wants(wanted.ResolveIssues)
    story.looked(LookVerdict.RECOVERED)
    [effect] = story.wants(wanted.ResolveIssues)
    assert (effect.taken_back, effect.release) == ("1.3.0", None), "never in what was gone back to"
    assert (
        set(effect.issues) == {i for i in story.record.triage.issue_ids if i.isdigit()}
        if story.record.triage
        else set()
    )
    story.say(said.IssuesResolved(resolved=2, release=None, next=True))
    assert story.in_thread[-1] == (
        "2 Sentry issues set to resolved in the next release. Sentry reports a return only in a "
        "newer release; I watch 1.2.0 for an hour."
    )
    assert "2 Sentry issues set to resolved in the next release" in story.noted
    story.say(said.IssuesResolved(resolved=2, release=None))
    assert (
        story.in_thread[-1]
        == "2 Sentry issues set to resolved. If they come back, Sentry reports a regression."
    )


def test_after_a_hotfix_in_its_release_and_after_another_fix_in_none() -> None:
    story = Story().opened().measured().hotfixed().deployed().recovered()
    [effect] = story.wants(wanted.ResolveIssues)
    assert (effect.release, effect.commit, effect.taken_back) == (FIX.version, FIX.commit, None)
    story.say(said.IssuesResolved(resolved=1, release="ab" * 20))
    assert story.in_thread[-1].startswith("1 Sentry issue set to resolved in ababababa. "), (
        "a commit by its beginning"
    )
    story = Story().opened().measured()
    story.say(said.DecideFixed(by="U0BOB", round=1, sentence="flag off"))
    story.recovered()
    [effect] = story.wants(wanted.ResolveIssues)
    assert (effect.release, effect.commit, effect.taken_back) == (None, None, None)


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
    story.say(
        said.IssuesResolved(
            resolved=0, release=None, refused=why, links=("https://sentry.example/issues/1/",)
        )
    )
    message = story.in_thread[-1]
    assert why in message
    assert "https://sentry.example/issues/1/" in message
    story.say(said.IssuesResolved(resolved=0, release=None))
    assert story.in_thread == [], "switched off: nothing to say"
