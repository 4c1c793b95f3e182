"""The local Sentry: a real SDK in front of it, its API read back over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sentry_sdk
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from sandbox.faults import Fault, Faults
from sandbox.page.faults_panel import COUNTING, OVERLOAD
from sandbox.sentry import Alerts, Rule, Sentry, sentry_app, sign
from sandbox.sentry.shapes import users
from tests.support.worlds.local_http import serving

ORG = "/sentry/api/0/organizations/acme"


class World:
    def __init__(self, base: str, sentry: Sentry, faults: Faults, http: httpx.AsyncClient) -> None:
        self.base, self.sentry, self.faults, self.http = base, sentry, faults, http

    async def get(self, path: str, expect: int = 200, **params: Any) -> Any:
        answer = await self.http.get(f"{ORG}/{path}", params=params)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
async def world() -> AsyncIterator[World]:
    sentry, faults = Sentry(projects=("shop", "shop-api")), Faults()
    app = Starlette(routes=[Mount("/sentry", sentry_app(sentry, faults))])
    async with serving(app) as base:
        sentry.base_url = f"{base}/sentry"
        headers = {"Authorization": "Bearer sntrys_local"}
        async with httpx.AsyncClient(
            base_url=base, headers=headers, trust_env=False, verify=False
        ) as http:
            yield World(base, sentry, faults, http)


def fail(dsn: str) -> None:
    """One unhandled-looking error through the real SDK."""
    client = sentry_sdk.Client(
        dsn=dsn,
        release="shop@1.2.0",
        environment="production",
        server_name="shop-1",
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.set_user({"id": "42", "ip_address": "10.0.0.42"})
        scope.set_tag("region", "eu-west")
        scope.set_tag("customer", "nordwind")
        scope.set_transaction_name("/cart")
        try:
            cart: dict[str, int] = {}
            cart["total"] += 1
        except KeyError as error:
            scope.capture_exception(error)
    client.flush(timeout=60)
    client.close(timeout=5)


async def test_an_error_of_the_real_sdk_can_be_read_back(world: World) -> None:
    await asyncio.to_thread(fail, world.sentry.dsn())
    (issue,) = await world.get("issues/", statsPeriod="15m", query="is:unresolved", project=["1"])
    assert issue["title"] == "KeyError: 'total'"
    assert issue["count"] == "1"
    assert issue["userCount"] == 1
    assert issue["shortId"] == "SHOP-1"
    assert "firstRelease" not in issue
    assert "tags" not in issue
    assert len(issue["stats"]["24h"]) == 24

    detail = await world.get(f"issues/{issue['id']}/")
    assert detail["firstRelease"]["version"] == "shop@1.2.0"
    assert {"key": "region", "name": "Region", "totalValues": 1} in detail["tags"]

    event = await world.get(f"issues/{issue['id']}/events/latest/", environment="production")
    (exception,) = (entry for entry in event["entries"] if entry["type"] == "exception")
    frame = exception["data"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["inApp"] is True
    assert frame["function"] == "fail"
    assert [frame["lineNo"], '            cart["total"] += 1'] in frame["context"]
    assert event["release"]["version"] == "shop@1.2.0"
    assert {tag["key"]: tag["value"] for tag in event["tags"]} == {
        "customer": "nordwind",
        "environment": "production",
        "handled": "yes",
        "level": "error",
        "mechanism": "generic",
        "region": "eu-west",
        "release": "shop@1.2.0",
        "server_name": "shop-1",
        "transaction": "/cart",
        "user": "id:42",
    }
    tags = await world.get(f"issues/{issue['id']}/tags/user/")
    assert (tags["totalValues"], tags["uniqueValues"], tags["topValues"][0]["value"]) == (
        1,
        1,
        "id:42",
    )
    assert (await world.get("shortids/SHOP-1/"))["groupId"] == issue["id"]


async def test_rows_are_grouped_counted_filtered_and_sorted(world: World) -> None:
    now = time.time()
    world.sentry.load(
        at=now - 600,
        every=10,
        times=6,
        users=["1", "2", "3"],
        transaction="/",
        tags={"region": "eu"},
    )
    world.sentry.load(
        at=now - 600, every=10, times=3, users=["4"], transaction="/cart", tags={"region": "us"}
    )
    world.sentry.load("TypeError: no", at=now - 500, transaction="/pay", level="warning")
    world.sentry.load("OSError: old", at=now - 7200, users=["9"])
    world.sentry.load("OSError: staged", at=now - 60, users=["9"], environment="staging")
    asked = {
        "dataset": "errors",
        "statsPeriod": "15m",
        "project": "1",
        "environment": "production",
        "query": "level:[error,fatal] has:user",
    }
    fields = ["transaction", "count()", "count_unique(user)", "min(timestamp)"]
    table = await world.get("events/", **asked, field=fields, sort="-count()")
    assert [row["transaction"] for row in table["data"]] == ["/", "/cart"]
    assert table["data"][0]["count_unique(user)"] == 3
    assert (
        table["data"][0]["min(timestamp)"]
        == datetime.fromtimestamp(int(now - 600), UTC).isoformat()
    )
    assert table["meta"]["fields"]["count()"] == "integer"

    whole = await world.get("events/", **asked, field=["count()", "count_unique(user)"])
    assert [(row["count()"], row["count_unique(user)"]) for row in whole["data"]] == [(9, 4)]
    by_issue = await world.get(
        "events/", **asked | {"query": "!transaction:/pay"}, field=["issue", "count()"]
    )
    assert [(row["issue"], row["issue.id"], row["count()"]) for row in by_issue["data"]] == [
        ("SHOP-1", 4_100_000_001, 9)
    ]
    for query, count in {
        "issue:SHOP-1": 9,
        "issue.id:[4100000001,4100000002]": 10,
        "!user:id:4": 7,
        "region:us": 3,
        "transaction:/c*": 3,
        "(region:us OR level:warning) release:shop@1.2.0": 4,
        "!has:user": 1,
        'user:"id:1"': 2,
        f"timestamp:>{datetime.fromtimestamp(now - 555, UTC).isoformat()}": 2,
    }.items():
        answer = await world.get("events/", **asked | {"query": query}, field="count()")
        assert answer["data"] == [{"count()": count}], query
    start, end = (
        datetime.fromtimestamp(now - ago, UTC).strftime("%Y-%m-%dT%H:%M:%S") for ago in (7300, 7100)
    )
    answer = await world.get(
        "events/", dataset="errors", start=start, end=end, field=["title", "timestamp"]
    )
    assert [row["title"] for row in answer["data"]] == ["OSError: old"]
    assert (await world.get("events/", 400, dataset="errors"))["detail"] == "No columns selected"


async def test_series_are_filled_with_zeros_and_know_what_is_incomplete(world: World) -> None:
    now = time.time()
    minute = int(now) // 60 * 60
    world.sentry.load(at=minute - 300, times=4, users=["1", "2"])
    world.sentry.load(at=now, times=2)
    asked = {
        "start": _iso(minute - 600),
        "end": _iso(now + 1),
        "interval": "1m",
        "yAxis": "count()",
    }
    series = (await world.get("events-timeseries/", **asked, dataset="errors"))["timeSeries"][0]
    points = {value["timestamp"]: value for value in series["values"]}
    assert points[(minute - 300) * 1000]["value"] == 4
    assert points[(minute - 300) * 1000]["incomplete"] is False
    assert points[minute * 1000] == {
        "timestamp": minute * 1000,
        "value": 2,
        "incomplete": True,
        "incompleteReason": "INCOMPLETE_BUCKET",
    }
    assert series["meta"]["interval"] == 60_000
    assert sum(value["value"] for value in series["values"]) == 6
    await world.get("events-timeseries/", 400, **asked)

    stats = await world.get("events-stats/", **asked)
    assert [minute - 300, [{"count": 4}]] in stats["data"]


async def test_requests_are_counted_from_what_sdks_send_and_from_flows(world: World) -> None:
    now = int(time.time())
    key = world.sentry.projects["shop"].public_key
    headers = {"X-Sentry-Auth": f"Sentry sentry_key={key}, sentry_version=7"}
    header = {"trace": {"sample_rate": "0.5", "trace_id": "0" * 32}}
    for second in range(4):
        transaction = {
            "type": "transaction",
            "transaction": "/pay",
            "start_timestamp": now - 61.5 - second,
            "timestamp": now - 61 - second,
            "contexts": {"trace": {"op": "http.server", "trace_id": "0" * 32, "span_id": "0" * 16}},
            "environment": "production",
        }
        lines = (header, {"type": "transaction"}, transaction)
        body = "\n".join(json.dumps(line) for line in lines)
        sent = await world.http.post("/sentry/api/1/envelope/", content=body, headers=headers)
        assert sent.status_code == 200
    world.sentry.traffic(1, since=now - 100)
    world.sentry.load(at=now - 50, environment="production")
    asked = {"start": _iso(now - 65), "end": _iso(now), "yAxis": "count()", "dataset": "spans"}
    asked |= {"query": "is_transaction:true", "interval": "15s"}
    series = (await world.get("events-timeseries/", **asked))["timeSeries"][0]
    assert sum(value["value"] for value in series["values"]) == 8 + 65
    assert sum(value["sampleCount"] for value in series["values"]) == 4 + 65
    pay = {**asked, "query": "is_transaction:true transaction:/pay"}
    series = (await world.get("events-timeseries/", **pay))["timeSeries"][0]
    sampled = next(value for value in series["values"] if value["value"])
    assert (sampled["sampleRate"], sampled["confidence"]) == (0.5, "low")


async def test_spans_are_asked_for_as_strictly_as_by_the_real_one(world: World) -> None:
    now = int(time.time())
    world.sentry.load(at=now - 50, environment="production")
    asked = {"start": _iso(now - 3600), "end": _iso(now), "dataset": "spans"}
    asked |= {"query": "is_transaction:true", "interval": "1m", "yAxis": "count()"}
    await world.get("events-timeseries/", **asked)
    for wrong in (
        {"interval": "20s"},
        {"start": _iso(now - 2 * 86_400)},
        {"query": "level:error"},
        {"yAxis": "count_everything()"},
        {"dataset": "visits"},
    ):
        await world.get("events-timeseries/", 400, **(asked | wrong))
    await world.get("events-timeseries/", 404, **asked, environment="nowhere")
    world.sentry.spans = False
    await world.get("events-timeseries/", 400, **asked)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


async def test_pages_are_linked(world: World) -> None:
    for number in range(5):
        world.sentry.load(f"ValueError: {number}", function=f"step_{number}")
    ids: list[str] = []
    sizes: list[int] = []
    url: str | None = f"{ORG}/issues/?statsPeriod=1h&limit=2"
    while url:
        answer = await world.http.get(url)
        ids += [issue["shortId"] for issue in answer.json()]
        sizes.append(len(answer.json()))
        assert 'rel="previous"; results="' in answer.headers["link"]
        following = answer.links["next"]
        url = following["url"] if following["results"] == "true" else None
    assert sizes == [2, 2, 1]
    assert sorted(ids) == [f"SHOP-{number}" for number in range(1, 6)]
    await world.get("issues/", 400, limit="101")


async def test_issues_are_filtered_by_what_they_are_and_sorted(world: World) -> None:
    now = time.time()
    world.sentry.load("KeyError: new", at=now - 300, times=2, users=["1"], function="a")
    world.sentry.load(
        "KeyError: old", at=now - 8000, users=["1"], function="b", release="shop@1.1.0"
    )
    world.sentry.load(
        "KeyError: old", at=now - 200, times=5, every=1, users=["1", "2", "3"], function="b"
    )
    world.sentry.load("KeyError: staged", at=now - 100, function="c", environment="staging")
    world.sentry.load("KeyError: elsewhere", at=now - 50, project="shop-api")
    world.sentry.load("KeyError: quiet", at=now - 4000, function="d")
    asked = {"statsPeriod": "15m", "project": "1", "environment": "production"}

    async def titles(**more: Any) -> list[str]:
        return [
            issue["title"].removeprefix("KeyError: ")
            for issue in await world.get("issues/", **asked | more)
        ]

    assert await titles() == ["old", "new"]
    assert await titles(sort="new") == ["new", "old"]
    assert await titles(sort="freq") == ["old", "new"]
    assert await titles(query="is:unresolved firstSeen:-1h") == ["new"]
    assert await titles(query="timesSeen:>=5 user:id:3") == ["old"]
    assert await titles(query="firstRelease:shop@1.1.0") == ["old"]
    assert await titles(environment="staging") == ["staged"]
    (old,) = await world.get("issues/", **asked, query="issue:SHOP-2")
    # Five in the window, six in its life, and it was first seen before the window.
    assert (old["count"], old["lifetime"]["count"], old["userCount"]) == ("5", "6", 3)
    assert old["firstSeen"] < datetime.fromtimestamp(now - 7000, UTC).isoformat()
    assert (await world.get(f"issues/{old['id']}/tags/user/"))["totalValues"] == 6
    values = (await world.get(f"issues/{old['id']}/tags/release/"))["topValues"]
    assert {value["value"]: value["count"] for value in values} == {
        "shop@1.2.0": 5,
        "shop@1.1.0": 1,
    }
    oldest = await world.get(f"issues/{old['id']}/events/oldest/")
    assert oldest["release"]["version"] == "shop@1.1.0"
    assert oldest["previousEventID"] is None
    await world.get("issues/", 400, sort="loud")
    await world.get("issues/", 400, start=_iso(now))


async def test_what_is_no_envelope_is_refused(world: World) -> None:
    key = world.sentry.projects["shop"].public_key
    headers = {"X-Sentry-Auth": f"Sentry sentry_key={key}, sentry_version=7"}
    for body, more, wanted in (
        (b"not json", {}, 400),
        (b'{}\n{"type":"event"}\n{"level":"loud"}', {}, 400),
        (b"{}", {"Content-Encoding": "rot13"}, 415),
        (b'{}\n{"type":"session"}\n{}', {}, 200),
    ):
        answer = await world.http.post(
            "/sentry/api/1/envelope/", content=body, headers=headers | more
        )
        assert answer.status_code == wanted, body
    assert (
        await world.http.post("/sentry/api/9/envelope/", content=b"{}", headers=headers)
    ).status_code == 403
    assert not world.sentry.events


async def test_status_regression_and_the_default_query(world: World) -> None:
    (event,) = world.sentry.load(at=time.time() - 60)
    path = f"{ORG}/issues/{event.issue_id}/"
    assert (await world.http.put(path, json={"status": "resolved"})).json()["status"] == "resolved"
    assert await world.get("issues/") == []
    assert len(await world.get("issues/", query="")) == 1
    world.sentry.load(at=time.time() + 1)
    (issue,) = await world.get("issues/")
    assert (issue["status"], issue["substatus"]) == ("unresolved", "regressed")
    assert (await world.http.put(path, json={"status": "ignored"})).json()[
        "substatus"
    ] == "archived_until_escalating"
    assert len(await world.get("issues/", query="is:archived")) == 1
    assert (await world.http.put(path, json={"status": "gone"})).status_code == 400


async def test_releases_and_deploys(world: World) -> None:
    made = await world.http.post(
        f"{ORG}/releases/", json={"version": "shop@1.3.0", "projects": ["shop"]}
    )
    assert made.status_code == 201
    assert (
        await world.http.post(
            f"{ORG}/releases/", json={"version": "shop@1.3.0", "projects": ["shop"]}
        )
    ).status_code == 208
    started = datetime.now(UTC) - timedelta(minutes=3)
    deploys = f"{ORG}/releases/shop%401.3.0/deploys/"
    for name in ("first", "second"):
        body = {"environment": "production", "dateStarted": started.isoformat(), "name": name}
        assert (await world.http.post(deploys, json=body)).status_code == 201
    assert (await world.http.post(deploys, json={})).status_code == 400
    assert (
        await world.http.post(f"{ORG}/releases/none/deploys/", json={"environment": "x"})
    ).status_code == 404
    (deploy,) = (await world.http.get(deploys)).json()
    assert (deploy["environment"], deploy["name"]) == ("production", "second")
    assert deploy["dateStarted"] == started.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    (release,) = await world.get("releases/", project="1")
    assert (release["version"], release["shortVersion"], release["lastDeploy"]["id"]) == (
        "shop@1.3.0",
        "1.3.0",
        deploy["id"],
    )
    assert [project["slug"] for project in await world.get("projects/")] == ["shop", "shop-api"]


async def test_wrong_tokens_organisations_projects_and_plans(world: World) -> None:
    world.sentry.tokens["narrow"] = frozenset({"project:releases"})
    url = f"{world.base}{ORG}/issues/"
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
        assert (await http.get(url)).status_code == 401
        for token, wanted in {"wrong": 401, "narrow": 403}.items():
            assert (
                await http.get(url, headers={"Authorization": f"Bearer {token}"})
            ).status_code == wanted
    assert (await world.http.get(f"{ORG.replace('acme', 'other')}/issues/")).status_code == 404
    await world.get("issues/", 403, project="77")
    await world.get("issues/", 400, project="shop")
    await world.get("issues/", 404, environment="production")
    world.sentry.load(environment=None)
    await world.get("issues/", 404, environment=["production", ""])
    assert len(await world.get("issues/", environment="")) == 1
    world.sentry.load()
    assert len(await world.get("issues/", environment=["production", ""])) == 1
    await world.get("issues/4999999999/", 404)
    world.sentry.discover = False
    await world.get("events/", 404, field="count()", dataset="errors")
    await world.get("events-timeseries/", 404, dataset="errors")
    wrong_key = world.sentry.dsn().replace(world.sentry.projects["shop"].public_key, "0" * 32)
    stored = len(world.sentry.events)
    await asyncio.to_thread(fail, wrong_key)
    assert len(world.sentry.events) == stored


async def test_faults_are_obeyed(world: World) -> None:
    (event,) = world.sentry.load()
    world.faults.next("sentry.issues", Fault(status=429, retry_after=3))
    limited = await world.http.get(f"{ORG}/issues/")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")
    await world.get("issues/")
    world.faults.always("sentry.*", Fault(status=503))
    await world.get("projects/", 503)
    await asyncio.to_thread(fail, world.sentry.dsn())
    assert len(world.sentry.events) == 2
    world.faults.clear()
    world.faults.next("sentry.issue", Fault(lose_answer=True))
    with pytest.raises(httpx.RemoteProtocolError):
        await world.http.put(f"{ORG}/issues/{event.issue_id}/", json={"status": "resolved"})
    assert world.sentry.issues[event.issue_id].status == "resolved"


async def test_a_spike_is_told_once_and_signed() -> None:
    received: list[tuple[dict[str, str], bytes]] = []
    arrived = asyncio.Event()

    async def hook(request: Request) -> Response:
        received.append((dict(request.headers), await request.body()))
        arrived.set()
        return Response()

    sentry = Sentry()
    async with serving(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as base:
        alerts = Alerts(sentry, url=f"{base}/hook", secret="a client secret", rule=Rule(delay=0.01))
        await alerts.start()
        sentry.load(times=10, users=["1"])
        sentry.load(times=40, users=["1"], environment="staging", function="other")
        await asyncio.sleep(0.05)
        assert not received
        sentry.load(times=15, users=["1"])
        await asyncio.wait_for(arrived.wait(), 60)
        await alerts.issue(next(iter(sentry.issues.values())))
        await alerts.metric_alert("critical")
        await alerts.stop()
    kinds = [headers["sentry-hook-resource"] for headers, _ in received]
    assert kinds == ["event_alert", "issue", "metric_alert"]
    for headers, body in received:
        assert headers["sentry-hook-signature"] == sign(body, "a client secret")
        assert headers["request-id"]
        assert headers["sentry-hook-timestamp"].isdigit()
    alert = httpx.Response(200, content=received[0][1]).json()
    assert alert["action"] == "triggered"
    assert alert["data"]["event"]["issue_id"] == "4100000001"
    assert alert["data"]["event"]["web_url"].startswith("http")
    assert [delivery.status for delivery in alerts.deliveries] == [200, 200, 200]


def test_what_the_page_shows() -> None:
    sentry = Sentry(clock=lambda: 1_800_000_030.0)
    heard: list[str] = []
    stop = sentry.subscribe(lambda what, thing: heard.append(what))
    sentry.load(at=1_800_000_000, times=3, users=["1", "2"])
    stop()
    sentry.load(at=1_800_000_000 - 120)
    (issue,) = sentry.issues.values()
    assert (issue.short_id, issue.times_seen, users(issue.events), sentry.last_minute(issue)) == (
        "SHOP-1",
        4,
        2,
        3,
    )
    assert heard == ["release", "event", "issue.created", "event", "event"]


def test_an_event_that_comes_twice_counts_once() -> None:
    sentry = Sentry()
    (event,) = sentry.load()
    sentry.ingest(event.payload)
    assert len(sentry.events) == 1
    with pytest.raises(ValueError, match="no such level"):
        sentry.ingest({"level": "loud"})


async def test_an_overloaded_store_of_events_refuses_who_counts_and_lists_its_issues(
    world: World,
) -> None:
    """Sentry's versions answer 400, 429 or 504, each with a sentence (`handle_query_errors`).

    A switch of the page turns it on.
    """
    world.sentry.load()
    for call in COUNTING:
        world.faults.always(call, OVERLOAD)
    asked = {"field": "count()", "dataset": "errors"}
    answers = [await world.get("events/", status, **asked) for status in (400, 429, 504)]
    assert answers[0]["detail"].strip().startswith("Query timeout. Please try again.")
    assert answers[1]["detail"].startswith("Rate limit exceeded.")
    await world.get("events-timeseries/", 400, dataset="errors")
    assert len(await world.get("issues/")) == 1


async def test_a_monitors_issue_is_listed_with_its_events_and_has_no_rows_among_errors(
    world: World,
) -> None:
    world.sentry.load("Downtime detected", times=9, tags={"uptime_rule": "7"}, function="up")
    world.sentry.load("Missed check-in", tags={"monitor.slug": "nightly"}, function="cron")
    world.sentry.load("KeyError: 'region'")
    listed = {row["title"].split(":")[0]: row for row in await world.get("issues/")}
    assert [row["issueType"] for row in listed.values()].count("error") == 1
    assert {row["issueCategory"] for row in listed.values()} == {"error", "outage"}
    assert listed["Downtime detected"]["count"] == "9"
    rows = await world.get("events/", field="count()", dataset="errors")
    assert rows["data"] == [{"count()": 1}]
