"""Channels and people that the settings name, in a workspace of 9,000 channels.

Slack gives 20 pages a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

import bot.clients.slack.people
import bot.configured_channels
from bot.cli.checks import Finding
from bot.cli.checks.slack import slack as look_at_slack
from bot.clients.slack import channels as slack_channels
from bot.clients.slack.channels import Channels
from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.config.settings import load
from bot.configured_channels import Announced, ChannelCache
from bot.store.incident_store import Store
from handlers.slack.channel_names import Reference, reference
from phases.ports.ports import PortError
from sandbox.faults import Fault
from sandbox.slack.channels import ALICE, BOB, BOT_USER, TEAM, Channel, person
from tests.support.values.factories import service
from tests.support.worlds.slack_world import World, slack_world

MANY = 9000
LISTS = "conversations.list"
HOUR = 3600.0
"""The minute of a rate limit, so long that no slow machine sees its end."""


@asynccontextmanager
async def town(channels: int = 0) -> AsyncIterator[tuple[World, Slack]]:
    """A workspace with so many channels more, the newest last; 20 list calls a minute."""
    async with slack_world() as world:
        for number in range(channels):
            id = f"C1{number:07d}"
            world.workspace.channels[id] = Channel(id, f"team-{number}", ALICE, 0, members=[ALICE])
        for method in (LISTS, "users.list"):
            world.faults.limit(f"slack.{method}", 20, seconds=HOUR)
        slack = Slack(world.client.token or "", world.client.base_url)
        await slack.start()
        try:
            yield world, slack
        finally:
            await slack.aclose()


def called(world: World, method: str = "") -> list[str]:
    return [call.method for call in world.workspace.calls if method in ("", call.method)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("C0123ABCD", Reference(id="C0123ABCD", name="c0123abcd")),
        ("G0123ABCD", Reference(id="G0123ABCD", name="g0123abcd")),
        ("<#C0123ABCD|incidents>", Reference(id="C0123ABCD")),
        ("<#C0123ABCD>", Reference(id="C0123ABCD")),
        ("https://acme.slack.com/archives/C0123ABCD", Reference(id="C0123ABCD")),
        (
            "https://acme.slack.com/archives/C0123ABCD/p1777900000000100?thread_ts=1.2",
            Reference(id="C0123ABCD"),
        ),
        ("https://acme.enterprise.slack.com/archives/c0123abcd/", Reference(id="C0123ABCD")),
        ("https://app.slack.com/client/T0123/C0123ABCD", Reference(id="C0123ABCD")),
        ("<https://acme.slack.com/archives/C0123ABCD>", Reference(id="C0123ABCD")),
        ("acme.slack.com/archives/C0123ABCD", Reference(id="C0123ABCD")),
        ("https://acme.slack.com/messages/C0123ABCD", Reference(id="C0123ABCD")),
        ("https://acme.slack.com/app_redirect?channel=C0123ABCD", Reference(id="C0123ABCD")),
        ("slack://channel?team=T0123&id=C0123ABCD", Reference(id="C0123ABCD")),
        ("C0123ABCD,", Reference(id="C0123ABCD", name="c0123abcd")),
        ("incidents", Reference(name="incidents")),
        ("#Incidents", Reference(name="incidents")),
        ("'#incidents'", Reference(name="incidents")),
        ("incidents–eu", Reference(name="incidents-eu")),
        ("störung", Reference(name="störung")),
        ("c0123abcd", Reference(name="c0123abcd", maybe="C0123ABCD")),
        ("customers", Reference(name="customers")),
        ("GENERAL", Reference(id="GENERAL", name="general")),
    ],
)
def test_how_a_channel_may_be_written(written: str, meant: Reference) -> None:
    assert reference(written) == meant


async def test_an_id_is_one_call_in_a_workspace_of_any_size() -> None:
    async with town(MANY) as (world, slack):
        for written in (
            "C0INCIDENTS",
            "<#C0INCIDENTS|x>",
            "https://firebreak.slack.com/archives/C0INCIDENTS",
        ):
            world.workspace.calls.clear()
            channel = await Channels(slack).find(written)
            assert channel is not None
            assert channel.name == "incidents"
            assert called(world) == ["conversations.info"]


async def test_a_name_takes_pages_of_a_thousand_and_is_read_once() -> None:
    async with town(MANY) as (world, slack):
        channels = Channels(slack)
        matches = await asyncio.gather(
            *(channels.find(name) for name in ("team-8999", "TEAM-8998", "#team-0", "general"))
        )
        assert [channel.name for channel in matches if channel] == [
            "team-8999",
            "team-8998",
            "team-0",
            "general",
        ]
        assert len(called(world, LISTS)) == 10, "9,002 channels"


async def test_a_rate_limit_in_the_middle_loses_no_page() -> None:
    async with town(MANY) as (world, slack):
        world.faults.limit(f"slack.{LISTS}", 3, seconds=HOUR)
        channels = Channels(slack)
        for _ in range(2):
            with pytest.raises(PortError) as refused:
                await channels.find("team-8999")
            assert refused.value.retryable
            assert refused.value.retry_after
        world.faults.clear()
        channel = await channels.find("team-8999")
        assert channel is not None
        cursors = [
            call.args.get("cursor") for call in world.workspace.calls if call.method == LISTS
        ]
        assert len(cursors) == len(set(cursors)) == 10, "no page is asked for twice"


async def test_a_cursor_that_is_too_old_begins_anew() -> None:
    async with town(3000) as (world, slack):
        channels = Channels(slack)
        world.faults.limit(f"slack.{LISTS}", 1, seconds=HOUR)
        with pytest.raises(PortError):
            await channels.find("team-2999")
        world.faults.clear()
        world.faults.next(f"slack.{LISTS}", Fault(error="invalid_cursor"))
        assert await channels.find("team-2999") is not None


async def test_what_was_found_is_remembered_over_a_restart(store: Store) -> None:
    async with town(2000) as (world, slack):
        assert await Channels(slack, ChannelCache(store)).find("team-1999") is not None
        world.workspace.calls.clear()
        again = await Channels(slack, ChannelCache(store)).find("#Team-1999")
        assert again is not None
        assert called(world) == ["conversations.info"]


async def test_a_renamed_channel_stays_the_one_until_another_one_has_its_name(store: Store) -> None:
    async with town() as (world, slack):
        ours = world.workspace.channel("incidents")
        assert await Channels(slack, ChannelCache(store)).find("incidents") is not None
        world.workspace.rename(ours, "incidents-2025", ALICE)
        renamed = await Channels(slack, ChannelCache(store)).find("incidents")
        assert renamed is not None
        assert renamed.id == ours.id
        world.workspace.create_channel("incidents", ALICE)
        newer = await Channels(slack, ChannelCache(store)).find("incidents")
        assert newer is not None
        assert newer.id != ours.id


async def test_private_channels_are_found_where_the_bot_is_in() -> None:
    async with town() as (world, slack):
        ops = world.workspace.create_channel("ops", ALICE, is_private=True)
        assert await Channels(slack).find("ops") is None
        assert await Channels(slack).find(ops.id) is None
        world.workspace.join(ops, BOT_USER)
        for written in ("ops", ops.id):
            channel = await Channels(slack).find(written)
            assert channel is not None
            assert (channel.private, channel.member) == (True, True)
        world.workspace.scopes.discard("groups:read")
        assert await Channels(slack).find("incidents") is not None, "public ones do without"
        assert await Channels(slack).find("ops") is None


async def test_a_channel_that_was_made_since_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_channels, "ANEW_SECONDS", HOUR)
    async with town() as (world, slack):
        channels = Channels(slack)
        assert await channels.find("war-room") is None
        world.workspace.create_channel("war-room", ALICE)
        assert await channels.find("war-room") is None, "the list is a moment old"
        monkeypatch.setattr(slack_channels, "ANEW_SECONDS", 0.0)
        assert await channels.find("war-room") is not None


async def test_the_announcements_say_what_is_wrong() -> None:
    async with town() as (world, slack):
        old = world.workspace.create_channel("old", ALICE)
        world.workspace.archive(old, ALICE)
        for written, message in (
            ("nowhere", "no such channel"),
            ("old", "it is archived"),
            (old.id, "#old is archived"),
        ):
            with pytest.raises(PortError, match=message) as wrong:
                await Announced(slack, written).channel()
            assert not wrong.value.retryable
        announced = Announced(slack, "https://firebreak.slack.com/archives/C0INCIDENTS")
        assert await announced.channel() == "C0INCIDENTS"
        assert BOT_USER in world.workspace.channel("incidents").members
        assert await Announced(slack, " ").channel() is None


async def test_the_announcements_move_with_the_name_and_outlast_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bot.configured_channels, "CHECKED_SECONDS", 0.0)
    monkeypatch.setattr(slack_channels, "ANEW_SECONDS", 0.0)
    async with town() as (world, slack):
        announced = Announced(slack, "incidents")
        assert await announced.channel() == "C0INCIDENTS"
        world.faults.always("slack.*", Fault(status=503))
        assert await announced.channel() == "C0INCIDENTS"
        world.faults.clear()
        await announced.early()
        assert await announced.channel() == "C0INCIDENTS"


# --- people ---------------------------------------------------------------------------------------


def crowd(world: World, number: int) -> None:
    for n in range(number):
        world.workspace.users[f"U1{n:05d}"] = person(f"U1{n:05d}", f"name{n}", f"Real Name {n}")


async def test_an_owner_by_name_is_read_like_a_channel() -> None:
    async with town() as (world, slack):
        crowd(world, 3000)
        people = SlackPeople(slack, TEAM, None)
        world.faults.limit("slack.users.list", 2, seconds=HOUR)
        shop = service(
            owners=("@Name2999", "<@U0BOB|bob>", "<!subteam^S0CHECKOUT|@x>", "@Checkout-Oncall")
        )
        with pytest.raises(PortError):
            await people.owners(shop)
        world.faults.clear()
        assert await people.owners(shop) == ("U102999", BOB, ALICE)
        asked = [
            call.args.get("cursor") for call in world.workspace.calls if call.method == "users.list"
        ]
        assert len(asked) == len(set(asked)) == 4


async def test_a_shown_name_that_several_have_makes_nobody_an_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with town() as (world, slack):
        for id, name in (("U1A", "sam1"), ("U1B", "sam2")):
            world.workspace.users[id] = person(id, name, "Sam Smith")
            world.workspace.users[id]["profile"]["display_name"] = "sam"
        people = SlackPeople(slack, TEAM, None)
        with pytest.raises(PortError, match="several people"):
            await people.owners(service(owners=("@sam",)))
        assert await people.owners(service(owners=("@sam2",))) == ("U1B",)
        world.workspace.users["U1A"]["deleted"] = True
        monkeypatch.setattr(bot.clients.slack.people, "ANEW_SECONDS", 0.0)
        people = SlackPeople(slack, TEAM, None)
        assert await people.owners(service(owners=("@sam",))) == ("U1B",), (
            "who is gone does not count"
        )
        with pytest.raises(PortError, match="not known"):
            await people.owners(service(owners=("@new",)))
        world.workspace.users["U1C"] = person("U1C", "new", "New")
        assert await people.owners(service(owners=("@new",))) == ("U1C",)


async def test_an_owner_who_is_gone_takes_nothing_from_the_others() -> None:
    async with town() as (_, slack):
        people = SlackPeople(slack, TEAM, None)
        shop = service(owners=("@gone", "@checkout-oncall", "S0NOTTHERE", "＠bob"))
        assert await people.owners(shop) == (ALICE, BOB)
        with pytest.raises(PortError, match="@gone of the catalogue is not known"):
            await people.owners(shop, every=True)
        with pytest.raises(PortError, match="not known"):
            await people.owners(service(owners=("@gone", "@left")))
        with pytest.raises(PortError) as wrong:
            await people.owners(service(owners=("ann@acme.example",)))
        assert "e-mail" in wrong.value.text
        assert "acme.example" not in wrong.value.text


async def test_a_group_without_members_lets_nobody_deploy() -> None:
    async with town() as (world, slack):
        world.workspace.usergroups["S0CHECKOUT"]["users"] = []
        with pytest.raises(PortError, match="nobody is in"):
            await SlackPeople(slack, TEAM, None).owners(service(owners=("@checkout-oncall",)))


@pytest.mark.parametrize("refused", ["missing_scope", "paid_teams_only"])
async def test_a_users_name_is_found_where_groups_cannot_be_read(refused: str) -> None:
    async with town() as (world, slack):
        world.faults.always("slack.usergroups.list", Fault(error=refused))
        people = SlackPeople(slack, TEAM, None)
        assert await people.owners(service(owners=("@bob",))) == (BOB,)
        with pytest.raises(PortError, match=refused):
            await people.owners(service(owners=("@checkout-oncall",)))


# --- doctor ---------------------------------------------------------------------------------------


async def doctor(world: World, **settings: str) -> dict[str, Finding]:
    given = load(
        slack_bot_token=world.client.token,
        slack_signing_secret="s",
        redis_url="redis://127.0.0.1:1",
        slack_api_url=world.client.base_url,
        **settings,
    )
    token = given.slack_bot_token.get_secret_value()
    async with aclosing(Slack(token, given.slack_api_url)) as client:
        await client.start()
        findings = await look_at_slack(given, client)
    return {
        f"{finding.what} {n}" if finding.what == "WATCHED_CHANNELS" else finding.what: finding
        for n, finding in enumerate(findings)
    }


async def test_doctor_finds_channels_as_the_bot_does() -> None:
    async with town(2000) as (world, _):
        ops = world.workspace.create_channel("ops", ALICE, is_private=True)
        world.workspace.join(ops, BOT_USER)
        world.workspace.create_channel("secret", BOB, is_private=True)
        findings = await doctor(
            world,
            incidents_channel="https://firebreak.slack.com/archives/C0INCIDENTS",
            watched_channels=f"#ops, {ops.id} general,team-1999 secret",
        )
        watched = [finding for key, finding in findings.items() if key.startswith("WATCHED")]
        assert [finding.state for finding in watched] == [
            "works",
            "works",
            "works",
            "broken",
            "broken",
        ]
        assert "hears nothing there" in watched[3].says
        assert watched[3].mend == "in #team-1999: /invite @firebreak"
        assert "no such channel" in watched[4].says
        assert findings["INCIDENTS_CHANNEL"].state == "works", findings["INCIDENTS_CHANNEL"]
        assert len(called(world, LISTS)) == 3, "one list for all"


async def test_doctor_waits_as_long_as_slack_says() -> None:
    async with town(2000) as (world, _):
        world.faults.next(f"slack.{LISTS}", Fault(status=429, retry_after=1))
        findings = await doctor(world, incidents_channel="incidents", watched_channels="general")
        assert [
            finding.state
            for key, finding in findings.items()
            if key.startswith(("WATCHED", "INCID"))
        ] == ["works", "works"]
        world.faults.next(f"slack.{LISTS}", Fault(status=429, retry_after=999))
        announcements = (await doctor(world, incidents_channel="incidents"))["INCIDENTS_CHANNEL"]
        assert (announcements.state, announcements.mend) == ("broken", "run it again in a minute")
        assert "ratelimited" in announcements.says
