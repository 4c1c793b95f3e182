"""The log of flag changes.

https://docs.sentry.io/api/flags/list-an-organizations-flag-logs/
https://github.com/getsentry/sentry/blob/master/src/sentry/flags/endpoints/logs.py
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.sentry.api.call import Call
from sandbox.sentry.api.paging import Missing, page, window
from sandbox.sentry.events import read_time
from sandbox.sentry.models import FlagChange
from sandbox.sentry.search import InvalidQuery
from sandbox.sentry.state import Sentry
from sandbox.wire import Json

READ_ORGANISATION = frozenset({"org:read", "org:write", "org:admin"})
PROVIDERS = ("flagpole", "generic", "launchdarkly", "statsig", "unknown", "unleash")
SORTS = {
    "action": "action",
    "created_at": "created",
    "created_by": "by",
    "created_by_type": "by_type",
    "flag": "flag",
    "provider": "provider",
}


def _asked_sort(given: str | None) -> tuple[str, bool]:
    """Return the field and whether it is descending; `createdAt` is taken as `created_at`."""
    if not given:
        return "id", False
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", given.removeprefix("-")).lower()
    if name not in SORTS:
        raise InvalidQuery(f"Invalid sort: {given.removeprefix('-')}")
    return SORTS[name], given.startswith("-")


async def list_flag_changes(sentry: Sentry, request: Request) -> Response:
    """One page, as `{"data": […]}`; projects and environments are not read."""
    if not sentry.has_flag_log:
        raise Missing
    params = request.query_params
    start, end = window(params, sentry.clock(), "90d")
    flags, providers = params.getlist("flag"), params.getlist("provider")
    for index, provider in enumerate(providers):
        if provider not in PROVIDERS:
            wrong = {str(index): [f'"{provider}" is not a valid choice.']}
            raise InvalidQuery(fields={"detail": {"provider": wrong}})
    field, descending = _asked_sort(params.get("sort"))
    rows = [
        change
        for change in sentry.flag_log
        if start <= change.created < end
        and (not flags or change.flag in flags)
        and (not providers or (change.provider or "unknown") in providers)
    ]

    def key(change: FlagChange) -> tuple[bool, Any]:
        value = getattr(change, field)
        return (value is not None, value)

    rows.sort(key=key, reverse=descending)
    shown, headers = page(request, rows)
    return JSONResponse({"data": [_shape(change) for change in shown]}, headers=headers)


def _shape(change: FlagChange) -> Json:
    return {
        "id": change.id,
        "action": change.action,
        "createdAt": datetime.fromtimestamp(change.created, UTC).isoformat(),
        "createdBy": change.by,
        "createdByType": change.by_type,
        "flag": change.flag,
        "provider": change.provider,
        "tags": change.tags,
    }


async def receive(sentry: Sentry, request: Request) -> Response:
    """`POST flags/hooks/provider/generic/`, signed by the provider instead of with a token.

    https://github.com/getsentry/sentry/blob/master/src/sentry/flags/providers.py, GenericProvider
    """
    raw = await request.body()
    signed = hmac.new(sentry.flag_secret.encode(), raw, hashlib.sha256).hexdigest()
    if request.path_params["org"] != sentry.org or request.path_params["provider"] != "generic":
        return JSONResponse({"detail": "The requested resource does not exist"}, 404)
    if not hmac.compare_digest(signed, request.headers.get("x-sentry-signature", "")):
        return JSONResponse({"detail": "Not authorized."}, 401)
    change_ids: set[int] = set()
    for row in json.loads(raw)["data"]:
        if row["change_id"] in change_ids:
            continue
        change_ids.add(row["change_id"])
        sentry.add_flag_change(
            row["flag"],
            row["action"],
            at=read_time(row["created_at"], sentry.clock()),
            by=row["created_by"]["id"],
        )
    return Response(status_code=200)


CALLS = (Call("flags", "GET", "flags/logs/", READ_ORGANISATION, list_flag_changes),)
