"""HTTP of the page: the page, its parts, the stream of changes, and the acts of people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.page.model import Panel, PanelSource
from sandbox.page.render import environment, fingerprint
from sandbox.page.slack_view import APP, SlackView
from sandbox.slack.errors import ClientRefused, SlackError
from sandbox.wire import Json

_STATIC = Path(__file__).parent / "static"
_BEAT_SECONDS = 1.0
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class Page:
    """The page over one workspace (`slack`) and the world around it (`panel`)."""

    def __init__(self, slack: SlackView, panel: PanelSource) -> None:
        self.slack = slack
        self.panel = panel
        self._env = environment(slack)
        self._closing = False
        self._queues: set[asyncio.Queue[tuple[str, Json]]] = set()

    def close(self) -> None:
        """End every open stream, so that the server can stop."""
        self._closing = True
        for queue in self._queues:
            queue.put_nowait(("", {}))

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.whole),
            Route("/page/parts", self.parts),
            Route("/page/stream", self.stream),
            Route("/page/log", self.log),
            *(
                Route(f"/page/{name}", self._act(act), methods=["POST"])
                for name, act in (
                    ("say", self._say),
                    ("press", self._press),
                    ("submit", self._submit),
                    ("close", self._close_view),
                    ("shortcut", self._shortcut),
                    ("pin", self._pin),
                    ("react", self._react),
                    ("edit", self._edit),
                    ("delete", self._delete),
                    ("dismiss", self._dismiss),
                    ("home", self._home),
                    ("world", self._world),
                )
            ),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]

    # Reading

    async def whole(self, request: Request) -> Response:
        context = self._context(request)
        body = self._env.get_template("page.html").render(context)
        return HTMLResponse(
            body, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
        )

    async def parts(self, request: Request) -> Response:
        """Some parts of the page, and their channel, which is another one if it is not visible."""
        context = self._context(request)
        wanted = [
            name for name in request.query_params.get("want", "").split(",") if name in _PARTS
        ]
        html = {name: self._env.get_template(f"{name}.html").render(context) for name in wanted}
        return JSONResponse(
            {"html": html, "channel": context["channel"]}, headers={"Cache-Control": "no-store"}
        )

    async def log(self, request: Request) -> Response:
        return JSONResponse({"text": self.panel.log()}, headers={"Cache-Control": "no-store"})

    def _context(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        me = query.get("me", "")
        if not self.slack.knows(me):
            me = self.slack.people()[0].id
        at = self.slack.open_channel(
            me, query.get("channel") or "general"
        ) or self.slack.open_channel(me, "general")
        channel = at.row.id if at else APP
        if query.get("seen") != "no":
            self.slack.mark_read(me, channel)
        rows = self.slack.channels(me)
        return {
            "me": me,
            "at": at,
            "channel": channel,
            "thread": query.get("thread") or None,
            "tab": query.get("tab") or "sentry",
            "view": self.slack.view(me),
            "panel": self.panel.panel(),
            "rate": round(self.panel.rate()[-1][1]),
            "incident": next((row for row in rows if row.kind == "incident"), None),
        }

    # Changes

    async def stream(self, request: Request) -> Response:
        """Server-sent events: changes of the workspace and, once a second, of the world."""
        me = request.query_params.get("me", "")
        return StreamingResponse(
            self._events(me),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, me: str) -> AsyncIterator[str]:
        queue: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._workspace_events(me, queue)),
            asyncio.create_task(self._world_events(queue)),
        ]
        self._queues.add(queue)
        try:
            yield "retry: 800\n\n"
            while not self._closing:
                kind, data = await queue.get()
                if kind:
                    yield f"event: {kind}\ndata: {json.dumps(data)}\n\n"
        finally:
            self._queues.discard(queue)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _workspace_events(self, me: str, queue: asyncio.Queue[tuple[str, Json]]) -> None:
        with self.slack.workspace.subscribe() as changes:
            async for change in changes:
                if change.user not in (None, me):
                    continue
                if change.kind == "toast":
                    queue.put_nowait(("toast", {"text": change.data["text"]}))
                else:
                    queue.put_nowait(("change", {"kind": change.kind, "channel": change.channel}))

    async def _world_events(self, queue: asyncio.Queue[tuple[str, Json]]) -> None:
        known: dict[str, str] = {}
        while True:
            fresh = _panel_parts(self.panel.panel())
            changed = [name for name, mark in fresh.items() if known.get(name) != mark]
            if known and changed:
                queue.put_nowait(("parts", {"parts": changed}))
            known = fresh
            queue.put_nowait(("rate", {"rate": self.panel.rate(), "marks": self.panel.marks()}))
            await asyncio.sleep(_BEAT_SECONDS)

    # Acts of people

    def _act(
        self, act: Callable[[str, Json], Awaitable[Json]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            # No other site's page can send this header without asking first.
            if request.headers.get("X-Sandbox-Page") != "1":
                return JSONResponse(
                    {"problem": "only the page itself may do that"}, status_code=403
                )
            try:
                body = await request.json()
            except ValueError:
                return JSONResponse({"problem": "not JSON"}, status_code=400)
            if not isinstance(body, dict) or not self.slack.knows(str(body.get("me"))):
                return JSONResponse({"problem": "nobody here is called that"}, status_code=400)
            try:
                return JSONResponse(await act(str(body["me"]), body))
            except KeyError as missing:
                return JSONResponse({"problem": f"{missing} is missing"}, status_code=400)
            except (ClientRefused, SlackError) as refused:
                return JSONResponse({"problem": str(refused)})

        return endpoint

    async def _say(self, me: str, body: Json) -> Json:
        text, thread = str(body["text"]).strip(), body.get("thread") or None
        files = [str(name)[:255] for name in body.get("files") or []][:10]
        broadcast = bool(thread and body.get("broadcast"))
        return _answer(
            await self.slack.say(me, body["channel"], text, thread, files, broadcast=broadcast)
        )

    async def _press(self, me: str, body: Json) -> Json:
        return _answer(
            await self.slack.press(
                me, body["where"], body["action"], body.get("value"), body.get("typed") or {}
            )
        )

    async def _submit(self, me: str, body: Json) -> Json:
        return {"errors": await self.slack.submit(me, body["view"], body.get("typed") or {})}

    async def _close_view(self, me: str, body: Json) -> Json:
        await self.slack.close(me, body["view"], body.get("typed") or {})
        return {}

    async def _shortcut(self, me: str, body: Json) -> Json:
        return _answer(
            await self.slack.shortcut(me, body["callback"], body["channel"], body.get("ts"))
        )

    async def _pin(self, me: str, body: Json) -> Json:
        self.slack.pin(me, body["channel"], body["ts"], pinned=bool(body["on"]))
        return {}

    async def _react(self, me: str, body: Json) -> Json:
        self.slack.react(me, body["channel"], body["ts"], body["name"], on=bool(body["on"]))
        return {}

    async def _edit(self, me: str, body: Json) -> Json:
        self.slack.edit(me, body["channel"], body["ts"], str(body["text"]).strip())
        return {}

    async def _delete(self, me: str, body: Json) -> Json:
        self.slack.delete(me, body["channel"], body["ts"])
        return {}

    async def _dismiss(self, me: str, body: Json) -> Json:
        self.slack.dismiss(me, body["ts"])
        return {}

    async def _home(self, me: str, body: Json) -> Json:
        await self.slack.open_home(me)
        return {}

    async def _world(self, me: str, body: Json) -> Json:
        return _answer(await self.panel.act(str(body["act"]), bool(body.get("on"))))


_PARTS = (
    *("status", "people", "start", "sidebar", "header", "messages", "thread", "view"),
    *("production", "breaks", "evidence", "foot"),
)


def _panel_parts(panel: Panel) -> dict[str, str]:
    """A fingerprint of each part of the page that shows the world."""
    return {
        "status": fingerprint(panel.bot, panel.bot_note),
        "production": fingerprint(panel.release, panel.released_at, panel.health),
        "breaks": fingerprint(
            panel.breaks,
            sorted(panel.broken),
            panel.fixes,
            panel.next_deploy_fails,
            panel.people_away,
            sorted(panel.faults),
            sorted(panel.ringing),
        ),
        "evidence": fingerprint(
            panel.issues,
            panel.deploys,
            panel.pulls,
            panel.deployments,
            sorted(panel.faults),
            panel.tickets,
            panel.discord,
            panel.pages,
            panel.documents,
        ),
        "start": fingerprint(sorted(panel.steps_done)),
    }


def _answer(problem: str | None) -> Json:
    return {"problem": problem} if problem else {}
