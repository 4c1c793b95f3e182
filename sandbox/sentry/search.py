"""Sentry's search language, as far as it is about errors and issues.

https://docs.sentry.io/concepts/search/: keys, negation, lists, wildcards, `has:`, comparisons, AND,
OR, brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")

TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) |
        (?P<not>!)?(?P<key>[A-Za-z_][\w.\-]*(?:\[(?:[\w.\-]+|"[\w.:\-]+")\])?):
            (?P<compare>>=|<=|>|<)?
            (?P<value>\[[^\]]*\] | "(?:[^"\\]|\\.)*" | [^\s()]*) |
        (?P<text>"(?:[^"\\]|\\.)*" | [^\s()]+)
    )""",
    re.VERBOSE,
)

Value = str | float | list[str] | None


class InvalidQuery(ValueError):
    """Answered with 400: its text as `detail`, or the faults by field as Sentry's validators do."""

    def __init__(self, text: str = "", fields: dict[str, object] | None = None) -> None:
        super().__init__(text)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Term:
    """`key:value`, or `key:[a,b]` for more than one value. Free text has an empty key."""

    key: str
    values: tuple[str, ...]
    compare: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """`and`, `or`, or a term."""

    kind: str
    term: Term | None = None
    children: tuple[Node, ...] = field(default=())


def parse(query: str) -> Node:
    """Read a query; an empty one matches everything.

    Raises:
        InvalidQuery
    """
    tokens = list(_tokens(query))
    node, rest = _any_of(tokens)
    if rest:
        raise InvalidQuery("Parse error: unbalanced brackets")
    return node


def _tokens(query: str) -> list[str | Term]:
    tokens: list[str | Term] = []
    position = 0
    stripped = query.rstrip()
    while position < len(stripped):
        match = TOKEN.match(stripped, position)
        if match is None:
            raise InvalidQuery(f"Parse error at {position + 1}")
        position = match.end()
        if match["open"]:
            tokens.append("(")
        elif match["close"]:
            tokens.append(")")
        elif match["key"]:
            tokens.append(_term(match))
        elif match["text"] in ("AND", "OR"):
            tokens.append(match["text"])
        else:
            tokens.append(Term("", (_unquote(match["text"]),)))
    return tokens


def _term(match: re.Match[str]) -> Term:
    key = match["key"]
    if tagged := re.fullmatch(r"tags\[(.+)\]", key):
        key = tagged[1]
    raw = match["value"]
    if not raw:
        raise InvalidQuery(f'Empty string after "{key}:"')
    if raw.startswith("["):
        values = tuple(_unquote(part.strip()) for part in raw[1:-1].split(",") if part.strip())
        if not values:
            raise InvalidQuery(f'Empty list after "{key}:"')
    else:
        values = (_unquote(raw),)
    return Term(key, values, match["compare"] or "", bool(match["not"]))


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _any_of(tokens: list[str | Term]) -> tuple[Node, list[str | Term]]:
    parts: list[Node] = []
    part, tokens = _all_of(tokens)
    parts.append(part)
    while tokens and tokens[0] == "OR":
        part, tokens = _all_of(tokens[1:])
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Node("or", children=tuple(parts))), tokens


def _all_of(tokens: list[str | Term]) -> tuple[Node, list[str | Term]]:
    parts: list[Node] = []
    while tokens and tokens[0] not in ("OR", ")"):
        head, tokens = tokens[0], tokens[1:]
        if head == "AND":
            continue
        if head == "(":
            inner, tokens = _any_of(tokens)
            if not tokens or tokens[0] != ")":
                raise InvalidQuery("Parse error: unbalanced brackets")
            tokens = tokens[1:]
            parts.append(inner)
        elif isinstance(head, Term):
            parts.append(Node("term", term=head))
    return Node("and", children=tuple(parts)), tokens


class Matcher(Generic[T]):
    """A parsed query over things; `read(thing, key)` returns a value, None where there is none.

    `reading(key)`, where it is given, returns what reads this key of each thing.
    """

    def __init__(
        self,
        query: str,
        read: Callable[[T, str], Value],
        *,
        now: float,
        reading: Callable[[str], Callable[[T], Value]] | None = None,
    ) -> None:
        self._node = parse(query)
        self._reading = reading or (lambda key: lambda thing: read(thing, key))
        self._now = now
        self._matches = self._compiled(self._node)

    def __call__(self, thing: T) -> bool:
        return self._matches(thing)

    def keys(self) -> set[str]:
        """Every key that the query names."""
        return _keys(self._node)

    def _compiled(self, node: Node) -> Callable[[T], bool]:
        """Return the test of a node: one query is asked of thousands of events."""
        if node.term is not None:
            holds = self._test(node.term)
            return (lambda thing: not holds(thing)) if node.term.negated else holds
        parts = [self._compiled(child) for child in node.children]
        if len(parts) == 1:
            return parts[0]
        wanted = node.kind == "or"

        def matches(thing: T) -> bool:
            for part in parts:
                if part(thing) is wanted:
                    return wanted
            return not wanted

        return matches

    def _test(self, term: Term) -> Callable[[T], bool]:
        key, values = term.key, term.values
        if key == "has":
            read = self._reading(values[0])
            return lambda thing: bool(read(thing))
        read = self._reading(key or "title")
        if not key:
            return lambda thing: values[0].lower() in str(read(thing) or "").lower()
        texts = frozenset(values)
        patterns = [_pattern(wanted) for wanted in values if "*" in wanted]

        def holds(thing: T) -> bool:
            value = read(thing)
            if term.compare or not (value is None or isinstance(value, str)):
                return any(self._equals(value, wanted, term.compare) for wanted in values)
            if not value:
                return "" in texts
            return value in texts or any(pattern.match(value.lower()) for pattern in patterns)

        return holds

    def _equals(self, value: Value, wanted: str, compare: str) -> bool:
        if isinstance(value, list):
            return any(self._equals(part, wanted, compare) for part in value)
        if isinstance(value, int | float):
            return self._compares(value, wanted, compare)
        if compare:
            raise InvalidQuery("comparisons are for numbers and times")
        if value is None or value == "":
            return wanted == ""
        if "*" in wanted:
            return _pattern(wanted).match(value.lower()) is not None
        return value == wanted

    def _compares(self, value: float, wanted: str, compare: str) -> bool:
        if (relative := _relative(wanted)) is not None:
            # `firstSeen:-1h`: in the last hour; `+1h`: before that.
            sign, ago = relative
            edge = self._now - ago
            return value >= edge if sign == "-" else value <= edge
        other = number_or_time(wanted)
        match compare:
            case ">":
                return value > other
            case ">=":
                return value >= other
            case "<":
                return value < other
            case "<=":
                return value <= other
            case _:
                return value == other


@lru_cache
def _pattern(wanted: str) -> re.Pattern[str]:
    """Return what a text with `*` in it matches, in lower case; no other sign is special."""
    return re.compile(translate(wanted.replace("[", "[[]").replace("?", "[?]").lower()))


def _keys(node: Node) -> set[str]:
    if node.term is not None:
        return {node.term.values[0] if node.term.key == "has" else node.term.key}
    return set().union(*(_keys(child) for child in node.children)) if node.children else set()


SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@lru_cache
def _relative(text: str) -> tuple[str, int] | None:
    """`-1h` → ("-", 3600)."""
    match = re.fullmatch(r"([+-])(\d+)([smhdw])", text)
    return (match[1], int(match[2]) * SECONDS[match[3]]) if match else None


@lru_cache
def number_or_time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as wrong:
        raise InvalidQuery(f"Invalid number or date: {text}") from wrong
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def seconds(period: str) -> int:
    """`15m` → 900.

    Raises:
        InvalidQuery
    """
    match = re.fullmatch(r"(\d+)([smhdw])", period)
    if not match or not int(match[1]):
        raise InvalidQuery(f"Invalid statsPeriod: {period!r}")
    return int(match[1]) * SECONDS[match[2]]
