"""Changes that go the other way than their word says: `rose from 5 % to 2 %`, `doubled`."""

import re
from collections.abc import Iterator

from phases.postmortem.contradictions.case import Case, contradiction, quoted
from phases.postmortem.contradictions.quantities import NUMBER, in_figures, nearly, number_in
from phases.record.documents import Contradiction

_UP = r"rose|risen|grew|grown|increased|climbed|jumped|spiked|went up|raised|up|growing|rising"
_DOWN = r"fell|fallen|dropped|decreased|declined|sank|shrank|went down|lowered|reduced|cut|down"
_TIMES = {
    "doubled": 2.0,
    "tripled": 3.0,
    "quadrupled": 4.0,
    "halved": 0.5,
}
_UNITS = {
    "ms": ("time", 0.001),
    "s": ("time", 1),
    "sec": ("time", 1),
    "second": ("time", 1),
    "seconds": ("time", 1),
    "min": ("time", 60),
    "minute": ("time", 60),
    "minutes": ("time", 60),
    "h": ("time", 3600),
    "hour": ("time", 3600),
    "hours": ("time", 3600),
    "kb": ("size", 1e3),
    "mb": ("size", 1e6),
    "mib": ("size", 1e6),
    "gb": ("size", 1e9),
    "gib": ("size", 1e9),
    "tb": ("size", 1e12),
    "%": ("share", 1),
    "percent": ("share", 1),
    "k": ("", 1e3),
    "m": ("", 1e6),
}
_ROUGHLY = r"(?:about |around |roughly |some |under |over |nearly |~ ?)?"
_IN_A_NAME = r"(?![\d:]|\.\d|/\d)"
_UNIT = r"%|[a-zA-Z]+\b"
_CHANGED = re.compile(
    rf"\b(?P<word>{_UP}|{_DOWN}|{'|'.join(_TIMES)})\b(?P<what>(?: [\w-]+){{0,6}}?) from "
    rf"{_ROUGHLY}(?P<a>{NUMBER}){_IN_A_NAME}\s?(?P<a_unit>{_UNIT})?(?: [a-z]+){{0,3}}? to "
    rf"{_ROUGHLY}(?P<b>{NUMBER}){_IN_A_NAME}\s?(?P<b_unit>{_UNIT})?",
    re.IGNORECASE,
)
_AS_A_NAME = re.compile(r"\b(?:versions?|releases?|back|port|shards? from)\b", re.IGNORECASE)


def wrong_way(case: Case) -> Iterator[Contradiction]:
    """`The error rate rose from 5 % to 2 %`; `the load doubled from 100 to 400`."""
    for part, sentence in case.sentences():
        for match in _CHANGED.finditer(in_figures(sentence)):
            says = "" if _AS_A_NAME.search(match["what"]) else _against_its_word(match)
            if says:
                yield contradiction("numbers", part, f"{quoted(sentence)}: {says}", sentence)
                break


def _against_its_word(match: re.Match[str]) -> str:
    before, after = _amount(match, "a"), _amount(match, "b")
    if before[0] != after[0]:
        return ""
    word = match["word"].lower()
    if word in _TIMES:
        if before[1] and not nearly(after[1] / before[1], _TIMES[word], by=0.3):
            return f"that is {after[1] / before[1]:.3g} times as much."
        return ""
    rises = re.fullmatch(_UP, word) is not None
    if rises and after[1] < before[1]:
        return "that is less than before."
    if not rises and after[1] > before[1]:
        return "that is more than before."
    return ""


def _amount(match: re.Match[str], side: str) -> tuple[str, float]:
    """Return kind and size in the kind's smallest unit; `2` of `from 2 to 5 %` is a share, too."""
    other = "b" if side == "a" else "a"
    unit = (match[f"{side}_unit"] or match[f"{other}_unit"] or "").lower()
    kind, factor = _UNITS.get(unit, ("", 1.0))
    return kind, number_in(match[side]) * factor
