"""CI's word: who may say it, what it becomes, and whether it hears to hold."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.store.deploy_history import Deploys
from bot.store.incident_store import Store
from phases.messages.commands import CauseFixed, DecideRollback, SubmitPostmortem
from phases.messages.results import AdrNumbered, AdrWritten, DeployFinished, DeployStarted, Looked
from phases.record.documents import Adr
from phases.record.findings import Choice, DeployProof, Look, LookVerdict, Release
from phases.record.incident import Incident, Status
from tests.support.values.factories import postmortem, report
from tests.support.worlds.handlers_world import CI_SECRET, House, house
from tests.support.worlds.webhook_bodies import deploy_body


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def post(
    home: House, body: Any, *, secret: str = CI_SECRET, raw: bytes | None = None
) -> httpx.Response:
    raw = json.dumps(body).encode() if raw is None else raw
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"X-Firebreak-Signature": signature}
    return await home.http.post(f"{home.url}/webhooks/deploys", content=raw, headers=headers)


async def test_a_wrong_signature_is_401_and_nothing_of_it_is_logged(
    home: House, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert (await post(home, deploy_body(version="forged"), secret="wrong")).status_code == 401
    unsigned = await home.http.post(f"{home.url}/webhooks/deploys", content=b"forged")
    assert unsigned.status_code == 401
    assert "forged" not in caplog.text
    assert not await Deploys(store, watching=True).known("shop")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        deploy_body("started"),
        deploy_body(version="; rm -rf /"),
        deploy_body(version=""),
        deploy_body(version=1.10),
        deploy_body(commit="1a2b3c4"),
        deploy_body(service="nobody"),
        deploy_body(sentry_issues=["SHOP-3"]),
        deploy_body(at="yesterday"),
        deploy_body(at="2026-01-01T00:00:00"),
        deploy_body(at=(datetime.now(UTC) - timedelta(minutes=6)).isoformat()),
        deploy_body(at=(datetime.now(UTC) + timedelta(days=1)).isoformat()),
    ],
)
async def test_what_cannot_be_read_or_is_old_is_400(home: House, store: Store, body: Any) -> None:
    assert (await post(home, body)).status_code == 400
    assert await home.count() == 0
    assert not await Deploys(store, watching=True).watches()


async def test_no_json_is_400_and_too_large_is_413(home: House) -> None:
    assert (await post(home, None, raw=b"\xff{")).status_code == 400
    assert (await post(home, None, raw=b"x" * (1024 * 1024 + 1))).status_code == 413


async def test_a_finished_deploy_is_known_and_watched_once(home: House, store: Store) -> None:
    body = deploy_body()
    for _ in range(2):
        answer = await post(home, body)
        assert (answer.status_code, answer.json()) == (200, {"hold": False, "incident": None})
    deploys = Deploys(store, watching=True)
    [known] = await deploys.known("shop")
    [watched] = await deploys.watches()
    assert (known.release.version, known.source, watched.version) == ("1.4.0", "webhook", "1.4.0")
    assert await home.count() == 0


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"version": "@acme/shop@1.4.0"}, ("@acme/shop@1.4.0", None)),
        ({"commit": "AB" * 20}, ("1.4.0", "ab" * 20)),
        ({"commit": ""}, ("1.4.0", None)),
        ({"version": "1.4.0\n", "commit": f" {'ab' * 20}\r\n"}, ("1.4.0", "ab" * 20)),
        ({"version": 812}, ("812", None)),
        ({"environment": "Production"}, ("1.4.0", None)),
    ],
)
async def test_what_ci_writes_otherwise_is_read_as_meant(
    home: House, store: Store, fields: dict[str, Any], known: tuple[str, str | None]
) -> None:
    assert (await post(home, deploy_body(**fields))).status_code == 200
    [deploy] = await Deploys(store, watching=True).known("shop")
    assert (deploy.release.version, deploy.release.commit) == known


async def test_an_environment_in_capitals_hears_to_hold(home: House) -> None:
    incident = await rolled_back(home)
    assert (await post(home, deploy_body(environment="PRODUCTION"))).json() == {
        "hold": True,
        "incident": incident.id,
    }


async def test_another_environment_is_nothing_to_us(home: House, store: Store) -> None:
    answer = await post(home, deploy_body(environment="staging"))
    assert answer.json() == {"hold": False, "incident": None}
    assert not await Deploys(store, watching=True).watches()


async def test_an_open_incident_hears_of_the_deploy_once(home: House) -> None:
    incident, _ = await home.decision()
    body = deploy_body()
    for _ in range(2):
        assert (await post(home, body)).json() == {"hold": False, "incident": incident.id}
    lines = [e.text for e in await home.dispatcher.timeline(incident.id) if e.kind == "deploy"]
    assert len(lines) == 1, lines
    assert "1.4.0 was deployed by CI" in lines[0]


async def rolled_back(home: House) -> Incident:
    incident, _ = await home.decision(report(Choice.ROLLBACK))
    now = datetime.now(UTC)
    target, running = Release(version="1.2.0"), Release(version="1.3.0")
    await home.dispatch(
        DecideRollback(by="U0ALICE", round=1, target=target, running=running), incident.id
    )
    deploy = f"{incident.mark}-1"
    await home.dispatch(DeployStarted(deploy_id=deploy, running=running), incident.id)
    proof = DeployProof(before="1.3.0", after="1.2.0", started_at=now, finished_at=now)
    await home.dispatch(DeployFinished(deploy_id=deploy, result="done", proof=proof), incident.id)
    return incident


async def test_after_a_rollback_the_answer_is_to_hold(home: House) -> None:
    incident = await rolled_back(home)
    assert (await post(home, deploy_body())).json() == {"hold": True, "incident": incident.id}


async def test_a_resolved_incident_holds_until_somebody_says_that_the_cause_is_fixed(
    home: House,
) -> None:
    incident, now = await rolled_back(home), datetime.now(UTC)
    await home.dispatch(
        Looked(round=1, look=Look(number=1, at=now, verdict=LookVerdict.RECOVERED)), incident.id
    )
    await home.dispatch(SubmitPostmortem(postmortem=postmortem()), incident.id)
    await home.dispatch(AdrNumbered(repository="/srv/adr", number=7), incident.id)
    await home.dispatch(AdrWritten(adr=Adr(number=7, path="docs/adr/0007.md")), incident.id)
    assert (await home.newest()).status is Status.RESOLVED

    assert (await post(home, deploy_body())).json() == {"hold": True, "incident": incident.id}
    lines = [e.text for e in await home.dispatcher.timeline(incident.id) if e.kind == "deploy"]
    assert "1.4.0 was deployed by CI" in lines[-1]
    await home.dispatch(CauseFixed(by="U0ALICE"), incident.id)
    assert (await post(home, deploy_body(version="1.5.0"))).json() == {
        "hold": False,
        "incident": None,
    }
    assert await home.dispatcher.holding("shop") == []


async def test_new_errors_declare_and_a_second_word_is_evidence(home: House) -> None:
    answer = await post(home, deploy_body("new_errors", sentry_issues=["41", 42]))
    incident = await home.newest()
    assert answer.json() == {"hold": False, "incident": incident.id}
    assert incident.seeds == ("41", "42")
    assert incident.source.kind == "deploy"
    assert incident.title == "New errors after 1.4.0 was deployed"

    again = await post(home, deploy_body("new_errors", sentry_issues=["42", "43", "44"]))
    assert again.json()["incident"] == incident.id
    assert await home.count() == 1
    assert (await home.newest()).seeds == ("41", "42", "43", "44")


async def test_the_worst_deploys_bring_more_issues_than_are_taken(home: House) -> None:
    issues = [str(number) for number in range(100, 180)]
    answer = await post(home, deploy_body("new_errors", sentry_issues=issues))
    assert answer.json()["incident"] == "INC-0001"
    assert (await home.newest()).seeds == tuple(issues[:50])


async def test_no_issues_may_be_told_as_null(home: House) -> None:
    assert (await post(home, deploy_body(sentry_issues=None))).status_code == 200


# --- what was deployed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "commit", "release"),
    [
        ("refs/tags/1.4.0", None, Release(version="1.4.0")),
        ("4" * 40, None, Release(version="4" * 40, commit="4" * 40)),
        ("4444444", None, Release(version="4444444")),
        ("1.4.0", "4" * 40, Release(version="1.4.0", commit="4" * 40)),
        ("main", "4" * 40, Release(version="4" * 40, commit="4" * 40)),
        ("refs/heads/release/1.3", "4" * 40, Release(version="4" * 40, commit="4" * 40)),
    ],
)
async def test_what_ci_deployed_by_tag_or_commit(
    home: House, store: Store, version: str, commit: str | None, release: Release
) -> None:
    answer = await post(
        home, deploy_body(version=version, **({"commit": commit} if commit else {}))
    )
    assert answer.status_code == 200
    [deploy] = await Deploys(store, watching=True).known("shop")
    assert deploy.release == release


@pytest.mark.parametrize(
    "version", ["main", "refs/heads/main", "refs/heads/release/1.3", "refs/pull/12/merge"]
)
async def test_a_branch_alone_says_not_what_was_deployed(
    home: House, store: Store, version: str
) -> None:
    answer = await post(home, deploy_body(version=version))
    assert answer.status_code == 400
    assert "name the tag or the commit" in answer.text
    assert not await Deploys(store, watching=True).known("shop")
