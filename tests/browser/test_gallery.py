"""Pictures of everything that people see, light and dark, at a desk and on a phone.

The page has no trouble with any of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery import messages, views_shown
from playwright.async_api import Browser, expect
from windows import window

from sandbox.slack.channels import ALICE, BOT_USER
from sandbox.world import World

SIZES = pytest.mark.parametrize(
    ("where", "width", "height"), [("desk", 1440, 1000), ("phone", 390, 844)]
)
TALL = 2000
"""Pixels more, so that the longest message is on the picture as a whole."""
SHARES = 3
"""Tests share the messages among so many.

Each stays well under the time after which a test counts as hung.
"""


@SIZES
@pytest.mark.parametrize("share", range(SHARES))
async def test_every_message(
    browser: Browser, tmp_path: Path, where: str, width: int, height: int, share: int
) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        tab = await window(
            browser, f"{world.url}/?channel=general", width=width, height=height + TALL
        )
        general = world.workspace.channel("general")
        for name, message in list(messages().items())[share::SHARES]:
            for form, blocks in (("", message.rich or message.blocks), ("-plain", message.blocks)):
                if form and not message.rich:
                    continue
                ts = world.workspace.post(general, BOT_USER, message.text, blocks=list(blocks))[
                    "ts"
                ]
                shown = tab.page.locator(f"[data-part=messages] [data-key='{ts}']")
                await expect(shown).to_be_visible()
                await tab.part(shown, f"message-{name}{form}-{where}")
                assert await tab.fits(), name
                world.workspace.delete(general, ts)
        assert tab.problems == []


@SIZES
async def test_every_form_and_the_home(
    browser: Browser, tmp_path: Path, where: str, width: int, height: int
) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        tab = await window(browser, f"{world.url}/?channel=general", width=width, height=height)
        for name, view in views_shown().items():
            if view.kind == "home":
                world.workspace.modals.publish(ALICE, view.payload())
                await tab.page.goto(f"{world.url}/?channel=app")
                await expect(tab.page.locator("[data-part=messages]")).to_contain_text(
                    view.blocks[0]["text"]["text"]
                )
                await tab.shot(f"{name}-{where}")
                continue
            world.workspace.modals.open(ALICE, view.payload())
            await expect(tab.page.locator("#view-title")).to_have_text(view.title)
            await tab.part(tab.page.locator("#view"), f"{name}-{where}")
            world.workspace.modals.close(ALICE)
            await expect(tab.page.locator("#view")).not_to_be_visible()
        assert await tab.fits()
        assert tab.problems == []
