"""The store as an older release had it, on the same Redis: its commits know no short records."""

from __future__ import annotations

import hashlib
from typing import Any

from bot.connection.client import Script
from bot.store.incident_store import COMMIT, Store

ADDED = ", 'short', part.short"


class _Commit(Script):
    def __init__(self) -> None:
        super().__init__("commit")
        assert ADDED in self.text
        self.text = self.text.replace(ADDED, "")
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class OlderStore(Store):
    async def run(self, script: Script, *texts: str, **arguments: object) -> Any:
        return await super().run(_COMMIT if script is COMMIT else script, *texts, **arguments)


_COMMIT = _Commit()
