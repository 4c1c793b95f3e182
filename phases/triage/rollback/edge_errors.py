"""Phase 1: errors at the edge of a service, which its code meets and does not make."""

import re
from collections.abc import Iterable, Sequence

from phases.record.findings import EXTENSION, Frame
from phases.triage.rollback.edge_words import (
    FETCH,
    KINDS,
    LOCKED,
    OF_A_BUILD,
    OF_CODE,
    OF_PAGES,
    OF_PROVIDERS,
    OTHER_BUILD,
    POOL_CALLS,
    RATE,
    STALE_PAGE,
    STORED,
    WORN_OUT,
    Edge,
)
from phases.triage.rollback.library_errors import is_library_frame, is_wrong_use, names_library

_HOST = re.compile(
    r"(?:https?://|host(?:name)?[=: ]{1,2}['\"]?|to )"
    r"((?:[a-z0-9-]+\.)+(?:com|net|org|io|co|dev|ai|app|cloud|eu|de|uk|us|gov))\b",
    re.IGNORECASE,
)


def edge_of(
    type: str | None, value: str, libraries: Sequence[str] = (), own: str = ""
) -> Edge | None:
    """Return what failed at the edge; None where the error is not of that kind.

    `libraries`: files of the stack that are not ours; `own`: a host of ours, which is no provider.
    """
    if FETCH.search(value[:2000]):
        return Edge.BEHIND
    if type and OF_CODE.fullmatch(type):
        return None
    text = f"{type or ''}: {value[:2000]}"
    kind = next((kind for kind, pattern in KINDS if pattern.search(text)), None)
    if kind is Edge.QUOTA and not RATE.search(text):
        return kind
    if kind in (Edge.PROVIDER, Edge.OVERLOAD, Edge.QUOTA):
        words = f"{text}\n{chr(10).join(libraries)}"
        if _names_foreign_host(text, own) or OF_PROVIDERS.search(words):
            return Edge.QUOTA if kind is Edge.QUOTA else Edge.PROVIDER
        return Edge.OVERLOAD if kind is Edge.OVERLOAD else Edge.BEHIND
    return kind


def raised_in_library(
    type: str | None, value: str, frames: Sequence[Frame], changed: Iterable[str] = ()
) -> bool:
    """Say whether a library raised the error, and it is none that code makes by itself.

    The words of the error are not known. `changed`: files of ours that the release changed.
    """
    first = next(iter(frames), None)
    if first is None or (type and OF_CODE.fullmatch(type)):
        return False
    of_one = is_library_frame(first, changed) or names_library(type, value, frames)
    return of_one and not is_wrong_use(f"{type or ''}: {value[:2000]}")


def is_exhaustion(type: str | None, value: str, calls: Sequence[str] = ()) -> bool:
    """Say whether something was used up that a release can use up by itself, slowly.

    `calls`: `file function` of the libraries in the stack.
    """
    text = f"{type or ''}: {value[:2000]}"
    waited = "deadline exceeded" in text and any(map(POOL_CALLS.search, calls))
    return waited or WORN_OUT.search(text) is not None


def is_lock_wait(type: str | None, value: str) -> bool:
    return LOCKED.search(f"{type or ''}: {value[:2000]}") is not None


def is_stale_page(type: str | None, value: str) -> bool:
    return STALE_PAGE.search(f"{type or ''}: {value[:2000]}") is not None


def is_of_other_build(type: str | None, value: str) -> bool:
    return OTHER_BUILD.search(f"{type or ''}: {value[:2000]}") is not None


def is_of_headers(type: str | None, value: str) -> bool:
    """Say whether a browser refuses what the headers of a page do not allow."""
    return OF_PAGES.search(f"{type or ''}: {value[:2000]}") is not None


def is_stored_object(type: str | None, value: str) -> bool:
    """Say whether an object that was stored cannot be read any more."""
    return STORED.search(f"{type or ''}: {value[:2000]}") is not None


def foreign_script_host(frames: Sequence[Frame], own: str) -> str:
    """Return the host of the script that failed in a browser, where it is none of ours.

    A stack of a browser names its scripts by their addresses, and its SDK calls each of them the
    application's own (`createFrame` of
    https://github.com/getsentry/sentry-javascript/blob/develop/packages/browser/src/stack-parsers.ts).
    Ours may come from a host of a content network, by the name that a build gave it. Empty: the
    stack names no script, or it is ours.
    """
    first = next(iter(frames), None)
    host = first.host if first is not None else ""
    if first is None or not host or host == EXTENSION:
        return host
    if first.in_app and OF_A_BUILD.search(first.path or first.file):
        return ""
    ours = ".".join(own.lower().split(".")[-2:])
    return "" if ours and f".{host}".endswith(f".{ours}") else host


def type_and_value(title: str) -> tuple[str, str]:
    """Return the two of an issue's title; a logged message is all value."""
    type, _, value = title.partition(": ")
    return (type, value) if value and " " not in type else ("", title)


def _names_foreign_host(text: str, own: str) -> bool:
    """Say whether the text names a host outside that is none of ours."""
    ours = ".".join(own.lower().split(".")[-2:])
    hosts = (match.group(1).lower() for match in _HOST.finditer(text))
    return any(not ours or not f".{host}".endswith(f".{ours}") for host in hosts)
