"""A value made small step by step: shorter texts, fewer entries, until its JSON fits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeVar, cast

from phases.record.findings import Value
from phases.record.wording import short

V = TypeVar("V", bound=Value)

ABSURD = 200
"""Characters of a name, an id or a link beyond which it is cut, too."""
_WHOLE = frozenset(
    [
        "by",
        "lead",
        "owner",
        "declared_by",
        "id",
        "ulid",
        "service",
        "environment",
        "identifier",
        "channel",
        "ts",
        "sha",
        "commit",
        "version",
        "url",
        "path",
        "kind",
        "result",
        "verdict",
        "state",
        "level",
        "category",
        "source",
        "duplicate_of",
        "else_reason",
        "event_kind",
        "deploy_id",
        "worked",
        "adr",
        "reminded",
        "said",
        "head",
        "thread_ts",
        "name",
        "link",
        "seeds",
        "issue_ids",
        "rolled_back",
        "merged",
        "invited",
        "issues",
        "discord_id",
        "discord_channel",
    ]
)
"""Fields whose text stays: names, ids, links and words from a fixed list."""
_ALL = frozenset({"merged", "tried"})
"""Lists that keep every entry."""


def fitted(
    value: V, limit: int, steps: Sequence[tuple[int, int]], *, exclude_defaults: bool = False
) -> V:
    """Return the value in at most `limit` bytes of JSON.

    Each of the `steps` (characters of a text, entries of a list) is taken only if the one before
    was not enough.
    """
    for characters, entries in steps:
        if len(value.model_dump_json(exclude_defaults=exclude_defaults).encode()) <= limit:
            break
        value = shortened(value, characters, entries)
    return value


def shortened(value: V, characters: int, entries: int) -> V:
    fields = value.model_dump(exclude_defaults=True)
    return type(value).model_validate(_shorter(fields, characters, entries))


def _shorter(value: Any, characters: int, entries: int, name: str = "") -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        whole = name in _WHOLE or name.endswith("_by")
        return short(value, ABSURD if whole else characters)
    if isinstance(value, tuple):
        values = cast("tuple[Any, ...]", value)
        shown = values if name in _ALL else values[:entries]
        return tuple(_shorter(entry, characters, entries, name) for entry in shown)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _shorter(field, characters, entries, key) for key, field in fields.items()}
    return value
