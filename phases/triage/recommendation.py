"""Phase 1, what to do: the deploy history, the suspect, where a rollback could go, the brakes, and the recommendation.

Values in, values out. Never a rollback without evidence, without a target, or onto the suspect (rules: table and brakes).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from phases.record.findings import (
    BlastRadius,
    Choice,
    Confidence,
    DeploySeen,
    Recommendation,
    Release,
    Word,
)
from phases.record.release_names import Names, names, numbered
from phases.record.service import DEPLOYABLE
from phases.record.wording import capital, counted, lasting, listed, stamp
from phases.triage.blast_radius import UNSURE_EVENTS, who

DAY = timedelta(days=1)
GRACE_PER_WINDOW = 1 / 15  # Suspect: "(a minute of grace)", beside a window of 15 minutes
SAME_DEPLOY = timedelta(
    minutes=10
)  # two sources tell of one deploy: their clocks and moments differ
ROLLED_BACK_WITHIN = DAY  # Healthy: "deployed over it within a day"
OLD = DAY  # Brakes: "the suspect's deploy is more than a day old"
RAN_WELL = timedelta(
    minutes=15
)  # Brakes: "the suspect had run for more than 15 minutes before trouble began"
UNEXPLAINED = 1 / 5  # Brakes: "more than a fifth of the window's events … carry an earlier release"
CURE_AFTER = timedelta(minutes=5)  # Brakes: "although its deploy started 5 or more minutes ago"
CURE_PER_WINDOW = 1 / 3  # the same, beside a shorter window

AGAINST = 5
TRIED = 3  # what was tried last is said beside a recommendation
NOT_SAFE = "A rollback would be the answer, but it is not safe."
AS_MANY = "What is not known counts as many."
BEGAN = "Trouble began"
"""How three of the reasons read: a message that says the same elsewhere leaves them out there."""
AT_ONCE = timedelta(seconds=5)  # less is said as "right after"

SOURCES = ("bot", "webhook", "github", "sentry", "deployer", "first event")
"""Whose word on a deploy is taken, best first (rules: Deploy history)."""
STANDS_IN = "first event"
UNTOLD = "first event, deploys not told"
"""Of a release whose own deploys could not be asked for: it counts beside what is told of the others."""
FIRST_EVENTS = (STANDS_IN, UNTOLD)


# --- history ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class History:
    """Deploys of one service to the counted environment, newest first."""

    deploys: tuple[DeploySeen, ...] = ()
    first: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """Version → when it was first there, as far as anybody knows."""
    names: Names = field(default_factory=Names)

    @property
    def stands_in(self) -> bool:
        """Nobody told of a deploy: the first event of each release stands for it."""
        return bool(self.deploys) and all(d.source == STANDS_IN for d in self.deploys)


def history(*told: Sequence[DeploySeen], deployable: Sequence[Release] = ()) -> History:
    """Joins what several sources tell of one service's deploys, by version, or by commit. `deployable`: the deployer's list.

    First events stand for deploys only where no other source knows any; the bot's own records do not count as one:
    that the bot rolled back once does not mean that ordinary deploys are told of.
    """
    raw = _without_moving(
        [d for source in told for d in source], {one.version for one in deployable}
    )
    by_sentry = [d.release for d in raw if d.source in ("sentry", STANDS_IN)]
    known = names(by_sentry, deployable, (d.release for d in raw))
    everything = [d.model_copy(update={"release": known.of(d.release)}) for d in raw]
    first: dict[str, datetime] = {}
    for d in everything:
        at = first.get(d.release.version)
        first[d.release.version] = d.started_at if at is None else min(at, d.started_at)
    telling = any(d.source not in ("bot", *FIRST_EVENTS) for d in everything)
    joined: list[DeploySeen] = []
    for d in sorted(everything, key=_rank):
        stands = any(_stands_already(d, j) for j in joined)
        if (d.source == STANDS_IN and telling) or (d.source in FIRST_EVENTS and stands):
            continue
        at = next((i for i, j in enumerate(joined) if _same(d, j, everything)), None)
        if at is None:
            joined.append(d)
        else:
            joined[at] = _joined(joined[at], d)
    joined = [_begun(d, first[d.release.version]) for d in joined]
    newest_first = sorted(joined, key=lambda d: (d.started_at, d.release.version), reverse=True)
    return History(tuple(newest_first), first, known)


def _without_moving(told: list[DeploySeen], deployable: Collection[str]) -> list[DeploySeen]:
    """Without Sentry's word on a name such as `main`, which moves, where somebody else tells what was deployed."""
    if all(d.source in ("bot", "sentry", STANDS_IN) for d in told):
        return told
    moves = (
        d.source in ("sentry", STANDS_IN)
        and not numbered(d.release.version)
        and d.release.version not in deployable
        for d in told
    )
    return [d for d, out in zip(told, moves, strict=True) if not out]


def _stands_already(one: DeploySeen, other: DeploySeen) -> bool:
    """The first event of another build of the version stands for a deploy of its own."""
    again = other.source in FIRST_EVENTS and one.started_at != other.started_at
    return one.release.version == other.release.version and not again


def _begun(deploy: DeploySeen, first: datetime) -> DeploySeen:
    """CI's webhook tells of the end only. A first sign of the release shortly before it shows that it had started by then."""
    ends_only = deploy.source == "webhook" and deploy.started_at == deploy.finished_at
    if not ends_only or not deploy.started_at - SAME_DEPLOY <= first < deploy.started_at:
        return deploy
    return deploy.model_copy(update={"started_at": first})


def _rank(deploy: DeploySeen) -> tuple[int, datetime]:
    source = deploy.source
    return (SOURCES.index(source) if source in SOURCES else len(SOURCES), deploy.started_at)


def _same(one: DeploySeen, other: DeploySeen, everything: Sequence[DeploySeen]) -> bool:
    """One deploy told of twice: the same version by two sources, near in time, with nothing else deployed between.

    One source that tells of it twice (GitHub, by its webhook and when it is asked) names the same moment.
    """
    if not other.release.same_as(one.release):
        return False
    if one.source == other.source:
        return one.started_at == other.started_at
    begin, end = sorted((one.started_at, other.started_at))
    between = (d for d in everything if begin < d.started_at < end and d.source != STANDS_IN)
    return end - begin <= SAME_DEPLOY and all(d.release.same_as(one.release) for d in between)


def _joined(better: DeploySeen, other: DeploySeen) -> DeploySeen:
    release = better.release
    if release.commit is None and other.release.commit is not None:
        release = release.model_copy(update={"commit": other.release.commit})
    return better.model_copy(
        update={
            "release": release,
            "finished_at": better.finished_at or other.finished_at,
            "by": better.by or other.by,
            "rolled_back": better.rolled_back or other.rolled_back,
        }
    )


def suspect_of(
    deploys: Sequence[DeploySeen], began: datetime | None, window: timedelta
) -> DeploySeen | None:
    """The deploy that had started last when trouble began, in the order of deploys, not of version numbers."""
    if began is None:
        return None
    grace = window * GRACE_PER_WINDOW
    return max(
        (d for d in deploys if d.started_at <= began + grace),
        key=lambda d: d.started_at,
        default=None,
    )


def was_rolled_back(version: str, known: History) -> bool:
    """Recorded so, or a release first deployed before it was deployed over it within a day."""
    mine = [d for d in known.deploys if d.release.version == version]
    if any(d.rolled_back for d in mine):
        return True
    return any(
        other.release.version != version
        and d.started_at < other.started_at <= d.started_at + ROLLED_BACK_WITHIN
        and known.first[other.release.version] < known.first[version]
        for d in mine
        for other in known.deploys
    )


def healthy_before(
    suspect: DeploySeen | None,
    known: History,
    listed_by_deployer: Collection[Release] | None,
    *,
    burning: Collection[str] = (),
) -> tuple[Release, ...]:
    """Where a rollback may go: the healthy releases deployed before the suspect, the last one first.

    Never the suspect, never one deployed since; only what may be deployed and is in the deployer's list (None: unknown,
    then there is none). `burning` are the versions with an open incident of their own.
    """
    if suspect is None or listed_by_deployer is None:
        return ()
    may = {r.version: r for r in listed_by_deployer if DEPLOYABLE.fullmatch(r.version)}
    for one in tuple(may.values()):
        may.setdefault(
            known.names.of(one).version, one
        )  # by its commit, where the deployer has another name for it
    since = {d.release.version for d in known.deploys if d.started_at >= suspect.started_at}
    afire = {known.names.called(version) for version in burning}
    found: dict[str, Release] = {}
    for d in sorted(known.deploys, key=lambda d: d.started_at, reverse=True):
        version = d.release.version
        if (
            version in found
            or version in since
            or version == suspect.release.version
            or version not in may
        ):
            continue
        if version not in afire and not was_rolled_back(version, known):
            found[version] = may[version].model_copy(
                update={"commit": may[version].commit or d.release.commit}
            )
    return tuple(found.values())


def targets_of(
    suspect: DeploySeen | None,
    known: History,
    listed_by_deployer: Collection[Release] | None,
    running: Release | None,
    *,
    burning: Collection[str] = (),
    rolled_back: Collection[str] = (),
) -> tuple[Release, ...]:
    """The healthy ones, without what runs already and what this incident rolled back."""
    found = healthy_before(suspect, known, listed_by_deployer, burning=burning)
    out = {known.names.called(version) for version in rolled_back}
    out |= {known.names.of(running).version} if running is not None else set()
    return tuple(r for r in found if known.names.of(r).version not in out)


# --- the situation and its brakes ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the decision looks at."""

    now: datetime
    window: timedelta
    service: str
    blast: BlastRadius
    events: int
    began: datetime | None = None
    last_event: datetime | None = None
    known: History = field(default_factory=History)
    suspect: DeploySeen | None = None
    running: Release | None = None
    listed: tuple[Release, ...] | None = ()
    """What the deployer may deploy; None where it cannot be asked, then `cannot_deploy` says why."""
    cannot_deploy: str = ""
    burning: frozenset[str] = frozenset()
    neighbours: tuple[DeploySeen, ...] = ()
    by_release: Mapping[str, int] = field(default_factory=dict[str, int])
    """Events in the window since the suspect's deploy started, by version; `` for those that carry none."""
    one_way: tuple[str, ...] | None = ()
    """One-way paths changed between target and running release; None where that could not be seen."""
    rolled_back: tuple[str, ...] = ()
    """Versions this incident already rolled back."""
    tried: tuple[str, ...] = ()
    """What was done to production in this incident, in sentences."""
    broken_rollbacks: tuple[str, ...] = ()
    """Versions that a rollback of this incident failed to bring back."""
    fix: str | None = None
    """A known fix: the name of a branch or pull request."""
    sampled: bool = False
    deploys_told: bool = True
    """False where Sentry could not be asked for its deploys: another one may be nearer to the trouble."""
    unasked: tuple[str, ...] = ()
    """What else could not be asked, in sentences."""

    @property
    def targets(self) -> tuple[Release, ...]:
        return targets_of(
            self.suspect,
            self.known,
            self.listed,
            self.running,
            burning=self.burning,
            rolled_back=self.rolled_back,
        )


def brakes(s: Situation) -> tuple[str, ...]:
    """Why a rollback is not recommended here, each in a sentence; none: the road is free (rules: Brakes)."""
    if s.began is None:
        return ("When trouble began is not known, so no release is the suspect.",)
    if s.suspect is None:
        if not s.deploys_told:
            return ("Sentry's deploys could not be asked for, so no release is the suspect.",)
        return (f"No deploy of {s.service} is known from before trouble began.",)
    suspect = s.suspect.release.version
    found: list[str] = []
    if s.listed is None:
        found.append(capital(f"{s.cannot_deploy or 'the deployer cannot be asked'}."))
    elif not s.targets:
        found.append(f"No healthy release from before {suspect} can be deployed.")
    if s.one_way is None:
        found.append("Whether a one-way path changed since then cannot be seen.")
    elif s.one_way:
        found.append(f"A one-way path changed since then: {listed(s.one_way)}.")
    age = s.now - s.suspect.started_at
    if age > OLD:
        found.append(f"{suspect} was deployed {lasting(age)} ago: more than a day.")
    found.extend(_deployed_since(s, s.suspect, s.began))
    if s.rolled_back:
        found.append(f"This incident already rolled back {listed(s.rolled_back)}.")
    if s.broken_rollbacks:
        found.append(
            f"The rollback to {listed(s.broken_rollbacks)} failed: the deploy itself may be broken."
        )
    found.extend(_unexplained(s, s.suspect))
    return tuple(found)


def _deployed_since(s: Situation, suspect: DeploySeen, began: datetime) -> list[str]:
    version = suspect.release.version
    ran = began - suspect.started_at
    later = [
        d
        for d in s.known.deploys
        if d.started_at > suspect.started_at and d.release.version != version
    ]
    found: list[str] = []
    if later and ran > RAN_WELL:
        newest = max(later, key=lambda d: d.started_at)
        found.append(
            f"{newest.release.version} was deployed since, and {version} had run for {lasting(ran)} before trouble began."
        )
    back = [
        d
        for d in later
        if d.started_at >= began and s.known.first[d.release.version] < suspect.started_at
    ]
    if back:
        put = max(back, key=lambda d: d.started_at)
        found.append(
            f"{put.release.version} was put back, {stamp(put.started_at)}, after trouble began."
        )
    near = _nearer_neighbour(s, suspect, began)
    if near is not None and ran > RAN_WELL:
        found.append(
            f"{near.service} {near.release.version} was deployed {lasting(began - near.started_at)} before trouble began, "
            f"and {version} had run for {lasting(ran)}."
        )
    return found


def _nearer_neighbour(s: Situation, suspect: DeploySeen, began: datetime) -> DeploySeen | None:
    """A dependency deployed after the suspect and shortly before trouble began explains it better."""
    near = [
        d
        for d in s.neighbours
        if suspect.started_at < d.started_at <= began and began - d.started_at <= RAN_WELL
    ]
    return max(near, key=lambda d: d.started_at, default=None)


def _unexplained(s: Situation, suspect: DeploySeen) -> list[str]:
    """Where events carry releases and these do not point at the suspect."""
    total = sum(s.by_release.values())
    carrying = total - s.by_release.get("", 0)
    if carrying <= 0:
        return []
    version = suspect.release.version
    earlier = sum(
        n
        for name, n in s.by_release.items()
        if name
        and name != version
        and name in s.known.first
        and s.known.first[name] < suspect.started_at
    )
    found: list[str] = []
    if earlier > total * UNEXPLAINED:
        share = round(100 * earlier / total)
        found.append(
            f"{version} does not explain it: {share} % of the events since its deploy carry an earlier release."
        )
    ran = s.known.names.of(s.running).version if s.running is not None else ""
    if s.running is not None and s.by_release.get(ran, 0) == 0:
        running = [d.started_at for d in s.known.deploys if d.release.version == ran]
        if running and s.now - max(running) >= min(CURE_AFTER, s.window * CURE_PER_WINDOW):
            found.append(
                f"No event carries {s.running.version}, which has run for {lasting(s.now - max(running))}: "
                "it may be the cure."
            )
    return found


# --- the table -------------------------------------------------------------------------------------------------


def recommend(s: Situation) -> Recommendation:
    """The decision table with all its brakes (rules: users × features)."""
    blast = s.blast
    targets = s.targets
    target = targets[0] if targets else None
    suspect = s.suspect.release if s.suspect else None
    if s.events <= 0 or blast.users is Word.NOBODY:
        why = blast.sentences[:1] or ("Sentry shows nothing unusual.",)
        return Recommendation(choice=Choice.INVESTIGATE, reasons=why, offer_rollback=False)
    many = blast.users is Word.MANY
    braked = brakes(
        s
    )  # for whoever presses the button, and for a cause that is confirmed later: whoever is hit
    reasons = [scope(blast)]
    if many and (said := when(s)) is not None:
        reasons.append(said)
    said = Recommendation(
        choice=Choice.INVESTIGATE,
        against=against(s),
        brakes=braked,
        offer_rollback=target is not None,
        suspect=suspect,
        target=target,
    )
    everything = many and blast.features is Word.MANY
    if everything and not braked and target is not None and suspect is not None:
        if blast.unknown:
            reasons.append(AS_MANY)
        reasons.append(f"{target.version} was the last healthy release before {suspect.version}.")
        return said.model_copy(update={"choice": Choice.ROLLBACK, "reasons": tuple(reasons)})
    if s.fix is not None:
        reasons.append(f"A fix is known: {s.fix}.")
        return said.model_copy(
            update={"choice": Choice.HOTFIX, "reasons": tuple(reasons), "loud": everything}
        )
    if everything:
        reasons.append(NOT_SAFE)
    elif many:
        reasons.append(
            "One feature is hit: look for the cause now, with a rollback ready beside it."
        )
    elif blast.features is Word.MANY:
        reasons.append(
            "One account in several features points at its data: a rollback would not help it."
        )
    else:
        reasons.append("The blast radius is limited: find the cause first.")
    return said.model_copy(update={"reasons": tuple(reasons), "loud": everything})


def scope(blast: BlastRadius) -> str:
    users = who(blast)
    names = [f.name for f in blast.top_features]
    if not blast.knows("features"):
        least = f", at least {listed(names)}" if names else ""
        return capital(f"{users}, features not known{least}.")
    if not names:
        return capital(f"{users}, no feature named.")
    if blast.features is Word.MANY:
        return capital(f"{users}, {counted(len(names), 'feature')}: {listed(names)}.")
    return capital(f"{users}, one feature: {names[0]}.")


def when(s: Situation) -> str | None:
    """`Trouble began 2026-11-22 14:02 UTC, 3 min after v1.3.0 was deployed.`"""
    if s.began is None:
        return None
    if s.suspect is None:
        return f"{BEGAN} {stamp(s.began)}."
    version = s.suspect.release.version
    gap = s.began - s.suspect.started_at
    if gap < timedelta(0):
        return f"{BEGAN} {stamp(s.began)}, just as {version} was being deployed."
    did = "had its first event" if s.suspect.source in FIRST_EVENTS else "was deployed"
    if gap < AT_ONCE:
        return f"{BEGAN} {stamp(s.began)}, right after {version} {did}."
    return f"{BEGAN} {stamp(s.began)}, {lasting(gap)} after {version} {did}."


def against(s: Situation) -> tuple[str, ...]:
    """What speaks against believing this picture."""
    found = [*s.tried[:TRIED], *s.unasked]
    if s.blast.confidence is Confidence.LOW and (
        s.blast.knows("users") or s.events < UNSURE_EVENTS
    ):
        found.append("Few or unnamed events: the numbers are weak.")
    if s.sampled:
        found.append("Sentry counted a sample: the numbers are estimates.")
    quiet = (
        s.now - s.last_event - timedelta(minutes=1) if s.last_event is not None else timedelta(0)
    )
    if quiet >= s.window / 3:
        found.append(f"No event for {lasting(quiet)}: it may be over.")
    if s.began is not None:
        began = s.began
        inside = [d for d in s.known.deploys if began - s.window <= d.started_at <= s.now]
        if len({d.release.version for d in inside}) > 1:
            found.append(f"{counted(len(inside), 'deploy')} around that time.")
        for d in s.neighbours:
            if began - RAN_WELL <= d.started_at <= began:
                gap = lasting(began - d.started_at)
                found.append(
                    f"{d.service} {d.release.version} was deployed {gap} before trouble began."
                )
    return tuple(found[:AGAINST])
