"""Files that people write by hand, in any editor on any system."""

import codecs
import re
import unicodedata
from pathlib import Path

from bot.config.settings import Faults
from phases.text.letters import spelled


def read(path: Path) -> str:
    """Return the text of a UTF-8 file with any line ends. Raises `Faults`.

    TOML is UTF-8 (https://toml.io/en/v1.0.0#spec). Editors on Windows put a mark before it, or save
    it as UTF-16.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Faults([f"{path} cannot be read: {error}"]) from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw[:2]:
        raise Faults([f"{path} is saved as UTF-16 or UTF-32: save it as UTF-8"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Faults([f"{path} is not UTF-8 (line {line}): save it as UTF-8"]) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def odd_letter(text: str, error: str) -> str:
    """Name a letter of the unreadable line that only looks like TOML's: a curved quote."""
    match = re.search(r"at line (\d+)", error)
    lines = text.split("\n")
    line = lines[int(match[1]) - 1] if match and int(match[1]) <= len(lines) else ""
    for letter in line:
        if unicodedata.category(letter) == "Cc" and letter != "\t":
            return f"; that line has the control character U+{ord(letter):04X}: take it out"
        if letter.isascii() or letter.isalpha():
            continue
        plain = spelled(letter)
        instead = f"write {'a blank' if plain == ' ' else plain}" if plain else "take it out"
        if len(plain) <= 1 and plain != letter:
            name = unicodedata.name(letter, f"U+{ord(letter):04X}").lower()
            return f"; that line has a {name}: {instead}"
    return ""
