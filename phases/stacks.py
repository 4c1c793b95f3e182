"""What a stack says before any source is asked: which frames are ours, and how its error is put into words."""

from __future__ import annotations

from collections.abc import Sequence

from phases.paths import foreign
from phases.report import Frame, IssueSeen
from phases.tracked import EventDetail
from phases.wording import short

TITLE = 200
VALUE = 120
COMPARED = 100
"""Characters of two lines of code that are held against each other."""
REPORTS = {
    "csp": "a Content Security Policy report",
    "hpkp": "a public key pinning report",
    "expectct": "a Certificate Transparency report",
    "expectstaple": "an OCSP stapling report",
    "nel": "a network error report",
}


def ours(frames: Sequence[Frame]) -> list[Frame]:
    """Frames of our own code. Where none is marked as ours: those of no known library; where there are none either: all."""
    marked = [f for f in frames if f.in_app]
    return (
        [f for f in marked if not foreign(f.file)]
        or marked
        or [f for f in frames if not foreign(f.file, f.module)]
        or list(frames)
    )


def error(type: str | None, value: str, limit: int = VALUE) -> str:
    """`KeyError: 'region'`, in one line."""
    return ": ".join(part for part in (type or "", short(" ".join(value.split()), limit)) if part)


def with_cause(issue: IssueSeen, detail: EventDetail) -> IssueSeen:
    """The issue with the cause in its title: Sentry names it after what was caught last, which often says nothing."""
    cause = error(detail.exception_type, detail.exception_value)
    if not detail.wrapped_in or not cause or cause in issue.title:
        return issue
    title = f"{short(issue.title, TITLE - len(cause) - 12)}, caused by {cause}"
    return issue.model_copy(update={"title": short(title, TITLE)})


def without_stack(kind: str) -> str:
    """Why an event has no frames, in one sentence; empty where an exception should have had some."""
    if kind == "message":
        return "The newest event is a logged message without a stack: it names no line."
    if kind in REPORTS:
        return f"The newest event is {REPORTS[kind]} of a browser: it has no stack."
    return ""


def other_line(frame: Frame, snippet: Sequence[tuple[int, str]]) -> str:
    """The source's line at a frame's number, where the stack shows another one there; empty where they agree or one is not known.

    Then the source is not what ran: another release, or a file of the same name.
    """
    told, there = (dict(lines).get(frame.line or 0, "") for lines in (frame.context, snippet))
    if "{snip}" in told or "…" in told:  # Sentry cuts long lines, and addresses of people are taken out
        return ""
    one, other = (" ".join(text.split())[:COMPARED] for text in (told, there))
    return other if one and other and one != other else ""
