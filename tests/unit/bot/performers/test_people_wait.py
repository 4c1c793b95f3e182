"""Effects that people wait for end soon, and say what was not done."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from bot.clients.deployers.hotfix_merges import HotfixMerges
from bot.clients.git.source import LocalGit
from bot.clients.pagerduty import PagerDuty as Pager
from bot.clients.slack.client import Slack
from bot.performers.context import EffectContext
from bot.performers.deploys import START_TRIES, start_deploy
from bot.performers.notify import page
from bot.performers.pull_requests import merge
from bot.store.incident_store import Store
from bot.store.job import Job
from phases.messages.effects import MergePullRequest, Page, StartDeploy
from phases.messages.results import DeployNotStarted, DeployStarted, MergeRefused
from phases.ports.ports import PortError
from phases.record.findings import Release
from phases.record.incident import ActionKind, Channel
from sandbox.faults import Fault, Faults
from sandbox.github.state import Pull
from sandbox.pagerduty import ROUTING_KEY, PagerDuty, pagerduty_app
from sandbox.slack.api import BOT_TOKEN
from tests.support.values.factories import NOW, incident
from tests.support.worlds.github_world import SHOP, World, github_world
from tests.support.worlds.local_http import serving
from tests.support.worlds.slack_world import slack_world

LATER = Fault(status=403, error="You have exceeded a secondary rate limit.", retry_after=600)
AWAY = Fault(status=503)
ID = "inc-0001-1"
BACK = StartDeploy(
    deploy_id=ID,
    kind=ActionKind.ROLLBACK,
    running=Release(version="1.3.0"),
    to=Release(version="1.2.0"),
)


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


def context(**given: Any) -> EffectContext:
    record = incident(channel=Channel(id="C0GENERAL", name="general"))

    async def look(id: str, version: int = 0) -> Any:
        return record

    nothing: dict[str, Any] = {field.name: None for field in dataclasses.fields(EffectContext)}
    usual = {
        "dispatcher": SimpleNamespace(load=look, recent=look),
        "catalogue": SimpleNamespace(get=lambda name: SHOP),
        "now": lambda: NOW,
    }
    return EffectContext(**nothing | usual | given)


def job(attempt: int) -> Job:
    return Job("INC-0001", "INC-0001.2.1", NOW, attempt)


def deploying(world: World) -> EffectContext:
    return context(deployer_for=lambda service: world.deployer)


async def test_a_deploy_that_github_puts_off_for_long_is_said_not_to_have_begun(
    world: World,
) -> None:
    world.faults.next("github.dispatch", LATER)
    done = await start_deploy(BACK, job(1), deploying(world))
    assert isinstance(done, DeployNotStarted)
    assert done.reason == "nothing was started: GitHub asks us to slow down for 10 min"


async def test_while_github_is_away_nothing_was_started_and_that_is_said(world: World) -> None:
    world.faults.always("github.*", AWAY)
    with pytest.raises(PortError):
        await start_deploy(BACK, job(1), deploying(world))
    done = await start_deploy(BACK, job(START_TRIES), deploying(world))
    assert isinstance(done, DeployNotStarted)
    assert "GitHub has a fault of its own (503)" in done.reason
    # A worker that was frozen meanwhile starts nothing either.
    world.faults.clear()
    assert isinstance(await start_deploy(BACK, job(1), deploying(world)), DeployStarted)
    assert world.github.runs == []
    state = await world.deployer.look(SHOP, ID)
    assert (state.state, state.reason) == ("failed", "nothing was started: it was given up")


async def test_of_a_deploy_that_was_handed_over_nobody_says_that_it_did_not_begin(
    world: World,
) -> None:
    world.faults.next("github.dispatch", Fault(lose_answer=True))
    assert isinstance(await start_deploy(BACK, job(1), deploying(world)), DeployStarted)
    assert not await world.deployer.give_up(SHOP, ID)
    assert len(world.github.runs) == 1


async def test_who_clicks_merge_is_answered_soon(world: World) -> None:
    world.github.pulls.append(Pull(12, "No zero", "ab" * 20, "fix/zero"))
    world.faults.next("github.merge", LATER)
    wanted = MergePullRequest(round=1, number=12, commit="ab" * 20)
    done = await merge(wanted, job(1), context(merges=HotfixMerges(world.client, LocalGit())))
    assert isinstance(done, MergeRefused)
    assert "slow down for 10 min" in done.reason


@asynccontextmanager
async def paging(faults: Faults) -> AsyncIterator[EffectContext]:
    async def same(text: str) -> str:
        return text

    async def owners(of: object) -> tuple[str, ...]:
        return ("U0ALICE",)

    async with slack_world() as around, serving(pagerduty_app(PagerDuty(), faults)) as url:
        slack = Slack(BOT_TOKEN, f"{around.url}/slack/api/")
        await slack.start()
        pager = Pager(f"{url}/v2/enqueue", ROUTING_KEY)
        people = SimpleNamespace(owners=owners, plain=same)
        yield context(slack=slack, pager=pager, people=people)
        await pager.aclose()
        await slack.aclose()


async def test_a_pager_that_asks_for_minutes_is_not_waited_for() -> None:
    faults = Faults()
    faults.always("pagerduty.enqueue", Fault(status=429, retry_after=600))
    async with paging(faults) as ctx:
        done = await page(Page(key="sev1", text="checkout is failing"), job(1), ctx)
    assert done is not None
    assert done.via.startswith("mention, because PagerDuty failed: PagerDuty asks us to slow down")
