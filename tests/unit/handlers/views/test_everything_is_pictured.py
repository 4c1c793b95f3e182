"""Every view that people see stands in the gallery and is looked at there.

The gallery is `tests/browser/gallery.py`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from handlers import views

BROWSER = Path(__file__).parents[3] / "browser"
HELPERS = ("text", "rich", "blocks")
"""They draw nothing by themselves."""
READS = ("entered", "fields_of", "_day", "with_ids")
"""Functions of a form's page that read people's input."""


def _gallery(monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    monkeypatch.syspath_prepend(str(BROWSER))
    gallery: Any = importlib.import_module("gallery")
    return lambda: (gallery.messages(), gallery.views_shown())


def _drawn(work: Callable[[], object]) -> set[CodeType]:
    """The functions that run meanwhile."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return codes


def _functions() -> dict[str, CodeType]:
    codes: dict[str, CodeType] = {}
    for page in pkgutil.iter_modules(views.__path__):
        if page.name in HELPERS:
            continue
        module = importlib.import_module(f"handlers.views.{page.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if (
                isinstance(function, FunctionType)
                and function.__module__ == module.__name__
                and name not in READS
            ):
                codes[f"{page.name}.{name}"] = function.__code__
    return codes


def test_every_view_is_in_the_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = _drawn(_gallery(monkeypatch))
    functions = _functions()
    assert len(functions) > 150  # it looks where they are
    missing = [name for name, code in functions.items() if code not in drawn]
    assert not missing, (
        "no picture is taken of what these draw; add it to tests/browser/gallery_more.py: "
        f"{missing}"
    )
