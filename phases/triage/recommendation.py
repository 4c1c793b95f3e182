"""Phase 1, what to do: the deploy history, the suspect, where a rollback could go, the brakes, and the recommendation.

Values in, values out. Never a rollback without evidence, without a target, or onto the suspect (rules: table and brakes).
"""

from __future__ import annotations

from collections.abc import Mapping
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
from phases.record.wording import capital, counted, lasting, listed, stamp
from phases.triage.blast_radius import UNSURE_EVENTS
from phases.triage.deploy_history import FIRST_EVENTS, History, targets_of
from phases.triage.who_is_hit import scope

DAY = timedelta(days=1)
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
