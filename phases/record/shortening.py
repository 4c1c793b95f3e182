"""A value made small step by step: shorter texts, fewer entries, until its JSON fits."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypeVar, cast

from phases.record.findings import Value
from phases.text.wording import short, word_list

V = TypeVar("V", bound=Value)

NAME_LIMIT = 200
"""Characters of a name, an id or a link beyond which it is cut, too."""
SHORTEST_NAME = 25
_WHOLE = frozenset(
    word_list(
        """
        by lead owner declared_by id ulid service environment identifier channel ts sha commit
        version url path kind result verdict state level category source duplicate_of else_reason
        event_kind deploy_id worked adr reminded said head thread_ts name link seeds issue_ids
        rolled_back merged invited issues discord_id discord_channel
        """
    )
)
"""Fields whose text stays: names, ids, links and words from a fixed list."""
_ALL = frozenset({"merged", "tried"})
"""Lists that keep every entry."""
_ITS_END = "rounds"
"""A list whose last entry says how it went: it stays before all others."""


def fitted_into(
    value: V, limit: int, steps: Sequence[tuple[int, int]], *, exclude_defaults: bool = False
) -> V:
    """Return the value in at most `limit` bytes of JSON.

    Each of the `steps` (characters of a text, entries of a list) is taken only if the one before
    was not enough. If the last one was not, then names, ids and links are cut, too.
    """

    def fits() -> bool:
        return len(value.model_dump_json(exclude_defaults=exclude_defaults).encode()) <= limit

    names = NAME_LIMIT
    for characters, entries in steps:
        if fits():
            return value
        value = shortened(value, characters, entries, names)
    while not fits() and names > SHORTEST_NAME:
        names = max(names // 2, SHORTEST_NAME)
        value = shortened(value, *steps[-1], names)
    return value


def shortened(value: V, characters: int, entries: int, names: int = NAME_LIMIT) -> V:
    fields = value.model_dump(exclude_defaults=True)
    return type(value).model_validate(_shortened_value(fields, (characters, entries, names)))


def _shortened_value(value: Any, limits: tuple[int, int, int], name: str = "") -> Any:
    characters, entries, names = limits
    if isinstance(value, str) and not isinstance(value, Enum):
        whole = name in _WHOLE or name.endswith("_by")
        return short(value, names if whole else characters)
    if isinstance(value, tuple):
        values = cast("tuple[Any, ...]", value)
        shown = values if name in _ALL else _first_entries(values, entries, name)
        return tuple(_shortened_value(entry, limits, name) for entry in shown)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _shortened_value(field, limits, key) for key, field in fields.items()}
    return value


def _first_entries(values: tuple[Any, ...], entries: int, name: str) -> tuple[Any, ...]:
    if name == _ITS_END and len(values) > entries:
        return (*values[: entries - 1], values[-1])
    return values[:entries]
