"""Sentry under load.

Passing errors are told from final ones, each part fails by itself, and an unknown is never mild.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.clients.http.errors import HttpError
from bot.clients.sentry.client import Sentry
from bot.clients.sentry.http import passing
from phases.ports.ports import PortError
from phases.ports.tracker_values import EventPicture
from phases.record.findings import Choice, IssueSeen, Release, TriageReport, Word
from phases.record.incident import Severity
from phases.triage.picture.blast_radius import count_users, severity_of, with_monitor_issues
from phases.triage.steps import headline
from sandbox.faults import Fault
from sandbox.page.faults_panel import OVERLOAD
from tests.support.worlds.local_http import serving
from tests.support.worlds.overload import FEATURES, PLACES, TOTALS, USERS, fire
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, world

SINCE = NOW - timedelta(minutes=15)
TIMEOUT = OVERLOAD[0]
LATER = 3  # tries of one question


# --- what Sentry says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, str(TIMEOUT.error)),
        (
            400,
            (
                "Query timeout. Please try again. If the problem persists try a smaller date "
                "range or fewer projects."
            ),
        ),
        (400, "Internal error. Please try again."),
        (400, "Internal error. Your query failed to run."),
        (400, "Too many simultaneous queries"),
        (400, "Memory limit (for query) exceeded"),
        (400, "Query limits exceeded. Try narrowing your request."),
        (
            400,
            (
                "Rate limit exceeded. Please try your query with a smaller date range or fewer "
                "projects."
            ),
        ),
        (408, "Proxied request timed out"),
        (429, ""),
        (503, ""),
        (504, ""),
    ],
)
def test_overload_passes_whatever_its_status(status: int, message: str) -> None:
    assert passing(status, message)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Invalid query. Argument to function is wrong type."),
        (400, "Invalid date range. Please try a more recent date range."),
        (400, "You can view up to 20 fields at a time. Please delete some and try again."),
        (400, "Parse error at 'timed out' (column 4). Enclose any text in double quotes."),
        (400, "You cannot view events from multiple projects."),
        (400, "dataset must be one of: discover, errors"),
        (400, ""),
        (401, "Invalid token"),
        (403, "You do not have permission to perform this action."),
        (404, "The requested resource does not exist"),
        (422, "sort: Input should be 'last_seen', 'first_seen' or 'count'"),
    ],
)
def test_a_refused_question_is_final(status: int, message: str) -> None:
    assert not passing(status, message)


@pytest.mark.parametrize("fault", OVERLOAD)
async def test_an_overloaded_count_is_asked_for_again_and_found(fault: Fault) -> None:
    async with world() as w:
        await fire(w, "/cart")
        ids = [row.id for row in (await w.client.page([SHOP], SINCE, NOW)).rows]
        w.faults.next("sentry.events", fault, times=LATER - 1)
        assert await w.client.count([SHOP], ids, SINCE, NOW) == 40
        w.faults.next("sentry.events", fault, times=LATER)
        with pytest.raises(PortError) as caught:
            await w.client.count([SHOP], ids, SINCE, NOW)
    assert caught.value.retryable


async def test_a_final_refusal_is_asked_once_and_says_what_sentry_refused() -> None:
    message = "Invalid query. Argument to function is wrong type. <!channel> sntrys_local"
    async with world(counting=True) as w:
        await fire(w, "/cart")
        assert w.calls is not None
        w.calls.paths.clear()
        w.faults.always("sentry.events", Fault(status=400, error=message))
        with pytest.raises(HttpError, match="Argument to function is wrong type") as caught:
            await w.client.count([SHOP], ["1"], SINCE, NOW)
    assert len(w.calls.paths) == 1
    assert not caught.value.retryable
    assert "<!channel>" not in caught.value.text
    assert "sntrys_local" not in caught.value.text


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            422,
            {
                "detail": [
                    {
                        "type": "literal_error",
                        "loc": ["query", "sort"],
                        "msg": "Input should be 'x'",
                    }
                ]
            },
            "sort: ",
        ),
        (400, {"environment": ["Invalid environment"]}, "environment: Invalid environment"),
        (400, ["Invalid statsPeriod"], "Invalid statsPeriod"),
        (
            400,
            {"detail": {"code": "bad", "message": "No such thing", "extra": {}}},
            "No such thing",
        ),
        (422, {"detail": ["start must be before end"]}, "start must be before end"),
    ],
)
async def test_a_refusal_is_told_in_whatever_form_it_comes(
    status: int, body: object, message: str
) -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse(body, status)

    async with serving(Starlette(routes=[Route("/{rest:path}", answer)])) as url:
        client = Sentry(url, "acme", "t")
        with pytest.raises(HttpError) as caught:
            await client.issue("41")
        await client.aclose()
    assert message in caught.value.text
    assert f"({status})" in caught.value.text


# --- an unknown is never mild ---------------------------------------------------------------------


def everything(report: TriageReport) -> str:
    sentences = (
        headline(report),
        *report.blast.sentences,
        *report.recommendation.reasons,
        *report.recommendation.against,
    )
    return " ".join((*sentences, *report.notes))


async def test_features_that_could_not_be_asked_are_many_and_the_decision_says_so() -> None:
    """30 users and 3 features: with a healthy Sentry that is *roll back*.

    It is the same where the features are not known.
    """
    async with world() as w:
        await fire(w)
        w.refusing.refuse(*FEATURES)
        report = await w.triage()
    assert report.recommendation.choice is Choice.ROLLBACK
    assert (report.blast.user_count, report.blast.features) == (30, Word.MANY)
    assert report.blast.unknown == ("features",)
    assert report.incomplete
    assert headline(report).startswith("30 users, features not known; 120 events")
    assert "features not known" in report.recommendation.reasons[0]
    assert "Features are not known." in report.recommendation.against
    assert severity_of(report) is Severity.SEV1


async def test_users_that_could_not_be_asked_are_many() -> None:
    async with world() as w:
        await fire(w, users=1)
        w.refusing.refuse(*USERS)
        report = await w.triage()
    assert report.blast.unknown == ("users",)
    assert report.blast.user_count is None
    assert headline(report).startswith("users not known, ")
    assert "Few events, or none that name users" not in everything(report), (
        "120 of them are not few"
    )
    assert report.recommendation.choice is Choice.ROLLBACK
    assert severity_of(report) is Severity.SEV1


async def test_the_total_alone_tells_of_many_users_and_the_rows_alone_of_the_total() -> None:
    for refused in (USERS, TOTALS):
        async with world() as w:
            await fire(w)
            w.refusing.refuse(*refused)
            report = await w.triage()
        assert (report.blast.user_count, report.blast.unknown, report.events) == (30, (), 120)
        assert report.recommendation.choice is Choice.ROLLBACK


async def test_what_cannot_be_many_is_not_made_many() -> None:
    """One event has one user, and two features take more than five events."""
    async with world() as w:
        await fire(w, "/cart")
        w.local.issues.clear()
        w.local.events.clear()
        w.local.load("Oops: once", at=ago(3), users=["u1"], transaction="/cart", release="v3")
        w.refusing.refuse("/events/")
        report = await w.triage()
    assert (report.blast.users, report.blast.features) == (Word.ONE, Word.ONE)
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert report.incomplete


async def test_regions_that_are_not_known_do_not_make_nameless_events_one_user() -> None:
    async with world() as w:
        await fire(w, "/cart")
        w.local.issues.clear()
        w.local.events.clear()
        w.local.load("Oops: a", at=ago(3), every=10, times=4, transaction="/cart", release="v3")
        assert (await w.triage()).blast.users is Word.ONE
        w.refusing.refuse(*PLACES)
        report = await w.triage()
    assert report.blast.users is Word.MANY
    assert report.blast.unknown == ("places",)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Query timeout. Please try again."),
        (429, "Rate limit exceeded."),
        (503, ""),
        (504, ""),
    ],
)
async def test_an_overloaded_store_of_events_leaves_a_decision_as_for_many(
    status: int, message: str
) -> None:
    """Another part of Sentry tells the issues.

    It knows the number of events, their start, and the deploy before them.
    """
    async with world() as w:
        await fire(w, "/cart")
        for call in ("/events/", "/events-stats/", "/events-timeseries/"):
            w.refusing.refuse(call, status=status, message=message)
        report = await w.triage()
    assert report.events == 40
    assert report.began_at == ago(6), "first seen of what is new"
    assert report.suspect == Release(version="v3")
    assert report.blast.unknown == ("users", "features", "places")
    assert report.recommendation.choice is Choice.ROLLBACK
    assert report.incomplete
    assert "Events by minute are not known." in report.recommendation.against
    assert "nothing unusual" not in everything(report)


async def test_what_is_refused_for_good_is_unknown_too_and_is_not_asked_for_again_and_again() -> (
    None
):
    async with world() as w:
        await fire(w)
        w.refusing.refuse("/events/", message="Invalid query. Argument to function is wrong type.")
        report = await w.triage()
    assert report.recommendation.choice is Choice.ROLLBACK
    assert not report.incomplete
    assert "Argument to function is wrong type" in everything(report)


@pytest.mark.parametrize("status", [400, 429, 500, 503, 504])
async def test_a_series_that_fails_alone_is_asked_for_in_the_older_form(status: int) -> None:
    async with world() as w:
        await fire(w)
        w.refusing.refuse("/events-timeseries/", status=status)
        report = await w.triage()
        w.refusing.rules.clear()
        w.refusing.refuse("/events-stats/", status=404)
        again = await w.triage()  # and the newer one is not given up for long
    assert (report.began_at, report.incomplete) == (ago(6), False)
    assert report.recommendation.choice is Choice.ROLLBACK
    assert again.began_at == ago(6)


async def test_the_beginning_of_an_old_issue_is_not_guessed_where_no_minutes_are_known() -> None:
    async with world() as w:
        for version, minutes in (("v1", 900), ("v2", 600), ("v3", 8)):
            w.deployed(version, minutes)
        w.local.load("Oops: old", at=ago(60 * 24 * 5), transaction="/cart", release="v1")
        w.local.load(
            "Oops: old",
            at=ago(6),
            every=3,
            times=90,
            users=["a", "b"],
            transaction="/cart",
            release="v3",
        )
        for call in ("/events-stats/", "/events-timeseries/"):
            w.refusing.refuse(call, status=503)
        report = await w.triage()
    assert report.began_at is None
    assert report.suspect is None, (
        "a release that was not there yet, or had long been well, is not accused"
    )
    assert report.recommendation.brakes == (
        "When trouble began is not known, so no release is suspected.",
    )


# --- what stands beside it ------------------------------------------------------------------------


async def test_deploys_that_could_not_be_asked_are_not_none() -> None:
    async with world() as w:
        await fire(w)
        w.refusing.refuse("/releases/", status=503)
        report = await w.triage()
    assert report.recommendation.brakes == (
        "Sentry's deploys could not be read, so no release is suspected.",
    )
    assert not report.recommendation.loud  # nobody knows that a rollback would be right
    assert report.incomplete


async def test_one_release_whose_deploys_are_gone_leaves_the_others() -> None:
    """Deleted between the list and the question; the release that burns is one of them."""
    async with world() as w:
        await fire(w)
        for version in ("v2", "v3"):
            w.local.add_deploy(version, environment="staging", finished=ago(2).timestamp())
        w.refusing.refuse(
            "/releases/v3/deploys/", status=404, message="The requested resource does not exist"
        )
        report = await w.triage()
    assert report.suspect == Release(version="v3"), (
        "its first event stands for its deploy, beside what is told of v2"
    )
    assert report.recommendation.target == Release(version="v2")
    assert report.recommendation.choice is Choice.ROLLBACK
    assert "Sentry did not tell the deploys of v3: its first event stands for it." in report.notes
    assert "project:read" not in everything(report)


async def test_where_no_deploy_is_told_because_the_lists_were_refused_that_is_said() -> None:
    """It went to production and then to staging; none of its events came to stand for it."""
    async with world() as w:
        w.local.add_release("v9")
        w.local.add_deploy("v9", finished=ago(9).timestamp())
        w.local.add_deploy("v9", environment="staging", finished=ago(1).timestamp())
        w.burn("/cart", "/pay", since=6, release=None)
        w.refusing.refuse("/releases/v9/deploys/", status=500, message="boom")
        report = await w.triage()
    assert report.deploys == ()
    assert any(note.startswith("Sentry's deploys are not known") for note in report.notes)


async def test_issues_beyond_the_first_page_fail_by_themselves_and_nothing_unusual_is_not_claimed():
    async with world() as w:
        await fire(w, "/cart")
        for n in range(120):
            w.local.load(f"Oops: {n}", at=ago(60 * 24 * 4), function=f"f{n}")
            w.local.load(f"Oops: {n}", at=ago(3), times=2, every=1, function=f"f{n}")
        w.refusing.refuse("/issues/", "cursor=", status=503)
        w.refusing.refuse("interval=5m")  # else all of them have grown with the service
        report = await w.triage()
        assert [i.events for i in report.issues] == [40]
        assert any("Issues beyond the 100 loudest are not known" in note for note in report.notes)
        w.local.issues = {
            id: issue
            for id, issue in w.local.issues.items()
            if issue.times_seen > 0 and "Oops" in issue.title
        }
        w.local.events = [event for event in w.local.events if event.issue_id in w.local.issues]
        with pytest.raises(PortError):
            await w.triage()


# --- monitors -------------------------------------------------------------------------------------


def monitor(w: World, title: str, tag: str, times: int) -> None:
    w.local.load(
        title, at=ago(5), every=30, times=times, tags={tag: "7"}, function=title, release=None
    )


async def test_a_monitors_issue_is_not_counted_as_errors_and_never_nothing_unusual() -> None:
    """The list says 9 events, `dataset=errors` says 0."""
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        monitor(w, "Downtime detected for https://shop.example", "uptime_rule", 9)
        report = await w.triage()
    assert report.events == 9
    assert report.blast.users is Word.MANY
    assert not report.blast.knows("users")
    assert "9 events are not counted as errors: users not known." in report.blast.sentences
    text = everything(report)
    assert "nothing unusual" not in text
    assert "nobody" not in text.lower()
    assert severity_of(report) is Severity.SEV1, "whom it hits is not known, nor what else is down"
    assert report.suspect == Release(version="v3")
    assert not report.incomplete, "asking again would tell no more"


async def test_a_cron_monitors_issue_is_about_its_job() -> None:
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        monitor(w, "Cron failure: nightly-billing", "monitor.slug", 3)
        report = await w.triage()
    assert [(f.name, f.events) for f in report.blast.top_features] == [
        ("Cron failure: nightly-billing", 3)
    ]
    assert report.blast.features is Word.ONE
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert severity_of(report) is Severity.SEV2


async def test_a_monitors_issue_beside_one_users_errors_is_not_one_users() -> None:
    async with world() as w:
        await fire(w, "/cart", users=1)
        monitor(w, "Downtime detected for https://shop.example", "uptime_rule", 9)
        report = await w.triage()
    assert report.events == 49
    assert headline(report).startswith("users not known, ")
    assert report.recommendation.choice is Choice.ROLLBACK


def test_a_list_that_counts_events_beside_no_errors_shows_the_same_without_a_category() -> None:
    issue = IssueSeen(
        id="1", short_id="SHOP-1", title="Down", first_seen=ago(5), events=9, new=True
    )
    none = EventPicture(events=0, user_count=0)
    assert count_users(with_monitor_issues(none, (issue,)), None).word is Word.MANY
    assert count_users(with_monitor_issues(none, ()), None).word is Word.NOBODY
    some = EventPicture(events=9, user_count=1)
    assert with_monitor_issues(some, (issue,)) is some


async def test_health_checks_alone_are_nobody_and_not_nothing_unusual() -> None:
    async with world(service=SHOP.model_copy(update={"not_users": ("bot*",)})) as w:
        w.local.load("Oops: a", at=ago(3), every=1, times=50, users=["bot1"], transaction="/cart")
        report = await w.triage()
    assert report.blast.users is Word.NOBODY
    assert headline(report) == "Only health checks and bots (not_users) ran into it"
