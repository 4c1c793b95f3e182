"""Phase 1: the releases to which a rollback may go: those that were shown to be well.

A release is judged by each period in which it ran. One that was rolled back once, and ran well for
days since, is well; one that ran for two minutes proves nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from phases.record.findings import DeploySeen, Release
from phases.record.service import DEPLOYABLE, HOTFIX
from phases.shared.counts import most_usual
from phases.text.wording import lasting, listed
from phases.triage.deploys.deploy_history import History
from phases.triage.picture.blast_radius import SPIKE_EVENTS, SPIKE_FACTOR
from phases.triage.picture.fire import (
    CHANCE,
    FEW,
    LOUD_SHARE,
    LOUDER,
    MINUTE,
    STEP,
    Series,
    step_of,
    time_of,
)

ROLLED_BACK_WITHIN = timedelta(days=1)  # Healthy: "deployed over it within a day"
ROLLOUT_NOISE_LASTS = timedelta(minutes=10)
"""What burns in the first minutes of a release may still be the one before, as it goes out."""
SHOWN_REJECTED_TARGETS = 2
"""So many of the newer releases are said not to be taken, and why."""


CURE_RAN_SHARE = 1 / 3
"""Of the window: so long must a release have run whose deploy ended what burned before it. The one
before it is known to be worse."""
BEFORE_CURE = timedelta(minutes=10)
"""Before a deploy: what burns then, and not after it, was ended by it."""
LATE_EVENTS_LAST = timedelta(hours=1)
"""Old tabs and queues of a release that is gone have ended by then."""


@dataclass(frozen=True, slots=True)
class EarlierFire:
    """The incident's issues before trouble began: whether they burned in an earlier release."""

    minutes: Mapping[datetime, int]
    """Their events by minute."""
    least: float
    """Their events within a window from which on they burn: beyond what is usual."""
    window: timedelta
    series: Series | None = None
    """All errors of the service."""

    def burned_otherwise(self, end: datetime, since: datetime | None = None) -> bool:
        """Say whether errors that are gone since burned until `end`: then that deploy ended them.

        All errors of the last ten minutes are held against the usual ones, without the incident's;
        of these minutes only those that lie behind `since`.
        """
        begin, stop = step_of(end) - BEFORE_CURE // STEP, step_of(end)
        begin = begin if since is None else max(begin, step_of(since) + 1)
        if self.series is None or begin >= stop:
            return False
        minutes = (stop - begin) * STEP / MINUTE
        of_incident = sum(
            n for at, n in self.minutes.items() if time_of(begin) <= at < time_of(stop)
        )
        events, usual = (
            self.series.events(begin, stop) - of_incident,
            self.series.usual(begin, stop),
        )
        over = max(most_usual(usual, minutes, CHANCE), FEW)
        loud = events > over and events >= LOUDER * usual.per_minute * minutes
        return loud and events >= self.least * (minutes / (self.window / MINUTE))

    def burned(self, begin: datetime, end: datetime) -> bool:
        """Say whether some window within this span had so many of them.

        A minute that reaches beyond the span is the next release's as well, and counts for neither.
        """
        end -= MINUTE
        inside = sorted((at, n) for at, n in self.minutes.items() if begin <= at <= end and n > 0)
        first, total = 0, 0
        for at, events in inside:
            total += events
            while inside[first][0] <= at - self.window:
                total -= inside[first][1]
                first += 1
            if total >= self.least:
                return True
        return False


def earlier_fire(
    minutes: Mapping[datetime, int],
    began: datetime | None,
    now: datetime,
    usual: float,
    window: timedelta,
    series: Series | None = None,
) -> EarlierFire | None:
    """Return what tells whether issues burned before; None where their minutes are not known.

    `usual`: their events a minute before trouble began; `series`: all errors of the service.
    """
    if began is None or not minutes:
        return None
    since = began.replace(second=0, microsecond=0)
    burning = sum(events for at, events in minutes.items() if at >= since)
    spans = max((now - since) / window, 1 / 15)
    spiking = SPIKE_FACTOR * usual * (window / MINUTE)
    least = max(float(SPIKE_EVENTS), spiking, burning / spans / LOUD_SHARE)
    return EarlierFire({at: n for at, n in minutes.items() if at < since}, least, window, series)


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which one release ran."""

    deploy: DeploySeen
    until: datetime
    next: DeploySeen | None = None
    """The deploy that ended it."""

    @property
    def version(self) -> str:
        return self.deploy.release.version


@dataclass(frozen=True, slots=True)
class Targets:
    """Releases that a rollback may go to, the newest first."""

    releases: tuple[Release, ...] = ()
    why: str = ""
    """Why the first of them, where it is not simply the release before the suspect."""


def periods(known: History, until: datetime) -> list[Period]:
    """Return the periods that began before `until`, newest first.

    Two deploys of one release after each other are one period.
    """
    deploys: list[DeploySeen] = []
    for deploy in sorted(known.deploys, key=lambda d: d.started_at):
        if deploy.started_at >= until:
            break
        if deploys and deploys[-1].release.version == deploy.release.version:
            bad = deploys[-1].rolled_back or deploy.rolled_back
            deploys[-1] = deploys[-1].model_copy(update={"rolled_back": bad})
        else:
            deploys.append(deploy)
    ended = [Period(deploy, after.started_at, after) for deploy, after in pairwise(deploys)]
    return [*ended, *(Period(deploy, until) for deploy in deploys[-1:])][::-1]


def why_not_healthy(
    period: Period, known: History, window: timedelta, fire: EarlierFire | None
) -> str:
    """Return why a period does not show that its release is well; empty where it does."""
    ran, after = period.until - period.deploy.started_at, period.next
    if period.deploy.rolled_back:
        return "was rolled back"
    if (
        after is not None
        and ran <= ROLLED_BACK_WITHIN
        and known.first[after.release.version] < known.first[period.version]
    ):
        return "was rolled back"
    if _was_put_back(period.deploy, known):
        return "was rolled back"
    if after is not None and HOTFIX.fullmatch(after.release.version):
        return "needed a hotfix"
    cured = fire is not None and fire.burned_otherwise(period.deploy.started_at)
    if ran < window * (CURE_RAN_SHARE if cured else 1):
        return f"ran for {lasting(ran)} only"
    settled = min(ROLLOUT_NOISE_LASTS, ran / 2)
    if fire is not None and fire.burned(period.deploy.started_at + settled, period.until):
        return "failed alike"
    if fire is not None and fire.burned_otherwise(period.until, period.deploy.started_at):
        return "burned with other errors until its end"
    return ""


def _was_put_back(deploy: DeploySeen, known: History) -> bool:
    """True where an older release has events long after this one's last: it was put back.

    Asked only where first events stand for deploys: they do not show that a release runs again.
    """
    last = deploy.last_event
    return last is not None and any(
        other.last_event is not None and other.last_event > last + LATE_EVENTS_LAST
        for other in known.deploys
        if known.stands_in and other.started_at < deploy.started_at
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """The releases that a rollback may go to, as far as anybody knows them."""

    known: History
    listed: Collection[Release] | None
    """The deployer's list; None where it cannot be asked: then there is no target."""
    running: Release | None = None
    burning: Collection[str] = ()
    """Versions with an open incident of their own."""
    rolled_back: Collection[str] = ()
    """Versions that this incident rolled back."""


def targets_of(
    suspect: DeploySeen | None,
    candidates: Candidates,
    window: timedelta,
    fire: EarlierFire | None = None,
    *,
    beside: bool = False,
) -> Targets:
    """Return the releases that ran before the suspect and were shown to be well.

    A rollback goes never to the suspect, to one deployed since, to what runs already or what this
    incident rolled back, and only to what may be deployed and is in the deployer's list. `beside`:
    the suspect runs beside what the deployer names, as a canary does.
    """
    if suspect is None or candidates.listed is None:
        return Targets()
    known, running = candidates.known, candidates.running
    may = {r.version: r for r in candidates.listed if DEPLOYABLE.fullmatch(r.version)}
    for release in tuple(may.values()):  # by its commit, where the deployer has another name for it
        may.setdefault(known.names.of(release).version, release)
    out = {d.release.version for d in known.deploys if d.started_at >= suspect.started_at}
    out |= {suspect.release.version, *map(known.names.called, candidates.rolled_back)}
    out |= {known.names.of(running).version} if running is not None and not beside else set()
    burns = {known.names.called(version) for version in candidates.burning}
    chosen: dict[str, Release] = {}
    passed: dict[str, str] = {}
    for period in periods(known, suspect.started_at):
        version = period.version
        if version in out or version in chosen:
            continue
        why = why_not_healthy(period, known, window, fire)
        if version in burns:
            why = "has an open incident of its own"
        elif version not in may:
            why = "cannot be deployed"
        if why:
            passed.setdefault(version, why) if not chosen else None
            continue
        commit = may[version].commit or period.deploy.release.commit
        chosen[version] = may[version].model_copy(update={"commit": commit})
    return Targets(tuple(chosen.values()), _why_chosen(tuple(chosen), passed))


def _why_chosen(chosen: Sequence[str], passed: Mapping[str, str]) -> str:
    """Return `v1, because v2 ran for 2 min only.`"""
    over = [f"{version} {why}" for version, why in passed.items() if version not in chosen[:1]]
    if not chosen or not over:
        return ""
    return f"To {chosen[0]}, because {listed(over, most=SHOWN_REJECTED_TARGETS)}."
