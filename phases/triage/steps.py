"""Phase 1, triage: its answer, its silence, the manual form, and the decision that follows.

How the picture is measured and what is recommended: `phases/triage/measure.py`.
"""

from datetime import timedelta

from phases.messages.actions import MeasureDue, NobodyActed, TriageOverdue
from phases.messages.commands import ManualTriage
from phases.messages.effects import AttachToTicket, Triage
from phases.messages.results import Triaged
from phases.record.claims import fingerprint_claim
from phases.record.findings import Choice, TriageReport, Word
from phases.record.incident import Entry, Incident, Severity, Status
from phases.record.limits import HEARD_MOST, MEASURE_TIMER, NOTHING_UNUSUAL, OVERDUE_TIMER
from phases.record.memories import Recollection
from phases.record.tokens import mentioned
from phases.root_cause.stack_trace import title_with_cause
from phases.root_cause.steps import recommended_by_cause
from phases.shared.announce import (
    LIVE_EVERYWHERE,
    NOBODY_SECONDS,
    clear_failures,
    page,
    page_if_urgent,
    tell,
    update_outside,
)
from phases.shared.change import Draft, Refused
from phases.shared.rounds import (
    ask_for_decision,
    decision_name,
    open_round,
    replace_round,
    start_investigation,
)
from phases.shared.suspected_changes import (
    change_in_words,
    change_is_known,
    change_key,
    taking_back_in_words,
)
from phases.text.wording import capital, counted, lasting, listed
from phases.triage.picture import who_is_hit
from phases.triage.picture.blast_radius import severity_of
from phases.triage.reported import keep_reported, manual_report, with_reported

MEASURES_PER_WINDOW = 15  # once a minute beside a window of 15 minutes, and for one window
SOON = 6  # of what could not be asked: ten seconds beside a minute …
SOON_FOR = 2  # … for the first two of these minutes, then each minute until it is known
GREW = 3  # times the events of a whole picture: then a look that could ask for less is news
FINGERPRINTS = 50  # claims a report may take; the storm's loudest issues come first
ISSUES = 200  # kept by id: what belonged to the incident is counted at every look until its end
ATTACHED = 5  # Sentry issues attached to the ticket


def triaged(draft: Draft, action: Triaged) -> None:
    """Complete the decision in place with what was measured, or open the first round.

    The picture that a decision was made on stays: the looks say how it went after an action.
    """
    incident, before = draft.incident, draft.incident.triage
    clear_failures(draft, "triage")
    measured = before is not None and before.manual_by is None
    if not incident.open or (measured and not incident.status.undecided):
        return
    if before is not None and _knows_less(before, action.report):
        _measure_again(draft, soon=True)
        return
    report = _with_former(keep_reported(action.report, before), before)
    _record_report(draft, action, report)
    _note_changes(draft, report)
    if before is None or (before.manual_by is not None and report.manual_by is None):
        draft.note("triage", headline(report))
        update_outside(draft, f"Triage: {headline(report)}")
        news = True
    else:
        news = False
    known_now = before is not None and before.incomplete and not report.incomplete
    _propose_severity(draft, severity_of(report), known=known_now)
    _update_decision(draft, report)
    if before is not None and not news:
        _say_growth(draft, before, report, incident.severity)
    attach_issues(draft, {issue.url for issue in before.issues} if before else set())
    _page_if_urgent(draft, report)
    _measure_again(draft, soon=report.incomplete)
    if waits_for_rollback(report) and incident.investigation is None:
        return
    trail = before is not None and _has_new_trail(before, report)
    failed = any(failure.kind == "investigate" for failure in incident.failures)
    if trail or not failed:  # the same look at the same things would fail as before
        start_investigation(draft, again=trail)


def _with_former(report: TriageReport, before: TriageReport | None) -> TriageReport:
    """Return the report with the issues that belonged to the incident before."""
    ids = (*(before.issue_ids if before else ()), *report.issue_ids)
    monitors = {**(before.monitors if before else {}), **report.monitors}
    return report.model_copy(
        update={"issue_ids": tuple(dict.fromkeys(ids))[:ISSUES], "monitors": monitors}
    )


def _record_report(draft: Draft, action: Triaged, report: TriageReport) -> None:
    incident = draft.incident
    draft.set(triage=report, recollection=_newest_recollection(incident, action)).cancel(
        OVERDUE_TIMER
    )
    if incident.source.kind == "sentry":  # what people called it stays
        draft.set(title=title_with_cause(incident.title, report))
    for issue in action.report.issue_ids[:FINGERPRINTS]:
        if issue in report.issue_ids:  # a claim has to be known, or it could not be given back
            draft.claim(fingerprint_claim(issue), soft=True)


def _note_changes(draft: Draft, report: TriageReport) -> None:
    """Write changes near the beginning into the timeline, each once, at their own time."""
    for change in report.changes:
        if not change_is_known(change, draft.incident.heard):
            draft.set(heard=(*draft.incident.heard, change_key(change))[-HEARD_MOST:])
            text = capital(change_in_words(change, author=True))
            draft.enter(Entry(at=change.at, kind="change", text=text, url=change.url))


def _newest_recollection(incident: Incident, action: Triaged) -> Recollection | None:
    """Return the newest answer of the memory; what was told of it is told once."""
    if action.recollection is None or incident.recollection is None:
        return action.recollection or incident.recollection
    return action.recollection.model_copy(update={"told": incident.recollection.told})


def triage_overdue(draft: Draft, action: TriageOverdue) -> None:
    """Three seconds passed: the decision is posted without a measured recommendation."""
    decide_without_report(draft, "Sentry has not answered yet")


def decide_without_report(draft: Draft, why: str) -> Draft:
    incident = draft.incident
    if incident.triage is not None or incident.triage_overdue or not incident.open:
        return draft
    draft.set(triage_overdue=True).note("triage", why).cancel(OVERDUE_TIMER)
    if incident.round is None:
        open_round(draft, why, None)
    return draft.dirty(*LIVE_EVERYWHERE)


def measure_due(draft: Draft, action: MeasureDue) -> None:
    """Measure again while nobody has acted: a first alert sees little, and it may have grown."""
    if _undecided(draft.incident):
        draft.want(Triage())


def manual_triage(draft: Draft, action: ManualTriage) -> Refused | None:
    """Take what people report, where Sentry cannot be queried or shows nothing.

    Workflow: fall back to manual user reports.
    """
    incident, known = draft.incident, draft.incident.triage
    if known is not None and known.manual_by is None and known.blast.users is not Word.NOBODY:
        return Refused(
            "state", "Sentry has answered meanwhile; its numbers are in the decision message."
        )
    report = manual_report(action, draft.service, draft.now)
    if known is not None and (known.manual_by is None or NOTHING_UNUSUAL in known.notes):
        report = with_reported(known, report)
    overdue = incident.triage_overdue or known is None
    draft.set(triage=report, triage_overdue=overdue).cancel(OVERDUE_TIMER)
    who = mentioned(action.by)
    draft.note("triage", f"{who} reports: {action.report}", by=action.by)
    update_outside(draft, f"Reported by {who}: {action.report}")
    _propose_severity(draft, severity_of(report))
    _update_decision(draft, report)
    _page_if_urgent(draft, report)
    start_investigation(draft)
    return None


def nobody_acted(draft: Draft, action: NobodyActed) -> None:
    incident, current = draft.incident, draft.incident.round
    waiting = current is None or (current.action is None and current.investigate_by is None)
    if incident.open and incident.severity is Severity.SEV1 and waiting:
        minutes = round(NOBODY_SECONDS / 60)
        number = current.number if current else 1
        text = f"{incident.id} {incident.title}: nobody has acted for {minutes} minutes"
        page(draft, f"nobody acted: {number}", text)


def headline(report: TriageReport) -> str:
    """Return the picture in one sentence, for timeline, ticket and Discord."""
    blast = report.blast
    if report.manual_by:
        users = who_is_hit.how_many(blast.users, "user")
        features = who_is_hit.how_many(blast.features, "feature")
        return f"reported: {users}, {features} (not measured)"
    if blast.users is Word.NOBODY or blast.down:
        return who_is_hit.nobody(report)
    users = who_is_hit.users(blast)
    names = listed([feature.name for feature in blast.top_features]) or "no feature named"
    if not blast.knows("features"):
        names = who_is_hit.FEATURES_UNKNOWN
    window = lasting(timedelta(seconds=report.window_seconds))
    return f"{users}, {names}; {counted(report.events, 'event')} in {window}"


def waits_for_rollback(report: TriageReport) -> bool:
    """True where many × many is to be rolled back: "rollback first, debug after" (workflow)."""
    return report.recommendation.choice is Choice.ROLLBACK


def attach_issues(draft: Draft, attached: set[str | None]) -> Draft:
    """Attach the Sentry issues to the ticket, without those that are `attached` already."""
    incident = draft.incident
    if incident.ticket is None or incident.triage is None:
        return draft
    for issue in incident.triage.issues[:ATTACHED]:
        if issue.url and issue.url not in attached:
            draft.want(AttachToTicket(url=issue.url, title=f"Sentry {issue.short_id}"))
    return draft


def _propose_severity(draft: Draft, proposed: Severity, *, known: bool = False) -> None:
    """Set the severity that triage proposes; a person's word wins and stays.

    A later look at less does not lower it. `known`: what could not be asked before, and was counted
    as many, is measured now; then this is the first measure.
    """
    incident = draft.incident
    if incident.severity_by is not None or incident.severity == proposed:
        return
    if incident.severity is None or incident.severity > proposed or known:
        draft.set(severity=proposed).note("severity", f"SEV{proposed.value}")


def _update_decision(draft: Draft, report: TriageReport) -> None:
    current = draft.incident.round
    recommended = recommended_by_cause(draft.incident) or report.recommendation
    if current is None:
        open_round(draft, "triage", recommended)
    elif _undecided(draft.incident):
        replace_round(draft, current.model_copy(update={"recommendation": recommended}))
    if draft.incident.status is Status.DECLARED:
        draft.set(status=Status.DECIDING)
    current = draft.incident.round
    if current is not None:
        draft.dirty(decision_name(current.number))
    ask_for_decision(draft.dirty(*LIVE_EVERYWHERE))


def _say_growth(
    draft: Draft, before: TriageReport, report: TriageReport, severity: Severity | None
) -> None:
    """Say that it became worse, or that other advice follows from what is known by now.

    The decision is edited in place, and an edited message rings no bell.
    """
    if not draft.incident.status.undecided:
        return
    former, advised = before.recommendation.choice, report.recommendation.choice
    worse = severity is None or (draft.incident.severity or severity) < severity
    rollback = advised is Choice.ROLLBACK and former is not Choice.ROLLBACK
    known = before.incomplete and not report.incomplete
    other = draft.incident.severity != severity or advised is not former
    turn_off = advised is Choice.TURN_OFF and former is not Choice.TURN_OFF
    if not worse and not rollback and not turn_off and not (known and other):
        return
    target, advice = report.recommendation.target, ""
    change = report.recommendation.change
    if rollback and target:
        advice = f" Recommended now: roll back to {target.version}."
    elif turn_off and change is not None:
        advice = f" Recommended now: {taking_back_in_words(change)}."
    elif known and advised is Choice.INVESTIGATE:
        advice = " Recommended now: investigate."
    text = f"{capital(headline(report))}.{advice}"
    strong = "Measured by now." if known else "It has grown."
    tell(draft.note("triage", text), text, strong=strong)


def _has_new_trail(before: TriageReport, report: TriageReport) -> bool:
    """True if an investigation has more to walk along now, or would read it differently.

    What looked like one customer's data with the first event is a release's fault with the
    thirtieth customer.
    """
    was, now = before.blast, report.blast
    grown = (now.users, now.features) != (was.users, was.features)
    frame = report.frame is not None and before.frame is None
    return grown or frame or report.suspect != before.suspect


def _undecided(incident: Incident) -> bool:
    current = incident.round
    return incident.status.undecided and (current is None or current.action is None)


def _knows_less(before: TriageReport, report: TriageReport) -> bool:
    """True for a look that could not ask for everything, after one that could.

    It replaces that one only where it burns much more by now.
    """
    if before.manual_by is not None or before.incomplete or not report.incomplete:
        return False
    return report.events < GREW * max(before.events, 1)


def _measure_again(draft: Draft, *, soon: bool = False) -> None:
    """Measure again, for one window; what could not be asked, until it is known.

    `soon`: sooner at first.
    """
    current, service = draft.incident.round, draft.service
    if current is None or not _undecided(draft.incident):
        return
    wait = service.window / MEASURES_PER_WINDOW
    open_for = draft.now - current.opened_at
    if soon or open_for < service.window:
        early = soon and open_for < wait * SOON_FOR
        draft.timer(MEASURE_TIMER, (wait / SOON if early else wait).total_seconds(), MeasureDue())


def _page_if_urgent(draft: Draft, report: TriageReport) -> None:
    """Page once, not twice, where a SEV1 is braked at first sight, or by a deploy that failed.

    The page of that deploy is a second old, and the one after it would end it.
    """
    incident = draft.incident
    text = f"{incident.id} {incident.title}: {headline(report)}"
    if report.recommendation.loud:
        brakes = " ".join(report.recommendation.brakes)
        text += f". A rollback would be right, but is not safe: {brakes}"
    paged = incident.paged
    page_if_urgent(draft, text)
    if not report.recommendation.loud:
        return
    failed = paged[-1:] == (f"deploy: {len(incident.rounds) - 1}",)
    if draft.incident.paged == paged and not failed:
        page(draft, "braked", text)
    elif "braked" not in draft.incident.paged:
        draft.set(paged=(*draft.incident.paged, "braked"))
