"""Phase 2, what the investigation does to the record: the tree, the bisect, the cause. How evidence is weighed: `root_cause.py`."""

from __future__ import annotations

from datetime import datetime

from phases.actions import (
    AddHypothesis,
    BisectMoved,
    BisectTick,
    CancelBisect,
    Investigated,
    JudgeHypothesis,
    NameCause,
)
from phases.change import Change, Draft, Refused
from phases.effects import FollowBisect, PostLive, StartBisect
from phases.incident import Incident, Status
from phases.report import Bisect, Cause, Choice, Hypothesis, HypothesisKind, Recommendation, Verdict
from phases.root_cause import after_bisect, merge
from phases.rounds import EVERYWHERE, ended, mentioned, open_round, tell
from phases.service import Service

BISECT = "bisect"  # timer
FOLLOW_SECONDS = 2
HYPOTHESES = 12  # kept in the record


def ask_for_tree(draft: Draft) -> Draft:
    """Posts the tree once: in the thread of a decision, when there is something to show."""
    incident = draft.incident
    posted = any(name.startswith("decision:") for name in incident.messages)
    if incident.tree_asked or not posted or not incident.hypotheses:
        return draft.dirty("tree", "evidence")
    return draft.set(tree_asked=True).want(PostLive(name="tree"), PostLive(name="evidence"))


def investigated(incident: Incident, action: Investigated, service: Service, now: datetime) -> Change:
    found = action.investigation
    draft = Draft(incident, now)
    hypotheses = merge(incident.hypotheses, found.hypotheses)[:HYPOTHESES]
    draft.set(investigation=found, investigating=False, hypotheses=hypotheses, suspects=found.suspects)
    for line in found.walk[:3]:
        draft.note("evidence", line)
    if found.good and found.bad and service.bisect and service.checkout and incident.bisect is None and incident.open:
        bisect_id = f"{incident.id}-bisect-1".lower()
        draft.set(bisect=Bisect(id=bisect_id, good=found.good, bad=found.bad))
        draft.want(StartBisect(bisect_id=bisect_id, good=found.good, bad=found.bad))
    return ask_for_tree(draft).dirty("status").done()


def bisect_moved(incident: Incident, action: BisectMoved, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    known = incident.bisect
    if known is None or known.id != action.bisect.id or known.state != "running":
        return draft.done()
    return move_bisect(draft, action.bisect).done()


def move_bisect(draft: Draft, bisect: Bisect) -> Draft:
    draft.set(bisect=bisect).dirty("tree", "evidence")
    if bisect.state == "running":
        return draft.timer(BISECT, FOLLOW_SECONDS, BisectTick(bisect_id=bisect.id))
    draft.set(hypotheses=after_bisect(draft.incident.hypotheses, bisect)[:HYPOTHESES]).cancel(BISECT)
    if bisect.culprit is not None:
        culprit = bisect.culprit
        said = f"Bisect: `{culprit.sha[:9]}` “{culprit.subject}” by {culprit.author} broke it ({bisect.steps} steps)."
        draft.note("evidence", said, url=culprit.url)
        return tell(draft, said)
    said = f"Bisect {bisect.state}: {bisect.reason}"
    draft.note("evidence", said)
    return tell(draft, said, ticket=False, thread=True)


def bisect_tick(incident: Incident, action: BisectTick, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if incident.bisect is not None and incident.bisect.id == action.bisect_id and incident.bisect.state == "running":
        draft.want(FollowBisect(bisect_id=action.bisect_id))
    return draft.done()


def cancel_bisect(incident: Incident, action: CancelBisect, service: Service, now: datetime) -> Change | Refused:
    del service
    if incident.bisect is None or incident.bisect.state != "running":
        return Refused("state", "No bisect is running.")
    draft = Draft(incident, now).note("evidence", f"{mentioned(action.by)} cancelled the bisect", by=action.by)
    return draft.want(FollowBisect(bisect_id=incident.bisect.id, cancel=True)).done()


def add_hypothesis(incident: Incident, action: AddHypothesis, service: Service, now: datetime) -> Change | Refused:
    del service
    if (refused := ended(incident)) is not None:
        return refused
    says = " ".join(action.says.split())[:300]
    if not says:
        return Refused("input", "Say the hypothesis in a sentence.")
    if len(incident.hypotheses) >= HYPOTHESES:
        return Refused("state", f"There are {HYPOTHESES} hypotheses already; rule one out first.")
    number = 1 + max((int(h.id[1:]) for h in incident.hypotheses if h.id[1:].isdigit()), default=0)
    raised = Hypothesis(id=f"H{number}", kind=HypothesisKind.OTHER, says=says, by=action.by)
    draft = Draft(incident, now).set(hypotheses=(*incident.hypotheses, raised))
    return ask_for_tree(draft.note("evidence", f"{mentioned(action.by)} suspects: {says}", by=action.by)).done()


def judge_hypothesis(incident: Incident, action: JudgeHypothesis, service: Service, now: datetime) -> Change | Refused:
    """A person rules one in or out, by name; the bot's own evidence does not take that back."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    if not any(h.id == action.id for h in incident.hypotheses):
        return Refused("input", f"There is no hypothesis {action.id}.")
    sure = 1.0 if action.verdict is Verdict.SUPPORTED else 0.0

    def judged(one: Hypothesis) -> Hypothesis:
        if one.id != action.id:
            return one
        found = action.reason or one.found
        return one.model_copy(update={"verdict": action.verdict, "confidence": sure, "by": action.by, "found": found})

    draft = (
        Draft(incident, now)
        .set(hypotheses=tuple(judged(h) for h in incident.hypotheses))
        .dirty("tree", "evidence", "status")
    )
    return draft.note("evidence", f"{mentioned(action.by)}: {action.id} {action.verdict.value}", by=action.by).done()


def name_cause(incident: Incident, action: NameCause, service: Service, now: datetime) -> Change | Refused:
    """The root cause, confirmed by a person. A recent deploy as the cause opens a round with rollback recommended."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    text = " ".join(action.text.split())[:2000]
    if not text:
        return Refused(
            "input", "Say the cause in a sentence, e.g. `/incident cause the new tax table is empty in eu-west`."
        )
    evidence = tuple(h.found for h in incident.hypotheses if h.verdict is Verdict.SUPPORTED and h.found)[:5]
    cause = Cause(text=text, at=now, by=action.by, evidence=evidence, commit=action.commit, release=action.release)
    draft = Draft(incident, now).set(cause=cause).note("cause", f"{mentioned(action.by)}: {text}", by=action.by)
    tell(draft, f"Root cause, confirmed by {mentioned(action.by)}: {text}")
    return _rollback_for_cause(draft.dirty("tree", *EVERYWHERE), cause).done()


def _rollback_for_cause(draft: Draft, cause: Cause) -> Draft:
    incident, report = draft.incident, draft.incident.triage
    current = incident.round
    if incident.status is not Status.DECIDING or report is None or current is None or current.action is not None:
        return draft
    said = report.recommendation
    culprit = incident.bisect.culprit if incident.bisect else None
    deployed = report.suspect is not None and cause.release == report.suspect.version
    proven = culprit is not None and cause.commit is not None and culprit.sha.startswith(cause.commit)
    if said.choice is Choice.ROLLBACK or said.target is None or said.brakes or not (deployed or proven):
        return draft
    recommended = Recommendation(
        choice=Choice.ROLLBACK,
        reasons=(
            f"The cause is confirmed and came with {report.suspect.version if report.suspect else 'this release'}.",
        ),
        against=said.against,
        suspect=said.suspect,
        target=said.target,
    )
    return open_round(draft, "the cause is a recent deploy", recommended)
