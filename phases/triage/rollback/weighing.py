"""Phase 1: would going back end it? What points to the suspect, and what points away from it.

Each point has a weight, and the sum decides, so that one more point against a release never makes
it more guilty. Trouble minutes after a deploy weighs `MINUTES_AFTER`, and that alone is enough:
about 70 % of outages are due to changes (https://sre.google/sre-book/introduction/). What weighs 5
or 6 outweighs it; `DECISIVE` leaves nothing to weigh.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.record.findings import (
    DeploySeen,
)
from phases.record.going_back import Likelihood
from phases.shared.counts import SPREAD_ASSUMED, at_least_above
from phases.text.wording import capital, lasting, listed, short
from phases.triage.deploys.beginning_text import (
    CLOCKS,
    beginning_sentence,
    rollout_end,
    start_is_unknown,
)
from phases.triage.deploys.deploy_history import FIRST_EVENTS
from phases.triage.picture.blast_radius import ERROR, MINUTE, events_beyond_usual
from phases.triage.picture.fire import DAY, HOUR
from phases.triage.rollback.builds_up import PROVEN_AFTER, BuildsUp
from phases.triage.rollback.crash_points import DECISIVE, CrashPoints, Point
from phases.triage.rollback.situation import Situation

LIKELY, UNLIKELY = 3, -1  # the sum from which on, and down to which

AS_IT_WENT_OUT, MINUTES_AFTER, SAME_HOUR = 4, 3, 1
ROLLED_OUT = timedelta(minutes=2)
"""So soon after the end of its rollout it began as the release went out."""
SOON_AFTER = timedelta(minutes=15)
RAN_WELL = ((timedelta(hours=24), 4), (timedelta(hours=6), 3), (timedelta(hours=2), 2), (HOUR, 1))
"""Run for so long under traffic before trouble began → points away from it."""
RAN_WELL_OF_NEW_CODE = 0
"""Hours of good running weigh nothing, where the release changed the file that crashes and
the crash was never seen before: its code was asked for late. 26 of 26 of such fires were the
release's, against 1 in 5 of the others of that age (drawn worlds)."""
BEGAN_BEFORE = 5
FIRST_SEEN_IN_IT, OLDER_ISSUES = 1, 2
OLDER_ISSUES_SHARE = 1 / 2
"""Of the events, in issues that are older than the release: then the fire is."""
ONLY_ONE_FAILS = 4
"""The release fails, and others that run at the same time do not: as good as a test."""
EARLIER_RELEASES_SHARE = 1 / 5
"""Of the events, carried by earlier releases beyond what is usual: going back would not help."""
UNAFFECTED_RELEASE_SHARE = 1 / 20
"""Of the events: a release that carries no more of them, beyond what is usual, does not fail."""
CURE_AFTER = timedelta(minutes=5)
CURE_PER_WINDOW = 1 / 3  # the same, beside a shorter window
NOT_YET_RUNNING = 2
STARTED = 1
STARTED_BEFORE_OUTAGE = 4
"""A release that is down now sent events long after its deploy: it had started."""
WEARS_OUT = 4
CONFINED_TO_ONE = {"organisation": 5, "region": 5, "client": 3, "browser": 2}
"""A release can break one browser; it seldom breaks one customer or one region."""
OTHERS_EVENTS_LEAST = 20
"""Events of other organisations, regions or browsers, which show that they are there."""
RARE_BEFORE_SHARE = 1 / 20
"""Of the rate of now: an issue that was so rare before tells nothing by its age."""
NEAREST_CHANGE, ALSO_NEAR = 5, 2
NEARER_FACTOR = 2
"""A change that is nearer to the beginning by this factor explains it better."""
RAN_WELL_BEFORE_REDEPLOY = 6
"""The same release was deployed once more, and had run well before."""
NEVER_REACHED = re.compile(r"certificate|name cannot be resolved")
"""The endpoint's answer (`bot/clients/http/unreachable.py`) where no request reached it."""
OVER_TRAFFIC_SHARE = 0.3
"""Of the traffic of the fire: even with so little, silence would be no chance."""
OVER_CHANCE = 0.001


@dataclass(frozen=True, slots=True)
class Weighing:
    points: tuple[Point, ...] = ()

    @property
    def sum(self) -> int:
        return sum(point.weight for point in self.points)

    @property
    def likely(self) -> Likelihood:
        if self.sum >= LIKELY:
            return Likelihood.LIKELY
        return Likelihood.UNLIKELY if self.sum <= UNLIKELY else Likelihood.UNDECIDED

    @property
    def points_to(self) -> tuple[str, ...]:
        return tuple(p.says for p in sorted(self.points, key=_weight, reverse=True) if p.weight > 0)

    @property
    def points_away(self) -> tuple[str, ...]:
        return tuple(p.says for p in sorted(self.points, key=_weight) if p.weight < 0)


def _weight(point: Point) -> int:
    return point.weight


def weigh(situation: Situation) -> Weighing | None:
    """Weigh what is known of the suspect; None where there is none."""
    if situation.suspect is None or (began := _trouble_began(situation)) is None:
        return None
    case = SuspectPoints(
        situation,
        situation.suspect,
        began,
        CrashPoints(situation, situation.suspect.release.version),
    )
    return Weighing(tuple(point for point in case.points() if point.weight))


def is_near(situation: Situation) -> bool:
    """Say whether the suspect went out within the hour before trouble began."""
    began = _trouble_began(situation)
    if situation.suspect is None or began is None:
        return False
    return began - rollout_end(situation.suspect) <= HOUR


def _trouble_began(situation: Situation) -> datetime | None:
    """Return when it began, as far as that is known: a service that is down is down now."""
    return situation.now if situation.blast.down else situation.began


@dataclass(frozen=True, slots=True)
class SuspectPoints:
    """One suspect, and the trouble."""

    situation: Situation
    suspect: DeploySeen
    began: datetime
    crash: CrashPoints

    @property
    def version(self) -> str:
        return self.suspect.release.version

    @property
    def _builds_up(self) -> BuildsUp:
        return BuildsUp(self.situation, self.suspect, self.began, self.crash)

    @property
    def _wears_out(self) -> bool:
        return self._is_new_failure() and self._builds_up.wears_out()

    def points(self) -> Iterator[Point]:
        yield from self._timing_points()
        yield from self._age_points()
        yield from self._release_points()
        yield from self._place_points()
        yield from self._over_points()
        yield from self.crash.points(
            wears_out=self._wears_out, seen_before=not self._is_first_seen()
        )
        yield from self._builds_up.points()
        yield from self._change_points()
        if self.situation.blast.usual and self.situation.blast.sentences:
            yield Point(_sentence(self.situation.blast.sentences[0]), -DECISIVE)

    # --- when -----------------------------------------------------------------------------------

    def _timing_points(self) -> Iterator[Point]:
        started, ended = self.suspect.started_at, rollout_end(self.suspect)
        if (before := self._ran_well_before()) is not None:
            well = f"{self.version} was only deployed again; it had run for {lasting(before)}"
            yield Point(f"{well} before.", -RAN_WELL_BEFORE_REDEPLOY)
            return
        early = started - self.began
        first = self.situation.known.first[self.version]
        was_out = start_is_unknown(self.suspect) or abs(first - self.began) <= CLOCKS
        if early > CLOCKS and self.situation.exact and not was_out:
            yield Point(f"Trouble began {lasting(early)} before {self.version} did.", -BEGAN_BEFORE)
            return
        gap = self.began - ended
        if self.situation.blast.down:
            deployed = f"{self.version} was deployed {lasting(self.began - started)} ago"
            answer = self.situation.endpoint
            if answer is not None and NEVER_REACHED.search(answer.said):
                says = (
                    f"The endpoint's name or certificate fails: no request reached {self.version}."
                )
                yield Point(says, -DECISIVE)
            elif gap <= SOON_AFTER:
                yield Point(f"The endpoint fails, and {deployed}.", MINUTES_AFTER)
            else:
                yield Point(f"{deployed}: one that does not start fails at once.", -STARTED)
            last = self.situation.known.last.get(self.version)
            if last is not None and last - ended > SOON_AFTER:
                ran = f"{self.version} ran for {lasting(last - ended)}, as its last event shows"
                yield Point(f"{ran}.", -STARTED_BEFORE_OUTAGE)
            return
        says = beginning_sentence(self.began, self.suspect, exact=self.situation.exact)
        if self._only_monitors() and gap > SOON_AFTER:
            ran = f"{self.version} ran for {lasting(gap)} before"
            yield Point(f"{ran}: one that does not start fails at once.", -STARTED)
            return
        if gap <= ROLLED_OUT:
            yield Point(says, AS_IT_WENT_OUT)
        elif gap <= SOON_AFTER:
            yield Point(says, MINUTES_AFTER)
        elif gap <= HOUR:
            yield Point(says, SAME_HOUR)
        elif self._wears_out:
            how = "It has grown since the deploy"
            if self._builds_up.used_up:
                how = "Such a failure builds up over time"
            yield Point(f"{how}, and was hardly seen before {self.version}.", WEARS_OUT)
        else:
            weight = next(weight for ran, weight in RAN_WELL if gap > ran)
            weight = min(weight, RAN_WELL_OF_NEW_CODE) if self._code_ran_late(gap) else weight
            ran = f"{self.version} ran well for {lasting(gap)} before"
            yield Point(f"{ran}.", -weight)

    def _ran_well_before(self) -> timedelta | None:
        """Return how long the suspect had run well when it was deployed again; None: it was not.

        Nothing else was deployed in between, and nothing of the fire burned in that time.
        """
        earlier = [
            d for d in self.situation.known.deploys if d.started_at < self.suspect.started_at
        ]
        newest = max(earlier, key=lambda d: d.started_at, default=None)
        if newest is None or newest.rolled_back:
            return None
        since = newest.started_at
        if newest.release.version != self.version:
            since = self.situation.known.first[self.version]
            if since <= newest.started_at or not self._ran_alone(since):
                return None
        ran, fire = self.suspect.started_at - since, self.situation.earlier_fire
        if ran < HOUR or (fire and fire.burned(since, self.suspect.started_at)):
            return None
        return ran

    def _ran_alone(self, since: datetime) -> bool:
        """Say whether no other release had events an hour after a first one, as beside a canary.

        Of each release Sentry tells the last deploy: one that was deployed again had its first
        event long before that.
        """
        known = self.situation.known
        others = [at for version, at in known.last.items() if version != self.version]
        a_deploy = self.suspect.source not in FIRST_EVENTS
        return a_deploy and bool(others) and max(others) <= since + HOUR

    def _only_monitors(self) -> bool:
        """Say whether uptime or cron monitors tell of it, and no error does."""
        issues = self.situation.issues
        return bool(issues) and all(issue.category != ERROR for issue in issues)

    def _over_points(self) -> Iterator[Point]:
        """Nothing comes any more where much would come, and the endpoint answers."""
        last, answer = self.situation.last_event, self.situation.endpoint
        if last is None or self.situation.blast.down or answer is None or not answer.ok:
            return
        burned = max((last - self.began) / MINUTE + 1, 1.0)
        silent = (self.situation.now - last) / MINUTE - 2  # the newest minute may still grow
        events = sum(
            n for at, n in self.situation.minutes.items() if self.began - MINUTE <= at <= last
        )
        if (
            silent <= 0
            or at_least_above(
                OVER_TRAFFIC_SHARE * events / burned * silent, SPREAD_ASSUMED, OVER_CHANCE
            )
            < 0
        ):
            return
        came = f"about {events / burned * silent:.0f} would have come"
        yield Point(f"No event for {lasting(self.situation.now - last)}, where {came}.", -DECISIVE)

    def _code_ran_late(self, ran: timedelta) -> bool:
        """Say whether the release changed what crashes, and that code was asked for only now.

        By a job, at a peak, when a cache or a session has run out.
        """
        code = self.crash.overlap
        changed = code is not None and bool(code.file) and code.crashing
        return (
            changed and ran <= PROVEN_AFTER and self._is_new_failure() and self.crash.edge is None
        )

    # --- which issues, which releases -----------------------------------------------------------

    def _older_share(self) -> float | None:
        """Return the share of events in issues that are older than the release.

        What such an issue usually has is no part of the fire.
        """
        issues, window = self.situation.issues, self.situation.window
        many = {issue.id: max(events_beyond_usual(issue, window), 0.0) for issue in issues}
        if sum(many.values()) <= 0:
            many = {issue.id: float(issue.events) for issue in issues}
        if (events := sum(many.values())) <= 0:
            return None
        grace = window if start_is_unknown(self.suspect) else CLOCKS
        begin = self.suspect.started_at - grace
        return sum(many[i.id] for i in issues if i.first_seen < begin) / events

    def _is_first_seen(self) -> bool:
        older = self._older_share()
        return older is not None and older < 1 - OLDER_ISSUES_SHARE

    def _is_new_failure(self) -> bool:
        """Say whether these failures came with the release, or were rare before it."""
        older = self._older_share()
        return older is not None and (older < 1 - OLDER_ISSUES_SHARE or self._was_rare_before())

    def _was_rare_before(self) -> bool:
        """Say whether there were hardly any of these failures before the release."""
        started = self.suspect.started_at
        times = [at for at, events in self.situation.minutes.items() if events > 0]
        if not times or self.situation.events <= 0:
            return False
        before = sum(n for at, n in self.situation.minutes.items() if at < started - MINUTE)
        known = (started - (self.situation.now - self.situation.window - DAY)) / MINUTE
        lately = self.situation.events / (self.situation.window / MINUTE)
        return known > HOUR / MINUTE and before / known <= lately * RARE_BEFORE_SHARE

    def _age_points(self) -> Iterator[Point]:
        older = self._older_share()
        if older is None or self._only_monitors():
            return
        if older < 1 - OLDER_ISSUES_SHARE:
            yield Point(f"The errors were first seen in {self.version}.", FIRST_SEEN_IN_IT)
        elif not self._was_rare_before():
            yield Point(f"The errors are older than {self.version}.", -OLDER_ISSUES)

    def _release_points(self) -> Iterator[Point]:
        carried = {name: n for name, n in self.situation.by_release.items() if name and n > 0}
        total, known = sum(carried.values()), self.situation.known.first
        if not total:
            return
        before = (v for v in known if v != self.version and known[v] < self.suspect.started_at)
        earlier = [version for version in before if not self._is_unknown_release(version)]
        begin = max(self.situation.now - self.situation.window, self.suspect.started_at)
        usual = self.situation.usual * ((self.situation.now - begin) / MINUTE)
        beyond = sum(carried.get(version, 0) for version in earlier) - usual
        went_out = abs(self.began - rollout_end(self.suspect)) <= SOON_AFTER
        if beyond > total * EARLIER_RELEASES_SHARE and not (self.crash.reads_stored and went_out):
            share = f"{round(100 * min(beyond, total) / total)} % of the events"
            yield Point(f"Earlier releases fail as well: {share} are theirs.", -DECISIVE)
        elif carried.get(self.version) and (spared := self._spared_releases(earlier, usual)):
            runs = "is still running and does" if len(spared) == 1 else "are still running and do"
            yield Point(f"Only {self.version} fails: {listed(spared)} {runs} not.", ONLY_ONE_FAILS)
        yield from self._client_points(carried, total)
        yield from self._cure_points(carried)

    def _spared_releases(self, earlier: list[str], usual: float) -> list[str]:
        """Return earlier releases that had events since, and not beyond what is usual."""
        settled = max(self.began, rollout_end(self.suspect))
        last, carried = self.situation.known.last, self.situation.by_release
        few = usual + sum(carried.values()) * UNAFFECTED_RELEASE_SHARE
        runs = (version for version in earlier if version in last and last[version] > settled)
        return [version for version in runs if carried.get(version, 0) <= few]

    def _client_points(self, carried: dict[str, int], total: int) -> Iterator[Point]:
        """One release of a client carries it, and none of the service: an app was released."""
        name = max(carried, key=lambda name: carried[name])
        read = self.version in self.situation.known.names.sentry and name[0] == "?"
        if (read or self._is_unknown_release(name)) and carried[name] > total * (
            1 - EARLIER_RELEASES_SHARE
        ):
            client = (
                f"{short(name.lstrip('?'), 40)}, which is no release of {self.situation.service}"
            )
            yield Point(f"The events name {client}.", -CONFINED_TO_ONE["client"])

    def _is_unknown_release(self, name: str) -> bool:
        """Say whether nobody deployed a release, nor could: the deployer does not list it."""
        listed_ = {release.version for release in self.situation.listed or ()}
        return self.version in listed_ and name not in listed_ and self._is_strange(name)

    def _is_strange(self, name: str) -> bool:
        """Say whether a release is none of the service's that anybody told of: a client's.

        Its first event stands for no deploy, where deploys are told.
        """
        known = self.situation.known
        deployed = (
            d.release.version
            for d in known.deploys
            if known.stands_in or d.source not in FIRST_EVENTS
        )
        return name[0] == "?" or name not in deployed

    def _cure_points(self, carried: dict[str, int]) -> Iterator[Point]:
        """The newest release has not failed: it may have ended what an earlier one brought."""
        if self.situation.running is None or self.situation.canary:
            return
        running = self.situation.known.names.of(self.situation.running).version
        starts = [
            d.started_at for d in self.situation.known.deploys if d.release.version == running
        ]
        if not starts or running in carried or any(map(self._is_strange, carried)):
            return
        ran = self.situation.now - max(starts)
        sure = ran >= min(CURE_AFTER, self.situation.window * CURE_PER_WINDOW)
        says = f"No event names {self.situation.running.version}, which has run for {lasting(ran)}"
        yield Point(f"{says}: it may be the fix.", -DECISIVE if sure else -NOT_YET_RUNNING)

    # --- where ----------------------------------------------------------------------------------

    def _place_points(self) -> Iterator[Point]:
        for kind, name in self.situation.only.items():
            others, events = self.situation.beside.get(kind, (0, 0))
            if not others or events < OTHERS_EVENTS_LEAST:
                continue
            rest = f"one other {kind} does" if others == 1 else f"{others} others do"
            says = f"All of it is in one {kind}, {short(name, 40)}; {rest} not fail."
            yield Point(says, -CONFINED_TO_ONE[kind])

    # --- what else changed ----------------------------------------------------------------------

    def _change_points(self) -> Iterator[Point]:
        changes = [(change.what, change.at) for change in self.situation.other_changes]
        changes += [
            (f"{d.service} {d.release.version} was deployed", d.started_at)
            for d in self.situation.neighbours
        ]
        grace = CLOCKS if self.situation.exact else MINUTE
        since = [
            (at, what)
            for what, at in changes
            if self.suspect.started_at - MINUTE < at <= self.began + grace
            and self.began - at <= HOUR
        ]
        if not since:
            return
        at, what = max(since)
        since_deploy, since_change = self.began - rollout_end(self.suspect), self.began - at
        nearer = since_deploy > ROLLED_OUT and since_change * NEARER_FACTOR <= since_deploy
        before = "just" if since_change < MINUTE else lasting(since_change)
        says = f"{what} {before} before trouble began."
        yield Point(_sentence(says), -NEAREST_CHANGE if nearer else -ALSO_NEAR)


def _sentence(text: str) -> str:
    return capital(text.rstrip(". ")) + "."
