"""What the words after `/incident` mean (rules: Words after /incident). Pure: the same words mean the same in the same place."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from phases.incident import Severity

BARE = (
    "status",
    "list",
    "rollback",
    "hotfix",
    "investigate",
    "recheck",
    "timeline",
    "postmortem",
    "resolve",
    "trends",
    "help",
)
"""Alone or with an incident id."""
WITH_TEXT = ("update", "cause", "fixed", "cancel")
"""With text, in an incident's channel or with an id."""
OTHERS = ("declare", "severity", "lead", "history", "reopen", "merge", "drill")
NAMES = (*BARE, *WITH_TEXT, *OTHERS)
NEAR = 2  # rules: a single word within two letters of a subcommand

_ID = re.compile(r"INC-(\d{1,7})", re.IGNORECASE)
_PERSON = re.compile(r"<@([UW][A-Z0-9]{1,20})(?:\|[^>]*)?>")
_SEVERITY = re.compile(r"(?:sev-?)?([1-4])", re.IGNORECASE)
_SYMPTOM = re.compile(
    r"\b(is|are|was|were|isn't|aren't|not|broken|break[s]?|fail\w*|down|wrong|missing|slow|crash\w*|errors?|hangs?|stuck"
    r"|doesn't|don't|can't|cannot|button|page|again|tim(es|ing) out|timeouts?|[45](\d\d|xx)s?)\b",
    re.IGNORECASE,
)
_OF_A_FEATURE = re.compile(
    r"\b(never|won't|breaking|slower|hanging|exceptions?|unresponsive|unavailable|unreachable|freez\w*|frozen|blank|empty|dead"
    r"|loops?|looping|spins?|spinning|returns?|throws?|throwing|shows?|does|takes?|loses?|leaves?|charges?|twice)\b",
    re.IGNORECASE,
)
"""Said of a *cancel* that is a part of the product; a reason to cancel an incident hardly has these words."""
_NO_INCIDENT = re.compile(
    r"(it was |this is |this was )?(an? )?(false alarm|duplicate|dup\b|not an incident|no incident|load test|drill|test\b|noise|mistake|by mistake)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Subcommand:
    name: str
    incident: str | None = None
    """`INC-0042`, where it was named."""
    text: str = ""
    severity: Severity | None = None
    person: str | None = None
    """Slack id of the person named after `lead`."""


@dataclass(frozen=True, slots=True)
class Declare:
    text: str
    """May be empty: then what is wrong is asked for."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Both readings are possible: the bot asks with two buttons."""

    subcommand: Subcommand
    declare: Declare


@dataclass(frozen=True, slots=True)
class Near:
    """A single word that is nearly a subcommand, or one that lacks what must follow it."""

    word: str
    name: str
    declare: Declare


Reading = Subcommand | Declare | Ambiguous | Near


def parse(text: str, *, here: bool, one_open: bool = False, services: Collection[str] = ()) -> Reading:
    """`here`: said in an incident's channel. `one_open`: elsewhere, and exactly one incident is open."""
    text = text.strip()
    first, _, rest = text.partition(" ") if "\n" not in text.split(" ", 1)[0] else (text, "", "")
    name, rest = first.lower(), rest.strip()
    if not text:
        return Declare("")
    if name == "declare":
        return Declare(rest)
    if name in NAMES:
        fitting = _subcommand(name, rest, here=here, one_open=one_open, services=services)
        if fitting is not None:
            return fitting
    if not rest and (close := nearest(name)) is not None:
        return Near(text, close, Declare(text))
    return Declare(text)


def incident_id(text: str) -> str | None:
    """`inc-42` and `INC-0042` are the same incident."""
    found = _ID.fullmatch(text.strip())
    return f"INC-{int(found.group(1)):04d}" if found else None


def _subcommand(
    name: str, rest: str, *, here: bool, one_open: bool, services: Collection[str]
) -> Subcommand | Ambiguous | None:
    """The reading as a subcommand, if the rest fits it."""
    if name in BARE:
        named = incident_id(rest)
        return Subcommand(name, named) if not rest or named else None
    if name in WITH_TEXT:
        return _with_text(name, rest, here=here, one_open=one_open)
    parts = rest.split()
    match name:
        case "severity":
            return _severity(parts)
        case "lead":
            return _lead(parts)
        case "history" if not rest or rest in services:
            return Subcommand(name, text=rest)
        case "reopen" if len(parts) == 1 and incident_id(rest):
            return Subcommand(name, incident_id(rest))
        case "merge" if 1 <= len(parts) <= 2 and all(incident_id(p) for p in parts):
            ids = [incident_id(part) or "" for part in parts]
            return Subcommand(name, ids[0] if len(ids) == 2 else None, text=ids[-1])
        case "drill" if rest:
            return Subcommand(name, text=rest)
        case _:
            return None


def _severity(parts: list[str]) -> Subcommand | None:
    """`severity 2`, `severity sev2`, with an id before or after it."""
    ids = [i for p in parts if (i := incident_id(p))]
    numbers = [m for p in parts if (m := _SEVERITY.fullmatch(p))]
    if len(numbers) != 1 or len(ids) > 1 or len(parts) != 1 + len(ids):
        return None
    return Subcommand("severity", ids[0] if ids else None, severity=Severity(int(numbers[0].group(1))))


def _lead(parts: list[str]) -> Subcommand | None:
    """`lead` takes it, `lead @someone` gives it; with an id before or after it."""
    ids = [i for p in parts if (i := incident_id(p))]
    people = [m for p in parts if (m := _PERSON.fullmatch(p))]
    if len(ids) > 1 or len(people) > 1 or len(parts) != len(ids) + len(people):
        return None
    return Subcommand("lead", ids[0] if ids else None, person=people[0].group(1) if people else None)


def _with_text(name: str, rest: str, *, here: bool, one_open: bool) -> Subcommand | Ambiguous | None:
    """`update`, `cause`, `fixed`, `cancel`: with an id they are meant; without one their words may be a new incident's."""
    first, _, after = rest.partition(" ")
    if (named := incident_id(first)) is not None:
        return Subcommand(name, named, after.strip())  # without text the form opens
    if not rest:
        return Subcommand(name) if here else None
    meant = Subcommand(name, text=rest)
    if here and not _reads_as_report(name, rest):
        return meant
    if here or one_open:
        return Ambiguous(meant, Declare(f"{name} {rest}"))
    return None


def _reads_as_report(name: str, rest: str) -> bool:
    """`cancel button is broken` never cancels anything; `cause` and `update` speak of broken things all the time."""
    if name == "cancel" and _NO_INCIDENT.match(rest) is not None:
        return False
    if name == "cancel" and _OF_A_FEATURE.search(rest) is not None:
        return True
    return name in ("cancel", "fixed") and _SYMPTOM.search(rest) is not None


def nearest(word: str) -> str | None:
    """The subcommand within two letters of `word`, the nearest one; None where there is none."""
    if len(word) < 3 or len(word) > max(map(len, NAMES)) + NEAR:
        return None
    distance, name = min((letters_apart(word, name), name) for name in NAMES)
    return name if distance <= NEAR else None


def letters_apart(one: str, other: str) -> int:
    """Letters to add, drop, change or swap with their neighbour, to make one word the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        after = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, after[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            after.append(cost)
        before, row = row, after
    return row[-1]
