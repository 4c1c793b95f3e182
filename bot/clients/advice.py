"""The advice that helps with an error.

Scopes and tokens are named where they were refused, and nothing is guessed.
"""

from collections.abc import Callable

from bot.clients.http.errors import HttpError
from bot.clients.linear.client import LinearError
from bot.clients.slack.errors import SlackRefused
from phases.ports.ports import PortError

REINSTALL = (
    "at https://api.slack.com/apps, your app: paste manifest.yml under App Manifest, "
    "then Install App once more"
)
SLACK_TOKEN = (
    "SLACK_BOT_TOKEN: copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions of your app"
)
RIGHTS = (401, 403, 404)
"""404: GitHub, Sentry and Discord hide what a token may not see."""
# https://docs.slack.dev/reference/methods/auth.test#errors
TOKENS = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "not_allowed_token_type",
    }
)
SCOPES = frozenset({"missing_scope", "no_permission"})
LINEAR_RIGHTS = frozenset({"AUTHENTICATION_ERROR", "FORBIDDEN"})


Mend = str | Callable[[PortError], str]
"""A text about rights or a name, or a function that chooses one by the error."""


def advice(error: PortError, mend: Mend) -> str:
    """Return `mend` where the system itself refused; else what helps, where it is known."""
    if isinstance(error, HttpError) and error.mend:  # the way to the system is the trouble
        return error.mend
    if callable(mend):
        return mend(error)
    match error:
        case LinearError():
            return mend if error.code in LINEAR_RIGHTS else ""
        case SlackRefused() if mend in (REINSTALL, SLACK_TOKEN):
            if error.error in SCOPES:
                return REINSTALL
            return at_start(error)
        case SlackRefused():
            return "" if error.retryable else mend
        case HttpError():
            return mend if error.status in RIGHTS and not error.retryable else ""
        case _:
            return mend


def at_start(error: PortError) -> str:
    """Return what helps with an error that makes a start impossible."""
    if isinstance(error, SlackRefused):
        return SLACK_TOKEN if error.error in TOKENS else ""
    return error.mend if isinstance(error, HttpError) else ""
