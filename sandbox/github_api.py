"""GitHub on the wire, as its OpenAPI description has it: https://github.com/github/rest-api-description

Every request is one call `github.<operation>` to the faults: `github.dispatch`, `github.runs`, `github.graphql`, …
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.github import Commit, Deployment, File, GitHub, GitHubRefusal, Pull, Run, blob_sha
from sandbox.graphql import BadDocument, Selected, root_fields, shaped
from sandbox.slack.api import lose_answer

BOT_LOGIN = "firebreak[bot]"
"""Whose token it is."""
MERGE_KINDS = ("merge_commit", "squash_merge", "rebase_merge")
FILES_SHOWN = 300
"""https://docs.github.com/en/rest/commits/commits#compare-two-commits"""


def github_app(github: GitHub, faults: Faults) -> Starlette:
    """The REST paths below `/repos/<owner>/<name>` and `/graphql`."""
    repo = f"/repos/{github.repository}"

    def route(operation: str, path: str, answer: Callable[[Request], Any]) -> Route:
        async def get(request: Request) -> Response:
            fault = faults.take(f"github.{operation}")
            if (refused := await _refused(request, github, fault)) is not None:
                return refused
            try:
                body = answer(request)
            except GitHubRefusal as error:
                return _error(error.status, error.message)
            if fault is not None and fault.lose_answer:
                await lose_answer(request)
            return _conditional(request, body)

        return Route(f"{repo}{path}", get, methods=["GET"])

    def page(request: Request, rows: Sequence[Any]) -> list[Any]:
        size = min(int(request.query_params.get("per_page", 30)), 100)
        number = int(request.query_params.get("page", 1))
        return list(rows[(number - 1) * size : number * size])

    def repository(request: Request) -> Any:
        allowed = {f"allow_{kind}": kind.partition("_")[0] in github.merge_methods for kind in MERGE_KINDS}
        return {"full_name": github.repository, "default_branch": github.default_branch, **allowed}

    def releases(request: Request) -> Any:
        rows = [{"tag_name": tag, "draft": draft, "name": tag} for tag, draft in reversed(github.releases)]
        return page(request, rows)

    def tags(request: Request) -> Any:
        return page(
            request, [{"name": t, "commit": {"sha": github.tags[t]}} for t in sorted(github.tags, reverse=True)]
        )

    def git_ref(request: Request) -> Any:
        name = request.path_params["ref"]
        kind, _, short = name.partition("/")
        sha = github.tags.get(short) if kind == "tags" else github.resolve(short) if kind == "heads" else None
        if sha is None:
            raise GitHubRefusal(404, "Not Found")
        return {"ref": f"refs/{name}", "object": {"type": "commit", "sha": sha}}

    def compare(request: Request) -> Any:
        base, _, head = request.path_params["basehead"].partition("...")
        older, newer = github.resolve(base), github.resolve(head)
        if older is None or newer is None:
            raise GitHubRefusal(404, "Not Found")
        if (status := github.aside(older, newer)) is not None:
            return {"status": status, "total_commits": 0, "ahead_by": 0, "behind_by": 0, "commits": [], "files": []}
        found = github.between(older, newer)
        back = github.between(newer, older)
        files = [f for commit in found for f in commit.files][:FILES_SHOWN]
        first = int(request.query_params.get("page", 1)) == 1
        return {
            "status": "identical" if older == newer else "behind" if back else "ahead",
            "total_commits": len(found),
            "ahead_by": len(found),
            "behind_by": len(back),
            "commits": page(request, [_commit(github, c, files=False) for c in found]),
            "files": [_file(f) for f in files] if first else [],
        }

    def commit(request: Request) -> Any:
        sha = github.resolve(request.path_params["ref"])
        found = next((c for c in github.commits if c.sha == sha), None)
        if found is None:
            raise GitHubRefusal(422, f"No commit found for SHA: {request.path_params['ref']}")
        return _commit(github, found)

    def commit_pulls(request: Request) -> Any:
        number = next((c.pull for c in github.commits if c.sha == request.path_params["sha"]), None)
        return [] if number is None else [{"number": number, "html_url": _url(github, f"pull/{number}")}]

    def contents(request: Request) -> Any:
        sha = github.resolve(request.query_params.get("ref", github.default_branch))
        path = request.path_params["path"]
        text = github.files.get((sha or "", path))
        inside = [name for at, name in github.files if at == sha and name.startswith(f"{path}/")]
        if text is None and not inside:
            raise GitHubRefusal(404, "Not Found")
        if text is None:
            return [{"name": name.removeprefix(f"{path}/"), "type": "file"} for name in sorted(inside)]
        content = base64.encodebytes(text.encode()).decode()
        return {"type": "file", "sha": blob_sha(text), "encoding": "base64", "content": content}

    def deployments(request: Request) -> Any:
        environment = request.query_params.get("environment")
        rows = [d for d in reversed(github.deployments) if environment in (None, d.environment)]
        return page(request, [deployment_row(d) for d in rows])

    def statuses(request: Request) -> Any:
        found = next((d for d in github.deployments if d.id == request.path_params["id"]), None)
        if found is None:
            raise GitHubRefusal(404, "Not Found")
        rows = [{"state": state, "created_at": at.isoformat()} for state, at in reversed(found.statuses)]
        return page(request, rows)

    def pulls(request: Request) -> Any:
        state, head = request.query_params.get("state", "open"), request.query_params.get("head", "")
        rows = [p for p in reversed(github.pulls) if state == "all" or (p.merged or p.closed) == (state == "closed")]
        branch = head.partition(":")[2]
        return page(request, [pull_row(github, p) for p in rows if not head or p.head_ref == branch])

    def pull(request: Request) -> Any:
        return pull_row(github, _numbered(github, request))

    def merge(request: Request, body: Any) -> Any:
        found = _numbered(github, request)
        if body and body.get("sha") not in (None, found.head_sha):
            raise GitHubRefusal(409, "Head branch was modified. Review and try the merge again.")
        if str((body or {}).get("merge_method") or "merge") not in github.merge_methods:
            raise GitHubRefusal(405, "Merge commits are not allowed on this repository.")
        github.merge(found, BOT_LOGIN)
        return {"sha": github.commits[-1].sha, "merged": True, "message": "Pull Request successfully merged"}

    def writes(operation: str, path: str, method: str, do: Callable[[Request, Any], Any], status: int) -> Route:
        async def write(request: Request) -> Response:
            fault = faults.take(f"github.{operation}")
            if (refused := await _refused(request, github, fault)) is not None:
                return refused
            try:
                answer = do(request, await request.json())
            except GitHubRefusal as error:
                return _error(error.status, error.message)
            if fault is not None and fault.lose_answer:
                await lose_answer(request)
            return JSONResponse(answer, status)

        return Route(f"{repo}{path}", write, methods=[method])

    def create_ref(request: Request, body: Any) -> Any:
        github.create_ref(body["ref"], body["sha"])
        return {"ref": body["ref"], "object": {"type": "commit", "sha": body["sha"]}}

    def put_contents(request: Request, body: Any) -> Any:
        path = request.path_params["path"]
        github.put(body["branch"], path, base64.b64decode(body["content"]).decode(), body.get("sha"))
        return {"content": {"path": path}, "commit": {"sha": github.branches[body["branch"]]}}

    def create_pull(request: Request, body: Any) -> Any:
        return pull_row(github, github.open_pull(body["head"], body["title"], body.get("body", "")))

    async def dispatch(request: Request) -> Response:
        fault = faults.take("github.dispatch")
        if (refused := await _refused(request, github, fault)) is not None:
            return refused
        body = await request.json()
        try:
            run = github.dispatch(request.path_params["workflow"], body)
        except GitHubRefusal as error:
            return _error(error.status, error.message)
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        if not (github.details and body.get("return_run_details")):
            return Response(status_code=204)
        url = _url(github, f"actions/runs/{run.id}")
        return JSONResponse({"workflow_run_id": run.id, "run_url": url, "html_url": url})

    def runs(request: Request) -> Any:
        file = request.path_params["workflow"]
        if file not in github.workflows:
            raise GitHubRefusal(404, "Not Found")
        rows = [run_row(github, r) for r in reversed(github.runs) if r.workflow == file and not r.hidden]
        return {"total_count": len(rows), "workflow_runs": page(request, rows)}

    def run(request: Request) -> Any:
        found = next((r for r in github.runs if r.id == request.path_params["id"] and not r.hidden), None)
        if found is None:
            raise GitHubRefusal(404, "Not Found")
        return run_row(github, found)

    async def graphql(request: Request) -> Response:
        fault = faults.take("github.graphql")
        if (refused := await _refused(request, github, fault)) is not None:
            return refused
        asked = await request.json()
        try:
            fields = root_fields(asked["query"], asked.get("variables") or {})
            answer = JSONResponse({"data": {f.alias: _root(github, f) for f in fields}})
            if fault is not None and fault.lose_answer:
                await lose_answer(request)
            return answer
        except (BadDocument, KeyError) as error:
            return JSONResponse({"errors": [{"message": str(error)}]})

    return Starlette(
        routes=[
            route("repository", "", repository),
            route("releases", "/releases", releases),
            route("tags", "/tags", tags),
            route("git_ref", "/git/ref/{ref:path}", git_ref),
            route("compare", "/compare/{basehead:path}", compare),
            route("commit_pulls", "/commits/{sha}/pulls", commit_pulls),
            route("commit", "/commits/{ref:path}", commit),
            route("contents", "/contents/{path:path}", contents),
            writes("put_contents", "/contents/{path:path}", "PUT", put_contents, 201),
            writes("create_ref", "/git/refs", "POST", create_ref, 201),
            route("pulls", "/pulls", pulls),
            writes("create_pull", "/pulls", "POST", create_pull, 201),
            route("pull", "/pulls/{number:int}", pull),
            writes("merge", "/pulls/{number:int}/merge", "PUT", merge, 200),
            route("deployments", "/deployments", deployments),
            route("deployment_statuses", "/deployments/{id:int}/statuses", statuses),
            Route(f"/repos/{github.repository}/actions/workflows/{{workflow}}/dispatches", dispatch, methods=["POST"]),
            route("runs", "/actions/workflows/{workflow}/runs", runs),
            route("run", "/actions/runs/{id:int}", run),
            Route("/graphql", graphql, methods=["POST"]),
        ],
        exception_handlers={404: _not_found},
    )


# --- shapes ----------------------------------------------------------------------------------------------------


def _url(github: GitHub, rest: str) -> str:
    return f"https://github.com/{github.repository}/{rest}"


def _file(file: File) -> dict[str, Any]:
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


def _commit(github: GitHub, commit: Commit, *, files: bool = True) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "sha": commit.sha,
        "html_url": _url(github, f"commit/{commit.sha}"),
        "commit": {"message": commit.message, "author": {"name": commit.author, "date": commit.at.isoformat()}},
        "parents": [{"sha": commit.parent}] if commit.parent else [],
    }
    return {**shown, "files": [_file(f) for f in commit.files]} if files else shown


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
        "html_url": _url(github, f"actions/runs/{run.id}"),
        "created_at": run.created_at.isoformat(),
        "run_started_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
    }


def _root(github: GitHub, field: Selected) -> Any:
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
        "url": _url(github, f"pull/{pull.number}"),
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
        "html_url": _url(github, f"pull/{pull.number}"),
        "state": "closed" if pull.merged or pull.closed else "open",
        "draft": pull.draft,
        "merged": pull.merged,
        "merged_at": pull.merged_at.isoformat() if pull.merged_at else None,
        "merged_by": {"login": pull.merged_by} if pull.merged_by else None,
        "user": {"login": pull.by},
        "head": {"ref": pull.head_ref, "sha": pull.head_sha},
        "base": {"ref": github.default_branch},
    }


def _numbered(github: GitHub, request: Request) -> Pull:
    found = next((p for p in github.pulls if p.number == request.path_params["number"]), None)
    if found is None:
        raise GitHubRefusal(404, "Not Found")
    return found


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
    pulls = [{"number": commit.pull, "url": _url(github, f"pull/{commit.pull}")}] if commit.pull else []
    return {
        "oid": sha,
        "messageHeadline": commit.message.partition("\n")[0],
        "authoredDate": commit.at.isoformat(),
        "url": _url(github, f"commit/{sha}"),
        "author": {"name": commit.author},
        "associatedPullRequests": {"nodes": pulls},
    }


# --- answers ---------------------------------------------------------------------------------------------------


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"message": message, "documentation_url": "https://docs.github.com/rest"}, status, headers)


async def _not_found(request: Request, error: Exception) -> Response:
    return _error(404, "Not Found")


def _conditional(request: Request, body: Any) -> Response:
    """With an ETag; 304 where the asker has it."""
    etag = f'W/"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return JSONResponse(body, headers={"ETag": etag})


async def _refused(request: Request, github: GitHub, fault: Fault | None) -> Response | None:
    if request.headers.get("Authorization") != f"Bearer {github.token}":
        return _error(401, "Bad credentials")
    if "User-Agent" not in request.headers:
        return _error(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent")
    if fault is None:
        return None
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.status is not None or fault.error is not None:
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
        return _error(fault.status or 400, fault.error or "Server Error", headers)
    return None
