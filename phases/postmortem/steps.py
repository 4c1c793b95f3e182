"""Phase 6, the post-mortem: its six parts are taken, it is numbered, and its file is written.

Workflow: "Phase 6 — Post-mortem (always, mandatory)".
"""

from phases.messages.commands import SubmitPostmortem
from phases.messages.effects import NumberAdr, WriteAdr
from phases.messages.results import AdrNumbered, AdrWritten
from phases.postmortem.contradictions.steps import keep_contradictions
from phases.postmortem.reminders import postmortem_sent
from phases.record.claims import adr_claim
from phases.record.documents import Postmortem
from phases.record.findings import Cause
from phases.record.incident import Incident, Status
from phases.record.tokens import mentioned
from phases.shared.announce import clear_failures, tell
from phases.shared.change import Draft, Refused
from phases.shared.resolution import NO_POSTMORTEM, resolve_if_ready
from phases.shared.rounds import refuse_if_ended, write_again


def refuse_postmortem(incident: Incident) -> Refused | None:
    """Refuse a post-mortem that cannot be written now: it is over, written, or still bleeds."""
    if incident.adr is not None:  # its button stays under the message that asked for it
        return Refused(
            "state", f"{incident.adr.name} is written: {incident.adr.url or incident.adr.path}"
        )
    if (refused := refuse_if_ended(incident)) is not None:
        return refused
    if incident.drill:
        return Refused("state", NO_POSTMORTEM)
    if incident.status not in (Status.VERIFYING, Status.MITIGATED):
        return Refused(
            "state",
            "The post-mortem is written once the bleeding has stopped. "
            "Roll back, hotfix or fix it first.",
        )
    return None


def submit_postmortem(draft: Draft, action: SubmitPostmortem) -> Refused | None:
    """Take the six parts; the cause they name counts, because a person stands behind it."""
    incident = draft.incident
    if (refused := refuse_postmortem(incident)) is not None:
        return refused
    if postmortem_sent(incident) and not any(
        f.kind in ("adr.number", "adr.write") for f in incident.failures
    ):
        return Refused(
            "state", "The post-mortem was submitted and is being written. Nothing was changed."
        )
    written = action.postmortem
    if (empty := _empty_part(written)) is not None:
        return Refused(
            "input", f"Say {empty}: no part of a post-mortem is ever empty. Nothing was changed."
        )
    clear_failures(clear_failures(draft, "adr.number"), "adr.write")
    draft.set(postmortem=written, rewriting=False)
    if incident.cause is None:
        draft.set(cause=Cause(text=written.root_cause[:2000], at=draft.now, by=written.by))
        draft.note("cause", f"{mentioned(written.by)}: {written.root_cause}", by=written.by)
    draft.note(
        "post-mortem", f"{mentioned(written.by)} wrote the post-mortem", by=written.by
    ).dirty("status", "tree")
    before = incident.adr_before
    draft.want(WriteAdr(number=before.number) if before is not None else NumberAdr())
    return None


def _empty_part(written: Postmortem) -> str | None:
    """Return the first of the six parts that says nothing."""
    parts = {
        "the timeline": written.timeline,
        "the root cause": written.root_cause,
        "why monitoring did not catch it earlier": written.monitoring,
        "why it slipped through tests and CI": written.tests,
        "the action items": " ".join(item.text for item in written.items),
        "when to look at this again": written.revisit,
    }
    return next((name for name, text in parts.items() if not text.strip()), None)


def adr_numbered(draft: Draft, action: AdrNumbered) -> None:
    """The number is a claim: another incident that takes the same one has to choose again."""
    incident = draft.incident
    clear_failures(draft, "adr.number")
    if incident.adr is not None or incident.postmortem is None or not incident.open:
        return
    draft.claim(adr_claim(action.repository, action.number))
    draft.want(WriteAdr(number=action.number))


def adr_written(draft: Draft, action: AdrWritten) -> None:
    incident = draft.incident
    clear_failures(draft, "adr.write")
    if incident.adr is not None:
        return
    draft.set(adr=action.adr, adr_before=None)
    keep_contradictions(draft, action.contradictions)
    draft.note("post-mortem", f"{action.adr.name}: {action.adr.path}", url=action.adr.url)
    if not incident.open:
        draft.dirty("status")
        return
    if incident.status not in (
        Status.VERIFYING,
        Status.MITIGATED,
    ):  # it went on while the file was being written
        write_again(draft).dirty("status")
        return
    if incident.status is not Status.MITIGATED:
        tell(
            draft,
            f"{action.adr.name} is written. {incident.id} resolves when recovery is verified.",
        )
    resolve_if_ready(draft)
