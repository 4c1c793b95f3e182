"""How Slack refuses, and which of its words ask for patience."""

from __future__ import annotations

from handlers.slack import rich_blocks
from phases.ports.ports import PortError

WAITABLE = frozenset(
    # https://docs.slack.dev/reference/methods/chat.postMessage: errors that say "try again"
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
    }
)
LIMITS = frozenset({"ratelimited", "rate_limited", "HTTP 429"})


class SlackRefused(PortError):
    """Slack answered `ok: false`; `error` is its word, e.g. `channel_not_found`."""

    def __init__(
        self, method: str, error: str, *, retryable: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(
            "slack",
            f"Slack refused {method}: {error}",
            retryable=retryable,
            retry_after=retry_after,
        )
        self.error = error


class BlocksRefused(SlackRefused, rich_blocks.Refused):
    """Slack does not know these blocks, or they are too long."""
