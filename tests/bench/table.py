"""The table at the end of `make bench`: each measure, its goal, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.speed import Speed, speed


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ok` is None where nothing is asked for; `beside` is what helps to read it.

    `speed` is that of the machine when the row was made, which is when its figure was measured.
    """

    what: str
    measured: str
    goal: str = ""
    ok: bool | None = None
    beside: str = ""
    speed: Speed = field(default_factory=speed)

    @property
    def verdict(self) -> str:
        return "" if self.ok is None else "ok" if self.ok else "missed"


def at_most(
    what: str, measured: float, most: float, *, unit: str = "", beside: str = "", digits: int = 2
) -> Row:
    """A row that holds where `measured` is at most `most`."""
    return Row(
        what, _with(measured, unit, digits), f"≤ {_plain(most, unit)}", measured <= most, beside
    )


def at_least(
    what: str, measured: float, least: float, *, unit: str = "", beside: str = "", digits: int = 2
) -> Row:
    """A row that holds where `measured` is at least `least`."""
    return Row(
        what, _with(measured, unit, digits), f"≥ {_plain(least, unit)}", measured >= least, beside
    )


def aside(what: str, measured: float, *, unit: str = "", beside: str = "", digits: int = 2) -> Row:
    """A figure for which nothing is asked."""
    return Row(what, _with(measured, unit, digits), beside=beside)


def _with(number: float, unit: str, digits: int) -> str:
    return f"{number:.{digits}f} {unit}".strip()


def _plain(number: float, unit: str) -> str:
    return f"{number:g} {unit}".strip()


def text(rows: Sequence[Row]) -> str:
    lines = [f"\n{'what':74}{'measured':>11}{'goal':>12}{'':>9}{'speed':>8}"]
    for row in rows:
        lines.append(
            f"{row.what:74}{row.measured:>11}{row.goal:>12}{row.verdict:>9}"
            f"{row.speed!s:>8}   {row.beside}".rstrip()
        )
    return "\n".join(lines)


def markdown(rows: Sequence[Row]) -> str:
    """As docs/performance.md has it."""
    lines = ["| what | measured | goal | | speed | beside |", f"|{' --- |' * 6}"]
    lines += [
        f"| {row.what} | {row.measured} | {row.goal} | {row.verdict} | {row.speed} | {row.beside} |"
        for row in rows
    ]
    return "\n".join(lines)
