"""GitHub's answers about source code as the values of the rules, with the questions for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from bot.clients.github import models as shapes
from bot.clients.github.checks import rollup_of
from bot.clients.github.http import SYSTEM
from bot.clients.http.errors import HttpError
from phases.ports.ports import HotfixRef
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Suspect

PATCH_OF_A_FILE = 64 * 1024
BODY_LIMIT = 2000

PULLS = """
query FirebreakPulls($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    pullRequests(states: OPEN, first: 50, orderBy: {field: UPDATED_AT, direction: DESC}) {
      nodes {
        number title body url headRefName headRefOid isCrossRepository
        commits(last: 1) { nodes { commit { statusCheckRollup { state } } } }
      }
    }
  }
}
"""
BLAME = """
query FirebreakBlame(
  $owner: String!, $name: String!, $commit: String!, $path: String!, $here: String!, $main: String!
) {
  repository(owner: $owner, name: $name) {
    here: object(expression: $here) { ... on Blob { text } }
    main: object(expression: $main) { ... on Blob { text } }
    object(expression: $commit) {
      ... on Commit {
        blame(path: $path) {
          ranges {
            startingLine endingLine
            commit {
              oid messageHeadline authoredDate url
              author { name }
              associatedPullRequests(first: 1) { nodes { number url } }
            }
          }
        }
      }
    }
  }
}
"""
"""`here` and `main` are the release's and the default branch's list of revisions to ignore. GitHub
leaves these out in its blame view, and says nothing of this API:
https://docs.github.com/en/repositories/working-with-files/using-files/viewing-and-understanding-files#ignore-commits-in-the-blame-view
"""

Checks = Literal["green", "red", "running"]
CHECKS: Mapping[str, Checks] = {
    "SUCCESS": "green",
    "FAILURE": "red",
    "ERROR": "red",
    "PENDING": "running",
    "EXPECTED": "running",
}
"""https://docs.github.com/en/graphql/reference/enums#statusstate"""


def commit_of(shape: shapes.Commit) -> Commit:
    """Return a commit as the rules know it, without files of a merge, as `git log` has it.

    GitHub shows the whole pull request again there, and it would be a suspect twice.
    """
    subject, _, body = shape.commit.message.partition("\n")
    author = shape.commit.author
    return Commit(
        sha=shape.sha,
        author=(author.name if author else None) or "",
        at=author.date if author else None,
        subject=subject[:300],
        body=body.strip()[:BODY_LIMIT],
        files=tuple(
            CommitFile(
                path=f.filename,
                added=f.additions,
                deleted=f.deletions,
                patch=f.patch[:PATCH_OF_A_FILE],
            )
            for f in (() if shape.merges else shape.files)
        ),
        url=shape.html_url,
    )


def suspect_of(blamed: Mapping[str, Any]) -> Suspect:
    pulls = (blamed.get("associatedPullRequests") or {}).get("nodes") or []
    try:
        return Suspect(
            sha=blamed["oid"],
            author=(blamed.get("author") or {}).get("name") or "",
            at=datetime.fromisoformat(
                str(blamed["authoredDate"]).replace("Z", "+00:00")
            ).astimezone(UTC),
            subject=str(blamed.get("messageHeadline") or "")[:200],
            url=blamed.get("url"),
            pull_request=pulls[0]["url"] if pulls else None,
        )
    except (KeyError, ValueError, ValidationError) as error:
        raise HttpError(
            SYSTEM, "GitHub's blame has not the shape that is documented", retryable=True
        ) from error


def hotfix_of(node: Mapping[str, Any]) -> HotfixRef:
    rollup = rollup_of(node)
    try:
        return HotfixRef(
            name=f"#{node['number']}",
            commit=node["headRefOid"],
            subject=str(node.get("title") or "")[:200],
            body=str(node.get("body") or "")[:BODY_LIMIT],
            url=node.get("url"),
            checks=CHECKS.get(str(rollup.get("state"))) if rollup else None,
        )
    except (KeyError, ValidationError) as error:
        raise HttpError(
            SYSTEM, "GitHub's pull requests have not the documented shape", retryable=True
        ) from error
