"""Words of people, Sentry and Git on their way into a Markdown file: they stay words. No markup, no HTML, no mass mention.

https://spec.commonmark.org/0.31.2/#backslash-escapes and GitHub's additions (tables, strikethrough, math).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from phases.record.wording import FORGOTTEN, SOMEBODY

Names = Mapping[str, str]
"""Slack id → the name that a person goes by."""

_TOKEN = re.compile(r"<([@#!])([^<>|\s]{1,80})(?:\|([^<>]{0,200}))?>")
_LINK = re.compile(r"<(https?://[^<>|\s]{1,500})(?:\|[^<>]{0,300})?>")
_MASS = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,500}[A-Za-z0-9/=_-]")
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)")
_LINE = re.compile(r"(?:#|>|\+|=|-{2,}|-(?!\s)|-$|\d{1,9}[.)](?!\s)|:)")
_CHAT = re.compile(r"[\\`*_~|\[\]<]|^[-+#>]")
_REFERENCE = re.compile(r"[#@](?=\w)|\bGH-(?=\d)|https?:(?=//)", re.IGNORECASE)
_BIDI_CONTROLS = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029"
)


def readable(text: str, names: Names) -> str:
    """Without control characters and Slack's tokens: `<@U…>` becomes a name, `<!channel>` a defused word."""
    shown = "".join(
        c
        for c in text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
        if c == "\n" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI_CONTROLS)
    )
    shown = _LINK.sub(lambda found: found.group(1), shown)

    def said(found: re.Match[str]) -> str:
        sign, what, label = found.groups()
        if sign == "@":
            return SOMEBODY if what == FORGOTTEN else names.get(what) or label or what
        return (
            f"#{label or what}" if sign == "#" else f"@{(label or what).split('^')[-1].lstrip('@')}"
        )

    return _MASS.sub("@\u200b", _TOKEN.sub(said, shown))


def one_line(text: str, names: Names, limit: int = 300) -> str:
    """Plain words on one line, for a code block: nothing in it can end the block."""
    return cut(" ".join(readable(text, names).replace("```", "'''").split()), limit)


def inline(text: str, names: Names, limit: int = 1000) -> str:
    """One line of Markdown that shows exactly these words: for a heading, a list item, a cell of a table."""
    return _escaped(cut(" ".join(readable(text, names).split()), limit))


def paragraphs(text: str, names: Names, limit: int = 8000) -> str:
    """Several lines of Markdown. Lists stay lists and line breaks stay; headings, code, HTML and links do not."""
    lines: list[str] = []
    for line in cut(readable(text, names).strip(), limit).split("\n"):
        words = line.strip()
        indent = "  " if line.startswith((" ", "\u3000")) and words.startswith(("- ", "* ")) else ""
        if words.startswith("* "):
            words = f"- {words[2:]}"
        body = _escaped(words)
        if _LINE.match(words):
            body = f"\\{body}" if not body.startswith(("\\", "&")) else body
        if re.match(r"\d{1,9}[.)](?!\s)", words) and body.startswith("\\"):
            body = body[
                1:
            ]  # a digit cannot be escaped, and without a blank behind its dot it begins no list
        lines.append(f"{indent}{body}" if words else "")
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    # A line break of the author is a line break of the page.
    return re.sub(r"(?<=[^\n])\n(?=[^\n\s-])", "  \n", joined)


def chat(text: str, names: Names, limit: int = 500) -> str:
    """One line for Discord: nothing in it formats, mentions, or hides where a link goes; addresses show no preview.

    https://support.discord.com/hc/en-us/articles/210298617: a backslash takes a sign its meaning.
    """
    words = cut(" ".join(readable(text, names).split()), limit)
    parts, end = list[str](), 0
    for found in _URL.finditer(words):
        parts += [_CHAT.sub(r"\\\g<0>", words[end : found.start()]), f"<{found.group(0)}>"]
        end = found.end()
    return "".join([*parts, _CHAT.sub(r"\\\g<0>", words[end:])])


def in_git(text: str, names: Names, limit: int = 100) -> str:
    """For a commit's message or a pull request's title: closes no issue, mentions nobody.

    https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
    """
    return _REFERENCE.sub("\\g<0>\u200b", one_line(text, names, limit))


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _escaped(text: str) -> str:
    parts: list[str] = []
    end = 0
    for found in _URL.finditer(text):
        parts += [_words(text[end : found.start()]), f"<{found.group(0).replace('|', '%7C')}>"]
        end = found.end()
    return "".join([*parts, _words(text[end:])])


def _words(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(lambda found: f"\\{found.group(0)}", text)
