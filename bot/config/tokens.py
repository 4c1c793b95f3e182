"""Faults of tokens and secrets, by their shape alone. No fault repeats a value."""

import re
from urllib.parse import urlsplit

from bot.config import pasted

WHERE = {
    "slack_bot_token": "it must begin with xoxb- (OAuth & Permissions, Bot User OAuth Token)",
    "slack_app_token": "it must begin with xapp- (Basic Information, App-Level Tokens)",
    "slack_signing_secret": "copy the Signing Secret (Basic Information of your Slack app)",
    "sentry_auth_token": (
        "copy the token of an internal integration (Sentry, Settings, Custom Integrations)"
    ),
    "sentry_webhook_secret": (
        "copy the Client Secret of the internal integration (Sentry, Settings, Custom Integrations)"
    ),
    "linear_api_key": "copy a personal API key, lin_api_… (Linear, Settings, Security & access)",
    "linear_webhook_secret": "copy the signing secret of the webhook (Linear, Settings, API)",
    "github_token": "copy an access token, github_pat_… or ghp_… (docs/github.md)",
    "github_webhook_secret": (
        "choose a long random text, and set the same one in GitHub (docs/alerts.md)"
    ),
    "discord_bot_token": "copy the bot's token (Discord's Developer Portal, Bot)",
    "pagerduty_routing_key": "copy the Integration Key of an Events API v2 integration",
    "deploy_webhook_secret": (
        "choose a long random text, and give the same one to CI (docs/alerts.md)"
    ),
    "change_webhook_secret": (
        "choose a long random text, and give the same one to what changes flags (docs/alerts.md)"
    ),
    "alert_webhook_secret": (
        "choose a long random text, and give the same one to what sends alerts (docs/alerts.md)"
    ),
    "api_token": "choose a long random text, and give it to your scripts (docs/alerts.md)",
}
"""Every field with a token or a secret → the place of the right one."""
IN_HEADERS = frozenset(
    {
        "slack_bot_token",
        "slack_app_token",
        "sentry_auth_token",
        "linear_api_key",
        "github_token",
        "discord_bot_token",
    }
)
"""They travel in a header: printable ASCII without blanks (RFC 9110, 5.5, and RFC 6750, 2.1)."""
CHOSEN = frozenset(
    {
        "github_webhook_secret",
        "deploy_webhook_secret",
        "change_webhook_secret",
        "alert_webhook_secret",
        "api_token",
    }
)
"""People make these up: quotes and blanks may be a part of them."""

KINDS = (
    # https://docs.slack.dev/authentication/tokens
    ("xoxb-", "a Slack bot token", "slack_bot_token"),
    ("xoxe.xoxb-", "a Slack bot token", "slack_bot_token"),
    ("xoxp-", "a Slack user token", ""),
    ("xoxe.xoxp-", "a Slack user token", ""),
    ("xoxe-", "a Slack refresh token", ""),
    ("xoxa-", "a legacy Slack workspace token", ""),
    ("xoxc-", "a token of Slack's own web client", ""),
    ("xoxs-", "a token of Slack's own web client", ""),
    ("xoxd-", "a cookie of Slack's own web client", ""),
    ("xapp-", "a Slack app-level token", "slack_app_token"),
    # https://github.com/getsentry/sentry/blob/master/src/sentry/types/token.py
    ("sntrys_", "an organisation token of Sentry", "sentry_auth_token"),
    ("sntryu_", "a user's token of Sentry", "sentry_auth_token"),
    ("sntryi_", "an integration's token of Sentry", "sentry_auth_token"),
    ("sntrya_", "a user application's token of Sentry", "sentry_auth_token"),
    # https://linear.app/developers/graphql and …/webhooks
    ("lin_api_", "a personal API key of Linear", "linear_api_key"),
    ("lin_oauth_", "an OAuth token of Linear", "linear_api_key"),
    ("lin_wh_", "a webhook's signing secret of Linear", "linear_webhook_secret"),
    # https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
    ("ghp_", "a personal access token of GitHub", "github_token"),
    ("github_pat_", "a personal access token of GitHub", "github_token"),
    ("gho_", "an OAuth token of GitHub", "github_token"),
    ("ghu_", "a user token of a GitHub App", "github_token"),
    ("ghs_", "an installation's token of a GitHub App", "github_token"),
    ("ghr_", "a refresh token of a GitHub App", ""),
    # https://docs.gitlab.com/security/tokens/#token-prefixes
    ("glpat-", "a token of GitLab", ""),
    ("-----BEGIN", "a key or a certificate, and no token", ""),
)
"""Beginnings of tokens, their kinds, and the one field that they belong into."""
_NO = {"slack_bot_token": "is no bot token", "slack_app_token": "is no app-level token"}
"""Fields whose tokens all begin as in `KINDS`. Older tokens of other systems have no beginning."""
NOTHING = ("null", "none", "nil", "undefined", "changeme", "todo")
"""Words that templates and programs write for a missing value."""
_OF_SLACK = (
    # Basic Information, App Credentials. A signing secret has 32 hexadecimal digits, as the client
    # secret beside it:
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    (re.compile(r"\d+\.\d+"), "the Client ID"),
    (re.compile(r"A0[0-9A-Z]{6,}"), "the App ID"),
    (re.compile(r"(?=.*[G-Zg-z])[0-9A-Za-z]{24}"), "the Verification Token"),
)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
"""https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app"""
SCHEMES = ("bearer", "bot", "token", "basic")
_ASSIGNED = re.compile(r"(?:export\s+)?[A-Za-z_]\w*\s*=\s*\S")
_DSN = re.compile(r"https?://[0-9a-f]+(?::[0-9a-f]+)?@[^/\s]+/(?:.*/)?\d+/?")
"""https://docs.sentry.io/concepts/key-terms/dsn-explainer/"""


def is_dsn(value: str) -> bool:
    return _DSN.fullmatch(value) is not None


def faults(field: str, given: str) -> list[str]:
    """Return the faults of the value of `field`, with everything that stands around it."""
    name, where, value = field.upper(), WHERE[field], pasted.clean(given)
    if not value:
        return []
    if wrong := _whole_line(name, value):
        return [f"{name} {wrong}: {where}"]
    if field in CHOSEN:
        if pasted.quoted(given):
            quotes = "stands in quotes, which a shell takes off and docker's --env-file keeps"
            return [f"{name} {quotes}: set it without quotes"]
        if _control(value):
            return [f"{name} has a line break or another control character inside: {where}"]
    if pasted.unfilled(value):
        return [f"{name} {pasted.UNFILLED}: {where}"]
    if field in CHOSEN:
        return [f"{name} {wrong}: {where}"] if (wrong := _other_kind(field, value)) else []
    if wrong := _with_its_word(value) or _other_kind(field, value):
        return [f"{name} {wrong}: {where}"]
    if any(char.isspace() for char in value):
        how = "a line break" if "\n" in value or "\r" in value else "a blank"
        also = (
            " (docker's --env-file takes a # comment as part of the value)" if "#" in value else ""
        )
        return [f"{name} has {how} inside{also}: {where}"]
    if value.endswith(("…", "...")):
        return [f"{name} ends in …, so it was copied cut short or is an example: {where}"]
    if field in IN_HEADERS and (
        odd := next((n for n, c in enumerate(value, 1) if not "!" <= c <= "~"), 0)
    ):
        code = f"U+{ord(value[odd - 1]):04X}"
        return [f"{name} has {code} as its character {odd}, which no token has: {where}"]
    return []


def _with_its_word(value: str) -> str:
    """Return a fault if the scheme of a header was copied with the token."""
    word, _, rest = value.partition(" ")
    known = rest and word.rstrip(":").lower() in ("authorization", *SCHEMES)
    return f"holds the word {word} before the token; set the token alone" if known else ""


def _whole_line(name: str, value: str) -> str:
    if (assigned := _ASSIGNED.match(value)) and (
        name in assigned.group().upper() or value.startswith("export ")
    ):
        return "holds a whole line (NAME=…); set what stands behind the = alone"
    return ""


def _other_kind(field: str, value: str) -> str:
    """Return a fault if it is surely another kind of token, or none."""
    if is_dsn(value):
        return "is a DSN of Sentry, with which events are sent and nothing can be read"
    if _scheme(value):
        return "is a URL and no token"
    if value.lower() in NOTHING:
        return f"is only the word {value.lower()}, as where nothing was filled in"
    if field == "slack_signing_secret" and (
        other := next((what for form, what in _OF_SLACK if form.fullmatch(value)), "")
    ):
        return f"is {other}, which stands on the same page"
    if field == "github_token" and _JWT.fullmatch(value):
        return "is a GitHub App's own JWT, which lasts ten minutes and reads no repository"
    for begin, kind, belongs in KINDS:
        if value.startswith(begin):
            rightly = f", and belongs into {belongs.upper()}" if belongs else ""
            other = f"{kind} ({begin}){rightly}"
            if field == belongs:
                return ""
            return f"{_NO[field]} but {other}" if field in _NO else f"is {other}"
    if field in _NO:
        begins = ("xoxb-", "xoxe.xoxb-") if field == "slack_bot_token" else ("xapp-",)
        return "" if value.startswith(begins) else _NO[field]
    return ""


def _scheme(value: str) -> str:
    """Return `https` of `https://…`, or nothing for a value that is no URL."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return parts.scheme if "://" in value and parts.netloc else ""


def _control(value: str) -> bool:
    return any(ord(char) < 32 or ord(char) == 127 for char in value)
