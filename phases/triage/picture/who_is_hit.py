"""Phase 1: who is hit, in words, as triage, updates, post-mortem and views all say it.

The texts are plain: views pass them through their escaping.
"""

from phases.record.findings import BlastRadius, TriageReport, Word
from phases.record.limits import NOTHING_UNUSUAL
from phases.text.wording import capital, counted, listed

USERS_UNKNOWN, FEATURES_UNKNOWN = "users not known", "features not known"


def how_many(word: Word, thing: str) -> str:
    """Return `no user`, `one user` or `many users`: a number that nobody counted."""
    return {Word.NOBODY: f"no {thing}", Word.ONE: f"one {thing}", Word.MANY: f"many {thing}s"}[word]


def users(blast: BlastRadius) -> str:
    """Return `30 users`, `at least 30 users`, `users not known` or `many users`."""
    count, known = blast.user_count, blast.knows("users")
    if not known:
        return f"at least {counted(count, 'user')}" if count and count >= 2 else USERS_UNKNOWN
    return how_many(blast.users, "user") if count is None else counted(count, "user")


def scope(blast: BlastRadius) -> str:
    """Return users and features in one sentence."""
    names = [feature.name for feature in blast.top_features]
    if not blast.knows("features"):
        least = f", at least {listed(names)}" if names else ""
        features = f"{FEATURES_UNKNOWN}{least}"
    elif not names:
        features = "no feature named"
    elif blast.features is Word.MANY:
        features = f"{counted(len(names), 'feature')}: {listed(names)}"
    else:
        features = f"one feature: {names[0]}"
    return capital(f"{users(blast)}, {features}.")


def nobody(report: TriageReport) -> str:
    """Return why nobody counts as hit: nothing unusual, or what is no new fire."""
    return next(iter(report.blast.sentences), NOTHING_UNUSUAL).rstrip(".")
