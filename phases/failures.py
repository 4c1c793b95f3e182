"""Effects that ended without success: each is said where people are, with *Try again*, and none is the end of the incident.

Workflow, failure conditions: "Sentry inaccessible → surface immediately, fall back to manual", "Rollback fails → page humans".
"""

from __future__ import annotations

from datetime import datetime

from phases.actions import EffectFailed, LookDue, RetryDue, TryAgain
from phases.change import Change, Draft, Refused
from phases.effects import (
    EFFECT,
    Effect,
    FollowBisect,
    FollowDeploy,
    Investigate,
    LookAgain,
    NumberAdr,
    OpenChannel,
    OpenTicket,
    Page,
    PostLive,
    Say,
    StartBisect,
    StartDeploy,
    Triage,
    WriteAdr,
)
from phases.incident import Failure, Incident
from phases.mitigation import deploy_lost
from phases.root_cause_steps import move_bisect
from phases.rounds import page
from phases.service import Service
from phases.triage_steps import overdue
from phases.verification_steps import LOOK, RETRY_SECONDS

KEPT = 8  # failures shown
TICKET_RETRY_SECONDS = 15 * 60  # architecture, 5: the ticket is tried again every 15 minutes
SLACK_RETRY_SECONDS = 60  # without channel or decision message nobody can act

WORDS: dict[str, str] = {
    "open.channel": "The incident channel could not be opened",
    "set.topic": "The topic could not be set",
    "invite": "People could not be invited",
    "post.live": "A message could not be posted",
    "pin": "The status could not be pinned",
    "say": "A message could not be posted",
    "post.summary": "The summary could not be posted",
    "triage": "Sentry could not be asked",
    "investigate": "The investigation could not run",
    "bisect.start": "The bisect could not be started",
    "bisect.follow": "The bisect could not be followed",
    "deploy.start": "The deploy could not be started",
    "deploy.follow": "The deploy could not be followed",
    "look": "The check could not be made",
    "ticket.open": "The ticket could not be opened",
    "ticket.attach": "The Sentry issue could not be attached to the ticket",
    "ticket.comment": "The ticket could not be commented",
    "ticket.close": "The ticket could not be closed",
    "discord": "Discord could not be told",
    "page": "Nobody could be paged",
    "adr.number": "The post-mortem's number could not be found",
    "adr.write": "The post-mortem could not be written",
    "remember": "The incident could not be remembered",
}


def effect_failed(incident: Incident, action: EffectFailed, service: Service, now: datetime) -> Change:
    """Every effect's failure is an action that this accepts, in every state."""
    effect = EFFECT.validate_json(action.effect)
    draft = Draft(incident, now)
    failure = Failure(
        effect_id=action.effect_id, kind=action.kind, reason=action.reason[:300], at=now, effect=action.effect
    )
    kept = tuple(f for f in incident.failures if f.effect != action.effect)
    draft.set(failures=(*kept, failure)[-KEPT:])
    words = f"{WORDS[effect.type]}: {action.reason[:300]}"
    draft.note("failure", words).dirty("status")
    if incident.open or isinstance(effect, NumberAdr | WriteAdr):
        _go_on(draft, effect, action, service)
    if incident.channel is not None and not isinstance(effect, Say | PostLive):
        draft.want(Say(text=words, try_again=action.effect_id, thread=_quiet(draft.incident, effect)))
    return draft.done()


def try_again(incident: Incident, action: TryAgain, service: Service, now: datetime) -> Change | Refused:
    del service
    if (failure := _find(incident, action.effect_id)) is None:
        return Refused("stale", "That was tried again already.")
    return _again(Draft(incident, now).note("failure", f"Tried again: {failure.kind}", by=action.by), failure)


def retry_due(incident: Incident, action: RetryDue, service: Service, now: datetime) -> Change:
    del service
    if (failure := _find(incident, action.effect_id)) is None or not incident.open:
        return Draft(incident, now).done()
    return _again(Draft(incident, now), failure)


def _find(incident: Incident, effect_id: str) -> Failure | None:
    return next((f for f in incident.failures if f.effect_id == effect_id), None)


def _again(draft: Draft, failure: Failure) -> Change:
    effect = EFFECT.validate_json(failure.effect)
    left = tuple(f for f in draft.incident.failures if f.effect_id != failure.effect_id)
    draft.set(failures=left).dirty("status")
    if isinstance(effect, Investigate):
        draft.set(investigating=True)
    return draft.want(effect).done()


def _quiet(incident: Incident, effect: Effect) -> bool:
    """Small failures go to the thread; where there is none yet, to the channel."""
    small = isinstance(effect, Investigate | StartBisect | FollowBisect) or effect.type in (
        "set.topic",
        "ticket.attach",
        "ticket.comment",
        "discord",
        "remember",
        "pin",
        "invite",
    )
    return small and "decision:1" in incident.messages


def _go_on(draft: Draft, effect: Effect, action: EffectFailed, service: Service) -> Draft:
    """What the incident does without what failed, so that it always has a way on."""
    match effect:
        case Triage():
            overdue(draft, f"Sentry could not be asked: {action.reason[:200]}")
        case OpenChannel() | PostLive():
            draft.timer(f"retry:{effect.type}", SLACK_RETRY_SECONDS, RetryDue(effect_id=action.effect_id))
        case OpenTicket():
            draft.timer("retry:ticket", TICKET_RETRY_SECONDS, RetryDue(effect_id=action.effect_id))
        case StartDeploy():
            deploy_lost(draft, service, effect.deploy_id, action.reason, started=True)
        case FollowDeploy():
            deploy_lost(draft, service, effect.deploy_id, action.reason, started=True)
        case LookAgain(number=number) if number > 0:
            draft.timer(LOOK, RETRY_SECONDS, LookDue(round=effect.round, number=number))
        case Investigate():
            draft.set(investigating=False)
        case StartBisect() | FollowBisect():
            bisect = draft.incident.bisect
            if bisect is not None and bisect.id == effect.bisect_id and bisect.state == "running":
                move_bisect(draft, bisect.model_copy(update={"state": "failed", "reason": action.reason[:200]}))
        case Page():
            if draft.incident.channel is not None:
                draft.want(Say(text=f"Nobody could be paged. {effect.text}", mention=service.owners))
        case NumberAdr() | WriteAdr():
            page(draft, "adr", f"{draft.incident.id}: the post-mortem could not be written: {action.reason[:200]}")
        case _:
            pass
    return draft
