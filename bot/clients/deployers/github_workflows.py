"""The reasons why a workflow cannot be started.

They come from GitHub's words, and from the workflow and its file.
https://docs.github.com/en/rest/actions/workflows#get-a-workflow (`state`). The words of refused
dispatches, all with 422, stand in
https://github.com/benc-uk/workflow-dispatch/issues/72 (disabled) and …/issues/65 (no trigger),
https://github.com/Codex-/return-dispatch/issues/188 (inputs that are not declared) and
https://github.com/backstage/backstage/issues/18511 (one that is required).
"""

import asyncio
import contextlib
import re

from bot.clients.github import endpoints as calls
from bot.clients.github.client import GitHub, or_none, read
from bot.clients.github.models import Entry, Workflow
from bot.clients.http.errors import HttpError
from phases.ports.ports import PortError
from phases.text.wording import listed

FOLDER = ".github/workflows"
"""https://docs.github.com/en/actions/writing-workflows/workflow-syntax-for-github-actions"""
NEEDS = "the inputs release, commit, decision and hotfix (docs/github.md)"
LOOKS_SECONDS = 3.0
"""Somebody waits for the refusal: a reason that cannot be read so fast is left out."""
FILES_NAMED = 5

_STATES = {
    "disabled_manually": "was disabled by hand",
    "disabled_inactivity": "was disabled by GitHub for inactivity",
    "disabled_fork": "is disabled, because the repository is a fork",
}
_MISSING = re.compile(r"required input '([^']+)' not provided", re.IGNORECASE)


async def state_of(github: GitHub, repository: str, file: str) -> str | None:
    """Return what is wrong with a workflow, without a full stop; None where nothing is seen to be.

    Raises `PortError`.
    """
    branch = await github.default_branch(repository)
    where = f"the workflow {file} of {repository}"
    try:
        workflow = read(Workflow, await github.get(calls.WORKFLOW, repository, workflow_id=file))
    except HttpError as error:
        if error.status != 404:
            raise
        try:  # what has runs is known to GitHub for all that
            await github.get(calls.WORKFLOW_RUNS, repository, {"per_page": 1}, workflow_id=file)
        except HttpError as again:
            if again.status != 404:
                raise
            there = await _files(github, repository, branch)
            if there is None:
                return f"{repository} has no workflow {file}, or our token may not see it"
            return f"{repository} has no workflow {file}{_existing_workflows(there, branch)}"
        return None
    if workflow.state not in ("active", "deleted"):
        how = _STATES.get(workflow.state, f"is not active ({workflow.state})")
        return f"{where} {how}{_enable(file)}"
    there = await _files(github, repository, branch)
    if workflow.state == "deleted":
        return f"{where} was deleted{_existing_workflows(there, branch)}"
    if there is not None and file not in there:
        text = f"there is no {FOLDER}/{file} on {branch}, from where it is started"
        return f"{text}{_existing_workflows(there, branch)}"
    return None


def _enable(file: str) -> str:
    return f": enable it on GitHub (Actions, {file}, Enable workflow)"


async def why_not_started(
    github: GitHub, repository: str, file: str, branch: str, error: HttpError
) -> str:
    """Return the reason of a refused dispatch. Never raises: a reason may stay unknown."""
    words, low = error.said, error.said.lower()
    if "actions has been disabled" in low:
        mend = ": enable it on GitHub (Settings, Actions, General)" if "repository" in low else ""
        return f"GitHub Actions is disabled (“{words.rstrip('.')}”){mend}"
    if error.status not in (404, 422):
        return error.text
    if low.startswith("unexpected inputs"):
        return f"{file} on {branch} does not declare all inputs ({words}): it needs {NEEDS}"
    if (missing := _MISSING.search(words)) is not None:
        text = f"{file} on {branch} requires an input that the bot does not send, {missing[1]}"
        return f"{text}: it may require {NEEDS}"
    with contextlib.suppress(PortError, TimeoutError):
        async with asyncio.timeout(LOOKS_SECONDS):
            if (reason := await state_of(github, repository, file)) is not None:
                return reason
    if "disabled workflow" in low:
        return f"the workflow {file} of {repository} is disabled{_enable(file)}"
    if "workflow_dispatch" in low:
        return f"{file} on {branch} has no `workflow_dispatch` trigger: it needs one, with {NEEDS}"
    if error.status == 404:
        return f"{repository} has no workflow {file}, or our token may not see it"
    return error.text


async def _files(github: GitHub, repository: str, branch: str) -> list[str] | None:
    """Return the workflow files on a branch, or None where they cannot be seen."""
    asked = github.get(calls.CONTENTS, repository, {"ref": branch}, path=FOLDER)
    if (answer := await or_none(asked, 403, 404)) is None:
        return None
    rows = read(list[Entry], answer) if isinstance(answer, list) else ()
    return [row.name for row in rows if row.name.endswith((".yml", ".yaml"))]


def _existing_workflows(there: list[str] | None, branch: str) -> str:
    if there is None:
        return ""
    if not there:
        return f"; {branch} has no workflow at all"
    return f"; {branch} has {listed(there[:FILES_NAMED])}"
