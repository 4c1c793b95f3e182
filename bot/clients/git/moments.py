"""The time of a commit, as git tells it.

Only the standard library is used, as in `bisect_worker.py`.
"""

from datetime import UTC, datetime


def moment(seconds: str) -> datetime | None:
    """Return the time that `%at` or a porcelain told.

    None: the commit's author line has no date, or none that can be, as some old ones do not.
    """
    try:
        return datetime.fromtimestamp(int(seconds), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
