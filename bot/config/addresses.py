"""The URLs in the settings: read as they were surely meant, or refused with how to write them.

No fault repeats a URL.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx

from bot.config import pasted, tokens

ENQUEUE = "/v2/enqueue"
"""https://developer.pagerduty.com/docs/events-api-v2/overview/"""
EXAMPLES = {
    "slack_api_url": "https://slack.com/api/",
    "sentry_url": "https://sentry.example.com",
    "linear_api_url": "https://api.linear.app/graphql",
    "github_api_url": "https://api.github.com, or https://github.example.com/api/v3",
    "pagerduty_events_url": f"https://events.pagerduty.com{ENQUEUE}",
    "discord_webhook_url": "https://discord.com/api/webhooks/…/…",
}
HOSTED = (
    "slack.com",
    "slack-gov.com",
    "sentry.io",
    "linear.app",
    "github.com",
    "ghe.com",
    "pagerduty.com",
    "discord.com",
)
"""Without TLS these would show a token to everybody on the way; they redirect."""
SENTRY_PAGES = re.compile(r"/(?:api/0|organizations|settings|issues|projects|auth)(?:/.*)?$")
"""Paths behind the URL of a Sentry, in its API and in the browser."""
WEBHOOK = re.compile(r"/webhooks/[^/]+/[^/]+$")
"""https://docs.discord.com/developers/resources/webhook"""
HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\.)*(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\.?"
)
_NEAR = re.compile(r"\.(?:localhost|local|internal|lan|home|corp|intranet|svc|test|docker)$")


class Wrong(Exception):
    """A fault of a URL, without the setting's name."""


def read(field: str, value: str, *, org: str = "") -> str:
    """Return the URL that the clients call. Raises `Wrong`."""
    parts = _split(field, value)
    match field:
        case "sentry_url":
            return _sentry(parts, org)
        case "github_api_url":
            return _github(parts)
        case "slack_api_url":
            hosted = parts.path in ("", "/") and _is_of(parts, "slack.com", "slack-gov.com")
            return _with_path(parts, "/api/" if hosted else parts.path.rstrip("/") + "/")
        case "linear_api_url":
            if _is_of(parts, "linear.app"):
                return EXAMPLES[field]
            return _with_path(parts, parts.path)
        case "pagerduty_events_url":
            return _pagerduty(parts)
        case "discord_webhook_url":
            return _discord(parts)
        case _:
            return value


def is_url(value: str) -> bool:
    """True for an absolute http or https URL with a host that the HTTP client takes."""
    try:
        parts = urlsplit(value)
        _ = parts.port
        httpx.URL(value)
    except (ValueError, httpx.InvalidURL):
        return False
    return parts.scheme in ("http", "https") and _names_a_host(parts) and not _odd(value)


def unencrypted(value: str) -> bool:
    """True if a request there can be read on its way over the internet."""
    parts = urlsplit(value)
    return parts.scheme == "http" and not _is_near(parts.hostname or "")


def is_host(value: str) -> bool:
    """True for an address or a name, without a port."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return HOST_NAME.fullmatch(value) is not None
    return True


def _split(field: str, value: str) -> SplitResult:
    write = f"write it as {EXAMPLES[field]}"
    if pasted.unfilled(value):
        raise Wrong(f"{pasted.UNFILLED}; {write}")
    if tokens.is_dsn(value):
        raise Wrong(f"is a DSN of Sentry, to which events are sent; {write}")
    if _odd(value):
        raise Wrong(f"is no URL: it has a blank or a line break inside; {write}")
    if not re.match(r"https?://", value, re.IGNORECASE):
        raise Wrong(f"is no URL: it must begin with https:// (or http://) and name a host; {write}")
    if not is_url(value):
        raise Wrong(
            "is no URL: it must begin with https:// (or http://) and name a host and, if any, a "
            f"port; {write}"
        )
    parts = urlsplit(value)
    if parts.username is not None or parts.password is not None:
        raise Wrong(f"holds a user name or a password, which are not sent; {write}")
    if field != "discord_webhook_url" and (parts.query or parts.fragment):
        raise Wrong(f"goes on with ? or #, and the API's paths could not follow; {write}")
    if parts.scheme == "http" and _is_of(parts, *HOSTED):
        raise Wrong(
            "begins with http://, which would show the token to everybody on the way; begin it "
            "with https://"
        )
    return parts._replace(netloc=parts.netloc.lower())


def _sentry(parts: SplitResult, org: str) -> str:
    """Return the URL in front of `/api/0/`.

    An organisation's own host leads back to it for its own pages only:
    https://github.com/getsentry/sentry/blob/master/src/sentry/middleware/customer_domain.py
    """
    host = parts.hostname or ""
    if ".ingest." in f".{host}":
        raise Wrong(
            f"is where events are sent to, as a DSN names it; write it as {EXAMPLES['sentry_url']}"
        )
    named = re.search(r"/organizations/([^/]+)", parts.path)
    if named and org and named.group(1).lower() != org.lower():
        raise Wrong("names another organisation than SENTRY_ORG; write it without /organizations/…")
    path = SENTRY_PAGES.sub("", parts.path).rstrip("/")
    if _is_of(parts, "sentry.io"):
        path = ""
        if host in ("www.sentry.io", "app.sentry.io", f"{org.lower()}.sentry.io"):
            parts = parts._replace(netloc="sentry.io")
    return _with_path(parts, path)


def _github(parts: SplitResult) -> str:
    """Return the URL of the API.

    https://docs.github.com/en/enterprise-server@latest/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    host, path = parts.hostname or "", re.sub(r"/graphql/?$", "", parts.path).rstrip("/")
    if host in ("github.com", "www.github.com", "api.github.com"):
        return "https://api.github.com"
    if host.endswith(".ghe.com"):
        # https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
        return _with_path(
            parts if host.startswith("api.") else parts._replace(netloc=f"api.{parts.netloc}"), ""
        )
    if path == "/api" or (not path and host.startswith("github.")):
        path = "/api/v3"
    return _with_path(parts, path)


def _pagerduty(parts: SplitResult) -> str:
    path = parts.path.rstrip("/")
    if _is_of(parts, "pagerduty.com"):
        if not (parts.hostname or "").startswith("events.") or path not in ("", "/v2", ENQUEUE):
            raise Wrong(
                f"is not where events are sent to; write it as {EXAMPLES['pagerduty_events_url']}"
            )
        path = ""
    return _with_path(parts, path or ENQUEUE)


def _discord(parts: SplitResult) -> str:
    # `/slack` and `/github` behind it are other shapes of the same webhook.
    path = re.sub(r"/(?:slack|github)?/?$", "", parts.path)
    if not WEBHOOK.search(path):
        raise Wrong(
            "is no webhook: copy it from the channel's Integrations, Webhooks "
            "(https://discord.com/api/webhooks/…, with a number and a token)"
        )
    return _with_path(parts, path)


def _with_path(parts: SplitResult, path: str) -> str:
    return urlunsplit(parts._replace(path=path))


def _is_of(parts: SplitResult, *domains: str) -> bool:
    host = (parts.hostname or "").rstrip(".")
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _names_a_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if ":" in host or host.isascii():
        return is_host(host)
    return bool(host)  # an international name, which the HTTP client has read


def _is_near(host: str) -> bool:
    """True on this machine or in this network, as far as the name tells."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or _NEAR.search(host) is not None
    return address.is_private or address.is_loopback or address.is_link_local


def _odd(value: str) -> bool:
    return any(char.isspace() or not char.isprintable() for char in value)
