"""Phase 1: the report of a triage, as it goes into the record."""

from phases.ports.tracker_values import EventDetail
from phases.record.findings import TriageReport
from phases.root_cause.stack_trace import own_code_frames, title_with_cause
from phases.shared.suspected_changes import changes_near
from phases.triage.picture.blast_radius import ERROR, MINUTE
from phases.triage.reading.answers import Trouble
from phases.triage.rollback.recommendation import recommend
from phases.triage.rollback.situation import Situation

SHOWN_ISSUES = 10
SHOWN_MONITORS = 20
SHOWN_DEPLOYS = 5
SHOWN_CHANGES = 5
SHOWN_FRAMES = 10
SHOWN_WRAPPERS = 5
SHOWN_TARGETS = 10


def build_report(
    situation: Situation, trouble: Trouble, event: EventDetail | None, calm: float
) -> TriageReport:
    suspect, began, issues = situation.suspect, situation.began, trouble.issues
    if event is not None:
        title = title_with_cause(issues[0].title, event)
        issues = (issues[0].model_copy(update={"title": title}), *issues[1:])
    frames = tuple(own_code_frames(event.frames))[:SHOWN_FRAMES] if event else ()
    after = (began - suspect.started_at) / MINUTE if suspect and began else None
    monitors = [(i.id, i.short_id) for i in issues if i.category != ERROR]
    return TriageReport(
        at=situation.now,
        window_seconds=int(situation.window.total_seconds()),
        events=situation.events,
        per_minute=round(situation.events / (situation.window / MINUTE), 2),
        baseline_per_minute=round(calm, 4),
        began_at=began,
        blast=situation.blast,
        issues=issues[:SHOWN_ISSUES],
        issue_ids=trouble.ids,
        monitors=dict(monitors[:SHOWN_MONITORS]),
        running=suspect.release if suspect and situation.canary else situation.running,
        canary=situation.canary,
        suspect=suspect.release if suspect else None,
        began_exact=situation.exact,
        suspect_minutes=round(after, 3) if after is not None else None,
        deploys=situation.known.deploys[:SHOWN_DEPLOYS],
        deploys_beside=situation.neighbours[:SHOWN_DEPLOYS],
        changes=changes_near(situation.changes, began)[:SHOWN_CHANGES],
        flag_evidence=situation.flag_evidence,
        targets=situation.targets[:SHOWN_TARGETS],
        exception_type=event.exception_type if event else None,
        exception_value=event.exception_value if event else "",
        wrapped_in=event.wrapped_in[:SHOWN_WRAPPERS] if event else (),
        event_kind=event.kind if event else "",
        frame=frames[0] if frames else None,
        frames=frames,
        handled=event.handled if event else None,
        endpoint=situation.endpoint,
        recommendation=recommend(situation),
    )
