"""Words on their way into Slack: escaped, defused, cut.

Nothing from a person, Sentry or Git is shown without passing here.

Escaping, mentions and dates: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

from phases.record.wording import FORGOTTEN, SOMEBODY

ELLIPSIS = "…"
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_FSI, _PDI = (
    "\u2068",
    "\u2069",
)  # ours, around right-to-left words: https://www.unicode.org/reports/tr9/
_TOKEN = re.compile(r"<([@#!])([^<>|\s]{1,80}(?: \{[a-z_]{1,30}\})*)(?:\|([^<>]{0,200}))?>")
_MASS = re.compile(r"@(?=(?:channel|here|everyone)\b)", re.IGNORECASE)
_KEPT = re.compile(
    r"&lt;([@#][UWCG][A-Z0-9]{1,20}|!date\^\d{1,12}\^(?:\{[a-z_]{1,30}\} ?){1,3}\|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5} UTC)&gt;"
)
"""What stays a token: persons, channels, and times as `when` writes them."""
_STAMP = re.compile(r"(?<![|\w-])[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2} UTC\b")
"""As `phases.record.wording.stamp` writes a time; not the one inside a token."""
_URL = re.compile(r"https?://[^\s<>|`\"'()\[\]{}*]{1,500}")
_MARKERS = {"*": "∗", "_": "＿", "~": "∼", "`": "ˋ"}
_OPENING = re.compile(r"(?<!\w)[*_~`](?=\S)|`")
_QUOTE = re.compile(r"^(\s*)(?:&gt;)+", re.MULTILINE)


def size(text: str) -> int:
    """Length as Slack may count it: in UTF-16 units, the larger of the two ways."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(raw: str, *, lines: bool = False) -> str:
    """Without control characters, lone surrogates, direction overrides and Slack's tokens; on one
    line unless `lines`.
    """
    return _tidy(_TOKEN.sub(_readable, _visible(raw)), lines=lines)


def _enough(raw: str, limit: int) -> str:
    """As much of a very long text as can matter: nobody waits for ten megabytes to be escaped and
    then cut.
    """
    return raw if len(raw) <= 4 * limit + 200 else raw[: 4 * limit + 200]


def _visible(raw: str) -> str:
    return "".join(
        c
        for c in raw.replace("\r\n", "\n").replace("\r", "\n")
        if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI_CONTROLS)
    )


def _tidy(text: str, *, lines: bool) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() if lines else " ".join(text.split())


def _readable(found: re.Match[str]) -> str:
    """One of Slack's own tokens as a person reads it."""
    sign, what, label = found.groups()
    if sign == "!" and what.startswith("date^"):
        return label or what
    if sign == "#":
        return f"#{label or what}"
    if what == FORGOTTEN:
        return SOMEBODY
    return f"@{(label or what.split('^')[0]).lstrip('@')}"


def _mentioning(found: re.Match[str]) -> str:
    """The same, but a single person, a channel and a time stay tokens: nobody can tell what
    #C024BE91L is.
    """
    sign, what, _ = found.groups()
    if sign == "!" and what.startswith("date^"):
        return found.group(0)
    if sign == "@" and what != FORGOTTEN and re.fullmatch(r"[UW][A-Z0-9]{1,20}", what):
        return f"<@{what}>"
    if sign == "#" and re.fullmatch(r"[CG][A-Z0-9]{1,20}", what):
        return f"<#{what}>"
    return _readable(found)


def cut(text: str, limit: int) -> str:
    """At most `limit` long, ending in … where something was cut; never in the middle of an entity
    or a token.
    """
    if size(text) <= limit:
        return text
    if limit < 1:
        return ""
    kept, end = text, ELLIPSIS
    while size(kept) > limit - len(end):
        kept = kept[: len(kept) - max(1, (size(kept) - limit + len(end)) // 2)]
        end = ELLIPSIS + _PDI * (kept.count(_FSI) - kept.count(_PDI))
    opened = kept.rfind("<")
    if opened > kept.rfind(">"):
        kept = kept[:opened]
    entity = re.search(r"&[a-z#0-9]{0,5}$", kept)
    if entity:
        kept = kept[: entity.start()]
    return kept.rstrip() + ELLIPSIS + _PDI * (kept.count(_FSI) - kept.count(_PDI))


def words(raw: str, limit: int = 300, *, lines: bool = False) -> str:
    """Any outside string as harmless mrkdwn: shown as it is, formats nothing, mentions nobody,
    links nowhere.
    """
    text = _OPENING.sub(
        lambda found: _MARKERS[found.group(0)], clean(_enough(raw, limit), lines=lines)
    )
    return _isolated(_escaped(text), limit)


def spoken(raw: str, limit: int = 2900, *, lines: bool = True) -> str:
    """What people wrote or the phases say: single persons stay mentioned, channels and times stay
    theirs, *bold* and `code` stay, URLs are links.

    Links are never masked: what is clicked is what is read. A time in UTC is shown in the reader's
    zone.
    """
    text = _escaped(_tidy(_TOKEN.sub(_mentioning, _visible(_enough(raw, limit))), lines=lines))
    text = _KEPT.sub(r"<\1>", text)
    if text.count("```") % 2:  # a block that nobody closed would swallow what stands below
        text = text.replace("```", "ˋˋˋ")
    text = _URL.sub(lambda found: _linked(found.group(0)), text)
    return _isolated(local(text), limit)


def plain(raw: str, limit: int) -> str:
    """For `plain_text` objects, which format nothing: cleaned, defused and cut, not escaped."""
    return cut_plain(_MASS.sub("@\u200b", clean(_enough(raw, limit))), limit)


def cut_plain(text: str, limit: int) -> str:
    if size(text) <= limit:
        return text
    while size(text) > limit - 1:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def code(raw: str, limit: int = 2900) -> str:
    """A preformatted block. Fences inside are broken up, so that nothing gets out of it."""
    inside = _entities(
        "".join(
            c
            for c in _enough(raw, limit)
            if c == "\n"
            or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI_CONTROLS)
        )
    )
    inside = _MASS.sub("@\u200b", inside.replace("```", "ˋˋˋ")).strip("\n`")
    return f"```\n{cut(inside, limit - 8)}\n```"


def inline_code(raw: str, limit: int = 120) -> str:
    """A release, file or commit as inline code."""
    inside = cut(_escaped(clean(_enough(raw, limit)).replace("`", "ˋ")), limit)
    return f"`{inside}`" if inside else "—"


def link(url: str | None, label: str, limit: int = 120) -> str:
    """`label` as a link to `url` where that is an http(s) address; otherwise the label alone."""
    shown = words(label, limit)
    if not url or not re.match(r"https?://[^/\s]", url):
        return shown
    safe = re.sub(
        r"[\s<>|\"\x00-\x1f]",
        lambda found: f"%{ord(found.group(0)):02X}" if ord(found.group(0)) < 128 else "",
        url,
    )
    safe = "".join(c for c in safe if unicodedata.category(c) not in ("Cc", "Cs"))
    if size(safe) > 1000:
        return shown
    return f"<{_entities(safe)}|{shown.replace('|', '¦')}>" if shown else f"<{_entities(safe)}>"


def person(id: str | None, nobody: str = "nobody yet") -> str:
    """A mention of one person or user group by Slack id."""
    if id == FORGOTTEN:
        return SOMEBODY
    if id and re.fullmatch(r"[UW][A-Z0-9]{1,20}", id):
        return f"<@{id}>"
    if id and re.fullmatch(r"S[A-Z0-9]{2,20}", id):
        return f"<!subteam^{id}>"
    return words(id, 80) if id else nobody


def channel(id: str) -> str:
    return f"<#{id}>" if re.fullmatch(r"[CGD][A-Z0-9]{1,20}", id) else words(id, 80)


def when(at: datetime, form: str = "{date_short_pretty} {time}") -> str:
    """A time in the reader's own zone, with UTC for those who cannot have it (`form` in Slack's
    words).
    """
    utc = at.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{form}|{utc:%Y-%m-%d %H:%M} UTC>"


def local(text: str) -> str:
    """Times that the phases wrote in UTC, in the reader's own zone. `text` is escaped already."""
    return _STAMP.sub(_zoned, text)


def _zoned(found: re.Match[str]) -> str:
    try:
        return when(datetime.strptime(found.group(0), "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
    except ValueError:  # 2026-13-45 is no time
        return found.group(0)


def clock(at: datetime) -> str:
    """The time of day alone, to the second: for things that happen within the hour."""
    return when(at, "{time_secs}")


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> str:
    escaped = _MASS.sub("@\u200b", _entities(text))
    return _QUOTE.sub(r"\1›", escaped)


def _isolated(text: str, limit: int) -> str:
    """Cut; right-to-left words keep to themselves, and do not turn the line around them."""
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"{_FSI}{cut(text, limit - 2)}{_PDI}"
    return cut(text, limit)


def _linked(url: str) -> str:
    tail = re.search(r"(?:&(?:gt|lt);.*|[.,;:!?…’”“»›、。，；：！？）］」』]+)$", url)
    kept = url[: tail.start()] if tail else url
    return f"<{kept}>{url[len(kept) :]}"
