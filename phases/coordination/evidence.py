"""Phase 4, evidence: alerts and issues that join an incident, and those that open it again."""

from datetime import datetime, timedelta

from phases.messages.actions import AddEvidence, MeasureDue, SeenAgain
from phases.messages.effects import (
    OpenChannel,
    OpenTicket,
    PostLive,
    Say,
    Triage,
)
from phases.messages.results import (
    IssuesLookedUp,
)
from phases.record.claims import fingerprint_claim, issues_of, key_claim, open_claim
from phases.record.findings import Evidence
from phases.record.incident import Incident, Severity, Status
from phases.record.limits import HEARD_MOST, MEASURE_TIMER, SEEDS_MOST
from phases.shared.announce import clear_failures, page
from phases.shared.change import Draft
from phases.shared.resolution import ARCHIVE, RESOLVED_GUARD_SECONDS
from phases.shared.rounds import next_round
from phases.text.wording import capital, listed, short
from phases.verification.alarms import (
    ALARM,
    date_of,
    look_at_alarm,
    newest_recovery,
    page_key,
    report_fire_after_recovery,
)
from phases.verification.recurrence import GUARD_LASTS

KEY_SECONDS = 30 * 86400
"""So long a sender's key is known: a script that tries again for days gets the same incident."""
ARCHIVED = "The channel was archived, and no bot can unarchive it: this is the new one"
DELETED = "The channel was deleted: this is the new one"
STORM_SECONDS = 10  # a new issue of the storm: measured again when so long no other one came


def add_evidence(draft: Draft, action: AddEvidence) -> None:
    """Add an alert to the incident: one storm is one incident.

    A new issue is a line, a seed, and is measured. The thousandth alert of a known one is nothing.
    """
    incident = draft.incident
    text = f"{action.evidence.source}: {action.evidence.text}"
    after = incident.status is Status.MITIGATED and action.evidence.at > newest_recovery(incident)
    if alert_is_known(incident, action):  # found quiet once, it may ring for a fire the next time
        if after and not action.looked and not action.quiet:
            look_at_alarm(draft, action.evidence, None)
        return
    if action.issue is None:
        draft.set(heard=(*incident.heard, _alert_key(incident, action))[-HEARD_MOST:])
    elif len(incident.seeds) >= SEEDS_MOST:
        return
    else:
        draft.set(seeds=(*incident.seeds, action.issue))
    draft.note("evidence", text, url=action.evidence.url)
    if not incident.open:
        return
    for key in action.keys:
        draft.claim(key_claim(key), seconds=KEY_SECONDS, soft=True)
    if action.issue is not None:
        draft.claim(fingerprint_claim(action.issue), soft=True)
        if incident.triage is not None:
            draft.timer(MEASURE_TIMER, STORM_SECONDS, MeasureDue())
    if action.quiet:
        if "decision:1" in incident.messages:
            draft.want(Say(text=short(text, 500), thread=True))
        return
    if after and action.looked:
        report_fire_after_recovery(draft, text, action.evidence.at)
        return
    if after:
        look_at_alarm(draft, action.evidence, None)
        return
    if "decision:1" in incident.messages:
        draft.want(Say(text=short(text, 500), thread=True))


def alert_is_known(incident: Incident, action: AddEvidence) -> bool:
    """True if this alert brings nothing new: a storm's thousandth is not even recorded."""
    return (
        action.issue in incident.seeds
        if action.issue
        else _alert_key(incident, action) in incident.heard
    )


def _alert_key(incident: Incident, action: AddEvidence) -> str:
    """Return the key by which an alert is known.

    One that was heard while it burned says nothing of what fires after recovery, or the next day.
    """
    text = action.key or action.evidence.url or f"{action.evidence.source}: {action.evidence.text}"
    after = f" {date_of(action.evidence.at)}" if incident.status is Status.MITIGATED else ""
    return f"{named_alert_key(text)}{after}"


def named_alert_key(name: str) -> str:
    """Return how an alert of this name stands among what an incident has heard."""
    return f"alert:{short(name, 120)}"


def issues_looked_up(draft: Draft, action: IssuesLookedUp) -> None:
    """Take in issues that people named by short id, and that Sentry told of late.

    They are measured from now on.
    """
    incident = draft.incident
    clear_failures(draft, "issues.lookup")
    if action.lost:
        text = f"Sentry does not know {listed(action.lost)}: left out of the measurement."
        draft.note("evidence", text)
        if "decision:1" in incident.messages:
            draft.want(Say(text=text, thread=True))
    new = tuple(id for id in action.issues if id not in incident.seeds)[
        : SEEDS_MOST - len(incident.seeds)
    ]
    if not new or not incident.open:
        return
    draft.set(seeds=(*incident.seeds, *new)).note(
        "evidence", f"Looked up in Sentry: {short(action.short_ids, 200)}"
    )
    for issue in new:
        draft.claim(fingerprint_claim(issue), soft=True)
    if incident.status.undecided:
        draft.want(Triage())


def seen_again(draft: Draft, action: SeenAgain) -> None:
    """Hear of the same issue after recovery; the bot looks whether it burns (rules: Guard)."""
    incident = draft.incident
    evidence = action.evidence
    held = guard_span(incident)
    if held is None or evidence.at <= held[0]:  # a late alert of what is over
        add_evidence(draft, AddEvidence(evidence=evidence, issue=action.issue))
        return
    if evidence.at > held[1] and (
        not incident.open or page_key(incident, evidence.at) in incident.paged
    ):
        return
    look_at_alarm(draft, evidence, action.issue)


def guard_span(incident: Incident) -> tuple[datetime, datetime] | None:
    """Return from when until when the same issue opens it again.

    None while it burns, or is no incident any more.
    """
    match incident.status:
        case Status.MITIGATED if incident.recovered_at is not None:
            return newest_recovery(incident), newest_recovery(incident) + GUARD_LASTS
        case Status.RESOLVED | Status.CLOSED if incident.resolved_at is not None:
            # An alert may be on its way while somebody resolves it.
            after = min(newest_recovery(incident), incident.resolved_at)
            return after, incident.resolved_at + timedelta(seconds=RESOLVED_GUARD_SECONDS)
        case _:
            return None


def reopen_on_recurrence(draft: Draft, seen: Evidence) -> None:
    """Open the incident again within the guard, for the bot saw that it is back.

    Later it is said and paged once a day, and people decide.
    """
    incident = draft.incident
    held = guard_span(incident)
    if held is None or seen.at <= held[0]:
        return
    if seen.at > held[1]:
        _page_late_recurrence(draft, seen)
        return
    if not incident.open:
        draft.set(cause=None)  # it was not understood after all: somebody has to name it again
    draft.set(
        status=Status.DECIDING,
        recovered_at=None,
        resolved_at=None,
        closed_at=None,
        guard_until=None,
    ).cancel(ARCHIVE)
    draft.set(alarm=None).cancel(ALARM)
    draft.claim(open_claim(incident.service, incident.environment), soft=True)
    for issue in issues_of(incident):
        draft.claim(fingerprint_claim(issue), soft=True)
    again = f"it is back: {short(seen.text, 300)}"
    draft.note("evidence", capital(again), url=seen.url)
    page(draft, f"back: {len(incident.rounds)}", f"{incident.id} {incident.title}: {again}")
    next_round(want_missing_parts(draft), again)


def want_missing_parts(draft: Draft) -> Draft:
    """Want what could not be had before the end, and what is lost in the archive."""
    if draft.incident.channel_archived:
        replace_channel(draft, ARCHIVED)
    if draft.incident.channel is None:
        return draft.want(OpenChannel())
    if "status" not in draft.incident.messages:
        draft.want(PostLive(name="status"))
    return draft if draft.incident.ticket is not None else draft.want(OpenTicket())


def replace_channel(draft: Draft, why: str) -> Draft:
    """Ask for another channel.

    All that stood in the old one is posted anew; the announcement stays. `why` is the line of the
    timeline.
    """
    incident = draft.incident
    rounds = incident.rounds
    if rounds:
        rounds = (*rounds[:-1], rounds[-1].model_copy(update={"asked": False}))
    left = {name: ref for name, ref in incident.messages.items() if name == "announcement"}
    draft.set(
        channel=None,
        channel_archived=False,
        tree_asked=False,
        messages=left,
        rounds=rounds,
        bookmarks={},
    )
    return draft.note("comms", why)


def follow_growth(draft: Draft) -> None:
    """Give a SEV4 that has grown a channel of its own; its thread stays as the announcement."""
    incident = draft.incident
    grown = incident.severity is not None and incident.severity < Severity.SEV4
    if not incident.in_thread or not incident.open or not grown:
        return
    draft.set(in_thread=False)
    if incident.channel is not None and incident.channel.thread_ts is not None:
        text = "It has grown and gets a channel of its own: it stands above."
        draft.want(Say(text=text, goes_to="announcement"))
        replace_channel(draft, "It has grown: this is its channel").want(OpenChannel())


def _page_late_recurrence(draft: Draft, seen: Evidence) -> None:
    """Say and page the known issue once a day; it is not reopened."""
    incident = draft.incident
    if not incident.open or page_key(incident, seen.at) in incident.paged:
        return
    draft.note("evidence", f"Fires again: {seen.text}", url=seen.url)
    report_fire_after_recovery(draft, seen.text, seen.at)
