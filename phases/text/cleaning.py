"""Text from people, Sentry and Git: its visible characters, Slack's tokens, mentions, length."""

import re
import unicodedata

FORGOTTEN = "U0FORGOTTEN"
"""Stands for the Slack id of a person who is forgotten (`firebreak forget`)."""
SOMEBODY = "somebody"
WORD = 24
"""A longer word is cut in its middle; ours, longer than numbers and most words."""

PERSON = r"[UW][A-Z0-9]{1,20}"
"""Slack's id of a person."""
TOKEN = re.compile(r"<([@#!])([^<>|\s]{1,80}(?: \{[a-z_]{1,30}\})*)(?:\|([^<>]{0,200}))?>")
"""A mention, a channel or a time: sign, id, label.

https://docs.slack.dev/messaging/formatting-message-text
"""
_BEFORE_SIGN = re.compile(r"<+(?=[@#!])")
_MASS_MENTION = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n?|[\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BIDI_CONTROL = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text without control characters and lone surrogates. Breaks and tabs stay."""
    return _CONTROL.sub("", text)


def visible(text: str) -> str:
    """Return the text without anything that is not seen or turns the line around."""
    return _BIDI_CONTROL.sub("", printable(_LINE_END.sub("\n", text)))


def without_mass_mentions(text: str) -> str:
    """Return the text with an invisible letter behind the sign of `@channel` and the like."""
    return _MASS_MENTION.sub("@\u200b", text)


def token_words(sign: str, id: str, label: str | None) -> str:
    """Return one of Slack's tokens as a person reads it."""
    if id == FORGOTTEN:
        return SOMEBODY
    if sign == "!" and id.startswith("date^"):
        return label or id
    if sign == "#":
        return f"#{label or id}"
    return f"@{(label or id.split('^')[0]).lstrip('@')}"


def foreign(text: str) -> str:
    """Return another program's text without tokens: nothing in it mentions anybody in Slack.

    People mention people; an error message, a commit or a ticket mentions nobody.
    """
    if "<" not in text or not TOKEN.search(visible_text := visible(text)):
        return text
    without = TOKEN.sub(r"\1\2", visible_text)
    # What was around a token can be one now, as in `<<@U1>>`.
    return _BEFORE_SIGN.sub("", without) if TOKEN.search(without) else without


def whole_words(text: str, most: int) -> str:
    """Return the beginning of a longer text, up to the end of a word: half a number is a wrong one.

    A word without an end, such as a path, is cut anywhere.
    """
    begin = text[:most]
    if not text[most : most + 1].isspace() and (gap := begin.rfind(" ")) >= most - WORD > 0:
        begin = begin[:gap]
    return begin.rstrip()


def unaccented(text: str) -> str:
    """Return the text in small letters without accents."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
