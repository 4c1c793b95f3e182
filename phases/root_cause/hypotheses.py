"""Phase 2, the hypothesis tree: what it could be, what each would predict, which check was done, what came out, how sure we are.

Values in, values out. A person's judgement stays, whatever the bot finds later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from phases.ports.source_paths import FileKind, kind_of
from phases.ports.source_values import Commit
from phases.record.findings import (
    Bisect,
    Hypothesis,
    HypothesisKind,
    Share,
    Suspect,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.service import Service
from phases.record.wording import capital, counted, lasting, listed, short, stamp
from phases.root_cause.error_clues import (
    speaks_of_database,
    speaks_of_outside,
    speaks_of_setting,
)

JUST = timedelta(seconds=30)  # closer than this nobody counts
SOON = timedelta(minutes=15)  # workflow, phase 2: "almost certainly the most-recent deploy"
LATER = timedelta(hours=2)
COMMITS = 3  # commits that become hypotheses of their own
CLEAR_SCORE = 12.0  # less is a hint, not a finding
CLEAR_LEAD = 1.6  # the first suspect has this many times the points of the second
ONE_PLACE = 0.9  # share of the events at one customer or in one region that makes it theirs
ERROR_TEXT = 2_000  # characters of an error's text that are looked at
SPREAD = 0.6  # below this share of the largest, it is nobody's own


@dataclass(frozen=True, slots=True)
class Facts:
    """What triage and the walk over the source brought, as the hypotheses are checked against it."""

    report: TriageReport
    service: Service
    suspects: tuple[Suspect, ...] = ()
    commits: tuple[Commit, ...] | None = None
    """Newest first; None where the source could not be asked."""
    span: str = ""
    """`41..42`, for people."""
    message: str = ""
    """The error's text."""


def tree(facts: Facts) -> tuple[Hypothesis, ...]:
    """The six questions of every incident, the likeliest answer first."""
    raised = [
        _release(facts),
        *_commits(facts),
        _configuration(facts),
        _dependency(facts),
        _data(facts),
        _infrastructure(facts),
    ]
    ordered = best(raised, len(raised))
    return tuple(h.model_copy(update={"id": f"H{n}"}) for n, h in enumerate(ordered, 1))


def best(hypotheses: Sequence[Hypothesis], n: int) -> tuple[Hypothesis, ...]:
    """The `n` best: supported before open before ruled out, then the surer first."""
    order = {Verdict.SUPPORTED: 0, Verdict.OPEN: 1, Verdict.RULED_OUT: 2}
    return tuple(sorted(hypotheses, key=lambda h: (order[h.verdict], -h.confidence))[:n])


def merge(existing: Sequence[Hypothesis], new: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Brings new findings into what there is: the same question keeps its id, a person's word stays, what is new gets the next id.

    What the bot raised earlier and finds no more (a commit that is no suspect any longer) goes, unless a person judged it.
    """
    fresh = {_key(h): h for h in new}
    kept: list[Hypothesis] = []
    for old in existing:
        found = fresh.pop(_key(old), None)
        if old.by is not None:
            kept.append(old)
        elif found is not None:
            kept.append(found.model_copy(update={"id": old.id}))
        elif old.kind is HypothesisKind.OTHER or not new:
            kept.append(old)
    number = max((int(h.id[1:]) for h in existing if h.id[1:].isdigit()), default=0)
    for offset, found in enumerate(fresh.values(), 1):
        kept.append(found.model_copy(update={"id": f"H{number + offset}"}))
    return tuple(kept)


def after_bisect(hypotheses: Sequence[Hypothesis], bisect: Bisect) -> tuple[Hypothesis, ...]:
    """What a bisect's end does to the tree: its culprit is supported, other commits are ruled out, people's words stay."""
    if bisect.state == "running" or bisect.state == "cancelled":
        return tuple(hypotheses)
    culprit = bisect.culprit
    if bisect.state != "found" or culprit is None:
        said = f"Bisect {bisect.good}..{bisect.bad}: {bisect.reason or bisect.state}."
        return tuple(
            _added(h, said) if h.kind is HypothesisKind.RELEASE and h.by is None else h
            for h in hypotheses
        )
    found = Hypothesis(
        id="",
        kind=HypothesisKind.COMMIT,
        says=_says(culprit),
        predicts=_COMMIT_PREDICTS,
        check=f"git bisect run from {bisect.good} to {bisect.bad}, {counted(max(bisect.step, 1), 'step')}",
        found="Bisect: the reproduction passes before this commit and fails with it.",
        verdict=Verdict.SUPPORTED,
        confidence=0.97,
        url=culprit.url,
    )
    judged: list[Hypothesis] = []
    for one in hypotheses:
        if one.kind is not HypothesisKind.COMMIT or one.by is not None:
            judged.append(one)
        elif _key(one) == _key(found):
            text = (
                one.found
                if found.found in one.found
                else f"{found.found} {capital(one.found)}".strip()
            )
            judged.append(
                found.model_copy(update={"id": one.id, "found": text, "url": one.url or found.url})
            )
        else:
            told = {
                "verdict": Verdict.RULED_OUT,
                "confidence": 0.03,
                "found": f"Bisect names {culprit.sha[:9]} instead.",
            }
            judged.append(one.model_copy(update=told))
    if any(_key(h) == _key(found) for h in judged):
        return tuple(judged)
    return merge(judged, (*(h for h in judged if h.by is None), found))


def _key(one: Hypothesis) -> tuple[str, str]:
    """What makes two hypotheses the same question: a commit its sha, a person's own its words, else the kind."""
    if one.kind is HypothesisKind.COMMIT:
        words = one.says.split()
        return (one.kind, words[1][:7] if len(words) > 1 else "")
    return (one.kind, one.says if one.kind is HypothesisKind.OTHER else "")


def _added(one: Hypothesis, said: str) -> Hypothesis:
    return (
        one
        if said in one.found
        else one.model_copy(update={"found": f"{one.found} {said}".strip()})
    )


# --- the release -----------------------------------------------------------------------------------------------


def _release(facts: Facts) -> Hypothesis:
    report = facts.report
    if report.suspect is None:
        return Hypothesis(
            id="",
            kind=HypothesisKind.RELEASE,
            says="A release brought it",
            predicts="the trouble begins within minutes of a deploy",
            check="the beginning of the trouble against the deploys",
            found="No deploy is known from before the trouble."
            if report.began_at
            else "When it began is not known.",
            confidence=0.2 if report.deploys else 0.3,
        )
    version = report.suspect.version
    fresh = [issue for issue in report.issues if issue.new]
    gap = timedelta(minutes=report.suspect_minutes) if report.suspect_minutes is not None else None
    if gap is None:
        sure, found = (
            0.4,
            f"{version} was deployed before the trouble; how long before is not known.",
        )
    else:
        after = f"{'right' if gap < JUST else lasting(gap)} after its deploy started"
        after = "before its deploy had ended" if gap < timedelta(0) else after
        began = f" ({stamp(report.began_at)})" if report.began_at else ""
        found = f"Trouble began {after}{began}."
        sure = (
            0.8
            if gap <= SOON
            else 0.5
            if gap <= LATER
            else 0.25
            if gap <= timedelta(days=1)
            else 0.08
        )
    if fresh and report.issues:
        many = len(report.issues)
        which = "The issue" if many == 1 else f"{len(fresh)} of {many} issues"
        found += f" {which} had never been seen before."
        sure += 0.1 if gap is not None and gap <= LATER else 0.0
    if (against := _unexplained(report)) is not None:
        sure, found = min(sure, 0.15), f"{found} But {against}."
    verdict = Verdict.SUPPORTED if sure >= 0.75 else Verdict.OPEN
    return Hypothesis(
        id="",
        kind=HypothesisKind.RELEASE,
        says=f"Release {version} brought it",
        predicts=f"errors begin with the deploy of {version}, and end with the release before it",
        check="the beginning of the trouble and the issues' first events against the deploys",
        found=found,
        verdict=verdict,
        confidence=round(min(sure, 0.92), 2),
    )


def _unexplained(report: TriageReport) -> str | None:
    """Triage's own word that the release does not explain the events (rules: Brakes)."""
    for brake in report.recommendation.brakes:
        if (
            "earlier release" in brake
            or "none carries" in brake
            or "no event carries" in brake.lower()
        ):
            return brake[:1].lower() + brake[1:].rstrip(".")
    return None


# --- commits ---------------------------------------------------------------------------------------------------

_COMMIT_PREDICTS = "what it changed is on the way to the crash; without it the errors end"


def _says(one: Suspect) -> str:
    by = f" by {one.author}" if one.author else ""
    return f"Commit {one.sha[:9]}{by} brought it: “{short(one.subject, 120)}”"


def _commits(facts: Facts) -> list[Hypothesis]:
    suspects = [s for s in facts.suspects[:COMMITS] if s.score > 0]
    total = sum(s.score for s in facts.suspects[:5]) + CLEAR_SCORE / 2
    raised: list[Hypothesis] = []
    for position, one in enumerate(suspects):
        sure = round(min(0.9, one.score / total), 2)
        if position and sure < 0.1:
            break
        rival = suspects[1].score if len(suspects) > 1 else 0.0
        clear = position == 0 and one.score >= CLEAR_SCORE and one.score >= CLEAR_LEAD * rival
        many = counted(len(facts.commits or ()), "commit")
        raised.append(
            Hypothesis(
                id="",
                kind=HypothesisKind.COMMIT,
                says=_says(one),
                predicts=_COMMIT_PREDICTS,
                check=f"{many} of {facts.span} against stack, error and files",
                found="; ".join(one.reasons[:3])[:400],
                verdict=Verdict.SUPPORTED if clear else Verdict.OPEN,
                confidence=sure,
                url=one.url,
            )
        )
    return raised


# --- configuration, dependencies -------------------------------------------------------------------------------


def _changed(facts: Facts, *kinds: FileKind) -> list[tuple[Commit, str]]:
    return [(c, f.path) for c in facts.commits or () for f in c.files if kind_of(f.path) in kinds]


def _configuration(facts: Facts) -> Hypothesis:
    changed = _changed(facts, FileKind.CONFIGURATION, FileKind.MIGRATION)
    error = f"{facts.report.exception_type or ''}: {facts.message[:ERROR_TEXT]}"
    of_setting = speaks_of_setting(error)
    migrated = any(kind_of(path) is FileKind.MIGRATION for _, path in changed)
    fits = of_setting or (migrated and speaks_of_database(error))
    if facts.commits is None:
        found, sure = "The changed files are not known.", 0.15
    elif changed:
        paths = list(dict.fromkeys(path for _, path in changed))
        found = f"{facts.span} changes {listed(paths)} ({listed(_shas(changed))})."
        sure = 0.45 if fits else 0.25
    else:
        found = f"No configuration file changed in {facts.span}; a flag that was switched elsewhere cannot be seen from here."
        sure = 0.15 if fits else 0.08
    if fits:
        found += (
            " The error speaks of a setting."
            if of_setting
            else " The error comes from the database."
        )
    return Hypothesis(
        id="",
        kind=HypothesisKind.CONFIGURATION,
        says="A setting, a flag or a migration brought it",
        predicts="configuration changed shortly before; the same code runs well with the old values",
        check="configuration files and migrations among the changes",
        found=found,
        confidence=sure,
    )


def _dependency(facts: Facts) -> Hypothesis:
    bumps = _changed(facts, FileKind.DEPENDENCY)
    neighbours = [d for d in facts.report.deploys if d.service != facts.service.name]
    said: list[str] = []
    sure = 0.05
    if neighbours:
        began = facts.report.began_at
        near = [
            d for d in neighbours if began is None or d.started_at <= began <= d.started_at + LATER
        ]
        told = listed(
            [f"{d.service} {d.release.version} at {stamp(d.started_at)}" for d in neighbours]
        )
        said.append(f"Deployed beside it: {told}.")
        sure = 0.4 if near and facts.report.suspect is None else 0.25 if near else 0.1
    named = [s for s in facts.suspects[:5] if any("dependency `" in reason for reason in s.reasons)]
    if named:
        said.append(f"{named[0].sha[:9]} {named[0].reasons[0]}.")
        sure = max(sure, 0.55)
    elif bumps:
        said.append(
            f"{listed(list(dict.fromkeys(p for _, p in bumps)))} changed ({listed(_shas(bumps))})."
        )
        sure = max(sure, 0.2)
    if facts.commits is None and not said:
        said.append("The changed files are not known.")
        sure = 0.15
    over = facts.commits is not None and not bumps and not neighbours
    if over:
        beside = "" if facts.service.depends_on else " No neighbours are named in the catalogue."
        said.append(
            f"No dependency changed in {facts.span}, and no neighbour was deployed.{beside}"
        )
    return Hypothesis(
        id="",
        kind=HypothesisKind.DEPENDENCY,
        says="A library or a neighbouring service brought it",
        predicts="a version changed, or a neighbour was deployed, shortly before; the stack ends in its code or at its door",
        check="dependency files among the changes, and the neighbours' deploys",
        found=" ".join(said),
        verdict=Verdict.RULED_OUT if over and facts.service.depends_on else Verdict.OPEN,
        confidence=sure,
    )


def _shas(changed: Sequence[tuple[Commit, str]]) -> list[str]:
    return list(dict.fromkeys(commit.sha[:9] for commit, _ in changed))


# --- data and infrastructure -----------------------------------------------------------------------------------


def _data(facts: Facts) -> Hypothesis:
    report, blast = facts.report, facts.report.blast
    said: list[str] = []
    verdict, sure = Verdict.OPEN, 0.15
    known = blast.knows("users") and blast.knows("places")
    place = _one_place(blast.organisations, report.events) or _one_place(
        blast.regions, report.events
    )
    if blast.users is Word.ONE:
        said.append("One user has all the errors.")
        sure = 0.75 if not blast.inferred else 0.45
    elif place is not None and place.events >= ONE_PLACE * report.events:
        said.append(f"{_percent(place.events, report.events)} of the events are at {place.name}.")
        sure = 0.65
    elif place is not None:
        said.append(
            f"The most at one place: {place.name} with {_percent(place.events, report.events)}."
        )
        if place.events < SPREAD * report.events and blast.users is Word.MANY and known:
            verdict, sure = Verdict.RULED_OUT, 0.04
    elif blast.users is Word.MANY and blast.knows("users"):
        said.append("Many users are hit; which customers they are of is not known.")
        sure = 0.1
    else:
        said.append("Who is hit is not known.")
    if report.suspect is None and not any(issue.new for issue in report.issues) and report.issues:
        said.append("An old issue got louder without a deploy: more traffic, or new data.")
        sure, verdict = max(sure, 0.4), Verdict.OPEN
    if sure >= 0.6:
        verdict = Verdict.SUPPORTED
    return Hypothesis(
        id="",
        kind=HypothesisKind.DATA,
        says="Traffic, or one customer's data, brought it",
        predicts="the errors come from one user, customer or region, whatever the release",
        check="events by user, customer and region",
        found=" ".join(said),
        verdict=verdict,
        confidence=sure,
    )


def _one_place(shares: Sequence[Share], events: int) -> Share | None:
    """The largest share, where there is a choice of places or one has them all."""
    largest = max(shares, key=lambda s: s.events, default=None)
    return largest if largest is not None and events > 0 else None


def _percent(part: int, whole: int) -> str:
    return f"{min(100, round(100 * part / whole))} %" if whole else "0 %"


def _infrastructure(facts: Facts) -> Hypothesis:
    report = facts.report
    titles = [issue.title for issue in report.issues] or [
        f"{report.exception_type or ''} {facts.message}"
    ]
    outside = [title for title in titles if speaks_of_outside(title)]
    share = len(outside) / len(titles)
    if outside:
        found = f"{len(outside)} of {counted(len(titles), 'issue')} speak of connections, time-outs or memory (“{short(outside[0], 100)}”)."
        sure = (
            0.2 + 0.4 * share
            if report.suspect is None or report.blast.features is Word.MANY
            else 0.1 + 0.3 * share
        )
        verdict = Verdict.OPEN
    else:
        found = "No issue speaks of connections, time-outs or memory."
        sure, verdict = 0.04, Verdict.OPEN
    return Hypothesis(
        id="",
        kind=HypothesisKind.INFRASTRUCTURE,
        says="Network, database or machines brought it",
        predicts="time-outs and refused connections, over many features at once, without a deploy",
        check="the kinds of errors in the window",
        found=found,
        verdict=verdict,
        confidence=round(min(sure, 0.7), 2),
    )
