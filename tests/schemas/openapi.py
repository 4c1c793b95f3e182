"""An OpenAPI description (2.0, 3.0 or 3.1), and what of an exchange does not fit it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URN = "urn:description"
SEVERAL = ("{path}", "{ref}", "{basehead}", "{dir}")
"""GitHub's path parameters that may hold slashes."""
Json = dict[str, Any]


class Description:
    """One system's description. `base` is what stands before its paths in the local system."""

    def __init__(self, file: Path, base: str = "") -> None:
        self.document: Json = _adapted(json.loads(file.read_text()))
        self._base = base
        self._old = "swagger" in self.document
        resource = Resource(contents=self.document, specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(URN, resource)
        self._paths = [
            (_pattern(path), path)
            for path in sorted(self.document.get("paths", {}), key=lambda p: ("{" in p, -len(p)))
        ]

    def operation(self, method: str, path: str) -> tuple[str, Json] | None:
        """The operation's name and description, or None where the system does not describe it."""
        path = path.removeprefix(self._base)
        for pattern, template in self._paths:
            described = self.document["paths"][template]
            # Slack takes every method by GET and by POST, and describes one of the two. Source:
            # docs.slack.dev/apis/web-api
            known = described.get(method.lower()) or (
                self._old and (described.get("get") or described.get("post"))
            )
            if known and pattern.fullmatch(path):
                shared = described.get("parameters", [])
                return f"{method} {template}", {
                    **known,
                    "parameters": [*shared, *known.get("parameters", [])],
                }
        return None

    def request_faults(self, known: Json, exchange: Json) -> Iterator[str]:
        parameters = [self._resolved(parameter) for parameter in known.get("parameters", [])]
        query = parse_qsl(exchange["query"], keep_blank_values=True)
        if self._old:
            yield from self._form(parameters, query, exchange)
            return
        yield from self._fields([p for p in parameters if p["in"] == "query"], query, "query")
        body = self._resolved(known.get("requestBody", {}))
        if exchange["body"] and "multipart" not in exchange["type"]:
            kind = exchange["type"].split(";")[0]
            content = body.get("content", {})
            schema = content.get(kind, {}).get("schema") or content.get("application/json", {}).get(
                "schema"
            )
            if schema is None:
                yield f"body: none is described as {kind}"
            elif "json" in kind:
                yield from self._against(schema, json.loads(exchange["body"]), "body")
        elif body.get("required") and "multipart" not in exchange["type"]:
            yield "body: missing"

    def _form(
        self, parameters: list[Json], query: list[tuple[str, Any]], exchange: Json
    ) -> Iterator[str]:
        """Slack takes a parameter from the query, from a form and from JSON alike."""
        kind = exchange["type"].split(";")[0]
        if kind == "application/json":
            sent = json.loads(exchange["body"] or "{}")
            # Sent as JSON, what is JSON inside a form stands there as itself.
            given = [
                (name, json.dumps(v) if isinstance(v, dict | list) else v)
                for name, v in sent.items()
            ]
        else:
            given = parse_qsl(exchange["body"], keep_blank_values=True)
        yield from self._fields(
            [p for p in parameters if p["in"] in ("formData", "query")], [*query, *given], "form"
        )

    def _fields(self, known: list[Json], given: list[tuple[str, Any]], where: str) -> Iterator[str]:
        by_name = {each["name"]: each for each in known}
        values: dict[str, list[Any]] = {}
        for name, value in given:
            values.setdefault(name if name in by_name else name.removesuffix("[]"), []).append(
                value
            )
        for name, parameter in by_name.items():
            if parameter.get("required") and name not in values and name != "token":
                yield f"{where}: {name} is missing"
        for name, sent in values.items():
            if name not in by_name:
                yield f"{where}: there is no {name}"
            else:
                schema = by_name[name].get("schema") or {
                    k: v for k, v in by_name[name].items() if k in ("type", "enum")
                }
                yield from self._against(
                    schema, _typed(self._resolved(schema), sent), f"{where} {name}"
                )

    def answer_faults(self, known: Json, exchange: Json) -> Iterator[str]:
        status = str(exchange["status"])
        responses = known.get("responses", {})
        response = responses.get(status) or responses.get(f"{status[0]}XX")
        if response is None and status[0] == "2":
            response = None if self._old else responses.get("default")
            if response is None:
                yield f"answer: {status} is not described"
        if response is None:
            return  # what is said of errors is mostly left out of descriptions
        response = self._resolved(response)
        schema = response.get("schema") or response.get("content", {}).get(
            "application/json", {}
        ).get("schema")
        if schema is None:
            return
        try:
            answer = json.loads(exchange["answer"])
        except ValueError:
            yield f"answer {status}: not JSON"
            return
        if self._old and not answer.get("ok"):
            return
        yield from self._against(schema, answer, f"answer {status}")

    def webhook_faults(self, event: str, body: str) -> Iterator[str] | None:
        """Return no faults if the event is not described.

        GitHub describes each action of an event by itself.
        """
        sent = json.loads(body)
        name = event.replace("_", "-")
        hooks = self.document.get("webhooks", {})
        hook = hooks.get(f"{name}-{str(sent.get('action', '')).replace('_', '-')}") or hooks.get(
            name
        )
        if hook is None:
            return None
        schema = hook["post"]["requestBody"]["content"]["application/json"]["schema"]
        return self._against(schema, sent, f"webhook {event}")

    def _against(self, schema: Json, value: Any, where: str) -> Iterator[str]:
        validator = Draft202012Validator(schema, registry=self._registry)
        for error in validator.iter_errors(value):
            # Of alternatives the one that was meant: not null, and read furthest.
            while error.context:
                meant = [
                    cause for cause in error.context if cause.validator_value != "null"
                ] or error.context
                error = max(meant, key=lambda cause: len(cause.absolute_path))
            place = "/".join(
                "*" if isinstance(step, int) else str(step) for step in error.absolute_path
            )
            yield f"{where}: {place + ': ' if place else ''}{_error_text(error)}"

    def _resolved(self, value: Json) -> Json:
        while "$ref" in value:
            node: Any = self.document
            for step in value["$ref"].removeprefix(f"{URN}#/").split("/"):
                node = node[step.replace("~1", "/").replace("~0", "~")]
            value = node
        return value


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", template)
    several = {part for part in parts if part in SEVERAL and template.endswith(part)}
    regex = "".join(
        (".+" if part in several else "[^/]+") if part.startswith("{") else re.escape(part)
        for part in parts
    )
    return re.compile(regex)


def _typed(schema: Mapping[str, Any], texts: list[Any]) -> Any:
    """Return a query's or form's text as the schema's type, or as it is where it fits none."""
    kinds = schema.get("type")
    kinds = {kinds} if isinstance(kinds, str) else set(kinds or ())
    if "array" in kinds:
        return [_typed(schema.get("items", {}), [text]) for text in texts]
    text = texts[-1]
    if not isinstance(text, str):
        return text
    if "boolean" in kinds and text in ("true", "false", "1", "0"):
        return text in ("true", "1")
    if kinds & {"integer", "number"} and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return unquote(text) if "%" in text else text


def _error_text(error: ValidationError) -> str:
    """The fault without the value, so that the same fault twice is one line."""
    if error.validator in ("required", "additionalProperties", "enum", "const"):
        return error.message[:160]
    return (
        f"{type(error.instance).__name__} where {error.validator} is "
        f"{str(error.validator_value)[:80]}"
    )


@cache
def _nullable(kind: str) -> list[str]:
    return [kind, "null"]


def _adapted(value: Any) -> Any:
    """References made absolute, and OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(value, list):
        return [_adapted(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _adapted(item) for key, item in value.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#/", f"{URN}#/", 1)
    if made.pop("nullable", False) is True or made.pop("x-nullable", False) is True:
        if isinstance(made.get("type"), str):
            made["type"] = _nullable(made["type"])
            if "enum" in made and None not in made["enum"]:
                made["enum"] = [*made["enum"], None]
        else:
            made = {"anyOf": [made, {"type": "null"}]}
    made.pop("discriminator", None)
    return made
