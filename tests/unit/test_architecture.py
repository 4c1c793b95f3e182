"""Rules of the architecture that import-linter cannot tell (the ladder: pyproject.toml)."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLOCKS = ("datetime", "time", "uuid", "date")


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_the_rules_have_no_clock() -> None:
    """Time and ids come in as arguments."""
    for path in files("phases"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            if node.attr in ("now", "utcnow", "today", "monotonic", "uuid4"):
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                assert node.value.id not in CLOCKS, where


def test_only_the_store_calls_step() -> None:
    """A change of an incident goes through one function, which each program wires."""
    callers = {
        str(path.relative_to(ROOT))
        for room in ("bot", "handlers", "sandbox")
        for path in files(room)
        if "phases.workflow" in path.read_text()
    }
    assert callers <= {"bot/wiring.py", "bot/cli/mcp_server.py", "bot/store/incidents.py"}, callers


LINES, PARAMETERS = 60, 6


def test_functions_are_short_and_take_few_parameters() -> None:
    """What needs more is several things, or a value that has no name yet."""
    for path in (path for room in ("bot", "handlers", "phases") for path in files(room)):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{path.relative_to(ROOT)} {node.name}"
            assert (node.end_lineno or 0) - node.lineno < LINES, where
            given = node.args
            names = {arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
            assert len(names - {"self", "cls"}) <= PARAMETERS, where
