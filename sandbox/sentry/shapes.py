"""The JSON of issues, events, releases and deploys.

https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/issue_examples.py (count: a string on the wire)
https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/event_examples.py
https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/release_examples.py
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sandbox.sentry.api.projects import project_shape
from sandbox.sentry.events import Event, Payload, exceptions, iso, main_exception, threads
from sandbox.sentry.models import Deploy, Issue, Release
from sandbox.sentry.state import Sentry

TOP_VALUES = 9
"""TOP_VALUES_DEFAULT_LIMIT of sentry/tagstore/base.py."""


def users(events: Sequence[Event]) -> int:
    return len({event.tags["user"] for event in events if "user" in event.tags})


def issue_item(
    sentry: Sentry, issue: Issue, events: Sequence[Event], *, period: str = "24h"
) -> Payload:
    """An issue in a list. `events` are those of the asked window: count and userCount are over them, the rest is over
    the issue's whole life. No `firstRelease` and no `tags` here."""
    shape = issue_shape(sentry, issue, events)
    life = {
        "count": str(issue.times_seen),
        "userCount": users(issue.events),
        "firstSeen": iso(issue.first_seen),
        "lastSeen": iso(issue.last_seen),
        "stats": None,
    }
    listed = {
        **dict.fromkeys(("priorityLockedAt", "seerFixabilityScore", "seerAutofixLastTriggered")),
        **dict.fromkeys(
            ("seerExplorerAutofixLastTriggered", "matchingEventId", "matchingEventEnvironment")
        ),
        **{name: {} for name in ("inbox", "owners")},
        "filtered": None,
        **{name: [] for name in ("integrationIssues", "sentryAppIssues")},
        "derivedData": {},
        "latestEventHasAttachments": False,
        "sessionCount": 0,
    }
    return shape | listed | {"stats": {period: stats(sentry, issue, period)}, "lifetime": life}


def issue_shape(sentry: Sentry, issue: Issue, events: Sequence[Event]) -> Payload:
    """What every form of an issue has."""
    kind, category = issue.events[-1].kind if issue.events else ("error", "error")
    return {
        "id": str(issue.id),
        "shareId": None,
        "shortId": issue.short_id,
        "title": issue.title,
        "culprit": issue.culprit,
        "permalink": sentry.issue_url(issue),
        "logger": None,
        "level": issue.level,
        "status": issue.status,
        "statusDetails": status_details(issue),
        "substatus": issue.substatus,
        "isPublic": False,
        "platform": issue.project.platform,
        "project": project_shape(issue.project),
        "type": "error" if "type" in issue.metadata else "default",
        "issueType": kind,
        "issueCategory": category,
        "metadata": issue.metadata,
        "numComments": 0,
        "assignedTo": None,
        "isBookmarked": False,
        "isSubscribed": False,
        "subscriptionDetails": None,
        "hasSeen": False,
        "annotations": [],
        "isUnhandled": any(not event.handled for event in events),
        "priority": "high" if issue.level in ("fatal", "error") else "low",
        "count": str(len(events)),
        "userCount": users(events),
        "firstSeen": iso(issue.first_seen),
        "lastSeen": iso(issue.last_seen),
    }


def status_details(issue: Issue) -> Payload:
    """As api/serializers/models/group.py tells a resolution."""
    if issue.resolution is None:
        return {}
    return {"inNextRelease": True} if issue.resolution.next else {"inRelease": issue.in_release}


def issue_detail(sentry: Sentry, issue: Issue) -> Payload:
    """`GET issues/{id}/`: over the whole life of the issue."""
    keys = Counter(key for event in issue.events for key in event.tags)
    values: dict[str, set[str]] = defaultdict(set)
    for event in issue.events:
        for key, value in event.tags.items():
            values[key].add(value)
    return issue_shape(sentry, issue, issue.events) | {
        "count": str(issue.times_seen),
        "firstRelease": short_release(sentry, issue.first_release),
        "lastRelease": short_release(sentry, issue.last_release),
        "tags": [
            {"key": key, "name": key.replace("_", " ").title(), "totalValues": count}
            for key, count in sorted(keys.items())
        ],
        "activity": [],
        "seenBy": [],
        "participants": [],
        "pluginActions": [],
        "pluginIssues": [],
        "pluginContexts": [],
        "userReportCount": 0,
        "stats": {"24h": stats(sentry, issue, "24h"), "30d": stats(sentry, issue, "30d")},
    }


def short_release(sentry: Sentry, version: str) -> Payload | None:
    release = sentry.releases.get(version)
    return release_shape(sentry, release) if release else None


def stats(sentry: Sentry, issue: Issue, period: str) -> list[list[int]]:
    """[[start of the bucket in seconds, events], …] of the last day by the hour, else of 14 or 30 days by the day."""
    size, count = {"24h": (3600, 24), "14d": (86_400, 14), "30d": (86_400, 30)}.get(
        period, (3600, 24)
    )
    last = int(sentry.clock()) // size * size
    found = {last - number * size: 0 for number in range(count - 1, -1, -1)}
    for event in sentry.window(last - (count - 1) * size, last + size, issue.events):
        found[int(event.timestamp) // size * size] += 1
    return [[start, number] for start, number in found.items()]


def tag_detail(
    issue: Issue, key: str, events: Sequence[Event], *, limit: int = TOP_VALUES
) -> Payload | None:
    """`GET issues/{id}/tags/{key}/`: over the whole life of the issue; None when no event has the tag."""
    tagged = [event for event in events if key in event.tags]
    if not tagged:
        return None
    rows = tag_values(key, tagged)
    return {
        "key": key,
        "name": key.replace("_", " ").title(),
        "uniqueValues": len(rows),
        "totalValues": len(tagged),
        "topValues": rows[:limit],
    }


def tag_values(key: str, tagged: Sequence[Event]) -> list[Payload]:
    """Every value, the most frequent first."""
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in tagged:
        if key in event.tags:
            groups[event.tags[key]].append(event)
    rows: list[Payload] = []
    for value, inside in sorted(groups.items(), key=lambda group: -len(group[1])):
        row: Payload = {
            "key": key,
            "name": value,
            "value": value,
            "count": len(inside),
            "firstSeen": iso(min(event.timestamp for event in inside)),
            "lastSeen": iso(max(event.timestamp for event in inside)),
        }
        if key == "user":
            kind, _, rest = value.partition(":")
            person = inside[-1].user
            row |= {
                "id": person.get("id"),
                "email": person.get("email"),
                "username": person.get("username"),
                "ipAddress": person.get("ip_address"),
                "name": rest,
                "query": f'user.{kind}:"{rest}"',
            }
        rows.append(row)
    return rows


def event_detail(sentry: Sentry, event: Event) -> Payload:
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


def tag_shape(key: str, value: str) -> Payload:
    if key == "user":
        kind, _, rest = value.partition(":")
        return {"key": key, "value": value, "query": f'user.{kind}:"{rest}"'}
    return {"key": key, "value": value}


def user_shape(event: Event) -> Payload | None:
    if not event.user:
        return None
    keys = ("id", "email", "username", "ip_address", "name")
    return {key: event.user.get(key) for key in keys} | {"geo": None, "data": None}


def entries(event: Event) -> list[Payload]:
    found: list[Payload] = []
    values = exceptions(event.payload)
    if values:
        shapes = [exception_shape(value) for value in values]
        found.append(
            {
                "type": "exception",
                "data": {"values": shapes, "hasSystemFrames": True, "excOmitted": None},
            },
        )
    elif event.value:
        found.append({"type": "message", "data": {"formatted": event.value}})
    if rows := threads(event.payload):
        found.append({"type": "threads", "data": {"values": [thread_shape(row) for row in rows]}})
    if stack := stack_shape(event.payload.get("stacktrace")):
        found.append({"type": "stacktrace", "data": stack})
    if report := event.payload.get("csp"):
        found.append({"type": "csp", "data": report})
    crumbs = event.payload.get("breadcrumbs") or {}
    crumbs = crumbs.get("values") if isinstance(crumbs, dict) else crumbs
    if crumbs:
        found.append({"type": "breadcrumbs", "data": {"values": crumbs}})
    if request := event.payload.get("request"):
        headers = [[key, value] for key, value in (request.get("headers") or {}).items()]
        shape = {
            "method": request.get("method"),
            "url": request.get("url"),
            "query": [],
            "headers": headers,
        }
        found.append(
            {
                "type": "request",
                "data": shape | {"cookies": [], "data": request.get("data"), "env": None},
            }
        )
    return found


def exception_shape(value: Payload) -> Payload:
    return {
        "type": value.get("type"),
        "value": str(value["value"]) if value.get("value") else None,
        "module": value.get("module"),
        "mechanism": value.get("mechanism"),
        "threadId": value.get("thread_id"),
        "stacktrace": stack_shape(value.get("stacktrace")),
        "rawStacktrace": stack_shape(value.get("raw_stacktrace")),
    }


def thread_shape(thread: Payload) -> Payload:
    """https://github.com/getsentry/sentry/blob/master/src/sentry/interfaces/threads.py"""
    return {
        "id": thread.get("id"),
        "name": thread.get("name"),
        "crashed": bool(thread.get("crashed")),
        "current": bool(thread.get("current")),
        "stacktrace": stack_shape(thread.get("stacktrace")),
        "rawStacktrace": stack_shape(thread.get("raw_stacktrace")),
    }


def stack_shape(trace: Payload | None) -> Payload | None:
    """A stack without frames is none: https://github.com/getsentry/sentry/blob/master/src/sentry/interfaces/exception.py"""
    frames = [frame for frame in (trace or {}).get("frames") or [] if frame]
    if not frames:
        return None
    shown = [frame_shape(frame) for frame in frames]
    marked = any(frame["inApp"] for frame in shown)
    return {"frames": shown, "framesOmitted": None, "hasSystemFrames": marked, "registers": None}


def frame_shape(frame: Payload) -> Payload:
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


def context(frame: Payload) -> list[list[Any]]:
    """[[line number, text], …] around the line."""
    line = frame.get("lineno")
    if line is None or frame.get("context_line") is None:
        return []
    before, after = frame.get("pre_context") or [], frame.get("post_context") or []
    texts = [*before, frame["context_line"], *after]
    return [[line - len(before) + number, text] for number, text in enumerate(texts)]


def deploy_shape(deploy: Deploy) -> Payload:
    return {
        "id": str(deploy.id),
        "environment": deploy.environment,
        "dateStarted": iso(deploy.started) if deploy.started is not None else None,
        "dateFinished": iso(deploy.finished),
        "name": deploy.name,
        "url": deploy.url,
    }


def release_shape(sentry: Sentry, release: Release) -> Payload:
    package, _, version = release.version.rpartition("@")
    return {
        "id": sorted(sentry.releases).index(release.version) + 1,
        "version": release.version,
        "shortVersion": version or release.version,
        "versionInfo": {
            "package": package or None,
            "version": {"raw": version},
            "description": short_hash(version),
            "buildHash": version if re.fullmatch(r"[0-9a-f]{40}", version) else None,
        },
        "status": "open",
        "ref": release.ref,
        "url": release.url,
        "dateCreated": iso(release.created),
        "dateReleased": iso(release.released) if release.released is not None else None,
        "data": {},
        "newGroups": release.new_groups,
        "owner": None,
        "commitCount": len(release.commits),
        "lastCommit": release.commits[0] if release.commits else None,
        "deployCount": len(release.deploys),
        "lastDeploy": deploy_shape(release.deploys[-1]) if release.deploys else None,
        "authors": [],
        "projects": [
            {
                "id": sentry.projects[slug].id,
                "slug": slug,
                "name": slug,
                "newGroups": release.new_groups,
            }
            | {"platform": sentry.projects[slug].platform, "platforms": [], "hasHealthData": False}
            for slug in sorted(release.projects)
        ],
        "firstEvent": iso(release.first_event) if release.first_event is not None else None,
        "lastEvent": iso(release.last_event) if release.last_event is not None else None,
        "currentProjectMeta": {},
        "userAgent": None,
    }


def short_hash(version: str) -> str:
    return version[:12] if re.fullmatch(r"[0-9a-f]{40}", version) else version


def webhook_event(sentry: Sentry, event: Event) -> Payload:
    """`data.event` of an issue alert: the stored event in the SDK's own spelling, with links.

    https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issue-alerts/
    """
    issue = sentry.issues[event.issue_id]
    api = f"{sentry.base_url}/api/0"
    return {
        "event_id": event.id,
        "project": issue.project.id,
        "title": event.title,
        "culprit": event.culprit,
        "level": event.level,
        "platform": event.payload.get("platform", "other"),
        "type": "error" if event.type else "default",
        "message": "",
        "metadata": issue.metadata,
        "datetime": iso(event.timestamp),
        "timestamp": event.timestamp,
        "received": event.received,
        "release": event.release or None,
        "environment": event.environment or None,
        "transaction": event.transaction or None,
        "location": event.frame.get("filename"),
        "exception": {"values": exceptions(event.payload)}
        if main_exception(event.payload)
        else None,
        "contexts": event.payload.get("contexts") or {},
        "request": event.payload.get("request"),
        "sdk": event.payload.get("sdk"),
        "tags": sorted([key, value] for key, value in event.tags.items()),
        "user": event.user or None,
        "hashes": [issue.fingerprint],
        "url": f"{api}/projects/{sentry.org}/{issue.project.slug}/events/{event.id}/",
        "web_url": f"{sentry.base_url}/organizations/{sentry.org}/issues/{issue.id}/events/{event.id}/",
        "issue_url": f"{api}/organizations/{sentry.org}/issues/{issue.id}/",
        "issue_id": str(issue.id),
    }


def webhook_issue(sentry: Sentry, issue: Issue) -> Payload:
    """`data.issue`: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issues/"""
    return issue_shape(sentry, issue, issue.events) | {
        "url": f"{sentry.base_url}/api/0/organizations/{sentry.org}/issues/{issue.id}/",
        "web_url": sentry.issue_url(issue),
        "project_url": f"{sentry.base_url}/organizations/{sentry.org}/issues/?project={issue.project.id}",
    }
