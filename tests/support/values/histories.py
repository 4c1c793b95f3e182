"""Histories that test the ranking.

Each has a crash, commits that look guilty, and the command to run.
"""

from __future__ import annotations

import io
import json
from typing import Any

from bot.cli.rank_suspects import suspects_main

Json = dict[str, Any]


def ask(frames: list[Json], exception: Json | None, commits: list[Json]) -> list[Json]:
    """Return the ranked commits, without the row that says *nobody*."""
    return [row for row in answer(frames, exception, commits) if row["sha"] is not None]


def answer(frames: list[Json], exception: Json | None, commits: list[Json]) -> list[Json]:
    out = io.StringIO()
    question = {"frames": frames, "exception": exception, "commits": commits}
    assert suspects_main(io.StringIO(json.dumps(question)), out) == 0
    return json.loads(out.getvalue())


def frame(file: str, function: str, line: int | None, *, in_app: bool = True) -> Json:
    return {"file": file, "function": function, "line": line, "in_app": in_app}


def commit(sha: str, message: str, **patches: str) -> Json:
    files = [
        {
            "path": path,
            "added": sum(row.startswith("+") for row in patch.splitlines()),
            "deleted": sum(row.startswith("-") for row in patch.splitlines()),
            "patch": patch,
        }
        for path, patch in patches.items()
    ]
    return {"sha": sha, "author": "Ada", "date": None, "message": message, "files": files}


NOISE = [
    commit(
        "docs",
        "Describe charge() and rates",
        **{"docs/pay.md": "@@ -1,2 +1,3 @@\n charge\n+charge takes a currency\n"},
    ),
    commit(
        "tests",
        "More tests of charge",
        **{
            "tests/test_pay.py": (
                "@@ -1,2 +1,4 @@ def test_charge():\n+    assert charge(cart, rate=None)\n"
            )
        },
    ),
    commit(
        "search",
        "Faster search",
        **{
            "shop/search.py": (
                "@@ -10,6 +10,7 @@ def search(words):\n     hits = []\n+    words = words[:10]\n"
                "     return hits\n"
            )
        },
    ),
    commit(
        "ci",
        "Cache wheels",
        **{".github/workflows/ci.yml": "@@ -1,3 +1,4 @@\n jobs:\n+  cache: true\n"},
    ),
]


def history(*commits: Json) -> list[Json]:
    """These, newest first, between commits that have nothing to do with it."""
    return [NOISE[0], *commits[:1], NOISE[1], *commits[1:], NOISE[2], NOISE[3]]
