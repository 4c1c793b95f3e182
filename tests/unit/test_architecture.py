"""The house holds: who may import whom (docs/code.md, Rooms)."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAY = {
    "phases": {"phases"},
    "handlers": {"handlers", "phases"},
    "bot": {"bot", "handlers", "phases"},
    "sandbox": {"sandbox"},
}
ROOMS = set(MAY)
OUTSIDE_THE_RULES = {
    "slack_sdk",
    "slack_bolt",
    "redis",
    "httpx",
    "aiohttp",
    "starlette",
    "uvicorn",
    "apscheduler",
    "asyncio",
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_each_room_imports_only_what_it_may():
    wrong: list[str] = []
    for room, allowed in MAY.items():
        for path in files(room):
            used = imports(path) & ROOMS
            if path == ROOT / "bot" / "__main__.py":
                used -= {"sandbox"}  # the one door into the local world
            wrong.extend(f"{path.relative_to(ROOT)} imports {one}" for one in used - allowed)
    assert not wrong, "\n".join(wrong)


def test_the_rules_know_no_outside():
    """No Slack, no Redis, no HTTP; gathering answers of ports is all that the async functions may do."""
    for path in files("phases"):
        used = imports(path) & (OUTSIDE_THE_RULES - {"asyncio"})
        assert not used, f"{path.relative_to(ROOT)} imports {used}"


def test_the_rules_have_no_clock_and_no_dice():
    for path in files("phases"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in (
                "now",
                "utcnow",
                "today",
                "monotonic",
                "uuid4",
            ):
                owner = node.value
                named = owner.id if isinstance(owner, ast.Name) else ""
                assert named not in ("datetime", "time", "uuid", "date"), (
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                )
        assert not imports(path) & {"random", "secrets", "uuid"}, path


def test_only_the_door_calls_step():
    callers = [
        p
        for room in ("bot", "handlers", "sandbox")
        for p in files(room)
        if "phases.workflow" in p.read_text()
    ]
    names = {str(p.relative_to(ROOT)) for p in callers}
    assert names <= {"bot/wiring.py", "bot/store/incidents.py"}, names
