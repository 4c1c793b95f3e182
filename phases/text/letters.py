"""Text in plain letters, for finding names, ids and words in what people typed. Pure."""

import unicodedata

_LIKE = {
    **dict.fromkeys("\u2212\u2043", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u00b4\u02b9\u02bb\u02bc\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
}
"""Minus and hyphen bullet, which Unicode counts as no dashes; quotes of every language; and what is
typed in their place: the accent that keyboards have beside the quote (`don´t`), letters and primes
that look like one."""
_NO_WIDTH = frozenset(
    chr(code) for code in (*range(0xFE00, 0xFE10), 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164)
)
"""Invisible, and of another category than `Cf`: variation selectors, joiners and fillers."""


def plain_letters(text: str) -> list[tuple[str, int]]:
    """Return the letters that were meant, each with its place in `text`.

    Full-width forms, no-break spaces, every kind of dash, curved quotes and foreign digits become
    the plain ones; what has no width goes. A record keeps the words as they were typed.
    https://www.unicode.org/reports/tr15/ (compatibility forms),
    https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    meant: list[tuple[str, int]] = []
    for place, character in enumerate(text):
        plain_form = _LIKE.get(character, character)
        if not plain_form.isascii():
            plain_form = unicodedata.normalize("NFKC", character)
        for letter in plain_form:
            kind = unicodedata.category(letter)
            if letter.isascii() or letter in _LIKE:
                meant.append((_LIKE.get(letter, letter), place))
            elif kind == "Nd":
                meant.append((str(unicodedata.digit(letter)), place))
            elif kind == "Pd":
                meant.append(("-", place))
            elif kind.startswith("Z"):
                meant.append((" ", place))
            elif kind != "Cf" and letter not in _NO_WIDTH:
                meant.append((letter, place))
    return meant


def spelled(text: str) -> str:
    """Return `text` in plain letters, for finding names and ids in it."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(letter for letter, _ in plain_letters(text)))
