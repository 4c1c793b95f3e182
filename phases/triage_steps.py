"""Phase 1, what triage does to the record: its answer, its silence, the manual form, and the decision that follows.

How the picture is measured and what is recommended: `triage.py`.
"""

from __future__ import annotations

from datetime import datetime

from phases.actions import ManualTriage, NobodyActed, Triaged, TriageOverdue
from phases.blast_radius import severity_of
from phases.change import Change, Draft, Refused
from phases.effects import AttachToTicket
from phases.incident import Incident, Severity, Status
from phases.mitigation import NOBODY
from phases.postmortem_steps import fingerprint_claim
from phases.report import Choice, TriageReport, Word
from phases.rounds import (
    EVERYWHERE,
    ask_for_decision,
    decision_name,
    ended,
    keep_true,
    mentioned,
    open_round,
    page,
    replace_round,
    start_investigation,
)
from phases.service import Service
from phases.triage import manual

OVERDUE = "triage"  # timer
OVERDUE_SECONDS = 3  # rules: the decision message is posted after 3 s without an answer
NOBODY_SECONDS = 600  # rules, Severity: nobody acts on a SEV1 within 10 minutes
FINGERPRINTS = 50  # claims a report may take; the storm's loudest issues come first
ATTACHED = 5  # Sentry issues attached to the ticket


def triaged(incident: Incident, action: Triaged, service: Service, now: datetime) -> Change:
    """Phase 1's answer: completes the decision in place, or opens the first round."""
    del service
    report = action.report
    draft = Draft(incident, now)
    if not incident.open:
        return draft.done()
    first = incident.triage is None or incident.triage.manual_by is not None
    draft.set(triage=report, past=action.past or incident.past).cancel(OVERDUE)
    for issue in report.issue_ids[:FINGERPRINTS]:
        draft.claim(fingerprint_claim(issue), soft=True)
    if first:
        draft.note("triage", headline(report))
        keep_true(draft, f"Triage: {headline(report)}")
    _severity(draft, severity_of(report))
    _decide(draft, report)
    attach_issues(draft)
    _urgency(draft, report)
    if waits_for_rollback(report):
        return draft.done()
    return start_investigation(draft).done()


def triage_overdue(incident: Incident, action: TriageOverdue, service: Service, now: datetime) -> Change:
    """Three seconds without an answer: the decision is posted without a measured recommendation."""
    del action, service
    return overdue(Draft(incident, now), "Sentry has not answered yet").done()


def overdue(draft: Draft, why: str) -> Draft:
    incident = draft.incident
    if incident.triage is not None or incident.triage_overdue or not incident.open:
        return draft
    draft.set(triage_overdue=True).note("triage", why).cancel(OVERDUE)
    if incident.round is None:
        open_round(draft, why, None)
    return draft.dirty(*EVERYWHERE)


def manual_triage(incident: Incident, action: ManualTriage, service: Service, now: datetime) -> Change | Refused:
    """What people report, where Sentry cannot be asked (workflow: fall back to manual user-report investigation)."""
    if (refused := ended(incident)) is not None:
        return refused
    if incident.triage is not None and incident.triage.manual_by is None:
        return Refused("state", "Sentry has answered meanwhile; its numbers are in the decision message.")
    report = manual(action, service, now)
    draft = Draft(incident, now).set(triage=report, triage_overdue=True).cancel(OVERDUE)
    draft.note("triage", f"{mentioned(action.by)} reports: {action.report}", by=action.by)
    keep_true(draft, f"Reported by {mentioned(action.by)}: {action.report}")
    _severity(draft, severity_of(report))
    _decide(draft, report)
    _urgency(draft, report)
    return start_investigation(draft).done()


def nobody_acted(incident: Incident, action: NobodyActed, service: Service, now: datetime) -> Change:
    del action, service
    draft = Draft(incident, now)
    current = incident.round
    waiting = current is None or (current.action is None and current.investigate_by is None)
    if incident.open and incident.severity is Severity.SEV1 and waiting:
        page(draft, "nobody acted", f"{incident.id} {incident.title}: nobody has acted for 10 minutes")
    return draft.done()


def headline(report: TriageReport) -> str:
    """The picture in one sentence for timeline, ticket and Discord."""
    blast = report.blast
    if report.manual_by:
        return f"reported: {blast.users.value} users, {blast.features.value} features (not measured)"
    if blast.users is Word.NOBODY:
        return "Sentry shows nothing unusual"
    users = (
        f"{blast.user_count} user{'' if blast.user_count == 1 else 's'}"
        if blast.user_count
        else f"{blast.users.value} users"
    )
    names = ", ".join(f.name for f in blast.top_features[:3]) or "no feature named"
    return f"{users}, {names}; {report.events} events in {round(report.window_seconds / 60)} min"


def waits_for_rollback(report: TriageReport) -> bool:
    """Many × many with a rollback recommended: "rollback first, debug after" (workflow, phase 1)."""
    return report.recommendation.choice is Choice.ROLLBACK


def attach_issues(draft: Draft) -> Draft:
    """Cross-references the Sentry issues on the ticket (workflow, phase 4); attaching is keyed by URL."""
    incident = draft.incident
    if incident.ticket is None or incident.triage is None:
        return draft
    for issue in incident.triage.issues[:ATTACHED]:
        if issue.url:
            draft.want(AttachToTicket(url=issue.url, title=f"Sentry {issue.short_id}"))
    return draft


def _severity(draft: Draft, proposed: Severity) -> Draft:
    """Proposed by triage; a person's word wins and stays. A later look at less does not lower it."""
    incident = draft.incident
    if incident.severity_by is not None or (incident.severity is not None and incident.severity <= proposed):
        return draft
    return draft.set(severity=proposed).note("severity", f"SEV{proposed.value}")


def _decide(draft: Draft, report: TriageReport) -> Draft:
    current = draft.incident.round
    if current is None:
        open_round(draft, "triage", report.recommendation)
    elif current.action is None and draft.incident.status in (Status.DECLARED, Status.DECIDING):
        replace_round(draft, current.model_copy(update={"recommendation": report.recommendation}))
    if draft.incident.status is Status.DECLARED:
        draft.set(status=Status.DECIDING)
    current = draft.incident.round
    if current is not None:
        draft.dirty(decision_name(current.number))
    return ask_for_decision(draft.dirty(*EVERYWHERE))


def _urgency(draft: Draft, report: TriageReport) -> Draft:
    incident = draft.incident
    said = f"{incident.id} {incident.title}: {headline(report)}"
    if incident.severity is Severity.SEV1:
        if "sev1" not in incident.paged:
            draft.timer(NOBODY, NOBODY_SECONDS, NobodyActed())
        page(draft, "sev1", said)
    if report.recommendation.loud:
        page(draft, "braked", f"{said}. A rollback is not safe: {'; '.join(report.recommendation.brakes)}")
    return draft
