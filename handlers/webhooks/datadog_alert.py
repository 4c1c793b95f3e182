"""Datadog's alerts: its default payload, with whatever of its variables was added.

https://docs.datadoghq.com/integrations/webhooks/
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from handlers.webhooks.heard_alert import PLACES, Body, HeardAlert, first, names_of
from handlers.webhooks.route import Word

MARKS = frozenset({"event_type", "last_updated", "alert_transition", "alert_type", "aggreg_key"})
"""One of these is in every payload of Datadog's, and in no other system's."""
_MARK = re.compile(
    r"\s*\[(?P<test>TEST)\]"
    r"|\s*\[(?P<priority>P[1-5])\]"
    r"|\s*\[(?P<state>(?:re-?)?(?:triggered|warn(?:ing)?|no[ -]?data|recovered|resolved|ok|"
    r"renotify|monitor alert|monitor error)\b)(?: on \{(?P<scope>[^\]{}]{0,1000})\})?"
    r"[^\]]{0,1000}\]",
    re.IGNORECASE,
)
"""What Datadog writes before a monitor's name: `[P2] [Recovered on {host:a}] CPU is high`.

The priority first, where the monitor has one; `[TEST]` for its *Test Notifications*. Between the
braces stand the tags of the group that fires (`include_tags`, which is on by default): all that the
default payload tells of service and environment.
https://docs.datadoghq.com/monitors/notify/, https://docs.datadoghq.com/monitors/guide/,
https://docs.datadoghq.com/api/latest/monitors/
"""
_OVER = frozenset({"recovered", "resolved", "ok"})
_AGAIN = ("re-", "renotify")
"""It was told before, and goes on: `Re-Triggered`, `Re-Warn`, `Renotify`."""
_UNFILLED = re.compile(r"null|\$[A-Z][A-Z_]*(?:\[[^\]]*\])?")
"""A variable of Datadog's that has no value for this event: as it was written, or `null`."""
_FOOTER = re.compile(r"^\s*(?:- - -|---)\s*$", re.MULTILINE)
"""Below it stand links to the monitor."""
_MONITOR = re.compile(r"\[Monitor Status\]\((https://[^\s()]+)\)")
_PICTURE = re.compile(r"\[?!\[[^\]]*\]\([^\s()]*\)(?:\]\([^\s()]*\))?")
_LINK = re.compile(r"\[([^\[\]]+)\]\([^\s()]*\)")
_MENTION = re.compile(r"(?<![\w.])@[\w.-]+(?:@[\w.-]+)?")
"""Whom Datadog tells, too: `@webhook-firebreak @slack-ops @ann@example.com`."""


def _tag_list(value: object) -> list[str]:
    """Return tags that are told with commas between them, or as a list."""
    if isinstance(value, str):
        return value.split(",")
    return [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


class Datadog(Body):
    """Its numbers are texts, because `$DATE` and the like are put between quotes."""

    @model_validator(mode="before")
    @classmethod
    def _without_unfilled(cls, value: Any) -> Any:
        """Take a variable without a value as not told: one key for every alert hides them."""
        if not isinstance(value, dict):
            return value
        return {
            name: part
            for name, part in value.items()
            if not (isinstance(part, str) and _UNFILLED.fullmatch(part.strip()))
        }

    title: str = Field(min_length=1)
    body: Word = ""
    message: Word = ""
    event_type: Word = ""
    date: Word = ""
    last_updated: Word = ""
    tags: Annotated[list[str], BeforeValidator(_tag_list)] = Field(default_factory=list[str])
    service: Word = ""
    aggreg_key: Word = ""
    alert_cycle_key: Word = ""
    alert_id: Word = ""
    alert_transition: Word = ""
    alert_type: Word = ""
    alert_priority: Word = ""
    link: Word = ""
    event_url: Word = ""

    def alerts(self) -> Iterator[HeardAlert]:
        marks, title = _marks(self.title)
        scope = marks.get("scope", "")
        labels = {  # the group's own tags go before those of the monitor
            name.strip(): value.strip()
            for name, _, value in (tag.partition(":") for tag in (*self.tags, *scope.split(",")))
            if name.strip()
        }
        state = (self.alert_transition or marks.get("state", "")).strip().casefold()
        kind = (self.alert_type or self.event_type).casefold()
        message = self.message or self.body
        monitor = _MONITOR.search(message)
        yield HeardAlert(
            system="Datadog",
            title=title,
            key=f"Datadog:{self._key(title, scope)}",
            firing=state not in _OVER and kind not in ("success", "recovery"),
            names=(*([self.service] if self.service else []), *names_of(labels)),
            environment=first(labels, PLACES),
            severity=self.alert_priority
            or marks.get("priority", "")
            or ("info" if kind == "info" else ""),
            text=_plain_text(message),
            url=self.link or self.event_url or (monitor[1] if monitor else None),
            at=_milliseconds(self.date) or _milliseconds(self.last_updated),
            labels=labels,
            test="test" in marks,
            key_of_fire=bool(self.alert_cycle_key) or state.startswith(_AGAIN),
        )

    def _key(self, title: str, scope: str) -> str:
        """Return what names this alert; without a key of its own the group tells it from others."""
        own = self.alert_cycle_key or self.aggreg_key
        return own or " ".join(filter(None, (self.alert_id or title, scope)))


def _marks(title: str) -> tuple[dict[str, str], str]:
    """Return the marks before a monitor's name, and the name."""
    marks: dict[str, str] = {}
    at = 0
    while (mark := _MARK.match(title, at)) is not None:
        marks |= {name: value for name, value in mark.groupdict().items() if value}
        at = mark.end()
    return marks, title[at:].strip() or title


def _plain_text(text: str) -> str:
    """Return a message of Datadog's without Markdown, pictures, footer, and who else is told."""
    plain = _FOOTER.split(text.replace("%%%", ""), maxsplit=1)[0]
    plain = _LINK.sub(r"\1", _PICTURE.sub("", plain)).replace("**", "")
    lines = (" ".join(_MENTION.sub("", line).split()) for line in plain.splitlines())
    return "\n".join(line for line in lines if line)


def _milliseconds(text: str) -> datetime | None:
    """Return a time in milliseconds since 1970, as Datadog's `$DATE` is."""
    if not text.strip().isdecimal() or len(text.strip()) > 14:
        return None
    return datetime.fromtimestamp(int(text) / 1000, UTC)
