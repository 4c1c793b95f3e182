"""Messages as people really send them, and alerts without a text.

They have a screenshot, are from a thread, use `/me`, or are forwarded. An alert's words stand in
its attachments.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.store.incident_store import Store
from handlers.events.declare_phrases import sounds_like_fire
from phases.messages.results import ChannelOpened
from phases.record.incident import Channel as Opened
from sandbox.slack.channels import BOT_USER, Channel
from sandbox.slack.people import Person
from tests.support.values.alert_messages import ALERTMANAGER, DATADOG, GRAFANA, PAGERDUTY, SENTRY
from tests.support.worlds.handlers_world import SEARCH, SHOP, House, house

OFFER = "Is production on fire?"


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store, SHOP, SEARCH) as opened:
        yield opened


async def offers(home: House, channel: str = "general") -> list[dict[str, Any]]:
    await home.slack.delivery.idle()
    await home.idle()
    return [m for m in home.slack.workspace.channel(channel).messages if OFFER in m["text"]]


def from_a_thread(bob: Person) -> dict[str, Any]:
    root = bob.say("general", "anybody here?")
    return bob.say("general", "prod is down", root["ts"], broadcast=True)


WAYS = {
    "with a screenshot": lambda bob: bob.say(
        "general", "prod is down", files=("till.png", "error.log")
    ),
    "from a thread": from_a_thread,
    "as /me": lambda bob: bob.me("general", "thinks prod is down"),
    "slanted": lambda bob: bob.say("general", "_prod is down_ since noon"),
    "from a word processor": lambda bob: bob.say("general", "prod’s\u00a0down"),
}


async def test_the_offer_names_what_burns_already_but_nothing_private_and_no_drill(
    home: House,
) -> None:
    known, _ = await home.decision()
    bob = home.slack.bob
    await bob.command("/incident drill the shop is slow")
    await bob.command("/incident")
    form = await bob.open_modal("incident.declare")
    await bob.submit(form, {"title": "keys leaked", "service": "shop", "private": ["private"]})
    assert await home.count() == 3
    bob.say("general", "prod is down")
    [offer] = await offers(home)
    assert f"*{known.id}*" in str(offer)
    assert "INC-0002" not in str(offer)
    assert "INC-0003" not in str(offer)
    assert "incident.declare" in str(offer)


async def test_in_a_channel_that_another_company_reads_the_offer_names_nothing(home: House) -> None:
    known, _ = await home.decision()
    home.slack.workspace.channel("general").is_ext_shared = True
    home.slack.bob.say("general", "prod is down")
    [offer] = await offers(home)
    assert known.id not in str(offer)


@pytest.mark.parametrize("way", WAYS)
async def test_a_phrase_is_heard_however_a_person_says_it(home: House, way: str) -> None:
    message = WAYS[way](home.slack.bob)
    [offer] = await offers(home)
    assert offer["thread_ts"] == message.get("thread_ts", message["ts"])


async def test_a_screenshot_is_named_in_the_form(home: House) -> None:
    bob = home.slack.bob
    bob.say("general", "the shop: prod is down", files=("till.png",))
    await bob.click(await bob.sees(OFFER), "incident.declare")
    await bob.submit(await bob.open_modal("incident.declare"))
    incident = await home.newest()
    assert (incident.title, incident.source.kind) == ("the shop: prod is down", "phrase")
    assert "(file: till.png)" in incident.description


async def test_who_shares_the_channel_from_elsewhere_is_heard_and_members_decide(
    home: House,
) -> None:
    general, other = home.slack.workspace.channel("general"), home.slack.other
    home.slack.workspace.join(general, other.id)
    other.say(general, "prod is down for us", files=("till.png",))
    [offer] = await offers(home)
    await other.click({**offer, "channel": general.id}, "incident.declare")
    await home.idle()
    assert "Only full members" in str(other.ephemerals())
    bob = home.slack.bob
    await bob.click({**offer, "channel": general.id}, "incident.declare")
    form = await bob.open_modal("incident.declare")
    assert "(file: a file)" in str(form), "Slack does not tell its name here"


async def test_a_forwarded_message_is_heard_and_its_words_are_in_the_form(home: House) -> None:
    home.slack.workspace.join(home.slack.workspace.channel("incidents"), "U0BOB")
    bob = home.slack.bob
    first = bob.say("incidents", "the shop: prod is down since noon")
    bob.forward(first, "general")
    [offer] = await offers(home)
    await bob.click({**offer, "channel": "C0GENERAL"}, "incident.declare")
    assert "the shop: prod is down since noon" in str(await bob.open_modal("incident.declare"))


async def test_bots_edits_and_notes_of_slack_are_never_heard(home: House) -> None:
    general, bob = home.slack.workspace.channel("general"), home.slack.bob
    words = "prod is down"
    home.slack.workspace.alert(general, "grafana", words)
    home.slack.workspace.alert(general, "grafana", words, webhook=True)
    home.slack.workspace.alert(general, "grafana", "", attachments=[{"title": words}])
    home.slack.workspace.alert(
        general, "grafana", words, subtype="file_share", files=[{"title": "x.png"}]
    )
    home.slack.workspace.post(general, "USLACKBOT", f"Reminder: {words}")
    home.slack.workspace.describe(general, "U0BOB", "topic", words)
    message = bob.say(general, "all is well")
    bob.edit(message, words)
    bob.delete(message)
    bob.say(general, f"> {words}\nwas yesterday")
    bob.say(general, "", files=(f"{words}.png",))
    assert await offers(home) == []


@pytest.mark.parametrize(
    "written",
    [
        "ops",
        "Ops",
        "C0OPS0001",
        "<#C0OPS0001|x>",
        "https://acme.slack.com/archives/C0OPS0001",
        "ops-of-old",
    ],
)
async def test_a_watched_channel_is_heard_however_it_is_written_private_ones_too(
    store: Store, written: str
) -> None:
    async with house(store, SHOP, watched=(written,)) as home:
        workspace, bob = home.slack.workspace, home.slack.bob
        ops = Channel("C0OPS0001", "ops", bob.id, 0, is_private=True, members=[bob.id, BOT_USER])
        ops.previous_names = ["ops-of-old"]
        workspace.channels[ops.id] = ops
        bob.say("general", "prod is down")
        bob.say(ops, "prod is down", files=("till.png",))
        assert len(await offers(home, "ops")) == 1
        assert await offers(home) == []


async def test_a_watched_channel_that_is_renamed_stays_watched_and_a_new_name_is_heard(
    store: Store,
) -> None:
    async with house(store, SHOP, watched=("ops", "war-room")) as home:
        workspace, bob = home.slack.workspace, home.slack.bob
        workspace.rename(workspace.channel("general"), "ops", bob.id)
        bob.say("ops", "prod is down")
        assert len(await offers(home, "ops")) == 1
        other = workspace.create_channel("chatter", bob.id)
        workspace.join(other, BOT_USER)
        bob.say(other, "prod is down")
        assert await offers(home, "chatter") == []
        workspace.rename(other, "war-room", bob.id)
        await home.slack.delivery.idle()
        bob.say(other, "prod is down")
        assert len(await offers(home, "war-room")) == 1


def test_marks_and_odd_blanks_do_not_hide_a_phrase() -> None:
    for text in (
        "*prod* is *down*",
        "`prod` is down",
        "ｐｒｏｄ is down",
        "prod\u2003is\u00a0down",
        "prod\u200b is down",
    ):
        assert sounds_like_fire(text), text
    assert not sounds_like_fire("the_prod is downloaded")


ALERTS = {
    "alertmanager": (
        ALERTMANAGER,
        "[FIRING:1] HighErrorRate (shop production)",
        "Severity: critical",
    ),
    "grafana": (GRAFANA, "[FIRING:1] Checkout p95 (shop)", "https://grafana.example/alerting/list"),
    "sentry": (SENTRY, "[shop] ZeroDivisionError: division by zero", "shop.pay in charge"),
    "datadog": (DATADOG, "Triggered: 5xx on *shop*", "https://app.datadoghq.eu/monitors/1?x=1"),
    "pagerduty": (
        PAGERDUTY,
        "Triggered #4: shop is down",
        "https://acme.pagerduty.com/incidents/Q1",
    ),
}


@pytest.mark.parametrize("app", ALERTS)
async def test_make_it_an_incident_reads_the_alert(home: House, app: str) -> None:
    """Title, service and link stand in the form: it is sent as it is."""
    message, title, holds = ALERTS[app]
    general, bob = home.slack.workspace.channel("general"), home.slack.bob
    parts = {key: value for key, value in message.items() if key in ("text", "attachments")}
    parts |= {"blocks": message["blocks"]} if "blocks" in message else {}
    alert = home.slack.workspace.alert(general, app, webhook="subtype" in message, **parts)
    await bob.shortcut("incident.declare", {**alert, "channel": general.id})
    await bob.submit(await bob.open_modal("incident.declare"))
    incident = await home.newest()
    assert (incident.title, incident.service) == (title, "shop")
    assert holds in incident.description
    assert incident.seeds == (("4711",) if app == "sentry" else ())
    assert "a message in <#" in incident.source.text


async def test_an_alert_of_a_fire_that_burns_becomes_evidence(home: House) -> None:
    await home.slack.alice.command("/incident the shop is down")
    general, bob = home.slack.workspace.channel("general"), home.slack.bob
    alert = home.slack.workspace.alert(general, "grafana", attachments=GRAFANA["attachments"])
    await bob.shortcut("incident.declare", {**alert, "channel": general.id})
    await bob.submit(await bob.open_modal("incident.declare"))
    view = await bob.open_modal("incident.declared")
    await bob.click(view, "incident.go_there")
    await home.idle()
    assert any(
        "Checkout p95 (shop)" in entry.text for entry in await home.dispatcher.timeline("INC-0001")
    )


@pytest.mark.parametrize(
    "typed",
    [
        "status INC–0001",
        "status\u00a0INC-0001",
        "status inc 1",
        "status ＩＮＣ－０００１.",
        "“status #1”",
    ],
)
async def test_a_status_that_is_typed_oddly_declares_nothing(home: House, typed: str) -> None:
    alice = home.slack.alice
    await alice.command("/incident the shop is down")
    await alice.command(f"/incident {typed}")
    assert await home.count() == 1
    await alice.sees("Recovery check")


async def test_what_acts_is_asked_about_where_it_was_a_question(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident the shop is down")
    await alice.command("/incident severity 4 INC–0001?")
    asked = await alice.sees("is that about the open incident, or a new one?")
    assert (await home.newest()).severity is None
    await alice.click(asked, "incident.meant")
    await home.idle()
    severity = (await home.newest()).severity
    assert severity is not None
    assert severity.value == 4


@pytest.mark.parametrize(
    "typed",
    [
        "status #{id}",
        "status #inc-0001-shop",
        "status https://firebreak.slack.com/archives/{id}",
        "update <https://firebreak.slack.com/archives/{id}/p1777900000000100> cards work",
    ],
)
async def test_an_incident_is_named_by_its_channel_also_a_private_one(
    home: House, typed: str
) -> None:
    alice = home.slack.alice
    await alice.command("/incident the shop is down")
    channel = home.slack.workspace.create_channel("inc-0001-shop", BOT_USER, is_private=True)
    await home.dispatch(ChannelOpened(channel=Opened(id=channel.id, name=channel.name)), "INC-0001")
    await alice.command(f"/incident {typed.format(id=channel.id)}")
    await home.idle()
    assert await home.count() == 1
    if typed.startswith("status"):
        await alice.sees("Recovery check")
    else:
        assert alice.modal() is None, "no form asks what is wrong"


async def test_a_severity_without_a_number_is_asked_for(home: House) -> None:
    alice = home.slack.alice
    await alice.command("/incident the shop is down")
    await alice.command("/incident severity")
    await alice.click(await alice.sees("Did you mean"), "incident.meant")
    await alice.sees("How severe is INC-0001?")
    assert (await home.newest()).severity is None
