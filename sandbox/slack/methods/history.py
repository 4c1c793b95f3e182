"""Reading messages: `conversations.history`, `conversations.replies`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json, copied


def history(call: Call) -> Json:
    """Newest first. With `oldest` alone the page next to it comes first, else the newest page.

    https://docs.slack.dev/reference/methods/conversations.history
    """
    channel = call.channel(member=True)
    call.needs_for(channel, "history")
    messages = [m for m in channel.roots() if _in_range(call, m)]
    forwards = bool(call.text("oldest")) and not call.text("latest")
    if not forwards:
        messages.reverse()
    page, cursor = call.page(messages, default=100, most=999)
    if forwards:
        page.reverse()
    answer: Json = {
        "messages": [_shown(call, message) for message in page],
        "has_more": bool(cursor),
        "pin_count": len(channel.pins),
        "channel_actions_ts": None,
        "channel_actions_count": 0,
    }
    if call.text("latest"):
        answer["latest"] = call.text("latest")
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def replies(call: Call) -> Json:
    """A thread, oldest first; the parent comes with every page.

    https://docs.slack.dev/reference/methods/conversations.replies
    """
    channel = call.channel(member=True)
    call.needs_for(channel, "history")
    ts = call.required("ts")
    wanted = channel.message(ts)
    if wanted is None:
        raise SlackError("thread_not_found")
    root_ts = wanted.get("thread_ts", ts)
    root, *answers = channel.thread(root_ts)
    page, cursor = call.page([m for m in answers if _in_range(call, m)], default=1000, most=1000)
    answer: Json = {"messages": [_shown(call, m) for m in (root, *page)], "has_more": bool(cursor)}
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def _in_range(call: Call, message: Json) -> bool:
    ts, oldest, latest = Decimal(message["ts"]), _limit(call, "oldest"), _limit(call, "latest")
    inclusive = call.flag("inclusive")
    after = oldest is None or ts > oldest or (inclusive and ts == oldest)
    before = latest is None or ts < latest or (inclusive and ts == latest)
    return after and before


def _limit(call: Call, name: str) -> Decimal | None:
    text = call.text(name)
    if not text or text == "now":
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise SlackError(f"invalid_ts_{name}") from error


def _shown(call: Call, message: Json) -> Json:
    """Metadata only for those who ask: https://docs.slack.dev/messaging/message-metadata"""
    shown = copied(message)
    if not call.flag("include_all_metadata"):
        shown.pop("metadata", None)
    return shown


METHODS: dict[str, Method] = {"conversations.history": history, "conversations.replies": replies}
