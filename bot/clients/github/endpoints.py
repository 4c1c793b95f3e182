"""Every REST call that may be made to GitHub, with the permission that it needs.

The client can make no other. Paths, methods, parameters: https://docs.github.com/en/rest.
Permissions as fine-grained tokens and GitHub Apps name them:
https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
Nothing here merges past a gate or touches the protection of a branch, and nothing shall (rules:
Hotfix).
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Call:
    """`path` below `/repos/{owner}/{repo}`; what is in braces is filled in, quoted."""

    method: Literal["GET", "POST", "PUT"]
    path: str
    permission: str

    @property
    def whole_path(self) -> str:
        return f"/repos/{{owner}}/{{repo}}{self.path}"


REPOSITORY = Call("GET", "", "Metadata: read")
RELEASES = Call("GET", "/releases", "Contents: read")
TAGS = Call("GET", "/tags", "Contents: read")
GIT_REF = Call("GET", "/git/ref/{ref}", "Contents: read")
TREE = Call("GET", "/git/trees/{tree_sha}", "Contents: read")
COMPARE = Call("GET", "/compare/{basehead}", "Contents: read")
COMMIT = Call("GET", "/commits/{ref}", "Contents: read")
COMMIT_PULLS = Call("GET", "/commits/{commit_sha}/pulls", "Pull requests: read")
CHECK_RUNS = Call("GET", "/commits/{ref}/check-runs", "Checks: read")
COMBINED_STATUS = Call("GET", "/commits/{ref}/status", "Commit statuses: read")
CONTENTS = Call("GET", "/contents/{path}", "Contents: read")
DEPLOYMENTS = Call("GET", "/deployments", "Deployments: read")
DEPLOYMENT_STATUSES = Call("GET", "/deployments/{deployment_id}/statuses", "Deployments: read")
CREATE_DEPLOYMENT = Call("POST", "/deployments", "Deployments: write")
WORKFLOW = Call("GET", "/actions/workflows/{workflow_id}", "Actions: read")
DISPATCH = Call("POST", "/actions/workflows/{workflow_id}/dispatches", "Actions: write")
WORKFLOW_RUNS = Call("GET", "/actions/workflows/{workflow_id}/runs", "Actions: read")
WORKFLOW_RUN = Call("GET", "/actions/runs/{run_id}", "Actions: read")
PULLS = Call("GET", "/pulls", "Pull requests: read")
PULL = Call("GET", "/pulls/{pull_number}", "Pull requests: read")
MERGE = Call("PUT", "/pulls/{pull_number}/merge", "Pull requests: write and Contents: write")
"""The ordinary merge, always with the head `sha`. It obeys the branch's protection."""
CREATE_REF = Call("POST", "/git/refs", "Contents: write")
PUT_CONTENTS = Call("PUT", "/contents/{path}", "Contents: write")
CREATE_PULL = Call("POST", "/pulls", "Pull requests: write")
