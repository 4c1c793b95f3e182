"""The distance that the clocks of other systems may have from ours."""

from datetime import timedelta

CLOCKS_APART = timedelta(hours=2)
"""A clock that is wrong is mostly wrong by a time zone's hour. What an earlier try may have posted
is looked for so far back: a few more pages are read, and nothing is posted twice."""
