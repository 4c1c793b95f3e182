"""Story: a post-mortem with contradictions is written, and then they are mended or kept."""

from __future__ import annotations

from pathlib import Path

from sandbox.slack.channels import Channel
from sandbox.slack.people import Json, Person, plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, eventually


async def form(person: Person, channel: Channel) -> Json:
    await person.command("/incident postmortem", channel)
    return await person.open_modal("incident.postmortem", text="Action item 1")


def file(world: World) -> str:
    (path,) = [f for f in (world.folder / "adr").rglob("*-inc-0001-*.md") if ".git" not in f.parts]
    return Path(path).read_text()


async def test_what_does_not_fit_is_named_and_mended_or_kept(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await alice.command("/incident fixed flag new-pricing off", channel)
    await alice.sees("*Recovered.*", channel)

    view = await form(alice, channel)
    typed = {
        "timeline": "14:02 errors stopped\n14:06 turned the flag off\n14:20 all fine",
        "root_cause": "Commit 9f3c2d1 reads an empty table.",
        "monitoring": "Bob forgot to add an alert.",
        "tests": "No test runs with the flag on, see #812.",
        "factors": "Both regions share one pool.",
        "went_well": "The flag was off within a minute.",
        "item_1": "Improve monitoring",
    }
    alice.fill(view, typed)
    await alice.click(view, "incident.save_draft")
    unfit = await alice.open_modal(text="Draft saved")
    assert "Before you write it" in plain(unfit)
    assert "Recovery at 14:02 comes before the action at 14:06" in plain(unfit)
    assert "how will anyone know it is done?" in plain(unfit)

    world.workspace.users["U0BOB"]["deleted"] = True  # Bob leaves
    await alice.submit(unfit, {"incident.item.owner.1": "U0BOB"})
    await alice.sees("is resolved", channel)
    named = await alice.sees("in the post-mortem do not fit", channel)
    for words in ("Recovery at 14:02", "“Bob forgot to add an alert”", "has left", "is done?"):
        assert words in plain(named), words
    text = file(world)
    assert "## Contributing factors\n\nBoth regions share one pool." in text
    assert "## What went well\n" in text
    assert "\n- Open: Recovery at 14:02" in text

    await alice.click(named, "incident.keep")  # the first: recovery before action
    await alice.sees("kept by", channel)
    await eventually(world, lambda: "- Kept by alice on " in file(world), "who keeps it")

    await alice.click(named, "incident.mend")
    again = await alice.open_modal("incident.postmortem", text="writes ADR-0001 anew")
    mended = {
        "monitoring": "No alert watches pricing.",
        "item_1": "Page on-call when 2 % of carts are empty",
        "incident.item.owner.1": "U0ALICE",
    }
    await alice.submit(again, mended)
    await alice.sees("nothing in the post-mortem is open", channel)
    text = file(world)
    assert "forgot" not in text
    assert "Page on-call when 2 % of carts are empty (owner alice" in text
    assert "- Kept by alice on " in text
    assert "- Open: " not in text
