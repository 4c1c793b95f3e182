"""Stories of the post-mortem.

Its form is filled in, drafts outlive a restart, the folder's template is used, two ends come at
once, and a reminder is sent.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.slack.channels import Channel
from sandbox.slack.forms import state_values
from sandbox.slack.people import Json, Person, plain
from sandbox.world import World
from tests.support.bots.stage import (
    PATIENCE_SECONDS,
    SEARCH,
    SHOP,
    burn,
    declared,
    eventually,
    messages_with,
    town,
    transcript,
)
from tests.support.git.repositories import Repository
from tests.support.redis.dump import redis_of

WHYS = {"monitoring": "No alert watches pricing.", "tests": "No test runs with the flag on."}
TEMPLATE = """\
---
status: {proposed | accepted}
layout: decision
---

# {short title}

## Context and Problem Statement

What is the problem?

## Decision Outcome

Chosen option: …
"""
BOTH = SHOP + SEARCH.rstrip() + '\nadr = { directory = "FOLDER/adr" }\n'


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[World]:
    """Two services whose post-mortems go to one clone, in which a template lies."""
    world = town(tmp_path, services=BOTH)
    repository = Repository(tmp_path / "adr")
    repository.commit(
        "how we write", {"0000-template.md": TEMPLATE, "0004-we-use-flags.md": "# ADR-0004\n"}
    )
    async with world:
        try:
            yield world
        finally:
            print(transcript(world))  # pytest shows it where a story fails


def fields(world: World, view: Json) -> dict[str, str]:
    """Return the present values of a form's inputs."""
    values = state_values(view["blocks"], world.workspace.modals.typed.get(view["id"], {}))
    return {block: (of.get("value") or {}).get("value") or "" for block, of in values.items()}


async def form(person: Person, channel: Channel) -> Json:
    await person.command("/incident postmortem", channel)
    return await person.open_modal("incident.postmortem", text="Action item 1")


async def fixed(person: Person, channel: Channel) -> None:
    """Fixed another way, and verified."""
    await person.command("/incident fixed flag new-pricing off", channel)
    await person.sees("*Recovered.*", channel)


def written(folder: Path, name: str) -> str:
    (file,) = [f for f in folder.rglob(name) if ".git" not in f.parts]
    return file.read_text()


@pytest.mark.slow
async def test_the_form_knows_what_the_evidence_says_and_a_draft_outlives_the_bot(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    await shop.break_everything()
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await alice.sees("*Recovered.*", channel)

    view = await form(alice, channel)
    known = fields(world, view)
    assert known["monitoring"].endswith("It was not caught earlier because …")
    assert "after it began" in known["monitoring"] or "as soon as it began" in known["monitoring"]
    assert "fired" in known["monitoring"], "an alert opened it"
    assert "that file." in known["tests"], known["tests"]
    assert "ommit " in known["tests"], "whether the commit that brought it changed a test"
    assert " users" in known["impact"]
    assert " to " in known["impact"], "from when to when"

    alice.fill(
        view,
        {
            "root_cause": "The importer writes accounts without a region.",
            "item_2": "alert on imports",
        },
    )
    await alice.click(view, "incident.add_item")
    view = await alice.open_modal(text="Action item 4")
    alice.fill(view, {"item_4": "import a copy first", "incident.item.kind.4": "gates"})
    await alice.click(view, "incident.save_draft")
    await alice.open_modal(text="Draft saved")
    world.kill_bot()
    await world.bot.until_running()
    again = fields(world, await form(alice, channel))
    assert again["root_cause"] == "The importer writes accounts without a region."
    assert (again["item_2"], again["item_4"]) == ("alert on imports", "import a copy first")

    world.bob.join(channel)
    bob = await form(world.bob, channel)
    assert "’s draft of" in plain(bob)
    assert "has had this form open since" in plain(bob)
    await world.bob.submit(bob, {**WHYS, "incident.item.owner.4": "U0BOB"})
    await alice.sees("is resolved", channel)
    text = written(world.folder, "0002-inc-0001-*.md")
    assert "\n- [ ] gates: import a copy first (owner bob, " in text
    assert "\n## Impact\n" in text


async def test_two_incidents_end_at_once_in_the_folders_own_shape(both: World):
    world, alice, bob = both, both.alice, both.bob
    burn(world)
    shop = await declared(alice, "checkout is failing")
    search = await declared(bob, "search is failing", "inc-0002-")
    await fixed(alice, shop)
    await bob.command("/incident fixed index rebuilt", search)
    asked = await bob.sees("Does it work for users again?", search)  # Sentry has nothing of search
    await bob.click(asked, "incident.recovered")
    await bob.sees("*Recovered.*", search)
    hers, his = await form(alice, shop), await form(bob, search)
    parts = {
        **WHYS,
        "root_cause": "The flag reads an empty table.",
        "item_1": "a test with an empty table",
    }
    await asyncio.gather(alice.submit(hers, parts), bob.submit(his, parts))
    await alice.sees("INC-0001 is resolved", shop)
    await bob.sees("INC-0002 is resolved", search)

    folder = world.folder / "adr"
    numbers = []
    for id in ("inc-0001", "inc-0002"):
        text = written(folder, f"*-{id}-*.md")
        heading = re.search(r"^# ADR-(\d{4}): INC-000\d, .+ is failing$", text, re.MULTILINE)
        assert heading, text[:200]
        numbers.append(heading.group(1))
        assert text.startswith('---\nstatus: "accepted"\nlayout: decision\n---\n\n# ADR-')
        assert text.split("\n\n")[2].startswith("```text\nPRODUCTION INCIDENT — "), (
            "it begins with the summary"
        )
        headings = [line for line in text.splitlines() if line.startswith("## ")]
        assert headings[:2] == ["## Context and Problem Statement", "## Decision Outcome"]
        assert "What is the problem?" not in text
        assert "The flag reads an empty table." in text
    assert sorted(numbers) == ["0005", "0006"]


async def test_who_owes_it_is_reminded_in_their_morning_until_it_is_written(small: World):
    world, alice = small, small.alice
    # Her time zone makes it ten on a Tuesday. Late reminders wait for a working morning.
    now = datetime.now(UTC)
    ten = datetime(now.year, now.month, now.day, 10, tzinfo=UTC) + timedelta(
        days=(1 - now.weekday()) % 7
    )
    offset = timedelta(minutes=round((ten - now).total_seconds() / 60))
    world.workspace.users["U0ALICE"]["tz_offset"] = int(offset.total_seconds())
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await alice.command("/incident lead", channel)
    await fixed(alice, channel)
    redis = redis_of(world)
    timers, timer = "{fb}:timers", "INC-0001|postmortem"

    async def due() -> datetime | None:
        score = await redis.zscore(timers, timer)
        return datetime.fromtimestamp(score / 1000, UTC) if score is not None else None

    async def in_the_morning() -> bool:
        at = await due()
        return at is not None and ((at + offset).hour, (at + offset).minute) == (9, 0)

    async with asyncio.timeout(PATIENCE_SECONDS):  # Slack is asked where she is
        while not await in_the_morning():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    at = await due()
    assert at is not None
    assert ((at + offset).hour, (at + offset).minute) == (9, 0), "nine where Alice is"
    assert (at + offset).weekday() < 5

    await redis.aclose()
    world.kill_bot()  # the night passes, and not without trouble
    await world.bot.until_running()
    redis = redis_of(world)
    await redis.zadd(timers, {timer: round(time.time() * 1000)}, xx=True)
    reminder = await alice.sees("The post-mortem is still to be written.", channel)
    assert "<@U0ALICE>" in plain(reminder)
    again = await eventually(
        world, lambda: messages_with(alice, channel, "still to be written"), "the reminder"
    )
    assert len(again) == 1
    tomorrow = await due()
    assert tomorrow is not None
    assert (tomorrow + offset).weekday() < 5

    await alice.click(reminder, "incident.postmortem")
    view = await alice.open_modal("incident.postmortem", text="Action item 1")
    await alice.submit(
        view, {**WHYS, "root_cause": "The flag reads an empty table.", "item_1": "a test for it"}
    )
    await alice.sees("is resolved", channel)
    assert await due() is None
    await redis.aclose()
