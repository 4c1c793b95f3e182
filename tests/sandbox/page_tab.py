"""A tab of the sandbox's page without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from sandbox.page.model import Panel
from sandbox.page.routes import Page
from sandbox.page.slack_view import SlackView
from sandbox.slack.channels import ALICE
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.workspace import Workspace
from tests.support.worlds.local_http import serving


class QuietPanel:
    def panel(self) -> Panel:
        return Panel()

    def rate(self) -> list[tuple[float, float]]:
        return [(0.0, 0.0), (2.0, 0.0)]

    def marks(self) -> list[tuple[float, str]]:
        return []

    def log(self) -> str:
        return ""

    async def act(self, verb: str, on: bool) -> str | None:
        return None


class Tab:
    """A browser's tab without the browser."""

    def __init__(self, http: httpx.AsyncClient, workspace: Workspace) -> None:
        self.http = http
        self.workspace = workspace

    async def part(self, name: str, **query: str) -> str:
        answer = await self.http.get("/page/parts", params={"me": ALICE, "want": name, **query})
        return str(answer.json()["html"][name])

    async def do(self, what: str, **body: Any) -> dict[str, Any]:
        return (
            await self.http.post(
                f"/page/{what}", json={"me": ALICE, **body}, headers={"X-Sandbox-Page": "1"}
            )
        ).json()


@asynccontextmanager
async def open_tab() -> AsyncIterator[Tab]:
    workspace = Workspace()
    delivery = Delivery(
        workspace, request_url="http://127.0.0.1:1/slack/events", signing_secret="s"
    )
    page = Page(SlackView(workspace, delivery), QuietPanel())
    async with (
        serving(Starlette(routes=page.routes())) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http,
    ):
        yield Tab(http, workspace)
        page.close()
