"""Slack and Sentry as one lean program, for benches in which the whole pretend world would be slow.

`python -m tests.bench.outside PORT SENTRY_URL`. Slack answers each method with what the bot needs
of it, after 80 ms. Sentry's answers are the pretend Sentry's own, asked once and kept (without the
window's times), after 20 ms. `GET /log?from=N` gives every call since the Nth, with its time of
arrival; `GET /forget` empties it.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from sandbox.slack.channels import ALICE, BOT, BOT_USER, TEAM

HOST = "127.0.0.1"
SLACK_SECONDS, SENTRY_SECONDS = 0.080, 0.020
INCIDENTS = "C0INCIDENTS"
VOLATILE = ("start", "end")
Json = dict[str, Any]


class Outside:
    def __init__(self, sentry: str) -> None:
        self._sentry = sentry
        self._numbers = itertools.count(1)
        self._cache: dict[str, tuple[int, bytes, str]] = {}
        self.log: list[Json] = []
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def answer(
        self, method: str, target: str, headers: dict[str, str], raw: bytes
    ) -> tuple[int, bytes, str]:
        """Status, body, `Link`."""
        began, parts = time.time(), urlsplit(target)
        if parts.path == "/log":
            start = int(dict(parse_qsl(parts.query)).get("from", 0))
            return 200, json.dumps(self.log[start:]).encode(), ""
        if parts.path == "/forget":
            self.log.clear()
            return 200, b"{}", ""
        if parts.path.startswith("/slack/api/"):
            name = parts.path.removeprefix("/slack/api/")
            given: Json = (
                json.loads(raw)
                if raw.startswith(b"{")
                else dict(parse_qsl(parts.query + "&" + raw.decode()))
            )
            self.log.append({"at": began, "system": "slack", "method": name, "args": given})
            slack_answer = json.dumps({"ok": True, **self._slack(name, given)}).encode()
            await asyncio.sleep(began + SLACK_SECONDS - time.time())
            return 200, slack_answer, ""
        self.log.append({"at": began, "system": "sentry", "method": method, "target": target})
        answered = await self._asked(target, headers)
        await asyncio.sleep(began + SENTRY_SECONDS - time.time())
        return answered

    def _slack(self, name: str, given: Json) -> Json:
        number = next(self._numbers)
        match name:
            case "auth.test":
                return {
                    "team_id": TEAM,
                    "user_id": BOT_USER,
                    "bot_id": BOT,
                    "url": "https://bench.slack.com/",
                }
            case "conversations.list":
                return {"channels": [{"id": INCIDENTS, "name": "incidents"}]}
            case "conversations.create":
                return {"channel": {"id": f"C0BENCH{number:05d}", "name": given["name"]}}
            case "chat.postMessage":
                return {"channel": given["channel"], "ts": f"{int(time.time())}.{number:06d}"}
            case "users.info":
                return {
                    "user": {"id": given["user"], "name": "alice", "team_id": TEAM, "tz_offset": 0}
                }
            case "usergroups.list":
                return {"usergroups": [{"id": "S0ONCALL", "handle": "checkout-oncall"}]}
            case "usergroups.users.list":
                return {"users": [ALICE]}
            case "bookmarks.add":
                return {"bookmark": {"id": f"Bk{number}"}}
            case "chat.getPermalink":
                return {
                    "permalink": f"https://bench.slack.com/archives/{given['channel']}/p{number}"
                }
            case _:
                return {}

    async def _asked(self, target: str, headers: dict[str, str]) -> tuple[int, bytes, str]:
        parts = urlsplit(target)
        asked = [
            (k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k not in VOLATILE
        ]
        key = f"{parts.path}?{urlencode(asked)}"
        if key not in self._cache:
            where = f"{self._sentry}{target.removeprefix('/sentry')}"
            got = await self._http.get(
                where, headers={"Authorization": headers.get("authorization", "")}
            )
            self._cache[key] = (got.status_code, got.content, got.headers.get("link", ""))
        return self._cache[key]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One kept connection; only what these clients send (no chunks, no pipelining)."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {
                    k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)
                }
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                status, body, link = await self.answer(method, target, headers, raw)
                more = f"Link: {link}\r\n" if link else ""
                kind = (
                    "Content-Type: application/json; charset=utf-8\r\n"
                    "X-OAuth-Scopes: chat:write\r\n"
                )
                writer.write(
                    (
                        f"HTTP/1.1 {status} OK\r\n{kind}{more}Content-Length: {len(body)}\r\n\r\n"
                    ).encode()
                    + body
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever asked is gone
        finally:
            writer.close()


async def main() -> None:
    outside = Outside(sys.argv[2])
    gc.disable()
    server = await asyncio.start_server(
        outside.serve, HOST, int(sys.argv[1]), backlog=512, limit=2**20
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
