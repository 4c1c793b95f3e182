"""Sentry, answered from a world's events. Nothing is canned: each answer is counted when asked."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.ports.ports import PortError
from phases.ports.tracker_values import (
    EventDetail,
    EventPicture,
    IssuePage,
    IssueRow,
    Minutes,
    OtherErrors,
    UserShare,
)
from phases.record.findings import DeploySeen, Release, Share
from phases.record.service import Service
from phases.record.traffic_seen import TrafficSeen
from phases.triage.deploys.deploy_history import STANDS_IN
from tests.judgement.changes import evaluated
from tests.judgement.events import KNOWN, Events, earlier
from tests.judgement.hindsight import Hindsight
from tests.judgement.ports import commit_of, deploy_seen
from tests.judgement.world import World

PAGE = 100
"""Sentry's rows a page."""
GROWING = timedelta(seconds=90)
"""Minutes that may still grow, as `bot/clients/sentry/client.py` takes them."""
YEARS = 3 * 365
PAGES_A_MINUTE, REPEATS = 3.0, 4.0
"""Requests of a person in a minute, and so many more of one who meets an error."""
STEP = 5
"""Minutes of a step of the service's history."""
PLACES = ("organisation", "region", "browser")
REGIONS = ("eu", "us", "ap")
BROWSERS = ("Chrome", "Chrome", "Chrome", "Safari", "Firefox")


@dataclass
class Tracker:
    """Sentry, over the events of a world."""

    world: World
    events: tuple[Events, ...]

    # --- the questions of `ErrorTracker` -------------------------------------------------------

    def clock_ahead(self) -> timedelta:
        return timedelta(0)

    async def page(
        self,
        services: Sequence[Service],
        since: datetime,
        until: datetime,
        *,
        after: str | None = None,
    ) -> IssuePage:
        rows = [row for e in self._of(services) if (row := self._row(e, since, until)).events > 0]
        rows = sorted((*rows, *self._monitors(services, since, until)), key=lambda r: -r.events)
        begin = int(after or 0)
        more = str(begin + PAGE) if len(rows) > begin + PAGE else None
        made = self.world.zero - timedelta(days=YEARS)
        return IssuePage(rows=tuple(rows[begin : begin + PAGE]), next=more, since=made)

    async def per_minute(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> Minutes:
        counts: Counter[datetime] = Counter()
        for events in self._of(services, issues):
            for n in self._span(events, since, until):
                counts[self.world.at(events.at[n]).replace(second=0, microsecond=0)] += 1
        this_minute = until.replace(second=0, microsecond=0)
        young = [this_minute - timedelta(minutes=n) for n in range(3)]
        growing = tuple(at for at in young if at + timedelta(minutes=1) > until - GROWING)
        return Minutes(counts=dict(counts), incomplete=growing)

    async def history(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> Minutes:
        """Return all errors by five minutes. What nobody asks about one by one is only counted."""
        counts: Counter[int] = Counter()
        known = -KNOWN + math.floor(self.world.asked)
        for events in self._of(services):
            counts.update(int(events.at[n] // STEP) for n in self._span(events, since, until))
        first = math.ceil(self.world.minute(since) / STEP)
        steps = range(first, math.floor(known / STEP))
        counts.update(earlier(self.world, steps, STEP, random.Random(self.world.seed + 2)))
        return Minutes(counts={self._five(step): n for step, n in counts.items() if n})

    def _five(self, step: int) -> datetime:
        at = self.world.at(step * STEP)
        return at.replace(minute=at.minute // STEP * STEP, second=0, microsecond=0)

    async def transactions(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> Sequence[Share] | None:
        paths: Counter[str] = Counter()
        for events in self._of(services):
            failure = events.failure
            paths.update(failure.paths[events.path[n]] for n in self._span(events, since, until))
        return _shares(paths)

    async def first_event(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> datetime | None:
        firsts = [
            events.at[span[0]]
            for events in self._of(services, issues)
            if (span := self._span(events, since, until))
        ]
        return self.world.at(min(firsts)).replace(microsecond=0) if firsts else None

    async def picture(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> EventPicture:
        people: Counter[int] = Counter()
        paths: Counter[str] = Counter()
        on_path: dict[str, set[int]] = {}
        where = {kind: Counter[str]() for kind in PLACES}
        addresses: set[int] = set()
        total = 0
        for events in self._of(services, issues):
            failure = events.failure
            for n in self._span(events, since, until):
                user = events.user[n]
                total += 1
                if path := failure.paths[events.path[n]]:
                    paths[path] += 1
                    on_path.setdefault(path, set()).add(user)
                people[user] += 1
                if user >= 0 or failure.addresses:
                    addresses.add(10**6 + n % failure.addresses if failure.addresses else user)
                for kind, place in _places(events, n):
                    where[kind][place] += 1
        nobody = people.pop(-1, 0)
        users = tuple(
            UserShare(key=f"u{u}", events=n, addresses=1) for u, n in people.most_common(PAGE)
        )
        return EventPicture(
            events=total,
            users=users,
            user_count=len(people),
            events_without_user=nobody,
            addresses=len(addresses) or None,
            first=await self.first_event(services, issues, since, until),
            transactions=tuple(
                Share(name=path, events=n, users=len(on_path[path] - {-1}))
                for path, n in paths.most_common(PAGE)
            ),
            regions=_shares(where["region"]),
            organisations=_shares(where["organisation"]),
            browsers=_shares(where["browser"]),
        )

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        carried: Counter[str] = Counter()
        for events in self._of([service], issues):
            carried.update(events.release[n] for n in self._span(events, since, until))
        return _shares(carried)

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        there = {
            events.user[n]
            for events in self._of([service])
            for n in self._span(events, since, until)
            if events.user[n] >= 0
        }
        return len(there) or None

    async def others(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> OtherErrors:
        """Count the places among the events besides these issues."""
        where = {kind: Counter[str]() for kind in PLACES}
        for events in self._of([service]):
            if events.failure.id in issues:
                continue
            for n in self._span(events, since, until):
                for kind, place in _places(events, n):
                    where[kind][place] += 1
        return OtherErrors(
            organisations=_shares(where["organisation"]),
            regions=_shares(where["region"]),
            browsers=_shares(where["browser"]),
        )

    async def detail(self, service: Service, issue: str) -> EventDetail | None:
        events = next((e for e in self.events if e.failure.id == issue), None)
        if events is None:
            return None
        failure = events.failure
        return EventDetail(
            exception_type=failure.type,
            exception_value=failure.value,
            handled=failure.handled,
            frames=failure.frames,
            release=events.release[-1] or None,
            environment="production",
            kind="exception",
            flags=evaluated(self.world, events, -1),
        )

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        return None

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Return deploys where CI tells Sentry of them, and the first event of each release."""
        world, deploys_seen = self.world, list[DeploySeen]()
        if world.deploys_from == "sentry":
            own = [d for d in world.deploys if d.begins <= world.asked]
            deploys_seen += [deploy_seen(world, world.service, d, "sentry") for d in own]
        for service, deploys in world.neighbours:
            if service in services:
                theirs = [d for d in deploys if d.begins <= world.asked]
                deploys_seen += [deploy_seen(world, service, d, "sentry") for d in theirs]
        deploys_seen += self._first_events()
        return sorted(deploys_seen, key=lambda d: d.started_at, reverse=True)

    async def count(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> int:
        return sum(len(self._span(e, since, until)) for e in self._of((), issues))

    async def traffic(
        self, service: Service, since: datetime, until: datetime
    ) -> TrafficSeen | None:
        """Return the requests of a span: people ask more often where they meet an error."""
        world = self.world
        if service.name != world.service.name or not world.traces_kept:
            return None
        begin, end = world.minute(since), world.minute(until)
        requests, at = 0.0, begin
        while at < end:
            step = min(1.0, end - at)
            requests += self._requests(at + step / 2) * step
            at += step
        return TrafficSeen(
            requests=requests, kept=round(requests * world.traces_kept), minutes=end - begin
        )

    async def traffic_around(
        self, service: Service, since: datetime, at: datetime, until: datetime
    ) -> tuple[TrafficSeen, TrafficSeen] | None:
        before, after = (
            await self.traffic(service, since, at),
            await self.traffic(service, at, until),
        )
        return (before, after) if before is not None and after is not None else None

    def _requests(self, at: float) -> float:
        """Return the requests of a minute; none of them while the service is down."""
        world = self.world
        if world.down is not None and world.down[0] <= at < world.down[1]:
            return 0.0
        asked_again = REPEATS * Hindsight(world, 0.0).hits(world.production(), at)
        return PAGES_A_MINUTE * world.active * world.traffic(at) + asked_again

    async def new_issues(
        self, service: Service, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        return [
            self._row(e, since, until)
            for e in self._of([service])
            if self.world.at(e.first) >= since and release in e.release
        ]

    async def names_of(self, service: Service, release: str) -> Sequence[str]:
        return (release,)

    async def issue(self, id: str) -> IssueRow:
        for events in self._of((), [id]):
            return self._row(events, self.world.zero, self.world.now)
        raise PortError("Sentry", "no such issue", retryable=False)

    async def by_short_id(self, short_id: str) -> IssueRow:
        return await self.issue(short_id.rpartition("-")[2])

    # --- how they are counted ------------------------------------------------------------------

    def _of(
        self, services: Sequence[Service], issues: Sequence[str] | None = None
    ) -> Iterable[Events]:
        slugs = {slug for service in services for slug in service.sentry}
        for events in self.events:
            failure = events.failure
            its = failure.project or self.world.service.sentry[0]
            if failure.category != "error" or (slugs and its not in slugs):
                continue
            if not issues or failure.id in issues:
                yield events

    def _span(self, events: Events, since: datetime, until: datetime) -> range:
        return events.span(self.world.minute(since), self.world.minute(until))

    def _row(self, events: Events, since: datetime, until: datetime) -> IssueRow:
        """Return the row. The day before comes in hourly buckets (`groupStatsPeriod`)."""
        failure = events.failure
        begin = (until - timedelta(hours=23)).replace(minute=0, second=0, microsecond=0)
        return IssueRow(
            id=failure.id,
            short_id=f"{self.world.service.name.upper()}-{failure.id}",
            title=failure.title,
            url=f"https://sentry.example.com/issues/{failure.id}/",
            project=failure.project or self.world.service.sentry[0],
            level=failure.level,
            first_seen=self.world.at(events.first),
            events=len(self._span(events, since, until)),
            substatus="ongoing" if failure.first is not None else "new",
            handled=failure.handled,
            events_before=len(self._span(events, begin, since)),
            minutes_before=(since - begin) / timedelta(minutes=1),
            category=failure.category,
            hours=self._hours(events, begin, until),
            last_seen=self.world.at(events.at[-1]),
            culprit=failure.paths[events.path[-1]],
        )

    def _hours(
        self, events: Events, begin: datetime, until: datetime
    ) -> tuple[tuple[datetime, int], ...]:
        hours = [begin + timedelta(hours=n) for n in range(24)]
        return tuple(
            (at, len(self._span(events, at, min(at + timedelta(hours=1), until)))) for at in hours
        )

    def _monitors(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> list[IssueRow]:
        """Return issues that the list counts and the data set of errors does not have."""
        rows = [
            self._row(e, since, until)
            for e in self.events
            if e.failure.category != "error" and self.world.service in services
        ]
        return [row for row in rows if row.events > 0]

    def _first_events(self) -> list[DeploySeen]:
        if not self.world.releases_told:
            return []
        firsts: dict[str, float] = {}
        lasts: dict[str, float] = {}
        for events in self._of([self.world.service]):
            for at, version in zip(events.at, events.release, strict=True):
                if version and at < firsts.get(version, at + 1):
                    firsts[version] = at
                if version and at <= self.world.asked:
                    lasts[version] = max(at, lasts.get(version, at))
        first_seen = [
            (d.version, firsts[d.version]) for d in self.world.deploys if d.version in firsts
        ]
        return [
            DeploySeen(
                release=Release(version=version, commit=commit_of(version)),
                service=self.world.service.name,
                started_at=self.world.at(at),
                source=STANDS_IN,
                last_event=self.world.at(lasts[version]) if version in lasts else None,
            )
            for version, at in dict(first_seen).items()
        ]


def _places(events: Events, n: int) -> list[tuple[str, str]]:
    """Return the organisation, region and browser of an event, where people send it."""
    failure, user = events.failure, events.user[n]
    if not failure.users:
        return []
    user = user if user >= 0 else n
    return [
        ("organisation", failure.customer or f"customer-{user % 23}"),
        ("region", failure.region or REGIONS[user % 3]),
        ("browser", failure.browser or BROWSERS[user % 5]),
    ]


def _shares(counts: Counter[str]) -> tuple[Share, ...]:
    return tuple(Share(name=name, events=n) for name, n in counts.most_common(PAGE))
