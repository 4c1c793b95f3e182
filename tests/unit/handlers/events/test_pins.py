"""Pushpins in a channel that people see before the bot has recorded that it is an incident's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from phases.coordination.short_records import Index, ShortRecord
from phases.messages.results import ChannelOpened
from phases.record.incident import Channel as Opened
from sandbox.slack.channels import BOT_USER
from tests.support.worlds.handlers_world import SHOP, House, house

PIN = '"type":"message.read"'


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store, SHOP) as opened:
        yield opened


async def test_a_pin_between_the_channel_and_its_record_is_sent_again_and_kept(
    home: House, store: Store
) -> None:
    delivery, alice = home.slack.delivery, home.slack.alice
    await alice.command("/incident shop is down")
    channel = home.slack.workspace.create_channel("inc-0001-shop", BOT_USER)
    alice.join(channel)
    alice.react(alice.say(channel, "The pool is full"))
    await delivery.idle()
    (pin,) = [delivered for delivered in delivery.log if "reaction_added" in str(delivered.body)]
    assert not any(ack.ok for ack in pin.acks)
    await home.dispatch(ChannelOpened(channel=Opened(id=channel.id, name=channel.name)), "INC-0001")
    assert (await delivery.again(pin)).ok
    effects = await store.redis.xrange(store.keys.outbox) or []
    assert any(PIN in str(effect) for effect in effects)


async def test_in_a_channel_of_nobodys_it_is_nothing_once_all_have_theirs(home: House) -> None:
    delivery, alice = home.slack.delivery, home.slack.alice
    await alice.command("/incident shop is down")
    await home.dispatch(
        ChannelOpened(channel=Opened(id="C0THEIRS", name="inc-0001-shop")), "INC-0001"
    )
    other = home.slack.workspace.create_channel("lunch", BOT_USER)
    alice.join(other)
    alice.react(alice.say(other, "Pizza"))
    await delivery.idle()
    assert all(ack.ok for delivered in delivery.log for ack in delivered.acks)
    assert not (await home.newest()).pins


async def test_a_channel_may_be_recorded_between_the_two_questions(
    home: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, asked = home.slack.alice, Incidents.short_records
    await alice.command("/incident shop is down")
    channel = home.slack.workspace.create_channel("inc-0001-shop", BOT_USER)

    async def asked_late(self: Incidents, index: Index) -> list[ShortRecord]:
        if not (await home.newest()).channel:
            opened = ChannelOpened(channel=Opened(id=channel.id, name=channel.name))
            await home.dispatch(opened, "INC-0001")
        return await asked(self, index)

    monkeypatch.setattr(Incidents, "short_records", asked_late)
    alice.join(channel)
    alice.react(alice.say(channel, "The pool is full"))
    await home.slack.delivery.idle()
    effects = await store.redis.xrange(store.keys.outbox) or []
    assert any(PIN in str(effect) for effect in effects)
