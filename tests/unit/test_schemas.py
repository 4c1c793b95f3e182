"""The check of exchanges against descriptions.

It finds what does not fit, and accepts everything else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.schemas.graphql import Schema
from tests.schemas.openapi import Description

ISSUE = {
    "type": "object",
    "required": ["id", "owner"],
    "properties": {"id": {"type": "string"}, "owner": {"type": "string", "nullable": True}},
}
DESCRIPTION = {
    "openapi": "3.0.3",
    "paths": {
        "/issues/{id}/": {
            "put": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "field", "in": "query", "required": True, "schema": {"type": "array"}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Change"}}
                    },
                },
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Issue"}}
                        }
                    }
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Issue": ISSUE,
            "Change": {"type": "object", "properties": {"status": {"enum": ["resolved"]}}},
        }
    },
}
SDL = """
type Query { issue(id: String!): Issue! }
type Issue { id: ID! title: String! labels: [String!]! }
"""


def exchange(
    query: str = "field=a&limit=3", body: Any = None, answer: Any = None, status: int = 200
) -> dict[str, Any]:
    return {
        "query": query,
        "type": "application/json",
        "body": json.dumps({"status": "resolved"} if body is None else body),
        "status": status,
        "answer": json.dumps({"id": "7", "owner": None} if answer is None else answer),
    }


@pytest.mark.parametrize(
    ("recorded", "fault"),
    [
        (exchange(), ""),
        (exchange(query="field=a&field=b"), ""),
        (exchange(query="limit=3"), "query: field is missing"),
        (exchange(query="field=a&limit=many"), "query limit: str where type is integer"),
        (exchange(query="field=a&order=desc"), "query: there is no order"),
        (exchange(body={"status": "gone"}), "body: status: 'gone' is not one of ['resolved']"),
        (exchange(answer={"id": "7"}), "answer 200: 'owner' is a required property"),
        (exchange(answer={"id": 7, "owner": "x"}), "answer 200: id: int where type is string"),
        (exchange(status=201), "answer: 201 is not described"),
    ],
)
def test_an_exchange_is_held_to_its_operation(
    tmp_path: Path, recorded: dict[str, Any], fault: str
) -> None:
    file = tmp_path / "system.json"
    file.write_text(json.dumps(DESCRIPTION))
    description = Description(file, base="/api")
    assert description.operation("GET", "/api/issues/7/") is None
    known = description.operation("PUT", "/api/issues/7/")
    assert known is not None
    name, operation = known
    assert name == "PUT /issues/{id}/"
    faults = [
        *description.request_faults(operation, recorded),
        *description.answer_faults(operation, recorded),
    ]
    assert faults == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("document", "data", "fault"),
    [
        ('{ issue(id: "7") { id labels } }', {"issue": {"id": "7", "labels": ["a"]}}, ""),
        (
            '{ issue(id: "7") { name } }',
            None,
            "document: Cannot query field 'name' on type 'Issue'.",
        ),
        ('{ issue(id: "7") { id } }', {"issue": {}}, "answer: data.issue.id is missing"),
        (
            '{ issue(id: "7") { title } }',
            {"issue": {"title": None}},
            "answer: data.issue.title is null",
        ),
        (
            '{ issue(id: "7") { labels } }',
            {"issue": {"labels": [1]}},
            "answer: data.issue.labels[] is no String",
        ),
    ],
)
def test_a_graphql_exchange_is_held_to_the_schema(
    tmp_path: Path, document: str, data: Any, fault: str
) -> None:
    file = tmp_path / "linear.graphql"
    file.write_text(SDL)
    schema = Schema(file)
    recorded = {"body": json.dumps({"query": document}), "answer": json.dumps({"data": data})}
    assert [*schema.request_faults(recorded), *schema.answer_faults(recorded)] == (
        [fault] if fault else []
    )
