"""What Linear takes and what it refuses, and how it says so: errors, inputs, filters, times.

https://linear.app/developers/graphql and Linear's public schema (MIT).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from starlette.responses import JSONResponse, Response


class LinearError(Exception):
    """What Linear answers with in `errors`. `code` as in its error extensions; `shown` is for people."""

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
            {"errors": [{"message": self.message, "extensions": extensions}], "data": None}, self.status, headers
        )


CREATE_FIELDS = frozenset(
    [
        "assigneeId",
        "completedAt",
        "createAsUser",
        "createdAt",
        "cycleId",
        "delegateId",
        "description",
        "descriptionData",
        "displayIconUrl",
        "dueDate",
        "estimate",
        "id",
        "labelIds",
        "lastAppliedTemplateId",
        "parentId",
        "preserveSortOrderOnCreate",
        "priority",
        "prioritySortOrder",
        "projectId",
        "projectMilestoneId",
        "referenceCommentId",
        "slaBreachesAt",
        "slaStartedAt",
        "slaType",
        "sortOrder",
        "sourceCommentId",
        "stateId",
        "subIssueSortOrder",
        "subscriberIds",
        "teamId",
        "templateId",
        "title",
        "useDefaultTemplate",
    ]
)
UPDATE_FIELDS = frozenset(
    [
        "addedLabelIds",
        "assigneeId",
        "autoClosedByParentClosing",
        "cycleId",
        "delegateId",
        "description",
        "descriptionData",
        "dueDate",
        "estimate",
        "labelIds",
        "lastAppliedTemplateId",
        "parentId",
        "priority",
        "prioritySortOrder",
        "projectId",
        "projectMilestoneId",
        "removedLabelIds",
        "slaBreachesAt",
        "slaStartedAt",
        "slaType",
        "snoozedById",
        "snoozedUntilAt",
        "sortOrder",
        "stateId",
        "subIssueSortOrder",
        "subscriberIds",
        "teamId",
        "title",
        "trashed",
    ]
)
"""Of Linear's schema: what an input may hold. Anything else is refused before it is looked at."""


def known_fields(given: Mapping[str, Any], known: frozenset[str], type: str) -> None:
    if unknown := sorted(set(given) - known):
        raise LinearError("GRAPHQL_VALIDATION_FAILED", f'Field "{unknown[0]}" is not defined by type "{type}".')


def priority_of(given: Any) -> int:
    """https://linear.app/docs/priority: 0 none, 1 urgent … 4 low."""
    if given is None:
        return 0
    if not isinstance(given, int) or not 0 <= given <= 4:
        raise LinearError("INPUT_ERROR", "Argument Validation Error", "priority must be between 0 and 4")
    return given


def timeless_date(given: Any) -> str | None:
    """TimelessDate: `2026-12-01`."""
    if given is None:
        return None
    try:
        if not isinstance(given, str) or date.fromisoformat(given).isoformat() != given:
            raise ValueError(given)
    except ValueError as error:
        raise LinearError("INPUT_ERROR", "Argument Validation Error", "dueDate must be a date") from error
    return given


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def filter_of(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return arguments.get("filter") or {}


def input_of(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return arguments.get("input") or {}


def fits(wanted: Mapping[str, Any], thing: Mapping[str, Any]) -> bool:
    """Comparators `eq`, `eqIgnoreCase` and `in`; a nested filter meets a nested thing."""
    for key, comparator in wanted.items():
        if key == "or":
            if not any(fits(one, thing) for one in comparator):
                return False
            continue
        value = thing[key]
        if isinstance(value, Mapping):
            if not fits(comparator, value):
                return False
            continue
        for name, operand in comparator.items():
            met = {
                "eq": lambda v, o: v == o,
                "eqIgnoreCase": lambda v, o: v.casefold() == str(o).casefold(),
                "in": lambda v, o: v in o,
            }[name](value, operand)
            if not met:
                return False
    return True


def new_id() -> str:
    return str(uuid.uuid4())
