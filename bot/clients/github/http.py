"""GitHub's two APIs over HTTP, with its limits kept, and what its refusals mean.

Where GitHub says its reason, that is said, and no other is guessed.

Errors of GraphQL come with HTTP 200, in `errors[]`:
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit
"""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx

from bot.clients.http.client import Http
from bot.clients.http.errors import (
    LONGEST_WAIT_SECONDS,
    HttpError,
    Limited,
    Passing,
    is_limited,
    json_of,
    reason_in,
    retry_after,
)
from bot.runtime.redaction import redact
from phases.ports.ports import PortError

log = logging.getLogger(__name__)

SYSTEM = "GitHub"
API_VERSION = "2022-11-28"
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions"""
HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": API_VERSION,
    "User-Agent": "firebreak",
}
SECONDARY_SECONDS = 60.0
"""Without `Retry-After` and with calls left, wait at least a minute:
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit"""
REDIRECTS = (301, 302, 307, 308)
"""A renamed or moved repository: "you should follow the redirect", with the request's method.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects"""
_LIMITS = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
"""GitHub has sent the second since 2026:
https://github.com/octokit/plugin-throttling.js/pull/848"""
_NOT_ALLOWED = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES"})
_LACKS = ("not accessible", "must have", "scopes")
"""The words for a token that lacks a permission, as in "Resource not accessible by personal access
token":
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible"""
ARCHIVED = "archived so is read-only"
"""`archive` of
https://github.com/hub4j/github-api/blob/main/src/main/java/org/kohsuke/github/GHRepository.java"""


class GitHubHttp(Http):
    """One of GitHub's two APIs. While GitHub wants us to wait, nothing is sent."""

    api: ClassVar[str] = ""

    def __init__(self, url: str, token: str, wait_until: dict[str, float]) -> None:
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        super().__init__(SYSTEM, url, headers)
        self._wait_until = wait_until
        """By API. Each has a primary limit of its own; a secondary one is shared by both:
        https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api"""

    def before(self) -> None:
        left = self._wait_until.get(self.api, 0.0) - time.monotonic()
        if left > 0:
            text = _slow_down_text(left)
            raise Limited(SYSTEM, text, retry_after=left)

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        if answer.status_code not in (403, 429):
            return super().refusal(answer, scope)
        reason = reason_in(answer)
        if is_limited(answer) or "rate limit" in reason.lower():
            return self._slow_down(answer)
        if json_of(answer) is None:
            return super().refusal(answer, scope)  # a page of a wall, which knows no permissions
        text = redact(forbidden(scope, reason))
        error = HttpError(SYSTEM, text, status=403, said=reason)
        error.mend = _not_a_permission(answer, reason)
        return error

    def _slow_down(self, answer: httpx.Response) -> HttpError:
        wait = retry_after(answer.headers)
        reset = answer.headers.get("X-RateLimit-Reset", "")
        used_up = answer.headers.get("X-RateLimit-Remaining") == "0"
        if wait is None and used_up and reset.isdecimal():
            seconds = float(reset) - datetime.now(UTC).timestamp()
            wait = min(max(seconds, 1.0), LONGEST_WAIT_SECONDS)
        wait = SECONDARY_SECONDS if wait is None else wait
        for api in (self.api,) if used_up else (Rest.api, GraphQL.api):
            until = time.monotonic() + wait
            self._wait_until[api] = max(self._wait_until.get(api, 0.0), until)
        log.warning("GitHub asks us to slow down for %.0f s", wait)
        return Limited(SYSTEM, _slow_down_text(wait), retry_after=wait, status=answer.status_code)


class Rest(GitHubHttp):
    api = "rest"

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        return None if answer.status_code in REDIRECTS else super().refusal(answer, scope)


class GraphQL(GitHubHttp):
    """Errors come with HTTP 200 and `errors[]`.

    https://docs.github.com/en/graphql/guides/forming-calls-with-graphql
    """

    api = "graphql"

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        if (refused := super().refusal(answer, scope)) is not None:
            return refused
        try:
            body = self.json(answer)
        except HttpError as error:
            return error
        body = body if isinstance(body, dict) else {}
        data = body.get("data")
        errors = [error for error in body.get("errors") or [] if isinstance(error, dict)]
        if any(_asks_to_wait(error) for error in errors):
            return self._slow_down(answer)
        if isinstance(data, dict) and (not errors or any(data.values())):
            return None
        return _refusal(errors, scope)


def forbidden(permission: str | None, reason: str) -> str:
    """Return what a 403 means that is no limit.

    A lacking permission is named only where GitHub speaks of one.
    """
    if ARCHIVED in reason.lower():
        text = "the repository is archived on GitHub: nothing can be changed or started there"
        return f"{text} ({reason})"
    if not reason or any(word in reason.lower() for word in _LACKS):
        text = f"our token may not do this in GitHub: it needs {permission}"
        return f"{text} ({reason})" if reason else text
    return f"GitHub refuses it ({reason})"


def _not_a_permission(answer: httpx.Response, reason: str) -> str:
    """Return what helps where an organization keeps out a token that has every permission.

    `X-GitHub-SSO: required; url=…` is the page on which a person lets it in:
    https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
    """
    sso, _, page = answer.headers.get("X-GitHub-SSO", "").partition("; url=")
    if sso == "required":
        where = f": {page}" if page.startswith("https://") else ""
        return f"GITHUB_TOKEN: authorize it for the organization's single sign-on{where}"
    if "ip allow list" in reason.lower():
        return "put the address that the bot calls from on the organization's IP allow list"
    return ""


def _slow_down_text(seconds: float) -> str:
    """Return the words for whoever waits so long."""
    how_long = f" for {-(-seconds // 60):.0f} min" if seconds > 90 else ""
    return f"GitHub asks us to slow down{how_long}"


def _asks_to_wait(error: Mapping[str, Any]) -> bool:
    """Return whether an error of GraphQL is a limit.

    A primary limit has a type of its own; a secondary one says so in its message alone.
    """
    return error.get("type") in _LIMITS or "secondary rate limit" in _message(error).lower()


def _refusal(errors: Sequence[Mapping[str, Any]], permission: str | None) -> HttpError:
    """Return the error of an answer without data.

    A fault of GitHub's own has no type and passes: "Something went wrong while executing your
    query" (https://github.com/octokit/plugin-retry.js/issues/395).
    """
    reason = "; ".join(_message(error)[:150] for error in errors[:2])
    if {error.get("type") for error in errors} & _NOT_ALLOWED:
        text = redact(forbidden(permission, reason))
        return HttpError(SYSTEM, text, status=403)
    if not errors or any("something went wrong" in _message(error).lower() for error in errors):
        text = redact(f"GitHub has a fault of its own ({reason or 'no answer'})")
        return Passing(SYSTEM, text, retryable=True, status=502)
    text = redact(f"GitHub refused it ({reason})")
    return HttpError(SYSTEM, text, said=reason)


def _message(error: Mapping[str, Any]) -> str:
    return " ".join(str(error.get("message") or "").split())
