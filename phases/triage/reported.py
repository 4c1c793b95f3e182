"""Phase 1, the manual form: what people report where Sentry cannot be asked."""

from __future__ import annotations

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
from phases.record.limits import NOTHING
from phases.record.service import Service
from phases.record.wording import capital, listed, short
from phases.triage.who_is_hit import how_many

REPORTED_FEATURES = 10  # of the manual form


def manual(action: ManualTriage, service: Service, now: datetime) -> TriageReport:
    """What a person reports where Sentry cannot be asked. Marked as such; never a measured recommendation."""
    features = Word.NOBODY if action.users is Word.NOBODY else action.features
    names = tuple(short(n.strip()) for n in action.feature_names if n.strip())[:REPORTED_FEATURES]
    who = "nobody" if action.users is Word.NOBODY else how_many(action.users, "user")
    if features is Word.NOBODY:
        said = capital(f"{who} is hit.")
    else:
        named = f": {listed(names)}" if names else ""
        said = capital(f"{who}, {how_many(features, 'feature')}{named}.")
    return TriageReport(
        at=now,
        window_seconds=service.window_seconds,
        events=0,
        per_minute=0.0,
        baseline_per_minute=0.0,
        blast=BlastRadius(
            users=action.users,
            features=features,
            top_features=tuple(Share(name=n, events=0) for n in names),
            confidence=Confidence.LOW,
            sentences=(said, "Reported by a person, not measured."),
        ),
        recommendation=Recommendation(
            choice=Choice.INVESTIGATE,
            reasons=("Reported by a person, not measured: no recommendation from numbers.",),
        ),
        notes=("Sentry was not measured.",),
        manual_by=action.by,
    )


def beside_people(measured: TriageReport, known: TriageReport | None) -> TriageReport:
    """Where Sentry shows nothing and a person reported something, the person's word on who is hit stays."""
    if known is None or known.manual_by is None or measured.blast.users is not Word.NOBODY:
        return measured
    return with_reported(measured, known)


def with_reported(measured: TriageReport, people: TriageReport) -> TriageReport:
    """Who is hit as people say it, on what Sentry and the deployer know."""
    known = measured.recommendation
    recommended = Recommendation(
        choice=Choice.INVESTIGATE,
        reasons=people.recommendation.reasons,
        against=known.against,
        suspect=known.suspect,
        target=known.target,
    )
    said = {
        "blast": people.blast,
        "manual_by": people.manual_by,
        "notes": tuple(dict.fromkeys((*measured.notes, NOTHING))),
        "recommendation": recommended,
    }
    return measured.model_copy(update=said)
