"""Calls that answer one person, made again where Slack asks to slow down, fails, or is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError

OPEN_SECONDS = 2.6
"""A trigger id lives for 3 s:
https://docs.slack.dev/interactivity/handling-user-interaction#trigger-ids
"""
ANSWER_SECONDS = 20.0
PAUSE_SECONDS = 0.4

A = TypeVar("A")


async def retry(call: Callable[[], Awaitable[A]], seconds: float) -> A:
    """Return the call's answer.

    It is made again while `seconds` last, so it must be safe to repeat.

    Raises what the last try raised.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except SlackApiError as error:
            failed, wait = error, _wait_seconds(error)
        except (ClientError, SlackClientError, TimeoutError, OSError) as error:
            failed, wait = error, PAUSE_SECONDS
        if wait is None or time.monotonic() + wait > deadline:
            raise failed
        await asyncio.sleep(wait)


def _wait_seconds(error: SlackApiError) -> float | None:
    """Return the seconds to wait; None where the same call would be refused again."""
    status = error.response.status_code
    if status == 429:
        after = str(error.response.headers.get("Retry-After") or "")
        return float(after) if after.isdecimal() else PAUSE_SECONDS
    return PAUSE_SECONDS if status >= 500 else None
