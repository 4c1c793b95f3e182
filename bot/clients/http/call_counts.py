"""The number of calls to each outside system, by method and status, for `/metrics`."""

from collections import Counter
from typing import NamedTuple

NO_ANSWER = "none"


class Call(NamedTuple):
    system: str
    method: str
    """The HTTP verb; for Slack the API method. Never a path: ids would make a metric each."""
    status: str
    """The HTTP status, Slack's word where it refuses, or `none` without an answer."""


CALLS: Counter[Call] = Counter()
"""Since the start of this process; it only grows, like every counter of Prometheus."""
LIMITED: Counter[str] = Counter()
"""System → answers that asked us to slow down: 429, and what each system says instead of it."""


def count(system: str, method: str, status: int | str) -> None:
    CALLS[Call(system.lower(), method, str(status))] += 1


def count_limited(system: str) -> None:
    LIMITED[system.lower()] += 1
