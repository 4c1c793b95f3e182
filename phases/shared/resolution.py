"""The end of an incident: the gate in front of *resolved*, resolving, and cancelling.

Workflow: "cannot be written without root cause → block; do not declare resolved without
understanding why".
"""

from phases.messages.actions import ArchiveDue
from phases.messages.commands import Cancel, Resolve
from phases.messages.effects import (
    CloseTicket,
    FollowBisect,
    PostSummary,
    ReviseAdr,
    Say,
    SetTopic,
    policy,
)
from phases.record.claims import deploying_claim, fingerprint_claim, issues_of, open_claim
from phases.record.incident import ActionKind, Incident, Status
from phases.record.tokens import mentioned, what_was_done
from phases.shared.announce import resolve_page, tell, update_outside
from phases.shared.change import Draft, Refused
from phases.shared.rounds import GUARD_TIMER, decision_name
from phases.text.wording import ended

NO_POSTMORTEM = (
    "A drill needs no post-mortem. End it with `/incident resolve` or `/incident cancel <why>`."
)


RESOLVED_GUARD_SECONDS = 24 * 60 * 60  # rules: the same issue reopens within a day of *resolved*
ARCHIVE = "archive"  # timer
ARCHIVE_SECONDS = 7 * 24 * 60 * 60  # the channel is archived a week after the end
TIMERS = ("triage", "measure", "nobody", "deploy", "look", "glance")
"""Timers that end with the incident. A bisect is told to stop, and followed until it has."""


def missing_to_resolve(incident: Incident) -> tuple[str, ...]:
    """Return what stands between this incident and *resolved*."""
    lacking: list[str] = []
    if incident.recovered_at is None or incident.status is not Status.MITIGATED:
        lacking.append(_recovery_lacks(incident))
    if incident.drill:
        return tuple(lacking)  # practice leaves no post-mortem behind
    if incident.cause is None:
        lacking.append(
            "the root cause: name it with `/incident cause <why>`, or in the post-mortem"
        )
    if incident.adr is None:
        lacking.append(_postmortem_lacks(incident))
    return tuple(lacking)


def _postmortem_lacks(incident: Incident) -> str:
    if incident.rewriting:
        again = "so submit it again with `/incident postmortem`"
        return f"the post-mortem: the incident went on after it was written, {again}"
    if incident.postmortem is not None:
        hinders = "see above why"
        return f"the post-mortem's file: it was submitted but is not written yet; {hinders}"
    return "the post-mortem: write it with `/incident postmortem`"


def _recovery_lacks(incident: Incident) -> str:
    match incident.status:
        case Status.VERIFYING:
            return "recovery: the check after the last action has not ended"
        case Status.MITIGATING:
            return "recovery: a deploy is under way"
        case _:
            ways = "roll back, hotfix or say *Fixed another way*"
            return f"recovery: nothing was done that was checked; {ways}"


def resolve(draft: Draft, action: Resolve) -> Refused | None:
    incident = draft.incident
    lacking = missing_to_resolve(incident)
    if lacking:
        what = "\n".join(f"• {part}" for part in lacking)
        return Refused("missing", f"{incident.id} cannot be resolved yet. Missing:\n{what}")
    _resolve_incident(draft, by=action.by)
    return None


def resolve_if_ready(
    draft: Draft, news: str = "", *, strong: str = "", picture: bool = False
) -> Draft:
    """Resolve as soon as recovery, cause and post-mortem are there; a drill is ended by people.

    `news` is what has just come true: one message says both, with the `picture` of it.
    """
    incident = draft.incident
    written = incident.status is Status.MITIGATED and incident.adr is not None
    if written and not missing_to_resolve(incident):
        return _resolve_incident(draft, by=None, news=news, strong=strong, picture=picture)
    if news:
        return tell(draft, Say(text=news, picture=picture, ask="after"), strong=strong)
    return draft.dirty("status")


def _resolve_incident(
    draft: Draft, *, by: str | None, news: str = "", strong: str = "", picture: bool = False
) -> Draft:
    incident = draft.incident
    draft.set(status=Status.RESOLVED, resolved_at=draft.now)
    draft.note("resolved", f"Resolved by {mentioned(by)}" if by else "Resolved", by=by)
    draft.give_up_claim(open_claim(incident.service, incident.environment))
    for issue in issues_of(incident):
        draft.claim(fingerprint_claim(issue), seconds=RESOLVED_GUARD_SECONDS, soft=True)
    end_incident(draft).want(PostSummary(by=by, said=bool(news)))
    written, recovered = incident.postmortem, incident.recovered_at
    if (
        incident.adr is not None
        and written is not None
        and recovered is not None
        and written.at < recovered
    ):
        draft.want(ReviseAdr())  # the file says that recovery is not verified
    who = f" by {mentioned(by)}" if by else ""
    over = f"{incident.id} is resolved{who}."
    if news:
        tell(draft, Say(text=f"{news} {over}", picture=picture), strong=strong)
    else:
        update_outside(draft, over)  # the channel reads it above the summary
    if incident.ticket is not None:
        draft.want(CloseTicket())
    return draft.dirty("status", "announcement", "tree")


def end_incident(draft: Draft) -> Draft:
    """End all that goes on in an incident; a bisect is followed until it has stopped."""
    incident = draft.incident
    draft.cancel(*TIMERS).set(
        failures=tuple(f for f in incident.failures if policy(f.kind).after_end)
    )
    if incident.bisect is not None and incident.bisect.state == "running":
        draft.want(FollowBisect(bisect_id=incident.bisect.id, cancel=True))
    resolve_page(draft).timer(ARCHIVE, ARCHIVE_SECONDS, ArchiveDue())
    if incident.channel is not None:
        draft.want(SetTopic())
    return draft


def cancel(draft: Draft, action: Cancel) -> Refused | None:
    """Cancel a false alarm; it needs a reason and a name."""
    incident = draft.incident
    reason = " ".join(action.reason.split()).rstrip(".")[:500]
    if not reason:
        return Refused(
            "input", "Cancelling needs a reason, e.g. `/incident cancel load test, not real users`."
        )
    if incident.status is Status.MITIGATING:
        return Refused(
            "state", "A deploy is under way; it cannot be taken back. Cancel when it has ended."
        )
    draft.set(status=Status.CANCELLED, cancelled_at=draft.now, cancel_reason=reason)
    draft.cancel("ticket", GUARD_TIMER)
    draft.give_up_claim(
        open_claim(incident.service, incident.environment), deploying_claim(draft.service.name)
    )
    draft.give_up_claim(*(fingerprint_claim(i) for i in issues_of(incident)))
    draft.note("cancelled", f"{mentioned(action.by)}: cancelled: {reason}", by=action.by)
    was = ended(f"{incident.id} was cancelled by {mentioned(action.by)}: {reason}")
    tell(end_incident(draft), f"{was}{_what_stays(incident)}")
    if incident.ticket is not None:
        draft.want(CloseTicket(cancelled=True))
    current = incident.round
    draft.dirty("status", "announcement", "tree", decision_name(current.number if current else 1))
    return None


def _what_stays(incident: Incident) -> str:
    """Say what an incident that is no more leaves changed in production."""
    actions = (current.action for current in reversed(incident.rounds))
    left = (a for a in actions if a and a.result == "done" and a.kind is not ActionKind.FIXED)
    newest = None if incident.drill else next(left, None)
    done = what_was_done(newest, "past") if newest is not None else ""
    return f" Production stays as it is: {done}." if done else ""
