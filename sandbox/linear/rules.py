"""Rules of Linear: its errors, values, filters and times.

https://linear.app/developers/graphql and Linear's public schema (MIT).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from starlette.responses import JSONResponse, Response


class LinearError(Exception):
    """An entry of `errors`. `code` stands in its extensions; `shown` is for people."""

    def __init__(self, code: str, message: str, shown: str = "", *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.shown = shown or message
        self.status = status

    def answer(self, headers: Mapping[str, str] | None = None) -> Response:
        extensions = {
            "type": self.code.lower().replace("_", " "),
            "code": self.code,
            "statusCode": self.status,
            "userError": self.status < 500,
            "userPresentableMessage": self.shown,
        }
        return JSONResponse(
            {"errors": [{"message": self.message, "extensions": extensions}], "data": None},
            self.status,
            headers,
        )


def unknown(kind: str) -> LinearError:
    """Return the refusal of a reference to something that is not there."""
    return LinearError(
        "INPUT_ERROR", f"Entity not found: {kind}", f"Could not find referenced {kind}."
    )


def priority_of(given: Any) -> int:
    """https://linear.app/docs/priority: 0 none, 1 urgent … 4 low."""
    if given is None:
        return 0
    if not isinstance(given, int) or not 0 <= given <= 4:
        raise LinearError(
            "INPUT_ERROR", "Argument Validation Error", "priority must be between 0 and 4"
        )
    return given


def timeless_date(given: Any) -> str | None:
    """TimelessDate: `2026-12-01`."""
    if given is None:
        return None
    try:
        if not isinstance(given, str) or date.fromisoformat(given).isoformat() != given:
            raise ValueError(given)
    except ValueError as error:
        raise LinearError(
            "INPUT_ERROR", "Argument Validation Error", "dueDate must be a date"
        ) from error
    return given


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, operand: value == operand,
    "eqIgnoreCase": lambda value, operand: value.casefold() == operand.casefold(),
    "in": lambda value, operand: value in operand,
}


def fits(wanted: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Return whether a row meets a filter: comparators by field, and `or` over other filters."""
    for field, condition in wanted.items():
        if field == "or":
            met = any(fits(other, row) for other in condition)
        else:
            met = all(
                _COMPARATORS[name](row[field], operand) for name, operand in condition.items()
            )
        if not met:
            return False
    return True


def new_id() -> str:
    return str(uuid.uuid4())
