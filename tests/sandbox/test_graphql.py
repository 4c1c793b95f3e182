"""The local Linear and GitHub refuse documents and variables that do not fit their schemas."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from sandbox.faults import Faults
from sandbox.github.api import github_app
from sandbox.github.state import TOKEN, GitHub, Pull
from sandbox.linear.api import linear_app
from sandbox.linear.state import API_KEY, Linear

CREATE = "mutation Open($input: IssueCreateInput!) { issueCreate(input: $input) { success } }"


async def post(
    app: Starlette, document: str, variables: dict[str, Any], headers: dict[str, str]
) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        verify=False, transport=transport, base_url="http://local"
    ) as http:
        body = {"query": document, "variables": variables}
        return await http.post("/graphql", json=body, headers=headers)


@pytest.mark.parametrize(
    ("document", "given", "refusal"),
    [
        ("{ viewer { nickname } }", {}, "Cannot query field 'nickname' on type 'User'."),
        ("{ issues(filter: {id: {like: 1}}) { nodes { id } } }", {}, "like"),
        ("{ viewer", {}, "Syntax Error: Expected Name, found <EOF>."),
        (CREATE, {"teamId": "t", "labels": []}, "labels"),
        (CREATE, {"teamId": "t", "priority": "high"}, "Int"),
        (CREATE, {"title": "x"}, "teamId"),
    ],
)
async def test_linear_refuses_what_is_not_in_its_schema(
    document: str, given: dict[str, Any], refusal: str
) -> None:
    answer = await post(
        linear_app(Linear(), Faults()), document, {"input": given}, {"Authorization": API_KEY}
    )
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert refusal in error["message"]


@pytest.mark.parametrize(
    ("inside", "refusal"),
    [
        (
            "pullRequests(first: 5) { nodes { assignee } }",
            "Cannot query field 'assignee' on type 'PullRequest'.",
        ),
        ("pullRequests { nodes { number } }", "You must provide a `first` or `last` value"),
        ('pullRequest(number: "7") { number }', "Int cannot represent non-integer value"),
        (
            (
                'object(expression: "main") { ... on Commit { blame(path: "x") { ranges { '
                "startingLine } } } }"
            ),
            "path 'x'",
        ),
    ],
)
async def test_github_refuses_what_is_not_in_its_schema(inside: str, refusal: str) -> None:
    github = GitHub()
    github.commit("a" * 40)
    github.pulls.append(Pull(7, "Rates", "a" * 40, "rates"))
    document = f'{{ repository(owner: "acme", name: "shop") {{ {inside} }} }}'
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "test"}
    answer = await post(github_app(github, Faults()), document, {}, headers)
    assert answer.status_code == 200
    assert refusal in answer.json()["errors"][0]["message"]
