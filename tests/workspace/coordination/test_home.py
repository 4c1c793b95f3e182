"""App Home, kept current while it is open.

It lists open incidents with their next action, mine first, and open tasks.
"""

from __future__ import annotations

from sandbox.slack.people import Json, Person, plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, eventually, runs


async def home(person: Person, *words: str, without: str = "") -> Json:
    """Waits until this person's Home holds these words."""

    def look() -> Json | None:
        view = person.home()
        text = plain(view) if view else ""
        return (
            view if all(w in text for w in words) and (not without or without not in text) else None
        )

    try:
        return await person.workspace.until(
            look, what=f"{person.id}'s Home holds {words}, without {without!r}"
        )
    finally:
        print(plain(person.home() or {"blocks": []}))


async def test_the_home_shows_the_one_thing_to_do_and_follows(small: World):
    world, alice, bob = small, small.alice, small.bob
    await alice.open_home()
    await home(alice, "Nothing is on fire")
    burn(world)
    channel = await declared(alice, "checkout is failing")

    # It was open: it follows by itself. Whoever declared it leads, and decides.
    view = await home(alice, "1 open incident", "you lead", "Decide")
    assert f"/archives/{channel.id}/p" in str(view), "leads to the decision"
    await bob.open_home()
    await home(bob, f"<@{alice.id}> leads")

    # The guest sees nothing.
    await world.guest.open_home()
    await home(world.guest, "Only full members", without="INC-0001")

    # Deploying, checking, recovered: the button changes with it.
    decision = await alice.sees("Decision 1", channel)
    await alice.click(decision, "decision.rollback")
    await eventually(world, lambda: runs(world) == "v1.2.0", "rolled back")
    view = await home(alice, "Post-mortems owed", "Write post-mortem")
    await alice.click(view, "incident.postmortem")
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    await alice.submit(
        form,
        {
            "root_cause": "the tax table was empty",
            "monitoring": "no alert on it",
            "tests": "no test of it",
            "item_1": "a test with an empty tax table",
            "incident.item.kind.1": "tests",
            "incident.item.owner.1": alice.id,
            "incident.item.due.1": "2026-01-05",
            "revisit": "in spring",
        },
    )
    view = await home(
        alice, "Nothing is on fire", "a test with an empty tax table", "overdue since 05 Jan"
    )
    assert "Post-mortems owed" not in plain(view)
    assert "1 incident" in plain(view), "this month"
    await home(bob, "Nothing is on fire", "None of yours", "items of others, 1 overdue")


async def test_the_lead_is_taken_where_nobody_has_it_and_the_other_is_told(small: World):
    world, alice, bob = small, small.alice, small.bob
    world.alerts.enabled = True
    burn(world)
    channel = await bob.channel("inc-0001-")
    await bob.open_home()
    view = await home(bob, "nobody leads", "Take lead")
    await bob.click(view, "incident.lead")
    modal = await bob.open_modal("incident.told", text="leads")
    await bob.close(modal)
    await home(bob, "you lead", "Decide")
    await bob.sees(f"<@{bob.id}> leads", channel)
    await alice.open_home()
    await home(alice, f"<@{bob.id}> leads")


async def test_an_open_home_goes_on_after_a_restart(small: World):
    world, alice = small, small.alice
    await alice.open_home()
    await home(alice, "Nothing is on fire")
    world.kill_bot()
    await world.bot.until_running()
    await declared(alice, "checkout is failing")
    await home(alice, "1 open incident", "you lead")
