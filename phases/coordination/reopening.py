"""Phase 4, what is over opens again as a new round; its channel is archived a week later.

Slack lets no bot take a channel out of the archive: then there is a new channel, and it is said.
https://docs.slack.dev/reference/methods/conversations.unarchive, "Bot tokens cannot currently be
used to unarchive conversations"
"""

from phases.coordination.evidence import ARCHIVED, DELETED, replace_channel, want_missing_parts
from phases.messages.actions import ArchiveDue
from phases.messages.commands import Reopen
from phases.messages.effects import ArchiveChannel, OpenChannel, Say
from phases.messages.results import ChannelArchived, PutOffArchive
from phases.record.claims import fingerprint_claim, issues_of, open_claim
from phases.record.incident import Status
from phases.record.tokens import mentioned
from phases.shared.announce import LIVE_EVERYWHERE, clear_failures
from phases.shared.change import Draft, Refused
from phases.shared.resolution import ARCHIVE
from phases.shared.rounds import next_round
from phases.verification.alarms import ALARM

PUT_OFF_SECONDS = 24 * 60 * 60  # somebody wrote in it within the last day


def reopen(draft: Draft, action: Reopen) -> Refused | None:
    """Open it again by a person's word: what is over, or what seemed to be fine.

    The claims are taken again, and what was understood is asked for again.
    """
    incident = draft.incident
    if incident.open and incident.status is not Status.MITIGATED:
        return Refused("state", f"{incident.id} is open. Nothing was changed.")
    if incident.duplicate_of is not None:
        again = f"`/incident split {incident.id}` opens it again"
        return Refused("state", f"{incident.id} is part of {incident.duplicate_of}: {again}.")
    why = f"{mentioned(action.by)} opened it again"
    return open_again(draft, why, by=action.by, beside=action.beside)


def open_again(draft: Draft, why: str, *, by: str, beside: str | None) -> None:
    """Open the next round of what was over, or seemed fine.

    `beside`: an open incident of its service.
    """
    incident = draft.incident
    fine = incident.status is Status.MITIGATED
    if not fine and incident.status is not Status.CANCELLED:
        draft.set(cause=None)  # it was not over: somebody has to say why
    draft.set(
        status=Status.DECIDING,
        recovered_at=None,
        resolved_at=None,
        closed_at=None,
        cancelled_at=None,
        cancel_reason=None,
        guard_until=None,
        alarm=None,
        else_reason=beside or incident.else_reason,
    )
    if draft.incident.else_reason is None:
        draft.claim(open_claim(incident.service, incident.environment))
    for issue in issues_of(incident):
        draft.claim(fingerprint_claim(issue), soft=True)
    draft.cancel(ARCHIVE, ALARM).note("reopened", why, by=by)
    want_missing_parts(draft)
    if not fine and "announcement" in draft.incident.messages and not incident.private:
        draft.want(Say(text=f"Open again: {incident.title}.", goes_to="announcement"))
    next_round(draft, why)


def archive_due(draft: Draft, action: ArchiveDue) -> None:
    incident = draft.incident
    if not incident.open and incident.own_channel and not incident.channel_archived:
        draft.want(ArchiveChannel())


def put_off_archive(draft: Draft, action: PutOffArchive) -> None:
    """People still talk in it."""
    clear_failures(draft, "archive")
    if not draft.incident.open:
        draft.timer(ARCHIVE, PUT_OFF_SECONDS, ArchiveDue())


def channel_archived(draft: Draft, action: ChannelArchived) -> None:
    """Remember that the channel is archived or gone; an open incident then needs another one."""
    incident = draft.incident
    clear_failures(draft, "archive")
    own = incident.own_channel
    if own is None or own.id != action.channel or incident.channel_archived:
        return
    draft.set(channel_archived=True).cancel(ARCHIVE)
    done = "deleted" if action.deleted else "archived"
    # Nobody heard who it was; the bot itself archives only what is over.
    who = "Somebody" if action.by is None and incident.open else mentioned(action.by)
    draft.note("comms", f"{who} {done} the channel", by=action.by)
    if incident.open:
        replace_channel(draft, DELETED if action.deleted else ARCHIVED).want(OpenChannel()).dirty(
            *LIVE_EVERYWHERE
        )
