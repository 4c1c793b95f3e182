"""GraphQL for the emulated systems: documents are checked against a schema and carried out.

https://spec.graphql.org/October2021/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    parse,
    validate,
)


class BadDocument(ValueError):
    """A document cannot be read, does not fit the schema, or comes with variables that do not."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The one operation of a document. `root_field` is the first thing that it asks for or does."""

    text: str
    document: DocumentNode
    kind: str
    root_field: str


@lru_cache(maxsize=128)
def read_operation(text: str) -> Operation:
    """Raises `BadDocument`."""
    try:
        document = parse(text)
    except GraphQLError as error:
        raise BadDocument(error.message) from error
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            first = definition.selection_set.selections[0]
            if isinstance(first, FieldNode):
                return Operation(text, document, definition.operation.value, first.name.value)
    raise BadDocument("Must provide an operation.")


def carry_out(
    schema: GraphQLSchema, operation: Operation, root: object, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the data of the answer. A field is an attribute of `root`, or a key of its values.

    A callable field is called with the execution's information and the field's arguments.
    Raises `BadDocument`, or the first error that a field raised.
    """
    if fault := _fault(schema, operation.text):
        raise BadDocument(fault)
    result = execute_sync(schema, operation.document, root, variable_values=dict(variables))
    if result.errors:
        first = result.errors[0]
        cause = first.original_error
        if cause is None or isinstance(cause, GraphQLError):
            raise BadDocument(first.message)
        raise cause
    return result.data or {}


@lru_cache(maxsize=128)
def _fault(schema: GraphQLSchema, text: str) -> str:
    """Return what is wrong with a document; clients send the same few of them again and again."""
    faults = validate(schema, read_operation(text).document)
    return faults[0].message if faults else ""
