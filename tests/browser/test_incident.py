"""The first use by a new user, in a real browser.

Break production, decide, see it recover, write the post-mortem.
"""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, Locator, expect
from windows import Window, window

from sandbox.world import World
from tests.support.bots.forked import launch
from tests.support.bots.stage import patient, recovered_in_the_shop

LATER = 180_000
"""Milliseconds, for what the world needs time for."""


def message_with(tab: Window, words: str) -> Locator:
    """The newest message on the page that holds `words`."""
    return tab.page.locator("[data-part=messages] .message", has_text=words).last


async def say(tab: Window, text: str) -> None:
    await tab.page.fill("[data-composer=channel] textarea", text)
    await tab.page.keyboard.press("Enter")


async def submit(tab: Window) -> None:
    await tab.page.click("[data-submit-view]")
    await expect(tab.page.locator("#view")).not_to_be_visible()


async def test_from_a_broken_release_to_the_post_mortem(browser: Browser, tmp_path: Path) -> None:
    async with patient(World(tmp_path, recheck_after=8, talking=True, launch=launch)) as world:
        assert world.shop is not None
        before = world.shop.current_release()
        tab = await window(browser, world.url)
        await expect(tab.page.locator(".health")).to_have_text("Healthy")
        await tab.shot("1-start")

        # The strip says what to press; the alert opens the incident by itself.
        await tab.page.click(".start .danger")
        await expect(tab.page.locator(".health")).to_have_text("Failing", timeout=LATER)
        await tab.page.click(".start a[data-go]", timeout=LATER)
        await expect(tab.page.locator(".pane-head h1")).to_contain_text("inc-0001-")
        decision = message_with(tab, "Decision 1")
        rollback = decision.locator("[data-action='decision.rollback']")
        await expect(decision).to_contain_text("Recommended: roll back")
        await tab.shot("2-decision")

        # The confirm dialog names from and to; nothing happens before it.
        await rollback.click()
        await expect(tab.page.locator("#confirm-text")).to_contain_text(
            str(before).removeprefix("v")
        )
        await tab.shot("3-confirm")
        await tab.page.click("#confirm-yes")
        await expect(decision).to_contain_text("Read back from the deployer", timeout=LATER)
        await expect(decision.locator("[data-action='decision.rollback']")).to_have_count(0)
        await expect(tab.page.locator(".release b")).to_have_text(str(before))
        await recovered_in_the_shop(world.alice, await world.alice.channel("inc-0001-"))
        await expect(message_with(tab, "Recovered")).to_be_visible()
        await tab.shot("4-recovered")
        await expect(tab.page.locator(".health")).to_have_text("Healthy", timeout=LATER)

        # The missing parts are named; then the form asks for them.
        await say(tab, "/incident resolve")
        await expect(message_with(tab, "cannot be resolved yet")).to_be_visible()
        await tab.shot("5-missing")
        await say(tab, "/incident postmortem")
        await expect(tab.page.locator("#view-title")).to_be_visible()
        await tab.shot("6-post-mortem")
        for why in ("monitoring not catch it earlier", "slip through tests"):
            field = tab.page.locator(".input", has_text=why).locator("textarea")
            await field.fill(
                f"{await field.input_value()} nobody had thought of an account without a "
                "region code."
            )
        await submit(tab)
        await expect(message_with(tab, "PRODUCTION INCIDENT —")).to_be_visible()
        await tab.shot("7-resolved")

        await tab.page.click("[data-tab=adr]")
        await expect(tab.page.locator(".adr")).to_contain_text("INC-0001")
        await tab.shot("8-adr")
        await tab.page.click("[data-tab=linear]")
        done = tab.page.locator(".ticket .state", has_text="Done")  # its sub-issues are still to do
        await expect(done).to_have_count(1)
        await expect(tab.page.locator(".start")).to_have_count(0)
        assert await tab.fits()
        assert tab.problems == []


async def test_prod_is_down_said_aloud_and_who_may_decide(browser: Browser, tmp_path: Path) -> None:
    async with patient(World(tmp_path, recheck_after=8, launch=launch)) as world:
        alice = await window(browser, f"{world.url}/?channel=general", width=1440, height=900)
        await say(alice, "prod is down, users are reporting that they cannot pay")
        await alice.page.click(".replies")
        await alice.page.click("[data-part=thread] .btn")
        await expect(alice.page.locator("#view-title")).to_be_visible()
        await alice.shot("9-declare")
        await alice.page.click("[data-submit-view]")
        await expect(alice.page.locator("#view")).to_contain_text("INC-0001 is declared")
        await alice.page.click(".view-foot [data-close-view]")
        incident = alice.page.locator(".sidebar a:has-text('inc-0001')")
        await incident.click()
        decision = message_with(alice, "Decision 1")
        await expect(decision).to_be_visible()

        # Bob is not on call: he is told who is, and nothing is deployed.
        bob = await window(
            browser, f"{world.url}/?me=U0BOB&channel={await incident.get_attribute('data-go')}"
        )
        await say(bob, "/incident rollback")
        await bob.page.select_option("#view select", index=1)
        await bob.page.click("[data-submit-view]")
        await expect(bob.page.locator("#view")).to_contain_text("@Alice Reyes. Nothing was done.")
        await bob.shot("10-refused")
        await bob.page.click(".view-foot [data-close-view]")
        assert world.shop is not None
        assert [entry for entry in world.shop.deploy_log() if entry["who"] != "ci"] == []

        # A killed bot comes back, and knows everything that it knew.
        await alice.page.click("[data-act=kill-bot]")
        await expect(alice.page.locator(".pill.running")).to_contain_text("came back")
        await decision.locator("[data-action='decision.fixed']").click()
        await alice.page.fill("#view .field", "the flag new_till is off")
        await submit(alice)
        await expect(decision).to_contain_text("new_till")
        assert alice.problems == []
