"""Declaring in every way.

With words, with the form, twice, beside another, after a phrase, and without the right.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from bot.store.incident_store import Store
from handlers.events.declare_phrases import sounds_like_fire
from handlers.incident.issue_links import Adopted, adopt
from phases.ports.ports import Catalogue
from phases.ports.tracker_values import IssueRow
from phases.record.incident import Status
from sandbox.faults import Fault
from tests.support.worlds.handlers_world import ME, SHOP, House, house


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def test_words_that_name_the_service_declare_at_once(home: House) -> None:
    ack = await home.slack.alice.command("/incident checkout of the shop is failing")
    assert ack.ok
    incident = await home.newest()
    assert (incident.title, incident.service, incident.lead) == (
        "checkout of the shop is failing",
        "shop",
        "U0ALICE",
    )
    assert incident.source.text == "/incident by <@U0ALICE>"
    await home.slack.alice.sees(f"{incident.id} is declared")


async def test_the_word_payload_is_a_word_like_any_other(home: House) -> None:
    """Bolt's own parser takes it for the field of that name, and loses the command."""
    await home.slack.alice.command("/incident the payload of the shop is broken")
    assert (await home.newest()).title == "the payload of the shop is broken"


async def test_without_a_service_the_form_asks_and_lists_them(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident everything is red & slow <!channel>")
    view = await alice.open_modal("incident.declare")
    assert await home.count() == 0
    assert "I know: shop, search." in str(view["blocks"])
    await alice.submit(
        view, {"service": "search", "description": "since noon\nsee https://x.example/issues/77/"}
    )
    incident = await home.newest()
    assert incident.service == "search"
    assert incident.title == "everything is red & slow @channel"
    assert incident.seeds == ("77",)
    shown = await alice.open_modal("incident.declared")
    assert incident.id in str(shown)


async def test_sentry_is_asked_once_for_the_issue_that_words_name(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look-up may take 0.7 s of the 3 s in which Slack waits."""
    asked: list[str] = []

    class Sentry:
        async def issue(self, id: str) -> IssueRow:
            asked.append(id)
            at = datetime(2026, 5, 4, tzinfo=UTC)
            return IssueRow.model_validate(
                {"id": id, "short_id": "SEARCH-WEB-1", "title": "x", "url": None, "events": 1}
                | {"project": "search-web", "level": "error", "first_seen": at}
            )

        async def by_short_id(self, short_id: str) -> IssueRow:
            raise AssertionError(short_id)

    async def counted(
        text: str, catalogue: Catalogue, sentry: object, *, titles: bool = False
    ) -> Adopted:
        return await adopt(text, catalogue, Sentry(), titles=titles)

    monkeypatch.setattr("handlers.incident.declare.adopt", counted)
    await home.slack.alice.command("/incident it burns: https://acme.sentry.io/issues/4711/")
    incident = await home.newest()
    assert (incident.service, incident.seeds) == ("search", ("4711",))
    assert asked == ["4711"]


async def test_empty_words_are_asked_for(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident")
    view = await alice.open_modal("incident.declare")
    ack = await alice.submit(view, {"title": "  \u200b ", "service": "shop"})
    assert ack.ok
    if await home.count() == 0:
        assert home.slack.alice.errors(view)["title"].startswith("Say in a few words")


async def test_ten_thousand_characters_are_cut(home: House) -> None:
    await home.slack.alice.command("/incident shop " + "ש🔥 <!here> " * 900)
    incident = await home.newest()
    assert len(incident.title) <= 300
    assert len(incident.description) <= 3000


async def test_the_same_words_again_are_the_same_incident(home: House) -> None:
    for _ in range(2):
        await home.slack.alice.command("/incident the shop is down")
    assert await home.count() == 1
    assert "is declared" in str(home.slack.alice.ephemerals()[-1])


async def test_another_person_is_asked_whether_it_is_the_same(home: House) -> None:
    await home.slack.alice.command("/incident the shop is down")
    bob = home.slack.bob
    await bob.command("/incident the login of the shop is broken")
    asked = await bob.sees("is open on shop")
    await bob.click(asked, "incident.something_else")
    await home.idle()
    assert await home.count() == 2
    newest = await home.newest()
    assert newest.else_reason == "INC-0001"
    assert newest.title == "the login of the shop is broken"


async def test_going_there_leaves_what_was_said_as_evidence(home: House) -> None:
    await home.slack.alice.command("/incident the shop is down")
    bob = home.slack.bob
    await bob.command("/incident nobody can pay in the shop")
    await bob.click(await bob.sees("is open on shop"), "incident.go_there")
    await home.idle()
    assert await home.count() == 1
    entries = await home.dispatcher.timeline("INC-0001")
    assert any("nobody can pay" in e.text for e in entries)


async def test_more_words_in_its_channel_are_asked_about_without_a_way_there(home: House) -> None:
    incident, _ = await home.decision()
    assert incident.channel is not None
    bob = home.slack.bob
    await bob.command("/incident nobody can pay in the shop", incident.channel.name)
    asked = await bob.sees(f"{incident.id} is open here")
    assert "Go there" not in str(asked)
    await bob.click(asked, "incident.go_there")
    await home.idle()
    assert "nobody can pay" in str(await home.dispatcher.timeline(incident.id))


async def test_a_message_that_is_the_same_leaves_its_link_with_its_words(home: House) -> None:
    await home.slack.alice.command("/incident the shop is down")
    bob = home.slack.bob
    message = bob.say("general", "nobody can pay in the shop")
    await bob.shortcut("incident.declare", message=message)
    await bob.submit(await bob.open_modal("incident.declare"))
    asked = await bob.open_modal(text="is open on shop")
    await bob.click(asked, "incident.go_there")
    await home.idle()
    (entry,) = [e for e in await home.dispatcher.timeline("INC-0001") if "nobody" in e.text]
    assert entry.url == home.slack.workspace.permalink(message["channel"], message["ts"])


async def test_a_guest_is_refused(home: House) -> None:
    await home.slack.guest.command("/incident the shop is down", "general")
    assert await home.count() == 0
    assert "Only full members" in str(home.slack.guest.ephemerals())


async def test_the_shortcuts_open_the_form(home: House) -> None:
    bob = home.slack.bob
    message = bob.say("general", "the shop shows an error page & I cannot pay")
    await bob.shortcut("incident.declare", message=message)
    view = await bob.open_modal("incident.declare")
    await bob.submit(view)
    incident = await home.newest()
    assert incident.title == "the shop shows an error page & I cannot pay"
    assert "a message in <#" in incident.source.text
    permalink = home.slack.workspace.permalink(message["channel"], message["ts"])
    assert incident.source.url == permalink
    assert (await home.dispatcher.timeline(incident.id))[0].url == permalink


@pytest.mark.parametrize(
    "fault", [Fault(status=429, retry_after=1), Fault(status=503), Fault(lose_answer=True)]
)
async def test_a_form_opens_though_slack_would_not_at_first(home: House, fault: Fault) -> None:
    home.slack.faults.next("slack.views.open", fault)
    bob = home.slack.bob
    await bob.shortcut("incident.declare")
    await bob.submit(
        await bob.open_modal("incident.declare"), {"title": "the till is stuck", "service": "shop"}
    )
    assert (await home.newest()).title == "the till is stuck"


async def test_who_waits_for_a_form_that_does_not_open_is_told_to_click_again(home: House) -> None:
    home.slack.faults.next("slack.views.open", Fault(status=429, retry_after=600))
    home.slack.faults.next("slack.response_url", Fault(status=429, retry_after=1))
    bob = home.slack.bob
    await bob.command("/incident declare")
    await home.idle()
    assert "Slack did not open the form. Nothing was done; click again" in str(bob.ephemerals())
    assert await home.count() == 0


async def test_a_phrase_is_offered_once_a_channel_and_declares_by_a_click(home: House) -> None:
    bob = home.slack.bob
    first = bob.say("general", "hey, the shop: prod is down?!")
    offer = await bob.sees("Is production on fire?")
    assert offer["thread_ts"] == first["ts"]
    bob.say("general", "users are reporting errors")
    await home.idle()
    offers = [
        m
        for m in home.slack.workspace.channel("general").messages
        if "Is production on fire?" in m["text"]
    ]
    assert len(offers) == 1
    assert await home.count() == 0
    await bob.click(offer, "incident.declare")
    await bob.submit(await bob.open_modal("incident.declare"), {"service": "shop"})
    source = (await home.newest()).source
    permalink = home.slack.workspace.permalink(first["channel"], first["ts"])
    assert (source.kind, source.url) == ("phrase", permalink)


async def test_a_message_of_a_private_channel_is_not_linked(home: House) -> None:
    bob = home.slack.bob
    room = home.slack.workspace.create_channel("board", bob.id, is_private=True)
    await bob.shortcut("incident.declare", message=bob.say(room, "the shop is down"))
    await bob.submit(await bob.open_modal("incident.declare"))
    source = (await home.newest()).source
    assert "a private channel" in source.text
    assert source.url is None


def test_a_reply_is_linked_in_its_thread() -> None:
    link = ME.link("C1", {"ts": "1767000000.000100", "thread_ts": "1767000000.000001"})
    site = "https://firebreak.slack.com/archives/C1"
    assert link == f"{site}/p1767000000000100?thread_ts=1767000000.000001&cid=C1"
    root = {"ts": "1767000000.000100", "thread_ts": "1767000000.000100"}
    assert ME.link("C1", root) == f"{site}/p1767000000000100"
    assert ME.link("C1", {}) == ""


async def test_only_watched_channels_are_listened_to(store: Store) -> None:
    async with house(store, SHOP, watched=("incidents",)) as home:
        home.slack.bob.say("general", "prod is down")
        await home.idle()
        assert "Is production on fire?" not in str(home.slack.workspace.channel("general").messages)


@pytest.mark.parametrize(
    ("text", "fire"),
    [
        ("prod is down", True),
        ("Production is completely on fire!", True),
        ("I think users are reporting 500s", True),
        ("customers keep complaining", True),
        ("Sentry is firing", True),
        ("sentry’s going crazy", True),
        ("> prod is down\nno it is not", False),
        ("prod-eu is down", True),
        ("prod (eu-west-1) is down", True),
        ("the production database is fully down", True),
        ("prod is still down", True),
        ("Sentry is on fire", True),
        ("~prod is down~ false alarm", False),
        ("prod is down to 3 pods", False),
        ("no users are reporting errors", False),
        ("is prod up?", False),
        ("the product is down to earth", False),
        ("we reported sentry usage", False),
    ],
)
def test_what_sounds_like_fire(text: str, fire: bool) -> None:
    assert sounds_like_fire(text) is fire


async def test_two_readings_two_buttons(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident the shop is down")
    await alice.command("/incident cancel button is broken")
    asked = await alice.sees("is that about the open incident, or a new one?")
    assert (await home.newest()).status is not Status.CANCELLED
    await alice.click(asked, "incident.meant")
    await alice.submit(await alice.open_modal("incident.cancel"), {"reason": "load test"})
    assert (await home.newest()).status is Status.CANCELLED


async def test_nearly_a_subcommand_is_asked_about(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident lsit")
    asked = await alice.sees("Did you mean")
    await alice.click(asked, "incident.meant")
    await alice.sees("No incident is open.")
    assert await home.count() == 0
