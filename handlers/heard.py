"""Text as Slack sends it → as it was meant: entities decoded, links and channels readable, people as `<@U…>`. Pure.

https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"<([^<>\n]{1,3000})>")
_SENTRY_ISSUE = re.compile(r"https?://[^\s/]+(?:/[^\s/]+)*?/issues/(\d{1,20})(?=[/?#\s]|$)")
TITLE = 300
DESCRIPTION = 3000


def plain(text: str) -> str:
    """What a person meant to write in a message or command. Nothing that a record cannot hold: no lone surrogate."""
    kept = _TOKEN.sub(_token, typed(text))
    return kept.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def typed(text: str) -> str:
    """What was entered in a form, or comes from another program: nothing is encoded there, so nothing is decoded."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()


def _token(found: re.Match[str]) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#linking-urls and following"""
    what, _, label = found.group(1).partition("|")
    if what.startswith("@"):
        return f"<{what}>"
    if what.startswith("#"):
        return f"#{label or what[1:]}"
    if what.startswith("!date^"):
        return label or what
    if what.startswith("!"):
        return f"@{(label or what[1:].partition('^')[0]).lstrip('@')}"
    if what.startswith("mailto:"):
        return label or what.removeprefix("mailto:")
    return what


def title(text: str) -> str:
    """The first line, on one line, cut."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return cut(" ".join(first.split()), TITLE)


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def sentry_issues(text: str) -> tuple[str, ...]:
    """Issue ids of the Sentry links in a text: they seed triage. Nothing typed into Slack is ever called."""
    return tuple(dict.fromkeys(_SENTRY_ISSUE.findall(text)))[:10]
