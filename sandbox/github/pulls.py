"""Endpoints of pull requests. https://docs.github.com/en/rest/pulls/pulls"""

from __future__ import annotations

from sandbox.github.call import Call, Endpoint, not_found
from sandbox.github.shapes import pull_row
from sandbox.github.state import GitHubRefusal, Pull
from sandbox.wire import Json


def pulls(call: Call) -> list[Json]:
    """Newest first, by `state` and by the branch of `head` (`<owner>:<branch>`)."""
    state, branch = call.query("state", "open"), call.query("head").partition(":")[2]
    rows = [
        pull_row(call.github, pull)
        for pull in reversed(call.github.pulls)
        if state == "all" or (pull.merged or pull.closed) == (state == "closed")
        if not call.query("head") or pull.head_ref == branch
    ]
    return call.page(rows)


def pull(call: Call) -> Json:
    return pull_row(call.github, _pull_of_path(call))


def create_pull(call: Call) -> Json:
    opened = call.github.open_pull(call.body["head"], call.body["title"], call.body.get("body", ""))
    return pull_row(call.github, opened)


def merge(call: Call) -> Json:
    pull = _pull_of_path(call)
    if call.body.get("sha") not in (None, pull.head_sha):
        text = "Head branch was modified. Review and try the merge again."
        raise GitHubRefusal(409, text)
    if str(call.body.get("merge_method") or "merge") not in call.github.merge_methods:
        raise GitHubRefusal(405, "Merge commits are not allowed on this repository.")
    sha = call.github.merge(pull, call.caller())
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def _pull_of_path(call: Call) -> Pull:
    for pull in call.github.pulls:
        if pull.number == call.path("number"):
            return pull
    raise not_found()


ENDPOINTS = (
    Endpoint("pulls", "GET", "/pulls", pulls),
    Endpoint("create_pull", "POST", "/pulls", create_pull, 201),
    Endpoint("pull", "GET", "/pulls/{number:int}", pull),
    Endpoint("merge", "PUT", "/pulls/{number:int}/merge", merge),
)
