"""Counts, rates and times as a person reads them: short, exact, singular and plural right."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from phases.text.cleaning import whole_words


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 user` or `1,240 users`."""
    return f"{number:,} {one if number == 1 else (many or one + 's')}"


def per_minute_text(per_minute: float) -> str:
    """Return events a minute: `14.3`, `0.2`, `120`; `0` only if nothing happens."""
    if 0 < per_minute < 0.1:
        return "under 0.1"
    return f"{per_minute:,.0f}" if per_minute >= 100 else f"{per_minute:.1f}".removesuffix(".0")


def lasting(span: timedelta) -> str:
    """Return `40 s`, `3 min`, `5 h 20 min` or `2 days`."""
    seconds = max(round(span.total_seconds()), 0)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def stamp(at: datetime) -> str:
    """Return `2026-11-22 14:03 UTC`.

    Slack shows it in the reader's own zone (`handlers/views/text.py local`).
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def listed(names: Sequence[str], *, most: int = 3) -> str:
    """Return `cart`, `cart and pay` or `cart, pay, search and 4 more`."""
    names = list(names)
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def word_list(text: str) -> tuple[str, ...]:
    """Return the words of a text: a long list of names, as people read one."""
    return tuple(text.split())


def short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{whole_words(text, limit - 1)}…"


def ended(text: str) -> str:
    """Return the sentence with one end: `is the key right?` gets no full stop."""
    text = text.rstrip(". ")
    return text if text.endswith(("?", "!", "…")) else f"{text}."


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
