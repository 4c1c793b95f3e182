"""The watch after a deploy. It finds new issues, opens one incident, survives its bot, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bot.config.catalogue import Catalogue
from bot.store.deploy_history import Deploys
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.timers.deploy_watch import DeployWatch
from phases.messages.commands import Cancel
from phases.ports.ports import ErrorTracker, PortError
from phases.ports.tracker_values import IssueRow
from phases.record.findings import DeploySeen, Release
from phases.record.service import ReleaseNames
from phases.triage.deploys.deploy_history import merge_deploys, suspect_of
from phases.verification.post_deploy import (
    LOOKS,
    WatchedDeploy,
    deploy_told,
    headline,
    looks_due,
    new_since,
    version_told,
)
from phases.workflow import step
from tests.support.values.factories import service

SHOP = service()
END = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ISSUE = IssueRow(
    id="41",
    short_id="SHOP-41",
    title="KeyError: 'region'",
    url="https://sentry.example.com/issues/41/",
    project="shop",
    level="error",
    first_seen=END + timedelta(seconds=20),
    events=12,
)


class Sentry:
    """The one question to Sentry that the watch asks."""

    def __init__(self) -> None:
        self.new: list[IssueRow] = []
        self.asked = 0
        self.away = False
        self.breaks = ""

    async def new_issues(
        self, service: Any, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        self.asked += 1
        if self.away:
            raise PortError("sentry", "Sentry cannot be reached", retryable=True)
        if release == self.breaks:
            raise ValueError(release)
        return self.new


class Stage:
    def __init__(self, store: Store) -> None:
        self.now = END
        self.sentry = Sentry()
        self.deploys = Deploys(store, watching=True)
        self.dispatcher = Incidents(store, step, Catalogue((SHOP,)))
        self.watch = self.bot()

    def bot(self) -> DeployWatch:
        """A replica, or the bot after a restart: nothing but Redis is kept."""
        tracker = cast("ErrorTracker", self.sentry)
        return DeployWatch(
            self.deploys, self.dispatcher, tracker, Catalogue((SHOP,)), now=lambda: self.now
        )

    async def record_deploy(self) -> None:
        await self.deploys.record(deploy_told(SHOP, "1.4.0", END), "production")

    async def at(self, minutes: float) -> None:
        self.now = END + timedelta(minutes=minutes)
        await self.watch.sweep()


@pytest.fixture
def stage(store: Store) -> Stage:
    return Stage(store)


async def test_a_quiet_deploy_is_looked_at_five_times_and_let_go(stage: Stage) -> None:
    await stage.record_deploy()
    for seconds in range(0, 601, 15):
        await stage.at(seconds / 60)
    assert stage.sentry.asked == len(LOOKS)
    assert not await stage.deploys.watches()
    assert not await stage.dispatcher.find(open_only=False)


async def test_new_issues_open_one_incident_whatever_happens_to_the_bot(stage: Stage) -> None:
    await stage.record_deploy()
    stage.sentry.new = [ISSUE]
    [watched] = await stage.deploys.watches()
    await stage.at(1)
    # Killed after the commit and before the watch was ended; two replicas come up at once.
    await stage.record_deploy()
    assert [w.key for w in await stage.deploys.watches()] == [watched.key]
    stage.now = END + timedelta(minutes=2)
    for bot in (stage.bot(), stage.bot()):
        await bot.sweep()
    [incident] = await stage.dispatcher.find(open_only=False)
    assert incident.seeds == ("41",)
    assert incident.source.kind == "deploy"
    assert incident.title == "KeyError: 'region', new in 1.4.0"
    assert not await stage.deploys.watches()


async def test_a_false_alarm_is_not_raised_a_second_time_by_the_same_watch(stage: Stage) -> None:
    await stage.record_deploy()
    stage.sentry.new = [ISSUE]
    await stage.at(1)
    await stage.dispatcher.dispatch(Cancel(by="U0ALICE", reason="a load test"), "INC-0001")
    await stage.record_deploy()  # it was raised, and its bot was killed before the watch was ended
    stage.watch = stage.bot()
    await stage.at(2)
    assert len(await stage.dispatcher.find(open_only=False)) == 1
    assert not await stage.deploys.watches()


async def test_an_open_incident_gets_them_as_evidence(stage: Stage) -> None:
    await stage.record_deploy()
    stage.sentry.new = [ISSUE]
    await stage.at(1)
    await stage.deploys.record(deploy_told(SHOP, "1.5.0", END), "production")
    stage.sentry.new = [ISSUE.model_copy(update={"id": "42", "short_id": "SHOP-42"})]
    await stage.at(2)
    [incident] = await stage.dispatcher.find(open_only=False)
    assert incident.seeds == ("41", "42")


async def test_a_sentry_that_is_away_is_asked_again_and_at_last_let_go(stage: Stage) -> None:
    await stage.record_deploy()
    stage.sentry.away = True
    await stage.at(1)
    await stage.at(1.1)
    assert stage.sentry.asked == 1, "not with every sweep"
    stage.sentry.away, stage.sentry.new = False, [ISSUE]
    stage.watch = stage.bot()
    await stage.at(12)
    assert len(await stage.dispatcher.find()) == 1

    await stage.deploys.record(deploy_told(SHOP, "1.5.0", END), "production")
    stage.sentry.away = True
    await stage.at(21)
    assert not await stage.deploys.watches()


async def test_a_bot_that_was_asleep_for_an_hour_looks_once_and_one_away_for_a_night_does_not(
    stage: Stage,
) -> None:
    stage.sentry.new = [ISSUE]
    await stage.record_deploy()
    await stage.at(7 * 60)
    assert stage.sentry.asked == 0
    assert not await stage.deploys.watches()
    await stage.record_deploy()
    for bot in (stage.bot(), stage.bot()):
        stage.now = END + timedelta(minutes=70)
        await bot.sweep()
    assert stage.sentry.asked == 1
    assert len(await stage.dispatcher.find()) == 1
    assert not await stage.deploys.watches()


def test_the_looks_and_what_is_new() -> None:
    watched = WatchedDeploy(service="shop", environment="production", version="1.4.0", at=END)
    assert [looks_due(watched, SHOP, END + timedelta(minutes=m)) for m in (0, 1, 2, 4, 7, 10)] == [
        0,
        1,
        2,
        3,
        4,
        5,
    ]
    assert new_since(watched, SHOP) == END - timedelta(minutes=5)
    assert headline((), "1.4.0") == "New errors after 1.4.0 was deployed"


def test_a_version_may_be_told_as_any_system_writes_it() -> None:
    names = ReleaseNames(sentry="shop@{version}", tag="v{version}", deploy="{version}")
    shop = service(release=names)
    assert {version_told(shop, version) for version in ("1.4.0", "v1.4.0", "shop@1.4.0")} == {
        "1.4.0"
    }


def test_a_deploy_of_which_only_the_end_is_told_began_with_its_first_sign() -> None:
    """Trouble that began while it was rolled out is its trouble."""
    before = DeploySeen(
        release=Release(version="1.3.0"),
        service="shop",
        started_at=END - timedelta(days=1),
        source="sentry",
    )
    sign = DeploySeen(
        release=Release(version="1.4.0"),
        service="shop",
        started_at=END - timedelta(minutes=3),
        source="first event",
    )
    known = merge_deploys([before, sign, deploy_told(SHOP, "1.4.0", END)])
    suspect = suspect_of(known.deploys, END - timedelta(minutes=2), SHOP.window)
    assert suspect is not None
    assert suspect.release.version == "1.4.0"
    # A release that was there long before, deployed again: the end is all that is known.
    old = sign.model_copy(update={"started_at": END - timedelta(days=9)})
    assert (
        merge_deploys([before, old, deploy_told(SHOP, "1.4.0", END)]).deploys[0].started_at == END
    )


async def test_one_that_cannot_be_looked_at_ends_neither_the_others_nor_the_watch(
    stage: Stage,
) -> None:
    """An unexpected error would come at the next start of the bot as well.

    The watch stands in Redis.
    """
    await stage.deploys.record(deploy_told(SHOP, "bad", END), "production")
    await stage.record_deploy()
    stage.sentry.new, stage.sentry.breaks = [ISSUE], "bad"
    await stage.at(1)
    assert len(await stage.dispatcher.find()) == 1
    [left] = await stage.deploys.watches()
    assert left.version == "bad"
    stage.watch = stage.bot()
    await stage.at(25)
    assert not await stage.deploys.watches(), "given up in the end"
