"""Phase 4, the channel's bookmarks: Sentry, ticket, post-mortem, runbook, for whoever comes in.

They follow from the record after every change, so no phase has to think of them (rules: Bookmarks).
"""

from phases.messages.effects import SetBookmark
from phases.messages.results import BookmarkSet
from phases.record.incident import Bookmark, Incident
from phases.record.service import Service
from phases.shared.announce import clear_failures
from phases.shared.change import Draft


def follow_bookmarks(draft: Draft) -> None:
    """Want an effect for each bookmark that is not yet, or not any more, what it should be."""
    incident = draft.incident
    if incident.own_channel is None or incident.channel_archived:
        return
    for name, link in bookmark_links(incident, draft.service).items():
        known = incident.bookmarks.get(name)
        if known is None or known.link != link:
            changed = Bookmark(link=link, id=known.id if known else None)
            draft.set(bookmarks={**draft.incident.bookmarks, name: changed})
            draft.want(SetBookmark(name=name))


def bookmark_links(incident: Incident, service: Service) -> dict[str, str]:
    """Return the links by name.

    The Sentry issue that was found first stays: the loudest one changes by the minute.
    """
    first = next((issue.url for issue in incident.triage.issues), "") if incident.triage else ""
    known = incident.bookmarks.get("sentry")
    links = {
        "sentry": known.link if known else first,
        "ticket": incident.ticket.url if incident.ticket else "",
        "adr": (incident.adr.url or "") if incident.adr else "",
        "runbook": service.runbook or "",
    }
    return {
        name: link
        for name, link in links.items()
        if link and link.startswith(("https://", "http://"))
    }


def bookmark_set(draft: Draft, action: BookmarkSet) -> None:
    incident = draft.incident
    clear_failures(draft, "bookmark", action.name)
    known = incident.bookmarks.get(action.name)
    if known is None or known.id == action.id:
        return
    draft.set(
        bookmarks={**incident.bookmarks, action.name: known.model_copy(update={"id": action.id})}
    )
