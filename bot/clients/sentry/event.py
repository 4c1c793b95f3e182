"""One event of Sentry: the first exception, its wrappers, and all their frames, the crash first.

The values of an event's exception are listed oldest first, "this includes both the stacktrace and
the exception itself":
https://github.com/getsentry/sentry/blob/master/src/sentry/interfaces/exception.py. So the first
value is the cause, and the last one was caught last; Sentry names its issue after the last one.
Groups form a tree by `exception_id` and `parent_id`:
https://github.com/getsentry/rfcs/blob/main/text/0079-exception-groups.md
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bot.clients.sentry.flags import flags_of
from bot.clients.sentry.laptops import from_laptop
from bot.clients.sentry.models import Shape, scrubbed
from phases.ports.library_paths import in_library, is_library_file
from phases.ports.source_paths import without_query, written_parts
from phases.ports.tracker_values import EventDetail
from phases.record.findings import EXTENSION, Frame
from phases.root_cause.stack_trace import COMPONENTS, evidence_frames
from phases.text.cleaning import foreign

CONTEXT_LINES = 5
CONTEXT_WIDTH = 200
FRAMES = 30
LOOKED_AT = 5
"""Last parts of an absolute path that tell a file.

Before them stand a machine's folders and its people.
"""
TYPE = 100
VALUE = 500
"""Characters of an exception's text."""
REPORTS = ("csp", "hpkp", "expectct", "expectstaple", "nel")
"""The reports of browsers themselves (`security.py`, `nel.py`):
https://github.com/getsentry/sentry/tree/master/src/sentry/interfaces"""
_CONTEXT_OF = ("__cause__", "__context__")
_MEMBER = re.compile(r"\[\d+\]$")
_CANCELLED = re.compile(r"cancell?ed|cancellation|canceled|aborterror", re.IGNORECASE)


def host_of(address: str) -> str:
    """Return the host of a script's address; empty for a file, `EXTENSION` for one of these."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme.endswith("-extension"):  # chrome-, moz-, safari-web-
        return EXTENSION
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""


class FrameShape(Shape):
    filename: str | None = None
    absPath: str | None = None
    function: str | None = None
    module: str | None = None
    lineNo: int | None = None
    inApp: bool | None = None
    context: list[tuple[int, str | None]] | None = None

    def frame(self, *, told: bool = True) -> Frame:
        """Return the frame. `told`: some frame of the event is marked as in-app.

        Else what is of no known library may be ours.
        """
        line = self.lineNo
        around = [(n, scrubbed(text or "")[:CONTEXT_WIDTH]) for n, text in self.context or []]
        if line is not None:
            around = [(n, text) for n, text in around if abs(n - line) <= CONTEXT_LINES // 2]
        module = (self.module or "")[:200]
        file = without_query(self.filename or self.absPath or module.partition(", ")[0]) or "?"
        built_at = self.absPath or ""
        if not self.inApp or "/" not in file.replace("\\", "/"):
            # Python and Ruby name a library's file as if it were ours
            # (`django/db/models/query.py`). Rust, Go and Dart tell no folder at all, and mark as
            # in-app what is not of the language itself:
            # https://github.com/getsentry/sentry-rust/blob/master/sentry-backtrace/src/process.rs,
            # https://github.com/getsentry/sentry-go/blob/master/stacktrace.go `isInAppFrame`
            file = in_library(built_at) or file
        return Frame(
            file=file[:300],
            function=(self.function or "")[:200],
            line=line,
            in_app=bool(self.inApp)
            or (self.inApp is None and not told and not is_library_file(file, module)),
            module=module,
            context=tuple(around[:CONTEXT_LINES]),
            host=host_of(built_at)[:100],
            path=(
                built_at
                if built_at.startswith("package:")
                else in_library(built_at) or "/".join(written_parts(built_at)[-LOOKED_AT:])
            )[:300],
        )


class StackShape(Shape):
    frames: list[FrameShape] = Field(default_factory=list[FrameShape])
    """The oldest call first, the crash last."""

    @field_validator("frames", mode="before")
    @classmethod
    def _known_frames(cls, value: Any) -> Any:
        return [row for row in value if row is not None] if isinstance(value, list) else value


class MechanismShape(Shape):
    type: str | None = None
    handled: bool | None = None
    source: str | None = None
    exception_id: int | None = None
    parent_id: int | None = None
    is_exception_group: bool = False


class Stacked(Shape):
    stacktrace: StackShape | None = None
    rawStacktrace: StackShape | None = None
    """As it was before it was symbolicated; all there is where that failed."""

    @property
    def frames(self) -> list[FrameShape]:
        """The crashing one first."""
        stacks = (self.stacktrace, self.rawStacktrace)
        return next((stack.frames[::-1] for stack in stacks if stack and stack.frames), [])


class ExceptionShape(Stacked):
    type: str | None = None
    value: str | None = None
    threadId: str | None = None
    mechanism: MechanismShape = MechanismShape()

    @field_validator("value", "threadId", mode="before")
    @classmethod
    def _text(cls, value: object) -> str | None:
        return None if value is None else str(value)

    @property
    def name(self) -> str:
        return self.type or "another exception"


class ThreadShape(Stacked):
    id: str | None = None
    crashed: bool = False
    current: bool = False

    @field_validator("id", mode="before")
    @classmethod
    def _text(cls, value: object) -> str | None:
        return None if value is None else str(value)


class EntryShape(Shape):
    type: str
    data: Any = None

    def rows(self) -> list[Any]:
        values = self.data.get("values") if isinstance(self.data, dict) else self.data
        return [row for row in values if row] if isinstance(values, list) else []


class TagShape(Shape):
    key: str
    value: str | None = None


class SdkShape(Shape):
    name: str = ""
    version: str = ""

    @property
    def newest_first(self) -> bool:
        """Return whether it sends a chain the wrong way round, as Dart's did up to 8.x.

        `flatten` of
        https://github.com/getsentry/sentry-dart/blob/8.14.2/dart/lib/src/recursive_exception_cause_extractor.dart
        """
        return self.name.startswith("sentry.dart") and bool(re.match(r"[0-8]\.", self.version))


class EventShape(Shape):
    entries: list[EntryShape] = Field(default_factory=list[EntryShape])
    release: dict[str, Any] | None = None
    tags: list[TagShape] = Field(default_factory=list[TagShape])
    sdk: SdkShape = SdkShape()
    contexts: dict[str, Any] = Field(default_factory=dict[str, Any])

    def detail(self) -> EventDetail:
        values = [
            ExceptionShape.model_validate(row)
            for entry in self._entries_of("exception")
            for row in entry.rows()
        ]
        if self.sdk.newest_first and all(value.mechanism.exception_id is None for value in values):
            values.reverse()
        raised = _exception_chain(values)
        marked, frames = self._frames(values, raised)
        tags = {t.key: t.value for t in self.tags}
        release = (self.release or {}).get("version") or tags.get("release")
        handled = next(
            (v.mechanism.handled for v in reversed(values) if v.mechanism.handled is not None), None
        )
        if handled is None and tags.get("handled") in ("yes", "no"):
            handled = tags["handled"] == "yes"
        cause = next((v for v in raised.chain if v.type or v.value), None)
        outer = raised.chain[raised.chain.index(cause) + 1 :] if cause is not None else []
        return EventDetail(
            exception_type=foreign(cause.type)[:TYPE] if cause and cause.type else None,
            exception_value=foreign(scrubbed((cause.value or "") if cause else "")).strip()[:VALUE],
            wrapped_in=tuple(foreign(v.type)[:TYPE] for v in outer if v.type),
            handled=handled,
            frames=_most_telling(frames),
            release=str(release) if release else None,
            environment=tags.get("environment") or "",
            kind=self._kind(),
            in_app_told=marked or not frames,
            flags=flags_of(self.contexts),
            from_laptop=from_laptop(tags.get("url") or "", tags.get("server_name") or ""),
        )

    def _entries_of(self, kind: str) -> list[EntryShape]:
        return [entry for entry in self.entries if entry.type == kind]

    def _kind(self) -> str:
        there = {entry.type for entry in self.entries}
        return next((kind for kind in ("exception", *REPORTS, "message") if kind in there), "")

    def _frames(
        self, values: Sequence[ExceptionShape], raised: "_Raised"
    ) -> tuple[bool, list[Frame]]:
        """Return whether any frame is marked as in-app, and the frames.

        They are the exceptions', else those of the entry `stacktrace`, else of the thread.
        """
        shapes = [frame for value in values for frame in value.frames]
        if shapes:
            marked = any(frame.inApp for frame in shapes)
            stacks = [
                [(v.name, [f.frame(told=marked) for f in v.frames]) for v in of]
                for of in (raised.chain, raised.beside)
            ]
            return marked, evidence_frames(*stacks)
        alone = [
            StackShape.model_validate(e.data)
            for e in self._entries_of("stacktrace")
            if isinstance(e.data, dict)
        ]
        shapes = next((stack.frames[::-1] for stack in alone if stack.frames), [])
        if not shapes:
            threads = [
                ThreadShape.model_validate(row)
                for entry in self._entries_of("threads")
                for row in entry.rows()
            ]
            shapes = _thread(threads, [v.threadId for v in raised.chain if v.threadId]).frames
        marked = any(frame.inApp for frame in shapes)
        return marked, [frame.frame(told=marked) for frame in shapes]


def _thread(threads: Sequence[ThreadShape], raised_in: Sequence[str]) -> ThreadShape:
    """Return the thread of the exception, the crashed one, the current one, or the only one.

    `get_crashing_thread` of
    https://github.com/getsentry/sentry/blob/master/src/sentry/utils/event_frames.py. A logged
    message has its stack in the current thread.
    """
    having = [thread for thread in threads if thread.frames]
    named = [thread for id in raised_in for thread in having if thread.id == id]
    crashed, current = [t for t in having if t.crashed], [t for t in having if t.current]
    only = having if len(having) == 1 else []
    return next(iter((*named, *crashed, *current, *only)), ThreadShape())


# --- what was raised of what ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Raised:
    chain: list[ExceptionShape] = field(default_factory=list[ExceptionShape])
    """The cause first, then what it was wrapped in, outwards."""
    beside: list[ExceptionShape] = field(default_factory=list[ExceptionShape])
    """The others of groups, and what was suppressed."""


def _exception_chain(values: Sequence[ExceptionShape]) -> _Raised:
    """Return the chain from what was caught last inwards.

    Of a group it goes into the first of its members that is more than a cancellation.
    """
    if not values:
        return _Raised()
    inside = _wrapped_by(values)
    chain = [len(values) - 1]
    while (inner := _inner(values, inside, chain[-1])) is not None:
        chain.append(inner)
    beside = [values[n] for n in range(len(values)) if n not in chain]
    return _Raised([values[n] for n in reversed(chain)], beside)


def _wrapped_by(values: Sequence[ExceptionShape]) -> dict[int, list[int]]:
    """Return position → positions of what it wraps, in the order of their ids.

    Without ids the order alone counts; likewise where they make no tree (doubled, missing, in a
    circle; some SDKs number them the wrong way round). A wrapper stands behind what it wraps.
    """
    plain = {n: [n - 1] for n in range(1, len(values))}
    ids = [value.mechanism.exception_id for value in values]
    if None in ids or len(set(ids)) < len(ids):
        return plain
    where = {id: n for n, id in enumerate(ids)}
    wrapped: dict[int, list[int]] = {}
    for position, value in enumerate(values[:-1]):
        outer = where.get(_parent(value.mechanism))
        if outer is None or outer <= position:
            return plain
        wrapped.setdefault(outer, []).append(position)
    return {outer: sorted(inner, key=lambda n: ids[n] or 0) for outer, inner in wrapped.items()}


def _parent(mechanism: MechanismShape) -> int | None:
    """Return the id of the wrapper.

    Python's SDK gives a cause inside of a group no parent of its own, and numbers it right behind
    what was raised from it: `exceptions_from_error` of
    https://github.com/getsentry/sentry-python/blob/master/sentry_sdk/utils.py
    """
    if mechanism.source in _CONTEXT_OF and mechanism.exception_id is not None:
        return mechanism.exception_id - 1
    return mechanism.parent_id


def _inner(
    values: Sequence[ExceptionShape], inside: dict[int, list[int]], outer: int
) -> int | None:
    """Return the reason of an exception: of a group a member, else its cause.

    What was suppressed on the way is neither, and nor is a tree of components:
    https://github.com/getsentry/sentry-java/blob/main/sentry/src/main/java/io/sentry/SentryExceptionFactory.java
    """
    wrapped = [
        n
        for n in inside.get(outer, [])
        if values[n].mechanism.type != "suppressed"
        and not (values[n].type or "").startswith(COMPONENTS)
    ]
    members = [n for n in wrapped if _MEMBER.search(values[n].mechanism.source or "")]
    if values[outer].mechanism.is_exception_group and not any(
        values[n].mechanism.source for n in wrapped
    ):
        members = wrapped
    if not members:
        return wrapped[-1] if wrapped else None
    serious = [n for n in members if not _CANCELLED.search(values[n].type or "")] or members

    def ours(position: int) -> bool:
        below = [position]
        for n in below:
            below += inside.get(n, [])
        return any(frame.inApp for n in below for frame in values[n].frames)

    return next((n for n in serious if ours(n)), serious[0])


# --- frames ---------------------------------------------------------------------------------------


def _most_telling(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Return at most `FRAMES` in their order. Ours go before those of libraries."""
    telling = sorted(range(len(frames)), key=lambda n: (not frames[n].in_app, n))[:FRAMES]
    return tuple(frames[n] for n in sorted(telling))
