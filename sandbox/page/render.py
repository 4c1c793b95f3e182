"""Templates and their filters: mrkdwn, times, names, colours. Everything is autoescaped."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from sandbox.page import charts, markdown, mrkdwn
from sandbox.page.shortcodes import with_emoji
from sandbox.page.slack_view import QUIET, SlackView
from sandbox.wire import Json

_FOLLOWS_SECONDS = 300
_HERE = Path(__file__).parent


class Author(NamedTuple):
    """The writer that a message shows."""

    name: str
    bot: bool
    initial: str
    tone: int


def environment(slack: SlackView) -> Environment:
    """Return the templates of the page, with the filters that they use."""
    env = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = _Names(slack)
    env.globals["slack"] = slack
    env.filters |= {
        "mrkdwn": lambda text: mrkdwn.render(str(text), slack),
        "markdown": lambda text: markdown.render(str(text)),
        "emoji": lambda text: with_emoji(str(text)),
        "breaks": breaks,
        "anchor": lambda label, address: mrkdwn.link(str(address or ""), escape(label)),
        "safe_address": safe_address,
        "date_leaf": _date_leaf,
        "chart": charts.data_visualization,
        "clock": clock,
        "lately": lately,
        "since": since,
        "day": day,
        "day_name": day_name,
        "author": names.author,
        "follows": names.follows,
        "summary": names.summary,
        "own_words": own_words,
        "user_name": names.user_name,
        "tone": names.tone,
        "colour": colour,
        "keyed": keyed,
    }
    return env


class _Names:
    """Filters that need the names of people."""

    def __init__(self, slack: SlackView) -> None:
        self._slack = slack
        self._tones = {person.id: index for index, person in enumerate(slack.people())}

    def user_name(self, user: str) -> str:
        return self._slack.user(user) or user

    def tone(self, user: str) -> int:
        return self._tones.get(user, 3)

    def author(self, message: Json) -> Author:
        user = message.get("user", "")
        if message.get("bot_id"):
            profile = message.get("bot_profile") or {}
            name = message.get("username") or self._slack.user(user) or profile.get("name")
            name = name or "Firebreak"
            return Author(name, True, name[:1].upper(), 0)
        name = self._slack.user(user) or user or "Slack"
        return Author(name, False, name[:1].upper(), self.tone(user))

    def follows(self, message: Json, previous: Json) -> bool:
        """Return whether a message shows no writer: it is the same one's, shortly after."""
        return (
            self.author(message) == self.author(previous)
            and previous.get("subtype") not in QUIET
            and not previous.get("is_ephemeral")
            and float(message["ts"]) - float(previous["ts"]) < _FOLLOWS_SECONDS
            and day(message["ts"]) == day(previous["ts"])
        )

    def summary(self, message: Json) -> Markup:
        """Return a line of a message for the list of pins."""
        text = message.get("text") or ""
        return mrkdwn.inline(" ".join(text.split())[:160], self._slack)


def _date_leaf(leaf: Json) -> Markup:
    return mrkdwn.date(leaf["timestamp"], leaf.get("format", ""), leaf.get("fallback") or "")


def own_words(message: Json) -> str:
    """Return Slack's words about somebody without their name: it stands in front already."""
    return str(message.get("text", "")).removeprefix(f"<@{message.get('user')}> ")


def breaks(text: object) -> Markup:
    """Plain text with its line breaks."""
    return Markup("<br>").join(escape(line) for line in with_emoji(str(text)).split("\n"))


def safe_address(address: object) -> str:
    """The address itself, or `#` for one that a click must not follow."""
    return str(address) if mrkdwn.may_be_followed(str(address)) else "#"


def colour(value: object) -> str:
    """An attachment's bar colour: hex or one of Slack's three words, else the ordinary line."""
    named = {"good": "var(--good)", "warning": "var(--warn)", "danger": "var(--bad)"}
    if str(value) in named:
        return named[str(value)]
    return (
        f"#{str(value).lstrip('#')}"
        if re.fullmatch(r"#?[0-9a-fA-F]{6}", str(value))
        else "var(--line-strong)"
    )


def clock(moment: object) -> Markup:
    """A time of day; the browser writes it in the reader's own time zone."""
    at = _moment(moment)
    return Markup('<time datetime="{}" data-epoch="{}" data-pattern="{{time}}">{}</time>').format(
        at.isoformat(timespec="seconds"), int(at.timestamp()), f"{at:%H:%M}"
    )


def lately(moment: object) -> Markup:
    """A time of day, where it is today; else the day."""
    at = _moment(moment)
    if at.date() == datetime.now(UTC).astimezone().date():
        return clock(moment)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at.day} {at:%b}"
    )


def since(moment: object) -> Markup:
    """A time of day with its date, which the browser says in short where it is today."""
    at = _moment(moment)
    return Markup(
        '<time datetime="{}" data-epoch="{}"'
        ' data-pattern="{{date_short_pretty}} {{time}}">{}</time>'
    ).format(at.isoformat(timespec="seconds"), int(at.timestamp()), f"{at:%Y-%m-%d %H:%M}")


def day(moment: object) -> str:
    return _moment(moment).date().isoformat()


def day_name(moment: object) -> str:
    date, today = _moment(moment).date(), datetime.now(UTC).astimezone().date()
    if date == today:
        return "Today"
    if date == today - timedelta(days=1):
        return "Yesterday"
    return f"{date:%A}, {date.day} {date:%B}"


def _moment(value: object) -> datetime:
    return datetime.fromtimestamp(float(str(value)), UTC).astimezone()


def keyed(item: Markup, key: str) -> Markup:
    """A rendered `<li>` with a key and a fingerprint: the browser replaces what differs."""
    text = str(item).strip()
    revision = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return Markup(text.replace("<li ", f'<li data-key="{escape(key)}" data-rev="{revision}" ', 1))


def fingerprint(*values: Any) -> str:
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()
