"""What the local GitHub answers: REST rows and GraphQL objects, by the names of its descriptions.

https://github.com/github/rest-api-description, https://docs.github.com/en/graphql/reference/objects
"""

from __future__ import annotations

from typing import Any

from sandbox.github.state import Commit, Deployment, File, GitHub, Pull, Run, Workflow, blob_sha
from sandbox.linear.graphql import BadDocument, Selected, shaped


def address(github: GitHub, rest: str) -> str:
    return f"{github.web}/{github.repository}/{rest}"


def file_row(file: File) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "filename": file.path,
        "status": "renamed" if file.previous else "modified",
        "additions": file.added,
        "deletions": file.deleted,
        "changes": file.added + file.deleted,
    }
    if file.patch:
        shown["patch"] = file.patch
    if file.previous:
        shown["previous_filename"] = file.previous
    return shown


def commit_row(github: GitHub, commit: Commit, *, files: bool = True) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "sha": commit.sha,
        "html_url": address(github, f"commit/{commit.sha}"),
        "commit": {"message": commit.message, "author": {"name": commit.author, "date": commit.at.isoformat()}},
        "parents": [{"sha": sha} for sha in (commit.parent, commit.merged) if sha],
    }
    return {**shown, "files": [file_row(f) for f in commit.files]} if files else shown


def deployment_row(deployment: Deployment) -> dict[str, Any]:
    at = deployment.created_at.isoformat()
    return {
        "id": deployment.id,
        "sha": deployment.sha,
        "ref": deployment.ref,
        "environment": deployment.environment,
        "payload": deployment.payload,
        "creator": {"login": deployment.by},
        "created_at": at,
        "updated_at": deployment.statuses[-1][1].isoformat() if deployment.statuses else at,
    }


def run_row(github: GitHub, run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.workflow,
        "display_title": run.title,
        "event": "workflow_dispatch",
        "head_branch": run.ref,
        "status": run.status,
        "conclusion": run.conclusion,
        "html_url": address(github, f"actions/runs/{run.id}"),
        "created_at": run.created_at.isoformat(),
        "run_started_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
    }


def workflow_row(github: GitHub, workflow: Workflow) -> dict[str, Any]:
    at = "2026-01-05T09:00:00Z"
    page = address(github, f"actions/workflows/{workflow.file}")
    return {
        "id": 1 + sorted(github.workflows).index(workflow.file),
        "node_id": f"W_{workflow.file}",
        "name": workflow.file,
        "path": f".github/workflows/{workflow.file}",
        "state": workflow.state,
        "created_at": at,
        "updated_at": at,
        "url": page,
        "html_url": page,
        "badge_url": f"{page}/badge.svg",
    }


def root(github: GitHub, field: Selected) -> Any:
    if field.name != "revertPullRequest":
        return _repository(github, field)
    asked = field.arguments["input"]
    made = github.revert(int(str(asked["pullRequestId"]).removeprefix("PR_")), str(asked.get("body") or ""))
    return None if made is None else shaped({"revertPullRequest": _pull(github, made)}, field.fields)


def _repository(github: GitHub, field: Selected) -> Any:
    """`repository(owner, name)`: open pull requests, and objects by expression."""
    if field.name != "repository":
        raise BadDocument(f"Field '{field.name}' doesn't exist on type 'Query'")
    if f"{field.arguments['owner']}/{field.arguments['name']}" != github.repository:
        return None
    answer: dict[str, Any] = {}
    for asked in field.fields:
        match asked.name:
            case "pullRequests":
                pulls = [p for p in reversed(github.pulls) if not (p.merged or p.closed)]
                nodes = [_pull(github, p) for p in pulls][: int(asked.arguments["first"])]
                answer[asked.alias] = shaped({"nodes": nodes}, asked.fields)
            case "pullRequest":
                found = next((p for p in github.pulls if p.number == asked.arguments["number"]), None)
                answer[asked.alias] = shaped(_pull(github, found), asked.fields) if found else None
            case "object":
                answer[asked.alias] = _object(github, asked)
            case _:
                raise BadDocument(f"Field '{asked.name}' doesn't exist on type 'Repository'")
    return answer


def _pull(github: GitHub, pull: Pull) -> dict[str, Any]:
    # https://docs.github.com/en/graphql/reference/unions#statuscheckrollupcontext
    runs = [
        {"__typename": "CheckRun", "name": name, "conclusion": said, "context": None, "state": None}
        for name, said in pull.runs
    ]
    rollup = {"state": pull.checks, "contexts": {"nodes": runs}} if pull.checks else None
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
        "commits": {"nodes": [{"commit": {"statusCheckRollup": rollup}}]},
    }


def pull_row(github: GitHub, pull: Pull) -> dict[str, Any]:
    return {
        "number": pull.number,
        "title": pull.title,
        "html_url": address(github, f"pull/{pull.number}"),
        "state": "closed" if pull.merged or pull.closed else "open",
        "draft": pull.draft,
        "merged": pull.merged,
        "merged_at": pull.merged_at.isoformat() if pull.merged_at else None,
        "merged_by": {"login": pull.merged_by} if pull.merged_by else None,
        "user": {"login": pull.by},
        "head": {"ref": pull.head_ref, "sha": pull.head_sha},
        "base": {"ref": github.default_branch},
    }


def _object(github: GitHub, asked: Selected) -> Any:
    """`object(expression: "<ref>:<path>")` is a Blob, `object(expression: "<ref>")` a Commit; null where it is not there."""
    ref, colon, path = str(asked.arguments["expression"]).partition(":")
    sha = github.resolve(ref)
    if colon:
        text = github.files.get((sha or "", path))
        return None if text is None else shaped({"__typename": "Blob", "byteSize": len(text.encode())}, asked.fields)
    if sha is None:
        return None
    blame = next((f for f in asked.fields if f.name == "blame"), None)
    if blame is None:
        number = next((c.pull for c in github.commits if c.sha == sha), None)
        pulls = [_pull(github, p) for p in github.pulls if p.number == number]
        return shaped({"__typename": "Commit", "oid": sha, "associatedPullRequests": {"nodes": pulls}}, asked.fields)
    ranges = github.blame.get((sha, str(blame.arguments["path"])))
    if ranges is None:
        raise BadDocument(f"Could not resolve path '{blame.arguments['path']}'.")
    rows = [{"startingLine": a, "endingLine": b, "commit": _blamed(github, c)} for a, b, c in ranges]
    return {blame.alias: shaped({"ranges": rows}, blame.fields)}


def _blamed(github: GitHub, sha: str) -> dict[str, Any]:
    commit = next(c for c in github.commits if c.sha == sha)
    pulls = [{"number": commit.pull, "url": address(github, f"pull/{commit.pull}")}] if commit.pull else []
    return {
        "oid": sha,
        "messageHeadline": commit.message.partition("\n")[0],
        "authoredDate": commit.at.isoformat(),
        "url": address(github, f"commit/{sha}"),
        "author": {"name": commit.author},
        "associatedPullRequests": {"nodes": pulls},
    }


def tree_rows(github: GitHub, sha: str) -> dict[str, Any]:
    """Folders and files of a commit, cut at what GitHub lists."""
    files = sorted(path for at, path in github.files if at == sha)
    folders = sorted({path[:n] for path in files for n, letter in enumerate(path) if letter == "/"})
    rows = [
        *({"path": path, "mode": "040000", "type": "tree", "sha": blob_sha(path)} for path in folders),
        *({"path": path, "mode": "100644", "type": "blob", "sha": blob_sha(github.files[sha, path])} for path in files),
    ]
    rows.sort(key=lambda row: row["path"])
    return {"sha": sha, "tree": rows[: github.listed], "truncated": len(rows) > github.listed}
