"""The checks of `firebreak doctor`, one file a system.

Each returns findings, and raises nothing that an outside system did.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from bot.clients.advice import Mend, advice
from phases.ports.ports import PortError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: `what` was checked, what the result `says`, how to `mend` it."""

    state: Literal["works", "off", "unproven", "broken"]
    what: str
    says: str
    mend: str = ""


works = partial(Finding, "works")
off = partial(Finding, "off")
unproven = partial(Finding, "unproven")
broken = partial(Finding, "broken")


async def asked(what: str, question: Awaitable[T], mend: Mend = "", costs: str = "") -> T | Finding:
    """Return the answer, or the finding that there is none.

    `mend` is named where it helps with the error (`advice`). `costs` is what is lost without the
    answer.
    """
    try:
        return await question
    except PortError as error:
        lost = f": {costs}" if costs else ""
        return broken(what, f"{error.text}{lost}.", advice(error, mend))


async def check(
    what: str, question: Awaitable[T], judge: Callable[[T], Finding], mend: Mend = ""
) -> Finding:
    """Return the judgement of the answer, or the finding that there is none."""
    answer = await asked(what, question, mend)
    return answer if isinstance(answer, Finding) else judge(answer)
