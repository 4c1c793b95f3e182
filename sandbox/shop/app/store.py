"""Accounts, carts and orders: files in the data directory, one JSON object each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CACHE_SECONDS = 30


class Store:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def account(self, user_id: str) -> dict[str, Any]:
        return self._read("accounts", user_id)

    def cart(self, user_id: str) -> list[dict[str, Any]]:
        return self._read("carts", user_id)["lines"]

    def order(self, user_id: str) -> dict[str, Any]:
        return self._read("orders", user_id)

    def _read(self, kind: str, user_id: str) -> dict[str, Any]:
        return json.loads((self.directory / kind / f"{user_id}.json").read_text())
