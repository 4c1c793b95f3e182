"""Headings of decision records and post-mortems, in the languages of most templates.

The tables are in `adr_headings.toml`. Headings are compared in small letters and without accents
(`plain_heading`). A template in another language is not followed.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phases.text.cleaning import unaccented

_AND = re.compile(r" (?:and|und|e|y|et|en|i|og) ")


@dataclass(frozen=True, slots=True)
class Language:
    """The headings of one language, by the part of the post-mortem that they ask for."""

    code: str
    headings: Mapping[str, str]
    """Our own headings. English has none: they are those of `adr.py`."""
    patterns: Mapping[str, str]

    def key(self, heading: str) -> str | None:
        """Return the part, or the kind of part, that a heading asks for."""
        name = plain_heading(heading)
        # In "Resolution and recovery" the first word counts, in "Customer / user impact" any.
        names = dict.fromkeys((name, _AND.split(name)[0], *re.split(r" ?/ ?", name)))
        keys = (
            key
            for name in names
            for key, pattern in self.patterns.items()
            if re.fullmatch(pattern, name)
        )
        return next(keys, None)


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ENGLISH = Language("en", {}, _TABLES["english"])
LANGUAGES = (
    ENGLISH,
    *(
        Language(
            code,
            {key: heading for key, (heading, _) in table.items()},
            {key: pattern for key, (_, pattern) in table.items()},
        )
        for code, table in _TABLES["foreign"].items()
    ),
)
_FACTS: Mapping[str, str] = {
    "status": "|".join(language.patterns["status"] for language in LANGUAGES),
    "date": "|".join(language.patterns["date"] for language in LANGUAGES),
    "people": _TABLES["facts"]["people"],
}


def plain_heading(text: str) -> str:
    """Return a heading's bare words: no accents, marks, pictures, number in front, or brackets."""
    text = "".join(c for c in text if unicodedata.category(c) not in ("So", "Sk", "Mn", "Cf"))
    text = text.replace("&", "and").replace("’", "'").strip()
    text = re.sub(r"[*_`?!:¿]|\(.*?\)|^\d+(?:\.\d+)*[.)]?\s", "", text)
    return unaccented(re.sub(r"\s+", " ", text).strip())


def fact_key(key: str) -> str | None:
    """Return `status`, `date` or `people` for a template's word for it in any of the languages."""
    name = plain_heading(key)
    return next((known for known, pattern in _FACTS.items() if re.fullmatch(pattern, name)), None)


def asks_for_part(text: str) -> bool:
    """True if the text asks for a part in any of the languages."""
    return any(language.key(text) is not None for language in LANGUAGES)


def language_of(headings: Sequence[str], *, needed: Sequence[str]) -> Language | None:
    """Return the language that knows most of the headings.

    None where no language knows three of them, or half of those that are needed. *Status* and
    *Date* are the same in many languages: they do not count.
    """

    def known(language: Language) -> int:
        return sum(language.key(text) not in (None, "status", "date") for text in headings)

    accents = any(not text.isascii() for text in headings)
    best = max(
        LANGUAGES, key=lambda language: (known(language), accents == (language is not ENGLISH))
    )
    parts = [text for text in needed if fact_key(text) is None]
    return best if known(best) >= min(3, max(1, (len(parts) + 1) // 2)) else None
