"""Calls that answer one person: made again for some seconds where Slack asks to slow down, fails, or the connection is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError

OPEN_SECONDS = 2.6
"""A trigger id lives for 3 s: https://docs.slack.dev/interactivity/handling-user-interaction#trigger-ids"""
ANSWER_SECONDS = 20.0
PAUSE_SECONDS = 0.4

A = TypeVar("A")


async def insist(call: Callable[[], Awaitable[A]], seconds: float) -> A:
    """The call's answer; made again while `seconds` last. Only for what may come twice. Raises what the last one raised."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except SlackApiError as error:
            failed, wait = error, _wait(error)
        except (ClientError, SlackClientError, TimeoutError, OSError) as error:
            failed, wait = error, PAUSE_SECONDS
        if wait is None or time.monotonic() + wait > ends:
            raise failed
        await asyncio.sleep(wait)


def _wait(error: SlackApiError) -> float | None:
    """Seconds; None where the same call would be refused again."""
    status = error.response.status_code
    if status == 429:
        said = str(error.response.headers.get("Retry-After") or "")
        return float(said) if said.isdecimal() else PAUSE_SECONDS
    return PAUSE_SECONDS if status >= 500 else None
