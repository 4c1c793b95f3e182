"""A world: a service with its releases, changes and failures, each with its true condition.

Minutes are floats; minute 0 is the beginning of the trouble. What production looks like follows
from what was deployed and switched (`Production`), so that the same world can be run forward under
any action.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from phases.ports.ports import HotfixRef
from phases.ports.source_values import Commit
from phases.record.findings import Frame, HypothesisKind
from phases.record.service import Service

ALWAYS = math.inf
DAY = 1440.0
Told = Literal["sentry", "webhook", "github", "first events"]
Mend = Literal["release", "code", "change", "hand", "itself"]
"""What ends a failure beside its own end: going back or new code; new code alone; the change turned
back; a repair by hand; nothing that we can do."""


@dataclass(frozen=True, slots=True)
class When:
    """The condition of a failure. Everything that is named must hold."""

    begins: float = 0.0
    ends: float = ALWAYS
    releases: frozenset[str] | None = None
    """Only in these releases, in proportion to their share of the traffic; None: in any."""
    change: str | None = None
    """Only while this change is on."""
    ramp: float = 0.0
    """Minutes from the first sign to full strength."""
    every: float = 0.0
    """Minutes between two bursts; 0: it goes on all the time."""
    lasts: float = 5.0
    """Minutes of a burst."""
    fades: float = 0.0
    """Minutes in which it falls to a third by itself, from its beginning on; 0: it does not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One issue of Sentry, or trouble that Sentry does not see (`rate` 0)."""

    id: str
    type: str
    value: str
    paths: tuple[str, ...]
    when: When
    rate: float
    """Events a minute at full strength and usual traffic."""
    base: float = 0.0
    """Events a minute that are there whatever happens: it was known before."""
    hit: float = 0.0
    """Customers a minute who cannot do what they came for. 0: nobody's trouble."""
    users: int = 0
    """Distinct users in its events; 0: the events name none."""
    loud_users: int = 0
    """So many of them send four of five events."""
    first: float | None = None
    """First seen at this minute, long before the events that are drawn; None: with its first."""
    frames: tuple[Frame, ...] = ()
    category: str = "error"
    handled: bool | None = False
    level: str = "error"
    project: str = ""
    """A neighbour's project; empty: the service's own."""
    customer: str = ""
    """All of it at one customer."""
    region: str = ""
    """All of it in one region."""
    browser: str = ""
    """All of it in one browser."""
    carries: str = ""
    """Its events name this release, which is none of the service: an app's."""
    addresses: int = 0
    """So many client addresses instead of one a user (scanners)."""
    steady: bool = False
    """It does not follow the traffic of people: jobs, clients in a loop, scanners."""
    mend: Mend = "release"
    noise: bool = False
    """It is always there, and everybody lives with it."""

    @property
    def always(self) -> bool:
        """True if it burns at full strength for as long as anybody remembers."""
        when = self.when
        shaped = when.every or when.ramp or when.fades
        plain = when.releases is None and when.change is None and not shaped
        return plain and when.begins < -30 * DAY and when.ends == ALWAYS

    @property
    def title(self) -> str:
        return f"{self.type}: {self.value}" if self.value else self.type


@dataclass(frozen=True, slots=True)
class Deploy:
    version: str
    begins: float
    minutes: float = 2.0
    """Until all traffic has it."""
    canary: float = 0.0
    """Share of the traffic that has it for `canary_minutes` before the rest."""
    canary_minutes: float = 0.0

    def share(self, at: float) -> float:
        since = at - self.begins
        if since < 0:
            return 0.0
        if since < self.canary_minutes:
            return self.canary
        done = (since - self.canary_minutes) / self.minutes if self.minutes else 1.0
        return min(1.0, max(done, self.canary))

    @property
    def ends(self) -> float:
        return self.begins + self.canary_minutes + self.minutes


@dataclass(frozen=True, slots=True)
class Changed:
    """A flag, a setting or infrastructure that was changed without a deploy."""

    name: str
    at: float
    kind: Literal["flag", "config", "infrastructure"] = "flag"
    off_at: float = ALWAYS
    known: bool = True
    """The flag log or a webhook told of it; else nobody but its author knows."""
    logged: bool = False
    """Sentry's flag log has it; else a webhook told."""
    share: float = 1.0
    """Of the people who have it."""
    asked_on: frozenset[str] = frozenset()
    """The pages that ask for it, where events tell which flags were asked for."""


@dataclass(frozen=True, slots=True)
class World:
    seed: int
    kind: str
    zero: datetime
    """Minute 0."""
    service: Service
    active: float
    """People a minute at usual traffic."""
    deploys: tuple[Deploy, ...]
    failures: tuple[Failure, ...]
    cause: HypothesisKind | None
    """None: nothing is wrong with production."""
    truth: str
    """The cause, in a sentence."""
    asked: float = 10.0
    """The minute at which triage asks."""
    changes: tuple[Changed, ...] = ()
    neighbours: tuple[tuple[Service, tuple[Deploy, ...]], ...] = ()
    deploys_from: Told = "sentry"
    releases_told: bool = True
    """Events name their release."""
    users_told: bool = True
    code: dict[str, tuple[Commit, ...]] = field(default_factory=dict[str, tuple[Commit, ...]])
    """What each release brought."""
    fixes: tuple[HotfixRef, ...] = ()
    reported: str = ""
    """What people wrote when they declared it."""
    seeded: bool = True
    """An alarm named the loudest issue."""
    traces_kept: float = 0.0
    """The share of the requests that Sentry keeps as traces; 0: the service sends none."""
    deploy_minutes: float = 5.0
    mend_minutes: float = 20.0
    """From the cause found to the end, by hand."""
    hotfixes: tuple[str, ...] = ()
    """Releases by which the bot ended earlier incidents."""
    security: frozenset[str] = frozenset()
    """Releases that closed a hole: to go behind one of them opens it."""
    down: tuple[float, float] | None = None
    """The endpoint fails from here to there."""
    rush: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """From here to there so many times the usual people come."""

    def at(self, minute: float) -> datetime:
        return self.zero + timedelta(minutes=minute)

    def minute(self, at: datetime) -> float:
        return (at - self.zero) / timedelta(minutes=1)

    @property
    def now(self) -> datetime:
        return self.at(self.asked)

    @property
    def order(self) -> tuple[str, ...]:
        """Releases in the order in which they were first deployed."""
        return tuple(dict.fromkeys(d.version for d in sorted(self.deploys, key=_begins)))

    def traffic(self, minute: float) -> float:
        """Return the share of usual traffic: least at 4 in the morning, less at weekends."""
        day = self.zero.hour * 60 + self.zero.minute + minute
        weekend = (self.zero.weekday() + day // DAY) % 7 >= 5
        begins, ends, times = self.rush
        share = (0.7 if weekend else 1.0) * (times if begins <= minute < ends else 1.0)
        return share * (1.0 - 0.67 * math.cos((day - 240) / DAY * 2 * math.pi))

    def production(self) -> Production:
        return Production(_ordered(self.deploys), self.changes)


def _ordered(deploys: Iterable[Deploy]) -> tuple[Deploy, ...]:
    return tuple(sorted(deploys, key=_begins))


def _begins(deploy: Deploy) -> float:
    return deploy.begins


@dataclass(frozen=True, slots=True)
class Production:
    """What runs and what is on, and when somebody ended a failure for good."""

    deploys: tuple[Deploy, ...]
    """In the order of time."""
    changes: tuple[Changed, ...]
    cured: dict[Mend, float] = field(default_factory=dict[Mend, float])

    def deployed(self, version: str, at: float, minutes: float) -> Production:
        return replace(self, deploys=_ordered((*self.deploys, Deploy(version, at, minutes))))

    def turned_off(self, name: str, at: float) -> Production:
        changes = (replace(c, off_at=at) if c.name == name else c for c in self.changes)
        return replace(self, changes=tuple(changes))

    def cure(self, what: Sequence[Mend], at: float) -> Production:
        return replace(self, cured={**dict.fromkeys(what, at), **self.cured})

    def shares(self, at: float) -> dict[str, float]:
        """Return the share of traffic by release: the newest take theirs of the older ones."""
        shares: dict[str, float] = {}
        rest = 1.0
        for deploy in reversed(self.deploys):
            if (part := deploy.share(at) * rest) > 0.0:
                shares[deploy.version] = shares.get(deploy.version, 0.0) + part
                rest -= part
            if rest <= 0.0:
                break
        return shares

    def strength(self, failure: Failure, at: float, shares: dict[str, float]) -> float:
        """Return how much of a failure's full strength there is at a minute."""
        when = failure.when
        if not when.begins <= at < when.ends or at >= self.cured.get(failure.mend, ALWAYS):
            return 0.0
        if when.change is not None and not self._is_on(when.change, at):
            return 0.0
        if when.every and (at - when.begins) % when.every >= when.lasts:
            return 0.0
        strength = 1.0
        if when.ramp:
            strength = min(1.0, 0.05 + (at - when.begins) / when.ramp)
        if when.fades:
            strength *= math.exp((when.begins - at) / when.fades)
        if when.releases is not None:
            strength *= sum(s for v, s in shares.items() if v in when.releases)
        return strength

    def _is_on(self, name: str, at: float) -> bool:
        return any(c.name == name and c.at <= at < c.off_at for c in self.changes)
