"""Phase 2: the points of one commit, with the reasons for them."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from phases.root_cause.line_history import Signal

REASONS_MOST = 5


@dataclass(slots=True)
class Score:
    """The points of one commit, with the reasons for them."""

    signals: list[Signal] = field(default_factory=list[Signal])
    blame: list[Signal] = field(default_factory=list[Signal])
    """Only the strongest of these counts, and no discount touches it."""
    discounts: list[Signal] = field(default_factory=list[Signal])
    tested: bool = False
    spread: float = 0.0
    """The logarithm of the files of code that it changed."""
    misfit: int = 0
    """1 where it defines a name that the error misses, and 1 where it uses one more often."""

    def add(self, points: float, reason: str, clue: str) -> None:
        if points > 0:
            self.signals.append(Signal(points, reason, clue))

    def discount(self, factor: float, reason: str, clue: str) -> None:
        self.discounts.append(Signal(factor, reason, clue))

    @property
    def points(self) -> float:
        return self.without()

    def without(self, clues: Collection[str] = ()) -> float:
        """Return the points, some clues left out."""
        factor = math.prod(d.points for d in self.discounts if d.clue not in clues)
        own = sum(signal.points for signal in self.signals if signal.clue not in clues)
        blame = max((signal.points for signal in self.blame), default=0.0)
        return round(factor * own + blame, 3)

    @property
    def linked(self) -> bool:
        """More than its place in the range speaks for it."""
        return bool(self.blame) or any(signal.clue != "recent" for signal in self.signals)

    @property
    def reasons(self) -> tuple[str, ...]:
        strongest = sorted(self.signals, key=lambda signal: -signal.points)
        worth_saying = [s.reason for s in strongest if s.reason and s.points >= 0.3]
        discounts = (signal.reason for signal in self.discounts)
        reasons = (*dict.fromkeys(worth_saying[:REASONS_MOST]), *discounts)
        blame = (signal.reason for signal in self.blame)
        return (*blame, *(reasons or ("nothing links it to the crash",)))
