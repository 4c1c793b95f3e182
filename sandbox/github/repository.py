"""Endpoints of a repository: settings, tags, commits, files. https://docs.github.com/en/rest"""

from __future__ import annotations

import base64
from typing import Any

from sandbox.github.call import Call, Endpoint, not_found
from sandbox.github.shapes import address, commit_row, file_row, tree_rows
from sandbox.github.state import GitHubRefusal, blob_sha
from sandbox.wire import Json

MERGE_KINDS = ("merge_commit", "squash_merge", "rebase_merge")
CONTENT_BYTES = 1024 * 1024
"""A larger file comes without its content: https://docs.github.com/en/rest/repos/contents"""
FOLDER_ENTRIES = 1000
"""The most of a folder that is listed: https://docs.github.com/en/rest/repos/contents"""
WORKFLOWS = ".github/workflows"
COMPARED_FILES = 300
"""https://docs.github.com/en/rest/commits/commits#compare-two-commits"""


def repository(call: Call) -> Json:
    github = call.github
    return {
        "full_name": github.repository,
        "default_branch": github.default_branch,
        "archived": github.archived,
        "disabled": False,
        **{f"allow_{kind}": kind.partition("_")[0] in github.merge_methods for kind in MERGE_KINDS},
    }


def releases(call: Call) -> list[Json]:
    newest_first = reversed(call.github.releases)
    return call.page(
        [{"tag_name": tag, "draft": draft, "name": tag} for tag, draft in newest_first]
    )


def tags(call: Call) -> list[Json]:
    names = sorted(call.github.tags, reverse=True)
    return call.page([{"name": name, "commit": {"sha": call.github.tags[name]}} for name in names])


def git_ref(call: Call) -> Json:
    name = call.path("ref")
    kind, _, short = name.partition("/")
    sha = None
    if kind == "tags":
        sha = call.github.tags.get(short)
    elif kind == "heads":
        sha = call.github.head(short)
    if sha is None:
        raise not_found()
    return {"ref": f"refs/{name}", "object": {"type": "commit", "sha": sha}}


def matching_refs(call: Call) -> list[Json]:
    """The tags whose names begin so, all of them: there are no pages.

    https://docs.github.com/en/rest/git/refs#list-matching-references
    """
    begin, tags = call.path("ref").removeprefix("tags/"), call.github.tags
    return [
        {"ref": f"refs/tags/{name}", "object": {"type": "commit", "sha": tags[name]}}
        for name in sorted(tags)
        if name.startswith(begin)
    ]


def create_ref(call: Call) -> Json:
    ref, sha = call.body["ref"], call.body["sha"]
    call.github.create_ref(ref, sha)
    return {"ref": ref, "object": {"type": "commit", "sha": sha}}


def compare(call: Call) -> Json:
    github = call.github
    base, _, head = call.path("basehead").partition("...")
    older, newer = github.resolve(base), github.resolve(head)
    if older is None or newer is None:
        raise not_found()
    if (status := github.relation_beside_main(older, newer)) is not None:
        counts = {"total_commits": 0, "ahead_by": 0, "behind_by": 0}
        return {"status": status, **counts, "commits": [], "files": []}
    ahead, behind = github.between(older, newer), github.between(newer, older)
    files = [file_row(file) for commit in ahead for file in commit.files][:COMPARED_FILES]
    return {
        "status": "identical" if older == newer else "behind" if behind else "ahead",
        "total_commits": len(ahead),
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "commits": call.page([commit_row(github, commit, files=False) for commit in ahead]),
        "files": files if call.query("page", "1") == "1" else [],
    }


def commit(call: Call) -> Json:
    sha = call.github.resolve(call.path("ref"))
    for known in call.github.commits:
        if known.sha == sha:
            return commit_row(call.github, known)
    raise GitHubRefusal(422, f"No commit found for SHA: {call.path('ref')}")


def commit_pulls(call: Call) -> list[Json]:
    numbers = {known.sha: known.pull for known in call.github.commits}
    number = numbers.get(call.path("sha"))
    if number is None:
        return []
    return [{"number": number, "html_url": address(call.github, f"pull/{number}")}]


def tree(call: Call) -> Json:
    """Only the recursive tree is known: https://docs.github.com/en/rest/git/trees#get-a-tree"""
    sha = call.github.resolve(call.path("sha"))
    if sha is None:
        raise not_found()
    return tree_rows(call.github, sha)


def contents(call: Call) -> Any:
    """A file, or the entries of a folder."""
    sha = call.github.resolve(call.query("ref", call.github.default_branch))
    path = call.path("path")
    text = call.github.files.get((sha or "", path))
    if text is None:
        return _folder(call, sha, path)
    file = {"type": "file", "sha": blob_sha(text)}
    if len(text) > CONTENT_BYTES:
        return {**file, "encoding": "none", "content": ""}
    return {**file, "encoding": "base64", "content": base64.encodebytes(text.encode()).decode()}


def _folder(call: Call, sha: str | None, path: str) -> list[Json]:
    github = call.github
    inside = [name for at, name in github.files if at == sha and name.startswith(f"{path}/")]
    if path == WORKFLOWS and sha == github.resolve(github.default_branch):
        inside += [
            f"{WORKFLOWS}/{workflow.file}"
            for workflow in github.workflows.values()
            if workflow.state != "deleted" and workflow.branch in (None, github.default_branch)
        ]
    if not inside:
        raise not_found()
    below = [name.removeprefix(f"{path}/").partition("/") for name in sorted(inside)]
    kinds = {name: "dir" if deeper else "file" for name, deeper, _ in below}
    prefix = f"{path}/" if path else ""
    rows = [{"name": name, "path": f"{prefix}{name}", "type": kind} for name, kind in kinds.items()]
    return rows[:FOLDER_ENTRIES]


def put_contents(call: Call) -> Json:
    path, branch = call.path("path"), call.body["branch"]
    text = base64.b64decode(call.body["content"]).decode()
    call.github.put(branch, path, text, call.body.get("sha"))
    return {"content": {"path": path}, "commit": {"sha": call.github.branches[branch]}}


ENDPOINTS = (
    Endpoint("repository", "GET", "", repository),
    Endpoint("releases", "GET", "/releases", releases),
    Endpoint("tags", "GET", "/tags", tags),
    Endpoint("git_ref", "GET", "/git/ref/{ref:path}", git_ref),
    Endpoint("matching_refs", "GET", "/git/matching-refs/{ref:path}", matching_refs),
    Endpoint("create_ref", "POST", "/git/refs", create_ref, 201),
    Endpoint("compare", "GET", "/compare/{basehead:path}", compare),
    Endpoint("commit_pulls", "GET", "/commits/{sha}/pulls", commit_pulls),
    Endpoint("commit", "GET", "/commits/{ref:path}", commit),
    Endpoint("tree", "GET", "/git/trees/{sha:path}", tree),
    Endpoint("contents", "GET", "/contents/{path:path}", contents),
    Endpoint("put_contents", "PUT", "/contents/{path:path}", put_contents, 201),
)
