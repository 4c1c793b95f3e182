"""Layout on a phone: lines as they wrap there, and the share of each fact in them.

A phone app shows about 40 characters of a message's text in a line (a body of 15 px on a screen of
390 px less avatar and margins), about 46 of a context's smaller one and 30 of a header's larger
one; tests/browser/test_on_a_phone.py measures real lines against it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from handlers.views.text import ELLIPSIS

BODY = 40
SMALL = 46
LARGE = 30
PERSON, GROUP, CHANNEL = "@" + "n" * 13, "@" + "n" * 17, "#" + "n" * 21
"""Stand-ins for names that only Slack knows."""
_SHOWN = {"time": "12:00 AM", "time_secs": "12:00:00 AM", "date_short_pretty": "yesterday"}
_ANGLE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_FORM = re.compile(r"\{([a-z_]+)\}")
_ENTITY = re.compile(r"&(?:amp|lt|gt);")
_HALF_ENTITY = re.compile(r"&[a-z]{0,4}$")
_DANGLING = re.compile(r"(?:[ ·,:→(]|(?<!&lt)(?<!&gt)(?<!&amp);)+$")
_WORD = re.compile(r"(?:<[^<>]*>|[^ <])+")
_ISOLATE, _END = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing worth a line or more.

    `ranks` are those of its first line, its second, …; the lowest ranks are shown first. It never
    has more lines than ranks. `short` is shown instead where there is one line for it. A `whole`
    fact is left out where it does not get all its lines.
    """

    text: str
    ranks: tuple[int, ...]
    width: int = BODY
    short: str = ""
    whole: bool = False


def shown(mrkdwn: str) -> str:
    """Return about what a reader sees: names and times for tokens, labels for links, no marks."""
    text = _ANGLE.sub(_as_seen, mrkdwn)
    text = re.sub(r"(?<!\w)[*`](?=\S)|(?<=\S)[*`](?!\w)", "", text)
    return _ENTITY.sub("&", text)


def lines(mrkdwn: str, width: int = BODY) -> int:
    """Return the number of lines in which it wraps; words longer than a line are broken."""
    return sum(_wrapped(line, width) for line in shown(mrkdwn).split("\n")) if mrkdwn else 0


def fitted(facts: Sequence[Fact], room: int) -> list[str]:
    """Return the facts' texts within `room` lines, in their order; empty for those left out."""
    left = list(facts)
    while True:
        given = _shared_out(left, room)
        broken = [
            at
            for at, fact in enumerate(left)
            if fact.whole and given[at] < lines(fact.text, fact.width)
        ]
        if not any(left[at].text for at in broken):
            return [_fitted_fact(fact, many) for fact, many in zip(left, given, strict=True)]
        last = next(at for at in reversed(broken) if left[at].text)
        left[last] = Fact("", left[last].ranks)


def _shared_out(facts: Sequence[Fact], room: int) -> list[int]:
    wanted = [
        (rank, at)
        for at, fact in enumerate(facts)
        for rank in fact.ranks[: lines(fact.text, fact.width)]
    ]
    given = [0] * len(facts)
    for _, at in sorted(wanted)[:room]:
        given[at] += 1
    return given


def _fitted_fact(fact: Fact, many: int) -> str:
    if many == 0:
        return ""
    if lines(fact.text, fact.width) <= many:
        return fact.text
    return shortened(fact.short if fact.short and many == 1 else fact.text, many, fact.width)


def shortened(mrkdwn: str, many: int, width: int = BODY) -> str:
    """Return as many of its words as wrap into `many` lines, with … where some are missing.

    A token is kept or left as a whole.
    """
    text = " ".join(mrkdwn.split("\n"))
    if lines(text, width) <= many:
        return text
    fitting = ""
    for word in _WORD.finditer(text):
        longer = f"{fitting} {word.group(0)}".strip()
        if lines(longer + ELLIPSIS, width) > many:
            if not fitting and "<" not in longer:  # one word without an end
                while lines(longer + ELLIPSIS, width) > many:
                    longer = longer[:-1]
                fitting = _HALF_ENTITY.sub("", longer)
            break
        fitting = longer
    fitting = _DANGLING.sub("", fitting)
    fitting = re.sub(f"{ELLIPSIS}([*`]*)$", r"\1", fitting)
    closed = "".join(mark for mark in "`*" if fitting.count(mark) % 2)
    return f"{fitting}{closed}{ELLIPSIS}{_END * (fitting.count(_ISOLATE) - fitting.count(_END))}"


def _as_seen(token: re.Match[str]) -> str:
    sign, what, label = token.groups()
    match sign:
        case "@":
            return PERSON
        case "#":
            return CHANNEL
        case "!" if what.startswith("date^"):
            form = what.split("^")[2]
            return _FORM.sub(lambda name: _SHOWN.get(name.group(1), name.group(1)), form)
        case "!":
            return GROUP
        case _:
            return label or what


def _wrapped(line: str, width: int) -> int:
    count, used = 1, 0
    for word in line.split(" "):
        long = _columns(word)
        if used and used + 1 + long > width:
            count, used = count + 1, -1
        elif not used:
            used = -1
        used += 1 + long
        if used > width:  # broken anywhere, as by `overflow-wrap`
            count, used = count + (used - 1) // width, (used - 1) % width + 1
    return count


def _columns(word: str) -> int:
    """Wide letters (Chinese, emoji) take two columns; what is not seen takes none."""
    if word.isascii():
        return len(word)
    return sum(
        2
        if unicodedata.east_asian_width(c) in "WF"
        else 0
        if unicodedata.category(c) in ("Mn", "Cf")
        else 1
        for c in word
    )
