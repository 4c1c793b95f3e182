"""Phase 2, what the investigation does to the record: the tree, the bisect, the cause. How evidence is weighed: `root_cause.py`."""

from __future__ import annotations

from collections.abc import Sequence

from phases.messages.actions import BisectTick
from phases.messages.commands import AddHypothesis, CancelBisect, JudgeHypothesis, NameCause
from phases.messages.effects import FollowBisect, PostLive, Say, StartBisect
from phases.messages.results import BisectMoved, Investigated
from phases.record.findings import (
    Bisect,
    Cause,
    Choice,
    Hypothesis,
    HypothesisKind,
    LookVerdict,
    Recommendation,
    Verdict,
)
from phases.record.incident import ActionKind, Incident, Status
from phases.record.tokens import mentioned, what_was_done
from phases.record.wording import short
from phases.root_cause.hypotheses import after_bisect, best, merge
from phases.steps.announce import EVERYWHERE, await_action, keep_true, tell, worked
from phases.steps.change import Draft, Refused
from phases.steps.resolution import resolve_if_ready
from phases.steps.rounds import broken_rollbacks, open_round

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


def investigated(draft: Draft, action: Investigated) -> None:
    incident = draft.incident
    found = action.investigation
    worked(draft, "investigate")
    merged = merge(incident.hypotheses, found.hypotheses)
    if (
        incident.bisect is not None
    ):  # what it found stays true, however often the evidence is walked
        merged = after_bisect(merged, incident.bisect)
    hypotheses = _kept(without_what_did_not_help(merged, incident))
    draft.set(
        investigation=found, investigating=False, hypotheses=hypotheses, suspects=found.suspects
    )
    known = incident.investigation.walk if incident.investigation else ()
    for line in found.walk[:3]:
        if line not in known:
            draft.note("evidence", line)
    if (
        found.good
        and found.bad
        and draft.service.bisect
        and draft.service.checkout
        and incident.bisect is None
        and incident.open
    ):
        bisect_id = f"{incident.mark}-bisect-1"
        draft.set(bisect=Bisect(id=bisect_id, good=found.good, bad=found.bad))
        draft.want(StartBisect(bisect_id=bisect_id, good=found.good, bad=found.bad))
    ask_for_tree(draft).dirty("status")


def without_what_did_not_help(
    hypotheses: tuple[Hypothesis, ...], incident: Incident
) -> tuple[Hypothesis, ...]:
    """What was tried and did not help is ruled out as the answer (rules: Verification); a person's judgement stays."""
    judged = list(hypotheses)
    for one in incident.rounds:
        action = one.action
        if action is None or one.verdict != "not recovered":
            continue
        tried = what_was_done(action)
        measured = any(look.verdict is LookVerdict.NOT_RECOVERED for look in one.looks)
        found = f"{tried} was done and did not help{'' if measured else ' (not measured)'}."
        gone = (
            action.from_release.version
            if action.kind is ActionKind.ROLLBACK and action.from_release
            else None
        )
        for at, known in enumerate(judged):
            if (
                gone
                and known.kind is HypothesisKind.RELEASE
                and known.by is None
                and gone in known.says.split()
            ):
                out = {
                    "verdict": Verdict.RULED_OUT,
                    "confidence": 0.05,
                    "found": f"{gone} is gone: {found}",
                }
                judged[at] = known.model_copy(update=out)
        says = f"{tried} ends it"
        if all(known.says != says for known in judged):
            judged.append(
                Hypothesis(
                    id=f"H{_next_number(judged)}",
                    kind=HypothesisKind.OTHER,
                    says=says,
                    predicts="the events stop after it",
                    check=f"the checks of round {one.number}",
                    found=found,
                    verdict=Verdict.RULED_OUT,
                    confidence=0.0,
                )
            )
    return tuple(judged)


def _next_number(hypotheses: Sequence[Hypothesis]) -> int:
    return 1 + max((int(h.id[1:]) for h in hypotheses if h.id[1:].isdigit()), default=0)


def _kept(hypotheses: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
    """At most so many, in their order; the least likely go first."""
    if len(hypotheses) <= HYPOTHESES:
        return hypotheses
    kept = {h.id for h in best(hypotheses, HYPOTHESES)}
    return tuple(h for h in hypotheses if h.id in kept)


def bisect_moved(draft: Draft, action: BisectMoved) -> None:
    incident = draft.incident
    known = incident.bisect
    if known is None or known.id != action.bisect.id or known.state != "running":
        return
    move_bisect(draft, action.bisect)


def move_bisect(draft: Draft, bisect: Bisect) -> Draft:
    draft.set(bisect=bisect).dirty("tree", "evidence")
    if bisect.state == "running":
        return draft.timer(BISECT, FOLLOW_SECONDS, BisectTick(bisect_id=bisect.id))
    draft.set(hypotheses=_kept(after_bisect(draft.incident.hypotheses, bisect))).cancel(BISECT)
    if bisect.culprit is not None:
        culprit = bisect.culprit
        by = f" by {culprit.author}" if culprit.author else ""
        said = f"Bisect names `{culprit.sha[:9]}` “{short(culprit.subject, 120)}”{by}."
        draft.note("evidence", said.replace("`", ""), url=culprit.url)
        if draft.incident.channel is not None:
            ask = f"{said} Is that the cause? *This is the cause* above confirms it."
            draft.want(Say(text=ask, thread=True))
        return keep_true(
            draft, f"{said.replace('`', '')} A person decides whether that is the cause."
        )
    said = f"Bisect {bisect.state}{f': {bisect.reason}' if bisect.reason else ''}"
    draft.note("evidence", said)
    return tell(draft, said, ticket=False, thread=True)


def bisect_tick(draft: Draft, action: BisectTick) -> None:
    incident = draft.incident
    if (
        incident.bisect is not None
        and incident.bisect.id == action.bisect_id
        and incident.bisect.state == "running"
    ):
        draft.want(FollowBisect(bisect_id=action.bisect_id))


def cancel_bisect(draft: Draft, action: CancelBisect) -> Refused | None:
    incident = draft.incident
    if incident.bisect is None or incident.bisect.state != "running":
        return Refused("state", "No bisect is running.")
    draft.note("evidence", f"{mentioned(action.by)} cancelled the bisect", by=action.by)
    draft.want(FollowBisect(bisect_id=incident.bisect.id, cancel=True))
    return None


def add_hypothesis(draft: Draft, action: AddHypothesis) -> Refused | None:
    incident = draft.incident
    says = " ".join(action.says.split())[:300]
    if not says:
        return Refused("input", "Say the hypothesis in a sentence.")
    if len(incident.hypotheses) >= HYPOTHESES:
        return Refused("state", f"There are {HYPOTHESES} hypotheses already; rule one out first.")
    raised = Hypothesis(
        id=f"H{_next_number(incident.hypotheses)}",
        kind=HypothesisKind.OTHER,
        says=says,
        by=action.by,
    )
    draft.set(hypotheses=(*incident.hypotheses, raised))
    ask_for_tree(draft.note("evidence", f"{mentioned(action.by)} suspects: {says}", by=action.by))
    return None


def judge_hypothesis(draft: Draft, action: JudgeHypothesis) -> Refused | None:
    """A person rules one in or out, by name; the bot's own evidence does not take that back."""
    incident = draft.incident
    if not any(h.id == action.id for h in incident.hypotheses):
        return Refused("input", f"There is no hypothesis {action.id}.")
    sure = 1.0 if action.verdict is Verdict.SUPPORTED else 0.0

    def judged(one: Hypothesis) -> Hypothesis:
        if one.id != action.id:
            return one
        found = action.reason or one.found
        return one.model_copy(
            update={"verdict": action.verdict, "confidence": sure, "by": action.by, "found": found}
        )

    draft.set(hypotheses=tuple(judged(h) for h in incident.hypotheses))
    draft.dirty("tree", "evidence", "status")
    draft.note(
        "evidence", f"{mentioned(action.by)}: {action.id} {action.verdict.value}", by=action.by
    )
    return None


def name_cause(draft: Draft, action: NameCause) -> Refused | None:
    """The root cause, confirmed by a person. A recent deploy as the cause opens a round with rollback recommended."""
    incident = draft.incident
    text = " ".join(action.text.split())[:2000]
    if not text:
        return Refused(
            "input",
            "Say the cause in a sentence, e.g. `/incident cause the new tax table is empty in eu-west`.",
        )
    evidence = tuple(
        h.found for h in incident.hypotheses if h.verdict is Verdict.SUPPORTED and h.found
    )[:5]
    cause = Cause(
        text=text,
        at=draft.now,
        by=action.by,
        evidence=evidence,
        commit=action.commit,
        release=action.release,
    )
    draft.set(cause=cause)
    draft.note("cause", f"{mentioned(action.by)}: {text}", by=action.by)
    draft.dirty("tree", *EVERYWHERE)
    said = f"Root cause, confirmed by {mentioned(action.by)}: {text}"
    if incident.status is Status.MITIGATED and incident.adr is not None:
        resolve_if_ready(draft, said)
        return None
    current = incident.round
    recommended = recommended_by_cause(draft.incident)
    known = current.recommendation if current and current.action is None else None
    undecided = (
        incident.status is Status.DECIDING and current is not None and current.action is None
    )
    if (
        recommended is None
        or not undecided
        or (known is not None and known.choice is Choice.ROLLBACK)
    ):
        tell(draft, said)
        return None
    keep_true(draft, said)  # the new decision says it in the channel
    await_action(
        open_round(draft, f"the cause is a recent deploy: {short(text, 120)}", recommended)
    )
    return None


def recommended_by_cause(incident: Incident) -> Recommendation | None:
    """A confirmed cause that is a recent deploy recommends its rollback, where triage alone did not and nothing brakes it."""
    report, cause = incident.triage, incident.cause
    if report is None or cause is None:
        return None
    said = report.recommendation
    culprit = incident.bisect.culprit if incident.bisect else None
    deployed = report.suspect is not None and cause.release == report.suspect.version
    proven = (
        culprit is not None and bool(cause.commit) and culprit.sha.startswith(cause.commit or "?")
    )
    done = incident.rolled_back or broken_rollbacks(incident)
    if (
        said.choice is Choice.ROLLBACK
        or said.target is None
        or said.brakes
        or done
        or not (deployed or proven)
    ):
        return None
    return Recommendation(
        choice=Choice.ROLLBACK,
        reasons=(
            f"The cause is confirmed and came with {report.suspect.version if report.suspect else 'this release'}.",
        ),
        against=said.against,
        suspect=said.suspect,
        target=said.target,
    )
