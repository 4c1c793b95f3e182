"""Words on their way into Slack: escaped, defused, cut.

Nothing from a person, Sentry or Git is shown without passing here.
Escaping, mentions and dates: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
import unicodedata
from datetime import UTC, datetime

from phases.text.cleaning import (
    FORGOTTEN,
    PERSON,
    SOMEBODY,
    TOKEN,
    printable,
    token_words,
    visible,
    whole_words,
    without_mass_mentions,
)

ELLIPSIS = "…"
# Ours, around right-to-left words: https://www.unicode.org/reports/tr9/
_FSI, _PDI = "\u2068", "\u2069"
_KEPT = re.compile(
    r"&lt;([@#][UWCG][A-Z0-9]{1,20}|!date\^\d{1,12}\^(?:\{[a-z_]{1,30}\} ?){1,3}"
    r"\|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5} UTC)&gt;"
)
"""Tokens that stay: persons, channels, and times as `when` writes them."""
_STAMP = re.compile(r"(?<![|\w-])[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2} UTC\b")
"""As `phases.text.wording.stamp` writes a time; not the one inside a token."""
_URL = re.compile(r"https?://[^\s<>|`\"'()\[\]{}*]{1,500}")
_MARKERS = {"*": "∗", "_": "＿", "~": "∼", "`": "ˋ"}
_OPENING = re.compile(r"(?<!\w)[*_~`](?=\S)|`")
_QUOTE = re.compile(r"^(\s*)(?:&gt;)+", re.MULTILINE)


def size(text: str) -> int:
    """Return the length in UTF-16 units: the larger of the two ways in which Slack may count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(raw: str, *, lines: bool = False) -> str:
    """Return the text without control characters, lone surrogates, direction overrides and tokens.

    It is on one line unless `lines`.
    """
    return _single_spaced(
        TOKEN.sub(lambda token: token_words(*token.groups()), visible(raw)), lines=lines
    )


def _capped(raw: str, limit: int) -> str:
    """Return as much of a long text as can matter: nobody waits while megabytes are escaped."""
    return raw if len(raw) <= 4 * limit + 200 else raw[: 4 * limit + 200]


def _single_spaced(text: str, *, lines: bool) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() if lines else " ".join(text.split())


def _mentioning(token: re.Match[str]) -> str:
    """Return a token's words. A single person, a channel and a time stay tokens.

    Nobody can tell what #C024BE91L is.
    """
    sign, id, label = token.groups()
    if sign == "!" and id.startswith("date^"):
        return token[0]
    if sign == "@" and id != FORGOTTEN and re.fullmatch(PERSON, id):
        return f"<@{id}>"
    if sign == "#" and re.fullmatch(r"[CG][A-Z0-9]{1,20}", id):
        return f"<#{id}>"
    return token_words(sign, id, label)


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, ending in … where something was cut.

    No entity and no token is cut in its middle.
    """
    if size(text) <= limit:
        return text
    if limit < 1:
        return ""
    whole, end = text, ELLIPSIS
    while size(text) > limit - len(end):
        text = text[: len(text) - max(1, (size(text) - limit + len(end)) // 2)]
        end = ELLIPSIS + _PDI * (text.count(_FSI) - text.count(_PDI))
    text = whole_words(whole, len(text))
    opened = text.rfind("<")
    if opened > text.rfind(">"):
        text = text[:opened]
    entity = re.search(r"&[a-z#0-9]{0,5}$", text)
    if entity:
        text = text[: entity.start()]
    return text.rstrip() + ELLIPSIS + _PDI * (text.count(_FSI) - text.count(_PDI))


def words(raw: str, limit: int = 300) -> str:
    """Return any outside string as harmless mrkdwn.

    It is shown as it is, formats nothing, mentions nobody and links nowhere.
    """
    text = clean(_capped(raw, limit))
    return _isolated(_escaped(_OPENING.sub(lambda mark: _MARKERS[mark.group()], text)), limit)


def spoken(raw: str, limit: int = 2900, *, lines: bool = True) -> str:
    """Return words of people or of the phases as mrkdwn.

    Single persons stay mentioned, channels and times stay theirs, *bold* and `code` stay, URLs are
    links. Links are never masked: what is clicked is what is read. A time in UTC is shown in the
    reader's zone.
    """
    text = _escaped(
        _single_spaced(TOKEN.sub(_mentioning, visible(_capped(raw, limit))), lines=lines)
    )
    text = _KEPT.sub(r"<\1>", text)
    if text.count("```") % 2:  # a block that nobody closed would swallow what stands below
        text = text.replace("```", "ˋˋˋ")
    text = _URL.sub(lambda url: _linked(url.group()), text)
    return _isolated(local(text), limit)


def plain(raw: str, limit: int) -> str:
    """Return a text for `plain_text` objects, which format nothing: defused, cut, not escaped."""
    return cut_plain(without_mass_mentions(clean(_capped(raw, limit))), limit)


def cut_plain(text: str, limit: int) -> str:
    """Return at most `limit` characters: titles and labels are short, so a word may be cut."""
    if size(text) <= limit:
        return text
    while size(text) > limit - 1:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def code(raw: str, limit: int = 2900) -> str:
    """Return a preformatted block. Fences inside are broken up, so that nothing gets out of it."""
    inside = _entities(visible(_capped(raw, limit)))
    inside = without_mass_mentions(inside.replace("```", "ˋˋˋ")).strip("\n`")
    return f"```\n{cut(inside, limit - 8)}\n```"


def inline_code(raw: str, limit: int = 120) -> str:
    """Return a release, file or commit as inline code."""
    inside = cut(_escaped(clean(_capped(raw, limit)).replace("`", "ˋ")), limit)
    return f"`{inside}`" if inside else "—"


def link(url: str | None, label: str, limit: int = 120) -> str:
    """Return `label` as a link to an http(s) address; without one the label alone."""
    shown = words(label, limit)
    if not url or not re.match(r"https?://[^/\s]", url):
        return shown
    safe = printable(re.sub(r"[\s<>|\"\x00-\x1f]", _percent, url))
    if size(safe) > 1000:
        return shown
    return f"<{_entities(safe)}|{shown.replace('|', '¦')}>" if shown else f"<{_entities(safe)}>"


def _percent(character: re.Match[str]) -> str:
    code_point = ord(character.group())
    return f"%{code_point:02X}" if code_point < 128 else ""


def person(id: str | None, nobody: str = "nobody yet") -> str:
    """Return the mention of one person or user group by Slack id."""
    if id == FORGOTTEN:
        return SOMEBODY
    if id and re.fullmatch(PERSON, id):
        return f"<@{id}>"
    if id and re.fullmatch(r"S[A-Z0-9]{2,20}", id):
        return f"<!subteam^{id}>"
    return words(id, 80) if id else nobody


def channel(id: str) -> str:
    return f"<#{id}>" if re.fullmatch(r"[CGD][A-Z0-9]{1,20}", id) else words(id, 80)


def when(at: datetime, form: str = "{date_short_pretty} {time}") -> str:
    """Return a time in the reader's own zone, with UTC for those who cannot have it.

    `form` is in Slack's words.
    """
    utc = at.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{form}|{utc:%Y-%m-%d %H:%M} UTC>"


def local(text: str) -> str:
    """Return the text with its UTC times in the reader's own zone. `text` is escaped already."""
    return _STAMP.sub(_zoned, text)


def _zoned(token: re.Match[str]) -> str:
    try:
        return when(datetime.strptime(token.group(0), "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
    except ValueError:  # 2026-13-45 is no time
        return token.group(0)


def clock(at: datetime) -> str:
    """Return the time of day to the second, for things that happen within the hour."""
    return when(at, "{time_secs}")


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> str:
    return _QUOTE.sub(r"\1›", without_mass_mentions(_entities(text)))


def _isolated(text: str, limit: int) -> str:
    """Return the text, cut, with right-to-left words kept from turning the line around them."""
    if not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"{_FSI}{cut(text, limit - 2)}{_PDI}"
    return cut(text, limit)


def _linked(url: str) -> str:
    tail = re.search(r"(?:&(?:gt|lt);.*|[.,;:!?…’”“»›、。，；：！？）］」』]+)$", url)
    end = tail.start() if tail else len(url)
    return f"<{url[:end]}>{url[end:]}"
