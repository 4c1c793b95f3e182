"""Charts and tables, within Slack's limits for any input.

Plain blocks have the same numbers. Charts and tables are left out where they are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clients.slack.client import MessageKey, Slack
from bot.clients.slack.errors import SlackRefused
from bot.store.incident_store import Store
from bot.store.rich_blocks import REFUSED_SECONDS, RichBlocksSetting
from handlers.slack.interaction import Interaction
from handlers.slack.rich_blocks import NEVER
from handlers.views.blocks import Message, message, section
from handlers.views.charts import chart, table
from sandbox.slack.api import BOT_TOKEN
from sandbox.slack.block_kit.blocks import plain
from sandbox.slack.block_kit.limits import check_message_blocks
from tests.support.values.draws import draws
from tests.support.values.factories import NOW
from tests.support.worlds.handlers_world import House, house
from tests.support.worlds.slack_world import World, slack_world

texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["<!channel> @here", "", "x" * 400, "🔥" * 60, "a|b `c` ```", "\u202eabc", "same", "same"]
    ),
)
numbers = st.integers(-(10**12), 10**12) | st.floats(allow_nan=True, allow_infinity=True)


def taken(shown: Message) -> None:
    """As the local Slack takes it, both with the newer blocks and without them."""
    json.dumps(shown.rich, allow_nan=False)
    check_message_blocks(list(shown.rich or shown.blocks), rich=True)
    check_message_blocks(list(shown.blocks), rich=False)


@settings(max_examples=draws(80))
@given(
    texts,
    st.lists(texts, max_size=40),
    st.lists(st.tuples(texts, st.lists(numbers, max_size=40)), max_size=14),
    texts,
)
def test_any_chart_fits(
    title: str, labels: list[str], series: list[tuple[str, list[float]]], axis: str
) -> None:
    drawn = chart(title, labels, dict(series), axes=(axis, axis))
    taken(message("x", [drawn, drawn, drawn]))


@settings(max_examples=draws(80))
@given(
    texts,
    st.lists(texts, min_size=1, max_size=30),
    st.lists(st.lists(texts | numbers, max_size=30), max_size=130),
)
def test_any_table_fits(caption: str, head: list[str], rows: list[list[Any]]) -> None:
    taken(message("x", [table(caption, head, rows)]))


def test_the_plain_message_has_the_same_numbers() -> None:
    shown = message(
        "x",
        [
            chart("Events", ["03:00", "03:01"], {"events": [4, 180]}),
            table("T", ["a", "b"], [["q", 7]]),
        ],
    )
    drawn = [block["type"] for block in shown.rich]
    assert drawn == ["data_visualization", "data_table"]
    for number in ("03:01", "180", "7"):
        assert number in plain({"blocks": list(shown.blocks)})
    assert shown.payload()["blocks"] == list(shown.blocks)


def test_a_message_without_charts_has_one_form() -> None:
    assert message("x", [section("y")]).rich == ()


def test_points_are_told_apart_and_numbers_are_finite() -> None:
    drawn = chart("t", ["a", "a"], {"s": [math.inf, 2]}).block["chart"]
    assert drawn["axis_config"]["categories"] == ["a", "a 2"]
    assert [point["value"] for point in drawn["series"][0]["data"]] == [0, 2]


def test_more_rows_than_a_table_holds_are_counted() -> None:
    drawn = table("All", ["n"], [[n] for n in range(140)])
    assert len(drawn.block["rows"]) == 101
    assert drawn.block["caption"] == "All (40 more not shown)"
    assert "… and 100 more" in plain({"blocks": list(drawn.plain)})


# --- sending --------------------------------------------------------------------------------------


SHOWN = message("12 events", [chart("Events", ["03:00", "03:01"], {"events": [4, 8]})])
LONG = Message("x", (section("ok"),), tuple(section("x" * 2900) for _ in range(6)))
WRONG = Message("x", ({"type": "nonsense"},), SHOWN.rich)


async def posted(slack: Slack, shown: Message, effect: str = "e1") -> str:
    return await slack.post("C0GENERAL", shown, MessageKey("INC-0001", effect, since=NOW))


def kinds(world: World, ts: str) -> Sequence[str]:
    general = world.workspace.channel("C0GENERAL")
    return [block["type"] for block in world.workspace.message(general, ts)["blocks"]]


@pytest.fixture
async def slack(store: Store) -> Any:
    async with slack_world() as world:
        slack = Slack(BOT_TOKEN, world.client.base_url, RichBlocksSetting(store, "auto"))
        await slack.start()
        yield world, slack
        await slack.aclose()


async def test_where_the_workspace_takes_charts_they_are_posted_and_edited(
    slack: tuple[World, Slack],
) -> None:
    world, client = slack
    ts = await posted(client, SHOWN)
    assert kinds(world, ts) == ["data_visualization"]
    await client.update(
        "C0GENERAL", ts, message("x", [section("now"), *[chart("E", ["a"], {"s": [1]})]])
    )
    assert kinds(world, ts) == ["section", "data_visualization"]


async def test_a_refusal_sends_the_same_numbers_and_is_remembered_for_a_day(
    slack: tuple[World, Slack], store: Store
) -> None:
    world, client = slack
    world.workspace.rich_blocks = False
    ts = await posted(client, SHOWN)
    assert kinds(world, ts) == ["section"]
    assert "03:01" in plain(world.workspace.message(world.workspace.channel("C0GENERAL"), ts))
    tried = len(world.workspace.calls)
    await client.update("C0GENERAL", ts, SHOWN)
    await posted(client, SHOWN, "e2")
    assert len(world.workspace.calls) == tried + 2, "each was sent once: nobody asked again"
    left = await store.redis.ttl(f"{store.keys.prefix}:rich:refused")
    assert REFUSED_SECONDS - 60 < left <= REFUSED_SECONDS
    world.workspace.rich_blocks = True
    await store.redis.delete(f"{store.keys.prefix}:rich:refused")  # a day later
    await client.update("C0GENERAL", ts, SHOWN)
    assert kinds(world, ts) == ["data_visualization"]


async def test_what_is_refused_without_charts_too_is_no_fault_of_the_charts(
    slack: tuple[World, Slack], store: Store
) -> None:
    world, client = slack
    world.workspace.rich_blocks = False
    with pytest.raises(SlackRefused, match="invalid_blocks"):
        await posted(client, WRONG)
    assert not await store.redis.exists(f"{store.keys.prefix}:rich:refused")


async def test_too_long_with_charts_is_sent_without_and_forgotten(
    slack: tuple[World, Slack], store: Store
) -> None:
    world, client = slack
    assert kinds(world, await posted(client, LONG)) == ["section"]
    assert not await store.redis.exists(f"{store.keys.prefix}:rich:refused")


async def test_switched_off_none_is_tried(slack: tuple[World, Slack], store: Store) -> None:
    world, client = slack
    client.rich_support = RichBlocksSetting(store, "off")
    assert kinds(world, await posted(client, SHOWN)) == ["section"]
    client.rich_support = NEVER
    assert kinds(world, await posted(client, SHOWN, "e2")) == ["section"]


@pytest.fixture
async def here(store: Store) -> Any:
    async with house(store) as home:
        yield home


async def answered(here: House, interaction: Interaction) -> list[str]:
    interaction.tell(SHOWN)
    await here.idle()
    return [block["type"] for block in here.slack.workspace.ephemerals["U0ALICE"][-1]["blocks"]]


async def test_an_answer_to_one_person_falls_back_too(here: House, store: Store) -> None:
    ctx = here.heard.ctx
    channel = here.slack.workspace.channel("C0GENERAL")
    url = here.slack.delivery.response_urls.make("U0ALICE", channel)
    common: dict[str, Any] = {
        "ctx": ctx,
        "user": "U0ALICE",
        "team": None,
        "enterprise": None,
        "trigger_id": "t",
    }
    by_url = Interaction(**common, channel="C0GENERAL", delivery=None, response_url=url)
    by_call = Interaction(**common, channel="C0GENERAL", delivery=None)
    object.__setattr__(ctx, "rich_support", RichBlocksSetting(store, "auto"))
    for interaction in (by_url, by_call):
        here.slack.workspace.rich_blocks = True
        assert await answered(here, interaction) == ["data_visualization"]
        here.slack.workspace.rich_blocks = False
        assert await answered(here, interaction) == ["section"]
        await store.redis.delete(f"{store.keys.prefix}:rich:refused")
