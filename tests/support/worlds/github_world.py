"""The local GitHub over real HTTP.

Every request is checked against GitHub's own OpenAPI description.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.clients.deployers.github import GitHubDeployer
from bot.clients.github.client import GitHub as Client
from bot.clients.github.source import GitHubSource
from bot.store.dispatch_ledger import Dispatches
from bot.store.incident_store import Store
from phases.record.service import DeployWorkflow, ReleaseNames, Service
from sandbox.faults import Faults
from sandbox.github.api import github_app
from sandbox.github.state import REPOSITORY, TOKEN, GitHub
from tests.support.worlds.local_http import serving

SCHEMA = Path(__file__).parents[2] / "schemas" / "github" / "openapi-subset.json"
SHOP = Service(
    name="shop",
    repository=REPOSITORY,
    deployer="github",
    deploy=DeployWorkflow(),
    release=ReleaseNames(tag="v{version}", deploy="{version}"),
)


NEVER = (
    r"protection|admin|bypass|enforce|ruleset|force|/merges\b|mergePullRequest|mergeBranch|"
    r"AutoMerge|updateRef|dismiss"
)
"""No way past a gate: neither a call of REST nor a mutation."""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}?{self.query}"


class Recorder:
    """Keeps every request on its way to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.asked: list[Asked] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw, more, replayed = b"", True, False
        while more:
            message = await receive()
            raw, more = raw + message.get("body", b""), message.get("more_body", False)

        async def again() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": raw, "more_body": False}

        headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
        body = json.loads(raw) if raw else None
        asked = Asked(
            scope["method"],
            scope["raw_path"].decode(),
            scope["query_string"].decode(),
            headers,
            body,
        )
        self.asked.append(asked)
        await self.app(scope, again, send)


@dataclass
class World:
    github: GitHub
    faults: Faults
    client: Client
    deployer: GitHubDeployer
    source: GitHubSource
    recorder: Recorder
    url: str
    service: Service = field(default=SHOP)

    @property
    def asked(self) -> list[Asked]:
        return self.recorder.asked

    def sent(self, method: str, ending: str) -> list[Asked]:
        return [
            request
            for request in self.asked
            if request.method == method and request.path.endswith(ending)
        ]


@asynccontextmanager
async def github_world(store: Store) -> AsyncIterator[World]:
    """Three releases, the newest deployed.

    At the end every request is checked against the description and the forbidden calls.
    """
    github, faults = GitHub(), Faults()
    for number in (1, 2, 3):
        github.commit(f"{number:x}" * 40, f"Change {number} (#{number})", tag=f"v1.{number}.0")
    github.deploy("v1.2.0")
    github.deploy("v1.3.0")
    recorder = Recorder(github_app(github, faults))
    async with serving(recorder) as url:
        client = Client(url, TOKEN)
        yield World(
            github,
            faults,
            client,
            GitHubDeployer(client, Dispatches(store)),
            GitHubSource(client),
            recorder,
            url,
        )
        await client.aclose()
    for request in recorder.asked:
        held(request)


# --- GitHub's own description ---------------------------------------------------------------------


@cache
def description() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text())


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Return the paths, longer templates first.

    A path parameter is one segment; `path` and `ref` may be several.
    """
    several = {"{path}", "{ref}", "{basehead}"}
    patterns: list[tuple[re.Pattern[str], str]] = []
    for template in sorted(description()["paths"], key=len, reverse=True):
        parts = re.split(r"(\{\w+\})", template)
        pattern = "".join(
            (".+" if p in several and template.endswith(p) else "[^/]+")
            if p.startswith("{")
            else re.escape(p)
            for p in parts
        )
        patterns.append((re.compile(pattern), template))
    return patterns


def _resolved(value: Any) -> Any:
    """`$ref`s followed, and OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(value, list):
        return [_resolved(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target: Any = description()
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _resolved(target)
    made = {key: _resolved(v) for key, v in value.items()}
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def operation(method: str, path: str) -> Mapping[str, Any]:
    for pattern, template in _paths():
        if pattern.fullmatch(path) and method.lower() in description()["paths"][template]:
            return description()["paths"][template][method.lower()]
    raise AssertionError(f"GitHub's description knows no {method} {path}")


def held(request: Asked) -> None:
    """Check path, method, query, body, media type and version against the description.

    Forbidden calls fail.
    """
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2022-11-28"
    assert not re.search(NEVER, f"{request} {request.body}", re.IGNORECASE), (
        f"{request}: that is never done"
    )
    if request.path.endswith("/merge"):
        assert request.method == "PUT"
        assert re.fullmatch(r"/repos/[^/]+/[^/]+/pulls/\d+/merge", request.path)
        assert set(request.body) == {"sha", "merge_method"}, (
            "always at a head that somebody looked at, and nothing else"
        )
    if request.path == "/graphql":
        assert set(request.body) == {"query", "variables"}
        return
    known = operation(request.method, request.path)
    parameters = {
        p["name"]: p for p in map(_resolved, known.get("parameters", [])) if p["in"] == "query"
    }
    for name, text in parse_qsl(request.query, keep_blank_values=True):
        assert name in parameters, f"{request}: there is no parameter {name}"
        schema = parameters[name]["schema"]
        jsonschema.validate(int(text) if schema.get("type") == "integer" else text, schema)
    body = known.get("requestBody")
    if body is None:
        assert request.body is None, f"{request} has a body"
        return
    schema = _resolved(body["content"]["application/json"]["schema"])
    strange = set(request.body) - set(schema["properties"])
    assert not strange, f"{request}: the body knows no {strange}"
    jsonschema.validate(request.body, schema)
