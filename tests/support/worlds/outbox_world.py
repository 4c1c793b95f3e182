"""One incident with a worker over it, quick: for the tests of the outbox."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from bot.outbox.turns import SystemTurns
from bot.outbox.worker import Outbox
from bot.store.incident_store import Store
from bot.store.job import Job
from handlers.dispatcher import Recorded
from phases.messages.base import Action, Effect
from phases.messages.commands import PostUpdate
from phases.messages.effects import EFFECT
from phases.messages.results import EffectDone, EffectFailed
from phases.shared.change import Draft, Refused
from tests.support.worlds.small_world import declare, dispatcher, update

Perform = Callable[[Any, Job], Awaitable[Action]]


@pytest.fixture(autouse=True)
def quick_outbox(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("bot.outbox.worker.FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr("bot.outbox.worker.BLOCK_SECONDS", 0.1)
    monkeypatch.setattr("bot.outbox.worker.DRAIN_SECONDS", 0.2)
    caplog.set_level(logging.INFO)


def wanting(*effects: Effect) -> Callable[[Draft, Action], Draft | Refused]:
    """Each update wants these; failures are noted with their reason."""

    def more(draft: Draft, action: Action) -> Draft:
        if isinstance(action, PostUpdate):
            draft.want(*effects)
        if isinstance(action, EffectFailed):
            draft.note("failure", f"{action.effect_id} {action.kind}: {action.reason}")
            assert EFFECT.validate_json(action.effect)
        return draft

    return more


class World:
    """One incident, and a worker over it."""

    def __init__(self, store: Store, url: str, *effects: Effect, more: Any = None) -> None:
        self.store, self.url = store, url
        self.dispatcher = dispatcher(store, more or wanting(*effects))

    async def want(self) -> None:
        if await self.dispatcher.load("INC-0001") is None:
            assert isinstance(await self.dispatcher.dispatch(declare(), None), Recorded)
        assert isinstance(await self.dispatcher.dispatch(update("go"), "INC-0001"), Recorded)

    def outbox(
        self,
        performers: Mapping[str, Perform],
        limits: Mapping[str, int] | None = None,
        **options: Any,
    ) -> Outbox:
        return Outbox(
            self.store,
            self.dispatcher,
            performers,
            SystemTurns({"say": "slack", "page": "slack"}, limits),
            url=self.url,
            **options,
        )

    async def notes(self, kind: str = "note") -> list[str]:
        return [
            entry.text for entry in await self.dispatcher.timeline("INC-0001") if entry.kind == kind
        ]

    async def empty(self) -> bool:
        """Return whether nothing is in the stream and nothing waits.

        One moment, as entries move between the two.
        """
        pipe = self.store.redis.pipeline(transaction=True)
        pipe.xlen(self.store.keys.outbox)
        pipe.zcard(self.store.keys.waiting)
        return await pipe.execute() == [0, 0]


async def done(effect: Effect, job: Job) -> Action:
    return EffectDone(kind=effect.type)
