"""Values of the question whether going back would end it, and what that takes back."""

from enum import StrEnum

from phases.record.value import Value


class Likelihood(StrEnum):
    """The likelihood that going back would end it."""

    LIKELY = "likely"
    UNDECIDED = "undecided"
    UNLIKELY = "unlikely"


class Quote(Value):
    """Words of a person, and where they stand."""

    text: str
    where: str
    """`the title`, `the timeline`, `commit 1f2e3d4 by Ann`."""
    by: str | None = None
    """Slack id of the person."""


class TakenBack(Value):
    """The things that a rollback takes back, besides what brought the trouble."""

    since: str
    """The target's version."""
    commits: int = 0
    pull_requests: int = 0
    more: bool = False
    """There are more commits than were looked at."""
    names: tuple[str, ...] = ()
    """Commits or pull requests by their subjects, at most five."""
    fixes: tuple[str, ...] = ()
    """Hotfixes of earlier incidents: `INC-0031 fix/tax`."""
    security: tuple[str, ...] = ()
    """What was marked as security, by its subject."""
    one_way: tuple[str, ...] = ()
    """Changes that going back does not undo: paths."""
    oldest_schema: str = ""
    """The oldest migration that the target does not know, and how many there are."""
    unknown: str = ""
    """Why this is not known; empty: it is."""
