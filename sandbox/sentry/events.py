"""One stored error event, made from what an SDK sends.

Interfaces of the payload: https://develop.sentry.dev/sdk/data-model/event-payloads/
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.wire import Json

MOST_FLAGS = 100
"""https://docs.sentry.io/product/issues/issue-details/feature-flags/: "the 100 most recently
evaluated"."""
LEVELS = ("fatal", "error", "warning", "info", "debug")


@dataclass(slots=True, kw_only=True)
class Event:
    """An event as it was received. `timestamp` and `received` in seconds since 1970."""

    id: str
    project_id: int
    timestamp: float
    received: float
    level: str
    transaction: str
    tags: dict[str, str]
    user: dict[str, str]
    payload: Json
    type: str = ""
    value: str = ""
    issue_id: int = 0
    frame: Json = field(default_factory=dict)
    """The in-app frame nearest to the crash, as the SDK sent it."""

    @property
    def title(self) -> str:
        """`KeyError: 'region'`: https://docs.sentry.io/concepts/data-management/event-grouping/"""
        if not self.type:
            return self.value or "<unlabeled event>"
        first_line = self.value.splitlines()[0] if self.value else ""
        return f"{self.type}: {first_line}" if first_line else self.type

    @property
    def culprit(self) -> str:
        if self.transaction:
            return self.transaction
        module, function = self.frame.get("module"), self.frame.get("function")
        return f"{module} in {function}" if module and function else str(module or function or "")

    @property
    def kind(self) -> tuple[str, str]:
        """`issueType` and `issueCategory`. A monitor's occurrences are no errors.

        https://github.com/getsentry/sentry/blob/master/src/sentry/issues/grouptype.py
        """
        if "uptime_rule" in self.tags:
            return "uptime_domain_failure", "outage"
        if "monitor.slug" in self.tags:
            return "monitor_check_in_failure", "outage"
        return "error", "error"

    @property
    def environment(self) -> str:
        return self.tags.get("environment", "")

    @property
    def release(self) -> str:
        return self.tags.get("release", "")

    @property
    def flags(self) -> dict[str, str]:
        """The flags that were evaluated before it, as Sentry's store of events keeps them.

        `contexts.flags.values: [{"flag", "result"}]`, what is malformed left out:
        https://github.com/getsentry/relay/blob/master/relay-event-schema/src/protocol/contexts/flags.rs
        """
        context = (self.payload.get("contexts") or {}).get("flags") or {}
        values = context.get("values") if isinstance(context, dict) else None
        return {
            row["flag"]: str(row["result"]).lower()
            for row in (values if isinstance(values, list) else [])[-MOST_FLAGS:]
            if isinstance(row, dict) and isinstance(row.get("flag"), str) and "result" in row
        }

    @property
    def handled(self) -> bool:
        return self.tags.get("handled") != "no"


def iso(seconds: float) -> str:
    """UTC with microseconds and a `Z`, as the issue and event serializers write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_sdk(payload: Json, *, project_id: int, received: float) -> Event:
    """Read what an SDK sent.

    Raises:
        ValueError: the payload is not an event.
    """
    exception = main_exception(payload)
    message = payload.get("logentry") or {}
    value = str(exception.get("value") or "") or str(
        message.get("formatted") or message.get("message") or payload.get("message") or ""
    )
    user = {
        str(key): str(entry)
        for key, entry in (payload.get("user") or {}).items()
        if entry not in (None, "")
    }
    event = Event(
        id=str(payload.get("event_id") or uuid.uuid4().hex).replace("-", ""),
        project_id=project_id,
        timestamp=read_time(payload.get("timestamp"), received),
        received=received,
        level=str(payload.get("level") or "error"),
        transaction=str(payload.get("transaction") or ""),
        tags={},
        user=user,
        payload=payload,
        type=str(exception.get("type") or ""),
        value=value,
        frame=top_frame(exception) or top_frame(current_thread(payload)),
    )
    if event.level not in LEVELS:
        raise ValueError(f"no such level: {event.level}")
    event.tags = collect_tags(event, exception)
    return event


def read_time(value: Any, fallback: float) -> float:
    if value is None:
        return fallback
    if isinstance(value, int | float):
        return float(value)
    moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def main_exception(payload: Json) -> Json:
    """Return the exception that was caught last: Sentry names the issue after it.

    `get_metadata` of https://github.com/getsentry/sentry/blob/master/src/sentry/eventtypes/error.py
    """
    values = exceptions(payload)
    return _named_by(values, values[-1]) if values else {}


def _named_by(values: list[Json], outer: Json) -> Json:
    """Return the last member of a group whose members are all of one kind; else the group.

    `main_exception_id` of sentry/grouping/strategies/newstyle.py
    """
    mechanism = outer.get("mechanism") or {}
    id = mechanism.get("exception_id")
    if not mechanism.get("is_exception_group") or id is None:
        return outer
    members = [
        _named_by(values, value)
        for value in values
        if value is not outer and (value.get("mechanism") or {}).get("parent_id") == id
    ]
    kinds = {(member.get("type"), str(top_frame(member).get("function"))) for member in members}
    return members[-1] if len(kinds) == 1 else outer


def exceptions(payload: Json) -> list[Json]:
    return _listed(payload, "exception")


def threads(payload: Json) -> list[Json]:
    """The threads of a logged message with its stack, or of a native crash.

    https://develop.sentry.dev/sdk/data-model/event-payloads/threads/
    """
    return _listed(payload, "threads")


def _listed(payload: Json, key: str) -> list[Json]:
    """Return a list that stands under `values`, or by itself."""
    given = payload.get(key) or {}
    values = given.get("values") if isinstance(given, dict) else given
    return [value for value in values or [] if value]


def current_thread(payload: Json) -> Json:
    """Return the thread that crashed: `get_crashing_thread` of sentry/utils/event_frames.py."""
    given = threads(payload)
    for candidates in (
        [thread for thread in given if thread.get("crashed")]
        or [thread for thread in given if thread.get("current")],
        given,
    ):
        if len(candidates) == 1:
            return candidates[0]
    return {}


def top_frame(exception: Json) -> Json:
    """The in-app frame nearest to the crash; frames are listed oldest call first."""
    frames = (exception.get("stacktrace") or {}).get("frames") or []
    in_app = [frame for frame in frames if frame.get("in_app")]
    return (in_app or frames or [{}])[-1]


def collect_tags(event: Event, exception: Json) -> dict[str, str]:
    """The tags of the SDK and those that Sentry adds by itself when it stores an event."""
    payload = event.payload
    given = payload.get("tags") or {}
    pairs = given.items() if isinstance(given, dict) else given
    tags = {str(key): str(value) for key, value in pairs if value is not None}
    tags["level"] = event.level
    for key in ("environment", "release", "server_name", "transaction"):
        if payload.get(key):
            tags[key] = str(payload[key])
    # The plugin `urls` of Sentry, src/sentry/plugins/sentry_urls/models.py
    if url := (payload.get("request") or {}).get("url"):
        tags["url"] = str(url)
    mechanism = exception.get("mechanism") or {}
    if mechanism.get("handled") is not None:
        tags["handled"] = "yes" if mechanism["handled"] else "no"
    if mechanism.get("type"):
        tags["mechanism"] = str(mechanism["type"])
    if user := user_tag(event.user):
        tags["user"] = user
    return tags


def user_tag(user: dict[str, str]) -> str:
    """`id:42`, else by name, e-mail or address.

    The order is that of KEYWORD_MAP in
    https://github.com/getsentry/sentry/blob/master/src/sentry/utils/eventuser.py
    """
    for key, name in (
        ("id", "id"),
        ("username", "username"),
        ("email", "email"),
        ("ip_address", "ip"),
    ):
        if user.get(key):
            return f"{name}:{user[key]}"
    return ""


def fingerprint(event: Event) -> str:
    """Return what two events of one issue have in common.

    It is the SDK's own fingerprint, else exception type and in-app top frame.
    """
    given = [str(part) for part in event.payload.get("fingerprint") or []]
    default = [
        event.type,
        str(event.frame.get("module") or event.frame.get("filename") or ""),
        frame_function(event),
    ]
    if not event.type:
        default = ["message", event.value]
    parts = given or ["{{ default }}"]
    whole = [
        piece for part in parts for piece in (default if part.strip("{ }") == "default" else [part])
    ]
    return hashlib.sha256("\0".join([str(event.project_id), *whole]).encode()).hexdigest()[:32]


def frame_function(event: Event) -> str:
    return str(event.frame.get("function") or "")


def metadata(event: Event) -> Json:
    """Return the part of an event's exception that lists of issues show."""
    if not event.type:
        return {"title": event.title}
    return {
        "type": event.type,
        "value": event.value,
        "filename": str(event.frame.get("filename") or ""),
        "function": str(event.frame.get("function") or ""),
    }


def base32(number: int) -> str:
    """Write a number in Crockford's alphabet, as in short ids: sentry/utils/numbers.py."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    digits = ""
    while number:
        number, rest = divmod(number, 32)
        digits = alphabet[rest] + digits
    return digits or "0"
