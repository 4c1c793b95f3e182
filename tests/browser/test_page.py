"""The page by itself.

An app's messages are shown, pressed and kept apart for each person; nothing overflows, and no
script in them runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from windows import window

from sandbox.slack.channels import ALICE, BOT_USER
from sandbox.world import World

EVIL = '"><img src=x onerror="window.broken=1"> <script>window.broken=1</script>'


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def decision(world: World) -> str:
    """A message with every kind of thing to press, in #general; its ts."""
    confirm = {
        "title": plain("Sure?"),
        "text": {"type": "mrkdwn", "text": f"From *v2* to *v1* {EVIL}"},
    }
    confirm |= {"confirm": plain("Roll back"), "deny": plain("Not yet"), "style": "danger"}
    buttons = [
        {
            "type": "button",
            "action_id": "a.rollback",
            "text": plain("Roll back"),
            "style": "primary",
            "confirm": confirm,
        },
        {"type": "button", "action_id": "a.other", "text": plain("Other"), "value": EVIL},
        {
            "type": "overflow",
            "action_id": "a.more",
            "options": [{"text": plain("More"), "value": "more"}],
        },
        {"type": "users_select", "action_id": "a.lead", "placeholder": plain("Lead")},
    ]
    blocks = [
        {"type": "header", "text": plain(f"Decide {EVIL}")},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*Recommended* {EVIL}"}},
        {"type": "actions", "elements": buttons},
    ]
    return world.workspace.post(world.workspace.channel("general"), BOT_USER, EVIL, blocks=blocks)[
        "ts"
    ]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900), (1920, 1080), (390, 780)])
async def test_nothing_overflows(browser: Browser, tmp_path: Path, width: int, height: int) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        ts = decision(world)
        general = world.workspace.channel("general")
        world.workspace.post(general, ALICE, "a" * 400 + " " + "word " * 200, thread_ts=ts)
        world.workspace.post(general, ALICE, "`" + "x" * 300 + "`")
        tab = await window(
            browser, f"{world.url}/?channel=general&thread={ts}", width=width, height=height
        )
        await expect(tab.page.locator("[data-part=messages] .message").first).to_be_attached()
        assert await tab.fits()
        if width < 800:
            for pane in ("channels", "thread", "world"):
                await tab.page.click(f"[data-go-pane={pane}]")
                assert await tab.fits()
        assert tab.problems == []


async def test_a_click_asks_first_and_hostile_texts_stay_texts(
    browser: Browser, tmp_path: Path
) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        decision(world)
        tab = await window(browser, f"{world.url}/?channel=general")
        await tab.page.click("[data-action='a.rollback']")
        await expect(tab.page.locator("#confirm-title")).to_have_text("Sure?")
        await tab.page.click("#confirm-no")
        assert [
            delivered.kind for delivered in world.delivery.log if delivered.kind == "block_actions"
        ] == []

        await tab.page.click("[data-action='a.rollback']")
        await tab.page.click("#confirm-yes")
        await world.workspace.until(lambda: pressed(world, "a.rollback"), what="the click is sent")
        await tab.page.click("[data-menu]:near([data-action='a.other'])")
        await tab.page.click("[data-action='a.more']")
        await world.workspace.until(lambda: pressed(world, "a.more"), what="the choice is sent")
        await tab.page.select_option("[data-action='a.lead']", label="Alice")
        chosen = await world.workspace.until(
            lambda: pressed(world, "a.lead"), what="the person is sent"
        )
        assert chosen["selected_user"] == ALICE
        assert await tab.page.evaluate("() => window.broken") is None


def pressed(world: World, action_id: str) -> dict[str, Any] | None:
    actions = [
        action for delivered in world.delivery.log for action in delivered.body.get("actions", [])
    ]
    return next((action for action in actions if action["action_id"] == action_id), None)


async def test_two_tabs_are_two_people(browser: Browser, tmp_path: Path) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        alice = await window(browser, f"{world.url}/?channel=general")
        bob = await window(browser, f"{world.url}/?channel=incidents")
        await bob.page.click("[role=radio]:has-text('Bob')")
        await alice.page.fill("[data-composer=channel] textarea", "is anybody there?")
        await alice.page.keyboard.press("Enter")
        await expect(alice.page.locator(".message:has-text('is anybody there?')")).to_be_visible()
        await expect(bob.page.locator(".sidebar a.unread:has-text('general')")).to_be_visible()
        await bob.page.click(".sidebar a:has-text('general')")
        await bob.page.hover(".message:has-text('is anybody there?')")
        await bob.page.click(
            ".message:has-text('is anybody there?') [aria-label='Reply in thread']"
        )
        await bob.page.keyboard.type("me")
        await bob.page.keyboard.press("Enter")
        await alice.page.click(".replies")
        await expect(
            alice.page.locator("[data-part=thread] .message[data-user='Bob Okafor']")
        ).to_contain_text("me")
        world.workspace.whisper(world.workspace.channel("general"), ALICE, "for Alice alone")
        await expect(alice.page.locator(".ephemeral")).to_contain_text("for Alice alone")
        await expect(bob.page.locator(".ephemeral")).to_have_count(0)
        await alice.page.click(".ephemeral .dismiss")
        await expect(alice.page.locator(".ephemeral")).to_have_count(0)
        assert alice.problems == bob.problems == []


async def test_people_react_edit_and_delete(browser: Browser, tmp_path: Path) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        alice = await window(browser, f"{world.url}/?channel=general")
        message = world.bob.say("general", "the pool is full")
        at = f".message[data-ts='{message['ts']}']"
        await alice.page.hover(at)
        await alice.page.click(f"{at} [aria-label='React with pushpin']")
        await expect(alice.page.locator(f"{at} .reactions button")).to_contain_text("1")
        await alice.page.click(f"{at} .reactions button")
        await expect(alice.page.locator(f"{at} .reactions")).to_have_count(0)

        own_message = world.alice.say("general", "teh end")
        at = f".message[data-ts='{own_message['ts']}']"
        alice.page.on("dialog", lambda dialog: dialog.accept("the end"))
        await alice.page.hover(at)
        await alice.page.click(f"{at} [aria-label='More actions']")
        await alice.page.click(f"{at} [data-edit]")
        await expect(alice.page.locator(at)).to_contain_text("the end (edited)")
        await alice.page.hover(at)
        await alice.page.click(f"{at} [aria-label='More actions']")
        await alice.page.click(f"{at} [data-delete]")
        await expect(alice.page.locator(at)).to_have_count(0)
        assert alice.problems == []


async def test_a_form_says_what_is_missing_and_keeps_what_was_typed(
    browser: Browser, tmp_path: Path
) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:

        def field(block: str, **more: Any) -> dict[str, Any]:
            return {
                "type": "input",
                "block_id": block,
                "label": plain(block),
                "element": {"action_id": "v", **more},
            }

        form = {
            "type": "modal",
            "callback_id": "f",
            "title": plain("A form"),
            "submit": plain("Send"),
            "blocks": [
                field("what", type="plain_text_input", multiline=True),
                field(
                    "service",
                    type="static_select",
                    options=[{"text": plain("shop"), "value": "shop"}],
                ),
            ],
        }
        tab = await window(browser, world.url)
        view = world.workspace.modals.open(ALICE, form)
        await tab.page.click("#view button:text-is('Send')")
        await expect(tab.page.locator(".wrong .error")).to_have_count(2)
        await tab.page.fill("#view textarea", "it burns")
        await tab.page.select_option("#view select", "shop")
        world.workspace.modals.update(view, {**form, "title": plain("Another title")})
        await expect(tab.page.locator("#view-title")).to_have_text("Another title")
        await expect(tab.page.locator("#view textarea")).to_have_value("it burns")
        await tab.page.click("#view button:text-is('Send')")
        sent = await world.workspace.until(
            lambda: next((d.body for d in world.delivery.log if d.kind == "view_submission"), None),
            what="it is sent",
        )
        assert sent["view"]["state"]["values"]["what"]["v"]["value"] == "it burns"
        assert sent["view"]["state"]["values"]["service"]["v"]["selected_option"]["value"] == "shop"


async def test_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    async with World(tmp_path, with_bot=False, with_shop=False) as world:
        tab = await window(browser, world.url)
        colour = "() => getComputedStyle(document.body).backgroundColor"
        light = await tab.page.evaluate(colour)
        await tab.page.click("[data-theme-toggle]")
        dark = await tab.page.evaluate(colour)
        assert dark != light
        await tab.page.reload()
        assert await tab.page.evaluate(colour) == dark


async def test_levers_move_the_world(browser: Browser, tmp_path: Path) -> None:
    async with World(tmp_path, with_bot=False) as world:
        assert world.shop is not None
        tab = await window(browser, world.url)
        await tab.page.click("[data-act='break:bad-data']")
        await expect(tab.page.locator(".break.on")).to_contain_text("Corrupt one customer")
        await tab.page.click("[data-act=repair]")
        await expect(tab.page.locator(".break.on")).to_have_count(0)
        await tab.page.click("[data-act=repair]")
        await expect(tab.page.locator(".toast")).to_have_text("No customer's data is broken.")

        await tab.page.click(".switch:has-text('Sentry down')")
        await world.workspace.until(
            lambda: world.faults.take("sentry.issues"), what="Sentry is down"
        )
        await tab.page.reload()
        await expect(tab.page.locator(".switch:has-text('Sentry down') input")).to_be_checked()
        await tab.page.click(".switch:has-text('Sentry down')")
        await world.workspace.until(
            lambda: world.faults.take("sentry.issues") is None, what="Sentry is back"
        )

        await tab.page.click(".switch:has-text('Next deploy fails')")
        await world.workspace.until(
            lambda: world.shop and (world.shop.run / "next-deploy").exists(), what="it is noted"
        )
        await tab.page.click("[data-act='break:one-feature']")
        await expect(tab.page.locator(".toast")).to_contain_text("could not be deployed")
        await tab.page.click("[data-tab=deploys]")
        await expect(tab.page.locator(".row.bad").first).to_contain_text("failed")
        assert tab.problems == []


async def test_a_fold_that_is_open_stays_open_and_every_tab_is_seen(
    browser: Browser, tmp_path: Path
) -> None:
    """Several switches of one fold make several things fail at once.

    A tab at the panel's edge is pressed like the others.
    """
    async with World(tmp_path, with_bot=False) as world:
        ts = decision(world)
        tab = await window(
            browser, f"{world.url}/?channel=general&thread={ts}", width=1400, height=950
        )
        await tab.page.click("details.odd summary")
        for key in ("twice", "slack-429"):
            await tab.page.locator(f"label.switch:has([data-act='fault:{key}'])").click()
            await expect(tab.page.locator(f"[data-act='fault:{key}']")).to_be_checked()
            await expect(tab.page.locator("details.odd em")).to_be_visible()
        edge = await tab.page.locator(".tabs").evaluate(
            "tabs => tabs.getBoundingClientRect().right"
        )
        for button in await tab.page.locator(".tabs button").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= edge
        name = await tab.page.locator(".conversation h1 span").bounding_box()
        assert name is not None
        assert name["width"] > 50, "the channel's name beside an open thread"
        assert tab.problems == []
