"""Linear's public schema, and what of an exchange does not fit it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    get_named_type,
    is_composite_type,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode

Json = dict[str, Any]


class Schema:
    """`name` of an operation is what its document calls itself."""

    def __init__(self, file: Path) -> None:
        self._schema: GraphQLSchema = build_schema(file.read_text(), assume_valid=True)

    def request_faults(self, exchange: Json) -> Iterator[str]:
        sent = json.loads(exchange["body"])
        document = parse(sent["query"])
        for error in validate(self._schema, document):
            yield f"document: {error.message}"
        operation = _operation(document.definitions)
        given = get_variable_values(
            self._schema, operation.variable_definitions or (), sent.get("variables") or {}
        )
        for error in given if isinstance(given, list) else getattr(given, "errors", None) or ():
            yield f"variables: {error.message}"

    def answer_faults(self, exchange: Json) -> Iterator[str]:
        sent, answer = json.loads(exchange["body"]), json.loads(exchange["answer"])
        if not isinstance(answer.get("data"), dict):
            return
        document = parse(sent["query"])
        operation = _operation(document.definitions)
        fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        root = self._schema.get_root_type(operation.operation)
        yield from self._shape(root, operation.selection_set, answer["data"], fragments, "data")

    def _shape(
        self, type: Any, selected: SelectionSetNode | None, value: Any, fragments: Json, where: str
    ) -> Iterator[str]:
        if isinstance(type, GraphQLNonNull):
            if value is None:
                yield f"answer: {where} is null"
                return
            type = type.of_type
        if value is None:
            return
        if isinstance(type, GraphQLList):
            if not isinstance(value, list):
                yield f"answer: {where} is no list"
                return
            for item in value:
                yield from self._shape(type.of_type, selected, item, fragments, f"{where}[]")
            return
        if selected is None or not is_composite_type(type):
            yield from _leaf(type, value, where)
            return
        fields = dict(_fields(selected, fragments))
        for name in set(value) - set(fields):
            yield f"answer: {where}.{name} was not asked for"
        for name, node in fields.items():
            if name not in value:
                yield f"answer: {where}.{name} is missing"
            elif node.name.value != "__typename":
                known = type.fields[node.name.value].type
                yield from self._shape(
                    known, node.selection_set, value[name], fragments, f"{where}.{name}"
                )


def _operation(definitions: Any) -> OperationDefinitionNode:
    return next(
        definition for definition in definitions if isinstance(definition, OperationDefinitionNode)
    )


def operation_name(exchange: Json) -> str:
    operation = _operation(parse(json.loads(exchange["body"])["query"]).definitions)
    fields = [
        field.name.value
        for field in operation.selection_set.selections
        if isinstance(field, FieldNode)
    ]
    return f"{operation.operation.value} {' '.join(fields)}"


def _fields(selected: SelectionSetNode, fragments: Json) -> Iterator[tuple[str, FieldNode]]:
    for node in selected.selections:
        if isinstance(node, FieldNode):
            yield node.alias.value if node.alias else node.name.value, node
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(fragments[node.name.value].selection_set, fragments)
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, fragments)


def _leaf(type: Any, value: Any, where: str) -> Iterator[str]:
    named = get_named_type(type)
    if isinstance(named, GraphQLEnumType):
        if value not in named.values:
            yield f"answer: {where} is no {named.name}"
        return
    kinds = {
        "String": str,
        "ID": str,
        "Boolean": bool,
        "Int": int,
        "Float": int | float,
        "DateTime": str,
    }
    wanted = kinds.get(named.name)
    if wanted is not None and (
        not isinstance(value, wanted) or (named.name != "Boolean" and isinstance(value, bool))
    ):
        yield f"answer: {where} is no {named.name}"
