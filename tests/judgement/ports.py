"""The ports of `phases/ports/`, answered from a world's events as the clients answer from Sentry,
GitHub and Git. Nothing is canned: each answer is counted when it is asked for.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.ports.ports import DeployState, HotfixRef, PortError
from phases.ports.source_values import Commit, Covered, Place
from phases.ports.tracker_values import (
    EventDetail,
    EventPicture,
    IssuePage,
    IssueRow,
    Minutes,
    UserShare,
)
from phases.record.findings import DeploySeen, EndpointAnswer, Frame, Release, Share, Suspect
from phases.record.service import Service
from phases.record.traffic_seen import TrafficSeen
from phases.triage.deploy_history import STANDS_IN
from tests.judgement.events import KNOWN, Events, poisson
from tests.judgement.world import Deploy, World

PAGE = 100
"""Sentry's rows a page."""
GROWING = timedelta(seconds=90)
"""Minutes that may still grow, as `bot/clients/sentry/client.py` takes them."""
YEARS = 3 * 365
STEP = 5
"""Minutes of a step of the service's history."""
REGIONS = ("eu", "us", "ap")


def commit_of(version: str) -> str:
    return version.encode().hex().ljust(40, "e")[:40]


def seen(
    world: World, service: Service, deploy: Deploy, source: str, *, ends_only: bool = False
) -> DeploySeen:
    ended = deploy.ends <= world.asked
    return DeploySeen(
        release=Release(version=deploy.version, commit=commit_of(deploy.version)),
        service=service.name,
        started_at=world.at(deploy.ends if ends_only else deploy.begins),
        finished_at=world.at(deploy.ends) if ended else None,
        source=source,
    )


@dataclass
class Tracker:
    """Sentry, over the events of a world."""

    world: World
    events: tuple[Events, ...]

    # --- the questions of `ErrorTracker` -------------------------------------------------------

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
        rng = random.Random(self.world.seed + 2)
        first = math.ceil(self.world.minute(since) / STEP)
        for step in range(first, math.floor(known / STEP)):
            at = step * STEP
            counts[step] += poisson(rng, self.world.burned_before(at, at + STEP))
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
        customers: Counter[str] = Counter()
        regions: Counter[str] = Counter()
        addresses: set[int] = set()
        total = 0
        for events in self._of(services, issues):
            failure = events.failure
            for n in self._span(events, since, until):
                user = events.user[n]
                total += 1
                if path := failure.paths[events.path[n]]:
                    paths[path] += 1
                people[user] += 1
                if user >= 0 or failure.addresses:
                    addresses.add(10**6 + n % failure.addresses if failure.addresses else user)
                if user >= 0:
                    customers[failure.customer or f"customer-{user % 23}"] += 1
                    regions[failure.region or REGIONS[user % 3]] += 1
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
            transactions=_shares(paths),
            regions=_shares(regions),
            organisations=_shares(customers),
        )

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        carried: Counter[str] = Counter()
        for events in self._of([service], issues):
            carried.update(events.release[n] for n in self._span(events, since, until))
        return _shares(carried)

    async def others(
        self,
        service: Service,
        issues: Sequence[str],
        only: Mapping[str, str],
        span: tuple[datetime, datetime],
    ) -> Mapping[str, tuple[int, int]]:
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in only}
        for events in self._of([service]):
            if events.failure.id in issues:
                continue
            for n in self._span(events, *span):
                user = events.user[n]
                if user >= 0 and "organisation" in counts:
                    name = events.failure.customer or f"customer-{user % 23}"
                    counts["organisation"][name] += 1
                if user >= 0 and "region" in counts:
                    counts["region"][events.failure.region or REGIONS[user % 3]] += 1
        for kind, name in only.items():
            counts[kind].pop(name, None)
        return {kind: (len(found), sum(found.values())) for kind, found in counts.items()}

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        there = {
            events.user[n]
            for events in self._of([service])
            for n in self._span(events, since, until)
            if events.user[n] >= 0
        }
        return len(there) or None

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
        )

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        return None

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Return deploys where CI tells Sentry of them, and the first event of each release."""
        world, found = self.world, list[DeploySeen]()
        if world.told == "sentry":
            own = [d for d in world.deploys if d.begins <= world.asked]
            found += [seen(world, world.service, d, "sentry") for d in own]
        for service, deploys in world.neighbours:
            if service in services:
                theirs = [d for d in deploys if d.begins <= world.asked]
                found += [seen(world, service, d, "sentry") for d in theirs]
        found += self._first_events()
        return sorted(found, key=lambda d: d.started_at, reverse=True)

    async def count(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> int:
        return sum(len(self._span(e, since, until)) for e in self._of((), issues))

    async def traffic(
        self, service: Service, since: datetime, until: datetime
    ) -> TrafficSeen | None:
        return None

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
        for events in self._of([self.world.service]):
            for at, version in zip(events.at, events.release, strict=True):
                if version and at < firsts.get(version, at + 1):
                    firsts[version] = at
        told = [(d.version, firsts[d.version]) for d in self.world.deploys if d.version in firsts]
        return [
            DeploySeen(
                release=Release(version=version, commit=commit_of(version)),
                service=self.world.service.name,
                started_at=self.world.at(at),
                source=STANDS_IN,
            )
            for version, at in dict(told).items()
        ]


def _shares(counts: Counter[str]) -> tuple[Share, ...]:
    return tuple(Share(name=name, events=n) for name, n in counts.most_common(PAGE))


@dataclass
class Deployer:
    """The deployer of the service: it knows what runs, and every release that was built."""

    world: World

    async def running(self, service: Service) -> Release | None:
        begun = [d for d in self.world.deploys if d.ends <= self.world.asked]
        newest = max(begun, key=lambda d: d.begins, default=None)
        return Release(version=newest.version) if newest else None

    async def releases(self, service: Service) -> Sequence[Release]:
        known = [v for v in self.world.order if self._begun(v)]
        return [Release(version=v, commit=commit_of(v)) for v in reversed(known)]

    def _begun(self, version: str) -> bool:
        return any(
            d.version == version and d.begins <= self.world.asked for d in self.world.deploys
        )

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        raise AssertionError("triage deploys nothing")

    async def look(self, service: Service, deploy_id: str) -> DeployState:
        raise AssertionError("triage looks at no deploy")

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        raise AssertionError("triage gives up no deploy")


@dataclass
class Front:
    """The endpoint of the service, as somebody outside calls it."""

    world: World

    async def call(self, url: str) -> EndpointAnswer:
        down = self.world.down
        if down is not None and down[0] <= self.world.asked < down[1]:
            return EndpointAnswer(ok=False, said="no answer within 5 s")
        return EndpointAnswer(ok=True, said="200 in 31 ms")


@dataclass
class GitHubDeploys:
    """GitHub's deployments, where CI makes them."""

    world: World

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        if self.world.told != "github":
            return ()
        begun = [d for d in self.world.deploys if d.begins <= self.world.asked]
        return [seen(self.world, self.world.service, d, "github") for d in reversed(begun)]


@dataclass
class Code:
    """The repository: each release with the commits that it brought."""

    world: World

    def remarks(self, service: Service) -> Sequence[str]:
        return ()

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        order = self.world.order
        if older not in order or newer not in order:
            raise PortError("git", f"{older}..{newer} is not known", retryable=False)
        between = order[order.index(older) + 1 : order.index(newer) + 1]
        return [c for version in reversed(between) for c in self.world.code.get(version, ())]

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]:
        """Return what differs between the two, in whatever order they were made."""
        ends = sorted((older, newer), key=self.world.order.index)
        commits = await self.commits(service, *ends)
        return sorted({file.path for commit in commits for file in commit.files})

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        return Place(path=frame.file if frame.in_app else None)

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        order = self.world.order
        for version in reversed(order[: order.index(release) + 1] if release in order else ()):
            for commit in self.world.code.get(version, ()):
                if any(f.path == file for f in commit.files):
                    return Suspect(sha=commit.sha, subject=commit.subject, at=commit.at)
        return None

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        return ()

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        return self.world.fixes

    async def commit(self, service: Service, sha: str) -> Commit | None:
        every = (c for commits in self.world.code.values() for c in commits)
        return next((c for c in every if c.sha == sha), None)

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        return None


def told_by_webhook(world: World) -> list[DeploySeen]:
    """Return what CI's webhook told: the end of each deploy that has ended."""
    if world.told != "webhook":
        return []
    ended = [d for d in world.deploys if d.ends <= world.asked]
    return [seen(world, world.service, d, "webhook", ends_only=True) for d in reversed(ended)]
