"""GitHub on the wire, as its OpenAPI description has it: https://github.com/github/rest-api-description

Every request is one call `github.<operation>` to the faults: `github.dispatch`, `github.runs`, `github.graphql`, …
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.github.shapes import (
    address,
    commit_row,
    deployment_row,
    file_row,
    pull_row,
    root,
    run_row,
    tree_rows,
    workflow_row,
)
from sandbox.github.state import GitHub, GitHubRefusal, Pull, blob_sha
from sandbox.linear.graphql import BadDocument, root_fields
from sandbox.slack.api import lose_answer

MERGE_KINDS = ("merge_commit", "squash_merge", "rebase_merge")
BESIDE_THE_TREE = frozenset({"create_deployment", "create_status"})
"""A deploy tells of itself while the developer who started it still works in the tree, and waits for it."""
SHOWN_OF_A_FILE = 1024 * 1024
"""https://docs.github.com/en/rest/repos/contents#get-repository-content: a larger one comes without its content."""
WORKFLOWS = ".github/workflows"
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
            await github.refresh()
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
        if number * size < len(rows):
            request.state.link = f'<{request.url.include_query_params(page=number + 1)}>; rel="next"'
        elif number > 1:
            request.state.link = f'<{request.url.include_query_params(page=number - 1)}>; rel="prev"'
        return list(rows[(number - 1) * size : number * size])

    def repository(request: Request) -> Any:
        allowed = {f"allow_{kind}": kind.partition("_")[0] in github.merge_methods for kind in MERGE_KINDS}
        how = {"default_branch": github.default_branch, "archived": github.archived, "disabled": False}
        return {"full_name": github.repository, **how, **allowed}

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
        sha = github.tags.get(short) if kind == "tags" else github.head(short) if kind == "heads" else None
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
            "commits": page(request, [commit_row(github, c, files=False) for c in found]),
            "files": [file_row(f) for f in files] if first else [],
        }

    def commit(request: Request) -> Any:
        sha = github.resolve(request.path_params["ref"])
        found = next((c for c in github.commits if c.sha == sha), None)
        if found is None:
            raise GitHubRefusal(422, f"No commit found for SHA: {request.path_params['ref']}")
        return commit_row(github, found)

    def commit_pulls(request: Request) -> Any:
        number = next((c.pull for c in github.commits if c.sha == request.path_params["sha"]), None)
        return [] if number is None else [{"number": number, "html_url": address(github, f"pull/{number}")}]

    def contents(request: Request) -> Any:
        sha = github.resolve(request.query_params.get("ref", github.default_branch))
        path = request.path_params["path"]
        text = github.files.get((sha or "", path))
        inside = [name for at, name in github.files if at == sha and name.startswith(f"{path}/")]
        if path == WORKFLOWS and sha == github.resolve(github.default_branch):
            there = [w for w in github.workflows.values() if w.state != "deleted"]
            inside += [f"{WORKFLOWS}/{w.file}" for w in there if w.branch in (None, github.default_branch)]
        if text is None and not inside:
            raise GitHubRefusal(404, "Not Found")
        if text is None:
            # One level, folders as such, never more than 1,000: docs.github.com/en/rest/repos/contents
            below = [name.removeprefix(f"{path}/").partition("/") for name in sorted(inside)]
            rows = {name: "dir" if more else "file" for name, more, _ in below}
            prefix = f"{path}/" if path else ""
            return [{"name": name, "path": f"{prefix}{name}", "type": kind} for name, kind in rows.items()][:1000]
        large = len(text) > SHOWN_OF_A_FILE
        content = "" if large else base64.encodebytes(text.encode()).decode()
        return {"type": "file", "sha": blob_sha(text), "encoding": "none" if large else "base64", "content": content}

    def tree(request: Request) -> Any:
        """https://docs.github.com/en/rest/git/trees#get-a-tree; only the recursive one is known here."""
        sha = github.resolve(request.path_params["sha"])
        if sha is None:
            raise GitHubRefusal(404, "Not Found")
        return tree_rows(github, sha)

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

    def create_deployment(request: Request, body: Any) -> Any:
        """https://docs.github.com/en/rest/deployments/deployments#create-a-deployment"""
        sha = github.resolve(str(body["ref"]))
        if sha is None:
            raise GitHubRefusal(422, f"No ref found for: {body['ref']}")
        environment = str(body.get("environment") or "production")
        made = github.open_deployment(
            str(body["ref"]), sha, environment, body.get("payload") or {}, who(github, request)
        )
        return deployment_row(made)

    def create_status(request: Request, body: Any) -> Any:
        found = next((d for d in github.deployments if d.id == request.path_params["id"]), None)
        if found is None:
            raise GitHubRefusal(404, "Not Found")
        github.say_status(found, str(body["state"]))
        return {"state": body["state"], "created_at": found.statuses[-1][1].isoformat()}

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
        sha = github.merge(found, who(github, request) or "somebody")
        return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}

    def writes(operation: str, path: str, method: str, do: Callable[[Request, Any], Any], status: int) -> Route:
        async def write(request: Request) -> Response:
            fault = faults.take(f"github.{operation}")
            if (refused := await _refused(request, github, fault)) is not None:
                return refused
            if github.archived:
                return _archived()
            await github.refresh()
            asked = await request.json()
            try:
                async with nullcontext() if operation in BESIDE_THE_TREE else github.working():
                    answer = do(request, asked)
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
        fault, body = faults.take("github.dispatch"), await request.json()
        if (refused := await _refused(request, github, fault)) is not None:
            return refused
        if github.archived:
            return _archived()
        try:
            run = github.dispatch(request.path_params["workflow"], body)
        except GitHubRefusal as error:
            return _error(error.status, error.message)
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        if not (github.details and body.get("return_run_details")):
            return Response(status_code=204)
        url = address(github, f"actions/runs/{run.id}")
        return JSONResponse({"workflow_run_id": run.id, "run_url": url, "html_url": url})

    def workflow(request: Request) -> Any:
        found = github.workflows.get(request.path_params["workflow"])
        if found is None:
            raise GitHubRefusal(404, "Not Found")
        return workflow_row(github, found)

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
        await github.refresh()
        try:
            fields = root_fields(asked["query"], asked.get("variables") or {})
            async with github.working():
                answer = JSONResponse({"data": {f.alias: root(github, f) for f in fields}})
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
            route("tree", "/git/trees/{sha:path}", tree),
            route("contents", "/contents/{path:path}", contents),
            writes("put_contents", "/contents/{path:path}", "PUT", put_contents, 201),
            writes("create_ref", "/git/refs", "POST", create_ref, 201),
            route("pulls", "/pulls", pulls),
            writes("create_pull", "/pulls", "POST", create_pull, 201),
            route("pull", "/pulls/{number:int}", pull),
            writes("merge", "/pulls/{number:int}/merge", "PUT", merge, 200),
            route("deployments", "/deployments", deployments),
            writes("create_deployment", "/deployments", "POST", create_deployment, 201),
            writes("create_status", "/deployments/{id:int}/statuses", "POST", create_status, 201),
            route("deployment_statuses", "/deployments/{id:int}/statuses", statuses),
            Route(f"/repos/{github.repository}/actions/workflows/{{workflow}}/dispatches", dispatch, methods=["POST"]),
            route("workflow", "/actions/workflows/{workflow}", workflow),
            route("runs", "/actions/workflows/{workflow}/runs", runs),
            route("run", "/actions/runs/{id:int}", run),
            Route("/graphql", graphql, methods=["POST"]),
        ],
        exception_handlers={404: _not_found},
    )


# --- answers ---------------------------------------------------------------------------------------------------


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"message": message, "documentation_url": "https://docs.github.com/rest"}, status, headers)


def _archived() -> Response:
    """Nothing can be written there: https://docs.github.com/en/repositories/archiving-a-github-repository/archiving-repositories"""
    return _error(403, "Repository was archived so is read-only.")


def _numbered(github: GitHub, request: Request) -> Pull:
    found = next((p for p in github.pulls if p.number == request.path_params["number"]), None)
    if found is None:
        raise GitHubRefusal(404, "Not Found")
    return found


async def _not_found(request: Request, error: Exception) -> Response:
    return _error(404, "Not Found")


def _conditional(request: Request, body: Any) -> Response:
    """With an ETag; 304 where the asker has it. `Link` where there are more pages than one:
    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
    more = {"Link": request.state.link} if hasattr(request.state, "link") else {}
    etag = f'W/"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers={"ETag": etag, **more})
    return JSONResponse(body, headers={"ETag": etag, **more})


def who(github: GitHub, request: Request) -> str | None:
    """Whose token a request carries."""
    return github.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))


async def _refused(request: Request, github: GitHub, fault: Fault | None) -> Response | None:
    if who(github, request) is None:
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
