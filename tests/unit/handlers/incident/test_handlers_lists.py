"""Lists over all open incidents: the newest are shown, all are counted.

What nobody may know of is neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store.incident_store import Store
from phases.record.documents import ActionItem
from phases.record.incident import Channel, Severity, Status
from sandbox.slack.block_kit.blocks import plain
from sandbox.slack.channels import BOT_USER
from tests.support.redis.keeping import past, put
from tests.support.values.factories import postmortem
from tests.support.worlds.handlers_world import House, house

OPEN = 30


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    """Thirty incidents burn, and a private one that Bob is in; two post-mortems are owed."""
    async with house(store, private=True) as opened:
        fresh = {"adr": None, "cause": None, "postmortem": None, "recovered_at": None}
        for number in range(1, OPEN + 1):
            burning = past(number, status=Status.DECIDING, severity=Severity.SEV3, **fresh)
            await put(store, burning)
        room = opened.slack.workspace.create_channel("inc-0031-shop", BOT_USER, is_private=True)
        opened.slack.workspace.join(room, "U0BOB")
        channel = Channel(id=room.id, name=room.name)
        hidden = past(31, status=Status.DECIDING, private=True, channel=channel, **fresh)
        await put(store, hidden)
        over = {"status": Status.MITIGATED, "adr": None, "postmortem": None}
        for number in (32, 33):
            await put(store, past(number, lead="U0ALICE", **over))
        await put(store, past(34, channel=channel, private=True, **over))
        yield opened


async def answer_to(home: House, person: str, words: str) -> str:
    who = home.slack.person(person)
    await who.command(f"/incident {words}")
    return plain(who.ephemerals()[-1])


async def test_a_list_shows_the_newest_and_counts_all(home: House) -> None:
    text = await answer_to(home, "U0ALICE", "list")
    assert "32 incidents open" in text
    assert "and 12 more" in text
    shown = [number for number in range(1, 40) if f"INC-{number:04d}" in text]
    assert shown == [*range(13, 31), 32, 33]
    text = await answer_to(home, "U0BOB", "list")
    assert "34 incidents open" in text
    assert "INC-0031" in text
    assert "INC-0034" in text


async def test_which_one_asks_for_what_they_may_know_of(home: House) -> None:
    text = await answer_to(home, "U0ALICE", "recheck")
    assert "32 incidents are open" in text
    assert "INC-0031" not in text
    assert "34 incidents are open" in await answer_to(home, "U0BOB", "recheck")


async def test_the_one_that_is_left_is_meant(home: House, store: Store) -> None:
    for id in await store.ids("open"):
        if id != "INC-0031":
            await store.redis.zrem(store.keys.open, id)
    assert "INC-0031" in await answer_to(home, "U0BOB", "status")
    assert "No incident is open" in await answer_to(home, "U0ALICE", "status")


async def test_app_home_shows_theirs_first_and_counts_the_others(home: House, store: Store) -> None:
    items = (
        ActionItem(kind="tests", text="fill the table", owner="<@U0BOB>"),
        ActionItem(kind="tests", text="read the table", owner="<@U0BOB>", done=True),
        ActionItem(kind="gates", text="watch the table", owner="the team"),
        ActionItem(kind="gates", text="paint the table"),
    )
    for number, private in ((35, True), (36, False)):
        written = past(number, postmortem=postmortem(items=items), private=private)
        await put(store, written)
    shown: dict[str, str] = {}
    for person in ("U0ALICE", "U0BOB"):
        await home.slack.person(person).open_home()
        await home.idle()
        shown[person] = plain(home.slack.person(person).home() or {"blocks": []})
    alice, bob = shown["U0ALICE"], shown["U0BOB"]
    assert "30 open incidents" in alice
    assert "31 open incidents" in bob
    assert "and 10 more" in alice
    assert "and 11 more" in bob
    assert "INC-0031" in bob
    assert "INC-0031" not in alice
    assert "INC-0034" not in alice
    assert alice.index("Post-mortems owed") < alice.index("INC-0033") < alice.index("INC-0032")
    assert "fill the table" in bob
    assert "read the table" not in bob
    assert bob.count("fill the table") == 1, "INC-0035 is private, and he is not in it"
    assert "1 item of others, 1 without an owner" in bob
    assert "2 items of others, 1 without an owner" in alice
