"""Which tests belong to a source file: by what they are called, by where they may lie, and by what names it in their text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from phases.ports.file_kinds import FileKind, kind_of

_TEST_AFFIX = re.compile(r"^(?:test|tests|spec)[_-]|[._-](?:test|tests|spec)$", re.IGNORECASE)
_CAMEL_AFFIX = re.compile(r"(?:Tests?|Spec|IT)$")
_SAME_LANGUAGE = (
    {".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".vue", ".svelte"},
    {".java", ".kt", ".groovy"},
)
_PLAIN = re.compile(r"[\w-]+")
CANDIDATES = 40
_SCRIPT = ("{stem}.test{ending}", "{stem}.spec{ending}")
_JVM = ("{stem}Test{ending}", "{stem}Tests{ending}", "{stem}Spec{ending}", "{stem}IT{ending}")
_SHAPES = {
    ".py": ("test_{stem}{ending}", "{stem}_test{ending}"),
    ".go": ("{stem}_test{ending}",),
    ".rb": ("{stem}_spec{ending}", "{stem}_test{ending}"),
    **dict.fromkeys((".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs"), _SCRIPT),
    **dict.fromkeys((".java", ".kt", ".groovy", ".scala"), _JVM),
}
"""What a test is called by the custom of its language …"""
_ANY = ("test_{stem}{ending}", "{stem}_test{ending}", "{stem}.test{ending}", "{stem}Test{ending}")
"""… and of any other."""


def tests_among(file: str, paths: Iterable[str]) -> list[str]:
    """The test files of the same language as `file`."""
    endings = _endings(file)
    return [
        path
        for path in paths
        if PurePosixPath(path).suffix in endings and kind_of(path) is FileKind.TESTS
    ]


def called_after(test: str, file: str) -> bool:
    """`tests/test_pay.py`, `pay_test.go`, `pay.test.ts`, `PayTest.java` of `pay` or `Pay`."""
    wanted, name = _stem(file), _stem(test)
    return bool(wanted) and wanted in (_TEST_AFFIX.sub("", name), _CAMEL_AFFIX.sub("", name))


def patterns(file: str) -> list[str]:
    """What names `file` in a test's text, as whole words: extended regular expressions. Empty where its name says nothing."""
    path = PurePosixPath(file)
    stem, folder = _stem(file), path.parent.name
    if stem in ("__init__", "index", "mod", "__main__"):
        stem, folder = folder, path.parent.parent.name
    if not _PLAIN.fullmatch(stem):
        return []
    found = (
        [f"{stem}[.]{path.suffix.lstrip('.')}"]
        if path.suffix[1:].isalnum() and stem == _stem(file)
        else []
    )
    if _PLAIN.fullmatch(folder):
        found += [f"{folder}[./]{stem}", f"{folder} import .*{stem}"]
    else:
        found += [f"import {stem}", f"from {stem}"]
    if "_" in stem.strip("_") or re.search(r"[a-z][A-Z]", stem):
        found.append(stem)  # a name like this means nothing else
    return found


def candidates(file: str) -> list[str]:
    """Where the test of `file` usually lies, for a source that can only be asked path by path."""
    path = PurePosixPath(file)
    stem, ending = _stem(file), path.suffix
    names = [shape.format(stem=stem, ending=ending) for shape in _SHAPES.get(ending, _ANY)]
    inside = PurePosixPath(*path.parts[1:-1]) if len(path.parts) > 1 else PurePosixPath()
    tests = [PurePosixPath(name) for name in ("tests", "test", "spec", "tests/unit")]
    folders = [
        path.parent,
        path.parent / "tests",
        path.parent / "__tests__",
        tests[0] / inside,
        *tests,
    ]
    if "main" in path.parts:
        folders.insert(
            0, PurePosixPath(*("test" if part == "main" else part for part in path.parts[:-1]))
        )
    return list(dict.fromkeys(str(folder / name) for folder in folders for name in names))[
        :CANDIDATES
    ]


def _endings(file: str) -> set[str]:
    ending = PurePosixPath(file).suffix
    return next((family for family in _SAME_LANGUAGE if ending in family), {ending})


def _stem(path: str) -> str:
    return PurePosixPath(path).name.removesuffix(PurePosixPath(path).suffix)
