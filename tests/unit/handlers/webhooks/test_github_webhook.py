"""`POST /webhooks/github` through the real route, dispatcher and Valkey.

Signature, delivery, and the action that a deployment becomes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from bot.clients.github.deployments import GitHubDeployments
from bot.store.deploy_history import Deploys
from bot.store.incident_store import Store
from phases.messages.commands import DecideHotfix
from phases.messages.results import DeployFinished, DeployStarted
from phases.mitigation.hotfix_merge import unmerged
from phases.ports.ports import HotfixRef
from phases.record.findings import DeployProof, Release
from phases.record.service import DeployWorkflow, ReleaseNames, Service
from sandbox.faults import Fault
from tests.support.worlds.github_world import github_world
from tests.support.worlds.handlers_world import COMMANDS, GITHUB_HOOK_SECRET, House, house
from tests.support.worlds.webhook_bodies import body

NAMES = ReleaseNames(tag="v{version}")
SHOP = Service(
    name="shop", repository="acme/shop", deployer="github", deploy=DeployWorkflow(), release=NAMES
)
OTHER = Service(name="search", repository="Acme/Search", deployer="command", deploy=COMMANDS)


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store, SHOP, OTHER) as opened:
        await opened.slack.alice.command("/incident the shop is failing")
        yield opened


async def post(
    home: House,
    payload: Any,
    *,
    delivery: str = "d-1",
    event: str = "deployment_status",
    secret: str = GITHUB_HOOK_SECRET,
) -> httpx.Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Event": event}
    if delivery:
        headers["X-GitHub-Delivery"] = delivery
    return await home.http.post(f"{home.url}/webhooks/github", content=raw, headers=headers)


async def timeline_texts(home: House) -> list[str]:
    incident = await home.newest()
    return [e.text for e in await home.dispatcher.timeline(incident.id) if "was deployed" in e.text]


async def test_a_deploy_by_others_is_in_the_timeline_once(home: House) -> None:
    for _ in range(2):
        answer = await post(home, body())
        assert answer.status_code == 200
        assert answer.json() == {"incidents": ["INC-0001"]}
    (line,) = await timeline_texts(home)
    assert line.startswith("1.4.0 was deployed by ada, ")


async def test_an_environment_in_other_letters_is_the_same(home: House) -> None:
    """Vercel deploys to `Production`; names of environments are not case sensitive on GitHub."""
    answer = await post(home, body(deployment__environment="Production"))
    assert answer.json() == {"incidents": ["INC-0001"]}


@pytest.mark.parametrize(
    "payload",
    [
        body(deployment_status__state="failure"),
        body(deployment_status__state="in_progress"),
        body(deployment__environment="staging"),
        body(repository__full_name="acme/elsewhere"),
    ],
)
async def test_what_is_nothing_to_the_service_changes_nothing(
    home: House, payload: dict[str, Any]
) -> None:
    answer = await post(home, payload)
    assert (answer.status_code, answer.json()) == (200, {"incidents": []})
    assert await timeline_texts(home) == []


async def test_other_events_are_heard_and_need_nothing(home: House) -> None:
    for event in ("ping", "check_run", "push"):
        answer = await post(home, {"zen": "Keep it logically awesome."}, event=event)
        assert (answer.status_code, answer.json()) == (200, {"incidents": []})


async def test_either_content_type_is_read(home: House) -> None:
    """A form's signature is over the form, and the JSON is in its `payload`.

    https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
    """
    form = urlencode(
        {"payload": json.dumps(body(deployment__payload='{"release": "1.4.0"}'))}
    ).encode()
    assert (await post(home, form)).json() == {"incidents": ["INC-0001"]}
    assert len(await timeline_texts(home)) == 1


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("workflow_run", {"workflow_run": {"display_title": None}}),
        (
            "pull_request",
            {
                "action": "opened",
                "pull_request": {
                    "number": 5,
                    "merged": None,
                    "merged_by": None,
                    "head": {"sha": "1"},
                },
            },
        ),
        (
            "deployment_status",
            body(
                deployment__payload=None, deployment__creator=None, deployment_status__state="error"
            ),
        ),
        (
            "deployment_status",
            body(deployment__payload="a word", deployment_status__state="queued"),
        ),
    ],
)
async def test_what_is_null_is_not_told(home: House, event: str, payload: dict[str, Any]) -> None:
    """`merged` is `boolean or null`, `creator` `object or null`: https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request"""
    answer = await post(home, {"repository": {"full_name": "acme/shop"}, **payload}, event=event)
    assert (answer.status_code, answer.json()) == (200, {"incidents": []})


@pytest.mark.parametrize(
    ("payload", "how", "status"),
    [
        (body(), {"secret": "another"}, 401),
        (body(), {"delivery": ""}, 400),
        (b"payload=%7B%7D", {}, 400),
        (b"{", {}, 400),
        (b"x" * (1024 * 1024 + 1), {}, 413),
    ],
)
async def test_what_is_refused(home: House, payload: Any, how: dict[str, str], status: int) -> None:
    assert (await post(home, payload, **how)).status_code == status
    assert await timeline_texts(home) == []


async def test_the_repository_is_found_whatever_its_case_and_deployer(home: House) -> None:
    await home.slack.alice.command("/incident search is failing")
    answer = await post(home, body("2.0", repository__full_name="acme/search"))
    assert answer.json() == {"incidents": ["INC-0002"]}


async def test_a_hotfix_of_ours_is_not_somebody_elses_deploy(home: House) -> None:
    incident, _ = await home.decision()
    fix = HotfixRef(name="#13", commit="f" * 40).release
    await home.dispatch(
        DecideHotfix(by="U0ALICE", round=1, fix=fix, running=Release(version="1.3.0")), incident.id
    )
    ours = body("f" * 40, deployment__sha="f" * 40, deployment__payload={"release": fix.version})
    await post(home, ours)
    assert await timeline_texts(home) == []


# --- a hotfix's pull request ----------------------------------------------------------------------


def closed(sha: str, *, number: int = 12, merged: bool = True) -> dict[str, Any]:
    """A closed pull request, cut down.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
    """
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    pull = {
        "number": number,
        "merged": merged,
        "merged_at": at if merged else None,
        "head": {"sha": sha},
    }
    pull["merged_by"] = {"login": "ada"} if merged else None
    return {
        "action": "closed",
        "number": number,
        "pull_request": pull,
        "repository": {"full_name": "acme/shop"},
    }


async def shipped(home: House) -> None:
    incident = await home.newest()
    fix = HotfixRef(name="#12", commit="ab" * 20).release
    incident = await home.dispatch(DecideHotfix(by="U0ALICE", round=1, fix=fix), incident.id)
    assert incident.round is not None
    assert incident.round.action is not None
    id = incident.round.action.deploy_id or ""
    await home.dispatch(DeployStarted(deploy_id=id), incident.id)
    await home.dispatch(
        DeployFinished(deploy_id=id, result="done", proof=DeployProof(after=fix.version)),
        incident.id,
    )


async def test_a_merge_by_people_ends_the_line(home: House) -> None:
    await shipped(home)
    assert unmerged(await home.newest()) is not None
    for payload in (
        closed("ab" * 20, number=13),
        closed("ab" * 20, merged=False),
        closed("cd" * 20),
    ):
        await post(
            home,
            payload,
            event="pull_request",
            delivery=f"d-{payload['number']}-{payload['pull_request']['head']['sha']}",
        )
    # What is not plain is asked for, and not believed.
    assert unmerged(await home.newest()) is not None
    answer = await post(home, closed("ab" * 20), event="pull_request", delivery="d-2")
    assert answer.json() == {"incidents": ["INC-0001"]}
    incident = await home.newest()
    assert unmerged(incident) is None
    assert "Pull request #12 is merged by ada." in [
        e.text for e in await home.dispatcher.timeline(incident.id)
    ]


async def test_a_run_of_ours_is_asked_about_at_once(home: House) -> None:
    incident = await home.newest()
    fix = HotfixRef(name="#12", commit="ab" * 20).release
    await home.dispatch(DecideHotfix(by="U0ALICE", round=1, fix=fix), incident.id)
    run = {
        "workflow_run": {"display_title": f"Hotfix #12 ({incident.mark}-1)"},
        "repository": {"full_name": "acme/shop"},
    }
    answer = await post(home, run, event="workflow_run")
    assert answer.json() == {"incidents": ["INC-0001"]}
    run["workflow_run"]["display_title"] = f"Hotfix #12 ({incident.mark}-10)"
    assert (await post(home, run, event="workflow_run", delivery="d-2")).json() == {"incidents": []}


# --- what a deployment's ref says -----------------------------------------------------------------

BILLING = Service(
    name="billing", repository="acme/shop", release=ReleaseNames(tag="billing-v{version}")
)


@pytest.mark.parametrize(
    "ref", ["main", "refs/heads/main", "release/1.3", "refs/pull/12/merge", "44444444", "4" * 40]
)
async def test_a_deployment_of_a_branch_is_known_by_its_commit(
    home: House, store: Store, ref: str
) -> None:
    assert (await post(home, body(ref))).json() == {"incidents": ["INC-0001"]}
    (line,) = await timeline_texts(home)
    assert line.startswith(f"{'4' * 40} was deployed by ada, ")
    deploys = Deploys(store, watching=True)
    [deploy] = await deploys.known("shop")
    assert deploy.release == Release(version="4" * 40, commit="4" * 40)
    [watched] = await deploys.watches()
    assert watched.names == ("4" * 40,)


async def test_a_deploy_of_another_service_in_the_repository_asks_nobody_whether_it_is_the_fix(
    store: Store,
) -> None:
    async with house(store, SHOP, BILLING) as home:
        await home.slack.alice.command("/incident the shop is failing")
        for number, ref in enumerate(("billing-v7.1.0", "refs/tags/billing-v7.1.0")):
            assert (await post(home, body(ref), delivery=f"d-{number}")).json() == {"incidents": []}
        assert await timeline_texts(home) == []
        deploys = Deploys(store, watching=True)
        assert not await deploys.known("shop")
        assert {deploy.release.version for deploy in await deploys.known("billing")} == {"7.1.0"}
        assert {watch.service for watch in await deploys.watches()} == {"billing"}
        await post(home, body("v1.4.0"), delivery="d-9")
        assert (await timeline_texts(home))[0].startswith("1.4.0 was deployed by ada, ")
        assert {deploy.release.version for deploy in await deploys.known("shop")} == {"1.4.0"}


async def test_github_is_asked_whether_a_ref_is_a_tag(store: Store) -> None:
    async with github_world(store) as hub:
        hub.github.tags |= {"v1.4.0": "4" * 40, "elsewhere-3": "3" * 40}
        async with house(store, SHOP, deployments=GitHubDeployments(hub.client)) as home:
            await home.slack.alice.command("/incident the shop is failing")
            await post(home, body("main"))
            assert (await timeline_texts(home))[0].startswith("1.4.0 was deployed by ada, ")
            assert (await post(home, body("elsewhere-3"), delivery="d-2")).json() == {
                "incidents": []
            }
            hub.faults.next("github.tags", Fault(status=502), times=5)
            await post(home, body("main", deployment__sha="5" * 40), delivery="d-3")
            assert (await timeline_texts(home))[-1].startswith(f"{'5' * 40} was deployed by ada, ")
