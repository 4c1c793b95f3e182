"""Calls of GitHub's REST API, and the endpoints that answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from sandbox.github.state import GitHub, GitHubRefusal
from sandbox.wire import Json


def not_found() -> GitHubRefusal:
    return GitHubRefusal(404, "Not Found")


@dataclass(slots=True)
class Call:
    """One request. `link` is the header that names the page beside the answered one."""

    github: GitHub
    request: Request
    body: Json = field(default_factory=dict[str, Any])
    link: str = ""

    def path(self, name: str) -> Any:
        return self.request.path_params[name]

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def caller(self) -> str:
        """Return the login of the token that the request carries; empty where it is not known."""
        return caller_of(self.github, self.request)

    def page(self, rows: Sequence[Any]) -> list[Any]:
        """Return the rows of the page that is asked for.

        https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
        """
        size, number = min(int(self.query("per_page", "30")), 100), int(self.query("page", "1"))
        if number * size < len(rows):
            self.link = f'<{self.request.url.include_query_params(page=number + 1)}>; rel="next"'
        elif number > 1:
            self.link = f'<{self.request.url.include_query_params(page=number - 1)}>; rel="prev"'
        return list(rows[(number - 1) * size : number * size])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path below `/repos/<owner>/<name>`; `name` is what faults call it.

    `answer` returns the body, None for an empty one, and raises `GitHubRefusal`.
    """

    name: str
    method: str
    path: str
    answer: Callable[[Call], Any]
    status: int = 200
    waits_for_work: bool = True
    """A write waits until no developer works in the repository's tree."""


def caller_of(github: GitHub, request: Request) -> str:
    return github.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "), "")
