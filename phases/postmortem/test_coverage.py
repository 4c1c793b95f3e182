"""The tests of a source file: by their names, by their places, and by their texts."""

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
CANDIDATES_MOST = 40
_SCRIPT = ("{stem}.test{ending}", "{stem}.spec{ending}")
_JVM = ("{stem}Test{ending}", "{stem}Tests{ending}", "{stem}Spec{ending}", "{stem}IT{ending}")
_SHAPES = {
    ".py": ("test_{stem}{ending}", "{stem}_test{ending}"),
    ".go": ("{stem}_test{ending}",),
    ".rb": ("{stem}_spec{ending}", "{stem}_test{ending}"),
    **dict.fromkeys((".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs"), _SCRIPT),
    **dict.fromkeys((".java", ".kt", ".groovy", ".scala"), _JVM),
}
"""Names of tests by the custom of their language."""
_ANY = ("test_{stem}{ending}", "{stem}_test{ending}", "{stem}.test{ending}", "{stem}Test{ending}")


def tests_among(file: str, paths: Iterable[str]) -> list[str]:
    """Return the test files of the same language as `file`."""
    endings = _endings_of_language(file)
    return [
        path
        for path in paths
        if PurePosixPath(path).suffix in endings and kind_of(path) is FileKind.TESTS
    ]


def called_after(test: str, file: str) -> bool:
    """True for `tests/test_pay.py`, `pay_test.go`, `pay.test.ts`, `PayTest.java` of `pay`."""
    wanted, name = _file_stem(file), _file_stem(test)
    return bool(wanted) and wanted in (_TEST_AFFIX.sub("", name), _CAMEL_AFFIX.sub("", name))


def naming_patterns(file: str) -> list[str]:
    """Return extended regular expressions for whole words that name `file` in a test's text.

    Empty if its name says nothing.
    """
    path = PurePosixPath(file)
    stem, folder = _file_stem(file), path.parent.name
    if stem in ("__init__", "index", "mod", "__main__"):
        stem, folder = folder, path.parent.parent.name
    if not _PLAIN.fullmatch(stem):
        return []
    names: list[str] = []
    if path.suffix[1:].isalnum() and stem == _file_stem(file):
        names.append(f"{stem}[.]{path.suffix.lstrip('.')}")
    if _PLAIN.fullmatch(folder):
        names += [f"{folder}[./]{stem}", f"{folder} import .*{stem}"]
    else:
        names += [f"import {stem}", f"from {stem}"]
    if "_" in stem.strip("_") or re.search(r"[a-z][A-Z]", stem):
        names.append(stem)  # a name like this means nothing else
    return names


def candidate_tests(file: str) -> list[str]:
    """Return the usual paths of a file's tests, for a source that is asked path by path."""
    path = PurePosixPath(file)
    stem, ending = _file_stem(file), path.suffix
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
        :CANDIDATES_MOST
    ]


def _endings_of_language(file: str) -> set[str]:
    ending = PurePosixPath(file).suffix
    return next((family for family in _SAME_LANGUAGE if ending in family), {ending})


def _file_stem(path: str) -> str:
    return PurePosixPath(path).name.removesuffix(PurePosixPath(path).suffix)
