"""Issues, their events and their tags.

https://docs.sentry.io/api/events/list-an-organizations-issues/ and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.sentry import event_shapes, shapes
from sandbox.sentry.api.call import READ_EVENTS, WRITE_EVENTS, Call, asked_issue, json_body
from sandbox.sentry.api.discover import reader
from sandbox.sentry.api.paging import Missing, asked_environments, asked_events, paged, window
from sandbox.sentry.events import Event
from sandbox.sentry.models import Issue, Resolution
from sandbox.sentry.resolution import in_next
from sandbox.sentry.search import InvalidQuery, Matcher, Value
from sandbox.sentry.state import STATUSES, Sentry

DEFAULT_QUERY = "is:unresolved"
"""Used where there is no `query` at all; an empty one asks for every issue."""

NO_RELEASES = "No release data present in the system to form a basis for 'Next Release'"

INTEGRATION = {
    "type": "application",
    "id": "c1d3f5a7-0b2e-4c6d-8f9a-1b3c5d7e9f01",
    "name": "Firebreak",
}
"""The token's owner, as webhooks name an integration.

sentry_apps/api/serializers/app_platform_event.py
"""

SORTS = ("date", "freq", "new", "user", "trends", "inbox", "recommended")

ISSUE_ONLY = frozenset(
    {"is", "issue.priority", "issue.category", "firstSeen", "age", "lastSeen", "timesSeen"}
    | {"times_seen", "firstRelease", "first_release"}
)
"""Keys that no event is filtered by: `skip_snuba_fields` of `StreamGroupSerializerSnuba` in
https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/models/group_stream.py"""

Entry = tuple[Issue, list[Event]]


async def list_issues(sentry: Sentry, request: Request) -> Response:
    params = request.query_params
    period = params.get("groupStatsPeriod") or "24h"
    if period not in ("24h", "14d", "auto"):
        raise InvalidQuery("Invalid stats_period. Valid choices are '', '24h', '14d', and 'auto'")
    start, end = window(params, sentry.clock(), "14d")
    inside: dict[int, list[Event]] = {}
    for event in asked_events(sentry, params, start, end):
        inside.setdefault(event.issue_id, []).append(event)
    matches = Matcher(params.get("query", DEFAULT_QUERY), _issue_reader(sentry), now=sentry.clock())
    entries = [(sentry.issues[number], events) for number, events in inside.items()]
    entries = [entry for entry in entries if matches(entry)]
    sort = params.get("sort") or "date"
    if sort not in SORTS:
        raise InvalidQuery(f"Invalid sort: {sort}")
    entries.sort(key=_order(sort), reverse=True)
    meets = Matcher(params.get("query", DEFAULT_QUERY), _event_reader(sentry), now=sentry.clock())
    filters = not matches.keys() <= ISSUE_ONLY

    def shape(entry: Entry) -> Any:
        inside = [event for event in entry[1] if meets(event)] if filters else None
        return shapes.issue_item(sentry, *entry, period=period, filtered=inside)

    return paged(request, entries, shape)


def _order(sort: str) -> Callable[[Entry], Any]:
    match sort:
        case "freq" | "trends" | "recommended":
            return lambda entry: (len(entry[1]), entry[0].id)
        case "new" | "inbox":
            return lambda entry: (entry[0].first_seen, entry[0].id)
        case "user":
            return lambda entry: (shapes.users(entry[1]), entry[0].id)
        case _:
            return lambda entry: (entry[1][-1].timestamp, entry[0].id)


def _issue_reader(sentry: Sentry) -> Callable[[Entry, str], Value]:
    """Return a reader of an issue's own keys; every other key is read off its events."""
    read_event = reader(sentry)

    def read(entry: Entry, key: str) -> Value:
        issue, events = entry
        match key:
            case "is":
                archived = ["ignored", "archived"] if issue.status == "ignored" else [issue.status]
                return [*archived, "unassigned", *([issue.substatus] if issue.substatus else [])]
            case "level":
                return issue.level
            case "title" | "message":
                return issue.title
            case "issue":
                return issue.short_id
            case "issue.id":
                return str(issue.id)
            case "firstSeen" | "age":
                return issue.first_seen
            case "lastSeen":
                return issue.last_seen
            case "timesSeen" | "times_seen":
                return float(len(events))
            case "firstRelease" | "first_release":
                return issue.first_release
            case "project" | "project.name":
                return issue.project.slug
            case "issue.priority":
                return "high"
            case _:
                values = (read_event(event, key) for event in events)
                return sorted({str(value) for value in values if value is not None})

    return read


def _event_reader(sentry: Sentry) -> Callable[[Event, str], Value]:
    """Return a reader of one event by the keys of an issue search."""
    of_issue, of_event = _issue_reader(sentry), reader(sentry)

    def read(event: Event, key: str) -> Value:
        if key in ISSUE_ONLY:
            return of_issue((sentry.issues[event.issue_id], [event]), key)
        return event.level if key == "level" else of_event(event, key)

    return read


async def show_issue(sentry: Sentry, request: Request) -> Response:
    return JSONResponse(shapes.issue_detail(sentry, asked_issue(sentry, request)))


async def change_issue(sentry: Sentry, request: Request) -> Response:
    """`PUT issues/{id}/` with `status`: resolved, unresolved, ignored."""
    issue = asked_issue(sentry, request)
    change = await json_body(request)
    if "status" in change:
        _set_status(sentry, issue, change)
    return JSONResponse(shapes.issue_shape(sentry, issue, issue.events))


def _set_status(sentry: Sentry, issue: Issue, change: dict[str, Any]) -> None:
    status = {"resolvedInNextRelease": "resolved", "archived": "ignored"}.get(
        change["status"], change["status"]
    )
    if status not in STATUSES:
        raise InvalidQuery(f'"{change["status"]}" is not a valid choice.')
    details = change.get("statusDetails") or {}
    release = str(details.get("inRelease") or "") if isinstance(details, dict) else ""
    if release and (
        release not in sentry.releases
        or issue.project.slug not in sentry.releases[release].projects
    ):
        # sentry/api/helpers/group_index/validators/status_details.py
        raise InvalidQuery(
            fields={
                "statusDetails": {"inRelease": ["Unable to find a release with the given version."]}
            }
        )
    made = Resolution(release) if release else None
    if isinstance(details, dict) and details.get("inNextRelease"):
        made = in_next(issue, sentry.releases_of(issue.project.slug))
        if made is None:
            raise InvalidQuery(fields={"statusDetails": {"inNextRelease": [NO_RELEASES]}})
    sentry.set_status(
        issue.id, status, substatus=change.get("substatus"), resolution=made, by=INTEGRATION
    )


async def show_short_id(sentry: Sentry, request: Request) -> Response:
    issue = sentry.by_short_id(request.path_params["short_id"])
    if issue is None:
        raise Missing
    return JSONResponse(
        {
            "organizationSlug": sentry.org,
            "projectSlug": issue.project.slug,
            "groupId": str(issue.id),
            "group": shapes.issue_shape(sentry, issue, issue.events),
            "shortId": issue.short_id,
        }
    )


async def show_event(sentry: Sentry, request: Request) -> Response:
    """Answer `latest`, `oldest`, `recommended`, or an event by its id."""
    issue, which = asked_issue(sentry, request), request.path_params["event"]
    params = request.query_params
    events = _events_of(sentry, issue, request)
    if params.get("start") or params.get("statsPeriod"):
        events = sentry.window(*window(params, sentry.clock(), "90d"), events)
    if params.get("query"):
        read, now = reader(sentry), sentry.clock()
        matches = Matcher(params["query"], read, now=now)
        events = [event for event in events if matches(event)]
    if which not in ("latest", "oldest", "recommended"):
        events = [event for event in events if event.id == which.replace("-", "")]
    if not events:
        raise Missing
    return JSONResponse(
        event_shapes.event_detail(sentry, events[0] if which == "oldest" else events[-1])
    )


async def show_tag(sentry: Sentry, request: Request) -> Response:
    """A tag over the issue's whole life: `start`, `end` and `statsPeriod` are not read."""
    issue, key = asked_issue(sentry, request), request.path_params["key"]
    detail = shapes.tag_detail(key, _events_of(sentry, issue, request))
    if detail is None:
        raise Missing
    return JSONResponse(detail)


def _events_of(sentry: Sentry, issue: Issue, request: Request) -> list[Event]:
    """Return the events of the environments that are asked for."""
    environments = asked_environments(sentry, request.query_params)
    if not environments:
        return issue.events
    return [event for event in issue.events if event.environment in environments]


CALLS = (
    Call("issues", "GET", "issues/", READ_EVENTS, list_issues),
    Call("issue", "GET", "issues/{issue}/", READ_EVENTS, show_issue),
    Call("issue", "PUT", "issues/{issue}/", WRITE_EVENTS, change_issue),
    Call("issue", "GET", "shortids/{short_id}/", READ_EVENTS, show_short_id),
    Call("event", "GET", "issues/{issue}/events/{event}/", READ_EVENTS, show_event),
    Call("tags", "GET", "issues/{issue}/tags/{key}/", READ_EVENTS, show_tag),
)
