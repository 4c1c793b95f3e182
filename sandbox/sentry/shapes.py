"""The JSON of issues, events, releases and deploys.

https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/issue_examples.py
https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/event_examples.py
https://github.com/getsentry/sentry/blob/master/src/sentry/apidocs/examples/release_examples.py
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from sandbox.sentry.events import Event, exceptions, iso, main_exception
from sandbox.sentry.models import Deploy, Issue, Project, Release
from sandbox.sentry.state import Sentry
from sandbox.wire import Json

TOP_VALUES = 9
"""TOP_VALUES_DEFAULT_LIMIT of sentry/tagstore/base.py."""
FEATURES = [
    "Access",
    "Feedbacks",
    "Flags",
    "MinifiedStackTrace",
    "Monitors",
    "NewFeedbacks",
    "Profiles",
    "Replays",
    "Sessions",
    "InsightsHttp",
    "InsightsDb",
    "InsightsAssets",
    "InsightsAppStart",
    "InsightsScreenLoad",
    "InsightsVitals",
    "InsightsCaches",
    "InsightsQueues",
    "InsightsAgentMonitoring",
    "InsightsMCP",
    "Logs",
    "TraceMetrics",
    "UserReports",
]
"""Features of Sentry that a project uses or not.

https://github.com/getsentry/sentry-api-schema, "List an Organization's Projects"
"""


def users(events: Sequence[Event]) -> int:
    return len({event.tags["user"] for event in events if "user" in event.tags})


def issue_item(
    sentry: Sentry,
    issue: Issue,
    events: Sequence[Event],
    *,
    period: str = "24h",
    filtered: Sequence[Event] | None = None,
) -> Json:
    """An issue in a list, without `firstRelease` and `tags`.

    Count and userCount are over `events`, those of the window; the rest is over its whole life.
    `filtered`: the events that meet the search, if it asks for more than the issue itself has.
    """
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
        "filtered": None if filtered is None else _filtered(filtered),
        **{name: [] for name in ("integrationIssues", "sentryAppIssues")},
        "derivedData": {},
        "latestEventHasAttachments": False,
        "sessionCount": 0,
    }
    return shape | listed | {"stats": {period: stats(sentry, issue, period)}, "lifetime": life}


def _filtered(events: Sequence[Event]) -> Json:
    times = [event.timestamp for event in events]
    return {
        "count": str(len(events)),
        "userCount": users(events),
        "firstSeen": iso(min(times)) if times else None,
        "lastSeen": iso(max(times)) if times else None,
        "stats": None,
    }


def issue_shape(sentry: Sentry, issue: Issue, events: Sequence[Event]) -> Json:
    """The keys that every form of an issue has."""
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


def status_details(issue: Issue) -> Json:
    """A resolution as api/serializers/models/group.py writes it."""
    if issue.resolution is None:
        return {}
    return {"inNextRelease": True} if issue.resolution.next else {"inRelease": issue.in_release}


def issue_detail(sentry: Sentry, issue: Issue) -> Json:
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


def short_release(sentry: Sentry, version: str) -> Json | None:
    release = sentry.releases.get(version)
    return release_shape(sentry, release) if release else None


def stats(sentry: Sentry, issue: Issue, period: str) -> list[list[int]]:
    """[[start of the bucket in seconds, events], …] of a day by the hour, else by the day."""
    size, count = {"24h": (3600, 24), "14d": (86_400, 14), "30d": (86_400, 30)}.get(
        period, (3600, 24)
    )
    last = int(sentry.clock()) // size * size
    counts = {last - number * size: 0 for number in range(count - 1, -1, -1)}
    for event in sentry.window(last - (count - 1) * size, last + size, issue.events):
        counts[int(event.timestamp) // size * size] += 1
    return [[start, number] for start, number in counts.items()]


def tag_detail(key: str, events: Sequence[Event]) -> Json | None:
    """A tag over the whole life of an issue; None where no event has it."""
    tagged = [event for event in events if key in event.tags]
    if not tagged:
        return None
    rows = tag_values(key, tagged)
    return {
        "key": key,
        "name": key.replace("_", " ").title(),
        "uniqueValues": len(rows),
        "totalValues": len(tagged),
        "topValues": rows[:TOP_VALUES],
    }


def tag_values(key: str, tagged: Sequence[Event]) -> list[Json]:
    """Every value, the most frequent first."""
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in tagged:
        groups[event.tags[key]].append(event)
    rows: list[Json] = []
    for value, inside in sorted(groups.items(), key=lambda group: -len(group[1])):
        row: Json = {
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


def deploy_shape(deploy: Deploy) -> Json:
    return {
        "id": str(deploy.id),
        "environment": deploy.environment,
        "dateStarted": iso(deploy.started) if deploy.started is not None else None,
        "dateFinished": iso(deploy.finished),
        "name": deploy.name,
        "url": deploy.url,
    }


def release_shape(sentry: Sentry, release: Release) -> Json:
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
        "commitCount": 0,
        "lastCommit": None,
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


def webhook_event(sentry: Sentry, event: Event) -> Json:
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
        "web_url": f"{sentry.issue_url(issue)}events/{event.id}/",
        "issue_url": f"{api}/organizations/{sentry.org}/issues/{issue.id}/",
        "issue_id": str(issue.id),
    }


def webhook_issue(sentry: Sentry, issue: Issue) -> Json:
    """`data.issue` of a webhook.

    https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issues/
    """
    return issue_shape(sentry, issue, issue.events) | {
        "url": f"{sentry.base_url}/api/0/organizations/{sentry.org}/issues/{issue.id}/",
        "web_url": sentry.issue_url(issue),
        "project_url": f"{sentry.base_url}/organizations/{sentry.org}/issues/"
        f"?project={issue.project.id}",
    }


def project_shape(project: Project) -> Json:
    return {
        "id": str(project.id),
        "name": project.slug,
        "slug": project.slug,
        "platform": project.platform,
    }


def project_row(project: Project) -> Json:
    """A row of the organisation's list, complete as Sentry describes it."""
    return {
        **project_shape(project),
        **{f"has{feature}": feature == "Access" for feature in FEATURES},
        **{name: [] for name in ("features", "access", "teams", "platforms", "environments")},
        **dict.fromkeys(("firstEvent", "team", "latestRelease")),
        **dict.fromkeys(("isBookmarked", "firstTransactionEvent"), False),
        "isMember": True,
    }
