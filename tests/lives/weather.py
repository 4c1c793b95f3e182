"""What goes wrong in one world: drawn from its seed, before anything happens."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field

from phases.record.incident import Incident
from tests.lives import versions
from tests.lives.store import Trouble
from tests.lives.town import Town
from tests.lives.wire import Weather

SYSTEMS = ("slack", "sentry", "linear", "github", "discord", "pagerduty")
CRASHES = ((800, 4000), (2000, 10000), (6000, 30000))
"""Steps between two deaths of a replica: a step is what runs between two awaits."""
STEPS_OF_THE_CLOCK = (-3600.0, -90.0, -5.0, 5.0, 90.0, 3600.0)
BESIDE_SECONDS = 45.0
"""From one replica that gets the next version to the next one."""
BY_SECONDS = 240.0
"""The clock is set within so many seconds from the beginning."""


@dataclass(frozen=True)
class Forecast:
    """Everything that the dice of one world decided."""

    replicas: int
    systems: dict[str, Weather]
    redis: Trouble
    crashes: tuple[int, int] | None
    twice: bool
    """Slack and the webhooks deliver twice, and out of order."""
    clock: float
    """Seconds by which the clock of Redis is set, once; 0: it is right."""
    clock_at: float
    deadly: float = 0.0
    """How dangerous it is to send Redis something that is rarely sent."""
    acks_kill: float = 0.0
    """The chance that a front dies with what it answers, rather with what it seldom answers."""
    far: float = 1.0
    """So many times as long is the way to Redis: what is done at the same time meets more often."""
    older: bool = False
    """Now and then a record is written anew as a version writes it that knows fewer fields."""
    update_at: float | None = None
    """When the next version of the code is rolled out, a replica after the other."""
    slower: float = 1.0
    """So many times as seldom as in production a replica looks for what it is not told of."""
    wall: dict[int, float] = field(default_factory=dict[int, float])
    """Replica → seconds by which the clock of its machine is wrong."""

    @classmethod
    def drawn(cls, dice: random.Random) -> Forecast:
        systems = {system: _weather(dice) for system in SYSTEMS if dice.random() < 0.5}
        trouble = Trouble()
        if dice.random() < 0.5:
            trouble = Trouble(dice.uniform(0, 2), dice.uniform(0, 4), dice.uniform(0, 1))
        return cls(
            replicas=dice.choice((1, 2, 2, 3)),
            systems=systems,
            redis=trouble,
            crashes=dice.choice(CRASHES) if dice.random() < 0.75 else None,
            twice=dice.random() < 0.4,
            clock=dice.choice(STEPS_OF_THE_CLOCK) if dice.random() < 0.15 else 0.0,
            clock_at=dice.uniform(20, BY_SECONDS),
            deadly=dice.choice((0.0, 0.0, 0.005, 0.02)),
            acks_kill=dice.choice((0.0, 0.0, 0.0, 0.02)),
            older=dice.random() < 0.25,
            wall={0: dice.choice((-30.0, -3.0, 3.0, 30.0))} if dice.random() < 0.2 else {},
            far=dice.choice((1.0, 1.0, 1.0, 30.0)),
            update_at=dice.uniform(10, BY_SECONDS) if dice.random() < 0.25 else None,
            slower=dice.choice((2.0, 4.0, 8.0, 8.0, 8.0, 8.0)),
        )

    @property
    def deaths(self) -> bool:
        kills = self.deadly > 0 or self.acks_kill > 0 or self.update_at is not None
        return kills or self.crashes is not None

    def begins(self, town: Town) -> None:
        town.wire.weather = town.faults.weather = self.systems
        # After a lost answer or a death it may be called twice, never not at all (docs/code.md).
        town.lost_pages = "pagerduty" in self.systems or self.deaths
        town.redis.trouble, town.redis.far = self.redis, self.far
        town.delivery.twice = town.webhooks.twice = self.twice
        town.fleet.crash_every = self.crashes
        town.redis.deadly, town.fleet.acks_kill = self.deadly, self.acks_kill
        town.fleet.doom()
        for number, seconds in self.wall.items():
            town.fleet.set_clock(number, seconds)
        town.older = self.older
        if self.older:
            town.beside(self._writes_older_records(town, random.Random(f"{town.seed} older")))
        if self.update_at is not None:
            versions.install(town.seed)
            town.beside(self._updates(town, self.update_at))
        if self.clock:
            town.beside(self._sets_the_clock(town))

    async def _updates(self, town: Town, at: float) -> None:
        """Roll out the next version; both run beside each other for a while."""
        await asyncio.sleep(at)
        for number in range(self.replicas):
            town.log(f"replica {number} gets the next version")
            town.fleet.update(number)
            await asyncio.sleep(BESIDE_SECONDS)

    async def _sets_the_clock(self, town: Town) -> None:
        await asyncio.sleep(self.clock_at)
        town.log(f"the clock of Redis is set by {self.clock:+.0f} s")
        town.redis.server.offset += self.clock
        town.committed.clock_was_set()

    async def _writes_older_records(self, town: Town, dice: random.Random) -> None:
        """Only what is not as by default stands in them; whoever has read the other starts anew."""
        marked = set[int]()
        while True:
            await asyncio.sleep(dice.uniform(2, 12))
            number = dice.randint(1, town.services)
            key = b"{fb}:incident:INC-%04d" % number
            (record,) = town.redis.server.ask([b"HGET", key, b"record"])
            if record.startswith(b"$-1"):
                continue
            read = record.split(b"\r\n", 1)[1]
            if number not in marked:  # a field that this version does not know, and has to keep
                read = json.dumps(json.loads(read) | {versions.UNKNOWN_FIELD: number}).encode()
                marked.add(number)
                town.with_newer_field.add(f"INC-{number:04d}")
            incident = Incident.model_validate_json(read)
            older = incident.model_dump_json(exclude_defaults=True).encode()
            if Incident.model_validate_json(older) != incident:
                raise AssertionError(f"{incident.id} is not the same without its defaults")
            town.redis.server.ask(
                [b"HSET", key, b"record", older], [b"HINCRBY", key, b"version", b"1"]
            )

    def ends(self, town: Town) -> None:
        """Everything is fine from here on."""
        town.wire.weather = town.faults.weather = {}
        town.redis.trouble, town.redis.far = Trouble(), 1.0
        town.delivery.twice = town.webhooks.twice = False
        town.wire.away.clear()
        town.fleet.crash_every = None
        town.redis.deadly = town.fleet.acks_kill = 0.0
        town.fleet.doom()


def _weather(dice: random.Random) -> Weather:
    worst = dice.choice((5.0, 20.0, 60.0))
    return Weather(
        refused=dice.uniform(0, worst) / 2,
        lost=dice.uniform(0, worst),
        hangs=dice.uniform(0, worst) / 10,
        limited=dice.uniform(0, worst),
        faulty=dice.uniform(0, worst),
        late=dice.uniform(0, worst) * 2,
    )
