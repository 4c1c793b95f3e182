"""The pinned status on a phone, with everything known.

Real lines in a real browser are compared with the bot's count.
"""

from __future__ import annotations

from pathlib import Path

from gallery import messages
from playwright.async_api import Browser, expect
from windows import window

from handlers import views
from handlers.views.status import LINES
from sandbox.slack.channels import BOT_USER
from sandbox.world import World
from tests.support.values.factories import NOW, service
from tests.support.values.fullest import everything

PHONE = (390, 844)
REAL_LINES = """shown => {
    const middles = [];
    for (const block of shown.querySelectorAll('.b:not(.actions)')) {
        const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const range = document.createRange();
            range.selectNodeContents(texts.currentNode);
            for (const box of range.getClientRects())
                if (box.width > 1) middles.push((box.top + box.bottom) / 2);
        }
    }
    const lines = [];
    for (const middle of middles.sort((a, b) => a - b))
        if (!lines.length || middle - lines.at(-1) > 10) lines.push(middle);
    return lines.length;
}"""
"""Lines of text as they are drawn, at least 17 px high.

A name, code or sign has a box of its own about the same middle.
"""


async def test_the_fullest_status_has_at_most_twelve_lines_on_a_phone(
    browser: Browser, tmp_path: Path
) -> None:
    shop = service(name="checkout-service", runbook="https://wiki.example.com/checkout")
    shown = {
        f"full-{name}": views.status(incident, NOW, shop) for name, incident in everything().items()
    }
    shown |= {
        name: message
        for name, message in messages().items()
        if name.startswith(("status", "measuring"))
    }
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        tab = await window(
            browser, f"{world.url}/?channel=general", width=PHONE[0], height=PHONE[1]
        )
        general = world.workspace.channel("general")
        lines: dict[str, int] = {}
        for name, message in shown.items():
            ts = world.workspace.post(general, BOT_USER, message.text, blocks=list(message.blocks))[
                "ts"
            ]
            there = tab.page.locator(f"[data-part=messages] [data-key='{ts}']")
            await expect(there).to_be_visible()
            lines[name] = await there.evaluate(REAL_LINES)
            await tab.part(there, f"phone-{name.replace(' ', '-')}")
            assert await tab.fits(), name
        assert lines
        assert {name: many for name, many in lines.items() if not 4 <= many <= LINES} == {}
        assert tab.problems == []
