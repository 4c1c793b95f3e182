"""Effects that ended without success: each is said where people are, with *Try again*, and none is the end of the incident.

Workflow, failure conditions: "Sentry inaccessible → surface immediately, fall back to manual", "Rollback fails → page humans".
"""

from __future__ import annotations

from datetime import timedelta

from phases.coordination.declare import begin_comms
from phases.coordination.recurrence import guard_looked
from phases.messages.actions import RetryDue
from phases.messages.commands import TryAgain
from phases.messages.effects import (
    EFFECT,
    AttachChannel,
    AttachToTicket,
    CatchUp,
    CloseTicket,
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
    OpenItems,
    OpenTicket,
    Page,
    PostLive,
    Say,
    StartBisect,
    StartDeploy,
    SyncItem,
    SyncTicket,
    TellDiscord,
    Triage,
)
from phases.messages.results import EffectFailed, GuardLooked
from phases.mitigation.hotfix_merge import look_later, refuse_merge
from phases.mitigation.steps import deploy_lost
from phases.record.incident import Failure, Incident, Status
from phases.record.tokens import REASON
from phases.record.wording import short
from phases.root_cause.steps import move_bisect
from phases.steps.announce import tell_discord
from phases.steps.change import Draft, Refused
from phases.steps.resolution import AFTER_THE_END
from phases.triage.steps import overdue
from phases.verification.steps import unreachable

KEPT = 8  # failures kept and shown
RETRY_SECONDS = (
    60  # without channel, decision, triage or question nobody can go on: tried again by itself
)
TICKET_RETRY_SECONDS = 15 * 60  # architecture, 5: the ticket is tried again every 15 minutes
LONGEST_RETRY_SECONDS = 15 * 60
COMMIT_SECONDS = 2  # bot/store/redis.py SAY_SECONDS: a line of the timeline may be so much older than what was wanted with it
SLOWER = 10  # what has failed for an hour is tried every sixth minute

WORDS: dict[str, str] = {
    "open.channel": "The incident channel could not be opened",
    "bookmark": "A bookmark could not be set",
    "archive": "The channel could not be archived",
    "set.topic": "The topic could not be set",
    "invite": "People could not be invited",
    "post.live": "A message could not be posted",
    "pin": "The status could not be pinned",
    "say": "A message could not be posted",
    "remind": "The lead could not be reminded of the update",
    "message.read": "A pinned message could not be read",
    "post.summary": "The summary could not be posted",
    "triage": "Sentry could not be asked",
    "investigate": "The investigation could not run",
    "bisect.start": "The bisect could not be started",
    "bisect.follow": "The bisect could not be followed",
    "revert": "The revert could not be prepared",
    "deploy.start": "The deploy could not be started",
    "deploy.follow": "The deploy could not be followed",
    "issues.lookup": "The issues that were named could not be looked up",
    "merge": "The pull request could not be merged",
    "merge.look": "Whether the hotfix is merged could not be asked",
    "look": "The check could not be made",
    "guard.look": "Sentry could not be looked at after recovery",
    "issues.resolve": "Sentry's issues could not be set to resolved",
    "ticket.open": "The ticket could not be opened",
    "ticket.attach": "The Sentry issue could not be attached to the ticket",
    "ticket.comment": "The ticket could not be commented",
    "ticket.parent": "The issue it was escalated from could not be commented",
    "ticket.close": "The ticket could not be closed",
    "ticket.channel": "The channel could not be attached to the ticket",
    "ticket.catch_up": "The ticket is not up to date",
    "ticket.sync": "The ticket's state and priority could not be set",
    "ticket.look": "The ticket could not be looked at",
    "items.open": "The action items could not be opened in Linear",
    "items.sync": "An action item could not be set in Linear",
    "items.remind": "The owner of an overdue action item could not be reminded",
    "adr.complete": "The post-mortem's status could not be changed",
    "discord": "Discord could not be told",
    "discord.pin": "The post in Discord could not be pinned",
    "page": "Nobody could be paged",
    "page.follow": "PagerDuty could not be told",
    "zone": "The lead's time zone could not be asked",
    "adr.revise": "The post-mortem could not be brought up to date",
    "adr.number": "The post-mortem's number could not be found",
    "adr.write": "The post-mortem could not be written",
    "remember": "The incident could not be remembered",
}


def effect_failed(draft: Draft, action: EffectFailed) -> None:
    """Every effect's failure is an action that this accepts, in every state. What is tried again by itself is said once."""
    incident = draft.incident
    effect = EFFECT.validate_json(action.effect)
    match effect:
        case (
            StartDeploy() | FollowDeploy()
        ):  # never started again: the round ends as unknown, and people decide
            deploy_lost(draft, effect.deploy_id, action.reason)
            return
        case MergePullRequest(round=number):
            refuse_merge(draft, number, action.reason)
            return
        case LookAtMerge(
            round=number
        ):  # looked at again by itself; until then it counts as not merged
            look_later(draft, number)
            return
        case LookAtTicket():
            return  # it is looked at again by itself, and nothing hangs on this one look
        case CommentTicket():  # what was to be said is in the timeline: when Linear is back, one comment says it all
            effect = CatchUp(
                since=(action.wanted_at or draft.now) - timedelta(seconds=COMMIT_SECONDS)
            )
            body = EFFECT.dump_json(effect).decode()
            behind = next((f for f in incident.failures if f.kind == effect.type), None)
            if behind is not None:
                return
            action = action.model_copy(update={"kind": effect.type, "effect": body})
        case LookAgain(number=number) if number > 0:
            unreachable(draft, effect.round, number, short(action.reason, REASON))
            return
        case LookBack(
            look=look
        ):  # once more a little later; nobody hears of it, because nobody waits for it
            guard_looked(draft, GuardLooked(look=look, at=draft.now, found="not asked"))
            return
        case _:
            pass
    known = next((f for f in incident.failures if EFFECT.validate_json(f.effect) == effect), None)
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
    draft.set(failures=kept((*others, failure), KEPT)).dirty("status")
    again = _retried(effect)
    if again is not None:
        wait = min(
            max(again, (draft.now - failure.at).total_seconds() / SLOWER), LONGEST_RETRY_SECONDS
        )
        draft.timer(f"retry:{failure.effect_id}", wait, RetryDue(effect_id=failure.effect_id))
    if known is None:
        new_decision = draft.incident.round is not None and incident.round is None
        _say_once(draft, effect, failure, in_channel=not new_decision)


def try_again(draft: Draft, action: TryAgain) -> Refused | None:
    incident = draft.incident
    if (failure := _find(incident, action.effect_id)) is None:
        return Refused("stale", "That is done, or was tried again already.")
    draft.note("failure", f"Tried again: {_words(failure.kind).lower()}", by=action.by)
    left = tuple(f for f in incident.failures if f.effect_id != failure.effect_id)
    draft.set(failures=left).dirty("status").cancel(f"retry:{failure.effect_id}")
    effect = EFFECT.validate_json(failure.effect)
    if isinstance(effect, PostLive):
        effect = effect.model_copy(update={"again": True})
    _again(draft, effect)
    return None


def retry_due(draft: Draft, action: RetryDue) -> None:
    """Tried again by itself. The failure stays in sight until it has worked, and is not said a second time."""
    incident = draft.incident
    if (failure := _find(incident, action.effect_id)) is None:
        return
    effect = EFFECT.validate_json(failure.effect)
    if not _still_wanted(incident, effect):
        left = tuple(f for f in incident.failures if f.effect_id != failure.effect_id)
        draft.set(failures=left).dirty("status")
        return
    _again(draft, effect)


def kept(failures: tuple[Failure, ...], most: int) -> tuple[Failure, ...]:
    """The newest, in their order; those on which the way on hangs are the last to be forgotten."""
    needed = {f.effect_id for f in failures if f.kind in _NEEDED}
    left = list(failures)
    while len(left) > most:
        left.remove(next((f for f in left if f.effect_id not in needed), left[0]))
    return tuple(left)


_NEEDED = ("open.channel", "post.live", "triage", "ticket.open", "adr.number", "adr.write")


def _words(kind: str) -> str:
    return WORDS.get(kind, "Something could not be done")


def _find(incident: Incident, effect_id: str) -> Failure | None:
    return next((f for f in incident.failures if f.effect_id == effect_id), None)


def _again(draft: Draft, effect: Effect) -> Draft:
    if isinstance(effect, TellDiscord):
        return tell_discord(draft)  # a first post that is under way again must not become two
    if isinstance(effect, Investigate):
        draft.set(investigating=True)
    return draft.want(effect)


def _retried(effect: Effect) -> float | None:
    """Seconds after which it is tried again by itself, where people cannot go on without it."""
    match effect:
        case OpenChannel() | PostLive() | Triage():
            return RETRY_SECONDS
        case Say(ask="recovered"):
            return RETRY_SECONDS
        case (
            OpenTicket()
            | SyncTicket()
            | CloseTicket()
            | CatchUp()
            | AttachToTicket()
            | AttachChannel()
        ):
            return TICKET_RETRY_SECONDS
        case OpenItems() | SyncItem():
            return TICKET_RETRY_SECONDS
        case _:
            return None


def _still_wanted(incident: Incident, effect: Effect) -> bool:
    match effect:
        case OpenChannel():
            return incident.open and incident.channel is None
        case PostLive(name=name):
            return name not in incident.messages
        case Triage():
            measured = incident.triage is not None and incident.triage.manual_by is None
            return incident.open and (not measured or incident.status.undecided)
        case Say(ask="recovered"):
            asked = incident.round is not None and incident.round.verdict == "ask a person"
            return asked and incident.status is Status.VERIFYING
        case OpenTicket():
            return incident.status is not Status.CANCELLED and incident.ticket is None
        case (
            SyncTicket()
            | CloseTicket()
            | CatchUp()
            | AttachToTicket()
            | AttachChannel()
            | OpenItems()
            | SyncItem()
        ):
            return incident.ticket is not None
        case _:
            return incident.open


def _matters(incident: Incident, effect: Effect) -> bool:
    """Whether trying it again could still be of use."""
    over = effect.type in AFTER_THE_END or (isinstance(effect, PostLive) and effect.name == "items")
    return incident.open or (
        over and not (isinstance(effect, OpenTicket) and incident.status is Status.CANCELLED)
    )


def _say_once(draft: Draft, effect: Effect, failure: Failure, *, in_channel: bool) -> None:
    words = f"{_words(failure.kind)}: {failure.reason.rstrip('.')}."
    draft.note("failure", words)
    if draft.incident.channel is None or not in_channel or isinstance(effect, Say | PostLive):
        return  # the pinned status shows it, with its button
    if isinstance(effect, Page):
        draft.want(
            Say(
                text=f"{words} {effect.text}",
                mention=draft.service.owners,
                try_again=failure.effect_id,
            )
        )
        return
    by_itself = " I keep trying." if _retried(effect) is not None else ""
    quiet = _quiet(draft.incident, effect)
    draft.want(Say(text=f"{words}{by_itself}", try_again=failure.effect_id, thread=quiet))


SMALL = frozenset(
    {
        "investigate",
        "bisect.start",
        "bisect.follow",
        "revert",
        "remind",
        "message.read",
        "issues.lookup",
        "set.topic",
        "bookmark",
        "ticket.attach",
        "ticket.channel",
        "ticket.sync",
        "ticket.catch_up",
        "ticket.comment",
        "items.sync",
        "ticket.parent",
        "discord",
        "discord.pin",
        "remember",
        "pin",
        "invite",
        "zone",
    }
)


def small(kind: str) -> bool:
    """Whether people can do without it: what goes on beside the incident, and nothing that moves it on."""
    return kind in SMALL


def _quiet(incident: Incident, effect: Effect) -> bool:
    """Small failures go to the thread; where there is none yet, to the channel."""
    return small(effect.type) and "decision:1" in incident.messages


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
