"""Phase 2: read a stack before any source is asked: our own frames, and its error in words."""

from collections.abc import Sequence

from phases.ports.library_paths import is_library_file
from phases.ports.tracker_values import EventDetail
from phases.record.findings import Frame, TriageReport
from phases.text.wording import short

TITLE = 160
VALUE = 90
COMPARED_CHARACTERS = 100
"""Characters of two lines of code that are held against each other."""
REPORTS = {
    "csp": "a Content Security Policy report",
    "hpkp": "a public key pinning report",
    "expectct": "a Certificate Transparency report",
    "expectstaple": "an OCSP stapling report",
    "nel": "a network error report",
}


COMPONENTS = "React ErrorBoundary "
"""The beginning of the type of an error that React's SDK hangs below the real one as its cause.
Its stack is the tree of components: `captureReactException` in
https://github.com/getsentry/sentry-javascript/blob/develop/packages/react/src/error.ts"""


def own_code_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames of our own code.

    Where none is marked as ours: those of no known library; where there are none either: all.
    """
    marked = [f for f in frames if f.in_app]
    return (
        [f for f in marked if not is_library_file(f.file)]
        or marked
        or [f for f in frames if not is_library_file(f.file, f.module)]
        or list(frames)
    )


Stack = tuple[str, Sequence[Frame]]
"""An exception's type, and its frames with the crashing one first."""


def evidence_frames(chain: Sequence[Stack], beside: Sequence[Stack] = ()) -> list[Frame]:
    """Return the frames of all exceptions, the crash first, each place once.

    `chain`: the cause first, then what it was wrapped in, outwards; `beside`: the others of a
    group. From the cause's stack the way leads on through its callers. The place where a wrapper
    was raised says the least: there somebody only caught the cause.
    """
    way: list[Frame] = []
    deeper: list[Frame] = []
    apart: list[Frame] = []
    again: list[Frame] = []
    begun = 0
    for of, stack in chain:
        passed = {_function_key(frame) for frame in way}
        caught = next((n for n, frame in enumerate(stack) if _function_key(frame) in passed), None)
        if caught is None and not any(f.in_app and not is_library_file(f.file) for f in way):
            way += stack  # so far there was no line of our own: this stack has the innermost one
        elif caught is None:
            apart += [*_frames_of(stack[:1], of, again=True), *_frames_of(stack[1:], of)]
        else:
            deeper += _frames_of(stack[:caught], of)
            again += _frames_of(stack[caught : caught + 1], of, again=True)
            way += stack[caught + 1 :]
        begun = begun or len(way)
    others = [frame for of, stack in beside for frame in _frames_of(stack, of)]
    places: dict[tuple[str, str, str, int | None], Frame] = {}
    for frame in (*way[:begun], *others, *deeper, *way[begun:], *apart, *again):
        places.setdefault((frame.file, frame.module, frame.function, frame.line), frame)
    return list(places.values())


def _function_key(frame: Frame) -> tuple[str, str, str, int | None]:
    """Return a function's identity; where it has no name, its line must do."""
    return (frame.file, frame.module, frame.function, None if frame.function else frame.line)


def _frames_of(frames: Sequence[Frame], of: str, *, again: bool = False) -> list[Frame]:
    return [frame.model_copy(update={"of": of[:100], "again": again}) for frame in frames]


def error_in_words(type: str | None, value: str) -> str:
    """Return `KeyError: 'region'`, in one line."""
    return ": ".join(part for part in (type or "", short(" ".join(value.split()), VALUE)) if part)


def title_with_cause(title: str, event: EventDetail | TriageReport) -> str:
    """Return a title of Sentry with the cause.

    Sentry names an issue after what was caught last, which is often the same for everything.
    """
    cause = error_in_words(event.exception_type, event.exception_value)
    if not event.wrapped_in or not cause or (event.exception_type or cause) in title:
        return title
    return short(f"{short(title, max(TITLE - len(cause) - 12, 40))}, caused by {cause}", TITLE)


def why_no_stack(kind: str) -> str:
    """Return why an event has no frames; empty where an exception should have had some."""
    if kind == "message":
        return "The newest event is a logged message without a stack: it names no line."
    if kind in REPORTS:
        return f"The newest event is {REPORTS[kind]} of a browser: it has no stack."
    return ""


def other_line(frame: Frame, snippet: Sequence[tuple[int, str]]) -> str:
    """Return the source's line at a frame's number, where the stack shows another one there.

    Then the source is not what ran: another release, or a file of the same name. The result is
    empty where they agree or one is not known.
    """
    shown, source = (dict(rows).get(frame.line or 0, "") for rows in (frame.context, snippet))
    if "{snip}" in shown or "…" in shown:
        return ""  # Sentry cuts long lines, and addresses of people are taken out
    shown, source = (" ".join(text.split())[:COMPARED_CHARACTERS] for text in (shown, source))
    return source if shown and source and shown != source else ""
