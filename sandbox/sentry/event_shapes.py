"""The JSON of one event, with its exceptions, threads and frames.

https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/event_examples.py
"""

from __future__ import annotations

from typing import Any

from sandbox.sentry.events import Event, exceptions, iso, threads
from sandbox.sentry.shapes import short_release
from sandbox.sentry.state import Sentry
from sandbox.wire import Json


def event_detail(sentry: Sentry, event: Event) -> Json:
    """`GET issues/{id}/events/latest/` and its neighbours."""
    issue = sentry.issues[event.issue_id]
    place = issue.events.index(event)
    return {
        "id": event.id,
        "eventID": event.id,
        "groupID": str(issue.id),
        "projectID": str(issue.project.id),
        "projectSlug": issue.project.slug,
        "size": len(str(event.payload)),
        "type": "error" if event.type else "default",
        "title": event.title,
        "message": event.value if not event.type else "",
        "culprit": event.culprit,
        "location": event.frame.get("filename"),
        "platform": event.payload.get("platform", "other"),
        "dist": event.payload.get("dist"),
        "dateCreated": iso(event.timestamp).split(".")[0] + "Z",
        "dateReceived": iso(event.received),
        "metadata": issue.metadata,
        "tags": [tag_shape(key, value) for key, value in sorted(event.tags.items())],
        "user": user_shape(event),
        "entries": entries(event),
        "contexts": event.payload.get("contexts") or {},
        "context": event.payload.get("extra") or {},
        "packages": event.payload.get("modules") or {},
        "sdk": {key: (event.payload.get("sdk") or {}).get(key) for key in ("name", "version")},
        "release": short_release(sentry, event.release),
        "fingerprints": [issue.fingerprint],
        "errors": [],
        "occurrence": None,
        "crashFile": None,
        "resolvedWith": [],
        "sdkUpdates": [],
        "userReport": None,
        "groupingConfig": {"id": "newstyle:2023-01-11", "enhancements": ""},
        "nextEventID": issue.events[place + 1].id if place + 1 < len(issue.events) else None,
        "previousEventID": issue.events[place - 1].id if place else None,
        "_meta": {},
    }


def tag_shape(key: str, value: str) -> Json:
    if key == "user":
        kind, _, rest = value.partition(":")
        return {"key": key, "value": value, "query": f'user.{kind}:"{rest}"'}
    return {"key": key, "value": value}


def user_shape(event: Event) -> Json | None:
    if not event.user:
        return None
    keys = ("id", "email", "username", "ip_address", "name")
    return {key: event.user.get(key) for key in keys} | {"geo": None, "data": None}


def entries(event: Event) -> list[Json]:
    listed: list[Json] = []
    values = exceptions(event.payload)
    if values:
        shapes = [exception_shape(value) for value in values]
        listed.append(
            {
                "type": "exception",
                "data": {"values": shapes, "hasSystemFrames": True, "excOmitted": None},
            }
        )
    elif event.value:
        listed.append({"type": "message", "data": {"formatted": event.value}})
    if rows := threads(event.payload):
        listed.append({"type": "threads", "data": {"values": [thread_shape(row) for row in rows]}})
    if stack := stack_shape(event.payload.get("stacktrace")):
        listed.append({"type": "stacktrace", "data": stack})
    if report := event.payload.get("csp"):
        listed.append({"type": "csp", "data": report})
    crumbs = event.payload.get("breadcrumbs") or {}
    crumbs = crumbs.get("values") if isinstance(crumbs, dict) else crumbs
    if crumbs:
        listed.append({"type": "breadcrumbs", "data": {"values": crumbs}})
    if request := event.payload.get("request"):
        headers = [[key, value] for key, value in (request.get("headers") or {}).items()]
        shape = {
            "method": request.get("method"),
            "url": request.get("url"),
            "query": [],
            "headers": headers,
        }
        listed.append(
            {
                "type": "request",
                "data": shape | {"cookies": [], "data": request.get("data"), "env": None},
            }
        )
    return listed


def exception_shape(value: Json) -> Json:
    return {
        "type": value.get("type"),
        "value": str(value["value"]) if value.get("value") else None,
        "module": value.get("module"),
        "mechanism": value.get("mechanism"),
        "threadId": value.get("thread_id"),
        "stacktrace": stack_shape(value.get("stacktrace")),
        "rawStacktrace": stack_shape(value.get("raw_stacktrace")),
    }


def thread_shape(thread: Json) -> Json:
    """https://github.com/getsentry/sentry/blob/master/src/sentry/interfaces/threads.py"""
    return {
        "id": thread.get("id"),
        "name": thread.get("name"),
        "crashed": bool(thread.get("crashed")),
        "current": bool(thread.get("current")),
        "stacktrace": stack_shape(thread.get("stacktrace")),
        "rawStacktrace": stack_shape(thread.get("raw_stacktrace")),
    }


def stack_shape(trace: Json | None) -> Json | None:
    """A stack without frames is none: sentry/interfaces/exception.py."""
    frames = [frame for frame in (trace or {}).get("frames") or [] if frame]
    if not frames:
        return None
    shown = [frame_shape(frame) for frame in frames]
    marked = any(frame["inApp"] for frame in shown)
    return {"frames": shown, "framesOmitted": None, "hasSystemFrames": marked, "registers": None}


def frame_shape(frame: Json) -> Json:
    return {
        "filename": frame.get("filename") or frame.get("abs_path"),
        "absPath": frame.get("abs_path") or frame.get("filename"),
        "module": frame.get("module"),
        "package": frame.get("package"),
        "platform": frame.get("platform"),
        "function": frame.get("function"),
        "lineNo": frame.get("lineno"),
        "colNo": frame.get("colno"),
        "inApp": bool(frame.get("in_app")),
        "context": context(frame),
        "vars": frame.get("vars"),
        "errors": None,
        "symbol": None,
        "symbolAddr": None,
        "instructionAddr": None,
        "trust": None,
    }


def context(frame: Json) -> list[list[Any]]:
    """[[line number, text], …] around the line."""
    line = frame.get("lineno")
    if line is None or frame.get("context_line") is None:
        return []
    before, after = frame.get("pre_context") or [], frame.get("post_context") or []
    texts = [*before, frame["context_line"], *after]
    return [[line - len(before) + number, text] for number, text in enumerate(texts)]
