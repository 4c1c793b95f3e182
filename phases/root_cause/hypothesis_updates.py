"""Phase 2: the hypothesis tree as it goes on: new findings, and what a bisect says of it.

A person's judgement stays, whatever the bot finds later.
"""

from collections.abc import Sequence

from phases.record.findings import (
    Bisect,
    Hypothesis,
    HypothesisKind,
    Suspect,
    Verdict,
)
from phases.root_cause.hypotheses import answer_question, commit_says
from phases.text.wording import capital, counted


def merge_hypotheses(
    existing: Sequence[Hypothesis], new: Sequence[Hypothesis]
) -> tuple[Hypothesis, ...]:
    """Bring new findings into the tree. The same question keeps its id, and a person's word stays.

    A hypothesis of the bot that it finds no more, such as a commit that is no suspect any longer,
    goes, unless a person judged it.
    """
    fresh = {_question_key(h): h for h in new}
    merged: list[Hypothesis] = []
    for old in existing:
        again = fresh.pop(_question_key(old), None)
        if old.by is not None:
            merged.append(old)
        elif again is not None:
            merged.append(again.model_copy(update={"id": old.id}))
        elif old.kind is HypothesisKind.OTHER or not new:
            merged.append(old)
    number = max((int(h.id[1:]) for h in existing if h.id[1:].isdigit()), default=0)
    for offset, hypothesis in enumerate(fresh.values(), 1):
        merged.append(hypothesis.model_copy(update={"id": f"H{number + offset}"}))
    return tuple(merged)


def after_bisect(hypotheses: Sequence[Hypothesis], bisect: Bisect) -> tuple[Hypothesis, ...]:
    """Apply a bisect's end: its culprit is supported, other commits are ruled out.

    What people judged stays.
    """
    if bisect.state == "running" or bisect.state == "cancelled":
        return tuple(hypotheses)
    culprit = bisect.culprit
    if bisect.state != "found" or culprit is None:
        outcome = f"Bisect {bisect.good}..{bisect.bad}: {bisect.reason or bisect.state}."
        return tuple(
            _with_finding(h, outcome) if h.kind is HypothesisKind.RELEASE and h.by is None else h
            for h in hypotheses
        )
    steps = counted(max(bisect.step, 1), "step")
    confirmed = answer_question(
        HypothesisKind.COMMIT,
        "Bisect: the reproduction passes before this commit and fails with it.",
        0.97,
        Verdict.SUPPORTED,
        says=commit_says(culprit),
        check=f"git bisect run from {bisect.good} to {bisect.bad}, {steps}",
        url=culprit.url,
    )
    judged = [_after_bisect(h, confirmed, culprit) for h in hypotheses]
    if any(_question_key(h) == _question_key(confirmed) for h in judged):
        return tuple(judged)
    return merge_hypotheses(judged, (*(h for h in judged if h.by is None), confirmed))


def _after_bisect(hypothesis: Hypothesis, confirmed: Hypothesis, culprit: Suspect) -> Hypothesis:
    if hypothesis.kind is not HypothesisKind.COMMIT or hypothesis.by is not None:
        return hypothesis
    if _question_key(hypothesis) == _question_key(confirmed):
        text = hypothesis.found
        if confirmed.found not in text:
            text = f"{confirmed.found} {capital(text)}".strip()
        same = {"id": hypothesis.id, "found": text, "url": hypothesis.url or confirmed.url}
        return confirmed.model_copy(update=same)
    ruled_out = {
        "verdict": Verdict.RULED_OUT,
        "confidence": 0.03,
        "found": f"Bisect names {culprit.sha[:9]} instead.",
    }
    return hypothesis.model_copy(update=ruled_out)


def _question_key(hypothesis: Hypothesis) -> tuple[str, str]:
    """Return what makes two hypotheses the same question.

    A commit has its sha, a person's own its words, the others their kind.
    """
    if hypothesis.kind is HypothesisKind.COMMIT:
        words = hypothesis.says.split()
        return (hypothesis.kind, words[1][:7] if len(words) > 1 else "")
    own = hypothesis.kind is HypothesisKind.OTHER
    return (hypothesis.kind, hypothesis.says if own else "")


def _with_finding(hypothesis: Hypothesis, text: str) -> Hypothesis:
    if text in hypothesis.found:
        return hypothesis
    return hypothesis.model_copy(update={"found": f"{hypothesis.found} {text}".strip()})
