"""The lines of an incident for the alerts of one body: one each, and one for the rest of a storm.

Alertmanager sends a group as a whole whenever it changes. An incident remembers what it heard, and
not all of hundreds: without the one line it would be told of each of them every few minutes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from handlers.webhooks.alarms import ReportedIssue
from handlers.webhooks.heard_alert import HeardAlert
from handlers.webhooks.route import address, one_line
from phases.text.wording import counted, listed, short

LINES = 10
"""So many alerts of one body have a line of their own; a name that is new goes before a repeat."""
KEY_SHOWN = 80


def reported(alerts: Sequence[HeardAlert]) -> tuple[ReportedIssue, ...]:
    """Return a line for each alert; of a storm for the first ones, and one for all the others."""
    ordered = list(_new_names_first(alerts))
    own = len(ordered) if len(ordered) <= LINES + 1 else LINES
    rest = ordered[own:]
    return (*map(_line, ordered[:own]), *([_line_of_all(rest)] if rest else []))


def _name(alert: HeardAlert) -> str:
    return one_line(alert.name or alert.title)


def _new_names_first(alerts: Iterable[HeardAlert]) -> Iterable[HeardAlert]:
    times: Counter[str] = Counter()
    numbered: list[tuple[int, HeardAlert]] = []
    for alert in alerts:
        numbered.append((times[_name(alert)], alert))
        times[_name(alert)] += 1
    return (alert for _, alert in sorted(numbered, key=lambda pair: pair[0]))


def _line(alert: HeardAlert) -> ReportedIssue:
    says = one_line(alert.line)
    if not alert.firing:
        says = f"resolved there: {one_line(alert.title)}. Users may still be hit"
    # Another alert of the same key begins at another time.
    timed = alert.at is not None and not alert.key_of_fire
    began = alert.at.isoformat(timespec="seconds") if alert.at is not None and timed else ""
    return ReportedIssue(
        issue=None,
        text=says,
        url=address(alert.url),
        keys=(alert.key,),
        heard=f"{_short_key(alert.key)} {began}{_state(alert)}",
    )


def _line_of_all(alerts: Sequence[HeardAlert]) -> ReportedIssue:
    """Return one line; it is told again when there are twice as many, or others among them."""
    names = sorted(set(map(_name, alerts)))
    first, doublings = alerts[0], len(alerts).bit_length()
    says = f"{counted(len(alerts), 'more alert')}: {listed(names)}"
    if not first.firing:
        says = f"resolved there: {says}. Users may still be hit"
    return ReportedIssue(
        issue=None,
        text=one_line(says),
        keys=tuple(alert.key for alert in alerts),
        heard=f"{first.system} 2^{doublings} more {digest(repr(names))}{_state(first)}",
    )


def _state(alert: HeardAlert) -> str:
    return "" if alert.firing else " resolved"


def _short_key(key: str) -> str:
    """Return a key with room for time and state behind it: what is remembered is cut.

    A long one keeps what tells it from others that begin alike.
    """
    return key if len(key) <= KEY_SHOWN else f"{short(key, KEY_SHOWN - 20)} {digest(key)}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
