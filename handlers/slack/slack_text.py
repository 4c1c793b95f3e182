"""Text as Slack sends it → as it was meant: entities decoded, links and channels readable, people as `<@U…>`. Pure.

https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from phases.record.text import cut, printable

_TOKEN = re.compile(r"<([^<>\n]{1,3000})>")
_HOST = r"(?:https?://|(?<![\w./@-])(?=[\w-]+\.[\w.-]*[a-z]))(?P<host>[^\s/<>|\"'(),;]+)"
"""An address's host; without `https://` before it, where it has a dot."""
_END = r"(?![-_]?[0-9a-z])"
"""Behind a number: letters of other scripts, and what slants a text, are no part of it."""
_PATH = r"(?:/[^\s/?#<>|\"]+)*?"
# https://docs.sentry.io/api/events/retrieve-an-issue/ : /issues/<id>/, also below /organizations/<org>/ or /<org>/<project>/ ,
# with /events/<id>/ behind it; an issue's short id is taken in the place of its number.
_SENTRY_ISSUE = re.compile(
    rf"{_HOST}{_PATH}/issues/(?:(?P<id>\d{{1,20}})|(?P<short>[a-z0-9][\w-]{{0,49}}-[0-9a-z]{{1,10}})){_END}",
    re.IGNORECASE,
)
_OTHER_TRACKERS = re.compile(
    r"(?:^|\.)(?:github|gitlab|bitbucket|gitea|forgejo|codeberg|linear|atlassian|jira|redmine)(?:\.|$)",
    re.IGNORECASE,
)
"""Whose addresses have `/issues/` and a number, too."""
# https://linear.app/docs/issue-identifiers : https://linear.app/acme/issue/ENG-123/title
_LINEAR_ISSUE = re.compile(
    rf"{_HOST}{_PATH}/issue/(?P<id>[a-z][a-z0-9]{{0,9}}-[1-9]\d{{0,7}}){_END}", re.IGNORECASE
)
_LIKE = {"\u2212": "-", "\u2043": "-"} | dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a", "'")
_LIKE |= dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"')
"""Minus and hyphen bullet, which Unicode counts as no dashes; quotes of every language."""
_NO_WIDTH = frozenset(
    chr(code) for code in (*range(0xFE00, 0xFE10), 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164)
)
"""Invisible, and of another category than `Cf`: variation selectors, joiners and fillers."""
TITLE = 300
DESCRIPTION = 3000


def plain(text: str) -> str:
    """What a person meant to write in a message or command. Nothing that a record cannot hold: no lone surrogate."""
    kept = _TOKEN.sub(_token, typed(text))
    return kept.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def typed(text: str) -> str:
    """What was entered in a form, or comes from another program: nothing is encoded there, so nothing is decoded."""
    return printable(text).strip()


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


def letters(text: str) -> list[tuple[str, int]]:
    """Return the letters that were meant, each with its place in `text`.

    Full-width forms, no-break spaces, every kind of dash, curved quotes and foreign digits become the
    plain ones; what has no width goes. A record keeps the words as they were typed.
    https://www.unicode.org/reports/tr15/ (compatibility forms),
    https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    found: list[tuple[str, int]] = []
    for place, typed_one in enumerate(text):
        for one in typed_one if typed_one.isascii() else unicodedata.normalize("NFKC", typed_one):
            kind = unicodedata.category(one)
            if one.isascii() or one in _LIKE:
                found.append((_LIKE.get(one, one), place))
            elif kind == "Nd":
                found.append((str(unicodedata.digit(one)), place))
            elif kind == "Pd":
                found.append(("-", place))
            elif kind.startswith("Z"):
                found.append((" ", place))
            elif kind != "Cf" and one not in _NO_WIDTH:
                found.append((one, place))
    return found


def spelled(text: str) -> str:
    """Return `text` in plain letters, for finding names and ids in it."""
    return (
        text
        if text.isascii()
        else unicodedata.normalize("NFC", "".join(one for one, _ in letters(text)))
    )


def title(text: str) -> str:
    """The first line, on one line, cut."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return cut(" ".join(first.split()), TITLE)


def sentry_issues(text: str) -> tuple[str, ...]:
    """Issue ids of the Sentry links in a text: they seed triage. Nothing typed into Slack is ever called."""
    return tuple(dict.fromkeys(str(found["id"]) for found in _sentry(text) if found["id"]))[:10]


def sentry_short_ids(text: str) -> tuple[str, ...]:
    """Return short ids that stand in Sentry links in the place of a number, in capitals."""
    return tuple(
        dict.fromkeys(str(found["short"]).upper() for found in _sentry(text) if found["short"])
    )[:10]


def _sentry(text: str) -> Iterator[re.Match[str]]:
    for found in _SENTRY_ISSUE.finditer(text):
        if not _OTHER_TRACKERS.search(found["host"].partition(":")[0]):
            yield found


def linear_issues(text: str) -> tuple[str, ...]:
    """Return the identifiers in the Linear links of a text, as Linear writes them."""
    return tuple(dict.fromkeys(found["id"].upper() for found in _LINEAR_ISSUE.finditer(text)))
