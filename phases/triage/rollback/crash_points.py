"""Phase 1: what fails, and whether the suspect changed it: the code in the stack, or the edge."""

from collections.abc import Iterator
from dataclasses import dataclass

from phases.ports.file_kinds import FileKind, kind_of
from phases.record.findings import Frame
from phases.root_cause.stack_trace import own_code_frames
from phases.text.wording import short
from phases.triage.rollback.changed_code import CodeOverlap, code_overlap
from phases.triage.rollback.edge_errors import (
    Edge,
    edge_of,
    foreign_script_host,
    is_exhaustion,
    is_lock_wait,
    is_of_headers,
    is_of_other_build,
    is_stale_page,
    is_stored_object,
    raised_in_library,
    type_and_value,
)
from phases.triage.rollback.library_errors import is_library_frame
from phases.triage.rollback.situation import Situation

DECISIVE = 10
ADDED_LINE, CHANGED_FUNCTION, CHANGED_FILE, CHANGED_CALLER = 5, 4, 3, 1
STACK_UNCHANGED = 3
"""It changed nothing in the stack of an error of our own code: most culprits change a file of it
(docs/performance.md, *Which commit*)."""
CERTAIN_EDGE = 6
"""A release brings no expired certificate, no full disk and no provider's 503."""
EDGE_WEIGHTS = {
    Edge.NAME: 5,
    Edge.CONNECTION: 5,
    Edge.FAILOVER: 5,
    Edge.ACCESS: 5,
    Edge.BEHIND: 5,
    Edge.LIBRARY: 5,
    Edge.OVERLOAD: 5,
}
EDGE_WEIGHTS_CHANGE_UNKNOWN = {Edge.OVERLOAD: 3, Edge.BEHIND: 3, Edge.LIBRARY: 3}
"""The same where it is not known what the release changed: new queries bring time-outs."""
EDGE_WEIGHTS_SETTING_CHANGED = {
    Edge.NAME: 2,
    Edge.CONNECTION: 2,
    Edge.ACCESS: 2,
    Edge.LIMIT: 2,
    Edge.ISSUER: 2,
    Edge.READ_ONLY: 2,
    Edge.BEHIND: 2,
    Edge.LIBRARY: 0,
    Edge.OVERLOAD: 0,
}
"""The same where it changed a setting, a dependency or a migration."""
NOT_OURS = CERTAIN_EDGE + 4
NO_RELEASES = (Edge.CERTIFICATE, Edge.DISK, Edge.READ_ONLY, Edge.FAILOVER)
"""They come over a release whatever it changed in the file that meets them."""
EDGE_SHARE = 1 / 2
OTHER_FAILURES_SHARE = 1 / 10
"""Of the events: what fails beside it, and is no more than noise with less."""
HOLDS_LOCK = 6
"""Failures that wait for a lock, beside a migration: going back does not let go of it."""
STALE_PAGES = 6
"""Open pages ask for scripts that the deploy replaced: going back replaces them once more."""


@dataclass(frozen=True, slots=True)
class Point:
    says: str
    weight: int
    """Positive: to the release."""


@dataclass(frozen=True, slots=True)
class CrashPoints:
    """The newest event of the loudest issue, beside what the suspect changed."""

    situation: Situation
    version: str

    @property
    def error(self) -> tuple[str | None, str]:
        crash = self.situation.crash
        return (crash.exception_type, crash.exception_value) if crash else (None, "")

    @property
    def libraries(self) -> list[Frame]:
        return (
            [frame for frame in self.situation.crash.frames if not frame.in_app]
            if self.situation.crash
            else []
        )

    @property
    def overlap(self) -> CodeOverlap | None:
        """Changes of the release, beside the stack; None where either is not known."""
        if self.situation.commits is None or self.situation.crash is None:
            return None
        return code_overlap(
            self.situation.commits, self.situation.crash.frames, self.situation.crash.exception_type
        )

    @property
    def exhausted(self) -> bool:
        """Something is used up that a release can use up by itself, slowly.

        Where a connection is refused or a name not found beside it, that used it up.
        """
        if not is_exhaustion(*self.error, [f"{f.file} {f.function}" for f in self.libraries]):
            return False
        least = OTHER_FAILURES_SHARE * sum(issue.events for issue in self.situation.issues)
        others = [type_and_value(i.title) for i in self.situation.issues[1:] if i.events >= least]
        refused = (Edge.CONNECTION, Edge.FAILOVER, Edge.NAME)
        return not any(edge_of(*other) in refused for other in others if not is_exhaustion(*other))

    @property
    def edge(self) -> Edge | None:
        """The edge of the crash, where most of the events are at an edge."""
        if self.situation.crash is None or self.reads_stored:
            return None
        libraries = [frame.file for frame in self.libraries]
        edge = edge_of(*self.error, libraries, self.situation.endpoint_host)
        if edge is None and not self.exhausted:
            changed = [
                file.path for commit in self.situation.commits or () for file in commit.files
            ]
            if raised_in_library(*self.error, self.situation.crash.frames, changed):
                edge = Edge.LIBRARY
        if edge is None:
            return None
        others = self.situation.issues[1:]
        at_edge = sum(i.events for i in others if edge_of(*type_and_value(i.title)) is not None)
        at_edge += sum(i.events for i in self.situation.issues[:1])
        total = sum(i.events for i in self.situation.issues)
        return edge if at_edge >= total * EDGE_SHARE else None

    @property
    def reads_stored(self) -> bool:
        """It cannot read an object that another release may have written: so do earlier ones."""
        return is_stored_object(*self.error)

    @property
    def fills_disk(self) -> bool:
        """The disk is full, and the release changed the function that writes: it may fill it."""
        code = self.overlap
        changed = code is not None and code.function and code.crashing
        return changed and self.edge is Edge.DISK

    def points(self, *, wears_out: bool, seen_before: bool) -> Iterator[Point]:
        """Yield what points to the release, or away from it.

        `seen_before`: most of it is of issues that are older than the release.
        """
        code, edge = self.overlap, self.edge
        if code is not None and not code.runs:
            yield Point(f"{self.version} changed nothing that runs.", -DECISIVE)
            return
        if code is not None and code.file:
            yield self._changed_code_point(code)
            ours = code.line or wears_out or self.fills_disk
            if not ours and edge is not None and edge in NO_RELEASES:
                yield Point(f"The failure is {edge.value}.", -NOT_OURS)
            elif edge not in (None, Edge.LIBRARY) and not (code.line or code.crashing or wears_out):
                yield Point(f"The failure is {edge.value}.", -EDGE_WEIGHTS.get(edge, CERTAIN_EDGE))
            return
        if code is not None and code.unreadable and not code.other:
            code = None  # what it changed may be all of the stack, or nothing
        if passes := self._passing_point(seen_before=seen_before):
            yield passes
        elif edge is not None and not wears_out:
            yield self._edge_point(edge, code)
        elif host := foreign_script_host(
            self.situation.crash.frames if self.situation.crash else (),
            self.situation.endpoint_host,
        ):
            yield Point(f"It fails in a script of {host}, which is not ours.", -CERTAIN_EDGE)
        elif self._is_untouched(code) and not wears_out:
            yield Point(f"{self.version} changed no code in the stack.", -STACK_UNCHANGED)

    def _changed_code_point(self, code: CodeOverlap) -> Point:
        file = short(code.file, 60)
        if code.line:
            return Point(f"{self.version} added the line that fails, in {file}.", ADDED_LINE)
        if code.function and code.crashing:
            where = f"the function that fails, in {file}"
            return Point(f"{self.version} changed {where}.", CHANGED_FUNCTION)
        weight = CHANGED_FILE if code.crashing else CHANGED_CALLER
        return Point(f"{self.version} changed {file}, which is in the stack.", weight)

    def _is_untouched(self, code: CodeOverlap | None) -> bool:
        """Say whether it changed neither a file of the stack nor something that reaches further."""
        if code is None or self.situation.crash is None:
            return False
        if self.reads_stored or is_of_headers(*self.error):
            return False  # what changed is not in the stack
        frames = self.situation.crash.frames
        if code.other and (code.reaches or not any(map(is_library_frame, frames[:1]))):
            return False  # in our own code, any dependency may have answered otherwise
        return bool(own_code_frames(frames)) and not self.exhausted

    def _passing_point(self, *, seen_before: bool) -> Point | None:
        """Return what a deploy brings, and going back does not take away."""
        if is_of_other_build(*self.error):
            says = f"Open pages are of the build before {self.version}"
            return Point(f"{says}, as the error itself says: it passes.", -STALE_PAGES)
        if seen_before and is_stale_page(*self.error):
            says = (
                f"Open pages ask for scripts that {self.version} replaced, as after other deploys"
            )
            return Point(f"{says}: it passes.", -STALE_PAGES)
        if is_lock_wait(*self.error) and self._has_migration():
            says = f"The failure waits for a lock, which a migration of {self.version} may hold"
            return Point(f"{says}: going back does not let go of it.", -HOLDS_LOCK)
        return None

    def _has_migration(self) -> bool:
        files = (file for commit in self.situation.commits or () for file in commit.files)
        return any(kind_of(file.path) is FileKind.MIGRATION for file in files)

    def _edge_point(self, edge: Edge, code: CodeOverlap | None) -> Point:
        """The crash is at the edge of the service, with no changed code in its stack."""
        weight = EDGE_WEIGHTS.get(edge, CERTAIN_EDGE)
        untouched = ""
        if code is None:
            weight = min(weight, EDGE_WEIGHTS_CHANGE_UNKNOWN.get(edge, weight))
        elif code.other and code.reaches:
            weight = min(weight, EDGE_WEIGHTS_SETTING_CHANGED.get(edge, weight))
        else:
            untouched = f", and {self.version} changed no code in its stack"
        return Point(f"The failure is {edge.value}{untouched}.", -weight)
