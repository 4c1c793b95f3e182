"""Rows of the local GitHub's REST answers, by the names of its description.

https://github.com/github/rest-api-description
"""

from __future__ import annotations

from typing import Any

from sandbox.github.state import Commit, Deployment, File, GitHub, Pull, Run, Workflow, blob_sha


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
        "commit": {
            "message": commit.message,
            "author": {"name": commit.author, "date": commit.at.isoformat()},
        },
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


def tree_rows(github: GitHub, sha: str) -> dict[str, Any]:
    """Folders and files of a commit, cut at what GitHub lists."""
    files = sorted(path for at, path in github.files if at == sha)
    folders = sorted({path[:n] for path in files for n, letter in enumerate(path) if letter == "/"})
    rows = [
        *(
            {"path": path, "mode": "040000", "type": "tree", "sha": blob_sha(path)}
            for path in folders
        ),
        *(
            {
                "path": path,
                "mode": "100644",
                "type": "blob",
                "sha": blob_sha(github.files[sha, path]),
            }
            for path in files
        ),
    ]
    rows.sort(key=lambda row: row["path"])
    return {"sha": sha, "tree": rows[: github.listed], "truncated": len(rows) > github.listed}
