"""How a folder names its decision records, so that the next one is named like them; and which of its files is the template.

Shapes that people use: `0007-x.md` (adr-tools, MADR), `ADR-0007-x.md`, `0007_x.md`, `7. x.md`, `adr-007.md`, `0007-x.adoc`, a folder for
each decision or each year, and `20240927-x.md` (log4brains), which has no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import PurePosixPath

from phases.record.incident import Incident

SLUG_LIMIT = 50
MARKDOWN = ("md", "markdown", "mdown", "mkd")
YEARS = range(1990, 2100)
"""A number that is one of these, with no other near it, is a year."""
TEMPLATE_FOLDERS = ("templates", "template", "_templates", ".templates")

_DOCUMENT = re.compile(
    r"(?P<stem>.*)\.(?P<ext>md|markdown|mdown|mkd|mdx|adoc|asciidoc|asc|rst|txt|org)", re.IGNORECASE
)
_WORD = r"(?:adrs?|decisions?|records?|dr|rfc|pm|post-?mortems?)"
_REST = r"(?P<number>\d{1,6})(?:(?<=\d\d\d)[a-z])?(?P<after>\s?[-–—_.:]+\s?|\s+|$)(?P<slug>.*)"
_PLAIN = re.compile(
    rf"(?P<before>(?:(?:[^\W\d_]{{1,20}}[-_ .])?{_WORD}[-_ .#]{{0,2}})?){_REST}", re.IGNORECASE
)
_PREFIXED = re.compile(
    rf"(?P<before>[^\W\d_][^\W\d_\s]*(?:[-_ .][^\W\d_]+){{0,3}}[-_ .#]{{1,2}}|[A-Z]{{1,6}}){_REST}"
)
_OWN = re.compile(r"[A-Z]{1,6}(?:[-_ .][A-Z]{1,6}){0,3}[-_ .#]?0\d{1,5}(?!\d).*")
"""Short words in capitals and a number with a nought in front: `D007-x`, `LADR-0007-x`; not `UTF-8`."""
_DATED = re.compile(
    rf"(?:{_WORD}[-_ .]?)?(?P<year>\d{{4}})(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)[-_. ]+(?P<rest>.*)",
    re.IGNORECASE,
)
_OF_A_YEAR = re.compile(
    rf"(?P<before>(?:{_WORD}[-_ .]?)?(?:19|20)\d\d[-_.])(?P<rest>\d{{2,5}}(?:[-_. ].*|$))",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"0\d{2,5}(?!\d).*")
"""Behind a day: `20240312-0007-x`."""
_TEMPLATE = r"(?:template|vorlage|modelo|modele|plantilla|modello|sjabloon|szablon|skabelon|sablon|шаблон|模板|模版|テンフレート)"
_BESIDE = (
    r"(?:adrs?|decisions?|records?|architecture|architectural|any|log|madr|nygard|rfc|pm|post|mortem|postmortem|incident|document|doc|markdown|md"
    r"|n{2,4}|x{2,4}|y{4}(?:mm)?(?:dd)?|mm|dd"
    r"|short|long|full|bare|minimal|simple|basic|default|base|new|empty|example|v\d{1,2}"
    r"|en|us|uk|de|ch|at|fr|es|pt|br|it|nl|pl|cs|sv|da|no|fi|ru|ua|tr|ja|jp|zh|cn|ko|kr)"
)
"""Words beside *template* that say which kind or language of template; any other says what a decision was about."""
_NO_DECISION = re.compile(
    rf"(?:(?:[^\W\d_]{{1,20}}[-_ .]){{1,4}}(?=00)|{_WORD}[-_ .#]{{0,2}})?(?:(?:0+|9{{3,}})(?!\d))?[-_ .]*(?P<words>.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Named:
    """One file or folder whose name holds a number."""

    before: str
    digits: str
    after: str
    slug: str
    ext: str
    of_a_year: bool = False
    dated: bool = False

    @property
    def number(self) -> int:
        return int(self.digits)


@dataclass(frozen=True, slots=True)
class Numbering:
    """The way of one folder: what stands around the number, and the highest one."""

    highest: int = 0
    before: str = ""
    width: int = 4
    after: str = "-"
    blank: str = "-"
    """Between the words of the title."""
    ext: str = "md"
    dated: str = ""
    """`%Y%m%d`, `%Y_%m_%d` or `%Y-%m-%d`, where files are named by their day and have no number."""
    folders: bool = False
    """A folder for each year."""
    of_a_year: bool = False
    foreign: str = ""
    """The format of the folder's files, where it is not Markdown: ours are, and end like it."""
    prefixes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, paths: Iterable[str]) -> Numbering:
        """From the paths of all files below the folder."""
        documents = [
            path for path in dict.fromkeys(paths) if _DOCUMENT.fullmatch(path) and not _beside(path)
        ]
        prefixes = _shared_prefixes(documents)
        named = {path: found for path in documents if (found := _files(path, prefixes))}
        numbers = _without_years([one.number for found in named.values() for one in found])
        told = {
            path: one
            for path, found in named.items()
            for one in found
            if one.number in numbers and not one.dated
        }
        if not told:
            by_day = _by_day(documents)
            counted = [one.before for found in named.values() for one in found if one.dated]
            before = "" if not by_day or (counted and not any(counted)) else "adr-"
            return cls(highest=max(numbers, default=0), before=before, dated=by_day)
        files = [
            one for path, one in told.items() if one.ext and _name(path) not in ("README", "index")
        ] or [*told.values()]
        written = [one for one in files if one.ext.lower() in MARKDOWN] or files
        style, _ = Counter(
            (one.before, _around(one), one.of_a_year) for one in written
        ).most_common(1)[0]
        like = max(
            (one for one in written if (one.before, _around(one), one.of_a_year) == style),
            key=lambda one: one.number,
        )
        padded = Counter(len(one.digits) for one in files if one.digits.startswith("0"))
        ext = Counter(one.ext for one in written).most_common(1)[0][0]
        above = Counter(
            PurePosixPath(path).parent.as_posix() for path, one in told.items() if one in written
        )
        return cls(
            highest=max(numbers),
            before=like.before,
            width=padded.most_common(1)[0][0] if padded else 1,
            after=_around(like) or "-",
            blank=_blank(written),
            ext=ext if ext.lower() in MARKDOWN else "md",
            folders=bool(above) and all(re.fullmatch(r"(?:19|20)\d\d", folder) for folder in above),
            of_a_year=like.of_a_year,
            foreign="" if ext.lower() in MARKDOWN or not ext else ext,
            prefixes=prefixes,
        )

    def number(self, path: str) -> int | None:
        """The number of a file that is named so; that of our own where the folder names files by their day."""
        found = _files(path, self.prefixes)
        return found[-1].number if found else None

    def file(self, incident: Incident, number: int) -> str:
        """The path below the folder; the incident's id in it makes writing it twice writing it once."""
        at = (incident.postmortem.at if incident.postmortem else incident.detected_at).astimezone(
            UTC
        )
        slug = self.blank.join((incident.id.lower(), *_words(incident.title)))
        if self.dated:
            return (
                f"{at.strftime(self.dated)}-{self.before}{number:0{self.width}d}-{slug}.{self.ext}"
            )
        before = (
            re.sub(r"(?:19|20)\d\d", str(at.year), self.before, count=1)
            if self.of_a_year
            else self.before
        )
        name = f"{before}{number:0{self.width}d}{self.after}{slug}.{self.ext}"
        return f"{at.year}/{name}" if self.folders else name


def is_of(path: str, incident: Incident) -> bool:
    """Whether a file is named after an incident: its number may be another incident's in another life of the bot."""
    document = _DOCUMENT.fullmatch(PurePosixPath(path).name)
    if document is None or document["ext"].lower() not in MARKDOWN:
        return False
    return (
        re.search(
            rf"(?<![a-z0-9]){re.escape(incident.id.lower())}(?![a-z0-9])", document["stem"].lower()
        )
        is not None
    )


def template_among(paths: Sequence[str]) -> str | None:
    """Of the files below a folder its template; one for post-mortems before one for decisions, the plainest name first."""
    found = [
        path
        for path in paths
        if _template_like(path) and PurePosixPath(path).suffix.lower().lstrip(".") in MARKDOWN
    ]
    return min(
        found,
        key=lambda path: (not re.search("post|incident", path, re.IGNORECASE), len(path), path),
        default=None,
    )


def _template_like(path: str) -> bool:
    """By its name: no number of a decision, *template*, and no word that a decision could be about."""
    *folders, name = PurePosixPath(path).parts
    if len(folders) > 1 or (folders and folders[0].lower() not in TEMPLATE_FOLDERS):
        return False
    document = _DOCUMENT.fullmatch(name)
    stem = _plain(document["stem"]) if document else _plain(name)
    found = _NO_DECISION.fullmatch(stem)
    words = re.split(r"[-_ .]+", found["words"].strip("-_ .")) if found else []
    known = [word for word in words if word]
    if any(not re.fullmatch(rf"{_TEMPLATE}|{_BESIDE}", word, re.IGNORECASE) for word in known):
        return False
    return bool(folders) or any(re.fullmatch(_TEMPLATE, word, re.IGNORECASE) for word in known)


def _beside(path: str) -> bool:
    return _template_like(path) or PurePosixPath(path).parts[0].lower() in TEMPLATE_FOLDERS


def _files(path: str, prefixes: frozenset[str]) -> list[_Named]:
    """What is numbered on the way to a file: folders of a decision, then the file itself."""
    *folders, name = PurePosixPath(path).parts
    document = _DOCUMENT.fullmatch(name)
    parts = [(folder, "") for folder in folders[:3]]
    parts.append((document["stem"], document["ext"]) if document else (name, ""))
    return [found for stem, ext in parts if (found := _named(stem, ext, prefixes)) is not None]


def _named(stem: str, ext: str, prefixes: frozenset[str]) -> _Named | None:
    if (dated := _dated(stem)) is not None:
        found = _PLAIN.fullmatch(dated["rest"])
        return (
            _made(found, ext, dated=True)
            if found and (found["before"] or _COUNTED.match(dated["rest"]))
            else None
        )
    yearly = _OF_A_YEAR.fullmatch(stem)
    if yearly is not None and (found := _PLAIN.fullmatch(yearly["rest"])) is not None:
        return _Named(
            yearly["before"], found["number"], found["after"], found["slug"], ext, of_a_year=True
        )
    found = _PLAIN.fullmatch(stem)
    own = _PREFIXED.fullmatch(stem) if found is None else None
    if own is not None and (own["before"].lower() in prefixes or _OWN.fullmatch(stem)):
        found = own
    return _made(found, ext) if found else None


def _made(found: re.Match[str], ext: str, *, dated: bool = False) -> _Named:
    return _Named(found["before"], found["number"], found["after"], found["slug"], ext, dated=dated)


def _dated(stem: str) -> re.Match[str] | None:
    found = _DATED.fullmatch(stem)
    try:
        return (
            found
            if found
            and date(int(found["year"]), int(found["month"]), int(found["day"])).year in YEARS
            else None
        )
    except ValueError:
        return None


def _by_day(documents: Sequence[str]) -> str:
    """How files that have no number are named by their day; empty where they are not."""
    days = [found for path in documents if (found := _dated(_name(path))) is not None]
    if not days or 2 * len(days) < len(documents):
        return ""
    return days[-1]["dash"].join(("%Y", "%m", "%d"))


def _shared_prefixes(documents: Sequence[str]) -> frozenset[str]:
    """Words in front of a number that at least half of the files begin with: `shop-7-x.md`, and not `python-3-migration.md`."""
    found = Counter(
        own["before"].lower()
        for path in documents
        if (own := _PREFIXED.fullmatch(_name(path))) is not None
    )
    return frozenset(
        before for before, many in found.items() if many > 1 and 2 * many >= len(documents)
    )


def _without_years(numbers: Sequence[int]) -> frozenset[int]:
    plain = [number for number in numbers if number not in YEARS and not _is_month(number)]
    return frozenset(numbers if max(plain, default=0) >= YEARS.start - 100 else plain)


def _is_month(number: int) -> bool:
    """`202409-x`: six digits that are a year and a month."""
    return number // 100 in YEARS and 1 <= number % 100 <= 12


def _around(one: _Named) -> str:
    """What stands behind the number; where no title followed it: what stands in front."""
    return one.after or (one.before[-1:] if one.before[-1:] in ("-", "_", " ") else "")


def _blank(named: Sequence[_Named]) -> str:
    told = Counter(sign for one in named for sign in one.slug if sign in "-_ ")
    if told:
        return told.most_common(1)[0][0]
    return "_" if any("_" in _around(one) for one in named) else "-"


def _words(title: str) -> list[str]:
    slug = re.sub(r"[^a-z0-9]+", "-", _plain(title).encode("ascii", "ignore").decode()).strip("-")
    return slug[:SLUG_LIMIT].strip("-").split("-") if slug else ["incident"]


def _plain(text: str) -> str:
    """In small letters without accents."""
    return "".join(
        c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
    ).lower()


def _name(path: str) -> str:
    document = _DOCUMENT.fullmatch(PurePosixPath(path).name)
    return document["stem"] if document else PurePosixPath(path).name
