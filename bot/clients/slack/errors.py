"""Slack's refusals, and those of its words that ask for patience."""

from collections.abc import Mapping

from bot.clients.http.errors import HttpError
from handlers.slack import rich_blocks

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


class SlackRefused(HttpError):
    """Slack answered `ok: false`; `error` is its word, such as `channel_not_found`."""

    people: Mapping[str, str] = {}
    """Its word for each person, where the call was about several."""

    def __init__(
        self, method: str, error: str, *, retryable: bool, retry_after: float | None = None
    ) -> None:
        text = f"Slack refused {method}: {error}"
        super().__init__("slack", text, retryable=retryable, retry_after=retry_after)
        self.error = error
        self.limited = error in LIMITS
        self.passing = retryable and not self.limited


class BlocksRefused(SlackRefused, rich_blocks.Refused):
    """Slack does not know these blocks, or they are too long."""
