"""How long people of a life wait, in virtual seconds."""

from __future__ import annotations

PATIENCE = 1200.0
"""In which each step must come true: a step may meet several deaths."""
AGAIN = 12.0
"""After which a person says the same once more."""
LOOKS = 2.0
"""A person looks so often."""


class Lost(Exception):
    """A step did not come true."""
