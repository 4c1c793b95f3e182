"""Which checks ran on a pull request: check runs and commit statuses, from one question.

https://docs.github.com/en/graphql/reference/objects#statuscheckrollup; conclusions:
https://docs.github.com/en/graphql/reference/enums#checkconclusionstate and …#statusstate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.clients.github import SYSTEM
from bot.clients.http import HttpError
from phases.ports import Check, PullChecks

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


def pull_checks(node: Mapping[str, Any]) -> PullChecks:
    """Of a `PullRequest` as `ASK_CHECKS` asks for it. Raises `HttpError` where it has not the documented shape."""
    commits = (node.get("commits") or {}).get("nodes") or []
    rollup = ((commits[-1].get("commit") or {}).get("statusCheckRollup") or {}) if commits else {}
    try:
        checks = [_check(one) for one in (rollup.get("contexts") or {}).get("nodes") or []]
        return PullChecks(pull_request=f"#{node['number']}", url=node.get("url"), checks=tuple(checks))
    except KeyError as error:
        raise HttpError(SYSTEM, "GitHub's checks have not the documented shape", retryable=True) from error


def _check(one: Mapping[str, Any]) -> Check:
    run = one["__typename"] == "CheckRun"
    said = one["conclusion"] if run else one["state"]
    name = str(one["name"] if run else one["context"])
    return Check(name=name[:60], conclusion=_WORDS.get(said or "", (said or "did not end").lower().replace("_", " ")))
