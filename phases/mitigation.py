"""Phase 3, stop the bleeding: rollback, hotfix, fixed another way; one action on production a round, followed to its end.

Workflow: "Option A — Rollback (preferred for high blast-radius)", "Option B — Hotfix (for limited blast-radius with known
fix) … still NOT --admin". Where a rollback goes to is measured in `triage.py`; whether it worked in `verification.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from phases.actions import (
    DecideFixed,
    DecideHotfix,
    DecideInvestigate,
    DecideRollback,
    DeployedByOthers,
    DeployFinished,
    DeployNotStarted,
    DeployProgressed,
    DeployStarted,
    DeployTick,
)
from phases.change import Change, Draft, Refused
from phases.effects import FollowDeploy, Say, StartDeploy
from phases.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.report import DeployProof, Release
from phases.rounds import (
    ended,
    keep_true,
    mentioned,
    next_round,
    open_round,
    page,
    replace_round,
    start_investigation,
    tell,
    what_was_done,
)
from phases.service import DEPLOYABLE, Service
from phases.verification_steps import start_clock

FOLLOW_SECONDS = 2  # how often a running deploy is asked about
NOBODY = "nobody"  # timer: nobody acted on a SEV1
DEPLOY = "deploy"  # timer: ask about the running deploy


def who_may(owners: Sequence[str], person: str, *, member: bool) -> Refused | None:
    """Rules, Who may: the service's owners; no owners set: any full member. None where the person may act."""
    if not member:
        return Refused("who", "Only full members of this workspace can act on an incident. Nothing was done.")
    if owners and person not in owners:
        names = ", ".join(mentioned(o) for o in owners)
        return Refused("who", f"Only the owners of this service deploy it: {names}. Nothing was done.")
    return None


def deploying_claim(service: str) -> str:
    """One deploy a service at a time, over all incidents."""
    return f"deploying:{service}"


# --- the decision ----------------------------------------------------------------------------------------------


def _round_for(draft: Draft, number: int, *, forward: bool) -> Round | Refused:
    """The round that a click or form means, if it may still be acted on; else who won, and what."""
    incident = draft.incident
    if (refused := ended(incident)) is not None:
        return refused
    if incident.round is None:
        open_round(draft, "acted on before triage", None)
        number = 1
    elif forward and incident.status is Status.MITIGATED and number == incident.round.number:
        open_round(draft, "fix forward", None)  # life of an incident: mitigated ─ fix forward → mitigating
        number += 1
    current = draft.incident.round
    assert current is not None  # opened above
    if current.action is not None and number <= current.number:
        done = current.action
        return Refused(
            "stale",
            f"{mentioned(done.by)} already decided: {what_was_done(done)} ({done.result}). Nothing more was done.",
        )
    if number != current.number:
        return Refused(
            "stale", f"That button belongs to round {number}; round {current.number} is open. Nothing was done."
        )
    return current


def _act(draft: Draft, current: Round, action: RoundAction, said: str) -> Draft:
    """Uses up the round, and says so everywhere."""
    replace_round(draft, current.model_copy(update={"action": action}))
    draft.cancel(NOBODY).note("decision", said, by=action.by)
    return keep_true(draft, said)


def decide_rollback(incident: Incident, action: DecideRollback, service: Service, now: datetime) -> Change | Refused:
    return _deploy(incident, ActionKind.ROLLBACK, action, action.target, service, now)


def decide_hotfix(incident: Incident, action: DecideHotfix, service: Service, now: datetime) -> Change | Refused:
    if not action.fix.commit:
        return Refused("input", "A hotfix is shipped by its head commit, and this one has none. Nothing was done.")
    return _deploy(incident, ActionKind.HOTFIX, action, action.fix, service, now)


def _deploy(
    incident: Incident,
    kind: ActionKind,
    said: DecideRollback | DecideHotfix,
    to: Release,
    service: Service,
    now: datetime,
) -> Change | Refused:
    draft = Draft(incident, now)
    current = _round_for(draft, said.round, forward=said.forward)
    if isinstance(current, Refused):
        return current
    if service.deployer is None:
        return Refused(
            "missing", f"{service.name} has no deployer in the catalogue. Deploy by hand, then say *Fixed another way*."
        )
    if not DEPLOYABLE.fullmatch(to.version):
        return Refused("input", "That is not a release that may be deployed. Nothing was done.")
    if kind is ActionKind.ROLLBACK and said.running is not None and said.running.version == to.version:
        return Refused("input", f"{to.version} is what runs now. Nothing was done.")
    deploy_id = f"{incident.id}-{current.number}".lower()
    acted = RoundAction(
        kind=kind,
        by=said.by,
        at=now,
        from_release=said.running,
        to_release=to,
        deploy_id=deploy_id,
        break_glass=said.break_glass,
    )
    was = said.running.version if said.running else "?"
    words = f"{mentioned(said.by)}: {what_was_done(acted)} (from {was})"
    draft.set(status=Status.MITIGATING).claim(deploying_claim(service.name))
    _act(draft, draft.incident.round or current, acted, words)
    draft.want(StartDeploy(deploy_id=deploy_id, kind=kind, running=said.running, to=to, by=said.by))
    if said.break_glass:
        draft.note("decision", f"Break glass: {said.break_glass}", by=said.by)
        tell(draft, f"{mentioned(said.by)} broke the glass to deploy {service.name}: {said.break_glass}")
        page(
            draft, f"break glass: {current.number}", f"{incident.id}: break glass on {service.name}: {said.break_glass}"
        )
    return draft.done()


def decide_fixed(incident: Incident, action: DecideFixed, service: Service, now: datetime) -> Change | Refused:
    draft = Draft(incident, now)
    current = _round_for(draft, action.round, forward=action.forward)
    if isinstance(current, Refused):
        return current
    sentence = " ".join(action.sentence.split())[:500]
    if not sentence:
        return Refused("input", "Say in a sentence what was done, e.g. “flag new-pricing switched off”.")
    acted = RoundAction(
        kind=ActionKind.FIXED, by=action.by, at=now, sentence=sentence, started_at=now, finished_at=now, result="done"
    )
    draft.set(status=Status.VERIFYING)
    _act(draft, draft.incident.round or current, acted, f"{mentioned(action.by)}: fixed another way: {sentence}")
    start_clock(draft, service)
    return draft.done()


def decide_investigate(
    incident: Incident, action: DecideInvestigate, service: Service, now: datetime
) -> Change | Refused:
    """Records that a person chose it; Rollback and Hotfix stay live beside it."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    draft = Draft(incident, now)
    current = incident.round
    if current is None or current.number != action.round or current.action is not None:
        return Refused("stale", "That decision is over. Nothing was changed.")
    if current.investigate_by is None:
        replace_round(draft, current.model_copy(update={"investigate_by": action.by}))
        draft.note("decision", f"{mentioned(action.by)}: investigate first", by=action.by).cancel(NOBODY)
        keep_true(draft, f"{mentioned(action.by)}: investigate first")
    return start_investigation(draft).done()


# --- the deploy, followed --------------------------------------------------------------------------------------


def _deploying(incident: Incident, deploy_id: str) -> tuple[Round, RoundAction] | None:
    """The round whose deploy this is, while it is under way; late words about an ended one change nothing."""
    for one in incident.rounds:
        if one.action and one.action.deploy_id == deploy_id and one.action.result in ("waiting", "running"):
            return one, one.action
    return None


def _moved(draft: Draft, current: Round, action: RoundAction, **fields: object) -> Round:
    changed = current.model_copy(update={"action": action.model_copy(update=fields)})
    replace_round(draft, changed)
    return changed


def deploy_started(incident: Incident, action: DeployStarted, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if (found := _deploying(incident, action.deploy_id)) is None:
        return draft.done()
    current, acted = found
    if acted.result == "waiting":
        _moved(draft, current, acted, result="running", started_at=now)
        draft.note("deploy", f"Deploy started: {what_was_done(acted)}")
        start_investigation(draft)  # many × many: "debug after"
    return draft.timer(DEPLOY, FOLLOW_SECONDS, DeployTick(deploy_id=action.deploy_id)).done()


def deploy_not_started(incident: Incident, action: DeployNotStarted, service: Service, now: datetime) -> Change:
    """Something else runs by now, or the deployer refused: production is untouched, and a new round opens."""
    draft = Draft(incident, now)
    if (found := _deploying(incident, action.deploy_id)) is None:
        return draft.done()
    current, acted = found
    _moved(draft, current, acted, result="not started", reason=action.reason, finished_at=now)
    draft.release(deploying_claim(service.name)).note("deploy", f"Not started: {action.reason}")
    tell(draft, f"Nothing was deployed: {action.reason}")
    if action.running is None:
        page(
            draft,
            f"deploy: {current.number}",
            f"{incident.id} {incident.title}: {what_was_done(acted)} failed: {action.reason}",
        )
    return next_round(draft, f"nothing was deployed: {action.reason}").done()


def deploy_tick(incident: Incident, action: DeployTick, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if _deploying(incident, action.deploy_id) is not None:
        draft.want(FollowDeploy(deploy_id=action.deploy_id))
    return draft.done()


def deploy_progressed(incident: Incident, action: DeployProgressed, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if (found := _deploying(incident, action.deploy_id)) is None:
        return draft.done()
    current, acted = found
    if action.lines and action.lines != acted.lines:
        _moved(draft, current, acted, lines=action.lines)
    return draft.timer(DEPLOY, FOLLOW_SECONDS, DeployTick(deploy_id=action.deploy_id)).done()


def deploy_finished(incident: Incident, action: DeployFinished, service: Service, now: datetime) -> Change:
    draft = Draft(incident, now)
    if (found := _deploying(incident, action.deploy_id)) is None:
        return draft.done()
    return finish_deploy(draft, found, action.result, action.proof, action.reason, service, lines=action.lines).done()


def finish_deploy(
    draft: Draft,
    found: tuple[Round, RoundAction],
    result: str,
    proof: DeployProof,
    reason: str,
    service: Service,
    *,
    lines: tuple[str, ...] = (),
) -> Draft:
    """Done: the wait begins. Failed or unknown: never started again by itself, people are paged, decide again."""
    current, acted = found
    incident = draft.incident
    words = what_was_done(acted)
    current = _moved(
        draft,
        current,
        acted,
        result=result,
        finished_at=draft.now,
        proof=proof,
        reason=reason,
        lines=lines or acted.lines,
    )
    draft.cancel(DEPLOY).release(deploying_claim(service.name))
    if result == "done":
        seconds = round((draft.now - (acted.started_at or acted.at)).total_seconds())
        if acted.kind is ActionKind.ROLLBACK and proof.before and proof.before not in incident.rolled_back:
            draft.set(rolled_back=(*incident.rolled_back, proof.before))
        draft.set(status=Status.VERIFYING).note(
            "deploy", f"Deployed: {proof.before or '?'} → {proof.after or '?'} in {seconds} s"
        )
        tell(draft, f"Deployed: {proof.before or '?'} → {proof.after or '?'}, {seconds} s. Checking again soon.")
        return start_clock(draft, service)
    draft.note("deploy", f"{words}: {result}. {reason}")
    how = "failed" if result == "failed" else "has an unknown result and will not be started again"
    page(draft, f"deploy: {current.number}", f"{incident.id} {incident.title}: {words} {how}. {reason}")
    tell(draft, f"*{words[0].upper()}{words[1:]} {how}.* {reason}")
    return next_round(draft, f"{words} {how}")


def deploy_lost(draft: Draft, service: Service, deploy_id: str, reason: str, *, started: bool) -> Draft:
    """The deployer could not be asked any more: what came of it is unknown (rules: pages, always)."""
    if (found := _deploying(draft.incident, deploy_id)) is None:
        return draft
    acted = found[1]
    before = acted.from_release.version if acted.from_release else None
    return finish_deploy(draft, found, "unknown" if started else "failed", DeployProof(before=before), reason, service)


def deployed_by_others(incident: Incident, action: DeployedByOthers, service: Service, now: datetime) -> Change:
    """A deploy that the bot did not start: in the timeline, and asked about."""
    del service
    draft = Draft(incident, now)
    deploy = action.deploy
    ours = any(
        r.action and r.action.to_release == deploy.release and r.action.result != "failed" for r in incident.rounds
    )
    if ours or not incident.open:
        return draft.done()
    by = f" by {deploy.by}" if deploy.by else ""
    draft.note("deploy", f"{deploy.release.version} was deployed{by}")
    if incident.channel is not None:
        text = f"{deploy.release.version} was deployed{by} at {deploy.started_at:%H:%M} UTC. Is that the fix?"
        draft.want(Say(text=text, ask="foreign deploy"))
    return draft.dirty("status").done()
