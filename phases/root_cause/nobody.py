"""Phase 2: none of the commits of the range explains the crash. What else may have caused it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from phases.record.findings import Hypothesis, HypothesisKind, Verdict
from phases.root_cause.commit_ranking import Ranking
from phases.text.wording import counted

OF_THE_RANGE = (HypothesisKind.RELEASE, HypothesisKind.COMMIT)
LEAST = 0.1
"""The weight that data, flags, traffic and neighbours have at least against each other: most of
them leave no trace in what is looked at."""


def nobody(ranking: Ranking, span: str) -> str:
    """Return the finding for the thread."""
    many = len(ranking.suspects)
    which = "The one commit" if many == 1 else f"None of the {counted(many, 'commit')}"
    explains = "does not explain" if many == 1 else "explains"
    return f"{which} in {span} {explains} the crash ({ranking.nobody:.0%}): {ranking.reasons[0]}."


def elsewhere_first(hypotheses: Sequence[Hypothesis], nobody: float) -> list[Hypothesis]:
    """Put data, flags, traffic and neighbours before the release and its commits.

    They share the probability that none of the commits brought it; what has more keeps it.
    """
    alive = [
        h for h in hypotheses if h.kind not in OF_THE_RANGE and h.verdict is not Verdict.RULED_OUT
    ]
    if not alive:
        return list(hypotheses)
    whole = sum(max(h.confidence, LEAST) for h in alive)

    def shared(hypothesis: Hypothesis) -> float:
        part = round(nobody * max(hypothesis.confidence, LEAST) / whole, 2)
        return max(hypothesis.confidence, part)

    most = math.floor(100 * min([1 - nobody, *map(shared, alive)])) / 100

    def judged(hypothesis: Hypothesis) -> Hypothesis:
        if hypothesis.kind in OF_THE_RANGE:
            sure = min(hypothesis.confidence, most)
            verdict = (
                Verdict.OPEN if hypothesis.verdict is Verdict.SUPPORTED else hypothesis.verdict
            )
            return hypothesis.model_copy(update={"confidence": sure, "verdict": verdict})
        if hypothesis.verdict is Verdict.RULED_OUT:
            return hypothesis
        return hypothesis.model_copy(update={"confidence": shared(hypothesis)})

    return [judged(h) for h in hypotheses]
