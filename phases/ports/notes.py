"""Notes of what could not be asked outside, and what that costs, in sentences for people."""

import asyncio
import math
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from phases.ports.ports import PortError

T = TypeVar("T")


@dataclass(slots=True)
class Notes:
    """Sentences, each once, in the order in which they were said."""

    form: str = "{cost} ({why})."
    no_answer: str = "the source did not answer within {seconds:.0f} s"
    ends: float = math.inf
    """The time of the event loop after which nothing is waited for any more."""
    sentences: dict[str, None] = field(default_factory=dict[str, None])

    def say(self, text: str) -> None:
        self.sentences.setdefault(text)

    async def soft(
        self, asked: Awaitable[T], otherwise: T, cost: str, seconds: float = math.inf
    ) -> T:
        """Return the answer; where there is none within `seconds`, note the cost and go on."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        ends = min(began + seconds, self.ends)
        try:
            async with asyncio.timeout_at(None if math.isinf(ends) else ends):
                return await asked
        except TimeoutError:
            why = self.no_answer.format(seconds=loop.time() - began)
        except PortError as error:
            why = error.text
        self.say(self.form.format(cost=cost, why=why))
        return otherwise
