"""Phase 1: the brakes on a rollback, and the recommendation of rollback, hotfix or investigation.

Never a rollback without evidence, without a target, or onto the suspect (rules: table and brakes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from phases.record.findings import (
    BlastRadius,
    ChangeSeen,
    Choice,
    Confidence,
    DeploySeen,
    FlagEvidence,
    Recommendation,
    Release,
    Word,
)
from phases.shared.suspected_changes import Suspected, leads, reasons_for, said, suspected
from phases.text.wording import capital, counted, lasting, listed, stamp
from phases.triage.blast_radius import UNSURE_EVENTS
from phases.triage.deploy_history import FIRST_EVENTS, History, targets_of
from phases.triage.who_is_hit import scope

OLD = timedelta(days=1)  # Brakes: "the suspect's deploy is more than a day old"
RAN_WELL = timedelta(minutes=15)
"""Brakes: "the suspect had run for more than 15 minutes before trouble began"."""
UNEXPLAINED = 1 / 5
"""Brakes: "more than a fifth of the window's events … carry an earlier release"."""
CURE_AFTER = timedelta(minutes=5)  # Brakes: "although its deploy started 5 or more minutes ago"
CURE_PER_WINDOW = 1 / 3  # the same, beside a shorter window

AGAINST = 5
TRIED = 3  # what was tried last is said beside a recommendation
NOT_SAFE = "A rollback would be the answer, but it is not safe."
AS_MANY = "What is not known counts as many."
BEGAN = "Trouble began"
"""The texts of three reasons: a message that says the same elsewhere leaves them out there."""
AT_ONCE = timedelta(seconds=5)  # less is said as "right after"


# --- the situation and its brakes ----------------------------------------------------------------


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
    """The deployer's list; None where it cannot be asked, then `cannot_deploy` says why."""
    cannot_deploy: str = ""
    burning: frozenset[str] = frozenset()
    neighbours: tuple[DeploySeen, ...] = ()
    by_release: Mapping[str, int] = field(default_factory=dict[str, int])
    """Events in the window since the suspect's deploy started, by version; `` for none."""
    one_way: tuple[str, ...] | None = ()
    """One-way paths changed between target and running release; None where nobody could see."""
    rolled_back: tuple[str, ...] = ()
    """Versions this incident already rolled back."""
    tried: tuple[str, ...] = ()
    """Actions on production in this incident, in sentences."""
    broken_rollbacks: tuple[str, ...] = ()
    """Versions that a rollback of this incident failed to bring back."""
    fix: str | None = None
    """A known fix: the name of a branch or pull request."""
    sampled: bool = False
    deploys_told: bool = True
    """False where Sentry did not tell its deploys: another one may be nearer to the trouble."""
    unasked: tuple[str, ...] = ()
    """Other things that could not be asked, in sentences."""
    changes: tuple[ChangeSeen, ...] = ()
    """Flags, settings and infrastructure changed without a deploy, newest first."""
    flag_evidence: FlagEvidence | None = None

    @property
    def change(self) -> Suspected | None:
        """The likeliest of the changes; None where none is near, or its events speak against it."""
        first = next(iter(suspected(self.changes, self.began, self.flag_evidence)), None)
        return None if first is None or first.innocent else first

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
    """Return the reasons against a rollback, each in a sentence (rules: Brakes)."""
    if s.began is None:
        return ("When trouble began is not known, so no release is the suspect.",)
    if s.suspect is None:
        if not s.deploys_told:
            return ("Sentry's deploys could not be asked for, so no release is the suspect.",)
        return (f"No deploy of {s.service} is known from before trouble began.",)
    suspect = s.suspect.release.version
    reasons: list[str] = []
    if s.listed is None:
        reasons.append(capital(f"{s.cannot_deploy or 'the deployer cannot be asked'}."))
    elif not s.targets:
        reasons.append(f"No healthy release from before {suspect} can be deployed.")
    if s.one_way is None:
        reasons.append("Whether a one-way path changed since then cannot be seen.")
    elif s.one_way:
        reasons.append(f"A one-way path changed since then: {listed(s.one_way)}.")
    age = s.now - s.suspect.started_at
    if age > OLD:
        reasons.append(f"{suspect} was deployed {lasting(age)} ago: more than a day.")
    reasons.extend(_deployed_since(s, s.suspect, s.began))
    if s.rolled_back:
        reasons.append(f"This incident already rolled back {listed(s.rolled_back)}.")
    if s.broken_rollbacks:
        failed = f"The rollback to {listed(s.broken_rollbacks)} failed"
        reasons.append(f"{failed}: the deploy itself may be broken.")
    reasons.extend(_unexplained(s, s.suspect))
    return tuple(reasons)


def _deployed_since(s: Situation, suspect: DeploySeen, began: datetime) -> list[str]:
    version = suspect.release.version
    ran = began - suspect.started_at
    later = [
        d
        for d in s.known.deploys
        if d.started_at > suspect.started_at and d.release.version != version
    ]
    reasons: list[str] = []
    if later and ran > RAN_WELL:
        newest = max(later, key=_started).release.version
        had_run = f"{version} had run for {lasting(ran)} before trouble began"
        reasons.append(f"{newest} was deployed since, and {had_run}.")
    put_back = [
        d
        for d in later
        if d.started_at >= began and s.known.first[d.release.version] < suspect.started_at
    ]
    if put_back:
        newest = max(put_back, key=_started)
        at = stamp(newest.started_at)
        reasons.append(f"{newest.release.version} was put back, {at}, after trouble began.")
    near = _nearer_neighbour(s, suspect, began)
    if near is not None and ran > RAN_WELL:
        before = lasting(began - near.started_at)
        reasons.append(
            f"{near.service} {near.release.version} was deployed {before} before trouble began, "
            f"and {version} had run for {lasting(ran)}."
        )
    return reasons


def _started(deploy: DeploySeen) -> datetime:
    return deploy.started_at


def _nearer_neighbour(s: Situation, suspect: DeploySeen, began: datetime) -> DeploySeen | None:
    """Return a dependency deployed after the suspect: shortly before trouble, it explains more."""
    near = [
        d
        for d in s.neighbours
        if suspect.started_at < d.started_at <= began and began - d.started_at <= RAN_WELL
    ]
    return max(near, key=_started, default=None)


def _unexplained(s: Situation, suspect: DeploySeen) -> list[str]:
    """Return the reasons why the releases that events carry do not point at the suspect."""
    total = sum(s.by_release.values())
    if total <= s.by_release.get("", 0):
        return []
    version, first = suspect.release.version, s.known.first
    earlier = sum(
        events
        for name, events in s.by_release.items()
        if name not in ("", version) and name in first and first[name] < suspect.started_at
    )
    reasons: list[str] = []
    if earlier > total * UNEXPLAINED:
        share = f"{round(100 * earlier / total)} % of the events since its deploy"
        reasons.append(f"{version} does not explain it: {share} carry an earlier release.")
    if s.running is None:
        return reasons
    running = s.known.names.of(s.running).version
    starts = [d.started_at for d in s.known.deploys if d.release.version == running]
    if starts and s.by_release.get(running, 0) == 0:
        ran = s.now - max(starts)
        if ran >= min(CURE_AFTER, s.window * CURE_PER_WINDOW):
            reasons.append(
                f"No event carries {s.running.version}, which has run for {lasting(ran)}: "
                "it may be the cure."
            )
    return reasons


# --- the table -----------------------------------------------------------------------------------


def recommend(s: Situation) -> Recommendation:
    """Apply the decision table with all its brakes (rules: users × features)."""
    blast, targets = s.blast, s.targets
    target = targets[0] if targets else None
    if s.events <= 0 or blast.users is Word.NOBODY:
        why = blast.sentences[:1] or ("Sentry shows nothing unusual.",)
        return Recommendation(choice=Choice.INVESTIGATE, reasons=why, offer_rollback=False)
    many = blast.users is Word.MANY
    everything = many and blast.features is Word.MANY
    # Brakes are told whoever is hit: for the person who presses the button, and for a cause that
    # is confirmed later.
    advice = Recommendation(
        choice=Choice.INVESTIGATE,
        against=against(s),
        brakes=brakes(s),
        offer_rollback=target is not None,
        suspect=s.suspect.release if s.suspect else None,
        target=target,
        change=s.change.change if s.change is not None else None,
    )
    reasons = [scope(blast)]
    chosen: dict[str, object]
    if s.began is not None and (change := _turned_on(s, many=many)) is not None:
        chosen = {"choice": Choice.TURN_OFF, "reasons": (*reasons, *reasons_for(change, s.began))}
        return advice.model_copy(update=chosen)
    if many and (began := when(s)) is not None:
        reasons.append(began)
    if everything and not advice.brakes and target is not None and advice.suspect is not None:
        if blast.unknown:
            reasons.append(AS_MANY)
        last = f"{target.version} was the last healthy release before {advice.suspect.version}."
        chosen = {"choice": Choice.ROLLBACK, "reasons": (*reasons, last)}
    elif s.fix is not None:
        known = f"A fix is known: {s.fix}."
        chosen = {"choice": Choice.HOTFIX, "reasons": (*reasons, known), "loud": everything}
    else:
        reasons.append(_why_no_action(many, blast.features is Word.MANY))
        chosen = {"reasons": tuple(reasons), "loud": everything}
    return advice.model_copy(update=chosen)


def _turned_on(s: Situation, *, many: bool) -> Suspected | None:
    """Return the change that leads: turning it off goes before everything else.

    Where few are hit, its time alone is not enough.
    """
    if s.change is None or not leads(s.change, s.suspect):
        return None
    return s.change if many or s.change.carried else None


def _why_no_action(many_users: bool, many_features: bool) -> str:
    if many_users and many_features:
        return NOT_SAFE
    if many_users:
        return "One feature is hit: look for the cause now, with a rollback ready beside it."
    if many_features:
        return "One account in several features points at its data: a rollback would not help it."
    return "The blast radius is limited: find the cause first."


def when(s: Situation) -> str | None:
    """Return `Trouble began 2026-11-22 14:02 UTC, 3 min after v1.3.0 was deployed.`"""
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
    """Return the doubts about this picture."""
    doubts = [*s.tried[:TRIED], *s.unasked]
    weak = s.blast.confidence is Confidence.LOW
    if weak and (s.blast.knows("users") or s.events < UNSURE_EVENTS):
        doubts.append("Few or unnamed events: the numbers are weak.")
    if s.sampled:
        doubts.append("Sentry counted a sample: the numbers are estimates.")
    if s.last_event is not None:
        quiet = s.now - s.last_event - timedelta(minutes=1)
        if quiet >= s.window / 3:
            doubts.append(f"No event for {lasting(quiet)}: it may be over.")
    if s.began is not None:
        doubts.extend(_other_deploys(s, s.began))
    return tuple(doubts[:AGAINST])


def _other_deploys(s: Situation, began: datetime) -> list[str]:
    doubts: list[str] = []
    inside = [d for d in s.known.deploys if began - s.window <= d.started_at <= s.now]
    if len({d.release.version for d in inside}) > 1:
        doubts.append(f"{counted(len(inside), 'deploy')} around that time.")
    for d in s.neighbours:
        if began - RAN_WELL <= d.started_at <= began:
            before = f"{lasting(began - d.started_at)} before trouble began"
            doubts.append(f"{d.service} {d.release.version} was deployed {before}.")
    if s.change is not None and not leads(s.change, s.suspect):
        text = f"{said(s.change.change)}, {lasting(s.change.before)} before trouble began."
        doubts.append(capital(text))
    return doubts
