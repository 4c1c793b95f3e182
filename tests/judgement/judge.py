"""One world judged: triage is asked as in production, and its advice held against hindsight."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from phases.messages.results import Investigated
from phases.record.findings import (
    Choice,
    HypothesisKind,
    Investigation,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.incident import Incident
from phases.root_cause.investigate import investigate
from phases.triage.deploys.taken_back import EarlierFix, Past
from phases.triage.measure import triage
from phases.triage.reading.questions import Sources
from tests.judgement import kinds
from tests.judgement.changes import Flags, told_of_changes
from tests.judgement.events import Events, alarm, draw
from tests.judgement.hindsight import CONSIDER, Act, Hindsight, customers
from tests.judgement.ports import Code, Deployer, Front, GitHubDeploys, commit_of, told_by_webhook
from tests.judgement.tracker import Tracker
from tests.judgement.world import World
from tests.support.values import factories

WITHIN = 1.05
"""Goal: "lost user-minutes at most 5 % above the best action's"."""
SMALL = 5.0
"""User-minutes that nobody counts."""
WIDE_PEOPLE, WIDE_PAGES = 20.0, 2
FOUND = {1: 20.0, 2: 30.0}
"""Minutes until people have the cause, where it is the first or second that the bot names …"""
NOT_FOUND, MISLED = 45.0, 60.0
"""… where it is neither, and where something else is called supported."""
TWINS = (HypothesisKind.RELEASE, HypothesisKind.COMMIT)


@dataclass(frozen=True, slots=True)
class Judged:
    world: World
    report: TriageReport
    advice: Act
    best: Act
    lost: float
    least: float
    finding: float
    harm: str = ""
    needless: bool = False
    """Something was turned back that did not do it."""
    missed: bool = False
    """Many people and features are hit, and the bot calls it nothing unusual."""
    loud: bool = False
    """People are paged although nobody is hit."""
    named: tuple[str, ...] = ()
    """The hypotheses as they are listed, by kind."""

    @property
    def right(self) -> bool:
        near = self.lost <= WITHIN * self.least + SMALL
        return near and not (self.harm or self.needless or self.missed or self.loud)

    @property
    def right_by_table(self) -> bool:
        """Right, where the look that the workflow asks for before a rollback is no fault.

        Many users and one feature: "Phase 2 + parallel Phase 3 (consider rollback)".
        """
        return self.right or (self.advice.wait > 0 and replace(self.best, wait=0) == self.at_once)

    @property
    def at_once(self) -> Act:
        return replace(self.advice, wait=0)

    @property
    def excess(self) -> float:
        return self.lost - self.least


def drawn(seed: int, only: str = "") -> tuple[World, tuple[Events, ...]]:
    """Return a world at the moment at which triage asks, and its events by then."""
    world = kinds.draw(seed, only)
    rng = random.Random(seed + 1)
    needed, later = rng.choice((3, 10, 10, 25)), world.asked
    world = replace(world, asked=max(alarm(world, needed), 1.0) + later)
    return world, draw(world, rng)


async def judge(seed: int, only: str = "") -> Judged:
    world, events = drawn(seed, only)
    incident = _incident(world, events)
    service = world.service
    code = Code(world)
    changes = told_by_webhook(world)
    past = Past(
        fixes=tuple(_fixed(version) for version in world.hotfixes),
        changes=tuple(told_of_changes(world)),
    )
    answer = await triage(incident, _sources(world, events), changes, world.now, past=past)
    report = answer.report
    asked = incident.model_copy(update={"triage": report})
    walk: Investigated = await investigate(asked, service, code, False, world.now)
    return _judged(world, report, walk.investigation)


def _fixed(version: str) -> EarlierFix:
    return EarlierFix("INC-0031", version, commit_of(f"{version}-0"), ("INC-0031",))


def _sources(world: World, events: tuple[Events, ...]) -> Sources:
    return Sources(
        service=world.service,
        tracker=Tracker(world, events),
        neighbours=[neighbour for neighbour, _ in world.neighbours],
        deployer=Deployer(world),
        code=Code(world),
        deploy_history=GitHubDeploys(world),
        endpoint=Front(world),
        flags=Flags(world, events),
    )


def _incident(world: World, events: Iterable[Events]) -> Incident:
    errors = [e for e in events if not e.failure.noise]
    loudest = max(errors, key=lambda e: len(e.at), default=None)
    seeds = (loudest.failure.id,) if world.seeded and loudest is not None else ()
    title = world.reported or (
        loudest.failure.title if loudest and seeds else "the shop is failing"
    )
    return factories.incident(
        title=title, lead=None, detected_at=world.now, declared_at=world.now, seeds=seeds
    )


def _judged(world: World, report: TriageReport, walk: Investigation) -> Judged:
    finding = _minutes_to_find(world, report, walk)
    sight = Hindsight(world, finding)
    advice = _act(report)
    best, least = sight.best()
    nobody = not customers(world)
    helped = sight.helps(advice)
    wide = sight.hits(world.production(), world.asked) >= WIDE_PEOPLE
    everything = any(f.rate <= 0 for f in customers(world))
    pages = {path for f in customers(world) for path in f.paths}
    return Judged(
        world=world,
        report=report,
        advice=advice,
        best=best,
        lost=sight.cost(advice),
        least=least,
        finding=finding,
        harm=sight.harms(advice),
        needless=advice.verb in ("roll back", "turn off") and not helped,
        missed=wide
        and (everything or len(pages) >= WIDE_PAGES)
        and report.blast.users is Word.NOBODY,
        loud=nobody and report.recommendation.loud,
        named=tuple(f"{h.kind} ({h.verdict}, {h.confidence:.2f})" for h in walk.hypotheses[:3]),
    )


def _act(report: TriageReport) -> Act:
    advice = report.recommendation
    if advice.choice is Choice.ROLLBACK and advice.target is not None:
        return Act("roll back", advice.target.version)
    if advice.choice is Choice.HOTFIX:
        return Act("hotfix")
    if advice.choice is Choice.TURN_OFF and advice.change is not None:
        return Act("turn off", advice.change.name)
    if advice.likely_beside and advice.target is not None:
        return Act("roll back", advice.target.version, CONSIDER)
    return Act("investigate")


def _minutes_to_find(world: World, report: TriageReport, walk: Investigation) -> float:
    """Return how long people look for the cause, by how well the bot's hypotheses point at it."""
    if world.cause is None:
        return FOUND[1]
    kinds_named: list[HypothesisKind] = []
    for hypothesis in walk.hypotheses:
        kind = TWINS[0] if hypothesis.kind in TWINS else hypothesis.kind
        if kind not in kinds_named:
            kinds_named.append(kind)
    place = kinds_named.index(world.cause) + 1 if world.cause in kinds_named else 9
    if place in FOUND:
        return FOUND[place]
    first = walk.hypotheses[0] if walk.hypotheses else None
    return MISLED if first is not None and first.verdict is Verdict.SUPPORTED else NOT_FOUND
