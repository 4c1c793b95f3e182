"""Text as Slack sends it → text as it was meant. Pure.

Entities are decoded, links and channels are readable, people stay `<@U…>`.
https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages
"""

import re
from collections.abc import Iterator

from phases.text.cleaning import printable
from phases.text.wording import short

_TOKEN = re.compile(r"<([^<>\n]{1,3000})>")
_HOST = r"(?:https?://|(?<![\w./@-])(?=[\w-]+\.[\w.-]*[a-z]))(?P<host>[^\s/<>|\"'(),;]+)"
"""An address's host; without `https://` before it, where it has a dot."""
_END = r"(?![-_]?[0-9a-z])"
"""Behind a number: letters of other scripts, and what slants a text, are no part of it."""
_PATH = r"(?:/(?!-/)[^\s/?#<>|\"]+)*?"
"""GitLab has `/-/` before `/issues/`, wherever it runs."""
# https://docs.sentry.io/api/events/retrieve-an-issue/ : /issues/<id>/, also below
# /organizations/<org>/ or /<org>/<project>/, with /events/<id>/ behind it. An issue's short id is
# taken in the place of its number.
_SENTRY_ISSUE = re.compile(
    rf"{_HOST}{_PATH}/issues/"
    rf"(?:(?P<id>\d{{1,20}})|(?P<short>[a-z0-9][\w-]{{0,49}}-[0-9a-z]{{1,10}})){_END}",
    re.IGNORECASE,
)
_OTHER_TRACKERS = re.compile(
    r"(?:^|\.)(?:github|gitlab|bitbucket|gitea|forgejo|codeberg|linear|atlassian|jira|redmine"
    r"|git|code|scm|bugs|bugzilla|youtrack|shortcut)(?:\.|$)",
    re.IGNORECASE,
)
"""Trackers whose addresses have `/issues/` and a number, too, and the usual names of one's own."""
# https://linear.app/docs/issue-identifiers : https://linear.app/acme/issue/ENG-123/title
_LINEAR_ISSUE = re.compile(
    rf"{_HOST}{_PATH}/issue/(?P<id>[a-z][a-z0-9]{{0,9}}-[1-9]\d{{0,7}}){_END}", re.IGNORECASE
)
TITLE = 300
DESCRIPTION = 3000


def plain(text: str) -> str:
    """Return the text of a message or command, without characters that a record cannot hold."""
    return decoded(_TOKEN.sub(_readable, typed(text)))


def decoded(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def typed(text: str) -> str:
    """Return the text of a form's field, or of another program: nothing is encoded in it.

    Control characters and lone surrogates go, which a record cannot hold.
    """
    return printable(text).strip()


def _readable(token: re.Match[str]) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#linking-urls and following"""
    what, _, label = token.group(1).partition("|")
    if what.startswith("@"):
        return f"<{what}>"
    if what.startswith("#"):
        return f"#{label or what[1:]}"
    if what.startswith("!date^"):
        return label or what
    if what.startswith("!"):
        group = "group" if what.startswith("!subteam^") else what[1:].partition("^")[0]
        return f"@{(label or group).lstrip('@')}"
    if what.startswith(("mailto:", "tel:")):
        return label or what.partition(":")[2]
    # `checkout.example.com`, of which Slack made a link by itself: those are a person's words.
    return label if what == f"http://{label}" else what


def title(text: str) -> str:
    """Return the first line, with single blanks, cut."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return short(" ".join(first.split()), TITLE)


def sentry_issues(text: str) -> tuple[str, ...]:
    """Return the ids in the Sentry links of a text: they seed triage. No link is ever called."""
    return tuple(dict.fromkeys(str(link["id"]) for link in _sentry_links(text) if link["id"]))[:10]


def sentry_short_ids(text: str) -> tuple[str, ...]:
    """Return short ids that stand in Sentry links in the place of a number, in capitals."""
    ids = (str(link["short"]).upper() for link in _sentry_links(text) if link["short"])
    return tuple(dict.fromkeys(ids))[:10]


def _sentry_links(text: str) -> Iterator[re.Match[str]]:
    for link in _SENTRY_ISSUE.finditer(text):
        if not _OTHER_TRACKERS.search(link["host"].partition(":")[0]):
            yield link


def linear_issues(text: str) -> tuple[str, ...]:
    """Return the identifiers in the Linear links of a text, as Linear writes them."""
    return tuple(dict.fromkeys(link["id"].upper() for link in _LINEAR_ISSUE.finditer(text)))
