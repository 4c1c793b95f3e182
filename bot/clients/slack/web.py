"""The Slack SDK's client, counted, with its errors as ours."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.clients.http.call_counts import NO_ANSWER, count, count_limited
from bot.clients.http.errors import HttpError, Unanswered, retry_after
from bot.clients.http.unreachable import cause_of
from bot.clients.slack.errors import LIMITS, WAITABLE, BlocksRefused, SlackRefused
from handlers.slack import rich_blocks as rich

TIMEOUT_SECONDS = 10
UNANSWERED = (TimeoutError, aiohttp.ClientError, SlackClientError, OSError, ValueError)
"""The last is aiohttp's error for a header that it will not send."""


class SentElsewhere(aiohttp.ClientError):
    """Instead of an answer came a redirect, which is not followed."""


class Counting(AsyncWebClient):
    """Counts every call, also those that Bolt and the listeners make."""

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        status = NO_ANSWER
        try:
            answer = await super().api_call(api_method, **arguments)
            status = str(answer.status_code)
        except SlackApiError as error:
            if not isinstance(error.response, AsyncSlackResponse):
                # The SDK's error for JSON that ends too soon has no answer that could be read.
                raise aiohttp.ClientPayloadError("the answer was cut") from None
            status = _error_code(error)
            if status in LIMITS or error.response.status_code == 429:
                count_limited("Slack")
            raise
        finally:
            count("Slack", api_method, status)
        return answer


async def refuse_redirects(
    session: object, context: object, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """Raise where aiohttp would follow a redirect, and take the token along.

    Slack's API never sends us elsewhere.
    """
    raise SentElsewhere(str(params.response.status))


def refusal(method: str, error: SlackApiError) -> SlackRefused:
    data = error.response.data if isinstance(error.response.data, dict) else {}
    word = _error_code(error)
    details = (data.get("response_metadata") or {}).get("messages") or []
    status = error.response.status_code
    # A page with status 200 is a proxy's, and may be gone soon. So it is with every other system.
    no_word = word == f"HTTP {status}" and status < 400
    again = word in WAITABLE or status >= 500 or status == 429 or no_word
    reason = f"{word} ({'; '.join(str(d) for d in details[:2])})" if details else word
    kind = BlocksRefused if word in rich.REFUSALS else SlackRefused
    refused = kind(method, word, retryable=again, retry_after=retry_after(error.response.headers))
    refused.text = f"Slack refused {method}: {reason}"
    refused.people = refused_people(data)
    if word.startswith("HTTP ") and status < 500 and status != 429:
        refused.text = f"what answers {method} does not answer as Slack does ({word})"
    return refused


def refused_people(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return those for whom a part of a call was refused, with Slack's word for each.

    `{"errors": [{"user": "U123", "ok": false, "error": "cant_invite"}]}`; refused blocks have texts
    there.
    """
    rows = [row for row in answer.get("errors") or () if isinstance(row, dict)]
    return {str(row["user"]): str(row.get("error")) for row in rows if row.get("user")}


def _error_code(error: SlackApiError) -> str:
    """Return Slack's word for why, or the HTTP status where its answer has none."""
    data = error.response.data if isinstance(error.response.data, dict) else {}
    return str(data.get("error") or f"HTTP {error.response.status_code}")


def unanswered(method: str, error: BaseException, base_url: str) -> HttpError:
    """Return why no answer came."""
    if isinstance(error, SentElsewhere):
        text = f"Slack sends us elsewhere ({error}), and SLACK_API_URL must be the address"
        return HttpError("slack", f"{text} that answers", retryable=True)
    if isinstance(error, TimeoutError):
        return HttpError(
            "slack", f"Slack did not answer {method} within {TIMEOUT_SECONDS} s", retryable=True
        )
    cause = cause_of("Slack", error, base_url)
    # Slack is waited for, also where only people can mend it: without it nobody could be told.
    return Unanswered(
        "slack",
        f"Slack did not answer {method}: {cause.says}",
        retryable=not cause.final,
        sent=cause.sent,
        passing=not (cause.final or cause.by_people or cause.mend),
        mend=cause.mend,
    )
