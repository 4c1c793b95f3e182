"""Phase 1: what the commits between target and suspect have to do with the crash."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.library_paths import library_of
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame
from phases.root_cause.patch import Patch
from phases.root_cause.stack_trace import own_code_frames
from phases.triage.rollback.library_errors import is_library_frame

FRAMES = 5
"""Frames of our own that are looked at, the crashing one first."""
LINE_LEAST = 12
"""Characters of a line that are told from another: `return x` stands everywhere."""
_BUILT = re.compile(
    r"[.-][0-9a-f]{6,}(?:\.(?:chunk|min|bundle|esm))*\.[cm]?js$"
    r"|-(?=[\w-]*[\dA-Z])[\w-]{8}\.[cm]?js$"
    r"|\.(?:min|bundle|chunk)\.[cm]?js$|/_next/static/|/(?:static|assets)/(?:js/)?[^/]+\.js$"
    r"|(?:^|[./])(?:js)?bundle$|main\.dart\.js$|^(?:\?|<anonymous>|native|SourceFile)$"
    r"|Unknown Source|(?:^|/)storage/framework/views/",
)
"""Files that a build makes, as stacks without source maps name them: webpack, Vite, Next.js, Metro,
dart2js, R8, Blade. No file of the repository is called so."""
_COMMON = frozenset(("com", "org", "net", "github", "golang", "lib", "src", "node", "python"))
"""Words of many packages' names."""
_IDLE = (FileKind.DOCS, FileKind.TESTS, FileKind.CI, FileKind.STYLE)
_ELSE = (FileKind.CONFIGURATION, FileKind.DEPENDENCY, FileKind.MIGRATION, FileKind.SCHEMA)


@dataclass(frozen=True, slots=True)
class CodeOverlap:
    """The nearness of the commits to the crash."""

    file: str = ""
    """The changed file that is nearest to the crash in its stack; empty: none of the stack."""
    line: bool = False
    """They added the very line of a frame."""
    function: bool = False
    """They changed the function of a frame."""
    crashing: bool = False
    """It is the frame of ours that crashed, and not one of its callers."""
    other: str = ""
    """A setting, a dependency, a migration or a schema of messages that they changed."""
    reaches: bool = True
    """False where that is dependencies alone, and none is a library of the stack."""
    runs: bool = True
    """False where they changed nothing that runs."""
    unreadable: bool = False
    """No file of the stack was found, and some of it names what a build made, or several files."""


def code_overlap(
    commits: Sequence[Commit], frames: Sequence[Frame], type: str | None = None
) -> CodeOverlap:
    """Compare the commits with the stack. One whose files are not known may have changed any.

    `type`: of the exception, which may name the library that made it.
    """
    files = [file for commit in commits for file in commit.files]
    kinds = {file.path: kind_of(file.path) for file in files}
    files_known = bool(commits) and all(commit.files or _is_merge(commit) for commit in commits)
    other = next((path for path, kind in kinds.items() if kind in _ELSE), "")
    able = not files_known or any(kind not in _IDLE for kind in kinds.values())
    index = PathIndex(path for path, kind in kinds.items() if kind is FileKind.CODE)
    patches: dict[str, list[Patch]] = {}
    for file in files:
        patches.setdefault(file.path, []).append(Patch(file.patch, file.path))
    looked_at = [(frame, _paths(index, frame)) for frame in own_code_frames(frames)[:FRAMES]]
    unreadable = any(len(paths) > 1 or _BUILT.search(frame.file) for frame, paths in looked_at)
    libraries = {w for f in frames if is_library_frame(f, kinds) for w in _words(_library_name(f))}
    libraries |= _words(type or "")
    rest = [file for file in files if kinds[file.path] in _ELSE]
    reaches = any(_may_reach_stack(file, kinds[file.path], libraries) for file in rest)
    nearest = CodeOverlap(other=other, reaches=reaches, runs=able, unreadable=unreadable)
    for position, (frame, located) in enumerate(looked_at):
        if len(located) != 1:
            continue
        path = located[0]
        line = dict(frame.context).get(frame.line or 0, "").strip()
        changed = patches.get(path, [])
        added = len(line) >= LINE_LEAST and any(patch.adds(line) for patch in changed)
        named = bool(frame.function) and any(patch.names(frame.function) for patch in changed)
        overlap = CodeOverlap(path, added, named, position == 0, other, reaches, able)
        if added or not nearest.file:
            nearest = overlap
        if added:
            break
    return nearest


def _paths(index: PathIndex, frame: Frame) -> list[str]:
    """Return the changed files that a frame may stand for, or the source that it was built from."""
    paths = index.locate(frame.file, frame.module, frame.path)
    source = None if paths else index.built_from(frame.file)
    return [source] if source else paths


def _may_reach_stack(file: CommitFile, kind: FileKind, libraries: set[str]) -> bool:
    """Say whether one of these may be behind the stack, as a setting or a migration always may.

    A patch that is not known may hold any of them.
    """
    if kind is not FileKind.DEPENDENCY or not file.patch:
        return True
    return not libraries.isdisjoint(_words(file.patch))


def _library_name(frame: Frame) -> str:
    """Return the name of a library, or the beginning of its path where that tells no name."""
    path = frame.file if "/" in frame.file else frame.module.replace(".", "/")
    return library_of(frame.file) or "/".join(path.split("/")[:3])


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{3,}", text.lower())) - _COMMON


def _is_merge(commit: Commit) -> bool:
    """A merge shows no files of its own."""
    return commit.subject.startswith("Merge ")
