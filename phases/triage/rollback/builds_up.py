"""Phase 1: is it something that builds up in a release, as a leak does, or is it the load?

A leak is the release's, however many hours ago it was deployed. More people, jobs that fall behind
and a few who loop bring failures with the same words, and a rollback ends none of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from phases.record.findings import DeploySeen
from phases.text.wording import counted
from phases.triage.deploys.beginning_text import rollout_end
from phases.triage.picture.false_alarms import SAME_FEW, SHOUTED
from phases.triage.picture.fire import HOUR, MINUTE
from phases.triage.rollback.crash_points import CrashPoints, Point
from phases.triage.rollback.more_people import OVERLOAD_EDGES, SURGE_FACTOR, is_job
from phases.triage.rollback.situation import Situation

PROVEN_AFTER = timedelta(hours=24)
"""A release that has borne each hour of a day under traffic does not run dry by itself."""
SHAPED, FADING_SHARE = timedelta(minutes=5), 0.4
"""A fire that is younger shows no shape. From then on, what has so much of its events in its first
third is no leak, which never eases by itself: of 19 such drawn fires 2 were."""
RESTART_LASTS = timedelta(minutes=3)
"""What ran before a deploy is gone so long after its end, and what runs shows in as long again."""
SHAPE_EVENTS_LEAST = 20
"""Events that show a shape."""
GROWTH_LASTS = timedelta(minutes=20)
GROWTH_FACTOR = 2
"""The second half of a slow burn has at least so many times the events of the first."""
GROWTH_START_SHARE = 1 / 20
"""Of its events, in the second quarter: a fire that began at once has only noise there."""
TRAFFIC_SURGE = 4
"""More people came before anything failed, and something was too much: that needs no leak."""
BACKLOG = 4
"""Only background jobs fail, at an edge, more than an hour after the deploy: a queue that falls
behind does so without a release."""
FEW_USERS_LOUD = 2
"""A few users have many events each: what is in their accounts does so in any release."""


@dataclass(frozen=True, slots=True)
class BuildsUp:
    """The suspect, and the shape and the load of what fails since."""

    situation: Situation
    suspect: DeploySeen
    began: datetime
    crash: CrashPoints

    def wears_out(self) -> bool:
        """Say whether it may be a leak of the suspect, where these failures are new to it."""
        ran = self.began - rollout_end(self.suspect)
        may = HOUR < ran <= PROVEN_AFTER and not self._rushed() and not self._outlived_restart()
        runs_dry = self.used_up and not self._fades() and not self._few_loud()
        return may and (self._grows() or runs_dry)

    @property
    def used_up(self) -> bool:
        return self.crash.exhausted or self.crash.fills_disk

    def points(self) -> Iterator[Point]:
        """Yield what explains it as well as the release does, by how many come."""
        if self._rushed():
            times = f"{self.situation.rush:.1f} times the requests of the hour before"
            yield Point(f"At least {times} came just before it failed.", -TRAFFIC_SURGE)
        pages = [share.name for share in self.situation.blast.top_features]
        at_edge = self.crash.exhausted or self.crash.edge is not None
        later = self.began - rollout_end(self.suspect) > HOUR
        if later and at_edge and pages and all(map(is_job, pages)):
            yield Point("Only background jobs fail: a backlog explains that as well.", -BACKLOG)
        if users := self._few_loud():
            who = f"Only {counted(users, 'user')} {'runs' if users == 1 else 'run'} into it"
            yield Point(
                f"{who}, {round(self.situation.events / users)} times each.", -FEW_USERS_LOUD
            )

    def _few_loud(self) -> int:
        """Return how many users run into it, where they are few and have many events each; or 0."""
        users = self.situation.blast.user_count or 0
        return users if users <= SAME_FEW and self.situation.events >= SHOUTED * users else 0

    def _rushed(self) -> bool:
        """Say whether more people came just before, and something was too much for it."""
        overloaded = self.crash.exhausted or self.crash.edge in OVERLOAD_EDGES
        return overloaded and self.situation.rush >= SURGE_FACTOR

    def _outlived_restart(self) -> bool:
        """Say whether a later deploy started all of it anew, and it goes on: no leak does.

        Where the suspect still has events, the later one runs beside it.
        """
        last = self.situation.known.last.get(self.suspect.release.version)
        for deploy in self.situation.known.deploys:
            out = rollout_end(deploy) + RESTART_LASTS
            if deploy.started_at <= self.began or self.situation.now - out < RESTART_LASTS:
                continue
            if last is None or last > out:
                continue
            before = self._rate(self.began, deploy.started_at)
            if self._rate(out, self.situation.now) >= before / 2 > 0:
                return True
        return False

    def _rate(self, begin: datetime, end: datetime) -> float:
        """Return the events a minute between two times, whole minutes."""
        inside = [n for at, n in self.situation.minutes.items() if begin <= at < end - MINUTE]
        return sum(inside) / max((end - begin) / MINUTE - 1, 1.0)

    def _fades(self) -> bool:
        """Say whether it failed most in its first minutes, and less since: no leak does."""
        burned = self.situation.now - self.began
        minutes = self.situation.minutes.items()
        since = {at: n for at, n in minutes if self.began - MINUTE <= at < self.situation.now}
        events = sum(since.values())
        if burned < SHAPED or events < SHAPE_EVENTS_LEAST:
            return False
        first = sum(n for at, n in since.items() if at < self.began + burned / 3)
        return first >= FADING_SHARE * events

    def _grows(self) -> bool:
        """Say whether the failures have grown steadily since the deploy, as a leak's do."""
        begin, span = self.suspect.started_at, self.situation.now - self.suspect.started_at
        if span < GROWTH_LASTS:
            return False
        quarters = [0, 0, 0, 0]
        for at, events in self.situation.minutes.items():
            if begin <= at < self.situation.now:
                quarters[min(int(4 * ((at - begin) / span)), 3)] += events
        steady = all(a < b for a, b in pairwise(quarters))
        first, second = sum(quarters[:2]), sum(quarters[2:])
        began_early = quarters[1] > 0 and quarters[1] >= GROWTH_START_SHARE * (first + second)
        return steady and began_early and second >= GROWTH_FACTOR * first
