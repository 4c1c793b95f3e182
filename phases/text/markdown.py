"""Words of people, Sentry and Git on their way into a Markdown file.

They stay words: no markup, no HTML, no mass mention.
https://spec.commonmark.org/0.31.2/#backslash-escapes and GitHub's additions (tables, strikethrough,
math).
"""

import re
from collections.abc import Mapping

from phases.text.cleaning import TOKEN, token_words, visible, without_mass_mentions
from phases.text.wording import short

Names = Mapping[str, str]
"""Slack id → the name that a person goes by."""

PARAGRAPHS = 8000  # characters
_LINK = re.compile(r"<(https?://[^<>|\s]{1,500})(?:\|[^<>]{0,300})?>")
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,500}[A-Za-z0-9/=_-]")
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)")
_LINE = re.compile(r"(?:#|>|\+|=|-{2,}|-(?!\s)|-$|\d{1,9}[.)](?!\s)|:)")
_CHAT = re.compile(r"[\\`*_~|\[\]<]|^[-+#>]")
_REFERENCE = re.compile(r"[#@](?=\w)|\bGH-(?=\d)|https?:(?=//)", re.IGNORECASE)


def readable(text: str, names: Names) -> str:
    """Return the text without control characters and Slack's tokens.

    `<@U…>` becomes a name, `<!channel>` a word that mentions nobody.
    """

    def words(match: re.Match[str]) -> str:
        sign, id, label = match.groups()
        known = names.get(id) if sign == "@" else None
        # In a repository `@bob` would mention somebody else.
        return known or token_words(sign, id, label).removeprefix("@" if sign == "@" else "")

    text = _LINK.sub(lambda match: match[1], visible(text).replace("\t", " "))
    return without_mass_mentions(TOKEN.sub(words, text))


def one_line(text: str, names: Names, limit: int = 300) -> str:
    """Return plain words on one line that cannot end a code block."""
    return short(" ".join(readable(text, names).replace("```", "'''").split()), limit)


def inline(text: str, names: Names, limit: int = 1000) -> str:
    """Return one line of Markdown that shows exactly these words."""
    return _escaped(short(" ".join(readable(text, names).split()), limit))


def paragraphs(text: str, names: Names) -> str:
    """Return lines of Markdown with lists and line breaks, without headings, code, HTML, links."""
    lines: list[str] = []
    for line in short(readable(text, names).strip(), PARAGRAPHS).split("\n"):
        words = line.strip()
        indent = "  " if line.startswith((" ", "\u3000")) and words.startswith(("- ", "* ")) else ""
        if words.startswith("* "):
            words = f"- {words[2:]}"
        body = _escaped(words)
        if _LINE.match(words):
            body = f"\\{body}" if not body.startswith(("\\", "&")) else body
        if re.match(r"\d{1,9}[.)](?!\s)", words) and body.startswith("\\"):
            # A digit cannot be escaped, and without a blank behind its dot it begins no list.
            body = body[1:]
        lines.append(f"{indent}{body}" if words else "")
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    # A line break of the author is a line break of the page.
    return re.sub(r"(?<=[^\n])\n(?=[^\n\s-])", "  \n", joined)


def chat(text: str, names: Names, limit: int = 500) -> str:
    """Return one line for Discord that formats, mentions and hides nothing.

    URLs show no preview.
    A backslash takes a sign its meaning: https://support.discord.com/hc/en-us/articles/210298617
    """
    words = short(" ".join(readable(text, names).split()), limit)
    parts, end = list[str](), 0
    for url in _URL.finditer(words):
        parts += [_CHAT.sub(r"\\\g<0>", words[end : url.start()]), f"<{url[0]}>"]
        end = url.end()
    return "".join([*parts, _CHAT.sub(r"\\\g<0>", words[end:])])


def in_git(text: str, names: Names) -> str:
    """Return one line for a commit or a pull request that closes no issue and mentions nobody.

    https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
    """
    return _REFERENCE.sub("\\g<0>\u200b", one_line(text, names, 100))


def _escaped(text: str) -> str:
    parts: list[str] = []
    end = 0
    for url in _URL.finditer(text):
        parts += [_escaped_words(text[end : url.start()]), f"<{url[0].replace('|', '%7C')}>"]
        end = url.end()
    return "".join([*parts, _escaped_words(text[end:])])


def _escaped_words(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", text)
