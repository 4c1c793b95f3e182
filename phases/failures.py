"""Effects that ended without success: each is said where people are, with *Try again*, and none is the end of the incident.

Workflow, failure conditions: "Sentry inaccessible → surface immediately, fall back to manual", "Rollback fails → page humans".
"""

from __future__ import annotations

from datetime import datetime, timedelta

from phases.coordination.declare import begin_comms
from phases.coordination.recurrence import guard_looked
from phases.messages.actions import RetryDue
from phases.messages.commands import TryAgain
from phases.messages.effects import (
    EFFECT,
    RETRY_SECONDS,
    CatchUp,
    CommentTicket,
    Effect,
    FollowBisect,
    FollowDeploy,
    Investigate,
    LookAgain,
    LookAtMerge,
    LookAtTicket,
    LookBack,
    MergePullRequest,
    OpenChannel,
    OpenTicket,
    Page,
    PostLive,
    Say,
    StartBisect,
    StartDeploy,
    TellDiscord,
    Triage,
    policy,
)
from phases.messages.results import EffectFailed, GuardLooked
from phases.mitigation.hotfix_merge import look_later, refuse_merge
from phases.mitigation.steps import deploy_lost
from phases.record.incident import Failure, Incident, Status
from phases.record.limits import UNDECIDED
from phases.record.service import Service
from phases.record.tokens import REASON
from phases.record.wording import short
from phases.root_cause.steps import move_bisect
from phases.steps.announce import tell_discord
from phases.steps.change import Change, Draft, Refused
from phases.triage.steps import overdue
from phases.verification.steps import unreachable

KEPT = 8  # failures kept and shown
LONGEST_RETRY_SECONDS = 15 * 60
COMMIT_SECONDS = 2  # bot/store/redis.py SAY_SECONDS: a line of the timeline may be so much older than what was wanted with it
SLOWER = 10  # what has failed for an hour is tried every sixth minute


def effect_failed(
    incident: Incident, action: EffectFailed, service: Service, now: datetime
) -> Change:
    """Every effect's failure is an action that this accepts, in every state. What is tried again by itself is said once."""
    effect = EFFECT.validate_json(action.effect)
    match effect:
        case (
            StartDeploy() | FollowDeploy()
        ):  # never started again: the round ends as unknown, and people decide
            return deploy_lost(
                Draft(incident, now), service, effect.deploy_id, action.reason
            ).done()
        case MergePullRequest(round=number):
            return refuse_merge(Draft(incident, now), number, action.reason).done()
        case LookAtMerge(
            round=number
        ):  # looked at again by itself; until then it counts as not merged
            return look_later(Draft(incident, now), number).done()
        case LookAtTicket():
            return Draft(
                incident, now
            ).done()  # it is looked at again by itself, and nothing hangs on this one look
        case CommentTicket():  # what was to be said is in the timeline: when Linear is back, one comment says it all
            effect = CatchUp(since=(action.wanted_at or now) - timedelta(seconds=COMMIT_SECONDS))
            body = EFFECT.dump_json(effect).decode()
            behind = next((f for f in incident.failures if f.kind == effect.type), None)
            if behind is not None:
                return Draft(incident, now).done()
            action = action.model_copy(update={"kind": effect.type, "effect": body})
        case LookAgain(number=number) if number > 0:
            return unreachable(
                incident, effect.round, number, short(action.reason, REASON), service, now
            )
        case LookBack(
            look=look
        ):  # once more a little later; nobody hears of it, because nobody waits for it
            return guard_looked(
                incident, GuardLooked(look=look, at=now, found="not asked"), service, now
            )
        case _:
            pass
    draft = Draft(incident, now)
    known = next((f for f in incident.failures if EFFECT.validate_json(f.effect) == effect), None)
    _go_on(draft, effect, action.reason)
    if not _matters(draft.incident, effect):
        return draft.done()
    failure = Failure(
        effect_id=known.effect_id if known else action.effect_id,
        kind=action.kind,
        reason=short(action.reason, REASON),
        at=known.at if known else now,
        effect=action.effect,
    )
    others = (f for f in draft.incident.failures if f.effect_id != failure.effect_id)
    draft.set(failures=kept((*others, failure), KEPT)).dirty("status")
    again = _retry_seconds(effect)
    if again is not None:
        wait = min(max(again, (now - failure.at).total_seconds() / SLOWER), LONGEST_RETRY_SECONDS)
        draft.timer(f"retry:{failure.effect_id}", wait, RetryDue(effect_id=failure.effect_id))
    if known is None:
        new_decision = draft.incident.round is not None and incident.round is None
        _say_once(draft, effect, failure, service, in_channel=not new_decision)
    return draft.done()


def try_again(
    incident: Incident, action: TryAgain, service: Service, now: datetime
) -> Change | Refused:
    del service
    if (failure := _find(incident, action.effect_id)) is None:
        return Refused("stale", "That is done, or was tried again already.")
    draft = Draft(incident, now).note(
        "failure", f"Tried again: {policy(failure.kind).words.lower()}", by=action.by
    )
    left = tuple(f for f in incident.failures if f.effect_id != failure.effect_id)
    draft.set(failures=left).dirty("status").cancel(f"retry:{failure.effect_id}")
    effect = EFFECT.validate_json(failure.effect)
    if isinstance(effect, PostLive):
        effect = effect.model_copy(update={"again": True})
    return _again(draft, effect).done()


def retry_due(incident: Incident, action: RetryDue, service: Service, now: datetime) -> Change:
    """Tried again by itself. The failure stays in sight until it has worked, and is not said a second time."""
    del service
    draft = Draft(incident, now)
    if (failure := _find(incident, action.effect_id)) is None:
        return draft.done()
    effect = EFFECT.validate_json(failure.effect)
    if not _still_wanted(incident, effect):
        left = tuple(f for f in incident.failures if f.effect_id != failure.effect_id)
        return draft.set(failures=left).dirty("status").done()
    return _again(draft, effect).done()


def kept(failures: tuple[Failure, ...], most: int) -> tuple[Failure, ...]:
    """The newest, in their order; those on which the way on hangs are the last to be forgotten."""
    needed = {f.effect_id for f in failures if policy(f.kind).needed}
    left = list(failures)
    while len(left) > most:
        left.remove(next((f for f in left if f.effect_id not in needed), left[0]))
    return tuple(left)


def _find(incident: Incident, effect_id: str) -> Failure | None:
    return next((f for f in incident.failures if f.effect_id == effect_id), None)


def _again(draft: Draft, effect: Effect) -> Draft:
    if isinstance(effect, TellDiscord):
        return tell_discord(draft)  # a first post that is under way again must not become two
    if isinstance(effect, Investigate):
        draft.set(investigating=True)
    return draft.want(effect)


def _retry_seconds(effect: Effect) -> float | None:
    """Return the seconds until it is tried again by itself, where people need it to go on."""
    if isinstance(effect, Say) and effect.ask == "recovered":
        return RETRY_SECONDS
    return effect.retry_seconds


def _still_wanted(incident: Incident, effect: Effect) -> bool:
    match effect:
        case OpenChannel():
            return incident.open and incident.channel is None
        case PostLive(name=name):
            return name not in incident.messages
        case Triage():
            measured = incident.triage is not None and incident.triage.manual_by is None
            return incident.open and (not measured or incident.status in UNDECIDED)
        case Say(ask="recovered"):
            asked = incident.round is not None and incident.round.verdict == "ask a person"
            return asked and incident.status is Status.VERIFYING
        case OpenTicket():
            return incident.status is not Status.CANCELLED and incident.ticket is None
        case _:
            return incident.ticket is not None if effect.system == "linear" else incident.open


def _matters(incident: Incident, effect: Effect) -> bool:
    """Whether trying it again could still be of use."""
    over = effect.after_end or (isinstance(effect, PostLive) and effect.name == "items")
    return incident.open or (
        over and not (isinstance(effect, OpenTicket) and incident.status is Status.CANCELLED)
    )


def _say_once(
    draft: Draft, effect: Effect, failure: Failure, service: Service, *, in_channel: bool
) -> None:
    words = f"{policy(failure.kind).words}: {failure.reason.rstrip('.')}."
    draft.note("failure", words)
    if draft.incident.channel is None or not in_channel or isinstance(effect, Say | PostLive):
        return  # the pinned status shows it, with its button
    if isinstance(effect, Page):
        draft.want(
            Say(text=f"{words} {effect.text}", mention=service.owners, try_again=failure.effect_id)
        )
        return
    by_itself = " I keep trying." if _retry_seconds(effect) is not None else ""
    quiet = _quiet(draft.incident, effect)
    draft.want(Say(text=f"{words}{by_itself}", try_again=failure.effect_id, thread=quiet))


def _quiet(incident: Incident, effect: Effect) -> bool:
    """Small failures go to the thread; where there is none yet, to the channel."""
    return effect.small and "decision:1" in incident.messages


def _go_on(draft: Draft, effect: Effect, reason: str) -> Draft:
    """What the incident does without what failed, so that it always has a way on."""
    incident = draft.incident
    match effect:
        case Triage():
            overdue(draft, f"Sentry could not be asked: {short(reason, 200)}")
        case OpenChannel() if incident.open and all(
            f.kind != "open.channel" for f in incident.failures
        ):
            begin_comms(draft)
        case TellDiscord() if incident.discord_id is None:
            draft.set(discord_asked=False)  # the next change tries the first post again
        case Investigate():
            draft.set(investigating=False)
        case StartBisect() | FollowBisect():
            bisect = incident.bisect
            if bisect is not None and bisect.id == effect.bisect_id and bisect.state == "running":
                move_bisect(
                    draft,
                    bisect.model_copy(update={"state": "failed", "reason": short(reason, 200)}),
                )
        case _:
            pass
    return draft
