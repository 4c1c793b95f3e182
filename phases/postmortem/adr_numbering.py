"""The names of decision records in a folder: the next one is named like them. And its template.

Shapes that people use: `0007-x.md` (adr-tools, MADR), `ADR-0007-x.md`, `0007_x.md`, `7. x.md`,
`adr-007.md`, `0007-x.adoc`, a folder for each decision or each year, and `20240927-x.md`
(log4brains), which has no number.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import PurePosixPath
from typing import Self, TypeVar

from phases.record.incident import Incident
from phases.text.cleaning import unaccented

T = TypeVar("T")

SLUG_LIMIT = 50
MARKDOWN = ("md", "markdown", "mdown", "mkd")
YEARS = range(1990, 2100)
"""A number in this range is a year if no other number is near it."""
TEMPLATE_FOLDERS = ("templates", "template", "_templates", ".templates")

_DOCUMENT = re.compile(
    r"(?P<stem>.*)\.(?P<ext>md|markdown|mdown|mkd|mdx|adoc|asciidoc|asc|rst|txt|org)", re.IGNORECASE
)
_WORD = r"(?:adrs?|decisions?|records?|dr|rfc|pm|post-?mortems?)"
_KNOWN = re.compile(rf"(?<![^\W\d_]){_WORD}[-_ .#]{{0,2}}$", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(?P<words>(?:[^\W\d_](?:[^\W\d]|[-. #]){0,60})?)"
    r"(?P<year>(?:(?:19|20)\d\d[-_.](?=\d{2,5}(?:[-_. ]|$)))?)"
    r"(?P<digits>\d{1,6})(?:(?<=\d\d\d)[a-z])?"
    r"(?P<after>\s?[-–—_.:]+\s?|\s+|$)(?P<slug>.*)"
)
_DATED = re.compile(
    rf"(?:{_WORD}[-_ .]?)?(?P<year>\d{{4}})(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"[-_. ]+(?P<rest>.*)",
    re.IGNORECASE,
)
_TEMPLATE = (
    r"(?:template|vorlage|modelo|modele|plantilla|modello|sjabloon|szablon|skabelon|sablon|шаблон"
    r"|模板|模版|テンフレート)"
)
_BESIDE = (
    r"(?:adrs?|decisions?|records?|architecture|architectural|any|log|madr|nygard|rfc|pm|post"
    r"|mortem|postmortem|incident|document|doc|markdown|md"
    r"|n{2,4}|x{2,4}|y{4}(?:mm)?(?:dd)?|mm|dd"
    r"|short|long|full|bare|minimal|simple|basic|default|base|new|empty|example|v\d{1,2}"
    r"|en|us|uk|de|ch|at|fr|es|pt|br|it|nl|pl|cs|sv|da|no|fi|ru|ua|tr|ja|jp|zh|cn|ko|kr)"
)
"""Words beside *template* for a kind or language of template.

Any other word is the subject of a decision.
"""
_NO_DECISION = re.compile(
    rf"(?:(?:[^\W\d_]{{1,20}}[-_ .]){{1,4}}(?=00)|{_WORD}[-_ .#]{{0,2}})?"
    r"(?:(?:0+|9{3,})(?!\d))?[-_ .]*(?P<words>.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Name:
    """The parts of a file's or folder's name that holds a number."""

    words: str
    year: str
    digits: str
    after: str
    slug: str
    ext: str
    dated: bool

    @property
    def number(self) -> int:
        return int(self.digits)

    @property
    def separator(self) -> str:
        """The text behind the number; where no title follows it: the sign in front of it."""
        before = (self.words + self.year)[-1:]
        return self.after or (before if before in ("-", "_", " ") else "")

    @property
    def style(self) -> tuple[str, bool, str]:
        return self.words, bool(self.year), self.separator

    def counts(self, prefixes: Collection[str]) -> bool:
        """True if the number is one of a decision, not of `python-3-migration` or `UTF-8`.

        `prefixes` are words in front of a number that at least half of the files begin with.
        Capitals and a leading nought count, too: `D007-x`, `LADR-0007-x`.
        """
        if _KNOWN.search(self.words):
            return True
        nought = self.digits.startswith("0")
        if self.dated:
            return not self.words and nought and len(self.digits) > 2
        capitals = self.words.isupper() and nought
        return not self.words or (not self.year and (capitals or self.words.lower() in prefixes))


@dataclass(frozen=True, slots=True)
class Numbering:
    """The style of one folder's names: the text around the number, and the highest number."""

    highest: int = 0
    before: str = ""
    by_year: str = ""
    """A sign, where the year and this sign stand in front of the number."""
    width: int = 4
    after: str = "-"
    blank: str = "-"
    """Stands between the words of the title."""
    ext: str = "md"
    dated: str = ""
    """`%Y%m%d`, `%Y_%m_%d` or `%Y-%m-%d`, where names begin with a day and have no number."""
    folders: bool = False
    """A folder for each year."""
    foreign: str = ""
    """The format of the folder's files, where it is not Markdown. Ours are, and end so."""
    prefixes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, paths: Iterable[str]) -> Self:
        """Return the numbering of a folder. `paths` are those of all files below it."""
        documents = [
            path
            for path in dict.fromkeys(paths)
            if _DOCUMENT.fullmatch(path) and not _of_templates(path)
        ]
        prefixes = _shared_prefixes(documents)
        names = {path: parts for path in documents if (parts := _numbered_names(path, prefixes))}
        numbers = _without_years([name.number for parts in names.values() for name in parts])
        numbered = {
            path: name
            for path, parts in names.items()
            for name in parts
            if name.number in numbers and not name.dated
        }
        if not numbered:
            dated = _by_day(documents)
            words = [name.words for parts in names.values() for name in parts if name.dated]
            bare = not dated or (words and not any(words))
            return cls(max(numbers, default=0), before="" if bare else "adr-", dated=dated)
        files = [name for name in numbered.values() if name.ext] or [*numbered.values()]
        padded = [len(name.digits) for name in files if name.digits.startswith("0")]
        files = [name for name in files if name.ext.lower() in MARKDOWN] or files
        style = _most_frequent(name.style for name in files)
        newest = max((name for name in files if name.style == style), key=lambda name: name.number)
        ext = _most_frequent(name.ext for name in files)
        markdown = ext.lower() in MARKDOWN
        parents = {str(PurePosixPath(p).parent) for p, name in numbered.items() if name in files}
        return cls(
            highest=max(numbers),
            before=newest.words,
            by_year=newest.year[-1:],
            width=_most_frequent(padded) if padded else 1,
            after=newest.separator or "-",
            blank=_word_separator(files),
            ext=ext if markdown else "md",
            folders=all(re.fullmatch(r"(?:19|20)\d\d", parent) for parent in parents),
            foreign="" if markdown else ext,
            prefixes=prefixes,
        )

    def number(self, path: str) -> int | None:
        """Return the number in a file's name.

        Where the folder names files by their day, only our own files have one.
        """
        names = _numbered_names(path, self.prefixes)
        return names[-1].number if names else None

    def file(self, incident: Incident, number: int) -> str:
        """Return the path below the folder.

        The incident's id is in it, so that a post-mortem that is written twice is one file.
        """
        written = incident.postmortem.at if incident.postmortem else incident.detected_at
        at = written.astimezone(UTC)
        slug = self.blank.join((incident.id.lower(), *_title_words(incident.title)))
        numbered = f"{self.before}{f'{at.year}{self.by_year}' if self.by_year else ''}"
        numbered += f"{number:0{self.width}d}{self.after}{slug}.{self.ext}"
        if self.dated:
            return f"{at.strftime(self.dated)}-{numbered}"
        return f"{at.year}/{numbered}" if self.folders else numbered


def is_of(path: str, incident: Incident) -> bool:
    """True if a file is named after an incident.

    The number does not say so: it may be another incident's in another life of the bot.
    """
    document = _DOCUMENT.fullmatch(PurePosixPath(path).name)
    if document is None or document["ext"].lower() not in MARKDOWN:
        return False
    id = re.escape(incident.id.lower())
    return bool(re.search(rf"(?<![a-z0-9]){id}(?![a-z0-9])", document["stem"].lower()))


def template_among(paths: Sequence[str]) -> str | None:
    """Return the template among the files below a folder.

    One for post-mortems goes before one for decisions, the plainest name first.
    """
    return min(
        (
            path
            for path in paths
            if _template_like(path) and PurePosixPath(path).suffix.lower()[1:] in MARKDOWN
        ),
        key=lambda path: (not re.search("post|incident", path, re.IGNORECASE), len(path), path),
        default=None,
    )


def _template_like(path: str) -> bool:
    """True for a name with *template*, no decision's number, and no subject of a decision."""
    *folders, name = PurePosixPath(path).parts
    if len(folders) > 1 or (folders and folders[0].lower() not in TEMPLATE_FOLDERS):
        return False
    match = _NO_DECISION.fullmatch(unaccented(_file_stem(name)))
    words = [word for word in re.split(r"[-_ .]+", match["words"]) if word] if match else []
    if any(not re.fullmatch(rf"{_TEMPLATE}|{_BESIDE}", word, re.IGNORECASE) for word in words):
        return False
    return bool(folders) or any(re.fullmatch(_TEMPLATE, word, re.IGNORECASE) for word in words)


def _of_templates(path: str) -> bool:
    return _template_like(path) or PurePosixPath(path).parts[0].lower() in TEMPLATE_FOLDERS


def _file_stem(path: str) -> str:
    """Return a file's name without its ending."""
    name = PurePosixPath(path).name
    document = _DOCUMENT.fullmatch(name)
    return document["stem"] if document else name


def _numbered_names(path: str, prefixes: Collection[str]) -> list[_Name]:
    """Return the numbered names on the way to a file: folders first, then the file itself."""
    *folders, file = PurePosixPath(path).parts
    document = _DOCUMENT.fullmatch(file)
    parts = [(folder, "") for folder in folders[:3]]
    parts.append((document["stem"], document["ext"]) if document else (file, ""))
    names = (_numbered_name(stem, ext) for stem, ext in parts)
    return [name for name in names if name is not None and name.counts(prefixes)]


def _numbered_name(stem: str, ext: str) -> _Name | None:
    dated = _day_in(stem)
    match = _NUMBERED.fullmatch(dated["rest"] if dated else stem)
    return _Name(**match.groupdict(), ext=ext, dated=dated is not None) if match else None


def _day_in(stem: str) -> re.Match[str] | None:
    match = _DATED.fullmatch(stem)
    if match is None:
        return None
    try:
        day = date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
    return match if day.year in YEARS else None


def _by_day(documents: Sequence[str]) -> str:
    """Return the format of the days in files' names, or nothing where names have no days."""
    days = [match for path in documents if (match := _day_in(_file_stem(path))) is not None]
    if not days or 2 * len(days) < len(documents):
        return ""
    return days[-1]["dash"].join(("%Y", "%m", "%d"))


def _shared_prefixes(documents: Sequence[str]) -> frozenset[str]:
    """Return words in front of a number that at least half of the files begin with.

    `shop-7-x.md` has one, and `python-3-migration.md` has not.
    """
    names = (_numbered_name(_file_stem(path), "") for path in documents)
    words = Counter(
        name.words.lower()
        for name in names
        if name is not None and not name.dated
        if not name.words[-1:].isalpha() or name.words.isupper()
    )
    return frozenset(
        word for word, files in words.items() if files > 1 and 2 * files >= len(documents)
    )


def _without_years(numbers: Sequence[int]) -> frozenset[int]:
    plain = [number for number in numbers if number not in YEARS and not _is_month(number)]
    return frozenset(numbers if max(plain, default=0) >= YEARS.start - 100 else plain)


def _is_month(number: int) -> bool:
    """True for six digits that are a year and a month: `202409-x`."""
    return number // 100 in YEARS and 1 <= number % 100 <= 12


def _most_frequent(values: Iterable[T]) -> T:
    """Return the most frequent value."""
    return Counter(values).most_common(1)[0][0]


def _word_separator(names: Sequence[_Name]) -> str:
    signs = [sign for name in names for sign in name.slug if sign in "-_ "]
    if signs:
        return _most_frequent(signs)
    return "_" if any("_" in name.separator for name in names) else "-"


def _title_words(title: str) -> list[str]:
    slug = re.sub(r"[^a-z0-9]+", "-", unaccented(title)).strip("-")
    return slug[:SLUG_LIMIT].strip("-").split("-") if slug else ["incident"]
