"""The `github` deployer against the local GitHub, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from bot.clients.deployers.github import GitHubDeployer
from bot.clients.github import endpoints
from bot.clients.github.client import GitHub as Client
from bot.clients.github.deployments import named
from bot.clients.github.endpoints import MERGE, Call
from bot.clients.github.models import Deployment
from bot.runtime.backoff import patient
from bot.store.dispatch_ledger import Dispatches
from bot.store.incident_store import Store
from phases.ports.ports import Deployer, HotfixRef, PortError
from phases.record.findings import Release
from phases.record.service import DeployWorkflow
from sandbox.faults import Fault
from sandbox.github.state import TOKEN, Pull
from tests.support.worlds.github_world import SHOP, World, github_world, operation

ID = "inc-0042-1"
TO = Release(version="1.2.0")
HEAD = "ab" * 20


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


def back(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_a_rollback_from_start_to_end(world: World) -> None:
    deployer: Deployer = world.deployer
    assert await deployer.running(SHOP) == Release(version="1.3.0", commit="3" * 40)
    assert [r.version for r in await deployer.releases(SHOP)] == ["1.3.0", "1.2.0", "1.1.0"]
    assert (await deployer.look(SHOP, ID)).state == "unknown"
    await deployer.start(SHOP, ID, TO, hotfix=False)
    (run,) = world.github.runs
    assert run.inputs == {"release": "1.2.0", "commit": "", "decision": ID, "hotfix": "false"}
    assert run.workflow == "deploy.yml"
    for status, says in (
        ("queued", "waits for a runner"),
        ("waiting", "to approve it"),
        ("in_progress", "is running"),
    ):
        world.github.advance(run, status)
        state = await deployer.look(SHOP, ID)
        assert (state.state, state.started_at) == ("running", run.created_at)
        assert says in state.lines[0]
    world.github.finish(run)
    state = await deployer.look(SHOP, ID)
    assert (state.state, state.finished_at) == ("done", run.updated_at)
    assert await deployer.running(SHOP) == Release(version="1.2.0", commit="2" * 40)


async def test_a_hotfix_by_pull_request_is_shipped_by_its_head(world: World) -> None:
    world.github.pulls.append(Pull(123, "No zero", HEAD, "fix/zero"))
    fix = HotfixRef(name="#123", commit=HEAD).release
    await world.deployer.start(SHOP, ID, fix, hotfix=True)
    (run,) = world.github.runs
    assert run.workflow == "hotfix.yml"
    assert run.inputs == {
        "release": "hotfix #123@abababa",
        "commit": HEAD,
        "decision": ID,
        "hotfix": "true",
    }
    world.github.finish(run)
    assert (await world.deployer.look(SHOP, ID)).state == "done"
    assert await world.deployer.running(SHOP) == fix
    with pytest.raises(PortError, match="full commit"):
        await world.deployer.start(
            SHOP, "inc-1-2", Release(version="hotfix x@abababa", commit="abababa"), hotfix=True
        )


async def test_started_once_for_a_deploy_id(world: World, store: Store) -> None:
    for _ in range(3):
        await world.deployer.start(SHOP, ID, TO, hotfix=False)
    other = GitHubDeployer(world.client, Dispatches(store))  # another replica
    await asyncio.gather(*(d.start(SHOP, ID, TO, hotfix=False) for d in (other, world.deployer)))
    await asyncio.gather(
        *(d.start(SHOP, "inc-0043-1", TO, hotfix=False) for d in (other, world.deployer, other))
    )
    assert [run.inputs["decision"] for run in world.github.runs] == [ID, "inc-0043-1"]


async def test_without_any_state_of_ours_the_run_is_looked_for_by_its_name(
    world: World, store: Store
) -> None:
    world.github.details = False
    await world.deployer.start(SHOP, "inc-0042-10", TO, hotfix=False)
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    await store.redis.flushall()
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    first, second = world.github.runs
    world.github.finish(first, "failure")
    world.github.advance(second, "in_progress")
    # The title of inc-0042-10 holds inc-0042-1, too, but not as a whole word.
    assert (await world.deployer.look(SHOP, ID)).state == "running"
    assert (await world.deployer.look(SHOP, "inc-0042-10")).state == "failed"


async def test_a_run_of_another_life_is_not_ours(world: World, store: Store) -> None:
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    world.github.finish(world.github.runs[0])
    world.github.runs[0].created_at -= timedelta(days=2)
    await store.redis.flushall()
    assert (await world.deployer.look(SHOP, ID)).state == "unknown"


async def test_a_lost_answer_is_never_sent_again(world: World) -> None:
    world.faults.next("github.dispatch", Fault(lose_answer=True))
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    world.github.runs[0].hidden = True
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    assert len(world.github.runs) == 1
    state = await world.deployer.look(SHOP, ID)
    assert (state.state, state.lines) == ("running", ("GitHub does not show the run yet.",))
    world.github.finish(world.github.runs[0])
    assert (await world.deployer.look(SHOP, ID)).state == "done"


async def test_a_fault_of_its_own_may_have_taken_it(world: World) -> None:
    world.faults.next("github.dispatch", Fault(status=502))
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    assert len(world.sent("POST", "/dispatches")) == 1


async def test_no_run_for_a_minute_is_unknown(world: World, store: Store) -> None:
    """A workflow without the id in its `run-name`.

    This GitHub answers a dispatch with nothing.
    """
    world.github.details = False
    world.github.workflows["deploy.yml"].run_name = "Deploy"
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    assert (await world.deployer.look(SHOP, ID)).state == "running"
    key = f"{store.keys.prefix}:dispatch:{ID}"
    await store.redis.set(key, json.dumps({"at": back(61).isoformat()}))
    state = await world.deployer.look(SHOP, ID)
    assert state.state == "unknown"
    assert state.started_at is not None  # it was handed over: nobody may start it again
    assert "run-name" in state.reason


@pytest.mark.parametrize(
    ("fault", "retryable", "message"),
    [
        (
            Fault(status=403, error="Resource not accessible by personal access token"),
            False,
            "Actions: write",
        ),
        (
            Fault(status=422, error="Workflow does not have 'workflow_dispatch' trigger"),
            False,
            "inputs release",
        ),
        (Fault(status=404), False, "has no workflow deploy.yml"),
        (Fault(status=403, retry_after=1), True, "slow down"),
    ],
)
async def test_what_was_surely_not_taken_may_be_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Fault, retryable: bool, message: str
) -> None:
    passed = 0.0
    monkeypatch.setattr("bot.clients.github.http.time", SimpleNamespace(monotonic=lambda: passed))
    world.faults.next("github.dispatch", fault)
    with pytest.raises(PortError, match=message) as refused:
        await world.deployer.start(SHOP, ID, TO, hotfix=False)
    assert refused.value.retryable is retryable
    assert TOKEN not in refused.value.text
    if refused.value.retry_after:
        with pytest.raises(PortError, match="slow down"):
            await world.deployer.start(SHOP, ID, TO, hotfix=False)
        passed = refused.value.retry_after  # GitHub asked for this second
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    assert len(world.github.runs) == 1


@pytest.mark.parametrize(
    "conclusion", ["failure", "cancelled", "timed_out", "skipped", "startup_failure"]
)
async def test_how_a_run_fails(world: World, conclusion: str) -> None:
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    world.github.finish(world.github.runs[0], conclusion)
    state = await world.deployer.look(SHOP, ID)
    assert state.state == "failed"
    assert "https://github.com/acme/shop/actions/runs/" in state.reason
    assert await world.deployer.running(SHOP) == Release(version="1.3.0", commit="3" * 40)


async def test_a_run_that_hangs_is_unknown(world: World) -> None:
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    world.github.advance(world.github.runs[0], "in_progress")
    world.github.runs[0].created_at = back(31 * 60)
    state = await world.deployer.look(SHOP, ID)
    assert (state.state, state.started_at) == ("unknown", world.github.runs[0].created_at)
    assert "more than 30 min" in state.reason


async def test_a_success_waits_a_little_for_its_deployment(world: World) -> None:
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    (run,) = world.github.runs
    world.github.finish(run, deploys=False)
    assert (await world.deployer.look(SHOP, ID)).state == "running"
    run.updated_at = back(30)
    assert (
        await world.deployer.look(SHOP, ID)
    ).state == "done"  # what runs is read back by whoever asked


async def test_what_runs_is_the_newest_successful_deployment_of_the_environment(
    world: World,
) -> None:
    world.github.deploy("v1.1.0", "failure")
    world.github.deploy("v1.1.0", "in_progress")
    world.github.deploy("v1.1.0", environment="staging")
    assert await world.deployer.running(SHOP) == Release(version="1.3.0", commit="3" * 40)
    world.github.deploy("v1.2.0")
    assert await world.deployer.running(SHOP) == Release(version="1.2.0", commit="2" * 40)
    canary = SHOP.model_copy(update={"deploy": DeployWorkflow(environment="canary")})
    assert await world.deployer.running(canary) is None


async def test_releases_come_first_and_drafts_never(world: World) -> None:
    world.github.releases = [("v1.1.0", False), ("v1.3.0", False), ("v9.0.0", True)]
    world.github.tags |= {"v1.10.0": "1" * 40, "nightly": "1" * 40, "v; rm": "1" * 40}
    versions = [r.version for r in await world.deployer.releases(SHOP)]
    assert versions == ["1.3.0", "1.1.0", "1.10.0", "1.2.0"]


async def test_more_tags_than_a_page(world: World) -> None:
    world.github.tags |= {f"v0.{n}.0": "1" * 40 for n in range(130)}
    versions = [r.version for r in await world.deployer.releases(SHOP)]
    assert len(versions) == 133
    assert versions[:4] == ["1.3.0", "1.2.0", "1.1.0", "0.129.0"]


@pytest.mark.parametrize("version", ["9.9.9", "../../branches/main", "1.2.0 && rm", "#1"])
async def test_what_is_no_release_is_never_dispatched(world: World, version: str) -> None:
    with pytest.raises(PortError) as refused:
        await world.deployer.start(SHOP, ID, Release(version=version), hotfix=False)
    assert not refused.value.retryable
    assert world.github.runs == []


async def test_polling_what_did_not_change_costs_nothing(world: World) -> None:
    await world.deployer.start(SHOP, ID, TO, hotfix=False)
    world.github.advance(world.github.runs[0], "in_progress")
    for _ in range(3):
        assert (await world.deployer.look(SHOP, ID)).state == "running"
    polls = [request for request in world.asked if "/actions/runs/" in request.path]
    assert ["if-none-match" in request.headers for request in polls] == [False, True, True]


async def test_while_github_wants_a_rest_nothing_is_sent(world: World) -> None:
    world.faults.next(
        "github.deployments",
        Fault(status=403, error="You have exceeded a secondary rate limit. Please wait"),
    )
    with pytest.raises(PortError, match="slow down") as refused:
        await world.deployer.running(SHOP)
    assert (refused.value.retryable, refused.value.retry_after) == (True, 60.0)
    before = len(world.asked)
    with pytest.raises(PortError, match="slow down"):
        await world.deployer.releases(SHOP)
    assert len(world.asked) == before


async def test_whoever_has_the_time_waits_as_long_as_github_says_and_goes_on(world: World) -> None:
    limit = "You have exceeded a secondary rate limit"
    for call, status in (
        ("deployments", 403),
        ("dispatch", 429),
        ("dispatch", 403),
        ("graphql", 403),
    ):
        world.faults.next(f"github.{call}", Fault(status=status, error=limit, retry_after=0))
    with patient(5):
        await world.deployer.running(SHOP)
        await world.deployer.start(SHOP, ID, TO, hotfix=False)
        asked = (
            'query { repository(owner: "acme", name: "shop") { object(expression: "v1.2.0") { '
            "oid } } }"
        )
        assert await world.client.graphql(dict, asked, {}, permission="Contents: read")
    assert [run.inputs["decision"] for run in world.github.runs] == [ID]


async def test_a_wrong_token_says_so_without_it(world: World) -> None:
    client = Client(world.url, "ghp_not_right_at_all")
    with pytest.raises(PortError, match="does not accept our token") as refused:
        await client.default_branch("acme/shop")
    assert "ghp_not" not in refused.value.text
    await client.aclose()


def test_every_call_that_can_be_made_is_in_githubs_description_and_none_is_an_admins() -> None:
    for call in (call for call in vars(endpoints).values() if isinstance(call, Call)):
        path = call.whole_path.replace("{", "").replace("}", "")
        operation(call.method, path)
        assert not any(
            word in path
            for word in ("protection", "admin", "ruleset", "branches", "keys", "bypass")
        )
        assert ("merge" in path) == (call is MERGE)
    assert (MERGE.method, MERGE.path) == ("PUT", "/pulls/{pull_number}/merge")


@pytest.mark.parametrize(
    ("ref", "payload", "version"),
    [
        ("v1.2.0", {}, "1.2.0"),
        ("refs/tags/v1.2.0", "", "1.2.0"),
        ("1.2.0", {"release": "9.9.9"}, "1.2.0"),
        (HEAD, {"release": "hotfix fix/zero@abababa"}, "hotfix fix/zero@abababa"),
        (HEAD, {"release": "hotfix #1@1234567"}, HEAD),
    ],
)
def test_names_of_a_deployment(ref: str, payload: dict[str, str] | str, version: str) -> None:
    deployment = Deployment(
        id=1, sha=HEAD, ref=ref, environment="production", payload=payload, created_at=back(0)
    )
    assert named(SHOP, deployment) == Release(version=version, commit=HEAD)


# --- by the Deployments API -----------------------------------------------------------------------

BY_DEPLOYMENTS = SHOP.model_copy(update={"deploy": DeployWorkflow(via="deployments")})


async def test_a_rollback_by_deployment_from_start_to_end(world: World, store: Store) -> None:
    shop, github = BY_DEPLOYMENTS, world.github
    assert (await world.deployer.look(shop, ID)).state == "unknown"
    for _ in range(2):
        await world.deployer.start(shop, ID, TO, hotfix=False)
    (made,) = github.deployments[2:]
    assert (made.ref, made.environment) == ("v1.2.0", "production")
    assert made.payload == {"release": "1.2.0", "decision": ID, "hotfix": False}
    (sent,) = world.sent("POST", "/deployments")
    assert (sent.body["auto_merge"], sent.body["required_contexts"]) == (False, [])
    state = await world.deployer.look(shop, ID)
    assert (state.state, state.lines) == (
        "running",
        ("The deployment waits for somebody to take it.",),
    )
    github.set_status(made, "in_progress")
    assert "is running" in (await world.deployer.look(shop, ID)).lines[0]
    await store.redis.flushall()  # found again by our id in its payload
    await world.deployer.start(shop, ID, TO, hotfix=False)
    github.set_status(made, "success")
    assert (await world.deployer.look(shop, ID)).state == "done"
    assert await world.deployer.running(shop) == Release(version="1.2.0", commit="2" * 40)
    assert len(world.sent("POST", "/deployments")) == 1
    assert github.runs == []


async def test_a_hotfix_by_deployment_and_how_deployments_fail(world: World) -> None:
    world.github.pulls.append(Pull(123, "No zero", HEAD, "fix/zero"))
    fix = HotfixRef(name="#123", commit=HEAD).release
    world.faults.next("github.create_deployment", Fault(lose_answer=True))
    await world.deployer.start(BY_DEPLOYMENTS, ID, fix, hotfix=True)
    await world.deployer.start(BY_DEPLOYMENTS, ID, fix, hotfix=True)
    (made,) = world.github.deployments[2:]
    assert (made.ref, made.payload["release"]) == (HEAD, fix.version)
    world.github.set_status(made, "failure")
    state = await world.deployer.look(BY_DEPLOYMENTS, ID)
    assert (state.state, state.reason) == ("failed", "the deployment ended as failure")
    made.statuses.clear()
    made.created_at = back(6 * 60)
    assert (
        "nobody has taken the deployment" in (await world.deployer.look(BY_DEPLOYMENTS, ID)).reason
    )
    world.github.set_status(made, "in_progress")
    made.created_at = back(31 * 60)
    assert (await world.deployer.look(BY_DEPLOYMENTS, ID)).state == "unknown"


async def test_a_refused_deployment_may_be_tried_again(world: World) -> None:
    world.faults.next(
        "github.create_deployment", Fault(status=403, error="Resource not accessible")
    )
    with pytest.raises(PortError, match="Deployments: write"):
        await world.deployer.start(BY_DEPLOYMENTS, ID, TO, hotfix=False)
    await world.deployer.start(BY_DEPLOYMENTS, ID, TO, hotfix=False)
    assert len(world.github.deployments) == 3
