"""Traps for triage, as the person who opens the incident sees them.

They are those of the sandbox, and those that need deploys.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.sentry.alerts import Rule
from sandbox.slack.channels import Channel
from sandbox.traps import BY_KEY, TRAPS
from sandbox.world import World
from tests.support.bots.stage import PEOPLE, SHOP, burn, incidents, town, transcript

SERVICES = (
    SHOP.replace(
        'sentry = ["shop"]',
        (
            'sentry = ["shop"]\nnot_users = ["healthcheck*"]\nregion_tag = "region"\n'
            'org_tag = "customer"\ndepends_on = ["payments"]'
        ),
        1,
    )
    + """
[services.payments]
sentry = ["payments"]
"""
)

SAYS: dict[str, tuple[str, ...]] = {
    "one-customer": (
        "Recommended: investigate, with a rollback ready beside it",
        "*Regions*: eu-west",
        "*Organisations*: nordwind",
    ),
    "no-users": ("Many users (inferred)", "name no user"),
    "one-user": (
        "Recommended: investigate",
        "1 user;",
        "One account in several features points at its data",
    ),
    "health-checker": ("Only health checks and bots (not_users) ran into it",),
    "attacker": ("1 user;", "Recommended: investigate"),
    "louder": ("OSError: mail queue is full", "spiking", "first seen"),
    "renamed": ("failed as often under another title", "Recommended: investigate"),
    "staging": ("nothing unusual",),
    "archived": ("LookupError: coupon", "7 users"),
    "tiny": ("Recommended: roll back", "24 users", "more issues"),
    "over": ("it may be over",),
    "few": ("2 users", "treat the numbers with care"),
    "sampled": ("Recommended: roll back", "the numbers are estimates"),
    "late": ("Recommended: roll back", "KeyError: 'late'"),
}


@pytest.fixture
async def trapped(tmp_path: Path) -> AsyncIterator[World]:
    world = town(tmp_path, services=SERVICES)
    world.sentry.add_project("payments")
    world.alerts.rule = Rule(delay=0.2)
    async with world:
        world.alerts.enabled = True
        try:
            yield world
        finally:
            print(transcript(world))


async def decision_says(world: World, channel: Channel, words: tuple[str, ...]) -> None:
    decision = await world.alice.sees("Decision 1", channel)
    for word in words:
        await world.alice.sees_change(decision, word)


async def opened(world: World, *, alerts: bool) -> Channel:
    if not alerts:
        await world.alice.command("/incident checkout is odd, say people")
    return await world.alice.channel("inc-0001-")


@pytest.mark.parametrize("key", [trap.key for trap in TRAPS])
async def test_a_trap_of_the_sandbox(trapped: World, key: str):
    world, trap = trapped, BY_KEY[key]
    assert await world.page.panel.act(f"trap:{key}", True) is None
    channel = await opened(world, alerts=trap.alerts)
    await decision_says(world, channel, SAYS[key])
    assert len(incidents(world)) == 1


async def test_two_deploys_in_the_window_blame_the_one_before(trapped: World):
    world = trapped
    world.alerts.enabled = False
    now = time.time()
    world.sentry.add_release("shop@1.3.1", created=now - 20)
    world.sentry.add_deploy("shop@1.3.1", started=now - 12, finished=now - 10)
    (world.folder / "current").write_text("v1.3.1\n")
    (world.folder / "releases").write_text("v1.3.1\nv1.3.0\nv1.2.0\nv1.1.0\n")
    burn(world)
    channel = await opened(world, alerts=False)
    await decision_says(
        world, channel, ("Roll back to 1.2.0", "2 deploys around that time", "1.3.0")
    )


async def test_trouble_from_before_the_deploy_does_not_blame_it(trapped: World):
    world = trapped
    world.alerts.enabled = False
    now = time.time()
    world.sentry.add_release("shop@1.3.1", created=now - 20)
    world.sentry.add_deploy("shop@1.3.1", started=now - 8, finished=now - 5)
    (world.folder / "current").write_text("v1.3.1\n")
    (world.folder / "releases").write_text("v1.3.1\nv1.3.0\nv1.2.0\n")
    # 1.2.0 runs for two days; 1.3.0 was never there.
    world.sentry.releases.pop("shop@1.3.0")
    for page in ("/", "/cart"):
        world.sentry.load(
            at=now - 30, every=0.3, times=100, users=PEOPLE, transaction=page, release="shop@1.2.0"
        )
    channel = await opened(world, alerts=False)
    await decision_says(
        world, channel, ("A rollback would probably not end it", "No event names 1.3.1")
    )


async def test_the_dependency_was_deployed(trapped: World):
    world = trapped
    world.alerts.enabled = False
    now = time.time()
    world.sentry.releases.pop("shop@1.3.0")
    (world.folder / "current").write_text("v1.2.0\n")
    world.sentry.add_release("8.0.0", projects=["payments"], created=now - 50)
    world.sentry.add_deploy("8.0.0", started=now - 40, finished=now - 38)
    for page, project, release in (
        ("/", "shop", "shop@1.2.0"),
        ("/pay", "shop", "shop@1.2.0"),
        ("/charge", "payments", "8.0.0"),
    ):
        world.sentry.load(
            at=now - 30,
            every=0.3,
            times=100,
            users=PEOPLE,
            transaction=page,
            project=project,
            release=release,
            function=page[1:] or "home",
        )
    channel = await opened(world, alerts=False)
    await decision_says(world, channel, ("would probably not end it", "1.2.0 ran well for"))
