"""Addresses for answers: Slack's own, and those of the Slack in the settings."""

from urllib.parse import urlsplit

# https://docs.slack.dev/interactivity/handling-user-interaction#message_responses, and GovSlack.
SLACK = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def answers(response_url: str, api_url: str) -> bool:
    """Return whether answers may be sent to an address that a payload names.

    `api_url` is SLACK_API_URL: an emulator answers on its own host, on any port.
    """
    try:
        url, api = urlsplit(response_url), urlsplit(api_url)
        host, at = url.hostname or "", api.hostname or ""
    except ValueError:
        return False
    if host in SLACK:
        return url.scheme == "https"
    if at == "slack.com" or at.endswith(".slack.com") or url.scheme not in ("http", "https"):
        return False
    return host == at or (host in HERE and at in HERE)
