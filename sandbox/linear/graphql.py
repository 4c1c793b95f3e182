"""As much of GraphQL as an emulator needs: the root fields of one operation, their arguments, and the shape that was asked for.

https://spec.graphql.org/October2021/#sec-Language. Inline fragments count as their fields; no named fragments, no directives, no type system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'#[^\n]*|[\s,]+|("""(?:.|\n)*?"""|"(?:\\.|[^"\\])*"|\.\.\.|[!$():=@\[\]{}|&]|[\w.+-]+)')


class BadDocument(ValueError):
    """The document cannot be read."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One selected field; `alias` is its key in the answer."""

    alias: str
    name: str
    arguments: Mapping[str, Any]
    fields: Sequence[Selected]


def root_fields(document: str, variables: Mapping[str, Any]) -> list[Selected]:
    """The root fields of the document's one operation, with variables filled in. Raises `BadDocument`."""
    tokens = _tokens(document)
    reader = _Reader(tokens, variables)
    if reader.peek() in ("query", "mutation"):
        while reader.peek() != "{":
            reader.take()
    fields = reader.selection()
    if reader.peek():
        raise BadDocument(f"Syntax Error: Unexpected {reader.peek()!r}.")
    return fields


def shaped(value: Any, fields: Sequence[Selected]) -> Any:
    """`value` cut down to what was asked for. Raises `BadDocument` for a field that is not there."""
    if not fields or value is None:
        return value
    if isinstance(value, list):
        return [shaped(item, fields) for item in value]
    answer: dict[str, Any] = {}
    for field in fields:
        if field.name not in value:
            raise BadDocument(f'Cannot query field "{field.name}".')
        answer[field.alias] = shaped(value[field.name], field.fields)
    return answer


def _tokens(document: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(document):
        match = _TOKEN.match(document, position)
        if match is None:
            raise BadDocument(f"Syntax Error: Unexpected character {document[position]!r}.")
        if match.group(1):
            found.append(match.group(1))
        position = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[str], variables: Mapping[str, Any]) -> None:
        self._tokens = tokens
        self._at = 0
        self._variables = variables

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise BadDocument(f"Syntax Error: Expected {expected or 'something'!r}, found {token or 'the end'!r}.")
        self._at += 1
        return token

    def selection(self) -> list[Selected]:
        self.take("{")
        fields: list[Selected] = []
        while self.peek() != "}":
            if self.peek() == "...":
                self.take()
                self.take("on")
                self.take()
                fields.extend(self.selection())
                continue
            alias = name = self.take()
            if self.peek() == ":":
                self.take()
                name = self.take()
            arguments = self.arguments() if self.peek() == "(" else {}
            fields.append(Selected(alias, name, arguments, self.selection() if self.peek() == "{" else ()))
        self.take("}")
        return fields

    def arguments(self, close: str = ")") -> dict[str, Any]:
        self.take()
        found: dict[str, Any] = {}
        while self.peek() != close:
            name = self.take()
            self.take(":")
            found[name] = self.value()
        self.take(close)
        return found

    def value(self) -> Any:
        token = self.peek()
        match token:
            case "{":
                return self.arguments("}")
            case "[":
                self.take()
                items: list[Any] = []
                while self.peek() != "]":
                    items.append(self.value())
                self.take("]")
                return items
            case "$":
                self.take()
                return self._variables.get(self.take())
            case "true" | "false" | "null":
                self.take()
                return {"true": True, "false": False, "null": None}[token]
        self.take()
        if token.startswith('"'):
            return token.strip('"').replace('\\"', '"').replace("\\n", "\n")
        return int(token) if token.lstrip("-").isdecimal() else token
