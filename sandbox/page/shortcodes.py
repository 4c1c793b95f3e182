"""Emoji that are written as Slack's shortcodes, such as `:fire:`."""

from __future__ import annotations

import re

from emoji import emojize

_SHORTCODE = re.compile(r":([a-z0-9_+'-]+):(?::skin-tone-[2-6]:)?")
_SLACK_ONLY = {
    "beetle": "🪲",
    "check": "✔️",
    "email": "✉️",
    "large_green_circle": "🟢",
    "large_orange_circle": "🟠",
    "large_purple_circle": "🟣",
    "large_yellow_circle": "🟡",
    "octagonal_sign": "🛑",
    "shopping_trolley": "🛒",
}
"""Shortcodes of Slack that the package does not know, or knows as another emoji."""


def with_emoji(text: str) -> str:
    """Return `text` with every known `:shortcode:` as its character; an unknown one stays."""
    return _SHORTCODE.sub(_character, text)


def _character(shortcode: re.Match[str]) -> str:
    name = shortcode[1]
    if name in _SLACK_ONLY:
        return _SLACK_ONLY[name]
    character = emojize(f":{name}:", language="alias")
    return shortcode[0] if character == f":{name}:" else character
