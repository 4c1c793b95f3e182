"""Take off what files, `.env` lines and the clipboard put around a value, which is no part of it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

AROUND = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""Categories of what nobody sees: blanks of every width, line ends, a byte order mark, zero-width characters."""
QUOTES = (('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’"))
"""`docker --env-file` and Kubernetes take the quotes of a `.env` line as part of the value; a shell does not."""
_UNFILLED = re.compile(
    r"\$\{\w+[^}]*\}|\$\(\w+\)|^\$[A-Z_]\w*|^%[A-Za-z]/|\{\{.*\}\}|^<[^<>#@|]+>$"
)
"""`%h/` is systemd's, which fills it in for `Environment=` and not within an `EnvironmentFile=`."""
UNFILLED = "holds a place that nobody filled in, as ${…}, $(…), <…> or %h/"
NO_TEXT = "holds bytes that are no UTF-8: write it in UTF-8"
_CHANNEL_LINK = re.compile(
    r"https://[\w.-]+\.slack(?:-gov)?\.com/(?:archives|client/\w+)/(\w+)(?:[/?].*)?"
)
_CHANNEL_MENTION = re.compile(r"<#(\w+)(?:\|[^>]*)?>")
_ID = re.compile(r"[CDG][A-Z0-9]+")
_CHANNEL = re.compile(r"[\w-]{1,80}")
"""An id, or a name: small letters of any language, digits, hyphens and underscores (https://slack.com/help/articles/201402297)."""


def clean(text: str) -> str:
    """Return the value without blanks, line ends, marks and one pair of quotes around it."""
    text = _stripped(text)
    return _stripped(text[1:-1]) if quoted(text) else text


def quoted(text: str) -> bool:
    """Return whether a pair of quotes stands around the value."""
    text = _stripped(text)
    return len(text) > 1 and any(
        text.startswith(one) and text.endswith(other) for one, other in QUOTES
    )


def unfilled(text: str) -> bool:
    """Return whether a shell, or what deploys, should have put something in: `${TOKEN}`, `$(TOKEN)`, `{{ token }}`."""
    return _UNFILLED.search(text) is not None


def is_text(value: str) -> bool:
    """Return whether the value can be sent and signed: the environment keeps bytes that are no UTF-8 as lone surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def folder(text: str) -> Path:
    """Return the path with `~` read as a home; as it stands where there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def channels(text: str) -> tuple[str, ...]:
    """Return the ids and names of a list with commas, semicolons or white space between them."""
    words = re.split(r"[,;\s]+", clean(text).removeprefix("[").removesuffix("]"))
    return tuple(found for word in words if (found := channel(word)))


def channel(text: str) -> str:
    """Return a channel's id or name: of `#name`, of a mention, or of the link that Slack copies."""
    text = clean(text)
    if found := _CHANNEL_LINK.fullmatch(text) or _CHANNEL_MENTION.fullmatch(text):
        return found.group(1)
    name = text.lstrip("#")
    return name if _ID.fullmatch(name) else name.lower()


def is_channel(name: str) -> bool:
    return _CHANNEL.fullmatch(name) is not None


def _stripped(text: str) -> str:
    first, last = 0, len(text)
    while first < last and unicodedata.category(text[first]) in AROUND:
        first += 1
    while first < last and unicodedata.category(text[last - 1]) in AROUND:
        last -= 1
    return text[first:last]
