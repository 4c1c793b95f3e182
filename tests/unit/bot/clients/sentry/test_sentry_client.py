"""The Sentry client on the wire: pages, environments, fall-backs, milliseconds, and failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.clients.http.errors import HttpError
from bot.clients.sentry.client import Sentry
from bot.clients.sentry.models import (
    IssueShape,
    ReleaseShape,
    hashed,
    scrubbed,
    shares,
    split_users,
)
from phases.ports.ports import ErrorTracker, PortError
from phases.record.findings import Release
from phases.record.service import ReleaseNames
from sandbox.faults import Fault
from tests.support.worlds.local_http import serving
from tests.support.worlds.sentry_world import NOW, SHOP, ago, world

SINCE = NOW - timedelta(minutes=15)


def test_the_client_is_what_the_phases_ask_for() -> None:
    tracker: ErrorTracker = Sentry("https://sentry.example", "acme", "token")
    assert tracker is not None


async def test_pages_follow_the_link_header() -> None:
    async with world() as w:
        for n in range(130):
            w.local.load(f"Oops: {n}", at=ago(3), function=f"f{n}")
        first = await w.client.page([SHOP], SINCE, NOW)
        assert first.next is not None
        second = await w.client.page([SHOP], SINCE, NOW, after=first.next)
    assert (len(first.rows), len(second.rows), second.next) == (100, 30, None)
    assert len({r.id for r in (*first.rows, *second.rows)}) == 130


async def test_versions_with_slashes_and_packages_are_quoted_and_read_back() -> None:
    service = SHOP.model_copy(update={"release": ReleaseNames(sentry="shop/web@{version}")})
    async with world() as w:
        for version, environment in (("shop/web@4.2", "production"), ("strange", "production")):
            w.local.add_release(version, created=ago(60).timestamp())
            w.local.add_deploy(version, environment=environment, finished=ago(50).timestamp())
        w.local.add_deploy("shop/web@4.2", environment="staging", finished=ago(10).timestamp())
        deploys = await w.client.deploys([service])
    assert [(d.release.version, d.started_at, d.source) for d in deploys] == [
        ("4.2", ago(50), "sentry")
    ]


async def test_new_issues_are_those_first_seen_since_in_that_release() -> None:
    async with world() as w:
        w.local.load("Old: a", at=ago(30), release="v2", function="f")
        w.local.load("Old: a", at=ago(2), release="v2", function="f")
        w.local.load("New: b", at=ago(2), release="v2", function="g")
        w.local.load("New: c", at=ago(2), release="v3", function="h")
        issues = await w.client.new_issues(SHOP, "v2", ago(5), NOW)
        none = await w.client.new_issues(SHOP, "v2", NOW, NOW)
    assert [r.title for r in issues] == ["New: b"]
    assert none == ()


async def test_a_short_id_is_found_and_an_unknown_one_says_so() -> None:
    async with world() as w:
        w.local.load("Oops: a", at=ago(2))
        assert (await w.client.by_short_id("SHOP-1")).title == "Oops: a"
        with pytest.raises(PortError, match="does not know this"):
            await w.client.by_short_id("SHOP-99")
        issue = await w.client.by_short_id("SHOP-1")
        assert await w.client.issue(issue.id) == issue


@pytest.mark.parametrize(
    ("fault", "retryable", "wait", "words"),
    [
        (Fault(status=429, retry_after=9), True, 9.0, "slow down"),
        (Fault(status=502), True, None, "fault of its own"),
        (Fault(lose_answer=True), True, None, "broke off"),
        (
            Fault(status=403, error="You do not have permission to perform this action."),
            False,
            None,
            "event:read",
        ),
        (Fault(status=401, error="Invalid token"), False, None, "does not accept our token"),
    ],
)
async def test_faults_are_said(
    fault: Fault, retryable: bool, wait: float | None, words: str
) -> None:
    async with world() as w:
        await w.client.warm([SHOP])
        w.faults.always("sentry.issues", fault)
        with pytest.raises(PortError, match=words) as caught:
            await w.client.page([SHOP], SINCE, NOW)
    assert (caught.value.retryable, caught.value.retry_after, caught.value.system) == (
        retryable,
        wait,
        "Sentry",
    )


async def test_a_project_that_is_not_there_is_named() -> None:
    async with world() as w:
        with pytest.raises(PortError, match="no project shop-web"):
            await w.client.page([SHOP.model_copy(update={"sentry": ("shop-web",)})], SINCE, NOW)


async def test_no_events_asked_for_nothing_is_called() -> None:
    async with world(counting=True) as w:
        assert w.calls is not None
        assert await w.client.count([SHOP], [], SINCE, NOW) == 0
        assert await w.client.count([SHOP], ["1"], NOW, NOW) == 0
    assert w.calls.paths == []


# --- answers as other Sentrys give them -----------------------------------------------------------


class Pretend:
    """A Sentry of a few fixed answers, by the last part of the path. It remembers its requests."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "projects": [{"id": 7, "slug": "shop", "dateCreated": "2026-01-01T00:00:00Z"}],
            "issues": [],
        } | answers
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.known_environments = {"production", ""}

    async def answer(self, request: Request) -> Response:
        name = request.url.path.rstrip("/").rpartition("/")[2]
        self.asked.append((name, list(request.query_params.multi_items())))
        if not set(request.query_params.getlist("environment")) <= self.known_environments:
            return JSONResponse({"detail": "The requested resource does not exist"}, 404)
        answer = self.answers.get(name)
        if isinstance(answer, int):
            return Response(status_code=answer)
        return JSONResponse(answer)

    def environments(self, name: str) -> list[list[str]]:
        return [
            [v for k, v in params if k == "environment"] for n, params in self.asked if n == name
        ]

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{rest:path}", self.answer)])


async def test_time_series_are_in_milliseconds_and_their_incomplete_end_is_marked() -> None:
    at = datetime(2026, 5, 5, 14, 0, tzinfo=UTC)
    ms = int(at.timestamp() * 1000)
    values = [
        {"timestamp": ms, "value": 4, "incomplete": False},
        {"timestamp": ms + 60000, "value": 0, "incomplete": False},
        {
            "timestamp": ms + 120000,
            "value": 2,
            "incomplete": True,
            "incompleteReason": "INCOMPLETE_BUCKET",
        },
    ]
    meta = {"interval": 60000, "valueType": "integer", "dataScanned": "partial"}
    pretend = Pretend(
        **{
            "events-timeseries": {
                "timeSeries": [{"values": values, "yAxis": "count()", "meta": meta}],
                "meta": {},
            }
        }
    )
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        minutes = await client.per_minute([SHOP], ["1"], SINCE, NOW)
        await client.aclose()
    assert minutes.counts == {at: 4, at + timedelta(minutes=2): 2}
    assert minutes.incomplete == (at + timedelta(minutes=2),)
    assert minutes.sampled
    assert dict(pretend.asked[-1][1])["dataset"] == "errors"
    assert dict(pretend.asked[-1][1])["query"] == "issue.id:[1]"


@pytest.mark.parametrize("status", [400, 404])
async def test_an_older_sentry_is_asked_for_stats_in_seconds_and_remembered(status: int) -> None:
    at = NOW.replace(second=0) - timedelta(minutes=4)
    data = [[int(at.timestamp()) + 60 * n, [{"count": n + 1}]] for n in range(5)]
    pretend = Pretend(
        **{"events-timeseries": status, "events-stats": {"data": data, "start": 0, "end": 0}}
    )
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        minutes = await client.per_minute([SHOP], ["1"], SINCE, NOW)
        await client.per_minute([SHOP], ["1"], SINCE, NOW)
        await client.aclose()
    assert minutes.counts == {at + timedelta(minutes=n): n + 1 for n in range(5)}
    assert minutes.incomplete == (at + timedelta(minutes=3), at + timedelta(minutes=4))
    assert [n for n, _ in pretend.asked].count("events-timeseries") == 1


async def test_no_series_at_all_is_said() -> None:
    pretend = Pretend(**{"events-timeseries": 404, "events-stats": 404})
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        assert not (await client.per_minute([SHOP], ["1"], SINCE, NOW)).known
        await client.aclose()


@pytest.mark.parametrize(
    ("known", "used"),
    [({"production", ""}, ["production", ""]), ({"production"}, ["production"]), ({""}, [""])],
)
async def test_environments_that_sentry_never_saw_are_not_asked_for(
    known: set[str], used: list[str]
) -> None:
    pretend = Pretend()
    pretend.known_environments = known
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        page = await client.page([SHOP], SINCE, NOW)
        await client.aclose()
    assert page.rows == ()
    assert page.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert pretend.environments("issues")[-1] == used


async def test_an_environment_without_any_event_yet_is_quiet() -> None:
    pretend = Pretend()
    pretend.known_environments = {"staging"}
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        assert (await client.page([SHOP], SINCE, NOW)).rows == ()
        assert await client.deploys([SHOP]) == ()
        await client.aclose()


@pytest.mark.parametrize(
    "rows",
    [{}, {"data": None}, {"data": [{"count": 4}]}, {"data": [{"count()": None}], "meta": {}}],
)
async def test_a_count_that_is_not_there_is_not_zero(rows: dict[str, Any]) -> None:
    """It would be taken for recovery. https://docs.sentry.io/api/explore/query-explore-events-in-table-format/"""
    pretend = Pretend(events=rows)
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        with pytest.raises(HttpError, match="shape that is not known"):
            await client.count([SHOP], ["1"], SINCE, NOW)
        await client.aclose()


@pytest.mark.parametrize("value", [7, 7.0, "7"])
async def test_counts_are_numbers_of_any_kind_and_more_is_left_alone(value: object) -> None:
    meta = {
        "fields": {"count()": "integer"},
        "units": {},
        "isMetricsData": False,
        "dataset": "errors",
        "tips": {},
    }
    pretend = Pretend(
        events={
            "data": [{"count()": value, "project.name": "shop"}],
            "meta": meta,
            "confidence": [],
        }
    )
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        assert await client.count([SHOP], ["1"], SINCE, NOW) == 7
        await client.aclose()


@pytest.mark.parametrize("series", [{}, {"data": []}, {"timeSeries": None}])
async def test_a_series_of_another_shape_is_asked_for_as_stats(series: dict[str, Any]) -> None:
    """With what Sentry adds to it: https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/snuba.py"""
    at = int(NOW.replace(second=0).timestamp()) - 300
    data = [
        [at, [{"count": 3, "comparisonCount": 1}]],
        [at + 60, [{"count": None}]],
        [at + 120, []],
    ]
    stats = {
        "data": data,
        "start": at,
        "end": at + 900,
        "isMetricsData": False,
        "meta": {"fields": {"count()": "integer"}},
    }
    pretend = Pretend(**{"events-timeseries": series, "events-stats": stats})
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        minutes = await client.per_minute([SHOP], ["1"], SINCE, NOW)
        await client.aclose()
    assert minutes.counts == {datetime.fromtimestamp(at, UTC): 3}


async def test_releases_come_in_pages_that_may_be_short() -> None:
    """`Link` has `rel="next"; results="true"; cursor="…"`.

    https://docs.sentry.io/api/pagination/
    """

    def release(number: int) -> dict[str, Any]:
        deploy = {
            "environment": "production",
            "dateFinished": f"2026-05-0{number}T00:00:00Z",
            "dateStarted": None,
        }
        known = {
            "version": f"1.{number}.0",
            "projects": [{"id": 7, "slug": "shop"}],
            "firstEvent": None,
        }
        return {
            **known,
            "lastDeploy": deploy,
            "deployCount": 1,
            "newGroups": 0,
            "adoptionStages": {},
            "status": "open",
        }

    asked: list[str] = []

    async def answer(request: Request) -> Response:
        if not request.url.path.endswith("/releases/"):
            return JSONResponse(
                [{"id": "7", "slug": "shop"}] if request.url.path.endswith("/projects/") else []
            )
        asked.append(request.query_params.get("cursor", ""))
        page = int((asked[-1] or "0:0:0").split(":")[1])
        more = "true" if page < 2 else "false"
        link = f'<{request.url}>; rel="previous"; results="false"; cursor="0:0:1", '
        link += f'<{request.url}>; rel="next"; results="{more}"; cursor="0:{page + 1}:0"'
        return JSONResponse([release(3 - page)], headers={"Link": link})

    async with serving(Starlette(routes=[Route("/{rest:path}", answer)])) as url:
        client = Sentry(url, "acme", "t")
        deploys = await client.deploys([SHOP])
        await client.aclose()
    assert [deploy.release.version for deploy in deploys] == ["1.3.0", "1.2.0", "1.1.0"]
    assert asked == ["", "0:1:0", "0:2:0"]


async def test_without_retry_after_the_end_of_sentrys_window_is_waited_for() -> None:
    """ "the time when the next rate limit window begins", in seconds from epoch.

    https://docs.sentry.io/api/ratelimits/
    """
    ends = datetime.now(UTC).timestamp() + 40
    headers = {"X-Sentry-Rate-Limit-Limit": "40", "X-Sentry-Rate-Limit-Remaining": "0"}
    headers |= {
        "X-Sentry-Rate-Limit-Reset": f"{ends:.0f}",
        "X-Sentry-Rate-Limit-ConcurrentRemaining": "24",
    }

    async def answer(request: Request) -> Response:
        message = (
            "You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 "
            "seconds"
        )
        return JSONResponse({"detail": message}, 429, headers=headers)

    async with serving(Starlette(routes=[Route("/{rest:path}", answer)])) as url:
        client = Sentry(url, "acme", "t")
        with pytest.raises(HttpError, match="slow down") as caught:
            await client.issue("41")
        await client.aclose()
    assert 10 < (caught.value.retry_after or 0) <= 41


async def test_an_unknown_shape_is_said_without_its_content() -> None:
    pretend = Pretend(
        shortids={"group": {"id": "1", "secret": "bob@example.com"}},
        **{"SHOP-1": {"group": {"id": "1", "title": "bob@example.com"}}},
    )
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        with pytest.raises(HttpError, match=r"shape that is not known \(group") as caught:
            await client.by_short_id("SHOP-1")
        await client.aclose()
    assert "bob" not in str(caught.value)


# --- shapes ---------------------------------------------------------------------------------------

ISSUE: dict[str, Any] = {
    "id": "41",
    "shortId": "SHOP-7",
    "title": "KeyError: bob@example.com at 203.0.113.7",
    "permalink": "https://sentry.example/41",
    "level": "error",
    "status": "ignored",
    "substatus": "archived_until_escalating",
    "count": "30",
    "userCount": 3,
    "firstSeen": "2026-05-05T14:10:00Z",
    "lifetime": {"firstSeen": "2026-04-01T00:00:00Z", "count": "900"},
    "project": {"id": "7", "slug": "shop", "name": "shop"},
    "isUnhandled": True,
    "stats": {
        "24h": [
            [int((NOW - timedelta(hours=h)).timestamp()) // 3600 * 3600, 10]
            for h in range(23, -1, -1)
        ]
    },
}


def test_an_issue_of_a_window_keeps_its_own_first_seen_and_its_day_before() -> None:
    row = IssueShape.model_validate(ISSUE).row(SINCE)
    assert row.first_seen == datetime(2026, 4, 1, tzinfo=UTC)
    assert row.events == 30
    assert row.events_before == 210
    assert row.minutes_before == pytest.approx(23 * 60 + 0.5)
    assert row.handled is False
    assert row.title == "KeyError: … at …"


def test_buckets_that_are_none_spoil_no_triage() -> None:
    """`stats` is by period.

    https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/models/group_stream.py
    """
    hour = int(SINCE.timestamp()) // 3600 * 3600 - 3600
    stats = {"24h": [[hour, 4], [hour + 3600, None], [hour], None], "auto": [], "next": {"a": 1}}
    row = IssueShape.model_validate({**ISSUE, "count": "1", "stats": stats}).row(SINCE)
    assert row.events_before == 3


@pytest.mark.parametrize(
    ("deploy", "first_event", "started"),
    [
        (
            {"dateStarted": "2026-05-05T14:00:00Z", "dateFinished": "2026-05-05T14:05:00Z"},
            None,
            "14:00",
        ),
        ({"dateFinished": "2026-05-05T14:05:00Z"}, None, "14:05"),
        (
            {"dateFinished": "2026-05-05T14:05:00Z"},
            "2026-05-05T14:03:00Z",
            "14:03",
        ),  # it crashed while it rolled out
        (
            {"dateFinished": "2026-05-05T14:05:00Z"},
            "2026-05-05T12:00:00Z",
            "14:05",
        ),  # an earlier deploy of it
    ],
)
def test_when_a_deploy_started(
    deploy: dict[str, str], first_event: str | None, started: str
) -> None:
    shape = {
        "version": "v3",
        "firstEvent": first_event,
        "projects": [{"id": 7, "slug": "shop"}],
        "lastDeploy": {"environment": "production", **deploy},
        "lastCommit": {"id": "a" * 40},
    }
    release = ReleaseShape.model_validate(shape)
    assert release.lastDeploy is not None
    last_deploy = release.seen(SHOP, [release.lastDeploy])[0]
    assert f"{last_deploy.started_at:%H:%M}" == started
    assert last_deploy.release == Release(version="v3", commit="a" * 40)


def test_users_are_hashed_and_split() -> None:
    rows = [
        ("id:1", 5, 2),
        ("id:healthcheck-7", 90, 1),
        (None, 3, None),
        ("", 1, None),
        ("email:bob@example.com", 2, 0),
    ]
    split = split_users(rows, ["healthcheck*"])
    assert (split.events_without, split.not_users, split.events_of_not_users) == (4, 1, 90)
    assert [(u.events, u.addresses) for u in split.users] == [(5, 2), (2, None)]
    assert "bob" not in split.model_dump_json()
    assert hashed("id:1") != hashed("id:2")


def test_addresses_of_people_are_taken_out_and_releases_are_not() -> None:
    assert scrubbed("no bob.x+1@mail.example.com, 10.0.0.1!") == "no …, …!"
    assert scrubbed("shop@1.2.3") == "shop@1.2.3"


def test_an_issue_of_which_little_is_written_yet_is_read_all_the_same() -> None:
    """The serializer asks for what the stream has not counted yet with `.get(…)`."""
    row = {
        "id": "7",
        "shortId": None,
        "title": "Oops",
        "level": None,
        "count": "3",
        "firstSeen": None,
        "project": {"id": "1", "slug": "shop"},
    }
    issue = IssueShape.model_validate(
        row | {"lifetime": {"firstSeen": None}, "lastSeen": ago(2).isoformat()}
    ).row(SINCE)
    assert (issue.first_seen, issue.events, issue.level, issue.short_id) == (ago(2), 3, "error", "")
    known = IssueShape.model_validate(row | {"lifetime": {"firstSeen": ago(900).isoformat()}}).row(
        SINCE
    )
    assert known.first_seen == ago(900)


def test_a_name_from_sentry_mentions_nobody() -> None:
    (share,) = shares([("/a <@U0BOB> <!channel>", 3)])
    assert share.name == "/a @U0BOB !channel"


@pytest.mark.parametrize(
    ("kind", "category", "right"),
    [
        ("error", "error", "error"),
        ("error", "a_category_of_next_year", "error"),
        ("", "error", "error"),
        ("monitor_check_in_failure", "outage", "cron"),
        ("uptime_domain_failure", "outage", "outage"),
    ],
)
def test_an_error_is_one_whatever_its_category_is_called(
    kind: str, category: str, right: str
) -> None:
    issue = IssueShape.model_validate(
        {"id": 1, "project": {"slug": "shop"}, "issueType": kind, "issueCategory": category}
    )
    assert issue.category == right
