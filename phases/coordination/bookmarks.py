"""The channel's bookmarks: Sentry, ticket, post-mortem, runbook, at the top of the channel for whoever comes in.

They follow from the record after every change, so no phase has to think of them (rules: Bookmarks).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from phases.messages.effects import SetBookmark
from phases.messages.results import BookmarkSet
from phases.record.incident import Bookmark, Incident
from phases.record.service import Service
from phases.steps.announce import worked
from phases.steps.change import Change, Draft


def followed(change: Change, service: Service) -> Change:
    """With an effect for each bookmark that is not yet, or not any more, what it should be."""
    incident = change.incident
    if (
        incident.channel is None
        or incident.channel.thread_ts is not None
        or incident.channel_archived
    ):
        return change
    marks = dict(incident.bookmarks)
    effects: list[SetBookmark] = []
    for name, link in wanted(incident, service).items():
        known = marks.get(name)
        if known is None or known.link != link:
            marks[name] = Bookmark(link=link, id=known.id if known else None)
            effects.append(SetBookmark(name=name))
    if not effects:
        return change
    record = incident.model_copy(update={"bookmarks": marks})
    return replace(change, incident=record, effects=(*change.effects, *effects))


def wanted(incident: Incident, service: Service) -> dict[str, str]:
    """Link by name. The Sentry issue that was found first stays: the loudest one changes by the minute."""
    first = next((issue.url for issue in incident.triage.issues), "") if incident.triage else ""
    kept = incident.bookmarks.get("sentry")
    links = {
        "sentry": kept.link if kept else first,
        "ticket": incident.ticket.url if incident.ticket else "",
        "adr": (incident.adr.url or "") if incident.adr else "",
        "runbook": service.runbook or "",
    }
    return {
        name: link
        for name, link in links.items()
        if link and link.startswith(("https://", "http://"))
    }


def bookmark_set(
    incident: Incident, action: BookmarkSet, service: Service, now: datetime
) -> Change:
    del service
    draft = worked(Draft(incident, now), "bookmark", f'"{action.name}"')
    known = incident.bookmarks.get(action.name)
    if known is None or known.id == action.id:
        return draft.done()
    return draft.set(
        bookmarks={**incident.bookmarks, action.name: known.model_copy(update={"id": action.id})}
    ).done()
