"""HTTP in front of the pages."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import health, observe
from .routes import NotFound, respond
from .store import Store

REQUEST_TIMEOUT = 10


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_TIMEOUT
    disable_nagle_algorithm = True
    store: Store

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            self.answer_json(
                200, {"release": os.environ.get("SHOP_RELEASE", ""), "pid": os.getpid()}
            )
        elif path == "/health" or path.startswith("/health/"):
            answers = health.check(self.store, path.removeprefix("/health").strip("/"))
            well = bool(answers) and set(answers.values()) == {"ok"}
            self.answer_json(200 if well else 503, answers)
        else:
            self.visit(path)

    def visit(self, path: str) -> None:
        user_id = self.headers.get("X-User", "")
        if not user_id.isdigit():
            self.answer(401, "Who are you?")
            return
        address = self.headers.get("X-Forwarded-For", self.client_address[0])
        with observe.request(path, user_id, address, self.store):
            try:
                self.answer(200, respond(path, user_id, self.store))
            except NotFound:
                self.answer(404, "There is no such page.")
            except Exception:  # noqa: BLE001 (reported, and answered with 500)
                observe.report(handled=False)
                self.answer(500, "Something went wrong.")

    def answer_json(self, status: int, body: dict[str, Any]) -> None:
        self.answer(status, json.dumps(body), "application/json")

    def answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged one by one."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def serve(port: int, data: Path) -> Server:
    Handler.store = Store(data)
    for _ in range(100):
        try:
            return Server(("127.0.0.1", port), Handler)
        except OSError as error:  # the one before us is just leaving
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.02)
    return Server(("127.0.0.1", port), Handler)
