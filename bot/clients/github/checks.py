"""Which checks ran on a pull request: check runs and commit statuses, from one question.

https://docs.github.com/en/graphql/reference/objects#statuscheckrollup; conclusions:
https://docs.github.com/en/graphql/reference/enums#checkconclusionstate and …#statusstate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.clients.github.client import SYSTEM
from bot.clients.http.errors import HttpError
from phases.ports.source_values import Check, PullChecks

ASK_CHECKS = """
query FirebreakChecks($owner: String!, $name: String!, $commit: String!) {
  repository(owner: $owner, name: $name) {
    object(expression: $commit) {
      ... on Commit {
        associatedPullRequests(first: 5) {
          nodes {
            number url merged
            commits(last: 1) {
              nodes {
                commit {
                  statusCheckRollup {
                    contexts(first: 50) {
                      nodes {
                        __typename
                        ... on CheckRun { name conclusion }
                        ... on StatusContext { context state }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
"""
_WORDS = {
    "SUCCESS": "passed",
    "FAILURE": "failed",
    "ERROR": "failed",
    "TIMED_OUT": "timed out",
    "STARTUP_FAILURE": "did not start",
    "ACTION_REQUIRED": "waited for somebody",
    "EXPECTED": "did not run",
    "PENDING": "did not end",
}


def rollup_of(pull: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The `statusCheckRollup` of a pull request's newest commit; None where no check ran, or none may be seen."""
    commits = (pull.get("commits") or {}).get("nodes") or []
    newest = commits[-1] if commits else None
    return ((newest or {}).get("commit") or {}).get("statusCheckRollup")


def pull_checks(node: Mapping[str, Any]) -> PullChecks:
    """Of a `PullRequest` as `ASK_CHECKS` asks for it. Raises `HttpError` where it has not the documented shape."""
    rollup = rollup_of(node) or {}
    try:
        told = (rollup.get("contexts") or {}).get("nodes") or []
        # A token that may not see check runs, as a fine-grained one, gets null in their places:
        # https://github.com/kirodotdev/KiroCrew/pull/4830
        checks = [_check(one) for one in told if one is not None]
        if hidden := sum(one is None for one in told):
            checks.append(
                Check(
                    name=f"{hidden} check run{'s' if hidden > 1 else ''}",
                    conclusion="hidden from our token",
                )
            )
        return PullChecks(
            pull_request=f"#{node['number']}", url=node.get("url"), checks=tuple(checks)
        )
    except KeyError as error:
        raise HttpError(
            SYSTEM, "GitHub's checks have not the documented shape", retryable=True
        ) from error


def _check(one: Mapping[str, Any]) -> Check:
    run = one["__typename"] == "CheckRun"
    said = one["conclusion"] if run else one["state"]
    name = str(one["name"] if run else one["context"])
    return Check(
        name=name[:60],
        conclusion=_WORDS.get(said or "", (said or "did not end").lower().replace("_", " ")),
    )
