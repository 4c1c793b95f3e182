"""The error of every HTTP client, and the reading of answers that are no success."""

import json as jsonlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from phases.ports.ports import PortError
from phases.text.cleaning import foreign

LONGEST_WAIT_SECONDS = 3600.0
A_PAGE = "look at what answers at that address: a wall, a login or a proxy, or another program"


class HttpError(PortError):
    """A `PortError` that knows the answer's status.

    `status` is None where there was no answer. `said` is the reason that the system gave; it is
    empty where nothing readable was given.
    """

    sent: bool = True
    """False: the request surely did nothing, so that even a creation may be sent again."""
    passing: bool = False
    """The same request may be answered a moment later."""
    limited: bool = False
    """It was refused for now because of too many calls, and nothing was done."""
    mend: str = ""
    """What helps where the way to the system is the trouble."""

    def __init__(
        self,
        system: str,
        text: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        said: str = "",
    ) -> None:
        super().__init__(system, text, retryable=retryable, retry_after=retry_after)
        self.status = status
        self.said = said


class Limited(HttpError):
    """The system asks to slow down."""

    sent = False
    limited = True

    def __init__(
        self, system: str, text: str, *, retry_after: float | None, status: int | None = None
    ) -> None:
        super().__init__(system, text, retryable=True, retry_after=retry_after, status=status)


class Passing(HttpError):
    """The system has a fault of its own, or is overloaded."""

    passing = True


class Unanswered(HttpError):
    """No answer came: the request was never sent, or the connection was lost."""

    def __init__(
        self,
        system: str,
        text: str,
        *,
        retryable: bool = False,
        sent: bool = False,
        passing: bool = False,
        mend: str = "",
    ) -> None:
        super().__init__(system, text, retryable=retryable)
        self.sent = sent
        self.passing = passing
        self.mend = mend


def final_words(system: str, answer: httpx.Response, scope: str | None) -> tuple[str, str]:
    """Return what a refusal below 500 means, and what helps where that is known.

    `scope` is the permission that the call needs.
    """
    status = answer.status_code
    if status == 401:
        return f"{system} does not accept our token", ""
    if status == 407:
        return f"the proxy before {system} wants a user and a password (407)", ""
    if status in (403, 404) and json_of(answer) is None:
        # A page of a wall before the system, or of another program at that address.
        what = "is refused" if status == 403 else "there is no such address"
        text = f"{system} or what stands before it answers with a page ({status}): {what}"
        return f"{text}; the call needs {scope}" if scope else text, A_PAGE
    if status == 403:
        text = f"our token may not do this in {system}"
        return f"{text}: it needs {scope}" if scope else text, ""
    if status == 404:
        text = f"{system} does not know this, or our token may not see it"
        return f"{text} (it needs {scope})" if scope else text, ""
    if 300 <= status < 400:
        text = (
            f"{system} sends us elsewhere ({_target_of(answer)}), and its address in the settings"
        )
        return f"{text} must be the one that answers", ""
    if _wants_tls(answer):
        text = f"{system} cannot be reached: what answers on that port speaks TLS"
        return f"{text}: its address begins with https://", ""
    return f"{system} refused the request ({status})", ""


def _target_of(answer: httpx.Response) -> str:
    """Return the status of a redirect, and its host or scheme where that is another one.

    The path is left out: it may hold anything.
    """
    status, asked = str(answer.status_code), answer.request.url
    try:
        target = asked.join(answer.headers.get("Location", ""))
    except httpx.InvalidURL:
        return status
    if target.scheme != asked.scheme:
        return f"{status}, to {target.scheme}://"
    return f"{status}, to {target.host}" if target.host != asked.host else status


def _wants_tls(answer: httpx.Response) -> bool:
    """Return whether a page says "The plain HTTP request was sent to HTTPS port".

    nginx and Go's server answer so with 400.
    """
    return (
        answer.status_code == 400
        and answer.request.url.scheme == "http"
        and b"HTTPS" in answer.content[:2000]
    )


# --- limits --------------------------------------------------------------------------------------


def is_limited(answer: httpx.Response) -> bool:
    """Return whether an answer asks to slow down.

    GitHub's limits come as 403 or 429:
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    headers = answer.headers
    return answer.status_code == 429 or (
        answer.status_code == 403
        and ("Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0")
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds to wait as `Retry-After` says, or None where it says nothing.

    It is a number or a date (RFC 9110, 10.2.3).
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.replace(".", "", 1).isdecimal():
        return min(float(value), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)


def sentry_window_ends(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until Sentry counts anew, where that alone is told.

    It is told in "UTC seconds from epoch" (https://docs.sentry.io/api/ratelimits/).
    """
    reset = headers.get("X-Sentry-Rate-Limit-Reset", "").strip()
    if not reset.replace(".", "", 1).isdecimal():
        return None
    return min(max(float(reset) - datetime.now(UTC).timestamp(), 1.0), 60.0)


# --- the reason in an answer ---------------------------------------------------------------------


def json_of(answer: httpx.Response) -> Any:
    """Return the answer's JSON without mentions of anybody, or None where it is none."""
    try:
        return without_mentions(answer.json())
    except (jsonlib.JSONDecodeError, UnicodeDecodeError):
        return None


def without_mentions(value: Any) -> Any:
    match value:
        case str():
            return foreign(value)
        case dict():
            return {key: without_mentions(inner) for key, inner in value.items()}
        case list():
            return [without_mentions(inner) for inner in value]
        case _:
            return value


def reason_in(answer: httpx.Response, secrets: Iterable[str] = ()) -> str:
    """Return the system's own reason, at most 200 characters and without `secrets`."""
    reason = _reason(json_of(answer))
    for secret in secrets:
        reason = reason.replace(secret, "…")
    return " ".join(reason.split())[:200]


def _reason(body: Any) -> str:
    """Return the reason in an answer's JSON: a sentence, or what is wrong with each part.

    `{"detail": "…"}`, `{"detail": {"message": "…"}}`, `{"field": ["…"]}` and `["…"]` are of Django
    REST framework (https://www.django-rest-framework.org/api-guide/exceptions/), where a field may
    hold fields. `{"detail": [{"loc": […], "msg": "…"}]}` is of Django Ninja.
    """
    if isinstance(body, list):
        return "; ".join(filter(None, map(_one_fault, body[:3])))
    if not isinstance(body, dict):
        return ""
    for key in ("detail", "message", "error"):
        value = body.get(key)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, list):
            value = _reason(value)
        if isinstance(value, str):
            return _with_details(value, body.get("errors"))
    fields = [
        (name, value)
        for name, value in body.items()
        if isinstance(value, list | dict) and name != "errors"
    ]
    return "; ".join(
        f"{name}: {reason}" for name, value in fields[:3] if (reason := _reason(value))
    )


def _one_fault(error: Any) -> str:
    if isinstance(error, str):
        return error
    if not isinstance(error, dict) or not isinstance(error.get("msg"), str):
        return ""
    where = error.get("loc")
    name = str(where[-1]) if isinstance(where, list) and where else ""
    return f"{name}: {error['msg']}" if name else error["msg"]


def _with_details(reason: str, errors: Any) -> str:
    """Add what failed to a sentence such as "Validation Failed".

    It stands in `errors`, as words or as field and code:
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed
    """
    details: list[str] = []
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            named = " ".join(str(error[key]) for key in ("field", "code") if error.get(key))
            details.append(str(error.get("message") or named))
        elif isinstance(error, str):
            details.append(error)
    shown = "; ".join(detail for detail in details[:3] if detail)
    return f"{reason}: {shown}" if shown else reason
