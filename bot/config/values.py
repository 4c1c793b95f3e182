"""The value of one setting, as people paste it: read, or a fault that says how to mend it."""

import re
from collections.abc import Mapping
from typing import Any

from bot.config import addresses, pasted, redis_url, tokens

SENTRY_ORG = re.compile(r"[A-Za-z0-9][\w-]*")
"""https://github.com/getsentry/sentry/blob/master/src/sentry/slug/patterns.py; underscores as in
older ones."""


def read_value(field: str, given: str, before: Mapping[str, Any], faults: list[str]) -> Any:
    """Return the value of a field; what is wrong with it is added to `faults`.

    The value itself is never in a fault: it may be a secret. `before` has the fields above it.
    """
    name, value = field.upper(), pasted.clean(given)
    if field in tokens.WHERE:
        faults += tokens.faults(field, given)
        if field not in tokens.IN_HEADERS and not pasted.is_text(value):
            faults.append(f"{name} {pasted.NO_TEXT}")
        return value
    if field in addresses.EXAMPLES:
        try:
            return addresses.read(field, value, org=before.get("sentry_org") or "")
        except addresses.Wrong as wrong:
            faults.append(f"{name} {wrong}")
            return value
    match field:
        case "redis_url":
            faults += [f"REDIS_URL {fault}" for fault in redis_url.faults(value)]
        case "data_dir" | "services_file":
            faults += _path_faults(name, value)
            return pasted.folder(value)
        case "sentry_org" if not SENTRY_ORG.fullmatch(value):
            faults.append(
                "SENTRY_ORG is no slug: set the part of the URL behind /organizations/, or before "
                ".sentry.io"
            )
        case "incidents_channel" | "watched_channels":
            names = pasted.channels(value)
            if field == "incidents_channel":
                value = pasted.channel(value)
                names = (value,)
            if any(channel and not pasted.is_channel(channel) for channel in names):
                faults.append(
                    f"{name} names no channel: write an id (C0123…) or a name as Slack shows it"
                )
            return value or None if field == "incidents_channel" else value
        case "host":
            value = value.removeprefix("[").removesuffix("]")
            if not addresses.is_host(value):
                faults.append(
                    "HOST must be an address or a name to listen on, without a port: that is PORT"
                )
        case "log_level":
            return value.upper()
        case "slack_rich_blocks" | "sentry_resolve":
            return value.lower()
        case _:
            pass
    return value


def _path_faults(name: str, value: str) -> list[str]:
    faults: list[str] = []
    path = pasted.folder(value)
    if pasted.unfilled(value):
        faults.append(f"{name} {pasted.UNFILLED}")
    elif str(path).startswith("~"):
        faults.append(
            f"{name} begins with ~, and this machine knows no such home: write the whole path"
        )
    elif not pasted.is_text(value):
        faults.append(f"{name} {pasted.NO_TEXT}")
    elif name == "DATA_DIR" and path.is_file():
        faults.append(f"DATA_DIR names {value}, which is a file: name a folder")
    return faults
