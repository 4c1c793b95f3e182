"""How a life goes: drawn from its seed, before it begins."""

from __future__ import annotations

import random
from dataclasses import dataclass

DECISIONS = (
    *("rollback", "rollback", "rollback"),
    *("hotfix", "investigate", "fixed", "cancel", "turn_off"),
)


@dataclass(frozen=True)
class Plot:
    """How a life goes."""

    begin: str
    decide: str
    recurs: bool
    twice: bool
    """People click twice."""
    at_once: bool
    """Two people decide at the same moment, and differently."""
    late: bool
    """Somebody clicks on what is over by then."""
    wrong: bool
    """Somebody types and clicks what they may not."""
    pins: bool
    closes_ticket: bool
    run_fails: bool
    restless: bool
    """Two take the lead from each other at once, and then nothing happens for a while."""

    @classmethod
    def drawn(cls, dice: random.Random) -> Plot:
        return cls(
            begin=dice.choice(("command", "command", "alert", "alert", "phrase", "watch")),
            decide=dice.choice(DECISIONS),
            recurs=dice.random() < 0.25,
            twice=dice.random() < 0.4,
            at_once=dice.random() < 0.3,
            late=dice.random() < 0.3,
            wrong=dice.random() < 0.3,
            pins=dice.random() < 0.5,
            closes_ticket=dice.random() < 0.3,
            run_fails=dice.random() < 0.15,
            restless=dice.random() < 0.5,
        )
