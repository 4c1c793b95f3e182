"""Numbers as people write them: in figures or words, with thousands, units and shares."""

import re

NUMBER = r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?"
COUNT = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
SHARE = re.compile(rf"(?P<share>{NUMBER})\s?(?:%|percent\b|per cent\b)", re.IGNORECASE)
POINTS = 1.5
"""Percentage points by which a rounded share may be off."""
ROUNDED = 0.15
"""People round: a duration may be so far off, and a minute."""

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {
    **{word: number for number, word in enumerate(_UP_TO_TWENTY.split())},
    **{word: 10 * number for number, word in enumerate(_TENS.split(), start=1)},
}
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b(?!-)", re.IGNORECASE)
_NOT_A_COUNT = re.compile(
    r"(\b(?:one|two|three)[ -](?:third|quarter|and a half|hours? and a)s?\b)", re.IGNORECASE
)
_LENGTHS = {"half an": "0.5", "a quarter of an": "0.25", "three quarters of an": "0.75"}
_LENGTH_IN_WORDS = re.compile(
    rf"\b(?:(?P<share>{'|'.join(_LENGTHS)})"
    r"|(?P<before>(?:for|over|under|about|almost|nearly|than|lasted|took|within|after|of) )an?)"
    r"(?=[\s-](?:hours?|minutes?)\b)(?! (?:hour )?and a)",
    re.IGNORECASE,
)
"""`200 a minute` is a rate and no length."""
FRACTIONS = {
    "half": 1 / 2,
    "a third": 1 / 3,
    "one third": 1 / 3,
    "two thirds": 2 / 3,
    "a quarter": 1 / 4,
    "one quarter": 1 / 4,
    "three quarters": 3 / 4,
    "a fifth": 1 / 5,
    "a tenth": 1 / 10,
}


def number_in(text: str) -> float:
    return float(text.replace(",", ""))


def in_figures(sentence: str) -> str:
    """Return the sentence with its small numbers in figures: `Five of the four`, `half an hour`.

    Fractions keep their words, as does `two and a half hours`.
    """
    parts = _NOT_A_COUNT.split(sentence)
    every = (
        part if index % 2 else _WORD.sub(lambda word: str(_WORDS[word[0].lower()]), part)
        for index, part in enumerate(parts)
    )
    return _LENGTH_IN_WORDS.sub(_length_in_figures, "".join(every))


def _length_in_figures(match: re.Match[str]) -> str:
    return _LENGTHS[match["share"].lower()] if match["share"] else f"{match['before']}1"


def nearly(stated: float, real: float, *, by: float) -> bool:
    """Return whether a number as people round it may be the real one."""
    return abs(stated - real) <= max(by * abs(real), 1e-9)
