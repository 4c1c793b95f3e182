"""GitHub's answers about source code as the values of the rules, with the questions for them."""

from collections.abc import Mapping
from datetime import UTC
from typing import Literal

from bot.clients.github import models as shapes
from bot.clients.github.graphql_models import BlamedCommit, Pull, Rollup
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


def suspect_of(blamed: BlamedCommit) -> Suspect:
    return Suspect(
        sha=blamed.oid,
        author=blamed.author or "",
        at=blamed.at.astimezone(UTC),
        subject=blamed.subject[:200],
        url=blamed.url,
        pull_request=blamed.pull_request,
    )


def hotfix_of(pull: Pull) -> HotfixRef:
    return HotfixRef(
        name=f"#{pull.number}",
        commit=pull.head,
        subject=(pull.title or "")[:200],
        body=(pull.body or "")[:BODY_LIMIT],
        url=pull.url,
        checks=checks_state(pull.rollup),
    )


def checks_state(rollup: Rollup | None) -> Checks | None:
    return CHECKS.get(rollup.state or "") if rollup else None
