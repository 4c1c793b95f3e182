"""None of the commits brought it: how that is told, and what is looked at first then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame, Hypothesis, HypothesisKind, Verdict
from phases.root_cause.commit_ranking import RaisedError, Ranking, rank_commits
from phases.root_cause.no_culprit import (
    REASON_LIMIT,
    SUBJECT_LIMIT,
    nearest_commit,
    no_culprit_finding,
    rank_elsewhere_first,
)
from tests.support.values.histories import Json, answer, commit, frame

CRASH = [frame("shop/pay.py", "charge", 23), frame("shop/views.py", "checkout", 80)]
THROWN = {"type": "ZeroDivisionError", "value": "division by zero"}
GUILTY = commit(
    "guilty",
    "Split the total evenly",
    **{
        "shop/pay.py": (
            "@@ -17,4 +17,7 @@ def charge(items):\n a\n b\n-    total = 0\n"
            "+    total = sum(item.price for item in items)\n+    if items is None:\n"
            "+        items = []\n+    # each pays the same\n-    return total\n"
            "+    return total / len(items)"
        ),
        "tests/test_pay.py": "@@ -1 +1 @@\n-a\n+b",
    },
)
BESIDE = [
    commit(f"beside{n}", f"Change {n}", **{f"shop/other{n}.py": "@@ -1 +1 @@\n-a\n+b"})
    for n in range(12)
]


def test_where_no_commit_is_linked_to_the_crash_nobody_is_the_first_row() -> None:
    first, *others = answer(CRASH, THROWN, BESIDE)
    assert first["sha"] is None
    assert set(first) == {"sha", "confidence", "reasons"}
    assert first["confidence"] > 0.9
    assert first["reasons"] == ["no commit changes a file of the stack"]
    assert {row["sha"] for row in others} == {row["sha"] for row in BESIDE}
    assert first["confidence"] + sum(row["confidence"] for row in others) == pytest.approx(
        1, abs=0.01
    )


def test_whoever_wrote_the_crashing_line_anew_goes_before_nobody() -> None:
    ranked = answer(CRASH, THROWN, [*BESIDE, GUILTY])
    assert ranked[0]["sha"] == "guilty"
    assert ranked[0]["confidence"] > 0.6
    assert all(row["sha"] is not None for row in ranked)


def test_whoever_only_worded_it_anew_is_less_suspect() -> None:
    """A formatter touches every line that crashes later."""
    wrapped = (
        "@@ -20,5 +20,5 @@\n a\n b\n c\n"
        "-    return (total / len(items))\n+    return total / len(items)"
    )
    tidy = commit("tidy", "Format", **{"shop/pay.py": wrapped})
    rows = {row["sha"]: row for row in answer(CRASH, THROWN, [*BESIDE, tidy])}
    new = {row["sha"]: row for row in answer(CRASH, THROWN, [*BESIDE, GUILTY])}
    assert rows["tidy"]["confidence"] < new["guilty"]["confidence"] - 0.2


@pytest.mark.parametrize(
    ("frames", "thrown", "commits"),
    [
        (CRASH, THROWN, [{"sha": "a", "files": [{"path": "shop/other.py"}]}]),  # no patch is known
        ([], THROWN, BESIDE),  # it has no stack
        (CRASH, THROWN, []),
    ],
)
def test_where_nothing_can_be_told_nobody_is_not_said(
    frames: list[Json], thrown: Json | None, commits: list[Json]
) -> None:
    assert all(row["sha"] is not None for row in answer(frames, thrown, commits))


def test_what_is_known_of_the_release_moves_it() -> None:
    commits = [
        Commit(sha="a", files=(CommitFile(path="shop/pay.py", patch="@@ -9 +9 @@\n-a\n+b"),))
    ]
    frames = [Frame(file="shop/pay.py", function="charge", line=23)]
    sure = [
        rank_commits(frames, RaisedError(), commits, before=before).nobody or 0
        for before in (0.1, 0.5, 0.9)
    ]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] > sure[2] + 0.2


@given(
    st.lists(st.sampled_from(["shop/pay.py", "shop/views.py", "a.py"]), max_size=30),
    st.lists(st.integers(1, 90), min_size=1, max_size=5),
)
def test_the_probabilities_add_up(paths: list[str], lines: list[int]) -> None:
    commits = [
        Commit(sha=f"{n:040x}", files=(CommitFile(path=path, patch="@@ -20 +20 @@\n-a\n+b"),))
        for n, path in enumerate(paths)
    ]
    frames = [Frame(file="shop/pay.py", function="f", line=line) for line in lines]
    ranked = rank_commits(frames, RaisedError(type="X", value="y"), commits)
    assert (ranked.nobody is None) is (not commits)
    whole = (ranked.nobody or 0) + sum(s.confidence for s in ranked.suspects)
    assert whole == pytest.approx(1 if commits else 0, abs=0.01)
    assert [s.confidence for s in ranked.suspects] == sorted(
        (s.confidence for s in ranked.suspects), reverse=True
    )


KINDS = [
    kind
    for kind in HypothesisKind
    if kind not in (HypothesisKind.OTHER, HypothesisKind.COMMIT)  # no commit is raised then
]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(Verdict)), min_size=5, max_size=5),
    st.floats(0.2, 1),
)
def test_then_data_flags_traffic_and_neighbours_come_first(
    ratings: list[tuple[float, Verdict]], sure: float
) -> None:
    raised = [
        Hypothesis(id="", kind=kind, says="x", confidence=confidence, verdict=verdict)
        for kind, (confidence, verdict) in zip(KINDS, ratings, strict=True)
    ]
    judged = rank_elsewhere_first(raised, sure)
    others = [h for h in judged if h.kind is not HypothesisKind.RELEASE]
    alive = [h.confidence for h in others if h.verdict is not Verdict.RULED_OUT]
    if not alive:
        assert judged == raised
        return
    for before, after in zip(raised, judged, strict=True):
        if after.kind is HypothesisKind.RELEASE:
            assert after.confidence <= min(alive)
            assert after.verdict is not Verdict.SUPPORTED
        else:
            assert after.confidence >= before.confidence
            assert after.verdict is before.verdict


def test_the_nearest_commit_is_one_that_something_links_to_the_crash() -> None:
    frames = [Frame(file="shop/pay.py", function="charge", line=23)]
    far = CommitFile(path="shop/pay.py", patch="@@ -900 +900 @@\n-a\n+b")
    near = Commit(sha="n", author="Ann", subject="x" * 999, files=(far,))
    others = [_commit(f"{n}") for n in range(20)]
    ranked = rank_commits(frames, RaisedError(), [*others, near])
    assert ranked.nobody_leads
    shown = nearest_commit(ranked)
    assert shown is not None
    assert (shown.sha, shown.author) == ("n", "Ann")
    assert shown.reasons[0].startswith("changes shop/pay.py")
    assert len(shown.subject) <= SUBJECT_LIMIT
    assert len(shown.reasons) == 1
    assert len(shown.reasons[0]) <= REASON_LIMIT
    assert 0 < shown.confidence < (ranked.nobody or 0)
    assert nearest_commit(rank_commits(frames, RaisedError(), others)) is None, "nothing links them"


def test_where_a_commit_leads_none_is_merely_the_nearest() -> None:
    frames = [Frame(file="b.py", line=1)]
    new = CommitFile(path="b.py", patch="@@ -0,0 +1,9 @@\n" + "+x\n" * 9)
    ranked = rank_commits(frames, RaisedError(), [Commit(sha="a", files=(new,))])
    assert not ranked.nobody_leads
    assert nearest_commit(ranked) is None


def test_the_finding_in_words() -> None:
    ranking = rank_commits([Frame(file="a.py", line=1)], RaisedError(), [_commit("a")])
    two = rank_commits([Frame(file="a.py", line=1)], RaisedError(), [_commit("a"), _commit("b")])
    assert no_culprit_finding(ranking, "41..42").startswith(
        "The one commit in 41..42 does not explain the crash ("
    )
    assert no_culprit_finding(two, "41..42").startswith(
        "None of the 2 commits in 41..42 explains the crash ("
    )
    assert not Ranking((), None).nobody_leads


def _commit(sha: str) -> Commit:
    return Commit(sha=sha, files=(CommitFile(path="b.py", patch="@@ -1 +1 @@\n-a\n+b"),))
