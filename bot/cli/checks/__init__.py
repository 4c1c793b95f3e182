"""What `firebreak doctor` looks at, one file a system: each returns findings, and raises nothing that an outside system did."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal, TypeVar

from bot.clients.advice import advice
from phases.ports.ports import PortError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, what it `says`, and how to `mend` it."""

    state: Literal["works", "off", "unproven", "broken"]
    what: str
    says: str
    mend: str = ""


def works(what: str, says: str) -> Finding:
    return Finding("works", what, says)


def off(what: str, says: str, mend: str) -> Finding:
    return Finding("off", what, says, mend)


def broken(what: str, says: str, mend: str = "") -> Finding:
    return Finding("broken", what, says, mend)


async def asked(what: str, question: Awaitable[T], mend: str = "") -> T | Finding:
    """The answer; or the finding that there was none. `mend` is said where the error is one that it helps with."""
    try:
        return await question
    except PortError as error:
        return broken(what, f"{error.text}.", advice(error, mend))
