"""The meaning of the words after `/incident` (rules: Words after /incident).

Pure: the same words mean the same in the same place.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from handlers.slack import slack_text
from phases.record.incident import Severity

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
    **dict.fromkeys(("ack", "mine"), "lead"),
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
MARKS = "\"'`*_~()[]{}「」『』【】〈〉《》"
"""Quotes, brackets, and the marks that format a word in Slack."""
STOPS = ".,;:!?"

_ID = re.compile(
    r"(?<![\w-])(?:#?inc-(?P<channel>\d{4,7})-[\w-]+"
    r"|#?inc(?: ?[-_ー] ?|[:./]|[ #]?)(?P<number>\d{1,7})(?!\w|-|\.\d))",
    re.IGNORECASE,
)
"""`ー` is what the dash's key writes in Japanese."""
_TYPED_TWICE = re.compile(r"/incident(?:\s+|$)", re.IGNORECASE)
HELP = frozenset({"?", "-h", "--help", "-help", "/help", "h"})
_FILLING = frozenset(
    {"please", "pls", "plz", "thanks", "thx", "now", "of", "for", "on", "about", "the", "me"}
)
"""Words without a meaning beside a subcommand and an id: `status of INC-0042 please`."""
_JOINING = frozenset(
    {"into", "with", "and", "to", "in", "from", "off", "out", "->", "→", "=>", "&", "+"}
)
_APART = re.compile(
    r"(roll|hot|post|re|time)[ -](back|fix|mortem|check|open|line)\b", re.IGNORECASE
)
_SEV = re.compile(r"sev(?:erity)?[-=: ]{0,2}([1-4])\b", re.IGNORECASE)
_RELEASE = re.compile(
    r"(?:to )?(?:v?\d+(?:\.\d+)+[\w.+-]*|(?=[0-9a-f]*\d)[0-9a-f]{7,40}|[\w.-]+/[\w./-]+)",
    re.IGNORECASE,
)
"""A version, a commit or a branch behind `rollback` or `hotfix`."""
_PERSON = re.compile(r"<@([UW][A-Z0-9]{1,20})(?:\|[^>]*)?>")
_SEVERITY = re.compile(r"(?:sev(?:erity)?-?)?([1-4])", re.IGNORECASE)
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
    text: str, *, here: bool, one_open: bool = False, services: Collection[str] = ()
) -> Reading:
    """Read the words. `here`: in an incident's channel.

    `one_open`: elsewhere, and exactly one incident is open.
    """
    text = text.strip()
    if text.startswith("/"):
        text = _TYPED_TWICE.sub("", text, count=1)
    words = _Words.of(text)
    if text.lower() in HELP:
        return Subcommand("help")
    if not words.read:
        return Declare(text)
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
        fitting = _subcommand(name, rest, here=here, one_open=one_open, services=services)
        if isinstance(fitting, Subcommand) and name in ACTING and words.read.endswith("?"):
            return Ambiguous(fitting, Declare(text))
        if fitting is not None:
            return fitting
    if (meant := _split_subcommand(words.read, here=here, services=services)) is not None:
        return Ambiguous(meant, Declare(text))
    if not rest.read and (close := SYNONYMS.get(name) or nearest(name)) is not None:
        return Near(text, close, Declare(text))
    if name in WITH_ONE_WORD and " " not in rest.read.strip() and not _SYMPTOM.search(rest.read):
        return Near(text, name, Declare(text))
    return Declare(text)


def _id_first(
    words: "_Words", text: str, *, here: bool, services: Collection[str]
) -> Ambiguous | None:
    """Read `INC-0042` alone, and `INC-0042 rollback`: both may be commands, and are asked about."""
    id = _ID.match(words.read)
    if id is None:
        return None
    rest = words.after(id.end())
    if not rest.read:
        return Ambiguous(Subcommand("status", _canonical_id(id)), Declare(text))
    if rest.read.partition(" ")[0].strip(MARKS + STOPS).lower() not in STRICT:
        return None
    read = parse(f"{rest.read.rstrip(STOPS)} {_canonical_id(id)}", here=here, services=services)
    return Ambiguous(read, Declare(text)) if isinstance(read, Subcommand) else None


def _split_subcommand(read: str, *, here: bool, services: Collection[str]) -> Subcommand | None:
    """Read `roll back`, `post-mortem INC-0042` and `sev2` as the subcommands they nearly are."""
    if _SEV.match(read):
        joined = _SEV.sub(r"severity \1", read, count=1)
    elif _APART.match(read):
        joined = _APART.sub(r"\1\2", read, count=1)
    else:
        return None
    if joined == read:
        return None
    meant = parse(joined, here=here, services=services)
    return meant if isinstance(meant, Subcommand) else None


def incident_id(text: str) -> str | None:
    """Read `inc-42`, `INC 0042` and `#inc-0042-the-till-is-stuck` as the same incident."""
    id = _ID.fullmatch(slack_text.spelled(text).strip().strip(MARKS + STOPS))
    return _canonical_id(id) if id else None


@dataclass(frozen=True, slots=True)
class _Words:
    """Words as typed, and as they read: in plain letters, without quotes around all of them."""

    typed: str
    read: str
    places: tuple[int, ...]
    """The place of each letter of `read` in `typed`."""

    @classmethod
    def of(cls, typed: str) -> Self:
        letters = [
            (" " if letter.isspace() else letter, place)
            for letter, place in slack_text.letters(typed)
        ]
        begin, end = 0, len(letters)
        while begin < end and letters[begin][0] in MARKS + " ":
            begin += 1
        while begin < end and letters[end - 1][0] in MARKS + " ":
            end -= 1
        begin = 0 if end == len(letters) else begin  # only what is around all of it
        begin = next((n for n in range(begin, end) if letters[n][0] != " "), end)
        if 0 < begin < end:
            typed = typed[: letters[end - 1][1] + 1]
        return cls(
            typed,
            "".join(letter for letter, _ in letters[begin:end]),
            tuple(place for _, place in letters[begin:end]),
        )

    def after(self, letters: int) -> Self:
        """Return what stands behind so many letters, and behind the colon or dash after them."""
        begin = letters
        while begin < len(self.read) and self.read[begin] in STOPS + "- ":
            begin += 1
        if begin == len(self.read):
            return type(self)("", "", ())
        if " " not in self.read[letters:begin]:
            begin = letters
        first = self.places[begin]
        return type(self)(
            self.typed[first:].strip(),
            self.read[begin:],
            tuple(p - first for p in self.places[begin:]),
        )


def _canonical_id(id: re.Match[str]) -> str:
    return f"INC-{int(id['number'] or id['channel']):04d}"


def _ids(read: str) -> str:
    """Return the same words with every incident's id written in one way, as one word."""
    return _ID.sub(_canonical_id, read)


def _parts(read: str, *, numbers: str = "") -> list[str]:
    """Return the words without marks; a number that `numbers` fits becomes an incident's id."""
    spaced = re.sub(r"(?<=\d),(?=[#i\d])", " ", _ids(read), flags=re.IGNORECASE)
    parts = [part.strip(MARKS + STOPS) for part in spaced.split()]
    number = re.compile(numbers or "(?!)")
    return [
        f"INC-{int(part.lstrip('#')):04d}" if number.fullmatch(part) else part
        for part in parts
        if part
    ]


def _subcommand(
    name: str, rest: _Words, *, here: bool, one_open: bool, services: Collection[str]
) -> Subcommand | Ambiguous | None:
    """Return the reading as a subcommand, if the rest fits it."""
    if name in WITHOUT_TEXT:
        return _without_text(name, rest.read)
    if name in WITH_TEXT:
        return _with_text(name, rest, here=here, one_open=one_open)
    numbered = _parts(rest.read, numbers=r"#?\d{1,7}")
    parts = _parts(rest.read, numbers=r"#\d{1,7}")
    match name:
        case "severity":
            return _severity(parts)
        case "lead":
            return _lead(parts)
        case "history":
            known = {service.casefold(): service for service in services}
            named = rest.read.strip(MARKS + STOPS + " ").casefold()
            fits = not named or named in known
            return Subcommand(name, text=known.get(named, "")) if fits else None
        case "reopen" if here and all(part.lower() in _FILLING for part in numbered):
            return Subcommand(name)
        case "reopen" if numbered and incident_id(numbered[0]):
            meant = Subcommand(name, incident_id(numbered[0]))
            why = [part for part in numbered[1:] if part.lower() not in _FILLING]
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
    return [incident_id(part) or "" for part in parts if part.lower() not in _JOINING | _FILLING]


def _without_text(name: str, read: str) -> Subcommand | Ambiguous | None:
    """Read a subcommand alone or with an incident.

    Where something is deployed, a number or link may be a pull request's or a release's.
    """
    parts = [part for part in _parts(read) if part.lower() not in _FILLING]
    if not parts:
        return Subcommand(name)
    if name in ("rollback", "hotfix") and _RELEASE.fullmatch(" ".join(parts)):
        return Ambiguous(Subcommand(name), Declare(f"{name} {read}"))
    if len(parts) > 1:
        return None
    if (named := incident_id(parts[0])) is not None:
        return Subcommand(name, named)
    number = re.fullmatch(r"#?\d{1,7}", parts[0])
    if name in ("rollback", "hotfix") and (number or parts[0].startswith(("http://", "https://"))):
        return Ambiguous(Subcommand(name), Declare(f"{name} {read}"))
    if number is None:
        return None
    return Subcommand(name, incident_id(f"INC-{parts[0].lstrip('#')}"))


def _severity(parts: list[str]) -> Subcommand | None:
    """Read `severity 2` and `severity sev2`, with an id before or after the level."""
    ids, others = _apart_from_ids(parts)
    number = _SEVERITY.fullmatch("".join(others))
    if number is None or len(ids) > 1:
        return None
    return Subcommand("severity", ids[0] if ids else None, severity=Severity(int(number.group(1))))


def _lead(parts: list[str]) -> Subcommand | None:
    """Read `lead` (take it) and `lead @someone` (give it), with an id before or after."""
    ids, others = _apart_from_ids(parts)
    people = [person for part in others if (person := _PERSON.fullmatch(part))]
    if len(ids) > 1 or len(people) > 1 or len(people) != len(others):
        return None
    person = people[0].group(1) if people else None
    return Subcommand("lead", ids[0] if ids else None, person=person)


def _apart_from_ids(parts: list[str]) -> tuple[list[str], list[str]]:
    """Return the incidents' ids, and the other words that have a meaning."""
    parts = [part for part in parts if part.lower() not in _FILLING]
    ids = [id for part in parts if (id := incident_id(part))]
    return ids, [part for part in parts if not incident_id(part)]


def _with_text(
    name: str, rest: _Words, *, here: bool, one_open: bool
) -> Subcommand | Ambiguous | None:
    """Read `update`, `cause`, `fixed` and `cancel`.

    With an id they are meant; without one their words may be those of a new incident.
    """
    if (id := _ID.match(rest.read)) is not None:
        text = rest.after(id.end()).typed  # without text the form opens
        return Subcommand(name, _canonical_id(id), text)
    if not rest.read:
        return Subcommand(name) if here else None
    meant = Subcommand(name, text=rest.typed)
    if here and not _reads_as_report(name, rest.read):
        return meant
    if here or one_open:
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
