"""`pins.add` and `bookmarks.*`."""

from __future__ import annotations

from sandbox.slack.changes import Change
from sandbox.slack.channels import APP, TEAM, Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json, copied

MAX_PINS, MAX_BOOKMARKS = 100, 100


def pins_add(call: Call) -> Json:
    call.needs("pins:write")
    channel = call.channel(member=True)
    if len(channel.pins) >= MAX_PINS:
        raise SlackError("too_many_pins")
    call.workspace.pin(channel, call.required("timestamp", "no_item_specified"), call.caller)
    return {}


def bookmarks_add(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/bookmarks.add"""
    call.needs("bookmarks:write")
    channel = _with_bookmarks(call)
    title, link = call.required("title"), call.text("link")
    if call.required("type") != "link":
        raise SlackError("invalid_bookmark_type")
    if not link.startswith(("http://", "https://")):
        raise SlackError("invalid_link")
    if len(channel.bookmarks) >= MAX_BOOKMARKS:
        raise SlackError("too_many_bookmarks")
    now = int(call.workspace.now())
    bookmark: Json = {
        "id": call.workspace.new_id("Bk"),
        "channel_id": channel.id,
        "title": title,
        "link": link,
        "emoji": call.text("emoji"),
        "icon_url": None,
        "type": "link",
        "entity_id": None,
        "date_created": now,
        "date_updated": 0,
        "rank": "i",
        "last_updated_by_user_id": call.caller,
        "last_updated_by_team_id": TEAM,
        "shortcut_id": None,
        "app_id": APP,
        "app_action_id": None,
    }
    call.workspace.bookmark(channel, bookmark)
    return {"bookmark": dict(bookmark)}


def bookmarks_edit(call: Call) -> Json:
    call.needs("bookmarks:write")
    channel = _with_bookmarks(call)
    bookmark = next((b for b in channel.bookmarks if b["id"] == call.text("bookmark_id")), None)
    if bookmark is None:
        raise SlackError("bookmark_not_found")
    for key in ("title", "link", "emoji"):
        if key in call.args:
            bookmark[key] = call.text(key)
    bookmark["date_updated"] = int(call.workspace.now())
    call.workspace.changes.publish(Change("bookmarks", channel.id, data=bookmark))
    return {"bookmark": dict(bookmark)}


def bookmarks_list(call: Call) -> Json:
    call.needs("bookmarks:read")
    return {"bookmarks": copied(_with_bookmarks(call).bookmarks)}


def _with_bookmarks(call: Call) -> Channel:
    return call.channel("channel_id", member=True)


METHODS: dict[str, Method] = {
    "pins.add": pins_add,
    "bookmarks.add": bookmarks_add,
    "bookmarks.edit": bookmarks_edit,
    "bookmarks.list": bookmarks_list,
}
