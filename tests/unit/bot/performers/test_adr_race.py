"""Two incidents that end at once, staged, not slept for.

Both see the same next number; one of them gets it, the other one the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.clients.git.archive import LocalArchive
from bot.config.catalogue import Catalogue
from bot.outbox.turns import SystemTurns
from bot.outbox.worker import Outbox
from bot.performers.context import EffectContext, registered
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.job import Performer
from handlers.dispatcher import Recorded
from phases.messages import actions as said
from phases.record.findings import LookVerdict
from phases.record.incident import Status
from phases.record.service import AdrPlace, Service
from phases.workflow import step
from tests.support.git.repositories import Repository
from tests.support.values.factories import declare, look, postmortem, report
from tests.support.worlds.small_world import until


class Counting(LocalArchive):
    """An archive that counts how often it was asked for the highest number."""

    asked = 0

    async def highest(self, service: Service) -> int:
        self.asked += 1
        return await super().highest(service)


class Together(Incidents):
    """Incidents whose first readers of a number's owner wait for each other.

    All have seen the next number free before one of them takes it.
    """

    def __init__(self, parties: int, store: Store, catalogue: Catalogue) -> None:
        super().__init__(store, step, catalogue)
        self._barrier = asyncio.Barrier(parties)
        self._left = parties

    async def owner(self, claim: str) -> str | None:
        holder = await super().owner(claim)
        if claim.startswith("adr:") and self._left:
            self._left -= 1
            await self._barrier.wait()
        return holder


class _Names:
    async def name(self, id: str) -> str:
        return id


async def _mitigated(dispatcher: Incidents, service: str, number: int) -> str:
    answer = await dispatcher.dispatch(
        declare(service=service, ulid=f"01JD00000000000000000000{number:02d}"), None
    )
    assert isinstance(answer, Recorded)
    incident = answer.incident.id
    for action in (
        said.Triaged(report=report()),
        said.DecideFixed(by="U0ALICE", round=1, sentence="flag off"),
        said.Looked(round=1, look=look(LookVerdict.RECOVERED)),
        said.SubmitPostmortem(postmortem=postmortem()),
    ):
        assert isinstance(await dispatcher.dispatch(action, incident), Recorded)
    return incident


async def _nothing_left(store: Store) -> bool:
    """Whoever lost a number has also put its own file right."""
    pipe = store.redis.pipeline(transaction=True)
    pipe.xlen(store.keys.outbox)
    pipe.zcard(store.keys.waiting)
    return await pipe.execute() == [0, 0]


async def _resolved(dispatcher: Incidents, ids: Sequence[str]) -> bool:
    incidents = [await dispatcher.load(id) for id in ids]
    return all(
        incident is not None and incident.status is Status.RESOLVED for incident in incidents
    )


POSTMORTEM = {"adr.number", "adr.write", "adr.revise", "adr.complete"}


@pytest.mark.parametrize("parties", [2, 4])
async def test_the_same_number_is_never_given_twice(
    store: Store, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parties: int
) -> None:
    monkeypatch.setattr("bot.outbox.worker.FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr("bot.outbox.worker.BLOCK_SECONDS", 0.1)
    monkeypatch.setattr("bot.outbox.worker.DRAIN_SECONDS", 0.2)
    repository = Repository(tmp_path / "decisions")
    repository.commit("decisions", {"adr/0006-we-write-decisions-down.md": "# ADR-0006\n"})
    place = AdrPlace(directory=str(repository.path / "adr"))
    catalogue = Catalogue([Service(name=f"service-{n}", adr=place) for n in range(parties)])
    dispatcher = Together(parties, store, catalogue)
    ids = [await _mitigated(dispatcher, f"service-{n}", n) for n in range(parties)]

    async def nothing(effect: Any, job: Any) -> said.Action:
        return said.EffectDone(kind=effect.type)

    archive = Counting()
    ctx: Any = object.__new__(EffectContext)  # of which the post-mortem needs so much
    for name, value in {
        "dispatcher": dispatcher,
        "catalogue": catalogue,
        "archive_for": lambda _: archive,
        "people": _Names(),
    }.items():
        object.__setattr__(ctx, name, value)

    class Everything(dict[str, Performer]):
        def __missing__(self, key: str) -> Performer:
            return nothing

    performers: Mapping[str, Performer] = Everything(
        {kind: perform for kind, perform in registered(ctx).items() if kind in POSTMORTEM}
    )
    outbox = Outbox(store, dispatcher, performers, SystemTurns({}), url=redis_url)
    running = asyncio.create_task(outbox.run())
    try:
        await until(lambda: _resolved(dispatcher, ids), seconds=100)
        await until(lambda: _nothing_left(store), seconds=100)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    written = [
        incident.adr for id in ids if (incident := await dispatcher.load(id)) and incident.adr
    ]
    assert sorted(adr.number for adr in written) == list(range(7, 7 + parties))
    assert archive.asked >= 2 * parties - 1, "those who lost chose again"
    files = repository.git("ls-tree", "--name-only", "main", "adr/").split()
    assert sorted(Path(file).name[:4] for file in files) == [
        f"{n:04d}" for n in range(6, 7 + parties)
    ]
    assert repository.git("status", "--porcelain") == ""
