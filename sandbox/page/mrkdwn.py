"""Slack's mrkdwn as safe HTML.

Every piece leaves through `markupsafe.escape`, and a link's address must be http, https or mailto.
Grammar: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol

from markupsafe import Markup, escape

from sandbox.page.shortcodes import with_emoji

_PRE = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<angle>[^<>\n]+)>"
    r"|(?P<url>https?://[^\s<>|*_~`]+[^\s<>|*_~`.,;:!?)\]])"
    r"|(?P<bold>(?<![\w*])\*(?=[^\s*])(?P<b>[^\n]*?[^\s*])\*(?![\w*]))"
    r"|(?P<italic>(?<![\w_])_(?=[^\s_])(?P<i>[^\n]*?[^\s_])_(?![\w_]))"
    r"|(?P<strike>(?<![\w~])~(?=[^\s~])(?P<s>[^\n]*?[^\s~])~(?![\w~]))"
)
_ADDRESS = re.compile(r"(https?://[^\s<>|`'\"]+[^\s<>|`'\".,;:!?)\]])")
_QUOTE = re.compile(r"^(?:&gt;|>) ?")
_BULLET = re.compile(r"^([•◦▪–]) (.*)$")
_SAFE_ADDRESS = re.compile(r"^(?:https?://|mailto:)", re.IGNORECASE)


class Names(Protocol):
    """Names of the ids in a text."""

    def user(self, user_id: str) -> str | None: ...
    def channel(self, channel_id: str) -> str | None: ...
    def group(self, group_id: str) -> str | None: ...


def unescape(text: str) -> str:
    """Slack escapes exactly three characters in texts: `&`, `<` and `>`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def render(text: str, names: Names) -> Markup:
    """Mrkdwn as HTML: code, quotes, emphasis, links, mentions, dates, emoji."""
    out: list[Markup] = []
    position = 0
    for code in _PRE.finditer(text):
        out.append(_lines(text[position : code.start()].removesuffix("\n"), names))
        out.append(Markup("<pre>{}</pre>").format(linked(_pre(code[1]))))
        position = code.end()
        if text.startswith("\n", position):
            position += 1
    out.append(_lines(text[position:], names))
    return Markup("").join(out)


def _pre(text: str) -> str:
    """Code keeps its characters, but a link in it shows its label, as in Slack."""
    return unescape(
        re.sub(r"<([^<>|\n]+)(?:\|([^<>\n]*))?>", lambda angle: angle[2] or angle[1], text)
    )


def linked(text: str) -> Markup:
    """A plain text as HTML in which addresses can be followed."""
    pieces = _ADDRESS.split(text)
    return Markup("").join(
        link(piece, escape(piece)) if index % 2 else escape(piece)
        for index, piece in enumerate(pieces)
    )


def _lines(text: str, names: Names) -> Markup:
    if not text:
        return Markup("")
    out: list[Markup] = []
    quoted: list[Markup] = []
    plain_lines: list[Markup] = []

    def close_quote() -> None:
        if quoted:
            out.append(Markup("<blockquote>{}</blockquote>").format(Markup("<br>").join(quoted)))
            quoted.clear()

    def close_plain() -> None:
        if plain_lines:
            out.append(_joined(plain_lines))
            plain_lines.clear()

    for line in text.split("\n"):
        marker = _QUOTE.match(line)
        if marker:
            close_plain()
            quoted.append(inline(line[marker.end() :], names))
        else:
            close_quote()
            plain_lines.append(_line(line, names))
    close_quote()
    close_plain()
    return Markup("").join(out)


def _line(line: str, names: Names) -> Markup:
    bullet = _BULLET.match(line)
    if bullet:
        return Markup('<span class="bullet"><i>{}</i><span>{}</span></span>').format(
            bullet[1], inline(bullet[2], names)
        )
    return inline(line, names)


def _joined(lines: list[Markup]) -> Markup:
    """Lines with breaks between them; a bullet is a block of its own and needs none."""
    out: list[Markup] = []
    for index, line in enumerate(lines):
        is_block = line.startswith('<span class="bullet">')
        if index and not is_block and not lines[index - 1].startswith('<span class="bullet">'):
            out.append(Markup("<br>"))
        out.append(line)
    return Markup("").join(out)


def inline(text: str, names: Names) -> Markup:
    """One line, without its line structure."""
    out: list[Markup] = []
    position = 0
    for token in _INLINE.finditer(text):
        out.append(_text(text[position : token.start()]))
        out.append(_token(token, names))
        position = token.end()
    out.append(_text(text[position:]))
    return Markup("").join(out)


def _text(text: str) -> Markup:
    return escape(with_emoji(unescape(text)))


def _token(token: re.Match[str], names: Names) -> Markup:
    if token["code"]:
        return Markup("<code>{}</code>").format(_pre(token["code"]))
    if token["angle"]:
        return _angle(token["angle"], names)
    if token["url"]:
        return link(unescape(token["url"]), escape(unescape(token["url"])))
    if token["bold"]:
        return Markup("<b>{}</b>").format(inline(token["b"], names))
    if token["italic"]:
        return Markup("<em>{}</em>").format(inline(token["i"], names))
    return Markup("<s>{}</s>").format(inline(token["s"], names))


def _angle(body: str, names: Names) -> Markup:
    target, _, label = body.partition("|")
    if target.startswith("@"):
        return mention("user", "@" + (names.user(target[1:]) or label or target[1:]))
    if target.startswith("#"):
        return mention(
            "channel", "#" + (names.channel(target[1:]) or label or target[1:]), target[1:]
        )
    if target.startswith("!subteam^"):
        return mention("group", names.group(target[9:]) or label or "@group")
    if target.startswith("!date^"):
        return _date(target, label)
    if target.startswith("!"):
        return mention("broadcast", "@" + target[1:])
    return link(unescape(target), _text(label or target))


def mention(kind: str, label: str, channel: str = "") -> Markup:
    """A mention; one of a channel leads there."""
    if channel:
        return Markup('<a class="mention {}" href="?channel={}" data-go="{}">{}</a>').format(
            kind, channel, channel, label
        )
    return Markup('<span class="mention {}">{}</span>').format(kind, label)


def may_be_followed(address: str) -> bool:
    """Return whether a click may follow `address`: `javascript:` and the like are refused."""
    return _SAFE_ADDRESS.match(address) is not None


def link(address: str, label: Markup) -> Markup:
    """A link, if its address is one that a click may follow; else its label alone."""
    if not may_be_followed(address):
        return label
    return Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(
        address, label
    )


def _date(target: str, fallback: str) -> Markup:
    parts = target.split("^", 3)
    if len(parts) < 3 or not parts[1].lstrip("-").isdigit():
        return _text(fallback)
    shown = date(int(parts[1]), parts[2], fallback)
    return link(unescape(parts[3]), shown) if len(parts) == 4 else shown


def date(epoch: int, pattern: str, fallback: str) -> Markup:
    """Return a moment that the browser writes after `pattern` in the reader's time zone."""
    try:
        moment = datetime.fromtimestamp(epoch, UTC)
    except (OverflowError, OSError, ValueError):
        return escape(fallback)
    return Markup('<time datetime="{}" data-epoch="{}" data-pattern="{}">{}</time>').format(
        moment.isoformat(),
        epoch,
        unescape(pattern),
        unescape(fallback) or f"{moment:%Y-%m-%d %H:%M} UTC",
    )
