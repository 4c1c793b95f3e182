"""Phase 2: the best that is known of the cause, found in one way for all who show or use it.

A person's word goes before a bisect, a bisect before a hypothesis, a hypothesis before a suspect.
"""

from dataclasses import dataclass

from phases.record.findings import Cause, Hypothesis, HypothesisKind, Suspect, Verdict
from phases.record.incident import Incident
from phases.text.wording import short

CAUSE_LIMIT = 2000  # characters


@dataclass(frozen=True, slots=True)
class LeadingCause:
    named: Cause | None
    """The cause that a person named, or that a bisect's end confirmed."""
    bisected: Suspect | None
    """The commit that the bisect found."""
    hypothesis: Hypothesis | None
    """The best one that is not ruled out."""
    commit: str
    """The commit of these, else of the first suspect; empty where none is known."""
    release: str | None
    """The release under suspicion."""
    nearest: Suspect | None = None
    """The commit that comes closest where none stands out; a hint, and never the cause."""

    @property
    def confirmed(self) -> bool:
        """A person or a bisect stands behind the commit."""
        return bool(self.commit) and bool(
            (self.named and self.named.commit) or self.bisected is not None
        )

    @property
    def supported(self) -> Hypothesis | None:
        hypothesis = self.hypothesis
        held = hypothesis is not None and hypothesis.verdict is Verdict.SUPPORTED
        return hypothesis if held else None


def leading_cause(incident: Incident) -> LeadingCause:
    report, investigation = incident.triage, incident.investigation
    bisected = incident.bisect.culprit if incident.bisect is not None else None
    commits = (
        incident.cause.commit if incident.cause is not None else None,
        bisected.sha if bisected is not None else None,
        incident.suspects[0].sha if incident.suspects else None,
    )
    commit = next((sha for sha in commits if sha), "")
    return LeadingCause(
        named=incident.cause,
        bisected=bisected,
        hypothesis=_best_hypothesis(incident),
        commit=commit,
        nearest=investigation.nearest if investigation and not commit else None,
        release=report.suspect.version if report and report.suspect else None,
    )


def _best_hypothesis(incident: Incident) -> Hypothesis | None:
    """Return the best hypothesis; a commit or somebody's data says more than a release."""
    alive = [h for h in incident.hypotheses if h.verdict is not Verdict.RULED_OUT]

    def rank(hypothesis: Hypothesis) -> tuple[bool, bool, float]:
        supported = hypothesis.verdict is Verdict.SUPPORTED
        exact = supported and hypothesis.kind is not HypothesisKind.RELEASE
        return (supported, exact, hypothesis.confidence)

    return max(alive, key=rank, default=None)


def proposed_cause(incident: Incident) -> Cause | None:
    """Return the bisect's culprit, else the best hypothesis that is supported.

    The result is no cause until a person, or the bisect, stands behind it.
    """
    lead = leading_cause(incident)
    at = incident.triage.at if incident.triage else incident.declared_at
    culprit = lead.bisected
    if culprit is not None:
        known = next((s for s in incident.suspects if s.sha == culprit.sha), culprit)
        return Cause(
            text=_culprit_sentence(culprit, lead.release),
            at=at,
            evidence=tuple(dict.fromkeys((*culprit.reasons, *known.reasons)))[:5],
            commit=culprit.sha,
            release=lead.release,
        )
    first = lead.supported
    if first is None:
        return None
    of_commit = first.kind is HypothesisKind.COMMIT
    culprit = next((s for s in incident.suspects if of_commit and s.sha[:9] in first.says), None)
    supported = [h for h in incident.hypotheses if h.verdict is Verdict.SUPPORTED]
    supported.sort(key=lambda h: -h.confidence)
    evidence = [first.found, *(h.found for h in supported[:3] if h.id != first.id)]
    of_release = first.kind in (HypothesisKind.RELEASE, HypothesisKind.COMMIT)
    return Cause(
        text=_culprit_sentence(culprit, lead.release)
        if culprit
        else short(first.says, CAUSE_LIMIT),
        at=at,
        by=first.by,
        evidence=tuple(text for text in evidence if text)[:5],
        commit=culprit.sha if culprit else None,
        release=lead.release if of_release else None,
    )


def _culprit_sentence(culprit: Suspect, release: str | None) -> str:
    by = f" by {short(culprit.author, 200)}" if culprit.author else ""
    shipped = f", shipped in {short(release, 200)}" if release else ""
    return f"Commit {culprit.sha[:9]}{by}, “{short(culprit.subject, 200)}”{shipped}, caused it."
