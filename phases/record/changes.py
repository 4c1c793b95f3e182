"""Changes without a deploy, and the numbers of events that carry a flag."""

from datetime import datetime
from typing import Literal

from phases.record.value import Value


class ChangeSeen(Value):
    """A flag, a setting or a piece of infrastructure that was changed without a deploy."""

    service: str = ""
    """Empty: of the whole organisation, as Sentry's flag log tells it."""
    kind: Literal["flag", "config", "infrastructure"] = "flag"
    name: str
    old: str | None = None
    new: str | None = None
    by: str | None = None
    at: datetime
    url: str | None = None
    source: str = "webhook"
    """`webhook`, or `sentry` for Sentry's flag log."""


class FlagEvidence(Value):
    """Events with a flag on, as Sentry counts them since the flag was changed."""

    flag: str
    on: int
    """Events of the incident's issues with the flag on."""
    off: int = 0
    """The same with the flag off; the rest did not ask for it."""
    events: int
    others_on: int = 0
    others: int = 0
    """The same of every other issue of the service, where the flag was asked for."""
