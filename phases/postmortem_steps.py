"""Phase 6, what the post-mortem does to the record, and the end of an incident. Its six parts and texts: `postmortem.py`.

Workflow: "Phase 6 — Post-mortem (always, mandatory)"; "cannot be written without root cause → block; do not declare
resolved without understanding why".
"""

from __future__ import annotations

from datetime import datetime

from phases.actions import AdrNumbered, AdrWritten, ArchiveDue, Cancel, Remembered, Resolve, SubmitPostmortem
from phases.change import Change, Draft, Refused
from phases.effects import CloseTicket, FollowBisect, NumberAdr, PostSummary, ReviseAdr, SetTopic, WriteAdr
from phases.incident import Incident, Status
from phases.papers import Postmortem
from phases.postmortem import NO_POSTMORTEM, missing
from phases.report import Cause
from phases.rounds import GUARD_TIMER, decision_name, ended, keep_true, mentioned, stand_down, tell, worked, write_again
from phases.service import Service

RESOLVED_GUARD_SECONDS = 24 * 60 * 60  # rules: the same issue reopens within a day of *resolved*
ARCHIVE = "archive"  # timer
ARCHIVE_SECONDS = 7 * 24 * 60 * 60  # the channel is archived a week after the end
TIMERS = ("triage", "measure", "nobody", "deploy", "look")
"""What ends with the incident. A bisect is told to stop, and followed until it has."""
AFTER_THE_END = (
    "say",
    "message.read",
    "post.summary",
    "ticket.open",
    "ticket.sync",
    "ticket.channel",
    "ticket.catch_up",
    "ticket.comment",
    "ticket.attach",
    "ticket.parent",
    "ticket.close",
    "issues.resolve",
    "discord",
    "discord.pin",
    "page",
    "page.follow",
    "adr.revise",
    "items.open",
    "items.sync",
    "items.remind",
    "adr.complete",
    "remember",
    "archive",
)
"""Effects that are worth trying again when the incident is over."""


def open_claim(service: str, environment: str) -> str:
    """One open incident a service and environment."""
    return f"open:{service}:{environment}"


def fingerprint_claim(issue: str) -> str:
    """The incident that a Sentry issue belongs to."""
    return f"fingerprint:{issue}"


def issues_of(incident: Incident) -> tuple[str, ...]:
    """Every Sentry issue of the incident: seeds first, then what triage found."""
    found = incident.triage.issue_ids if incident.triage else ()
    return tuple(dict.fromkeys((*incident.seeds, *found)))


def not_now(incident: Incident) -> Refused | None:
    """Why no post-mortem can be written now: it is over, it is written, or it still bleeds."""
    if incident.adr is not None:  # its button stays under the message that asked for it
        return Refused("state", f"{incident.adr.name} is written: {incident.adr.url or incident.adr.path}")
    if (refused := ended(incident)) is not None:
        return refused
    if incident.drill:
        return Refused("state", NO_POSTMORTEM)
    if incident.status not in (Status.VERIFYING, Status.MITIGATED):
        return Refused(
            "state", "The post-mortem is written once the bleeding has stopped. Roll back, hotfix or fix it first."
        )
    return None


def submit_postmortem(
    incident: Incident, action: SubmitPostmortem, service: Service, now: datetime
) -> Change | Refused:
    """Takes the six parts. The cause it names counts, because a person stands behind it."""
    del service
    if (refused := not_now(incident)) is not None:
        return refused
    sent = incident.postmortem is not None and not incident.rewriting
    if sent and not any(f.kind in ("adr.number", "adr.write") for f in incident.failures):
        return Refused("state", "The post-mortem was submitted and is being written. Nothing was changed.")
    written = action.postmortem
    if (empty := _empty_part(written)) is not None:
        return Refused("input", f"Say {empty}: no part of a post-mortem is ever empty. Nothing was changed.")
    draft = worked(worked(Draft(incident, now), "adr.number"), "adr.write")
    draft.set(postmortem=written, rewriting=False)
    if incident.cause is None:
        draft.set(cause=Cause(text=written.root_cause[:2000], at=now, by=written.by))
        draft.note("cause", f"{mentioned(written.by)}: {written.root_cause}", by=written.by)
    draft.note("post-mortem", f"{mentioned(written.by)} wrote the post-mortem", by=written.by).dirty("status", "tree")
    before = incident.adr_before
    return draft.want(WriteAdr(number=before.number) if before is not None else NumberAdr()).done()


def _empty_part(written: Postmortem) -> str | None:
    """The first of the six parts that says nothing."""
    parts = {
        "the timeline": written.timeline,
        "the root cause": written.root_cause,
        "why monitoring did not catch it earlier": written.monitoring,
        "why it slipped through tests and CI": written.tests,
        "the action items": " ".join(item.text for item in written.items),
        "when to look at this again": written.revisit,
    }
    return next((name for name, text in parts.items() if not text.strip()), None)


def adr_numbered(incident: Incident, action: AdrNumbered, service: Service, now: datetime) -> Change:
    """The number is a claim: another incident that takes the same one has to choose again."""
    del service
    draft = worked(Draft(incident, now), "adr.number")
    if incident.adr is not None or incident.postmortem is None or not incident.open:
        return draft.done()
    return draft.claim(f"adr:{action.repository}:{action.number}").want(WriteAdr(number=action.number)).done()


def adr_written(incident: Incident, action: AdrWritten, service: Service, now: datetime) -> Change:
    del service
    draft = worked(Draft(incident, now), "adr.write")
    if incident.adr is not None:
        return draft.done()
    draft.set(adr=action.adr, adr_before=None)
    draft.note("post-mortem", f"{action.adr.name}: {action.adr.path}", url=action.adr.url)
    if not incident.open:
        return draft.dirty("status").done()
    if incident.status not in (Status.VERIFYING, Status.MITIGATED):  # it went on while the file was being written
        return write_again(draft).dirty("status").done()
    if incident.status is not Status.MITIGATED:
        tell(draft, f"{action.adr.name} is written. {incident.id} resolves when recovery is verified.")
    return resolve_if_ready(draft).done()


def resolve(incident: Incident, action: Resolve, service: Service, now: datetime) -> Change | Refused:
    del service
    if (refused := ended(incident)) is not None:
        return refused
    lacking = missing(incident)
    if lacking:
        what = "\n".join(f"• {one}" for one in lacking)
        return Refused("missing", f"{incident.id} cannot be resolved yet. Missing:\n{what}")
    return _resolve(Draft(incident, now), by=action.by).done()


def resolve_if_ready(draft: Draft, news: str = "", *, strong: str = "", picture: bool = False) -> Draft:
    """Submitting the post-mortem, or the clean look after it, resolves as soon as everything else is there.

    `news` is what has just come true: one message in the channel says both, with the `picture` of it.
    """
    incident = draft.incident
    if (
        incident.status is not Status.MITIGATED or incident.adr is None or missing(incident)
    ):  # a drill is ended by people
        return tell(draft, news, strong=strong, picture=picture, ask="after") if news else draft.dirty("status")
    return _resolve(draft, by=None, news=news, strong=strong, picture=picture)


def _resolve(draft: Draft, *, by: str | None, news: str = "", strong: str = "", picture: bool = False) -> Draft:
    incident = draft.incident
    draft.set(status=Status.RESOLVED, resolved_at=draft.now)
    draft.note("resolved", f"Resolved by {mentioned(by)}" if by else "Resolved", by=by)
    draft.release(open_claim(incident.service, incident.environment))
    for issue in issues_of(incident):
        draft.claim(fingerprint_claim(issue), seconds=RESOLVED_GUARD_SECONDS, soft=True)
    end(draft).want(PostSummary(by=by, said=bool(news)))
    written, recovered = incident.postmortem, incident.recovered_at
    if incident.adr is not None and written is not None and recovered is not None and written.at < recovered:
        draft.want(ReviseAdr())  # the file says that recovery is not verified
    who = f" by {mentioned(by)}" if by else ""
    over = f"{incident.id} is resolved{who}."
    if news:
        tell(draft, f"{news} {over}", strong=strong, picture=picture)
    else:
        keep_true(draft, over)  # the channel reads it above the summary
    if incident.ticket is not None:
        draft.want(CloseTicket())
    return draft.dirty("status", "announcement", "tree")


def end(draft: Draft) -> Draft:
    """What goes on of an incident that is over: nothing but a bisect until it has stopped, and what is still to be said."""
    incident = draft.incident
    draft.cancel(*TIMERS).set(failures=tuple(f for f in incident.failures if f.kind in AFTER_THE_END))
    if incident.bisect is not None and incident.bisect.state == "running":
        draft.want(FollowBisect(bisect_id=incident.bisect.id, cancel=True))
    stand_down(draft).timer(ARCHIVE, ARCHIVE_SECONDS, ArchiveDue())
    if incident.channel is not None:
        draft.want(SetTopic())
    return draft


def cancel(incident: Incident, action: Cancel, service: Service, now: datetime) -> Change | Refused:
    """A false alarm or a duplicate: needs a reason and a name."""
    if (refused := ended(incident)) is not None:
        return refused
    reason = " ".join(action.reason.split()).rstrip(".")[:500]
    if not reason:
        return Refused("input", "Cancelling needs a reason, e.g. `/incident cancel load test, not real users`.")
    if incident.status is Status.MITIGATING:
        return Refused("state", "A deploy is under way; it cannot be taken back. Cancel when it has ended.")
    draft = Draft(incident, now).set(status=Status.CANCELLED, cancelled_at=now, cancel_reason=reason)
    draft.cancel("ticket", GUARD_TIMER)
    draft.release(open_claim(incident.service, incident.environment), f"deploying:{service.name}")
    draft.release(*(fingerprint_claim(i) for i in issues_of(incident)))
    draft.note("cancelled", f"{mentioned(action.by)}: cancelled: {reason}", by=action.by)
    tell(end(draft), f"{incident.id} was cancelled by {mentioned(action.by)}: {reason}.")
    if incident.ticket is not None:
        draft.want(CloseTicket(cancelled=True))
    current = incident.round
    return draft.dirty("status", "announcement", "tree", decision_name(current.number if current else 1)).done()


def remembered(incident: Incident, action: Remembered, service: Service, now: datetime) -> Change:
    del action, service
    return worked(Draft(incident, now), "remember").set(remembered=True).done()
