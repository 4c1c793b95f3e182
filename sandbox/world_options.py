"""The options of a local world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.process import Launch, guarded

RECHECK_SECONDS = 20
WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """Options of a world; times are in seconds."""

    port: int = 0
    recheck_after: int = RECHECK_SECONDS
    """The second re-check comes after twice that time."""
    window: int = WINDOW_SECONDS
    with_bot: bool = True
    with_shop: bool = True
    talking: bool = False
    """People have written something before the bot comes."""
    socket_mode: bool = False
    """The bot has no request URL and connects to Slack."""
    say: Callable[[str], None] = lambda _: None
    """Called after each step of the start."""
    services: str | None = None
    """A catalogue in place of the shop's."""
    env: dict[str, str] = field(default_factory=dict[str, str])
    """Added to the bot's environment."""
    launch: Launch = guarded
    """Starts the bot."""
