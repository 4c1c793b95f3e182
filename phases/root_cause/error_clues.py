"""Phase 2: read a crash for names, files and libraries besides those of its frames."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from phases.ports.library_paths import library_of
from phases.record.findings import Frame
from phases.text.wording import word_list

NAMES_MOST = 9
"""Names of an error's text that are looked for in the patches, the telling ones first."""

_QUOTED = re.compile(
    r"`([^`\n]{2,80})`|'([^'\n]{2,80})'|\"([^\"\n]{2,80})\"|‘([^’\n]{2,80})’|“([^”\n]{2,80})”"
)
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
_CALLED = re.compile(r"\b([A-Za-z_$][\w$]*)\(")
_CONSTRUCTED = re.compile(
    r"\b([A-Za-z_]\w*)(?:\.|#|::)(?:__init__|__new__|<init>|initialize|constructor)\b"
)
_EVERYWHERE = frozenset(
    ("__init__", "__call__", "__new__", "__main__", "initialize", "constructor", "toString")
)
_CODED = re.compile(
    r"\b(?:[A-Za-z]+_\w+|_\w{2,}|[a-z]+[A-Z]\w+|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+"
    r"|[A-Z][A-Z0-9]+_[A-Z0-9_]+)\b"
)
_DOTTED = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b")
_FILE = re.compile(r"[\w./\\@-]*[\w-]\.[A-Za-z][A-Za-z0-9]{0,9}\b|(?:[\w.-]+/){1,}[\w.-]+")
_PLAIN = frozenset(
    word_list(
        """
        none nonetype null nil nilclass undefined object str int float bool bytes list dict tuple
        set string number boolean array map function module class type self this true false error
        exception value index range key name file line user users data result response request
        argument arguments attribute method import property properties id the and for not with from
        has was are its param parameter positional required got unexpected keyword missing of
        reading read set setting cannot invoke because is return local parameter expected object's
        integer character char long double void main default unknown invalid java lang util com org
        net io http https localhost callable iterable subscriptable hashable instance must be able
        to an no such directory at in on to by code status message server client get post put
        """
    )
)
_BUILT_IN = re.compile(
    r"(?:\w+\.)*(?:Exception|Error|BaseException|RuntimeError|ValueError|TypeError|KeyError"
    r"|IndexError|AttributeError|NameError|ImportError"
    r"|ModuleNotFoundError|LookupError|AssertionError|ZeroDivisionError|ArithmeticError|OSError"
    r"|IOError|FileNotFoundError|PermissionError"
    r"|NotImplementedError|RecursionError|UnboundLocalError|UnicodeDecodeError|UnicodeEncodeError"
    r"|StopIteration|SyntaxError|ReferenceError"
    r"|RangeError|NoMethodError|ArgumentError|StandardError|NullPointerException"
    r"|IllegalArgumentException|IllegalStateException"
    r"|IndexOutOfBoundsException|ArrayIndexOutOfBoundsException|ClassCastException"
    r"|RuntimeException|ConcurrentModificationException"
    r"|UnsupportedOperationException|NumberFormatException|NullReferenceException"
    r"|InvalidOperationException|ArgumentException"
    r"|ArgumentNullException|KeyNotFoundException|panic|runtime error|UnhandledRejection)"
)
_DATABASE = re.compile(
    r"sql|operationalerror|programmingerror|integrityerror|dataerror|psycopg|undefinedcolumn"
    r"|undefinedtable|activerecord|sequelize"
    r"|\bcolumn\b|\brelation\b|\btable\b|constraint|duplicate key|deadlock",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(
    r"timed? ?out|connection|econn|enotfound|refused|unreachable|dns|getaddrinfo|ssl|certificate"
    r"|handshake|socket|broken ?pipe|network"
    r"|503|502|504|service unavailable|too many (?:connections|requests|open files)|no space left"
    r"|out ?of ?memory|oomkilled|memoryerror|cannot allocate",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"improperlyconfigured|configuration|environment variable|\benv\b|settings?\b|missing (?:key"
    r"|option|config)|not configured|feature flag",
    re.I,
)


_MISSING = re.compile(
    "|".join(
        (
            r"has no attribute ['\"`‘](\w+)",
            r"name ['\"](\w+)['\"] is not defined",
            r"local variable ['\"](\w+)['\"]",
            r"cannot import name ['\"](\w+)",
            r"no module named ['\"]?(?:[\w.]*\.)?(\w+)",
            r"unexpected keyword argument ['\"](\w+)",
            r"(\w+)\(\) (?:takes|got|missing)",
            r"undefined (?:local variable or )?method [`'](\w+[?!]?)",
            r"uninitialized constant (?:[\w:]*::)?(\w+)",
            r"(?:unknown|missing) keywords?: :?(\w+)",
            r"(\w+) is not (?:a function|defined)",
            r"reading '(\w+)'",
            r"nosuchmethoderror.*\.(\w+)\(",
            r"undefined (?:index|variable|property)[: ]+\$?(\w+)",
            r"call to undefined (?:method|function) (?:[\w\\]+::)?(\w+)",
        )
    ),
    re.IGNORECASE,
)
"""What interpreters say of a name that is not there, or is used otherwise than it is defined:
Python, Ruby, JavaScript, Java, PHP."""


@dataclass(frozen=True, slots=True)
class Name:
    text: str
    weight: float
    """1 for a name that the error quotes; less for one that merely stands in it."""


@dataclass(frozen=True, slots=True)
class Clues:
    names: tuple[Name, ...] = ()
    """Whole words to look for in changed lines."""
    files: tuple[str, ...] = ()
    """Files and modules that the error's text speaks of."""
    missing: tuple[str, ...] = ()
    """Names that the error says are not there, or do not fit what is."""
    libraries: tuple[str, ...] = ()
    """Packages in the stack or in the error's type, the nearest to the crash first."""


def clues_of(type: str, value: str, frames: Sequence[Frame]) -> Clues:
    """Read the error's type and text, and the libraries that the stack went through.

    Of a text 2,000 characters are looked at.
    """
    value = value[:2000]
    return Clues(
        names=_names_in(type, value),
        files=_files_named(value),
        missing=_missing_in(value),
        libraries=_libraries_in(type, frames),
    )


def speaks_of_database(text: str) -> bool:
    return _DATABASE.search(text) is not None


def speaks_of_outside(text: str) -> bool:
    """Say whether a text speaks of networks, time-outs or memory: code rarely brings these."""
    return _OUTSIDE.search(text) is not None


def speaks_of_setting(text: str) -> bool:
    return _SETTING.search(text) is not None


def _names_in(type: str, value: str) -> tuple[Name, ...]:
    weights: dict[str, float] = {}

    def add(text: str, weight: float) -> None:
        if len(text) >= 3 and text.lower() not in _PLAIN and not text.isdigit():
            if text in _EVERYWHERE:
                weight *= 0.25
            weights[text] = max(weight, weights.get(text, 0.0))

    for groups in _QUOTED.findall(value):
        quoted = next(g for g in groups if g)
        words = _IDENTIFIER.findall(quoted)
        if len(words) <= 4:
            # The last part of a dotted name tells most; `com.acme.` stands in every file.
            for position, word in enumerate(reversed(words)):
                add(word, 1.0 if position == 0 else 0.25)
    for word in _CALLED.findall(value):
        add(word, 0.9)
    for owner in _CONSTRUCTED.findall(value):
        add(owner, 0.9)
    for word in _CODED.findall(value):
        add(word, 0.8)
    for dotted in _DOTTED.findall(value):
        for position, word in enumerate(reversed(dotted.split("."))):
            add(word, 0.6 if position == 0 else 0.2)
    if type and not _BUILT_IN.fullmatch(type):
        add(re.split(r"[.:$\\]", type)[-1], 0.8)
    best = sorted(weights.items(), key=lambda item: -item[1])[:NAMES_MOST]
    return tuple(Name(text, weight) for text, weight in best)


def _missing_in(value: str) -> tuple[str, ...]:
    names = (name for match in _MISSING.finditer(value) for name in match.groups() if name)
    return tuple(dict.fromkeys(names))


def _files_named(value: str) -> tuple[str, ...]:
    files = [
        m.group().strip("./\\")
        for m in _FILE.finditer(value)
        if "://" not in value[max(0, m.start() - 3) : m.end()]
    ]
    modules = [
        m.replace(".", "/")
        for m in re.findall(
            r"(?i)(?:module named|from|module) ['\"]?([A-Za-z_]\w*(?:\.\w+)+)", value
        )
    ]
    return tuple(dict.fromkeys([*files, *modules]))[:6]


_NO_LIBRARIES = ("java", "javax", "system", "builtins", "com", "org", "net", "io", "errors")
"""Beginnings of an error's type that name no library."""


def _libraries_in(type: str, frames: Sequence[Frame]) -> tuple[str, ...]:
    libraries = [name for frame in frames if (name := library_of(frame.file)) is not None]
    root = type.split(".")[0].lower() if "." in type else ""
    if root and root not in _NO_LIBRARIES:
        libraries.append(root)
    return tuple(dict.fromkeys(libraries))[:8]
