"""Charts and tables: tried first, and sent as plain blocks where Slack refuses them.

Slack rolls these blocks out in phases; a workspace without them answers `invalid_blocks`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from handlers.views.blocks import Message

T = TypeVar("T")
Blocks = Sequence[Mapping[str, Any]]

UNKNOWN_BLOCKS = "invalid_blocks"
REFUSALS = frozenset({UNKNOWN_BLOCKS, "msg_blocks_too_long"})
"""https://docs.slack.dev/reference/methods/chat.postMessage#errors

The second is no reason to leave charts out the next time.
"""


class Refused(Exception):
    """Slack did not take the blocks; `error` is its word."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class RichBlocksSupport(Protocol):
    """A memory of all replicas: whether this workspace takes charts (`SLACK_RICH_BLOCKS`)."""

    async def supported(self) -> bool:
        """Return False where they are switched off, or were refused within a day."""
        ...

    async def note_refusal(self) -> None:
        """Remember the refusal for a day."""
        ...


async def send(
    rich_support: RichBlocksSupport, message: Message, put: Callable[[Blocks], Awaitable[T]]
) -> T:
    """Call `put` with the richest blocks that are taken.

    `put` raises `Refused` where Slack does not take the blocks. Only the fault of the charts is
    remembered: where the plain message is refused, too, that is raised.
    """
    if not message.rich or not await rich_support.supported():
        return await put(message.blocks)
    try:
        return await put(message.rich)
    except Refused as refused:
        answer = await put(message.blocks)
        if refused.error == UNKNOWN_BLOCKS:
            await rich_support.note_refusal()
        return answer


class _Never:
    async def supported(self) -> bool:
        return False

    async def note_refusal(self) -> None:
        return None


NEVER: RichBlocksSupport = _Never()
"""Plain blocks only."""
