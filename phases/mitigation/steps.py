"""Phase 3, stop the bleeding: rollback, hotfix or *fixed another way*, followed to its end.

Workflow: "Option A — Rollback (preferred for high blast-radius)", "Option B — Hotfix (for limited
blast-radius with known fix) … still NOT --admin". One action on production a round.
"""

from datetime import datetime, timedelta
from typing import Literal

from phases.messages.actions import DeployTick
from phases.messages.commands import (
    DecideFixed,
    DecideHotfix,
    DecideInvestigate,
    DecideRollback,
    DecideTurnOff,
)
from phases.messages.effects import FollowDeploy, PostLive, StartDeploy, StartTurnOff
from phases.messages.results import (
    DeployFinished,
    DeployNotStarted,
    DeployProgressed,
    DeployStarted,
)
from phases.mitigation.decision import (
    cannot_turn_off,
    change_named,
    may_act,
    reason_for_a_round,
)
from phases.mitigation.hotfix_merge import watch_merge
from phases.record.claims import deploying_claim
from phases.record.findings import DeployOutput, DeployProof, MergeState, Release
from phases.record.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.record.service import DEPLOYABLE, HOTFIX
from phases.record.tokens import REASON, changed_thing, mentioned, what_was_done
from phases.shared.announce import NOBODY_TIMER, acknowledge_page, page, tell, update_outside
from phases.shared.change import Draft, Refused
from phases.shared.rounds import (
    change_action,
    decision_name,
    next_round,
    open_round,
    progress_name,
    replace_round,
    start_investigation,
)
from phases.text.wording import capital, ended, lasting, short
from phases.verification.steps import first_look, start_clock

FOLLOW_SECONDS = 2  # how often a running deploy is asked about
LINES_SECONDS = 5  # how often its newest lines are shown: edits are few, and others need them too
DEPLOY = "deploy"  # timer: ask about the running deploy
NOTHING_STARTED = "nothing was started: "  # begins a deployer's refusal; ours says it already
NOTHING_DEPLOYED = "drill: nothing was deployed"


# --- the decision -------------------------------------------------------------------------------


def _round_for(draft: Draft, number: int, *, forward: bool) -> Round | Refused:
    """Return the round that a click or form uses up."""
    incident = draft.incident
    if (refused := may_act(incident, number, forward=forward)) is not None:
        return refused
    if (why := reason_for_a_round(incident, number, forward=forward)) is not None:
        open_round(draft, why, None)
    current = draft.incident.round
    assert current is not None  # opened above
    return current


def _use_up_round(
    draft: Draft, current: Round, action: RoundAction, said: str, *, then: str = ""
) -> Draft:
    """Use up the round, and say so everywhere.

    A decision message that is only now being posted says it by itself.
    """
    replace_round(draft, current.model_copy(update={"action": action}))
    acknowledge_page(draft).cancel(NOBODY_TIMER).note("decision", said, by=action.by)
    text = f"{said} {then}".strip()
    if decision_name(current.number) in draft.incident.messages:
        return tell(draft, text)
    return update_outside(draft, text)


def decide_rollback(draft: Draft, action: DecideRollback) -> Refused | None:
    target, running = action.target, action.running
    current = _round_to_deploy(draft, action, "rollback")
    if isinstance(current, Refused):
        return current
    if not DEPLOYABLE.fullmatch(target.version):
        return Refused("input", NOT_DEPLOYABLE)
    if running is not None and running.version == target.version:
        return Refused("input", f"{target.version} is what runs now. Nothing was done.")
    _begin_deploy(draft, current, action, ActionKind.ROLLBACK, target)
    return None


def decide_turn_off(draft: Draft, action: DecideTurnOff) -> Refused | None:
    """Run the catalogue's command for a change that the bot was told of, and follow it."""
    current = _round_for(draft, action.round, forward=action.forward)
    if isinstance(current, Refused):
        return current
    change = change_named(draft.incident, current, action.change)
    if change is None:
        return Refused("input", "That change is not known in this incident. Nothing was done.")
    if missing := cannot_turn_off(draft.service, change):
        return Refused("missing", missing)
    turned = RoundAction(
        kind=ActionKind.TURN_OFF,
        by=action.by,
        at=draft.now,
        change=change,
        deploy_id=f"{draft.incident.mark}-{current.number}",
        break_glass=action.break_glass,
    )
    if draft.incident.drill:
        _act_in_drill(draft, current, turned)
        return None
    what = f"turns off {changed_thing(change)} for {draft.service.name}"
    _begin_on_production(draft, current, turned, what)
    draft.want(StartTurnOff(deploy_id=turned.deploy_id or "", change=change.name))
    return None


def decide_hotfix(draft: Draft, action: DecideHotfix) -> Refused | None:
    fix = action.fix
    current = _round_to_deploy(draft, action, "hotfix")
    if isinstance(current, Refused):
        return current
    if not fix.commit:
        return Refused(
            "input",
            "A hotfix is shipped by its head commit, and this one has none. Nothing was done.",
        )
    if not (DEPLOYABLE.fullmatch(fix.version) or HOTFIX.fullmatch(fix.version)):
        return Refused("input", NOT_DEPLOYABLE)
    _begin_deploy(draft, current, action, ActionKind.HOTFIX, fix)
    return None


NOT_DEPLOYABLE = "That is not a release that may be deployed. Nothing was done."


def _round_to_deploy(
    draft: Draft, decision: DecideRollback | DecideHotfix, kind: Literal["rollback", "hotfix"]
) -> Round | Refused:
    current = _round_for(draft, decision.round, forward=decision.forward)
    if not isinstance(current, Refused) and (missing := draft.service.cannot(kind)):
        return Refused("missing", missing)
    return current


def _begin_deploy(
    draft: Draft,
    current: Round,
    decision: DecideRollback | DecideHotfix,
    kind: ActionKind,
    to: Release,
) -> None:
    """Start the deploy; in a drill nothing is deployed."""
    incident, service, running = draft.incident, draft.service, decision.running
    deploy_id = f"{incident.mark}-{current.number}"
    action = RoundAction(
        kind=kind,
        by=decision.by,
        at=draft.now,
        from_release=running,
        to_release=to,
        deploy_id=deploy_id,
        break_glass=decision.break_glass,
    )
    if incident.drill:
        _act_in_drill(draft, current, action)
        return
    was = running.version if running else "what runs now (not known yet)"
    if kind is ActionKind.ROLLBACK:
        what = f"rolls {service.name} back from {was} to {to.version}"
    else:
        what = f"ships {what_was_done(action)} over {was}"
    _begin_on_production(draft, current, action, what)
    beside = kind is ActionKind.ROLLBACK and _is_canary(incident, running)
    draft.want(StartDeploy(deploy_id=deploy_id, kind=kind, running=running, to=to, beside=beside))


def _begin_on_production(draft: Draft, current: Round, action: RoundAction, what: str) -> None:
    """Begin an action on production, one a service at a time. Broken glass pages people."""
    incident = draft.incident
    glass = f" Break glass: {action.break_glass}" if action.break_glass else ""
    draft.set(status=Status.MITIGATING).claim(deploying_claim(draft.service.name))
    _use_up_round(draft, current, action, f"{mentioned(action.by)} {what}.{glass}")
    if action.break_glass:
        broke = f"{mentioned(action.by)} broke the glass: {what_was_done(action)}.{glass}"
        page(draft, f"break glass: {current.number}", f"{incident.id} {incident.title}: {broke}")


def _is_canary(incident: Incident, running: Release | None) -> bool:
    """Say whether what is rolled back runs beside the release that the deployer names."""
    measured = incident.triage
    return measured is not None and measured.canary and running == measured.running


def _act_in_drill(draft: Draft, current: Round, action: RoundAction) -> Draft:
    """In a drill the buttons work and production is not touched: no deploy, no claim.

    The check goes on as ever.
    """
    done = action.model_copy(
        update={
            "deploy_id": None,
            "started_at": draft.now,
            "finished_at": draft.now,
            "result": "done",
            "reason": NOTHING_DEPLOYED,
        }
    )
    text = f"{mentioned(action.by)} decided: {what_was_done(action)}. Drill: nothing was deployed."
    return _act_and_check(draft, current, done, text)


def _act_and_check(draft: Draft, current: Round, action: RoundAction, said: str) -> Draft:
    """Record an action that is done already: the wait for the first check begins at once."""
    draft.set(status=Status.VERIFYING)
    _use_up_round(draft, current, action, said, then=first_look(draft.service))
    start_investigation(draft)  # many × many waited for a rollback that does not come
    return start_clock(draft)


def decide_fixed(draft: Draft, action: DecideFixed) -> Refused | None:
    current = _round_for(draft, action.round, forward=action.forward)
    if isinstance(current, Refused):
        return current
    sentence = " ".join(action.sentence.split())[:500]
    if not sentence:
        return Refused(
            "input", "Say in a sentence what was done, e.g. “flag new-pricing switched off”."
        )
    fixed = RoundAction(
        kind=ActionKind.FIXED,
        by=action.by,
        at=draft.now,
        sentence=sentence,
        started_at=draft.now,
        finished_at=draft.now,
        result="done",
    )
    text = ended(f"{mentioned(action.by)} fixed it another way: {sentence}")
    _act_and_check(draft, current, fixed, text)
    return None


def decide_investigate(draft: Draft, action: DecideInvestigate) -> Refused | None:
    """Record that a person chose it; rollback and hotfix stay live beside it."""
    before = draft.incident.round
    if before is None:
        open_round(draft, "acted on before triage", None)
    current = draft.incident.round
    assert current is not None  # opened above
    if current.action is not None or (before is not None and before.number != action.round):
        return Refused("stale", "That decision is over. Nothing was changed.")
    if current.investigate_by is None:
        text = f"{mentioned(action.by)} investigates first. Rollback and hotfix stay open."
        replace_round(draft, current.model_copy(update={"investigate_by": action.by}))
        draft.note("decision", text, by=action.by).cancel(NOBODY_TIMER)
        update_outside(draft, text)
    start_investigation(draft)
    return None


# --- the deploy, followed -----------------------------------------------------------------------


def _deploy_under_way(incident: Incident, deploy_id: str) -> tuple[Round, RoundAction] | None:
    """Return the round of a deploy that is under way, with its action.

    Late words about a deploy that has ended change nothing.
    """
    for current in incident.rounds:
        action = current.action
        if action and action.deploy_id == deploy_id and action.result in ("waiting", "running"):
            return current, action
    return None


def deploy_started(draft: Draft, action: DeployStarted) -> None:
    """The deployer says what ran before, where the person who decided could not name it."""
    if (deploying := _deploy_under_way(draft.incident, action.deploy_id)) is None:
        return
    current, deploy = deploying
    if deploy.result == "waiting":
        _deploy_began(draft, current, deploy, draft.now, action.running)
    draft.timer(DEPLOY, FOLLOW_SECONDS, DeployTick(deploy_id=action.deploy_id))


def _deploy_began(
    draft: Draft, current: Round, deploy: RoundAction, at: datetime, running: Release | None = None
) -> Round:
    before = deploy.from_release or running
    over = f" over {before.version}" if before else ""
    started = "Deploy started" if deploy.deploys else "Started"
    draft.note("deploy", f"{started}: {what_was_done(deploy)}{over}")
    start_investigation(draft)  # many × many: "debug after"
    return change_action(draft, current, result="running", started_at=at, from_release=before)


def deploy_not_started(draft: Draft, action: DeployNotStarted) -> None:
    """Production is untouched: something else runs by now, or the deployer refused.

    A new round opens. Where users were verified to be fine (a fix forward), they still are.
    """
    incident = draft.incident
    if (deploying := _deploy_under_way(incident, action.deploy_id)) is None:
        return
    current, deploy = deploying
    reason = short(action.reason.removeprefix(NOTHING_STARTED), REASON).rstrip(".")
    change_action(draft, current, result="not started", reason=reason, finished_at=draft.now)
    draft.cancel(DEPLOY).give_up_claim(deploying_claim(draft.service.name))
    draft.note("deploy", f"Not started: {reason}")
    if incident.recovered_at is not None:
        draft.set(status=Status.MITIGATED)
        tell(draft, f"{reason}. Users are still fine.", strong=f"Nothing was {_verb_done(deploy)}:")
        return
    if action.running is None:
        failed = f"{what_was_done(deploy)} failed: {reason}"
        page(draft, f"deploy: {current.number}", f"{incident.id} {incident.title}: {failed}")
    next_round(draft, f"nothing was {_verb_done(deploy)}: {reason}")


def _verb_done(action: RoundAction) -> str:
    return "deployed" if action.deploys else "turned off"


def deploy_tick(draft: Draft, action: DeployTick) -> None:
    if _deploy_under_way(draft.incident, action.deploy_id) is not None:
        draft.want(FollowDeploy(deploy_id=action.deploy_id))


def deploy_progressed(draft: Draft, action: DeployProgressed) -> None:
    if (deploying := _deploy_under_way(draft.incident, action.deploy_id)) is None:
        return
    current, deploy = deploying
    pause = timedelta(seconds=LINES_SECONDS)
    rests = deploy.lines_at is not None and draft.now - deploy.lines_at < pause
    if action.lines and action.lines != deploy.lines and not rests:
        current = change_action(draft, current, lines=action.lines, lines_at=draft.now)
    _show_output(draft, current, action.output)
    draft.timer(DEPLOY, FOLLOW_SECONDS, DeployTick(deploy_id=action.deploy_id))


def _show_output(draft: Draft, current: Round, output: DeployOutput | None) -> None:
    """Show what the deploy prints in a message of its own, in the thread of the decision.

    It is posted with the first line. The decision message does not change with it.
    """
    action = current.action
    if action is None or output is None or not output.lines or output == action.output:
        return
    shown = action.model_copy(update={"output": output, "output_asked": True})
    rounds = (
        current.model_copy(update={"action": shown}) if other.number == current.number else other
        for other in draft.incident.rounds
    )
    draft.set(rounds=tuple(rounds)).dirty(progress_name(current.number))
    if not action.output_asked:
        draft.want(PostLive(name=progress_name(current.number)))


def deploy_finished(draft: Draft, action: DeployFinished) -> None:
    """Begin the wait for the first check; or page people and decide again.

    A deploy that failed, or whose result is not known, is never started again by itself.
    """
    if (deploying := _deploy_under_way(draft.incident, action.deploy_id)) is None:
        return
    _show_output(draft, deploying[0], action.output)
    current, deploy = _deploy_under_way(draft.incident, action.deploy_id) or deploying
    if deploy.result == "waiting" and action.result == "done":
        # Its end is told before its start: the worker that began it has died.
        current = _deploy_began(draft, current, deploy, action.proof.started_at or deploy.at)
        deploy = current.action or deploy
    reason = short(action.reason, REASON)
    change_action(
        draft,
        current,
        result=action.result,
        finished_at=draft.now,
        proof=action.proof,
        reason=reason,
        lines=action.lines or deploy.lines,
    )
    draft.cancel(DEPLOY).give_up_claim(deploying_claim(draft.service.name))
    if action.result == "done":
        _deploy_succeeded(draft, deploy, action.proof, action.merge)
        return
    how = "failed"
    if action.result != "failed":
        how = "has an unknown result and will not be retried automatically"
    why = f": {reason.rstrip('.')}" if reason else ""
    text = f"{what_was_done(deploy)} {how}{why}"
    draft.note("deploy", text).set(recovered_at=None, guard_until=None)
    title = f"{draft.incident.id} {draft.incident.title}"
    page(draft, f"deploy: {current.number}", f"{title}: {text}")
    next_round(draft, text)


def _deploy_succeeded(
    draft: Draft, deploy: RoundAction, proof: DeployProof, merge: MergeState | None
) -> None:
    if not deploy.deploys:
        text = f"{capital(what_was_done(deploy, 'past'))} in {_time_taken(draft, deploy)}."
        draft.set(status=Status.VERIFYING).note("deploy", text)
        tell(draft, f"{text} {first_look(draft.service)}")
        start_clock(draft)
        return
    before = proof.before or (deploy.from_release.version if deploy.from_release else None)
    if deploy.kind is ActionKind.ROLLBACK:
        draft.set(cause_fixed_by=None)  # whoever said so spoke of what is rolled back now
        if before and before not in draft.incident.rolled_back:
            draft.set(rolled_back=(*draft.incident.rolled_back, before))
    text = f"Deployed: {before or '?'} → {proof.after or '?'} in {_time_taken(draft, deploy)}."
    draft.set(status=Status.VERIFYING).note("deploy", text)
    if deploy.kind is ActionKind.HOTFIX and (open_end := watch_merge(draft, merge)) is not None:
        text = f"{text} {open_end}"
        draft.note("deploy", open_end)
    tell(draft, f"{text} {first_look(draft.service)}")
    start_clock(draft)


def _time_taken(draft: Draft, action: RoundAction) -> str:
    return lasting(draft.now - (action.started_at or action.at))


def deploy_lost(draft: Draft, deploy_id: str, reason: str) -> None:
    """The deployer cannot be asked any more: the result is unknown (rules: Pages)."""
    if (deploying := _deploy_under_way(draft.incident, deploy_id)) is None:
        return
    before = deploying[1].from_release
    proof = DeployProof(before=before.version if before else None)
    deploy_finished(
        draft, DeployFinished(deploy_id=deploy_id, result="unknown", proof=proof, reason=reason)
    )
