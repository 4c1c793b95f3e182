"""Take off blanks and quotes that files, `.env` lines and the clipboard put around a value."""

import re
import unicodedata
from pathlib import Path

AROUND = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""Categories of invisible letters: blanks, line ends, byte order marks, zero-width letters."""
QUOTES = (('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’"))
"""`docker --env-file` and Kubernetes keep the quotes of a `.env` line; a shell does not."""
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
"""An id, or a name: small letters of any language, digits, hyphens and underscores.

https://slack.com/help/articles/201402297
"""


def clean(text: str) -> str:
    """Return the value without blanks, line ends, marks and one pair of quotes around it."""
    text = _stripped(text)
    return _stripped(text[1:-1]) if quoted(text) else text


def quoted(text: str) -> bool:
    """True if a pair of quotes stands around the value."""
    text = _stripped(text)
    return len(text) > 1 and (text[0], text[-1]) in QUOTES


def unfilled(text: str) -> bool:
    """True if a shell or a deploy should have filled it in: `${TOKEN}`, `{{ token }}`."""
    return _UNFILLED.search(text) is not None


def is_text(value: str) -> bool:
    """True if the value is UTF-8: the environment keeps other bytes as lone surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def folder(text: str) -> Path:
    """Return the path with `~` read as a home, if there is such a home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def channels(text: str) -> tuple[str, ...]:
    """Return the ids and names of a list with commas, semicolons or white space between them."""
    words = re.split(r"[,;\s]+", clean(text).removeprefix("[").removesuffix("]"))
    return tuple(name for word in words if (name := channel(word)))


def channel(text: str) -> str:
    """Return a channel's id or name: of `#name`, of a mention, or of the link that Slack copies."""
    text = clean(text)
    if match := _CHANNEL_LINK.fullmatch(text) or _CHANNEL_MENTION.fullmatch(text):
        return match[1]
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
