"""The meaning of the words after `/incident` (rules: Words after /incident).

Pure: the same words mean the same in the same place.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from handlers.command.words import (
    FILLING,
    ID,
    JOINING,
    MARKS,
    POLITE,
    STOPS,
    Words,
    canonical_id,
    incident_id,
    parts_of,
)
from phases.record.incident import Severity
from phases.text.wording import word_list

WITHOUT_TEXT = (
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
"""Subcommands that stand alone or with an incident id."""
WITH_TEXT = ("update", "cause", "fixed", "cancel")
"""Subcommands with text, in an incident's channel or with an id."""
WITH_OWN_GRAMMAR = ("declare", "severity", "lead", "history", "reopen", "merge", "split", "drill")
NAMES = (*WITHOUT_TEXT, *WITH_TEXT, *WITH_OWN_GRAMMAR)
SYNONYMS = {
    **dict.fromkeys(("close", "closed", "done", "end", "solved", "over"), "resolve"),
    **dict.fromkeys(("revert", "undo"), "rollback"),
    **dict.fromkeys(("ack", "mine", "assign"), "lead"),
    "abort": "cancel",
}
"""What other tools call it: a single such word is asked about."""
TYPING_DISTANCE = 2  # rules: a single word within two letters of a subcommand

ACTING = frozenset({"investigate", "recheck", "resolve", "reopen", "severity", "lead"})
"""Subcommands that act at once; with a question mark the bot asks first."""
WITH_ONE_WORD = frozenset({"severity", "lead", "history"})
"""Subcommands with one word; `severity 9` and `lead @unknown` are hardly a new incident."""
STRICT = frozenset({*WITHOUT_TEXT, "severity", "lead", "reopen", "merge", "split"})
"""Subcommands after which so little may stand that they can be read from between quotes."""
_TYPED_TWICE = re.compile(r"/incident(?:\s+|$)", re.IGNORECASE)
HELP = frozenset({"?", "??", "-h", "--help", "-help", "/help", "h"})
_APART = re.compile(
    r"(roll|hot|post|re|time)[ -](back|fix|mortem|check|open|line)\b", re.IGNORECASE
)
_SEV = re.compile(r"(?:sev(?:erity)?[-=: ]{0,2}|p)([1-4])\b", re.IGNORECASE)
_LEADING = frozenset(word_list("incident show set take get give do me the my our"))
"""Words before a subcommand: `take the lead`, `show status`, `incident resolve`."""
_OPENING = re.compile(
    r"(?:declare|new|create|start|report|raise|trigger|open(?= .))(?: (?:a|an|the|new))*"
    r"(?: incident)?[.!]*|(?:(?:a|an|the|new) )*incident[.!]*",
    re.IGNORECASE,
)
"""How other tools open one: nobody has said yet what is wrong."""
_RELEASE = re.compile(
    r"(?:to )?(?:v?\d+(?:\.\d+)+[\w.+-]*|(?=[0-9a-f]*\d)[0-9a-f]{7,40}|[\w.-]+/[\w./-]+"
    r"|(?:last|latest|previous|prior|older|old|stable)(?: (?:release|version|deploy(?:ment)?|one))?"
    r"|prod(?:uction)?|https?://\S+|#?\d{1,7})",
    re.IGNORECASE,
)
"""A version, a commit, a branch or a pull request behind `rollback` or `hotfix`."""
_PERSON = re.compile(r"<@([UW][A-Z0-9]{1,20})(?:\|[^>]*)?>")
_SEVERITY = re.compile(r"(?:(?:sev(?:erity)?-?)|p)?([1-4])", re.IGNORECASE)
_SYMPTOM = re.compile(
    r"\b(is|are|was|were|isn't|aren't|not|broken|break[s]?|fail\w*|down|wrong|missing|slow"
    r"|crash\w*|errors?|hangs?|stuck"
    r"|doesn't|don't|can't|cannot|button|page|again|tim(es|ing) out|timeouts?|[45](\d\d|xx)s?)\b",
    re.IGNORECASE,
)
_OF_A_FEATURE = re.compile(
    r"\b(never|won't|breaking|slower|hanging|exceptions?|unresponsive|unavailable|unreachable"
    r"|freez\w*|frozen|blank|empty|dead|loops?|looping|spins?|spinning|returns?|throws?|throwing"
    r"|shows?|does|takes?|loses?|leaves?|charges?|twice)\b",
    re.IGNORECASE,
)
"""Words about a *cancel* that is a part of the product.

A reason to cancel an incident hardly has them.
"""
_SAID_OF_IT = re.compile(
    r"(it|this|that|there|we|i|they)( only| just)?('s|'m|'re|'ve| is| was| were| are| am| had)\b",
    re.IGNORECASE,
)
"""Begins a sentence about this incident: no feature is named so, and its verb is no symptom."""
_NO_INCIDENT = re.compile(
    r"(it was |this is |this was )?(an? )?"
    r"(false alarm|duplicate|dup\b|not an incident|no incident|load test|drill|test\b|noise"
    r"|mistake|by mistake)",
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
    """Empty where the words are asked for."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Both readings are possible: the bot asks with two buttons."""

    subcommand: Subcommand
    declare: Declare


@dataclass(frozen=True, slots=True)
class Near:
    """A single word that is nearly a subcommand, or a subcommand with one word that misfits."""

    word: str
    name: str
    declare: Declare


Reading = Subcommand | Declare | Ambiguous | Near


def parse(
    text: str, *, here: bool, some_open: bool = False, services: Collection[str] = ()
) -> Reading:
    """Read the words. `here`: in an incident's channel.

    `some_open`: elsewhere, and an incident is open.
    """
    text = text.strip()
    if text.startswith("/"):
        text = _TYPED_TWICE.sub("", text, count=1)
    words = Words.of(text)
    if text.lower() in HELP:
        return Subcommand("help")
    if not words.read:
        return Declare(text)
    if _OPENING.fullmatch(words.read):
        return Declare("")
    if (reading := _id_first(words, text, here=here, services=services)) is not None:
        return reading
    first, _, read = words.read.partition(" ")
    alone = first.strip(MARKS + STOPS).lower()
    # A quoted word before others is a name: `"cancel" on the order page` cancels nothing.
    name = alone if alone in STRICT or not read.strip() else first.rstrip(STOPS).lower()
    rest = words.after(len(first))
    if name == "declare":
        return Declare(rest.typed)
    if name in NAMES:
        fitting = _subcommand(name, rest, here=here, some_open=some_open, services=services)
        if isinstance(fitting, Subcommand) and name in ACTING and words.read.endswith("?"):
            return Ambiguous(fitting, Declare(text))
        if fitting is not None:
            return fitting
    if (meant := _as_said(words.read, here=here, services=services)) is not None:
        return Ambiguous(meant, Declare(text))
    if not rest.read and (close := SYNONYMS.get(name) or nearest(name)) is not None:
        return Near(text, close, Declare(text))
    ids = _merged(parts_of(rest.read, numbers=r"#\d{1,7}"))
    if name in NAMES and len(ids) > 1 and all(ids):  # it takes one incident
        return Near(text, name, Declare(text))
    one_word = name in WITH_ONE_WORD and len(_apart_from_ids(parts_of(rest.read))[1]) <= 1
    if one_word and not _SYMPTOM.search(rest.read):
        return Near(text, name, Declare(text))
    return Declare(text)


def _id_first(
    words: Words, text: str, *, here: bool, services: Collection[str]
) -> Ambiguous | None:
    """Read `INC-0042` alone, and `INC-0042 rollback`: both may be commands, and are asked about."""
    id = ID.match(words.read)
    if id is None:
        return None
    rest = words.after(id.end())
    if not rest.read:
        return Ambiguous(Subcommand("status", canonical_id(id)), Declare(text))
    word, _, more = rest.read.partition(" ")
    word = word.strip(MARKS + STOPS).lower()
    if word not in STRICT and (more or word in NAMES):
        return None
    read = parse(f"{rest.read.rstrip(STOPS)} {canonical_id(id)}", here=here, services=services)
    meant = read.subcommand if isinstance(read, Ambiguous) else read
    return Ambiguous(meant, Declare(text)) if isinstance(meant, Subcommand) else None


def _as_said(read: str, *, here: bool, services: Collection[str]) -> Subcommand | None:
    """Read words that are a subcommand as people say it.

    `roll back`, `sev2`, `take the lead`, `close INC-0042`, `stauts please`.
    """
    first, _, rest = read.partition(" ")
    word = first.strip(MARKS + STOPS).lower()
    before = word in _LEADING | POLITE
    if before:
        plain = rest
    elif _SEV.match(read):
        plain = _SEV.sub(r"severity \1", read, count=1)
    elif _APART.match(read):
        plain = _APART.sub(r"\1\2", read, count=1)
    else:
        name = _called(word, rest)
        plain = f"{name} {rest}" if name is not None else read
    if plain in (read, ""):
        return None
    reading = parse(plain, here=here, services=services)
    meant = reading.subcommand if isinstance(reading, Ambiguous) else reading
    if not isinstance(meant, Subcommand):
        return None
    # `the cancel button` cancels nothing.
    sure = not before or word in POLITE or word == "incident" or meant.name in STRICT
    return meant if sure else None


def _called(word: str, rest: str) -> str | None:
    """Return the subcommand that a word nearly is, or is elsewhere, with an incident behind it."""
    ids, others = _apart_from_ids(parts_of(rest, numbers=r"#\d{1,7}"))
    name = SYNONYMS.get(word) or nearest(word)
    if word in NAMES or name is None or not rest:
        return None
    others = [part for part in others if name != "lead" or not _PERSON.fullmatch(part)]
    sure = word in SYNONYMS or len(word) > 4 or (ids and letters_apart(word, name) == 1)
    begins = name in WITH_TEXT and ID.match(rest) is not None
    return name if sure and (not others or begins) else None


def _subcommand(
    name: str, rest: Words, *, here: bool, some_open: bool, services: Collection[str]
) -> Subcommand | Ambiguous | None:
    """Return the reading as a subcommand, if the rest fits it."""
    if name in WITHOUT_TEXT:
        return _without_text(name, rest.read, services)
    if name in WITH_TEXT:
        return _with_text(name, rest, here=here, some_open=some_open)
    numbered = parts_of(rest.read, numbers=r"#?\d{1,7}")
    parts = parts_of(rest.read, numbers=r"#\d{1,7}")
    match name:
        case "severity":
            return _severity(parts)
        case "lead":
            return _lead(parts)
        case "history":
            known = {service.casefold(): service for service in services}
            named = rest.read.strip(MARKS + STOPS + " ").casefold()
            if named not in known:
                named = " ".join(_apart_from_ids(parts)[1]).casefold()
            fits = not named or named in known
            return Subcommand(name, text=known.get(named, "")) if fits else None
        case "reopen" if here and all(part.lower() in FILLING for part in numbered):
            return Subcommand(name)
        case "reopen" if numbered and incident_id(numbered[0]):
            meant = Subcommand(name, incident_id(numbered[0]))
            why = [part for part in numbered[1:] if part.lower() not in FILLING]
            return Ambiguous(meant, Declare(f"{name} {rest.typed}")) if why else meant
        case "merge" if all(ids := _merged(numbered)):
            first, others = (ids[0], ids[1:]) if len(ids) > 1 else (None, ids)
            return Subcommand(name, first, text=" ".join(others))
        case "split" if len(ids := _merged(numbered)) <= 2 and all(ids):
            first, *of = ids or [None]
            return Subcommand(name, first, text=of[0] or "" if of else "")
        case "drill" if rest.read:
            return Subcommand(name, text=rest.typed)
        case _:
            return None


def _merged(parts: list[str]) -> list[str]:
    """Return the ids, without the words between them; empty where a word is neither."""
    return [incident_id(part) or "" for part in parts if part.lower() not in JOINING | FILLING]


def _without_text(name: str, read: str, services: Collection[str]) -> Subcommand | Ambiguous | None:
    """Read a subcommand alone, with an incident, or with the service that it is about.

    Where something is deployed, a number or link may be a pull request's or a release's.
    """
    ids, others = _apart_from_ids(parts_of(read))
    if len(ids) > 1:
        return None
    words, id = " ".join(others), ids[0] if ids else None
    if not words or (name == "help" and all(part.lower() in NAMES for part in others)):
        return Subcommand(name, id)
    service = _service_before(words, services)
    words = words[len(service) :].strip()
    meant = Subcommand(name, id, text=service)
    if (service and not words) or (name in ("rollback", "hotfix") and _RELEASE.fullmatch(words)):
        return Ambiguous(meant, Declare(f"{name} {read}"))
    if id is None and not service and re.fullmatch(r"#?\d{1,7}", words):
        return Subcommand(name, incident_id(f"INC-{words.lstrip('#')}"))
    return None


def _service_before(said: str, services: Collection[str]) -> str:
    """Return the service with which the words begin, as they write it; empty if none does."""
    begins = (said[: len(name)] for name in services if name and said[len(name) :][:1] in ("", " "))
    known = {name.casefold() for name in services}
    return max((begin for begin in begins if begin.casefold() in known), key=len, default="")


def _severity(parts: list[str]) -> Subcommand | None:
    """Read `severity 2` and `severity sev2`, with an id before or after the level."""
    ids, others = _apart_from_ids(parts)
    others = [part for part in others if part.lower() not in ("to", "at", "level")]
    number = _SEVERITY.fullmatch("".join(others))
    if number is None or len(ids) > 1:
        return None
    return Subcommand("severity", ids[0] if ids else None, severity=Severity(int(number.group(1))))


def _lead(parts: list[str]) -> Subcommand | None:
    """Read `lead` (take it) and `lead to @someone` (give it), with an id before or after."""
    ids, others = _apart_from_ids([part for part in parts if part.lower() not in JOINING])
    people = [person for part in others if (person := _PERSON.fullmatch(part))]
    if len(ids) > 1 or len(people) > 1 or len(people) != len(others):
        return None
    person = people[0].group(1) if people else None
    return Subcommand("lead", ids[0] if ids else None, person=person)


def _apart_from_ids(parts: list[str]) -> tuple[list[str], list[str]]:
    """Return the incidents' ids, and the other words that have a meaning."""
    parts = [part for part in parts if part.lower() not in FILLING]
    ids = [id for part in parts if (id := incident_id(part))]
    return ids, [part for part in parts if not incident_id(part)]


def _with_text(
    name: str, rest: Words, *, here: bool, some_open: bool
) -> Subcommand | Ambiguous | None:
    """Read `update`, `cause`, `fixed` and `cancel`.

    With an id they are meant; without one their words may be those of a new incident.
    """
    if (id := ID.match(rest.read)) is not None:
        text = rest.after(id.end()).typed  # without text the form opens
        return Subcommand(name, canonical_id(id), text)
    if not rest.read:
        return Subcommand(name) if here else None
    if not _apart_from_ids(parts_of(rest.read))[1]:  # `cancel it`: the form asks for the reason
        return (
            Subcommand(name)
            if here
            else Ambiguous(Subcommand(name), Declare(f"{name} {rest.typed}"))
        )
    meant = Subcommand(name, text=rest.typed)
    if here and not _reads_as_report(name, rest.read):
        return meant
    if here or some_open:
        return Ambiguous(meant, Declare(f"{name} {rest.typed}"))
    return None


def _reads_as_report(name: str, rest: str) -> bool:
    """Return whether the words report an outage: `cancel button is broken` cancels nothing.

    `cause` and `update` speak of broken things all the time.
    """
    if name == "cancel" and _NO_INCIDENT.match(rest) is not None:
        return False
    if name == "cancel" and _OF_A_FEATURE.search(rest) is not None:
        return True
    object_words = _SAID_OF_IT.match(rest)
    symptom = _SYMPTOM.search(rest, object_words.end() if object_words else 0)
    return name in ("cancel", "fixed") and symptom is not None


def nearest(word: str) -> str | None:
    """Return the nearest subcommand within two letters of `word`."""
    if len(word) < 3 or len(word) > max(map(len, NAMES)) + TYPING_DISTANCE:
        return None
    distance, name = min((letters_apart(word, name), name) for name in NAMES)
    return name if distance <= TYPING_DISTANCE else None


def letters_apart(word: str, other: str) -> int:
    """Return how many letters to add, drop, change or swap, to make one word the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(word, 1):
        after = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, after[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and word[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            after.append(cost)
        before, row = row, after
    return row[-1]
