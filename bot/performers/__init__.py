"""One function for each kind of effect: it does the work and returns how it ended, as an action.

Importing this package registers all of them.
"""

from bot.performers import (  # noqa: F401  importing them registers their functions
    deploys,
    notify,
    postmortem,
    pull_requests,
    resolve_issues,
    sentry,
    slack,
    tickets,
    timeline,
)
