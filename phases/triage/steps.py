"""Phase 1, what triage does to the record: its answer, its silence, the manual form, and the decision that follows.

How the picture is measured and what is recommended: `triage.py`.
"""

from __future__ import annotations

from datetime import timedelta

from phases.messages.actions import MeasureDue, NobodyActed, TriageOverdue
from phases.messages.commands import ManualTriage
from phases.messages.effects import AttachToTicket, Triage
from phases.messages.results import Triaged
from phases.record.claims import fingerprint_claim
from phases.record.findings import Choice, TriageReport, Word
from phases.record.incident import Incident, Severity, Status
from phases.record.limits import MEASURE, NOTHING, OVERDUE
from phases.record.memories import Recollection
from phases.record.tokens import mentioned
from phases.record.wording import capital, counted, lasting, listed
from phases.root_cause.stack_trace import with_cause
from phases.root_cause.steps import recommended_by_cause
from phases.steps.announce import EVERYWHERE, NOBODY_SECONDS, keep_true, page, tell, urgent, worked
from phases.steps.change import Draft, Refused
from phases.steps.rounds import (
    ask_for_decision,
    decision_name,
    open_round,
    replace_round,
    start_investigation,
)
from phases.triage.blast_radius import nobody, severity_of, who
from phases.triage.reported import beside_people, manual, with_reported

MEASURES_PER_WINDOW = 15  # once a minute beside a window of 15 minutes, and for one window
SOON = 6  # of what could not be asked: ten seconds beside a minute …
SOON_FOR = 2  # … for the first two of these minutes, then each minute until it is known
GREW = 3  # times the events of a whole picture: then a look that could ask for less is news all the same
FINGERPRINTS = 50  # claims a report may take; the storm's loudest issues come first
ISSUES = 200  # kept by id: what once belonged to the incident is counted at every look, and is given back at its end
ATTACHED = 5  # Sentry issues attached to the ticket


def triaged(draft: Draft, action: Triaged) -> None:
    """Phase 1's answer: completes the decision in place, or opens the first round.

    The picture that a decision was made on stays: what is measured after an action says how that went, and the looks say so.
    """
    incident = draft.incident
    worked(draft, "triage")
    before = incident.triage
    decided_on = before is not None and before.manual_by is None and not incident.status.undecided
    if not incident.open or decided_on:
        return
    if before is not None and _less_known(before, action.report):
        _measure_again(draft, soon=True)
        return
    report = beside_people(action.report, before)
    news = before is None or (before.manual_by is not None and report.manual_by is None)
    loudest = report.issue_ids[:FINGERPRINTS]
    known = (*(before.issue_ids if before else ()), *report.issue_ids)
    monitors = {**(before.monitors if before else {}), **report.monitors}
    report = report.model_copy(
        update={"issue_ids": tuple(dict.fromkeys(known))[:ISSUES], "monitors": monitors}
    )
    draft.set(
        triage=report, past=action.past or incident.past, recollection=_remembered(incident, action)
    ).cancel(OVERDUE)
    if incident.source.kind == "sentry":  # what people called it stays
        draft.set(title=with_cause(incident.title, report))
    for issue in loudest:
        if (
            issue in report.issue_ids
        ):  # what is claimed has to be known, or it could not be given back
            draft.claim(fingerprint_claim(issue), soft=True)
    if news:
        draft.note("triage", headline(report))
        keep_true(draft, f"Triage: {headline(report)}")
    _severity(
        draft,
        severity_of(report),
        known=before is not None and before.incomplete and not report.incomplete,
    )
    _decide(draft, report)
    if before is not None and not news:
        _grown(draft, before, report, incident.severity)
    attach_issues(draft, {i.url for i in before.issues} if before else set())
    _urgency(draft, report)
    _measure_again(draft, soon=report.incomplete)
    if waits_for_rollback(report) and incident.investigation is None:
        return
    trail = before is not None and _new_trail(before, report)
    if not trail and any(f.kind == "investigate" for f in incident.failures):
        return  # said, with *Try again*: the same look at the same things would fail as before
    start_investigation(draft, again=trail)


def _remembered(incident: Incident, action: Triaged) -> Recollection | None:
    """The newest answer of the memory; what was told of it is told once."""
    if action.recollection is None or incident.recollection is None:
        return action.recollection or incident.recollection
    return action.recollection.model_copy(update={"told": incident.recollection.told})


def triage_overdue(draft: Draft, action: TriageOverdue) -> None:
    """Three seconds without an answer: the decision is posted without a measured recommendation."""
    overdue(draft, "Sentry has not answered yet")


def overdue(draft: Draft, why: str) -> Draft:
    incident = draft.incident
    if incident.triage is not None or incident.triage_overdue or not incident.open:
        return draft
    draft.set(triage_overdue=True).note("triage", why).cancel(OVERDUE)
    if incident.round is None:
        open_round(draft, why, None)
    return draft.dirty(*EVERYWHERE)


def measure_due(draft: Draft, action: MeasureDue) -> None:
    """Nobody has acted yet, and a first alert sees little: measured again, because the blast radius may have grown."""
    if _undecided(draft.incident):
        draft.want(Triage())


def manual_triage(draft: Draft, action: ManualTriage) -> Refused | None:
    """What people report, where Sentry cannot be asked or shows nothing (workflow: fall back to manual user reports)."""
    incident = draft.incident
    known = incident.triage
    if known is not None and known.manual_by is None and known.blast.users is not Word.NOBODY:
        return Refused(
            "state", "Sentry has answered meanwhile; its numbers are in the decision message."
        )
    reported = manual(action, draft.service, draft.now)
    measured = known is not None and (known.manual_by is None or NOTHING in known.notes)
    report = with_reported(known, reported) if known is not None and measured else reported
    draft.set(triage=report, triage_overdue=incident.triage_overdue or known is None)
    draft.cancel(OVERDUE).note(
        "triage", f"{mentioned(action.by)} reports: {action.report}", by=action.by
    )
    keep_true(draft, f"Reported by {mentioned(action.by)}: {action.report}")
    _severity(draft, severity_of(report))
    _decide(draft, report)
    _urgency(draft, report)
    start_investigation(draft)
    return None


def nobody_acted(draft: Draft, action: NobodyActed) -> None:
    incident = draft.incident
    current = incident.round
    waiting = current is None or (current.action is None and current.investigate_by is None)
    if incident.open and incident.severity is Severity.SEV1 and waiting:
        minutes = round(NOBODY_SECONDS / 60)
        number = current.number if current else 1
        said = f"{incident.id} {incident.title}: nobody has acted for {minutes} minutes"
        page(draft, f"nobody acted: {number}", said)


def headline(report: TriageReport) -> str:
    """The picture in one sentence for timeline, ticket and Discord."""
    blast = report.blast
    if report.manual_by:
        users, features = _many(blast.users, "user"), _many(blast.features, "feature")
        return f"reported: {users}, {features} (not measured)"
    if blast.users is Word.NOBODY:
        return nobody(report)
    users = who(blast) if blast.unknown or blast.user_count else _many(blast.users, "user")
    names = listed([f.name for f in blast.top_features]) or "no feature named"
    if not blast.knows("features"):
        names = "features not known"
    window = lasting(timedelta(seconds=report.window_seconds))
    return f"{users}, {names}; {counted(report.events, 'event')} in {window}"


def _many(word: Word, thing: str) -> str:
    return {Word.NOBODY: f"no {thing}", Word.ONE: f"one {thing}", Word.MANY: f"many {thing}s"}[word]


def waits_for_rollback(report: TriageReport) -> bool:
    """Many × many with a rollback recommended: "rollback first, debug after" (workflow, phase 1)."""
    return report.recommendation.choice is Choice.ROLLBACK


def attach_issues(draft: Draft, attached: set[str | None]) -> Draft:
    """Cross-references the Sentry issues on the ticket (workflow, phase 4), without those that are `attached` already."""
    incident = draft.incident
    if incident.ticket is None or incident.triage is None:
        return draft
    for issue in incident.triage.issues[:ATTACHED]:
        if issue.url and issue.url not in attached:
            draft.want(AttachToTicket(url=issue.url, title=f"Sentry {issue.short_id}"))
    return draft


def _severity(draft: Draft, proposed: Severity, *, known: bool = False) -> Draft:
    """Proposed by triage; a person's word wins and stays. A later look at less does not lower it.

    `known`: what could not be asked before, and counted as many, is measured now; then this is the first measure.
    """
    incident = draft.incident
    if incident.severity_by is not None or incident.severity == proposed:
        return draft
    if incident.severity is not None and incident.severity < proposed and not known:
        return draft
    return draft.set(severity=proposed).note("severity", f"SEV{proposed.value}")


def _decide(draft: Draft, report: TriageReport) -> Draft:
    current = draft.incident.round
    recommended = recommended_by_cause(draft.incident) or report.recommendation
    if current is None:
        open_round(draft, "triage", recommended)
    elif current.action is None and draft.incident.status.undecided:
        replace_round(draft, current.model_copy(update={"recommendation": recommended}))
    if draft.incident.status is Status.DECLARED:
        draft.set(status=Status.DECIDING)
    current = draft.incident.round
    if current is not None:
        draft.dirty(decision_name(current.number))
    return ask_for_decision(draft.dirty(*EVERYWHERE))


def _grown(
    draft: Draft, before: TriageReport, report: TriageReport, severity: Severity | None
) -> Draft:
    """It became worse, or other advice follows from what is known by now: an edited message rings no bell, so it is said."""
    worse = severity is None or (draft.incident.severity or severity) < severity
    rollback = (
        report.recommendation.choice is Choice.ROLLBACK
        and before.recommendation.choice is not Choice.ROLLBACK
    )
    known = before.incomplete and not report.incomplete
    other = (
        draft.incident.severity != severity
        or report.recommendation.choice is not before.recommendation.choice
    )
    if not (worse or rollback or (known and other)) or not draft.incident.status.undecided:
        return draft
    target = report.recommendation.target
    advice = f" Recommended now: roll back to {target.version}." if rollback and target else ""
    if known and not advice and report.recommendation.choice is Choice.INVESTIGATE:
        advice = " Recommended now: investigate."
    said = f"{capital(headline(report))}.{advice}"
    return tell(
        draft.note("triage", said), said, strong="Measured by now." if known else "It has grown."
    )


def _new_trail(before: TriageReport, report: TriageReport) -> bool:
    """Whether an investigation has more to walk along than the last one had, or would read it differently.

    What looked like one customer's data with the first event is a release's fault with the thirtieth customer.
    """
    grown = (report.blast.users, report.blast.features) != (
        before.blast.users,
        before.blast.features,
    )
    return (
        grown
        or report.suspect != before.suspect
        or (report.frame is not None and before.frame is None)
    )


def _undecided(incident: Incident) -> bool:
    current = incident.round
    return incident.status.undecided and (current is None or current.action is None)


def _less_known(before: TriageReport, report: TriageReport) -> bool:
    """A look that could not ask for everything replaces none that could, unless it burns much more by now."""
    if before.manual_by is not None or before.incomplete or not report.incomplete:
        return False
    return report.events < GREW * max(before.events, 1)


def _measure_again(draft: Draft, *, soon: bool = False) -> Draft:
    """For one window; what could not be asked is asked for until it is known: sooner at first (`soon`)."""
    current = draft.incident.round
    if current is None or not _undecided(draft.incident):
        return draft
    wait = draft.service.window_seconds / MEASURES_PER_WINDOW
    open_for = draft.now - current.opened_at
    if soon:
        early = open_for < draft.service.window / MEASURES_PER_WINDOW * SOON_FOR
        return draft.timer(MEASURE, wait / SOON if early else wait, MeasureDue())
    if open_for >= draft.service.window:
        return draft
    return draft.timer(MEASURE, wait, MeasureDue())


def _urgency(draft: Draft, report: TriageReport) -> Draft:
    """One page, not two, where a SEV1 is braked at first sight."""
    incident = draft.incident
    said = f"{incident.id} {incident.title}: {headline(report)}"
    loud = report.recommendation.loud
    if loud:
        said += f". A rollback would be right, but is not safe: {' '.join(report.recommendation.brakes)}"
    paged = incident.paged
    urgent(draft, said)
    if not loud:
        return draft
    return (
        page(draft, "braked", said) if draft.incident.paged == paged else _as_paged(draft, "braked")
    )


def _as_paged(draft: Draft, key: str) -> Draft:
    known = draft.incident.paged
    return draft if key in known else draft.set(paged=(*known, key))
