"""Contradictions are named once the file is written, then mended or kept.

A submission is never refused because of one: whoever hands it in may know better, and other
programs hand it in once.
"""

from phases.messages.commands import KeepContradiction, MendPostmortem
from phases.messages.effects import MendAdr, PostLive
from phases.messages.results import AdrMended
from phases.postmortem.action_items import want_sub_issues
from phases.postmortem.contradictions.named import NAMED_MOST, is_whole, still_open
from phases.record.documents import Contradiction
from phases.record.incident import Incident, Status
from phases.record.tokens import mentioned
from phases.shared.announce import clear_failures
from phases.shared.change import Draft, Refused

MESSAGE = "contradictions"
"""The live message that names them."""


def keep_contradictions(draft: Draft, found: tuple[Contradiction, ...]) -> None:
    """Name what was found. What a person kept meanwhile stays kept."""
    incident = draft.incident
    settled = {
        contradiction.key: contradiction
        for contradiction in incident.contradictions
        if not contradiction.open
    }
    draft.set(
        contradictions=tuple(
            settled.get(contradiction.key, contradiction) for contradiction in found
        )
    )
    if still_open(draft.incident.contradictions) and incident.channel is not None:
        draft.want(PostLive(name=MESSAGE))
    draft.dirty(MESSAGE)


def refuse_to_mend(incident: Incident) -> Refused | None:
    """Refuse where there is no file to mend, or the record has only a part of its words."""
    if incident.adr is None or incident.postmortem is None:
        return Refused("state", "The post-mortem is not written yet. Nothing was changed.")
    if incident.status is Status.CANCELLED or not is_whole(incident.postmortem):
        place = incident.adr.url or incident.adr.path
        return Refused("state", f"Mend it in the file: {place}. Nothing was changed here.")
    return None


def mend_postmortem(draft: Draft, action: MendPostmortem) -> Refused | None:
    if (refused := refuse_to_mend(draft.incident)) is not None:
        return refused
    written = action.postmortem
    draft.set(postmortem=written).want(MendAdr())
    draft.note("post-mortem", f"{mentioned(written.by)} mended the post-mortem", by=written.by)
    if draft.incident.status is Status.RESOLVED:
        want_sub_issues(draft)
    draft.dirty("items", "status", MESSAGE)
    return None


def keep_contradiction(draft: Draft, action: KeepContradiction) -> Refused | None:
    """Keep it: the record and the file say who did. Twice is once."""
    incident, contradiction = draft.incident, action.contradiction
    if incident.status is Status.CANCELLED:
        return Refused("state", f"{incident.id} was cancelled. Nothing was changed.")
    known = {earlier.key: earlier for earlier in incident.contradictions}
    if contradiction.key in known and not known[contradiction.key].open:
        return None
    signed = contradiction.model_copy(update={"kept_by": action.by, "kept_at": draft.now})
    every = {**known, contradiction.key: signed}
    draft.set(contradictions=tuple(every.values())[-2 * NAMED_MOST :])
    draft.note(
        "post-mortem", f"{mentioned(action.by)} keeps it: {contradiction.says}", by=action.by
    )
    draft.dirty(MESSAGE)
    if incident.adr is not None:
        draft.want(MendAdr(whole=False))
    return None


def adr_mended(draft: Draft, action: AdrMended) -> None:
    clear_failures(draft, "adr.mend")
    if action.contradictions is not None:
        keep_contradictions(draft, action.contradictions)
