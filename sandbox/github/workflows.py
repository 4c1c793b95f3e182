"""Endpoints of GitHub Actions. https://docs.github.com/en/rest/actions"""

from __future__ import annotations

from sandbox.github.call import Call, Endpoint, not_found
from sandbox.github.shapes import address, run_row, workflow_row
from sandbox.wire import Json


def workflow(call: Call) -> Json:
    known = call.github.workflows.get(call.path("workflow"))
    if known is None:
        raise not_found()
    return workflow_row(call.github, known)


def dispatch(call: Call) -> Json | None:
    run = call.github.dispatch(call.path("workflow"), call.body)
    if not (call.github.details and call.body.get("return_run_details")):
        return None
    url = address(call.github, f"actions/runs/{run.id}")
    return {"workflow_run_id": run.id, "run_url": url, "html_url": url}


def runs(call: Call) -> Json:
    file = call.path("workflow")
    if file not in call.github.workflows:
        raise not_found()
    rows = [
        run_row(call.github, run)
        for run in reversed(call.github.runs)
        if run.workflow == file and not run.hidden
    ]
    return {"total_count": len(rows), "workflow_runs": call.page(rows)}


def run(call: Call) -> Json:
    for known in call.github.runs:
        if known.id == call.path("id") and not known.hidden:
            return run_row(call.github, known)
    raise not_found()


_WORKFLOW = "/actions/workflows/{workflow}"
ENDPOINTS = (
    Endpoint("workflow", "GET", _WORKFLOW, workflow),
    Endpoint("dispatch", "POST", f"{_WORKFLOW}/dispatches", dispatch, waits_for_work=False),
    Endpoint("runs", "GET", f"{_WORKFLOW}/runs", runs),
    Endpoint("run", "GET", "/actions/runs/{id:int}", run),
)
