"""How many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings


def draws(of: int = 100) -> int:
    """Return `of` where `--hypothesis-profile=all` draws 100 by default, else its share."""
    return max(of * settings.default.max_examples // 100, 5)
