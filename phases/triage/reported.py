"""Phase 1, the manual form: what people report where Sentry cannot be queried."""

from datetime import datetime

from phases.messages.commands import ManualTriage
from phases.record.findings import (
    BlastRadius,
    Choice,
    Confidence,
    Recommendation,
    Share,
    TriageReport,
    Word,
)
from phases.record.limits import NOTHING_UNUSUAL
from phases.record.service import Service
from phases.text.wording import capital, listed, short
from phases.triage.picture.who_is_hit import how_many

REPORTED_FEATURES = 10  # of the manual form


def manual_report(action: ManualTriage, service: Service, now: datetime) -> TriageReport:
    """Return what a person reports. It is marked as such, and never recommends from numbers."""
    features = Word.NOBODY if action.users is Word.NOBODY else action.features
    stripped = (name.strip() for name in action.feature_names)
    names = tuple(short(name) for name in stripped if name)[:REPORTED_FEATURES]
    who = "nobody" if action.users is Word.NOBODY else how_many(action.users, "user")
    if features is Word.NOBODY:
        sentence = capital(f"{who} is hit.")
    else:
        named = f": {listed(names)}" if names else ""
        sentence = capital(f"{who}, {how_many(features, 'feature')}{named}.")
    return TriageReport(
        at=now,
        window_seconds=service.window_seconds,
        events=0,
        per_minute=0.0,
        baseline_per_minute=0.0,
        blast=BlastRadius(
            users=action.users,
            features=features,
            top_features=tuple(Share(name=name, events=0) for name in names),
            confidence=Confidence.LOW,
            sentences=(sentence, "Reported by a person, not measured."),
        ),
        recommendation=Recommendation(
            choice=Choice.INVESTIGATE,
            reasons=("Reported by a person, not measured: no recommendation from numbers.",),
        ),
        notes=("Sentry was not measured.",),
        manual_by=action.by,
    )


def keep_reported(measured: TriageReport, known: TriageReport | None) -> TriageReport:
    """Keep a person's word on who is hit, where Sentry shows nothing."""
    if known is None or known.manual_by is None or measured.blast.users is not Word.NOBODY:
        return measured
    return with_reported(measured, known)


def with_reported(measured: TriageReport, people: TriageReport) -> TriageReport:
    """Return the measured report with the users and features that people say are hit."""
    known = measured.recommendation
    recommended = Recommendation(
        choice=Choice.INVESTIGATE,
        reasons=people.recommendation.reasons,
        against=known.against,
        suspect=known.suspect,
        target=known.target,
    )
    return measured.model_copy(
        update={
            "blast": people.blast,
            "manual_by": people.manual_by,
            "notes": tuple(dict.fromkeys((*measured.notes, NOTHING_UNUSUAL))),
            "recommendation": recommended,
        }
    )
