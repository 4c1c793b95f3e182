"""The root fields of GitHub's GraphQL and the objects below them, by the names of its schema.

https://docs.github.com/en/graphql/reference/objects
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphql import build_schema

from sandbox.github.shapes import address
from sandbox.github.state import GitHub, Pull, blob_sha
from sandbox.graphql_execution import BadDocument
from sandbox.wire import Json

SCHEMA = build_schema((Path(__file__).with_name("schema.graphql")).read_text())


class Root:
    def __init__(self, github: GitHub) -> None:
        self._github = github

    def repository(self, _: object, owner: str, name: str) -> Json | None:
        github = self._github
        if f"{owner}/{name}" != github.repository:
            return None
        return {
            "object": lambda _, expression: _git_object(github, expression),
            "pullRequest": lambda _, number: _pull_numbered(github, number),
            "pullRequests": lambda _, **arguments: _open_and_closed(github, **arguments),
        }

    def revertPullRequest(self, _: object, input: Mapping[str, Any]) -> Json:
        number = int(input["pullRequestId"].removeprefix("PR_"))
        revert = self._github.revert(number, input.get("body") or "")
        return {"revertPullRequest": None if revert is None else _pull(self._github, revert)}


def _open_and_closed(
    github: GitHub,
    first: int | None = None,
    states: Sequence[str] = (),
    orderBy: Mapping[str, str] | None = None,
) -> Json:
    """Return pull requests, newest first whatever the order asked for."""
    if first is None:
        raise BadDocument(
            "You must provide a `first` or `last` value to properly paginate the `pullRequests` "
            "connection."
        )
    pulls = [pull for pull in reversed(github.pulls) if not states or _state(pull) in states]
    return {"nodes": [_pull(github, pull) for pull in pulls[:first]]}


def _state(pull: Pull) -> str:
    return "MERGED" if pull.merged else "CLOSED" if pull.closed else "OPEN"


def _pull_numbered(github: GitHub, number: int | None) -> Json | None:
    return next((_pull(github, pull) for pull in github.pulls if pull.number == number), None)


def _pull(github: GitHub, pull: Pull) -> Json:
    return {
        "id": f"PR_{pull.number}",
        "merged": pull.merged,
        "number": pull.number,
        "title": pull.title,
        "body": pull.body,
        "url": address(github, f"pull/{pull.number}"),
        "headRefOid": pull.head_sha,
        "headRefName": pull.head_ref,
        "isDraft": pull.draft,
        "isCrossRepository": pull.fork,
        "commits": {"nodes": [{"commit": {"statusCheckRollup": _rollup(pull)}}]},
    }


def _rollup(pull: Pull) -> Json | None:
    if not pull.checks:
        return None
    runs = [
        {"__typename": "CheckRun", "name": name, "conclusion": conclusion}
        for name, conclusion in pull.runs
    ]
    return {"state": pull.checks, "contexts": {"nodes": runs}}


def _git_object(github: GitHub, expression: str) -> Json | None:
    """Return the blob of `<ref>:<path>`, the commit of `<ref>`, or None where it is not there."""
    ref, colon, path = expression.partition(":")
    sha = github.resolve(ref)
    if not colon:
        return None if sha is None else _commit(github, sha)
    text = github.files.get((sha or "", path))
    if text is None:
        return None
    return {
        "__typename": "Blob",
        "oid": blob_sha(text),
        "byteSize": len(text.encode()),
        "text": text,
    }


def _commit(github: GitHub, sha: str) -> Json:
    shape: Json = {
        "__typename": "Commit",
        "oid": sha,
        "url": address(github, f"commit/{sha}"),
        "associatedPullRequests": {"nodes": []},
        "blame": _blame(github, sha),
    }
    commit = next((commit for commit in github.commits if commit.sha == sha), None)
    if commit is None:
        return shape
    pull = _pull_numbered(github, commit.pull)
    return {
        **shape,
        "messageHeadline": commit.message.partition("\n")[0],
        "authoredDate": commit.at.isoformat(),
        "author": {"name": commit.author},
        "associatedPullRequests": {"nodes": [] if pull is None else [pull]},
    }


def _blame(github: GitHub, sha: str) -> Callable[..., Json]:
    def field(_: object, path: str) -> Json:
        ranges = github.blame.get((sha, path))
        if ranges is None:
            raise BadDocument(f"Could not resolve path '{path}'.")
        rows = [
            {"startingLine": first, "endingLine": last, "commit": _commit(github, touched)}
            for first, last, touched in ranges
        ]
        return {"ranges": rows}

    return field
