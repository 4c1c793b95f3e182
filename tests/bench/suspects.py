"""How well the ranking names the culprit of crashes whose culprit is known.

`make bench ARGS="--only suspects --crashes FOLDER"` reads a folder in the form that `crashes.py`
says. Nothing is judged by what it was fitted to: for each project the weights are fitted to the
others. A culprit is *first* only where *nobody* does not stand before it, either.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.cli.rank_suspects import crash_of
from phases.root_cause.commit_ranking import (
    DEEP,
    MISFIT,
    NOBODY,
    SHORT,
    SPREAD,
    SURE,
    TESTED,
    depth,
    newest_first,
    score_commits,
    shortness,
    tested_share,
)
from phases.root_cause.score import Score
from tests.bench.crashes import Question, questions
from tests.bench.logit import Choice, Weights, fit, probabilities
from tests.bench.table import Row, aside, at_least, at_most

FOLDER = "FIREBREAK_CRASHES"
STRENGTH = 0.3
"""How much a weight is drawn to the one in the code: a few crashes alone may not move it far."""
NOBODY_NAME, POINTS, TESTS = "nobody", "points", "test changed"
FILES, FEW, NAMED, FRAMES = "files changed", "few commits", "misfit", "own frames"
BINS = 10
GROUPS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    question: Question
    scores: Sequence[Score]
    """Of each commit, the newest first."""
    choice: Choice


@dataclass(frozen=True, slots=True)
class Answer:
    asked: Asked
    shares: Sequence[float]
    """Of *nobody*, then of each commit, the newest first."""

    @property
    def culprit(self) -> bool:
        return self.asked.choice.right > 0

    @property
    def place(self) -> int:
        """The culprit's place among the commits; among equals the newest goes first."""
        right = self.asked.choice.right
        own = self.shares[right]
        before = sum(share > own for share in self.shares[1:])
        return 1 + before + sum(share == own for share in self.shares[1:right])

    @property
    def leads(self) -> bool:
        """The right answer is the first row."""
        most = max(range(len(self.shares)), key=lambda n: (self.shares[n], -n))
        return most == self.asked.choice.right


async def rows() -> list[Row]:
    folder = os.environ.get(FOLDER)
    crashes = await asyncio.to_thread(questions, Path(folder)) if folder else []
    known = [asked(question) for question in crashes]
    if not known:
        why = f"no crash in {folder}" if folder else "no folder of crashes: --crashes FOLDER"
        return [Row("ranking of suspects", "not measured", beside=why)]
    left_out = held_out(known)
    shipped = [Answer(case, probabilities(weights(), case.choice)) for case in known]
    wide = [answer for answer in left_out if answer.asked.question.wide]
    narrow = [answer for answer in left_out if not answer.asked.question.wide]
    return [
        *figures("between two releases", narrow),
        *figures("of up to 500 commits", wide),
        *figures("left one project out", left_out),
        *by_language(left_out),
        *figures("as shipped", shipped),
        *worth(known),
        *fitted(known),
    ]


def asked(question: Question) -> Asked:
    frames, thrown = crash_of({**question.crash, "commits": []})
    ordered = newest_first(question.commits)
    scores = score_commits(frames, thrown, ordered)
    right = 0
    if question.culprit is not None:
        right = 1 + [commit.sha for commit in ordered].index(question.culprit)
    return Asked(question, scores, choice_of(scores, right, depth(frames)))


def choice_of(
    scores: Sequence[Score], right: int, deep: float, without: Collection[str] = ()
) -> Choice:
    """Return the alternatives; `without`: clues that are left out."""
    usual = tested_share(scores)
    commits = [
        {
            POINTS: math.sqrt(score.without(without)),
            TESTS: score.tested - usual,
            FILES: score.spread,
            NAMED: float(score.misfit),
        }
        for score in scores
    ]
    nobody = {NOBODY_NAME: 1.0, FEW: shortness(len(scores)), FRAMES: deep}
    return Choice([nobody, *commits], right)


# --- the fit -------------------------------------------------------------------------------------


def weights() -> Weights:
    return {
        NOBODY_NAME: NOBODY,
        POINTS: SURE,
        TESTS: TESTED,
        FILES: -SPREAD,
        NAMED: MISFIT,
        FEW: SHORT,
        FRAMES: -DEEP,
    }


def held_out(
    known: Sequence[Asked], without: Collection[str] = (), groups: int | None = None
) -> list[Answer]:
    """Answer each question by weights that were fitted to the other projects.

    `without`: signals that are left out. `groups`: put the projects together, to save time.
    """
    projects = sorted({case.question.project for case in known})
    group = {project: n % (groups or len(projects)) for n, project in enumerate(projects)}
    before = {name: weight for name, weight in weights().items() if name not in without}
    answers: list[Answer] = []
    for number in sorted(set(group.values())):
        others = [case for case in known if group[case.question.project] != number]
        here = [case for case in known if group[case.question.project] == number]
        fitted_weights = fit([case.choice for case in others], before, STRENGTH, NOBODY_NAME)
        answers += [Answer(case, probabilities(fitted_weights, case.choice)) for case in here]
    return answers


# --- the figures ---------------------------------------------------------------------------------


def share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def calibration_error(answers: Sequence[Answer]) -> float:
    """Return the mean distance between what the first row says of itself and how often it held.

    Over ten bins of equal width (Naeini and others, "Obtaining well calibrated probabilities using
    Bayesian binning", 2015).
    """
    bins: dict[int, list[tuple[float, bool]]] = {}
    for answer in answers:
        sure = max(answer.shares)
        bins.setdefault(min(int(sure * BINS), BINS - 1), []).append((sure, answer.leads))
    off = (
        abs(sum(sure for sure, _ in inside) - sum(held for _, held in inside))
        for inside in bins.values()
    )
    return sum(off) / max(1, len(answers))


def figures(how: str, answers: Sequence[Answer]) -> list[Row]:
    guilty = [answer for answer in answers if answer.culprit]
    innocent = [answer for answer in answers if not answer.culprit]
    projects = {answer.asked.question.project for answer in answers}
    beside = f"{len(guilty)} crashes, {len(innocent)} ranges without a culprit, "
    beside += f"{len(projects)} projects"
    name = f"suspects, {how}: "
    among = share(a.place == 1 for a in guilty)
    first = share(a.leads for a in guilty)
    three = share(a.place <= 3 for a in guilty)
    rank = sum(1 / a.place for a in guilty) / max(1, len(guilty))
    return [
        at_least(f"{name}culprit first of the commits", among, 0.65, beside=beside),
        at_least(f"{name}culprit first, before nobody too", first, 0.65),
        at_least(f"{name}culprit in three", three, 0.85),
        aside(f"{name}mean reciprocal rank", rank),
        at_least(f"{name}nobody right", share(a.leads for a in innocent), 0.9),
        at_most(f"{name}calibration error", calibration_error(answers), 0.1),
    ]


def by_language(answers: Sequence[Answer]) -> list[Row]:
    table_rows: list[Row] = []
    for language in sorted({answer.asked.question.language for answer in answers}):
        here = [a for a in answers if a.asked.question.language == language]
        guilty = [a for a in here if a.culprit]
        nobody = share(a.leads for a in here if not a.culprit)
        table_rows.append(
            aside(
                f"suspects, left one project out: {language}, first of the commits",
                share(a.place == 1 for a in guilty),
                beside=f"of {len(guilty)}; in three {share(a.place <= 3 for a in guilty):.2f}, "
                f"nobody right {nobody:.2f} of {len(here) - len(guilty)}",
            )
        )
    return table_rows


def surprise(answers: Sequence[Answer]) -> float:
    """Return the mean of -log2 of the right answer's probability, both kinds as heavy."""
    kinds = [[a for a in answers if a.culprit is culprit] for culprit in (True, False)]
    return sum(sum(map(_bits, kind)) / max(1, len(kind)) for kind in kinds) / 2


def _bits(answer: Answer) -> float:
    return -math.log2(max(answer.shares[answer.asked.choice.right], 1e-9))


def worth(known: Sequence[Asked]) -> list[Row]:
    """Leave each clue out, and say what that costs. For a clue the constants stay as they are; for
    what counts beside the points the others are fitted anew."""
    whole = [Answer(case, probabilities(weights(), case.choice)) for case in known]
    before = surprise(whole)
    table_rows = [aside("suspects: bits of surprise at the right answer", before)]
    clues = {c.clue for case in known for s in case.scores for c in (*s.signals, *s.discounts)}
    for clue in sorted(clues):
        choices = [
            choice_of(case.scores, case.choice.right, case.choice.alternatives[0][FRAMES], (clue,))
            for case in known
        ]
        table_rows.append(_without(clue, known, choices, weights(), before))
    names = [name for name in weights() if name not in (POINTS, NOBODY_NAME)]
    for name in names:
        choices = [case.choice for case in known]
        rest = {n: weight for n, weight in weights().items() if n != name}
        again = fit(choices, rest, STRENGTH, NOBODY_NAME)
        table_rows.append(_without(name, known, choices, again, before))
    return table_rows


def _without(
    name: str, known: Sequence[Asked], choices: Sequence[Choice], used: Weights, before: float
) -> Row:
    answers = [
        Answer(case, probabilities(used, choice))
        for case, choice in zip(known, choices, strict=True)
    ]
    guilty = [a for a in answers if a.culprit]
    return aside(
        f"suspects without {name}: bits more",
        surprise(answers) - before,
        beside=f"first of the commits {share(a.place == 1 for a in guilty):.3f}, "
        f"in three {share(a.place <= 3 for a in guilty):.3f}",
    )


def fitted(known: Sequence[Asked]) -> list[Row]:
    """Return the weights that all of the crashes would give."""
    fitted_weights = fit([case.choice for case in known], weights(), STRENGTH, NOBODY_NAME)
    return [
        aside(f"suspects: fitted weight of {name}", weight, beside=f"shipped {weights()[name]:g}")
        for name, weight in fitted_weights.items()
    ]
