"""The checks of a pull request: check runs and commit statuses, from one question.

https://docs.github.com/en/graphql/reference/objects#statuscheckrollup; conclusions:
https://docs.github.com/en/graphql/reference/enums#checkconclusionstate and …#statusstate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.clients.github.http import SYSTEM
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
    """Return the `statusCheckRollup` of a pull request's newest commit.

    None: no check ran, or none may be seen.
    """
    commits = (pull.get("commits") or {}).get("nodes") or []
    newest = commits[-1] if commits else None
    return ((newest or {}).get("commit") or {}).get("statusCheckRollup")


def pull_checks(node: Mapping[str, Any]) -> PullChecks:
    """Return the checks of a `PullRequest` as `ASK_CHECKS` asks for it.

    Raises `HttpError` where it has not the documented shape.
    """
    rollup = rollup_of(node) or {}
    try:
        nodes = (rollup.get("contexts") or {}).get("nodes") or []
        # A token that may not see check runs, as a fine-grained one, gets null in their places:
        # https://github.com/kirodotdev/KiroCrew/pull/4830
        checks = [_check(context) for context in nodes if context is not None]
        if hidden := nodes.count(None):
            name = f"{hidden} check run{'s' if hidden > 1 else ''}"
            checks.append(Check(name=name, conclusion="hidden from our token"))
        return PullChecks(
            pull_request=f"#{node['number']}", url=node.get("url"), checks=tuple(checks)
        )
    except KeyError as error:
        raise HttpError(
            SYSTEM, "GitHub's checks have not the documented shape", retryable=True
        ) from error


def _check(context: Mapping[str, Any]) -> Check:
    run = context["__typename"] == "CheckRun"
    state = (context["conclusion"] if run else context["state"]) or ""
    name = str(context["name"] if run else context["context"])
    words = (state or "did not end").lower().replace("_", " ")
    return Check(name=name[:60], conclusion=_WORDS.get(state, words))
