"""Charts and tables on top, where the workspace takes them: tried first, and sent plainly with the
same numbers where Slack refuses.

Slack rolls these blocks out in phases; a workspace without them answers `invalid_blocks`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Blocks = Sequence[Mapping[str, Any]]

UNKNOWN_BLOCKS = "invalid_blocks"
REFUSALS = frozenset({UNKNOWN_BLOCKS, "msg_blocks_too_long"})
"""https://docs.slack.dev/reference/methods/chat.postMessage#errors; the second is no reason to
leave them out next time.
"""


class Refused(Exception):
    """Slack did not take the blocks; `error` is its word."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Taste(Protocol):
    """Whether this workspace takes charts and tables (`SLACK_RICH_BLOCKS`), over all replicas."""

    async def takes(self) -> bool:
        """False where they are switched off, or were refused within a day."""
        ...

    async def refused(self) -> None:
        """Remembers for a day that they were."""
        ...


class Shown(Protocol):
    @property
    def blocks(self) -> Blocks: ...
    @property
    def rich(self) -> Blocks: ...


async def send(taste: Taste, message: Shown, put: Callable[[Blocks], Awaitable[T]]) -> T:
    """`put` with the richest blocks that are taken.

    It raises `Refused` where Slack does not take what it was given.

    Remembered is only what was the charts' fault: where the plain message is refused, too, that is
    raised.
    """
    if not message.rich or not await taste.takes():
        return await put(message.blocks)
    try:
        return await put(message.rich)
    except Refused as refused:
        answer = await put(message.blocks)
        if refused.error == UNKNOWN_BLOCKS:
            await taste.refused()
        return answer


class _Never:
    async def takes(self) -> bool:
        return False

    async def refused(self) -> None:
        return None


NEVER: Taste = _Never()
"""Plain blocks only."""
