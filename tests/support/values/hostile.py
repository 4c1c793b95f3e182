"""Records in which every text is an attack.

The models are walked, so that a new field is attacked from its first day.
"""

from __future__ import annotations

import types
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from tests.support.values.factories import NOW

EVIL = "evil.example"
GOOD = "https://good.example/issues/41/?a=1&b=2"
ATTACKS = (
    (
        "<!channel> <!here|here> <!everyone> @channel @here @everyone @Channel "
        "<!subteam^S0123456|@ops>"
    ),
    f"<https://{EVIL}/|Roll back> <http://{EVIL}|*Approve*> <mailto:a@{EVIL}|b>",
    f"[Roll back](https://{EVIL}/) ![x](https://{EVIL}/p.png) [x][1] [^1] [1]: https://{EVIL}",
    "---\nstatus: hacked\n---\n# Heading\n## Action items\n- [x] gates: done\n===\nx\n---",
    "a | b | c\n| --- | --- |\n| x | y |",
    f'<img src="https://{EVIL}/p.png" onerror=alert(1)><script>alert(1)</script><!-- --><details>',
    "```\nnot code any more\n``` `x` ~~~ $$x$$ **bold** _it_ ~no~ ||hidden||",
    '"]\n    bar [99]\n```\nclick A "javascript:alert(1)" %%{init: {}}%%',
    (
        "Fixes #1, closes acme/shop#2, GH-3 @acme/oncall, resolves "
        "https://github.com/acme/shop/issues/4"
    ),
    "> quoted\n>>> all of it\n-# small\n1. one\n+ plus\n    code",
    (
        "x\u202egnp.exe\u202c \u2066turned\u2069 \u200bzero\u200d \ufeffwidth "
        "\u2028line\u2029paragraph"
    ),
    "line one\nline two\r\n2026-01-01 ERROR forged\x1b[31m red \x1b]0;title\x07 \x9b2J \x00 nul",
    "1.0; rm -rf / && $(id) `id` | sh",
    "--upload-pack=touch /tmp/x",
    "*/ {{7*7}} ${x} %s %(a)s {0} \\ \\n \\<!channel\\>",
    '{"type": "section", "text": {"type": "mrkdwn", "text": "forged"}}',
    ": [yaml, *anchor] &anchor !!python/object:os.system ? - | > % @ `",
    "שלום עולם\u202e abc مرحبا",
    "&lt;!channel&gt; &amp;lt;!here&amp;gt; &#60;!channel&#62;",
    "<<!channel>> <<https://evil.example|<!here>>|x>",
    "x" * 4000,
    "",
)
"""URLs stand in fields of their own: what is a link there may be one."""
URL_FIELDS = frozenset({"url", "link", "pull_request"})
OURS = {"effect_id": "e-1"}
"""Ids that nobody but the bot makes."""

M = TypeVar("M", bound=BaseModel)


class Hostile:
    """Fills models; each text is the next attack, beginning with the `first`."""

    def __init__(self, first: int) -> None:
        self._next = first

    def word(self) -> str:
        self._next += 1
        return ATTACKS[self._next % len(ATTACKS)]

    def make(self, model: type[M], **fixed: Any) -> M:
        values = {
            name: fixed[name]
            if name in fixed
            else self._value(name, field.annotation, field.metadata)
            for name, field in model.model_fields.items()
        }
        return model.model_validate(values)

    def _value(self, name: str, kind: Any, limits: Any = ()) -> Any:
        origin, inside = get_origin(kind), get_args(kind)
        if origin is Literal:
            return inside[self._next % len(inside)]
        if origin in (Union, types.UnionType):
            return self._value(
                name, next(part for part in inside if part is not type(None)), limits
            )
        if origin is tuple:
            every = inside[:1] * 2 if inside[-1:] == (Ellipsis,) else inside
            return tuple(self._value(name, item) for item in every)
        if origin is dict:
            return {}
        return self._plain(name, kind, limits)

    def _plain(self, name: str, kind: Any, limits: Any) -> Any:
        if issubclass(kind, BaseModel):
            return self.make(kind)
        if issubclass(kind, Enum):
            every = list(kind)
            return every[self._next % len(every)]
        if kind is str:
            if name in URL_FIELDS:
                return GOOD
            if name in OURS:
                return OURS[name]
            most = next(
                (limit.max_length for limit in limits if hasattr(limit, "max_length")), 5000
            )
            return self.word()[:most]
        made: dict[Any, Any] = {
            bool: self._next % 2 == 0,
            int: 3,
            float: 0.5,
            datetime: NOW,
            date: NOW.date(),
        }
        return made[kind]


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)
