"""Phase 2: the hypothesis that a flag, a setting or infrastructure brought it, without a deploy."""

from phases.record.findings import Choice, Hypothesis, HypothesisKind, TriageReport, Verdict
from phases.record.tokens import changed_thing
from phases.shared.suspected_changes import suspected_changes
from phases.text.wording import capital

TELLS_APART = 0.92  # events with the flag on fail and those without do not: as sure as a release
CHANGED_NEARER = 0.85  # nearer to the beginning than the deploy, so before `RELEASE_CONFIDENCE`
CHANGED_BEFORE = 0.3  # some time before; a deploy is nearer, or few are hit


def change_hypothesis(report: TriageReport) -> Hypothesis | None:
    """Return the change that triage suspects; None where none is near.

    It is supported where the decision recommends to take it back.
    """
    first = next(
        iter(suspected_changes(report.changes, report.began_at, report.flag_evidence)), None
    )
    if first is None or first.change != report.recommendation.change:
        return None
    leads = report.recommendation.choice is Choice.TURN_OFF
    sure = CHANGED_NEARER if leads else CHANGED_BEFORE
    return Hypothesis(
        id="",
        kind=HypothesisKind.CONFIGURATION,
        says=f"{capital(changed_thing(first.change))} caused it",
        predicts="errors began with this change and end when it is reverted",
        check="when it began, against the changes and the events with the flag on",
        found=f"Trouble began {first.began}. {first.seen}".strip(),
        verdict=Verdict.SUPPORTED if leads else Verdict.OPEN,
        confidence=TELLS_APART if first.tells_apart else sure,
        url=first.change.url,
    )
