"""The effects that the bot gave up, and in what words: each may be said once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bot.outbox import worker
from phases.messages.effects import CatchUp, CommentTicket, policy
from phases.messages.results import EffectFailed
from phases.text.wording import ended


class GivenUp:
    """Counts effects by what the timeline says of them (phases/failures.py)."""

    def __init__(self) -> None:
        self._ids = defaultdict[tuple[str, str], set[str]](set)

    def install(self) -> None:
        """Hear of each from the workers in this process."""
        real: Any = EffectFailed

        def heard(**fields: Any) -> EffectFailed:
            failed = real(**fields)
            kind = policy(failed.kind)
            # A comment that failed is said in the one that catches up.
            words = CatchUp.words if kind is CommentTicket else kind.words
            incident = failed.effect_id.partition(".")[0]
            self._ids[incident, f"{words}: {ended(failed.reason)}"].add(failed.effect_id)
            return failed

        worker.EffectFailed = heard  # pyright: ignore

    def times(self, incident: str, text: str) -> int:
        """Return how many effects of this incident were given up in these words."""
        return len(self._ids[incident, text])

    def ever(self, incident: str, words: str) -> bool:
        """Return whether an effect of this incident was given up that is said in these words."""
        return any(of == incident and text.startswith(words) for of, text in self._ids)
