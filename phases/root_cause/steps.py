"""Phase 2, the investigation: its findings, the bisect, and the cause that a person confirms.

How evidence is weighed: `phases/root_cause/investigate.py`.
"""

from collections.abc import Sequence
from itertools import takewhile

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
from phases.record.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.record.tokens import mentioned, what_was_done
from phases.root_cause.hypotheses import best_hypotheses
from phases.root_cause.hypothesis_updates import after_bisect, merge_hypotheses
from phases.shared.announce import (
    LIVE_EVERYWHERE,
    await_action,
    clear_failures,
    tell,
    update_outside,
)
from phases.shared.change import Draft, Refused
from phases.shared.resolution import resolve_if_ready
from phases.shared.rounds import broken_rollbacks, open_round
from phases.text.wording import short

BISECT_TIMER = "bisect"  # timer
FOLLOW_SECONDS = 2
WALK_STEPS = 3  # steps of the walk that may go into the timeline
NEW_IN = ": new in "
"""Ends the sentence about a line that the suspected release brought."""
HYPOTHESES_KEPT = 12  # kept in the record


def ask_for_tree(draft: Draft) -> Draft:
    """Post the tree once: in the thread of a decision, when there is something to show."""
    incident = draft.incident
    posted = any(name.startswith("decision:") for name in incident.messages)
    if incident.tree_asked or not posted or not incident.hypotheses:
        return draft.dirty("tree")
    return draft.set(tree_asked=True).want(PostLive(name="tree"))


def investigated(draft: Draft, action: Investigated) -> None:
    incident, service, findings = draft.incident, draft.service, action.investigation
    clear_failures(draft, "investigate")
    merged = merge_hypotheses(incident.hypotheses, findings.hypotheses)
    if incident.bisect is not None:  # its result stays true, however often evidence is walked
        merged = after_bisect(merged, incident.bisect)
    draft.set(
        investigation=findings,
        investigating=False,
        hypotheses=_likeliest_hypotheses(rule_out_what_did_not_help(merged, incident)),
        suspects=findings.suspects,
    )
    known = incident.investigation.walk if incident.investigation else ()
    for number, line in enumerate(findings.walk[:WALK_STEPS]):
        noteworthy = (
            number == 0 or NEW_IN in line
        )  # who wrote the older lines stands in the evidence
        if noteworthy and (news := _new_sentences(line, known)):
            draft.note("evidence", news)
    can_bisect = service.bisect and service.checkout and incident.bisect is None
    good, bad = findings.good, findings.bad
    if good and bad and can_bisect and incident.open:
        bisect_id = f"{incident.mark}-bisect-1"
        draft.set(bisect=Bisect(id=bisect_id, good=good, bad=bad))
        draft.want(StartBisect(bisect_id=bisect_id, good=good, bad=bad))
    ask_for_tree(draft).dirty("status")


def _new_sentences(line: str, known: Sequence[str]) -> str:
    """Return the sentences of a step of the walk that no earlier walk had; none may be left.

    A second walk that knows who wrote a line tells that, and not the place of the crash again.
    """
    known_length = max((_shared_sentences(line, earlier) for earlier in known), default=0)
    return line[known_length:].strip()


def _shared_sentences(line: str, other: str) -> int:
    """Return how many letters the whole sentences have with which both begin."""
    alike = takewhile(lambda two: two[0] == two[1], zip(f"{line} ", f"{other} ", strict=False))
    end = f"{line} ".rfind(". ", 0, sum(1 for _ in alike))
    return 0 if end < 0 else end + len(". ")


def rule_out_what_did_not_help(
    hypotheses: tuple[Hypothesis, ...], incident: Incident
) -> tuple[Hypothesis, ...]:
    """Rule out as the answer what was tried and did not help; a person's judgement stays.

    Rules: Verification.
    """
    judged = list(hypotheses)
    for current in incident.rounds:
        if current.action is not None and current.verdict == "not recovered":
            _rule_out(judged, current, current.action)
    return tuple(judged)


def _rule_out(judged: list[Hypothesis], current: Round, action: RoundAction) -> None:
    tried = what_was_done(action)
    measured = any(look.verdict is LookVerdict.NOT_RECOVERED for look in current.looks)
    result = f"{tried} was done and did not help{'' if measured else ' (not measured)'}."
    rolled_back = action.kind is ActionKind.ROLLBACK and action.from_release
    gone = rolled_back.version if rolled_back else action.change.name if action.change else None
    kind = HypothesisKind.CONFIGURATION if action.change else HypothesisKind.RELEASE
    for at, known in enumerate(judged):
        names_it = known.kind is kind and gone in known.says.split()
        if gone and names_it and known.by is None:
            out = {"verdict": Verdict.RULED_OUT, "confidence": 0.05}
            judged[at] = known.model_copy(update={**out, "found": f"{gone} is gone: {result}"})
    says = f"{tried} ends it"
    if all(known.says != says for known in judged):
        judged.append(
            Hypothesis(
                id=f"H{_next_number(judged)}",
                kind=HypothesisKind.OTHER,
                says=says,
                predicts="the events stop after it",
                check=f"the checks of round {current.number}",
                found=result,
                verdict=Verdict.RULED_OUT,
                confidence=0.0,
            )
        )


def _next_number(hypotheses: Sequence[Hypothesis]) -> int:
    numbers = (known.id[1:] for known in hypotheses)
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=0)


def _likeliest_hypotheses(hypotheses: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
    """Return as many as are kept, in their order; the least likely go first."""
    likeliest = {known.id for known in best_hypotheses(hypotheses, HYPOTHESES_KEPT)}
    return tuple(known for known in hypotheses if known.id in likeliest)


def bisect_moved(draft: Draft, action: BisectMoved) -> None:
    if _bisect_runs(draft.incident, action.bisect.id):
        move_bisect(draft, action.bisect)


def _bisect_runs(incident: Incident, bisect_id: str) -> bool:
    known = incident.bisect
    return known is not None and known.id == bisect_id and known.state == "running"


def move_bisect(draft: Draft, bisect: Bisect) -> None:
    draft.set(bisect=bisect).dirty("tree")
    if bisect.state == "running":
        draft.timer(BISECT_TIMER, FOLLOW_SECONDS, BisectTick(bisect_id=bisect.id))
        return
    hypotheses = _likeliest_hypotheses(after_bisect(draft.incident.hypotheses, bisect))
    draft.set(hypotheses=hypotheses).cancel(BISECT_TIMER)
    culprit = bisect.culprit
    if culprit is None:
        text = f"Bisect {bisect.state}{f': {bisect.reason}' if bisect.reason else ''}"
        tell(draft.note("evidence", text), Say(text=text, thread=True), ticket=False)
        return
    by = f" by {culprit.author}" if culprit.author else ""
    text = f"Bisect names `{culprit.sha[:9]}` “{short(culprit.subject, 120)}”{by}."
    plain = text.replace("`", "")
    draft.note("evidence", plain, url=culprit.url)
    if draft.incident.channel is not None:
        ask = f"{text} Is that the cause? *This is the cause* above confirms it."
        draft.want(Say(text=ask, thread=True))
    update_outside(draft, f"{plain} A person decides whether that is the cause.")


def bisect_tick(draft: Draft, action: BisectTick) -> None:
    if _bisect_runs(draft.incident, action.bisect_id):
        draft.want(FollowBisect(bisect_id=action.bisect_id))


def cancel_bisect(draft: Draft, action: CancelBisect) -> Refused | None:
    bisect = draft.incident.bisect
    if bisect is None or bisect.state != "running":
        return Refused("state", "No bisect is running.")
    draft.note("evidence", f"{mentioned(action.by)} cancelled the bisect", by=action.by)
    draft.want(FollowBisect(bisect_id=bisect.id, cancel=True))
    return None


# --- people -------------------------------------------------------------------------------------


def add_hypothesis(draft: Draft, action: AddHypothesis) -> Refused | None:
    hypotheses = draft.incident.hypotheses
    says = " ".join(action.says.split())[:300]
    if not says:
        return Refused("input", "Say the hypothesis in a sentence.")
    if (same := next((known for known in hypotheses if known.says == says), None)) is not None:
        return Refused("stale", f"{same.id} says that already.")
    if len(hypotheses) >= HYPOTHESES_KEPT:
        return Refused(
            "state", f"There are {HYPOTHESES_KEPT} hypotheses already; rule one out first."
        )
    number = f"H{_next_number(hypotheses)}"
    raised = Hypothesis(
        id=number,
        kind=HypothesisKind.OTHER,
        says=says,
        predicts=" ".join(action.predicts.split())[:300],
        check=" ".join(action.check.split())[:300],
        by=action.by,
        agent=action.agent,
    )
    draft.set(hypotheses=(*hypotheses, raised))
    who = f"Agent {action.agent} for {mentioned(action.by)}" if action.agent else ""
    draft.note("evidence", f"{who or mentioned(action.by)} suspects: {says}", by=action.by)
    ask_for_tree(draft)
    return None


def judge_hypothesis(draft: Draft, action: JudgeHypothesis) -> Refused | None:
    """A person rules one in or out, by name; the bot's own evidence does not take that back."""
    hypotheses = draft.incident.hypotheses
    if not any(known.id == action.id for known in hypotheses):
        return Refused("input", f"There is no hypothesis {action.id}.")
    sure = 1.0 if action.verdict is Verdict.SUPPORTED else 0.0
    judgement = {"verdict": action.verdict, "confidence": sure, "by": action.by}
    judged = tuple(
        known.model_copy(update={**judgement, "found": action.reason or known.found})
        if known.id == action.id
        else known
        for known in hypotheses
    )
    draft.set(hypotheses=judged).dirty("tree", "status")
    text = f"{mentioned(action.by)}: {action.id} {action.verdict.value}"
    draft.note("evidence", text, by=action.by)
    return None


def name_cause(draft: Draft, action: NameCause) -> Refused | None:
    """A person confirms the root cause; a recent deploy opens a round with rollback recommended."""
    incident = draft.incident
    text = " ".join(action.text.split())[:2000]
    if not text:
        example = "`/incident cause the new tax table is empty in eu-west`"
        return Refused("input", f"Say the cause in a sentence, e.g. {example}.")
    supported = (known for known in incident.hypotheses if known.verdict is Verdict.SUPPORTED)
    cause = Cause(
        text=text,
        at=draft.now,
        by=action.by,
        evidence=tuple(known.found for known in supported if known.found)[:5],
        commit=action.commit,
        release=action.release,
    )
    draft.set(cause=cause).note("cause", f"{mentioned(action.by)}: {text}", by=action.by)
    draft.dirty("tree", *LIVE_EVERYWHERE)
    confirmed = f"Root cause, confirmed by {mentioned(action.by)}: {text}"
    if incident.status is Status.MITIGATED and incident.adr is not None:
        resolve_if_ready(draft, confirmed)
        return None
    recommended = recommended_by_cause(draft.incident)
    if recommended is None or not _open_to_rollback(incident):
        tell(draft, confirmed)
        return None
    update_outside(draft, confirmed)  # the new decision says it in the channel
    why = f"the cause is a recent deploy: {short(text, 120)}"
    await_action(open_round(draft, why, recommended))
    return None


def _open_to_rollback(incident: Incident) -> bool:
    """True if nobody has decided yet and a rollback is not recommended already."""
    current = incident.round
    if incident.status is not Status.DECIDING or current is None or current.action is not None:
        return False
    known = current.recommendation
    return known is None or known.choice is not Choice.ROLLBACK


def recommended_by_cause(incident: Incident) -> Recommendation | None:
    """Recommend to roll back a recent deploy that is the confirmed cause.

    Not where triage has recommended it, or where something brakes it.
    """
    report, cause = incident.triage, incident.cause
    if report is None or cause is None:
        return None
    measured, suspect = report.recommendation, report.suspect
    culprit = incident.bisect.culprit if incident.bisect else None
    deployed = suspect is not None and cause.release == suspect.version
    proven = culprit is not None and bool(cause.commit) and culprit.sha.startswith(cause.commit)
    tried = incident.rolled_back or broken_rollbacks(incident)
    if measured.choice is Choice.ROLLBACK or measured.target is None or measured.brakes:
        return None
    if tried or not (deployed or proven):
        return None
    came_with = suspect.version if suspect else "this release"
    return Recommendation(
        choice=Choice.ROLLBACK,
        reasons=(f"The cause is confirmed and came with {came_with}.",),
        against=measured.against,
        suspect=measured.suspect,
        target=measured.target,
    )
