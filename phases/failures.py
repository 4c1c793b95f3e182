"""Effects that failed: people are told of each, with *Try again*, and none ends the incident.

Workflow, failure conditions: "Sentry inaccessible → surface immediately, fall back to manual",
"Rollback fails → page humans".
"""

from datetime import timedelta

from phases.coordination.after_recovery import guard_looked
from phases.coordination.declare import begin_comms
from phases.messages import effects
from phases.messages.actions import RetryDue
from phases.messages.base import RETRY_SECONDS, Effect
from phases.messages.commands import TryAgain
from phases.messages.results import EffectFailed, GuardLooked
from phases.mitigation.hotfix_merge import look_later, refuse_merge
from phases.mitigation.steps import deploy_lost
from phases.record.incident import Failure, Incident, Status
from phases.record.tokens import REASON
from phases.root_cause.steps import move_bisect
from phases.shared.announce import tell_discord
from phases.shared.change import Draft, Refused
from phases.text.wording import ended, short
from phases.triage.steps import decide_without_report
from phases.verification.steps import glance_on, look_unreachable

FAILURES_KEPT = 8  # failures kept and shown
LONGEST_RETRY_SECONDS = 15 * 60
ENTRY_OLDER_SECONDS = 2
"""A timeline entry may be this much older than its effect (`DISPATCH_SECONDS` of the store)."""
SLOWER_BY = 10  # an effect that has failed for an hour is tried every sixth minute


def effect_failed(draft: Draft, action: EffectFailed) -> None:
    """Accept the failure of every effect, in every state.

    A failure that is tried again by itself is said once.
    """
    incident = draft.incident
    effect = effects.EFFECT.validate_json(action.effect)
    if _settle(draft, effect, action.reason):
        return
    if isinstance(effect, effects.CommentTicket):
        # The timeline has what was to be said: when Linear is back, one comment says all of it.
        effect = effects.CatchUp(
            since=(action.wanted_at or draft.now) - timedelta(seconds=ENTRY_OLDER_SECONDS)
        )
        if any(failure.kind == effect.type for failure in incident.failures):
            return
        body = effects.EFFECT.dump_json(effect).decode()
        action = action.model_copy(update={"kind": effect.type, "effect": body})
    known = _known(incident, effect)
    _go_on(draft, effect, action.reason)
    if not _matters(draft.incident, effect):
        return
    failure = Failure(
        effect_id=known.effect_id if known else action.effect_id,
        kind=action.kind,
        reason=short(action.reason, REASON),
        at=known.at if known else draft.now,
        effect=action.effect,
    )
    others = (f for f in draft.incident.failures if f.effect_id != failure.effect_id)
    draft.set(failures=kept((*others, failure), FAILURES_KEPT)).dirty("status")
    seconds = _retry_seconds(effect)
    if seconds is not None:
        slower = (draft.now - failure.at).total_seconds() / SLOWER_BY
        wait = min(max(seconds, slower), LONGEST_RETRY_SECONDS)
        draft.timer(f"retry:{failure.effect_id}", wait, RetryDue(effect_id=failure.effect_id))
    if known is None:
        new_decision = draft.incident.round is not None and incident.round is None
        _say_once(draft, effect, failure, in_channel=not new_decision)


def _settle(draft: Draft, effect: Effect, reason: str) -> bool:
    """Let the phase of the effect act on its failure; False: the failure is kept and shown."""
    match effect:
        case effects.StartDeploy() | effects.StartTurnOff() | effects.FollowDeploy():
            # It is never started again: the round ends as unknown, and people decide.
            deploy_lost(draft, effect.deploy_id, reason)
        case effects.MergePullRequest(round=number):
            refuse_merge(draft, number, reason)
        case effects.LookAtMerge(round=number):
            # It is looked at again by itself; until then it counts as not merged.
            look_later(draft, number)
        case effects.LookAtTicket():
            pass  # it is looked at again by itself, and nothing depends on this look
        case effects.LookAgain(minute=minute) if minute > 0:
            glance_on(draft, effect.round, minute)  # the next one tells as much
        case effects.LookAgain(number=number) if number > 0:
            look_unreachable(draft, effect.round, number, short(reason, REASON))
        case effects.LookBack(look=look):
            # It is looked at again a little later. Nobody hears of it, because nobody waits for it.
            guard_looked(draft, GuardLooked(look=look, at=draft.now, outcome="not asked"))
        case _:
            return False
    return True


def try_again(draft: Draft, action: TryAgain) -> Refused | None:
    incident = draft.incident
    if (failure := _failure_of(incident, action.effect_id)) is None:
        return Refused("stale", "That is done or has been retried already.")
    words = effects.policy(failure.kind).words.lower()
    draft.note("failure", f"Tried again: {words}", by=action.by)
    left = tuple(f for f in incident.failures if f.effect_id != failure.effect_id)
    draft.set(failures=left).dirty("status").cancel(f"retry:{failure.effect_id}")
    _want_again(draft, failure)
    return None


def retry_due(draft: Draft, action: RetryDue) -> None:
    """Try it again by itself.

    The failure is shown until it has worked, and is not said a second time.
    """
    incident = draft.incident
    if (failure := _failure_of(incident, action.effect_id)) is None:
        return
    effect = effects.EFFECT.validate_json(failure.effect)
    if not _still_wanted(incident, effect):
        left = tuple(f for f in incident.failures if f.effect_id != failure.effect_id)
        draft.set(failures=left).dirty("status")
        return
    _want_again(draft, failure)


def kept(failures: tuple[Failure, ...], most: int) -> tuple[Failure, ...]:
    """Return the newest failures, in their order; needed effects are the last to be forgotten."""
    needed = {f.effect_id for f in failures if effects.policy(f.kind).needed}
    left = list(failures)
    while len(left) > most:
        left.remove(next((f for f in left if f.effect_id not in needed), left[0]))
    return tuple(left)


def _failure_of(incident: Incident, effect_id: str) -> Failure | None:
    return next((f for f in incident.failures if f.effect_id == effect_id), None)


def _known(incident: Incident, effect: Effect) -> Failure | None:
    same = (f for f in incident.failures if effects.EFFECT.validate_json(f.effect).same_as(effect))
    return next(same, None)


def was_given_up(incident: Incident, effect: Effect) -> bool:
    """Return whether the same was wanted before, and was given up: it may have been done."""
    return effect.wanted_as is not None or _known(incident, effect) is not None


def _want_again(draft: Draft, failure: Failure) -> Draft:
    effect = effects.EFFECT.validate_json(failure.effect)
    first = effect.wanted_as or failure.effect_id
    effect = effect.model_copy(update={"wanted_as": first})
    if isinstance(effect, effects.TellDiscord):
        return tell_discord(draft, effect)  # a first post that is under way must not become two
    if isinstance(effect, effects.Investigate):
        draft.set(investigating=True)
    return draft.want(effect)


def _retry_seconds(effect: Effect) -> float | None:
    """Return the seconds until it is tried again by itself; None: only a person tries it again."""
    if isinstance(effect, effects.Say) and effect.ask == "recovered":
        return RETRY_SECONDS
    return effect.retry_seconds


def _still_wanted(incident: Incident, effect: Effect) -> bool:
    match effect:
        case effects.OpenChannel():
            return incident.open and incident.channel is None
        case effects.PostLive(name=name):
            return name not in incident.messages
        case effects.Triage():
            measured = incident.triage is not None and incident.triage.manual_by is None
            return incident.open and (not measured or incident.status.undecided)
        case effects.Say(ask="recovered"):
            asked = incident.round is not None and incident.round.verdict == "ask a person"
            return asked and incident.status is Status.VERIFYING
        case effects.OpenTicket():
            return incident.status is not Status.CANCELLED and incident.ticket is None
        case _ if effect.system == "linear":
            return incident.ticket is not None
        case _:
            return incident.open


def _matters(incident: Incident, effect: Effect) -> bool:
    """Return whether another try could be of use."""
    if incident.open:
        return True
    if isinstance(effect, effects.OpenTicket) and incident.status is Status.CANCELLED:
        return False
    return effect.after_end or (
        isinstance(effect, effects.PostLive) and effect.name in ("items", "contradictions")
    )


def _say_once(draft: Draft, effect: Effect, failure: Failure, *, in_channel: bool) -> None:
    words = f"{effects.policy(failure.kind).words}: {ended(failure.reason)}"
    draft.note("failure", words)
    if (
        draft.incident.channel is None
        or not in_channel
        or isinstance(effect, effects.Say | effects.PostLive)
    ):
        return  # the pinned status shows it, with its button
    try_again = failure.effect_id
    if isinstance(effect, effects.Page):
        text, owners = f"{words} {effect.text}", draft.service.owners
        draft.want(effects.Say(text=text, mention=owners, try_again=try_again))
        return
    by_itself = " I keep trying." if _retry_seconds(effect) is not None else ""
    # A small failure goes to the thread; where there is none yet, to the channel.
    thread = effect.small and "decision:1" in draft.incident.messages
    draft.want(effects.Say(text=f"{words}{by_itself}", try_again=try_again, thread=thread))


def _go_on(draft: Draft, effect: Effect, reason: str) -> None:
    """Do without the failed effect, so that the incident always has a way on."""
    incident = draft.incident
    match effect:
        case effects.Triage():
            decide_without_report(draft, f"Sentry could not be queried: {short(reason, 200)}")
        case effects.OpenChannel() if incident.open and all(
            f.kind != "open.channel" for f in incident.failures
        ):
            begin_comms(draft)
        case effects.TellDiscord() if incident.discord_id is None:
            draft.set(discord_asked=False)  # the next change tries the first post again
        case effects.Investigate():
            draft.set(investigating=False)
        case effects.StartBisect() | effects.FollowBisect():
            bisect = incident.bisect
            if bisect is not None and bisect.id == effect.bisect_id and bisect.state == "running":
                failed = {"state": "failed", "reason": short(reason, 200)}
                move_bisect(draft, bisect.model_copy(update=failed))
        case _:
            pass
