"""Phase 2: commits that rarely break anything, and merges and reverts that stand for others."""

import math
import re
from collections.abc import Mapping, Sequence

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.source_values import Commit
from phases.root_cause.patch import Patch
from phases.root_cause.score import Score

MERGED_LINES = 8  # of each file of a merge that are looked for in other commits
BESIDE_THE_CODE = frozenset((FileKind.TESTS, FileKind.DOCS, FileKind.CI))

_MERGE = re.compile(r"Merge (?:branch|pull request|remote|tag|commit|bitbucket|in )", re.IGNORECASE)
_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,64})", re.IGNORECASE)
_REVERT_SUBJECT = re.compile(
    r"""(?:Revert|Back ?out|Rollback)[: ]+["“']?(.+?)["”']?(?: \(#\d+\))?$""", re.IGNORECASE
)
_ONLY: dict[frozenset[FileKind], str] = {
    frozenset((FileKind.TESTS,)): "tests",
    frozenset((FileKind.DOCS,)): "documentation",
}


def discount_harmless(commit: Commit, patches: Sequence[Patch], score: Score) -> None:
    kinds = frozenset(kind_of(file.path) for file in commit.files)
    if kinds and kinds <= BESIDE_THE_CODE:
        factor = 0.15 if FileKind.TESTS in kinds else 0.08
        only = _ONLY.get(kinds, "tests, documentation or CI")
        score.discount(factor, f"changes only {only}", "beside the code")
        return
    score.tested = FileKind.TESTS in kinds
    code = [patch for patch in patches if kind_of(patch.path) not in BESIDE_THE_CODE]
    score.spread = math.log1p(sum(bool(patch.text) for patch in code))
    if code and len(code) <= 20 and all(patch.only_shape for patch in code):
        score.discount(0.2, "changes only comments or blanks", "comments")


def discount_merges(
    commits: Sequence[Commit], patches: Sequence[Sequence[Patch]], scores: Sequence[Score]
) -> None:
    """Discount a merge whose lines other commits of the range bring.

    What was squashed under a merge's title brings its own.
    """
    merges = {n for n, c in enumerate(commits) if c.files and _MERGE.match(c.subject)}
    if not merges:
        return
    others: dict[str, list[str]] = {}
    for n, of_commit in enumerate(patches):
        if n not in merges:
            for patch in of_commit:
                others.setdefault(patch.path, []).append(patch.text)

    def brought(patch: Patch) -> bool:
        rows = [row for row in patch.changed[0].split("\n") if row.strip()][:MERGED_LINES]
        return all(any(f"\n+{row}" in text for text in others.get(patch.path, ())) for row in rows)

    for n in merges:
        if all(map(brought, patches[n])):
            scores[n].discount(0.3, "a merge: its changes are in its own commits", "merge")


def discount_reverts(commits: Sequence[Commit], scores: Sequence[Score]) -> None:
    """Discount a commit and its revert where both are in the range: together they bring nothing.

    A revert of something older is a change like any other.
    """
    by_subject: dict[str, list[int]] = {}
    for position, commit in enumerate(commits):
        by_subject.setdefault(commit.subject.strip().casefold(), []).append(position)
    undone: set[int] = set()
    for position, commit in enumerate(commits):
        if position in undone:
            continue  # a revert that was itself reverted stands for nothing
        original = _reverted_position(position, commits, by_subject)
        if original is not None and original not in undone:
            undone.add(original)
            back = f"only reverts {commits[original].sha[:9]}, also in this range"
            scores[original].discount(0.25, f"was reverted by {commit.sha[:9]}", "reverted")
            scores[position].discount(0.25, back, "reverted")


def _reverted_position(
    position: int, commits: Sequence[Commit], by_subject: Mapping[str, Sequence[int]]
) -> int | None:
    """Return the position of the older commit that this one takes back."""
    commit = commits[position]
    if named := _REVERTS.search(commit.body):
        sha = named.group(1).lower()
        older = range(position + 1, len(commits))
        return next((n for n in older if commits[n].sha.startswith(sha)), None)
    subject = _REVERT_SUBJECT.match(commit.subject.strip())
    same = by_subject.get(subject.group(1).strip().casefold(), ()) if subject else ()
    return next((n for n in same if n > position), None)
