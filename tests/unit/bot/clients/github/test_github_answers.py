"""Answers of GitHub as its documentation has them, over real HTTP.

They are moved, limited, refused, cut short, or of an older server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.cli.checks import github
from bot.clients.deployers.github import GitHubDeployer
from bot.clients.deployers.hotfix_merges import HotfixMerges
from bot.clients.git.source import LocalGit
from bot.clients.github import endpoints as calls
from bot.clients.github.archive import GitHubArchive
from bot.clients.github.checks import pull_checks
from bot.clients.github.client import GitHub, read
from bot.clients.github.deployments import named
from bot.clients.github.graphql_models import Pull
from bot.clients.github.models import Deployment
from bot.clients.github.rest_fallback import RestInstead
from bot.clients.github.source import GitHubSource
from bot.clients.http.errors import HttpError
from bot.store.dispatch_ledger import Dispatches
from bot.store.incident_store import Store
from phases.ports.ports import PortError
from phases.record.findings import Release
from phases.record.service import AdrPlace, DeployWorkflow, ReleaseNames, Service
from tests.support.values.factories import incident
from tests.support.worlds.local_http import serving

PLACE = "acme/shop"


@dataclass
class Hub:
    github: GitHub
    url: str
    asked: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])


@asynccontextmanager
async def hub(answer: Callable[[str, str, Any], Response], below: str = "") -> AsyncIterator[Hub]:
    """GitHub's API at `below` of a local address.

    `answer` gets the method, the path with its query, and the body.
    """
    asked: list[tuple[str, str, Any]] = []

    async def dispatcher(request: Request) -> Response:
        body = await request.json() if await request.body() else None
        row = (
            request.method,
            str(request.url).removeprefix(str(request.base_url).rstrip("/")),
            body,
        )
        asked.append(row)
        return answer(*row)

    app = Starlette(routes=[Route("/{rest:path}", dispatcher, methods=["GET", "POST", "PUT"])])
    async with serving(app) as url:
        github = GitHub(f"{url}{below}", "token-7d1f")
        try:
            yield Hub(github, url, asked)
        finally:
            await github.aclose()


# --- renamed repositories: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects


@pytest.mark.parametrize("below", ["", "/api/v3"])
async def test_a_renamed_repository_is_followed_on_the_same_host(below: str) -> None:
    """301 for GET, 307 for the others, `Location: <api>/repositories/<id>/…`.

    Later calls go to its new place.
    """

    def answer(method: str, path: str, body: Any) -> Response:
        if path.startswith(f"{below}/repos/acme/shop"):
            where = path.replace("/repos/acme/shop", "/repositories/1296269")
            code, words = (
                (301, "Moved Permanently") if method == "GET" else (307, "Temporary Redirect")
            )
            return JSONResponse(
                {"message": words, "url": where},
                code,
                headers={"Location": f"http://{host[0]}{where}"},
            )
        return JSONResponse({"path": path, "body": body})

    host = [""]
    async with hub(answer, below) as there:
        host[0] = there.url.removeprefix("http://")
        made = await there.github.write(
            calls.CREATE_REF, PLACE, {"ref": "refs/heads/x", "sha": "1"}
        )
        assert made == {
            "path": f"{below}/repositories/1296269/git/refs",
            "body": {"ref": "refs/heads/x", "sha": "1"},
        }
        tags = await there.github.get(calls.TAGS, PLACE, {"per_page": 5})
        assert tags["path"] == f"{below}/repositories/1296269/tags?per_page=5"
        assert [path for _, path, _ in there.asked][2:] == [tags["path"]], (
            "the second call goes there at once"
        )


async def test_a_post_mortem_is_found_where_the_repository_has_another_owner_now() -> None:
    """A pull request is looked for by the owner of its branch."""
    pulls: list[str] = []

    def answer(method: str, path: str, body: Any) -> Response:
        if path.startswith("/repos/acme/shop"):
            where = path.removeprefix("/repos/acme/shop").partition("?")[0]
            return Response(None, 307, {"Location": f"/repositories/77{where}"})
        shown = [{"number": 1, "html_url": "u", "head": {"ref": branch}} for branch in pulls]
        match method, path.removeprefix("/repositories/77").partition("?")[0]:
            case "GET", "":
                return JSONResponse({"full_name": "newco/shop", "default_branch": "main"})
            case "GET", "/pulls":
                return JSONResponse(shown if "head=newco%3A" in path else [])
            case "POST", "/pulls":
                pulls.append(body["head"])
                return JSONResponse(
                    {"number": 1, "html_url": "u", "head": {"ref": body["head"]}}, 201
                )
            case "GET", place if "/git/ref/" in place:
                return JSONResponse({"object": {"sha": "1" * 40}})
            case "GET", _:
                return JSONResponse({}, 404)
            case _:
                return JSONResponse({}, 201)

    placed = Service(name="shop", adr=AdrPlace(repository=PLACE, path="docs/adr"))
    async with hub(answer) as there:
        for _ in range(2):
            await GitHubArchive(there.github).write(placed, incident(), 1, "# ADR-0001\n")
    assert len(pulls) == 1


async def test_doctor_says_that_it_was_renamed() -> None:
    """Webhooks carry the new name alone (`repository.full_name`).

    https://docs.github.com/en/webhooks/webhook-events-and-payloads
    """

    def answer(method: str, path: str, body: Any) -> Response:
        return JSONResponse({"full_name": "acme/store", "default_branch": "trunk"})

    async with hub(answer) as there:
        same, renamed = [
            await github.place(name, there.github, "mend") for name in ("Acme/Store", PLACE)
        ]
        assert (same.state, renamed.state) == ("works", "unproven")
        assert "it is acme/store now" in renamed.says


async def test_it_is_not_followed_to_another_server_nor_for_ever() -> None:
    def away(method: str, path: str, body: Any) -> Response:
        return RedirectResponse("http://127.0.0.1:9/repositories/1", 301)

    def round_and_round(method: str, path: str, body: Any) -> Response:
        return RedirectResponse(path.split("?")[0], 301)

    def nowhere(method: str, path: str, body: Any) -> Response:
        return Response(status_code=301)

    for answer, message in (
        (away, "another server"),
        (round_and_round, "in circles"),
        (nowhere, "another server"),
    ):
        async with hub(answer) as there:
            with pytest.raises(HttpError, match=message):
                await there.github.get(calls.TAGS, PLACE)
            assert len(there.asked) <= 3


# --- limits: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit


@pytest.mark.parametrize(
    ("error", "headers", "rest_waits"),
    [
        # The primary limit of GraphQL is its own: deploys go by REST and go on.
        (
            {"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."},
            {"X-RateLimit-Remaining": "0"},
            False,
        ),
        # https://github.com/yanyongyu/githubkit/issues/271
        (
            {
                "type": "RATE_LIMIT",
                "code": "graphql_rate_limit",
                "message": "API rate limit already exceeded for user ID 1.",
            },
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"},
            False,
        ),
        (
            {
                "message": (
                    "You have exceeded a secondary rate limit. Please wait a few minutes before "
                    "you try again."
                )
            },
            {},
            True,
        ),
    ],
)
async def test_limits_of_graphql_come_with_200(
    error: dict[str, str], headers: dict[str, str], rest_waits: bool
) -> None:
    def answer(method: str, path: str, body: Any) -> Response:
        return (
            JSONResponse({"errors": [error]}, headers=headers)
            if path == "/graphql"
            else JSONResponse([])
        )

    async with hub(answer) as there:
        for _ in range(2):
            with pytest.raises(HttpError, match="slow down") as refused:
                await there.github.graphql(dict, "query { viewer { login } }", {}, permission="x")
            assert refused.value.retryable
        assert len(there.asked) == 1, "nothing is sent meanwhile"
        if rest_waits:
            with pytest.raises(HttpError, match="slow down"):
                await there.github.get(calls.TAGS, PLACE)
        else:
            assert await there.github.get(calls.TAGS, PLACE) == []


async def test_a_long_wait_is_said_in_minutes() -> None:
    def answer(method: str, path: str, body: Any) -> Response:
        message = (
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try "
            "again."
        )
        return JSONResponse({"message": message}, 403, headers={"Retry-After": "1200"})

    async with hub(answer) as there:
        with pytest.raises(HttpError, match="slow down for 20 min") as refused:
            await there.github.get(calls.TAGS, PLACE)
        assert refused.value.retry_after == 1200


# --- what is refused says why


@pytest.mark.parametrize(
    ("body", "message", "retryable"),
    [
        # https://github.com/octokit/plugin-retry.js/issues/395
        (
            {
                "errors": [
                    {
                        "message": (
                            "Something went wrong while executing your query. Please include "
                            "`0401:6C25` when reporting this issue."
                        )
                    }
                ]
            },
            "fault of its own",
            True,
        ),
        (
            {
                "data": {"repository": None},
                "errors": [
                    {
                        "type": "FORBIDDEN",
                        "message": "Resource not accessible by personal access token",
                    }
                ],
            },
            "it needs Pull requests: write",
            False,
        ),
        (
            {
                "data": {"revertPullRequest": None},
                "errors": [
                    {"type": "UNPROCESSABLE", "message": "It could not be reverted automatically"}
                ],
            },
            "GitHub refused it",
            False,
        ),
    ],
)
async def test_errors_of_graphql(body: dict[str, Any], message: str, retryable: bool) -> None:
    async with hub(lambda method, path, sent: JSONResponse(body)) as there:
        with pytest.raises(HttpError, match=message) as refused:
            await there.github.graphql(
                dict, "query { viewer { login } }", {}, permission="Pull requests: write"
            )
        assert refused.value.retryable is retryable


async def test_what_failed_the_validation_is_said() -> None:
    """https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed"""
    errors = [
        {"resource": "PullRequest", "code": "custom", "message": "No commits between main and x"},
        {"resource": "PullRequest", "field": "base", "code": "invalid"},
    ]
    refusal = {"message": "Validation Failed", "errors": errors, "status": "422"}
    async with hub(lambda method, path, body: JSONResponse(refusal, 422)) as there:
        with pytest.raises(
            HttpError, match="Validation Failed: No commits between main and x; base invalid"
        ):
            await there.github.write(calls.CREATE_PULL, PLACE, {"head": "x", "base": "main"})


# --- pages: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api


@pytest.mark.parametrize("linked", [True, False])
async def test_pages_go_on_as_link_says(linked: bool) -> None:
    """A page may be shorter than asked for.

    If a server sends no `Link`, full pages are followed by another request.
    """
    size = 30 if linked else 100

    def answer(method: str, path: str, body: Any) -> Response:
        page = int(path.rpartition("page=")[2])
        rows = list(range(250))[(page - 1) * size : page * size]
        link = (
            f'<http://elsewhere.example{path}>; rel="next"'
            if page * size < 250
            else '<http://x>; rel="first"'
        )
        return JSONResponse(rows, headers={"Link": link} if linked else {})

    async with hub(answer) as there:
        assert await there.github.pages(calls.TAGS, PLACE, most=10) == list(range(250))
        assert len(await there.github.pages(calls.TAGS, PLACE, most=2)) == 2 * size


# --- an older server


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Bad Request"),
        (422, 'Invalid request.\n\n"return_run_details" is not a permitted key.'),
    ],
)
async def test_an_older_server_that_refuses_the_newer_key_of_a_dispatch_is_asked_without_it(
    store: Store, status: int, message: str
) -> None:
    """A server up to Enterprise Server 3.20 answers 400: https://github.com/cli/cli/issues/12672.

    Elsewhere a refused key is 422 with its name:
    https://github.com/emilyriederer/projmgr/issues/43. The older answer is 204, without a body.
    """

    def answer(method: str, path: str, body: Any) -> Response:
        if path.endswith("/dispatches"):
            if "return_run_details" in body:
                return JSONResponse(
                    {"message": message, "documentation_url": "https://docs.github.com/rest"},
                    status,
                )
            return Response(status_code=204)
        if path.endswith("/repos/acme/shop"):
            return JSONResponse({"default_branch": "trunk"})
        return JSONResponse({"total_count": 0, "workflow_runs": []})

    shop = Service(name="shop", repository=PLACE, deployer="github", deploy=DeployWorkflow())
    async with hub(answer) as there:
        deployer = GitHubDeployer(there.github, Dispatches(store))
        await deployer.start(shop, "inc-0042-1", Release(version="1.2.0"), hotfix=False)
        sent = [body for _, path, body in there.asked if path.endswith("/dispatches")]
        assert [sorted(body) for body in sent] == [
            ["inputs", "ref", "return_run_details"],
            ["inputs", "ref"],
        ]
        assert sent[1]["ref"] == "trunk"
        assert (await deployer.look(shop, "inc-0042-1")).state == "running"


# --- what is not shown


def test_checks_that_a_fine_grained_token_may_not_see_are_null() -> None:
    """`contexts.nodes.0` is refused, the commit status beside it is not.

    https://github.com/kirodotdev/KiroCrew/pull/4830
    """
    contexts = [
        None,
        None,
        {"__typename": "StatusContext", "context": "ci/lint", "state": "SUCCESS"},
    ]
    commit = {"commit": {"statusCheckRollup": {"contexts": {"nodes": contexts}}}}
    checks = pull_checks(read(Pull, {"number": 7, "url": None, "commits": {"nodes": [commit]}}))
    assert [(check.name, check.conclusion) for check in checks.checks] == [
        ("ci/lint", "passed"),
        ("2 check runs", "hidden from our token"),
    ]
    nobody = read(Pull, {"number": 7, "url": None, "commits": {"nodes": [None]}})
    assert pull_checks(nobody).checks == ()


def test_a_payload_may_be_text() -> None:
    """`payload`: an object or a string: https://docs.github.com/en/rest/deployments/deployments"""
    shop = Service(name="shop", release=ReleaseNames(tag="v{version}", deploy="{version}"))
    fields = {
        "id": 1,
        "sha": "1" * 40,
        "ref": "1" * 40,
        "environment": "production",
        "created_at": "2026-01-01T00:00:00Z",
    }
    sent = Deployment.model_validate({**fields, "payload": '{"release": "hotfix #7@1111111"}'})
    assert named(shop, sent).version == "hotfix #7@1111111"


# --- without GraphQL


def _pull(number: int, sha: str, *, fork: bool = False, merged: bool = False) -> dict[str, Any]:
    """https://docs.github.com/en/rest/pulls/pulls#list-pull-requests, of it what counts."""
    return {
        "number": number,
        "title": f"Change {number}",
        "body": None,
        "html_url": f"https://github.com/acme/shop/pull/{number}",
        "merged_at": "2026-01-01T00:00:00Z" if merged else None,
        "head": {
            "ref": f"change-{number}",
            "sha": sha,
            "repo": {"full_name": "evil/shop"} if fork else {"full_name": PLACE},
        },
        "base": {"ref": "trunk", "sha": "0" * 40, "repo": {"full_name": PLACE}},
    }


@pytest.mark.parametrize(
    ("runs", "statuses", "shown"),
    [
        ([("unit", "completed", "success"), ("e2e", "completed", "skipped")], ["success"], "green"),
        ([("unit", "completed", "success"), ("e2e", "in_progress", None)], [], "running"),
        ([("unit", "completed", "timed_out"), ("e2e", "queued", None)], ["pending"], "red"),
        ([], ["pending"], "running"),
        ([], ["error"], "red"),
        ([], [], None),
        (None, ["success"], None),  # the check runs may not be seen: nobody says that it is green
        (None, ["failure"], "red"),
    ],
)
@pytest.mark.parametrize("status", [404, 502])
async def test_where_graphql_does_not_answer_rest_is_asked(
    runs: list[tuple[str, str, str | None]] | None,
    statuses: list[str],
    shown: str | None,
    status: int,
) -> None:
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference and
    https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference"""
    sha, gone = "a" * 40, {"message": "Not Found", "status": "404"}

    def answer(method: str, path: str, body: Any) -> Response:
        match path.partition("?")[0].removeprefix("/repos/acme/shop"):
            case "/graphql":
                return JSONResponse(gone, status)
            case "/pulls":
                return JSONResponse([_pull(8, "b" * 40, fork=True), _pull(7, sha)])
            case "/commits/cccccccccccccccccccccccccccccccccccccccc/pulls":
                return JSONResponse([_pull(9, "b" * 40), _pull(7, sha, merged=True)])
            case path if path.endswith("/check-runs") and runs is None:
                message = "Resource not accessible by personal access token"
                return JSONResponse({"message": message, "status": "403"}, 403)
            case path if path.endswith("/check-runs"):
                rows = [
                    {"name": name, "status": now, "conclusion": ended}
                    for name, now, ended in runs or []
                ]
                return JSONResponse({"total_count": len(rows), "check_runs": rows})
            case path if path.endswith("/status"):
                rows = [
                    {"context": f"ci/{number}", "state": state}
                    for number, state in enumerate(statuses)
                ]
                return JSONResponse(
                    {"state": "pending", "total_count": len(rows), "statuses": rows}
                )
            case "/contents/shop":
                return JSONResponse(
                    [{"type": "file", "name": "cart.py", "path": "shop/cart.py", "sha": "1"}]
                )
            case _:
                return JSONResponse(gone, 404)

    shop = Service(name="shop", repository=PLACE)
    async with hub(answer) as there:
        source = GitHubSource(there.github)
        hotfixes = await source.hotfixes(shop)
        assert [(hotfix.name, hotfix.commit, hotfix.checks) for hotfix in hotfixes] == [
            ("#7", sha, shown)
        ], "and none of a fork"
        ran = await source.checks(shop, "c" * 40)
        assert ran is not None
        assert (ran.pull_request, len(ran.checks)) == ("#7", len(runs or []) + len(statuses))
        assert await RestInstead(there.github).files(
            PLACE, sha, ["cart.py", "shop/cart.py", "lib/cart.py"]
        ) == ["shop/cart.py"]


async def test_a_repository_that_graphql_does_not_know_is_not_asked_for_again() -> None:
    answer = {
        "data": {"repository": None},
        "errors": [{"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}],
    }
    async with hub(lambda method, path, body: JSONResponse(answer)) as there:
        with pytest.raises(HttpError, match="Could not resolve"):
            await GitHubSource(there.github).hotfixes(Service(name="shop", repository=PLACE))
        assert len(there.asked) == 1


async def test_red_checks_are_seen_before_a_merge_without_graphql() -> None:
    sha = "a" * 40

    def answer(method: str, path: str, body: Any) -> Response:
        match path.partition("?")[0].removeprefix("/repos/acme/shop"):
            case "/pulls/7":
                return JSONResponse(
                    {**_pull(7, sha), "state": "open", "merged": False, "mergeable": None}
                )
            case "":
                return JSONResponse({"full_name": PLACE, "default_branch": "trunk"})
            case path if path.endswith("/check-runs"):
                return JSONResponse(
                    {
                        "check_runs": [
                            {"name": "unit", "status": "completed", "conclusion": "failure"}
                        ]
                    }
                )
            case path if path.endswith("/status"):
                return JSONResponse({"state": "pending", "statuses": []})
            case _:
                return JSONResponse({"message": "Not Found"}, 404)

    async with hub(answer) as there:
        merges = HotfixMerges(there.github, LocalGit())
        with pytest.raises(PortError, match="its checks have failed"):
            await merges.merge(Service(name="shop", repository=PLACE), 7, sha)
        assert all(method != "PUT" for method, _, _ in there.asked)
