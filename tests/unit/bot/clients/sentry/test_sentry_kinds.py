"""Other Sentrys, and `firebreak doctor` on them.

They are GlitchTip, an old self-hosted one, and plans without Discover.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.cli.checks import Finding
from bot.cli.checks.sentry import sentry as look_at_sentry
from bot.clients.sentry.client import Sentry
from bot.config.catalogue import Catalogue
from bot.config.settings import load
from bot.wiring import Outside
from phases.ports.ports import PortError
from phases.record.findings import Choice, TriageReport, Word
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from tests.support.worlds.local_http import serving
from tests.support.worlds.sentry_world import NOW, SHOP, Deployer, ago, incident, world

SORTS = ("last_seen", "first_seen", "count", "priority")


class GlitchTip:
    """GlitchTip as `apps/issue_events/api/issues.py` has it.

    https://gitlab.com/glitchtip/glitchtip-backend
    """

    def __init__(self, now: datetime = NOW) -> None:
        self.tags_fail = False
        self.rows = [
            self.row(1, now - timedelta(minutes=6), now, 90),
            self.row(2, now - timedelta(days=9), now, 4000),
        ]
        self.rows.append(self.row(3, now - timedelta(days=9), now - timedelta(hours=2), 50))

    def row(self, id: int, first: datetime, last: datetime, count: int) -> dict[str, Any]:
        return {
            "id": str(id),
            "shortId": f"SHOP-{id}",
            "title": f"KeyError: {id}",
            "level": "error",
            "status": "unresolved",
            "count": str(count),
            "permalink": "Not implemented",
            "stats": {"24h": []},
            "project": {"id": "7", "slug": "shop", "name": "shop", "platform": None},
            "firstSeen": first.isoformat(),
            "lastSeen": last.isoformat(),
        }

    async def answer(self, request: Request) -> Response:
        path, params = request.url.path, request.query_params
        here = path.removeprefix("/api/0/organizations/acme")
        if here == "/projects/":
            return JSONResponse(
                [{"id": "7", "slug": "shop", "dateCreated": "2026-01-01T00:00:00Z"}]
            )
        if here == "/releases/":
            release = {
                "version": "v3",
                "projects": [{"name": "shop", "slug": "shop"}],
                "deployCount": 0,
                "ref": None,
            }
            return JSONResponse([release])
        if here == "/issues/":
            return self.issues(
                params.get("sort", "-last_seen"), params.get("start"), params.get("query") or ""
            )
        if path == "/api/0/issues/1/events/latest/":
            return JSONResponse(
                {"entries": [], "tags": [{"key": "environment", "value": "production"}]}
            )
        if path == "/api/0/issues/1/":
            return JSONResponse(self.rows[0])
        if path.startswith("/api/0/issues/") and path.endswith("/tags/"):
            return self.tags(params["key"])
        return JSONResponse({"detail": "Not Found"}, 404)

    def issues(self, sort: str, start: str | None, query: str) -> Response:
        if sort.removeprefix("-") not in SORTS:
            wrong = {
                "type": "literal_error",
                "loc": ["query", "sort"],
                "msg": "Input should be 'last_seen' or 'count'",
            }
            return JSONResponse({"detail": [wrong]}, 422)
        if "level:[" in query:
            return JSONResponse([])  # no such level
        rows = [r for r in self.rows if start is None or r["firstSeen"] >= start]
        return JSONResponse(sorted(rows, key=lambda r: r["lastSeen"], reverse=True))

    def tags(self, key: str) -> Response:
        if self.tags_fail:
            return Response("Server Error", 500)
        values = [
            {"name": f"{key}{n}", "value": f"{key}{n}", "count": 30, "key": key} for n in range(3)
        ]
        known = {"topValues": values, "uniqueValues": 3, "key": key, "name": key, "totalValues": 90}
        return JSONResponse([known] if key in ("user", "transaction") else [])

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{rest:path}", self.answer)])


async def measured(client: Sentry) -> TriageReport:
    deployer = Deployer(["v3", "v2"], "v3")
    return (await triage(incident(), Sources(SHOP, client, (), deployer), (), NOW)).report


async def test_glitchtip_is_asked_in_its_own_words() -> None:
    async with serving(GlitchTip().app) as url:
        client = Sentry(url, "acme", "t")
        report = await measured(client)
        row = await client.issue("1")
        fresh = await client.new_issues(SHOP, "v3", ago(10), NOW)
        await client.aclose()
    assert report.issue_ids == ("1",), "the old one did not get louder, as far as anybody knows"
    assert report.began_at == ago(6)
    assert (report.blast.user_count, report.blast.features) == (3, Word.MANY)
    assert report.issues[0].url is None, "`Not implemented` is no link"
    assert not report.incomplete
    assert row.id == "1"
    assert [issue.id for issue in fresh] == ["1"]


async def test_glitchtip_whose_tags_fail_leaves_users_and_features_unknown() -> None:
    pretend = GlitchTip()
    pretend.tags_fail = True
    async with serving(pretend.app) as url:
        client = Sentry(url, "acme", "t")
        report = await measured(client)
        await client.aclose()
    assert report.events == 90
    assert report.blast.unknown == ("users", "features", "places")
    assert (report.blast.users, report.blast.features) == (Word.MANY, Word.MANY)


async def test_counts_over_an_issues_whole_life_are_never_recovery_nor_its_opposite() -> None:
    async with serving(GlitchTip().app) as url:
        client = Sentry(url, "acme", "t")
        with pytest.raises(PortError, match="does not count the events of a time"):
            await client.count([SHOP], ["1"], ago(5), NOW)
        await client.aclose()


async def test_an_older_sentry_has_errors_within_discover() -> None:
    """`dataset=errors` came to self-hosted Sentry late in 2023."""
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", "/search")
        w.refusing.refuse(
            "dataset=errors",
            message="dataset must be one of: discover, metrics, metricsEnhanced, profiles",
        )
        w.refusing.refuse("/events-timeseries/", status=404)
        report = await w.triage()
    assert (report.blast.user_count, report.blast.unknown, report.began_at) == (30, (), ago(6))
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_without_discover_and_tags_the_issue_list_still_counts_the_events() -> None:
    async with world(discover=False) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", "/search")
        w.refusing.refuse("/tags/", status=404)
        report = await w.triage()
    assert report.blast.unknown == ("users", "features", "places")
    assert report.blast.features is Word.MANY
    assert report.blast.sentences[0].startswith("Users not known, 120 events in the last 15 min")
    assert report.recommendation.choice is Choice.ROLLBACK


async def test_without_discover_what_more_issues_hold_is_not_known() -> None:
    async with world(discover=False) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        for n in range(5):
            w.local.load(
                f"Oops: {n}",
                at=ago(5),
                every=9,
                times=9,
                users=["u1"],
                transaction="/cart",
                function=f"f{n}",
                release="v3",
            )
        report = await w.triage()
    assert report.blast.unknown == ("users", "features")
    assert report.recommendation.choice is Choice.ROLLBACK
    assert not report.incomplete


# --- doctor ---------------------------------------------------------------------------------------


async def looked(url: str) -> list[Finding]:
    given = load(
        redis_url="redis://127.0.0.1:1",
        slack_bot_token="xoxb-1",
        slack_signing_secret="s",
        sentry_url=url,
        sentry_org="acme",
        sentry_auth_token="t" * 20,
    )
    async with AsyncExitStack() as stack:
        return await look_at_sentry(Outside.of(given, stack).tracker, Catalogue((SHOP,)))


async def test_doctor_names_what_glitchtip_has_not_and_advises_no_scopes() -> None:
    pretend = GlitchTip(datetime.now(UTC))
    pretend.tags_fail = True
    async with serving(pretend.app) as url:
        findings = await looked(url)
    text = " ".join(f"{finding.state} {finding.says} {finding.mend}" for finding in findings)
    assert "GlitchTip" in text
    assert "events/" in text
    assert "events-stats/" in text
    assert "tags" in text
    assert "event:read" not in text
    assert "docs/sentry.md" in text


async def test_doctor_advises_scopes_where_sentry_refuses_for_them() -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse({"detail": "You do not have permission to perform this action."}, 403)

    async with serving(Starlette(routes=[Route("/{rest:path}", answer)])) as url:
        [finding] = await looked(url)
    assert finding.state == "broken"
    assert "event:read" in finding.mend
