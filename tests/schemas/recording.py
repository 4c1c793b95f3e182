"""A pytest plugin that keeps every exchange of the stories' local systems, one line of JSON each.

Load it with `-p tests.schemas.recording`; `SCHEMA_RECORDS` names the folder to write to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.webhook_delivery import WebhookDelivery
from sandbox.world import World

FOLDER = "SCHEMA_RECORDS"


class Log:
    """The exchanges of this process."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[str] = (folder / f"{os.getpid()}.jsonl").open("a")

    def write(self, **exchange: Any) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        self._file.write(json.dumps({**exchange, "test": test}) + "\n")
        self._file.flush()


class Recorded:
    """Pass every request on to `app`, and keep it with its answer. A lost answer is not kept."""

    def __init__(self, app: ASGIApp, system: str, log: Log) -> None:
        self.app, self.system, self.log = app, system, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked, answered, status = b"", b"", 0

        async def listen() -> Message:
            nonlocal asked
            message = await receive()
            asked += message.get("body", b"")
            return message

        async def keep(message: Message) -> None:
            nonlocal answered, status
            status = message.get("status", status)
            answered += message.get("body", b"")
            await send(message)

        await self.app(scope, listen, keep)
        headers = {key.decode().lower(): value.decode() for key, value in scope["headers"]}
        self.log.write(
            system=self.system,
            method=scope["method"],
            path=_raw(scope),
            query=scope["query_string"].decode(),
            type=headers.get("content-type", ""),
            body=asked.decode(),
            status=status,
            answer=answered.decode(errors="replace"),
        )


def _raw(scope: Scope) -> str:
    """Return the path below the mount, still quoted: a release's name may hold a slash."""
    whole: str = scope.get("raw_path", b"").decode() or scope["path"]
    return whole.split("?")[0].removeprefix(scope.get("root_path", ""))


@pytest.fixture(scope="session", autouse=True)
def _recording() -> Iterator[None]:
    log = Log(Path(os.environ[FOLDER]))
    system, post = World._system, WebhookDelivery.post

    def mounted(world: World, name: str, app: Starlette) -> Mount:
        mount = system(world, name, app)
        return Mount(mount.path, Recorded(mount.app, name, log))

    async def posted(
        delivery: WebhookDelivery,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
    ) -> int | None:
        event = headers.get("X-GitHub-Event")
        if event is not None:
            log.write(system="github", webhook=event, body=body.decode())
        return await post(delivery, url, body, headers, seconds=seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "_system", mounted)
        patch.setattr(WebhookDelivery, "post", posted)
        yield
