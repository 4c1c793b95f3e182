"""Texts that people type.

They are odd descriptions, near subcommands, and questions that need no decision.
"""

from __future__ import annotations

from sandbox.slack.people import Json, plain
from sandbox.world import World
from tests.support.bots.stage import (
    burn,
    declared,
    ephemeral_with,
    eventually,
    everything,
    incidents,
    opened,
    status,
    ticket,
)
from tests.support.values.formatted import formatted

RIGHT_TO_LEFT = "הקופה לא עובדת"
ODD = {
    "mass mention": "checkout <!channel> is down @here @everyone",
    "emoji": "checkout 🔥🔥 is :boom:",
    "right to left": f"checkout {RIGHT_TO_LEFT}",
    "markup": "checkout *bold* `code` ```fence <https://evil.example|click me> & <b>",
    "direction override": "checkout \u202eknil\u202c is \x00broken",
}


async def test_any_description_is_shown_defused_and_cut(small: World):
    world, alice = small, small.alice
    burn(world)
    for number, (what, text) in enumerate(ODD.items(), 1):
        channel = await declared(alice, text, f"inc-{number:04d}-checkout")
        shown = "\n".join(plain(m) for m in everything(alice, channel) if "subtype" not in m)
        announced = plain(world.workspace.channel("incidents").messages[-1])
        for words in (shown, announced):
            assert "<!channel" not in words, what
            assert "@here" not in words, what
            assert "@everyone" not in words, what
            assert "\u202e" not in words, what
        if what == "markup":
            assert "<https://evil.example" not in "\n".join(
                formatted(everything(alice, channel))
            ), "no masked link"
        if what == "right to left":
            assert RIGHT_TO_LEFT in shown
            assert f"\u2068checkout {RIGHT_TO_LEFT}\u2069" in shown, (
                "it does not turn the line around it"
            )
        if what == "emoji":
            assert "🔥🔥" in shown
        await alice.command("/incident cancel false alarm", channel)
        await alice.sees("was cancelled", channel)

    # 10,000 characters: the title is cut, the record keeps as much as fits, everything is posted.
    endless = "checkout " + "x" * 10_000
    channel = await declared(alice, endless, f"inc-{len(ODD) + 1:04d}-checkout")
    assert len(channel.name) <= 80
    assert "checkout xxx" in status(channel)
    await alice.command("/incident cancel false alarm", channel)
    await alice.sees("was cancelled", channel)

    # Without any words the bot asks for them, and Slack's own form refuses an empty field.
    await alice.command("/incident")
    form = await alice.open_modal("incident.declare")
    await alice.submit(form, {"title": "   "})
    assert "what is wrong" in alice.errors(form)["title"]
    await alice.submit(form, {"title": "The till is stuck", "description": "y" * 3000})
    await opened(alice, f"inc-{len(ODD) + 2:04d}-the-till-is-stuck")


async def test_words_that_could_mean_two_things_are_asked_about(two_services: World):
    world, alice = two_services, two_services.alice
    # Nearly a subcommand: two buttons.
    await alice.command("/incident rolback")
    asked = await ephemeral_with(alice, "Did you mean `/incident rollback`")
    assert "decision" not in str(asked)
    await alice.click(asked, "incident.meant")
    await ephemeral_with(alice, "No incident is open")
    await alice.command("/incident stauts")
    asked = await ephemeral_with(alice, "Did you mean `/incident status`")
    assert incidents(world) == []
    await alice.click(asked, "incident.meant_new")  # it is what is wrong: which service, then?
    form = await alice.open_modal("incident.declare")
    assert "stauts" in str(form)
    assert "shop, search" in plain(form), "no service is named: the list"
    await alice.close(form)

    # Words that name no service: the list, with what was said filled in.
    await alice.command("/incident the warehouse is flooded")
    form = await alice.open_modal("incident.declare", text="shop, search")
    await alice.submit(form, {"service": "search"})
    channel = await opened(alice, "inc-0001-the-warehouse-is-flooded")
    await alice.close(await alice.open_modal())

    # "cancel button is broken" never cancels anything.
    await alice.command("/incident cancel button is broken", channel)
    asked = await ephemeral_with(alice, "is that about the open incident, or a new one?")
    await alice.click(asked, "incident.meant")
    form = await alice.open_modal("incident.cancel")  # asked once more
    assert "cancelled" not in status(channel)
    await alice.close(form)
    await alice.command("/incident trends")
    await ephemeral_with(alice, "no incident has ended")

    # Two are open and none is named: one tap says which.
    await declared(alice, "checkout is slow", "inc-0002-")
    await alice.command("/incident severity 2")
    asked = await ephemeral_with(alice, "2 incidents are open")
    await alice.click(
        asked,
        "incident.meant",
        value='{"name":"severity","text":"","severity":"2","incident":"INC-0002"}',
    )
    await ephemeral_with(alice, "INC-0002 is SEV2")


async def test_everything_that_can_be_asked_and_told_while_it_burns(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing", "inc-0001-")
    assert alice.id in channel.members, "who declared it is in the channel"

    # From anywhere, because it is the only open one; and the answer names it.
    await bob.command("/incident status")
    answer = plain(await ephemeral_with(bob, "Recovery check"))
    for proof in (
        "Triage report",
        "Root cause with evidence",
        "Deploy proof",
        "Ticket",
        "Post-mortem",
    ):
        assert proof in answer
    await bob.command("/incident list")
    assert "INC-0001" in plain(await ephemeral_with(bob, "1 incident open"))
    await bob.command("/incident help")
    await ephemeral_with(bob, "rollback")
    await bob.command("/incident status INC-0099")
    await ephemeral_with(bob, "There is no incident INC-0099")

    bob.join(channel)
    await bob.command("/incident lead", channel)
    await eventually(world, lambda: f"Lead*: <@{bob.id}>" in status(channel), "Bob leads")
    await bob.command("/incident severity 2", channel)
    await eventually(world, lambda: "SEV2" in status(channel), "a person's word on how bad it is")

    await bob.command("/incident update Card payments work again in eu-west", channel)
    await eventually(world, lambda: "Card payments work" in status(channel), "the update, pinned")
    await eventually(
        world, lambda: "Card payments" in str(world.discord.posts), "the update, in Discord"
    )
    opened = await ticket(world)
    await eventually(
        world,
        lambda: any("Card payments" in c.body for c in world.linear.comments_on(opened)),
        "the update, on the ticket",
    )
    assert not any("<@" in c.body for c in world.linear.comments_on(opened)), (
        "people have names there"
    )

    def attached() -> bool:
        titles = [a.title for a in world.linear.attachments_on(opened)]
        return any("KeyError" in title or "SHOP-1" in title for title in titles)

    await eventually(world, attached, "Sentry's issue")

    await bob.command("/incident update", channel)
    form: Json = await bob.open_modal("incident.update")
    await bob.submit(form, {"text": "eu-west is fine"})
    await eventually(world, lambda: "eu-west is fine" in status(channel), "the newest update")
    await bob.command("/incident timeline", channel)
    story = plain(await ephemeral_with(bob, "timeline"))
    for words in ("checkout is failing", "1,050 events", "SEV2", "Card payments", "leads"):
        assert words in story, words
