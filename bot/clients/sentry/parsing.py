"""What Sentry answered, read into the shapes of `sentry_shapes.py`, and one error for what does not fit."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from math import isfinite
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from bot.clients.http.client import Http, HttpError
from bot.clients.sentry.models import utc

T = TypeVar("T")


def read(http: Http, shape: type[T], answer: httpx.Response) -> T:
    """Raises `HttpError` where it is no JSON (retryable), or of another shape (not)."""
    told = http.json(answer)
    try:
        return _adapter(shape).validate_python(told)
    except ValidationError as error:
        raise _unknown_shape(answer, error) from None


def read_numbers(http: Http, shape: type[T], answer: httpx.Response) -> T:
    """As `read`, for long answers of which no text is kept: parsed in one go, for a tenth of the time."""
    try:
        return _adapter(shape).validate_json(answer.content)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            http.json(answer)  # says so in its own words
        raise _unknown_shape(answer, error) from None


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _unknown_shape(answer: httpx.Response, error: ValidationError) -> HttpError:
    where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "as a whole"
    text = f"Sentry answered in a shape that is not known ({where})"
    return HttpError("Sentry", text, retryable=False, status=answer.status_code)


def moment(value: object) -> datetime | None:
    """Of a table: ISO 8601, with a zone or in UTC without one. None for what is no time."""
    try:
        return utc(datetime.fromisoformat(str(value)))
    except ValueError:
        return None


def count_of(row: dict[str, Any], field: str) -> int:
    return number(row.get(field)) or 0


def number(value: object) -> int | None:
    """Counts come as numbers of either kind, and as strings where they may be large (as an issue's `count`)."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    return int(value) if isinstance(value, int | float) and isfinite(value) else None


def untold(field: str) -> HttpError:
    """Return the error of a number that an answer has not: it may be any, and surely is not zero."""
    return HttpError(
        "Sentry", f"Sentry answered in a shape that is not known ({field})", retryable=False
    )
