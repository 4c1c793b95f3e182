"""The timeline.

It is written by itself, added to with a pin, changed and taken back by the people who said it, and
corrected by anybody who works on the incident.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox.faults import Fault
from sandbox.slack.block_kit.blocks import elements
from sandbox.slack.people import Json, Person, plain
from sandbox.world import World
from tests.support.bots.stage import (
    Channel,
    announced,
    burn,
    declared,
    ephemeral_with,
    eventually,
    messages_with,
)
from tests.support.redis.dump import dumped, redis_of


async def shown(person: Person, channel: Channel, words: str, *, gone: str = "") -> str:
    """Asks for the timeline until it holds these words, and not those that are gone."""
    text, after = "", ""
    for _ in range(100):
        await person.command("/incident timeline INC-0001", channel)
        answer = await ephemeral_with(person, "*INC-0001*", after=after)
        text, after = plain(answer), answer["ts"]
        if words in text and (not gone or gone not in text):
            return text
        await asyncio.sleep(0.1)
    raise AssertionError(f"{words!r} is not in the timeline, or {gone!r} still is:\n{text}")


async def test_people_add_to_the_timeline_with_a_pin_and_take_it_back(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    bob.join(channel)
    first = bob.say(channel, "The pool of db-2 is full & nobody noticed <3")
    reply = bob.say(channel, "I restart it now", thread_ts=first["ts"])
    alice.react(first)
    text = await shown(alice, channel, "The pool of db-2 is full &amp; nobody noticed")
    assert f"📌 <@{bob.id}>: The pool" in text
    assert "1,050 events" in text, "what happened by itself"
    alice.react(reply)
    bob.react(first)  # two people, one entry
    alice.react(first, "eyes")  # not a pin
    text = await shown(alice, channel, "I restart it now")
    assert text.count("The pool of db-2") == 1

    # Edited, then deleted.
    bob.edit(first, "The pool of db-2 was full")
    text = await shown(alice, channel, "The pool of db-2 was full", gone="is full")
    bob.delete(reply)
    await shown(alice, channel, "was full", gone="I restart")

    # One of two people takes the pin back, and it stays. The other does, too, and its words are
    # gone everywhere.
    alice.unreact(first)
    bob.unreact(first)
    await shown(alice, channel, "1,050 events", gone="db-2")
    async with redis_of(world) as redis:
        assert "db-2" not in str(await dumped(redis))

    # The bot's messages may be pinned; a guest's pin is refused.
    decision = messages_with(alice, channel, "Decision 1")[0]
    alice.react(decision)
    await shown(alice, channel, "📌 a bot")
    guest = world.guest
    world.workspace.join(channel, guest.id)
    second = alice.say(channel, "Between us")
    guest.react(second)
    await ephemeral_with(guest, "Only full members")
    third = alice.say(channel, "The end of it")
    alice.react(third)
    assert "Between us" not in await shown(alice, channel, "The end of it")


async def correcting(person: Person, channel: Channel, words: str) -> Json:
    """The form that corrects the entry with these words."""
    last = max((m["ts"] for m in person.ephemerals()), default="")
    await person.command("/incident timeline INC-0001", channel)
    await person.click(await ephemeral_with(person, words, after=last), "incident.correct")
    which = await person.open_modal("incident.correct", text="Which entry is wrong?")
    select = next(e for _, e in elements(which["blocks"]) if e["type"] == "static_select")
    texts = [option["text"]["text"] for option in select["options"]]
    await person.choose(which, "incident.correct_entry", next(t for t in texts if words in t))
    return await person.open_modal("incident.correct", text="What happened?")


def picked(view: Json) -> int:
    return next(
        e["initial_date_time"] for _, e in elements(view["blocks"]) if e["type"] == "datetimepicker"
    )


def proposed(form: Json) -> str:
    """The timeline as it stands in the post-mortem's form."""
    fields = {block["block_id"]: element for block, element in elements(form["blocks"])}
    return fields["timeline"]["initial_value"]


def file(world: World) -> Path:
    (path,) = (world.folder / "adr").rglob("*-inc-0001-*.md")
    return path


async def test_words_and_times_are_corrected_and_the_post_mortem_follows(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    bob.join(channel)
    await bob.command("/incident update carts work again", channel)
    await alice.command("/incident fixed flag new-pricing off", channel)
    await alice.sees("*Recovered.*", channel)

    # A draft of the post-mortem is saved with Bob's words in it.
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Action item 1")
    assert "carts work again" in proposed(form)
    await alice.click(form, "incident.save_draft")
    await alice.open_modal("incident.postmortem", text="Draft saved")
    await alice.close(form)

    # Bob's words were too good, and three minutes too late. He and Alice mend one each.
    his, hers = [await correcting(who, channel, "carts work again") for who in (bob, alice)]
    await bob.submit(his, {"text": "carts work for some"})
    await alice.submit(hers, {"at": picked(hers) - 180})
    page = plain(
        await ephemeral_with(alice, "Corrected. What was recorded first stays in the record.")
    )
    line = next(line for line in page.splitlines() if "carts work for some" in line)
    assert f"corrected by <@{bob.id}> and <@{alice.id}>: was" in line
    assert "“carts work again”" in line
    assert "as measured" in page

    # The saved draft follows, and so does the file.
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Your draft")
    assert "carts work for some" in proposed(form)
    assert "carts work again" not in proposed(form)
    answers = {
        "root_cause": "Commit 9f3c2d1 reads an empty table.",
        "monitoring": "No alert watches pricing.",
        "tests": "No test runs with the flag on.",
        "item_1": "Page on-call when 2 % of carts are empty",
    }
    await alice.submit(form, answers)
    await alice.sees("is resolved", channel)
    rows = [row for row in file(world).read_text().splitlines() if row.startswith("| 20")]
    (row,) = [row for row in rows if "carts work for some" in row]
    assert "(corrected by bob and alice: was " in row
    decision = next(m for m in alice.messages(channel) if "Decision 1" in plain(m))
    assert world.workspace.permalink(channel.id, decision["ts"]) in file(world).read_text()
    assert rows == sorted(rows, key=lambda row: row[:22]), "by time"

    # The file is written: what is corrected now goes into its list, and no further.
    by_hand = file(world).read_text().replace("## Root cause", "By hand.\n\n## Root cause")
    file(world).write_text(by_hand)
    view = await correcting(bob, channel, "carts work for some")
    assert "Take it back" in plain(view)
    await bob.submit(view, {"back": ["As it was recorded first"]})
    await eventually(
        world, lambda: "(corrected by" not in file(world).read_text(), "the file follows"
    )
    assert "By hand." in file(world).read_text()
    (row,) = [
        row for row in file(world).read_text().splitlines() if "carts work again" in row[:200]
    ]
    assert "carts work for some" in file(world).read_text(), "what Alice submitted stays hers"


async def test_a_long_timeline_is_read_page_by_page(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    for number in range(35):
        while (await alice.command(f"/incident update step {number} of the plan", channel)).body:
            continue  # a bot on a busy machine may ask to try again
    await alice.command("/incident timeline", channel)
    newest = await ephemeral_with(alice, "step 34")
    assert "checkout is failing · " not in plain(newest)
    assert "step 2 of" not in plain(newest)
    await alice.click(newest, "incident.timeline")
    older = await ephemeral_with(alice, "step 2 of")
    assert "step 34" not in plain(older)
    await alice.click(older, "incident.timeline_newer")
    await ephemeral_with(alice, "step 34")


async def test_in_a_thread_of_the_announcements_only_what_is_said_there_counts(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    world.faults.always("slack.conversations.create", Fault(error="restricted_action"))
    await alice.command("/incident checkout is failing")
    root = await announced(alice, "INC-0001")
    channel = world.workspace.channel("incidents")
    await alice.sees("Decision 1", channel)
    world.delivery.twist("event:reaction_added", copies=2, fresh_event_id=True)
    inside = bob.say(channel, "db-2 is full", thread_ts=root["ts"])
    beside = bob.say(channel, "who brings lunch?")
    alice.react(inside)
    alice.react(beside)
    await shown(alice, channel, "db-2 is full")
    bob.edit(inside, "db-2 was full")
    text = await shown(alice, channel, "db-2 was full", gone="is full")
    assert "lunch" not in text
    assert text.count("db-2") == 1


async def test_an_alert_a_screenshot_and_a_forwarded_message_are_pinned_with_their_words(
    small: World,
):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    bob.join(channel)
    alert = {
        "title": "[FIRING:1] HighErrorRate (checkout)",
        "title_link": "https://am.example/1",
        "text": "",
        "fallback": "x",
    }
    fired = world.workspace.alert(channel, "alertmanager", webhook=True, attachments=[alert])
    screenshot = bob.say(channel, "this is what they see", files=("till.png",))
    bare = bob.say(channel, "", files=("error.log",))
    forwarded = bob.forward(
        bob.say("general", "customers cannot pay since noon"), channel, "from support"
    )
    for message in ({**fired, "channel": channel.id}, screenshot, bare, forwarded):
        alice.react(message)
    text = await shown(alice, channel, "customers cannot pay since noon")
    assert f"<@{bob.id}>: from support" in text
    assert "HighErrorRate (checkout) <https://am.example/1>" in await shown(
        alice, channel, "HighErrorRate"
    )
    assert "this is what they see (file: till.png)" in await shown(alice, channel, "till.png")
    assert f"<@{bob.id}>: (file: error.log)" in await shown(alice, channel, "error.log")
