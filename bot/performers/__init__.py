"""One function for each kind of effect: it does the work and returns how it ended, as an action.

Importing this package registers all of them.
"""

from __future__ import annotations

from bot.performers import (
    deploys,
    hotfix_merge,
    notify,
    postmortem,
    resolve_issues,
    revert,
    sentry,
    slack,
    tickets,
    timeline,
    turn_off,
)
from bot.performers.context import EffectContext, Performer, registered

__all__ = [
    "EffectContext",
    "Performer",
    "deploys",
    "hotfix_merge",
    "notify",
    "postmortem",
    "registered",
    "resolve_issues",
    "revert",
    "sentry",
    "slack",
    "tickets",
    "timeline",
    "turn_off",
]
