"""The checks of `firebreak doctor`, one file a system.

Each returns findings, and raises nothing that an outside system did.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from bot.clients.advice import advice
from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: `what` was checked, what the result `says`, how to `mend` it."""

    state: Literal["works", "off", "unproven", "broken"]
    what: str
    says: str
    mend: str = ""


def works(what: str, says: str) -> Finding:
    return Finding("works", what, says)


def off(what: str, says: str, mend: str) -> Finding:
    return Finding("off", what, says, mend)


def unproven(what: str, says: str, mend: str = "") -> Finding:
    return Finding("unproven", what, says, mend)


def broken(what: str, says: str, mend: str = "") -> Finding:
    return Finding("broken", what, says, mend)


async def asked(
    what: str,
    question: Awaitable[T],
    mend: str | Callable[[PortError], str] = "",
    costs: str = "",
) -> T | Finding:
    """Return the answer, or the finding that there is none.

    `mend` is named where it helps with the error (`advice`); a function chooses it by the error.
    `costs` is what is lost without the answer. Where the way to the system is the trouble, what
    helps with that is named instead.
    """
    try:
        return await question
    except PortError as error:
        if isinstance(error, HttpError) and error.mend:
            help_text = error.mend
        else:
            help_text = mend(error) if callable(mend) else advice(error, mend)
        return broken(what, f"{error.text}{f': {costs}' if costs else ''}.", help_text)


async def check(
    what: str,
    question: Awaitable[T],
    judge: Callable[[T], Finding],
    mend: str | Callable[[PortError], str] = "",
) -> Finding:
    """Return the judgement of the answer, or the finding that there is none."""
    answer = await asked(what, question, mend)
    return answer if isinstance(answer, Finding) else judge(answer)
