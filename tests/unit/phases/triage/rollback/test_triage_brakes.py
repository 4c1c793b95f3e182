"""Brakes on a rollback, and reasons for a hotfix.

The real client measures each on the local Sentry.
"""

from __future__ import annotations

from phases.ports.ports import HotfixRef
from phases.record.findings import Choice, DeploySeen, Release
from tests.support.worlds.sentry_world import SHOP, Deployer, Repository, ago, world


async def test_a_fix_that_names_the_issue_is_recommended_where_the_blast_radius_is_limited() -> (
    None
):
    async with world(
        source=Repository(
            branches=[HotfixRef(name="fix-cart", commit="a" * 40, subject="Fixes SHOP-1")]
        )
    ) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart")
        limited = await w.triage()
        w.burn("/pay")
        everything = await w.triage()
    assert limited.recommendation.choice is Choice.HOTFIX
    assert "A fix is known: fix-cart." in limited.recommendation.reasons
    assert everything.recommendation.choice is Choice.ROLLBACK


async def test_a_migration_since_the_target_brakes() -> None:
    service = SHOP.model_copy(update={"one_way": ("migrations/**",)})
    async with world(
        service=service, source=Repository(changed=["shop/cart.py", "migrations/0007/up.sql"])
    ) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        report = await w.triage()
        w.source = None
        blind = await w.triage()
    assert report.recommendation.brakes == (
        "A one-way path changed since then: migrations/0007/up.sql.",
    )
    assert blind.recommendation.brakes == (
        "Whether a one-way path changed since then cannot be seen.",
    )
    assert blind.recommendation.choice is Choice.INVESTIGATE


async def test_no_deployer_or_a_broken_one_brakes_and_says_so() -> None:
    async with world(deployer=None) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        without = await w.triage()
        w.deployer = Deployer(broken="git is not there")
        broken = await w.triage()
    assert without.recommendation.choice is Choice.INVESTIGATE
    assert without.recommendation.brakes == (
        "No deployer is set up for shop, so a rollback has to be made by hand.",
    )
    assert broken.recommendation.brakes == (
        "Which releases can be deployed is not known: git is not there.",
    )
    assert broken.running == Release(version="v3")


async def test_what_this_incident_rolled_back_is_no_target_and_brakes() -> None:
    back = DeploySeen(
        release=Release(version="v2"), service="shop", started_at=ago(4), source="bot"
    )
    async with world(known=(back,)) as w:
        w.deployed("v1", 900)
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay", since=6)
        report = await w.triage(rolled_back=("v3",))
    assert report.suspect == Release(version="v3")
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert any("already rolled back v3" in b for b in report.recommendation.brakes)
    assert any("v2 was put back, 2026-05-05 14:11 UTC" in b for b in report.recommendation.brakes)
    assert Release(version="v3") not in report.targets
