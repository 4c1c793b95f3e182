"""Phase 2: none of the commits of the range explains the crash. What else may have caused it."""

import math
from collections.abc import Sequence

from phases.record.findings import Hypothesis, HypothesisKind, Suspect, Verdict
from phases.root_cause.commit_ranking import Ranking
from phases.text.wording import counted, short

SUBJECT_LIMIT, REASON_LIMIT = 120, 160  # characters of the nearest commit: it stays in the record
LEAST_WEIGHT = 0.1
"""The weight that data, flags, traffic and neighbours have at least against each other: most of
them leave no trace in what is looked at."""


def no_culprit_finding(ranking: Ranking, span: str) -> str:
    """Return the finding for the thread."""
    many = len(ranking.suspects)
    which = "The one commit" if many == 1 else f"None of the {counted(many, 'commit')}"
    explains = "does not explain" if many == 1 else "explains"
    return f"{which} in {span} {explains} the crash ({ranking.nobody:.0%}): {ranking.reasons[0]}."


def nearest_commit(ranking: Ranking) -> Suspect | None:
    """Return the commit to show where none stands out, with its strongest reason alone."""
    if ranking.nearest is None or not ranking.nobody_leads:
        return None
    reason = short(ranking.nearest.reasons[0], REASON_LIMIT)
    subject = short(ranking.nearest.subject, SUBJECT_LIMIT)
    return ranking.nearest.model_copy(update={"subject": subject, "reasons": (reason,)})


def rank_elsewhere_first(hypotheses: Sequence[Hypothesis], nobody: float) -> list[Hypothesis]:
    """Put data, flags, traffic and neighbours before the release.

    They share the probability that none of its commits brought it; what has more keeps it.
    """
    release = HypothesisKind.RELEASE
    alive = [h for h in hypotheses if h.kind is not release and h.verdict is not Verdict.RULED_OUT]
    if not alive:
        return list(hypotheses)
    whole = sum(max(h.confidence, LEAST_WEIGHT) for h in alive)

    def shared(hypothesis: Hypothesis) -> float:
        part = round(nobody * max(hypothesis.confidence, LEAST_WEIGHT) / whole, 2)
        return max(hypothesis.confidence, part)

    most = math.floor(100 * min([1 - nobody, *map(shared, alive)])) / 100

    def judged(hypothesis: Hypothesis) -> Hypothesis:
        if hypothesis.kind is release:
            sure = min(hypothesis.confidence, most)
            verdict = (
                Verdict.OPEN if hypothesis.verdict is Verdict.SUPPORTED else hypothesis.verdict
            )
            return hypothesis.model_copy(update={"confidence": sure, "verdict": verdict})
        if hypothesis.verdict is Verdict.RULED_OUT:
            return hypothesis
        return hypothesis.model_copy(update={"confidence": shared(hypothesis)})

    return [judged(h) for h in hypotheses]
