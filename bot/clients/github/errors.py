"""What GitHub's refusals mean. Where it says its reason, that is said, and no other is guessed.

Errors of GraphQL come with HTTP 200, in `errors[]`:
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.clients.http.client import HttpError
from bot.runtime.redaction import redact

SYSTEM = "GitHub"
_LIMITS = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
"""The second is what GitHub has sent since 2026: https://github.com/octokit/plugin-throttling.js/pull/848"""
_NOT_ALLOWED = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES"})


_LACKS = ("not accessible", "must have", "scopes")
"""What GitHub says of a token that lacks a permission, "Resource not accessible by personal access token":
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible"""
ARCHIVED = "archived so is read-only"
"""https://github.com/hub4j/github-api/blob/main/src/main/java/org/kohsuke/github/GHRepository.java (`archive`)"""


def forbidden(permission: str, said: str) -> str:
    """Say what a 403 means that is no limit. A lacking permission is named only where GitHub speaks of one."""
    if ARCHIVED in said.lower():
        return f"the repository is archived on GitHub: nothing can be changed or started there ({said})"
    if not said or any(word in said.lower() for word in _LACKS):
        return f"our token may not do this in GitHub: it needs {permission}" + (
            f" ({said})" if said else ""
        )
    return f"GitHub refuses it ({said})"


def asks_to_wait(error: Mapping[str, Any]) -> bool:
    """A primary limit has a type of its own; a secondary one says so in its message alone."""
    return (
        error.get("type") in _LIMITS
        or "secondary rate limit" in str(error.get("message") or "").lower()
    )


def refusal(errors: Sequence[Mapping[str, Any]], permission: str) -> HttpError:
    """Of an answer without data. A fault of GitHub's own has no type and passes:
    "Something went wrong while executing your query" (https://github.com/octokit/plugin-retry.js/issues/395)."""
    said = "; ".join(" ".join(str(e.get("message") or "").split())[:150] for e in errors[:2])
    types = {e.get("type") for e in errors}
    if types & _NOT_ALLOWED:
        return HttpError(
            SYSTEM,
            redact(forbidden(permission, said)),
            retryable=False,
            status=403,
        )
    if not errors or any(
        "something went wrong" in str(e.get("message") or "").lower() for e in errors
    ):
        return HttpError(
            SYSTEM,
            redact(f"GitHub has a fault of its own ({said or 'no answer'})"),
            retryable=True,
            status=502,
        )
    return HttpError(SYSTEM, redact(f"GitHub refused it ({said})"), retryable=False, said=said)
