"""Commands as people type them at the real route: which incident is meant, and none too many."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.store.incident_store import Store
from sandbox.slack.block_kit.blocks import plain
from tests.support.worlds.alert_webhooks import plain as alert
from tests.support.worlds.handlers_world import ALERT_SECRET, SEARCH, SHOP, House, house

ALIASED = SHOP.model_copy(update={"aliases": ("till",)})


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store, ALIASED, SEARCH) as opened:
        yield opened


async def answer_to(home: House, words: str) -> dict[str, Any]:
    await home.slack.alice.command(f"/incident {words}")
    return home.slack.alice.ephemerals()[-1]


async def burn(home: House, *services: str) -> None:
    for service in services:
        body = alert(service=service, key=service, title=f"{service} is down")
        shown = {"Authorization": f"Bearer {ALERT_SECRET}"}
        await home.http.post(f"{home.url}/webhooks/alerts", json=body, headers=shown)


async def test_a_service_behind_a_subcommand_is_the_incident_of_that_service(home: House) -> None:
    await burn(home, "shop", "search")
    asked = await answer_to(home, "status of the till")
    assert "is that about the open incident, or a new one?" in plain(asked)
    await home.slack.alice.click(asked, "incident.meant")
    await home.idle()
    text = plain(home.slack.alice.ephemerals()[-1])
    assert "INC-0001" in text
    assert "INC-0002" not in text
    assert await home.count() == 2


async def test_a_service_that_has_no_incident_is_said(home: House) -> None:
    await burn(home, "search")
    asked = await answer_to(home, "rollback shop")
    await home.slack.alice.click(asked, "incident.meant")
    await home.idle()
    assert "No incident of shop is open" in plain(home.slack.alice.ephemerals()[-1])


async def test_with_several_open_a_text_is_asked_about_too(home: House) -> None:
    await burn(home, "shop", "search")
    for words in ("fixed it by restarting", "update we found it", "cancel it", "close it"):
        assert "or a new one?" in plain(await answer_to(home, words)), words
    assert await home.count() == 2


async def test_an_alias_has_a_history(home: House) -> None:
    text = plain(await answer_to(home, "history of the till"))
    assert "shop" in text
    assert await home.count() == 0
