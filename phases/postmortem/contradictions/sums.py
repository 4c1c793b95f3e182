"""Counts that do not add up: parts of wholes, shares, sums, products and rates."""

import re
from collections.abc import Iterator

from phases.postmortem.contradictions.case import WHYS, Case, contradiction, quoted
from phases.postmortem.contradictions.quantities import (
    COUNT,
    FRACTIONS,
    NUMBER,
    POINTS,
    SHARE,
    in_figures,
    nearly,
    number_in,
)
from phases.record.documents import Contradiction

_ALL = r"(?:(?:the|our|all|its|a total of)\s+)*"
_NOT_IN_A_NAME = r"(?<![\d.,:/#v-])"
_OF = re.compile(
    rf"{_NOT_IN_A_NAME}(?P<part>{COUNT})(?:\s+(?!of\b|out\b)[a-z]+){{0,2}}?\s+(?:out\s+)?of\s+"
    rf"{_ALL}(?P<whole>{COUNT})(?![\d:%]|\.\d|\s?%)",
    re.IGNORECASE,
)
_OF_FIRST = re.compile(
    rf"\b(?:out )?of {_ALL}(?P<whole>{COUNT})(?!\s?%)(?:\s+[a-z-]+){{1,3}},?\s+(?P<part>{COUNT})"
    r"\s+(?=could|were|was|failed|had|lost|saw|timed|got|did|never|returned|crashed)",
    re.IGNORECASE,
)
_SHARE_OF = re.compile(
    rf"(?P<written>(?P<share>{NUMBER})\s?(?:%|percent|per cent)|\b(?:{'|'.join(FRACTIONS)}))"
    rf"(?:\s+of)?\s+{_ALL}(?P<whole>{COUNT})(?P<then>(?:\s+[a-z-]+){{1,4}}?)"
    rf"(?P<tie>,? so | \(|,? that is |,? i\.e\.,? | = |, (?!about half))(?:that is )?"
    rf"(?:about |roughly |some |~ ?)?(?P<part>{COUNT})(?P<behind>[^.;]{{0,20}})",
    re.IGNORECASE,
)
_OF_ALL = re.compile(
    r"^\s*of (?:all |the |our |its )*(?:users?|customers?|requests?|traffic|orders?|payments?"
    r"|sessions?|accounts?|checkouts?|calls?|logins?|sign-?ins?|transactions?|messages?|jobs?"
    r"|uploads?|searches|queries|writes|reads|visitors?|tenants?|pods?|nodes?|hosts?)\b",
    re.IGNORECASE,
)
_WORKED = r"succeeded|worked|went through|passed|were fine|were unaffected|completed"
_BROKE = r"failed|errored|timed out|were lost|were rejected|broke"
_COMPLEMENTS = tuple(
    re.compile(
        rf"(?P<a>{NUMBER})\s?% (?:of (?:[\w-]+ ){{1,3}}?)?(?:{first})(?: and|,? while|,| but)"
        rf"(?: the (?:other|remaining))? (?P<b>{NUMBER})\s?% (?:of (?:them |[\w-]+ ))?(?:{second})",
        re.IGNORECASE,
    )
    for first, second in ((_WORKED, _BROKE), (_BROKE, _WORKED))
)
_SPLIT = re.compile(r"\bsplit (?P<list>\d{1,2}(?:\s?[/:]\s?\d{1,2}){1,3})\b", re.IGNORECASE)
_PARTLY = re.compile(
    r"\b(?:including|among|of which|of whom|of them|at least|mostly|mainly|e\.g\.|such as|up to"
    r"|first(?= \d)|more than|over|about half|especially|notably|for example|at one time|peak"
    r"|at the peak|so far|by then|each|per|every|most of)\b",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    rf"{_NOT_IN_A_NAME}(?P<total>{COUNT})\s+(?:[\w-]+\s+){{0,4}}?(?:[\w-]+\s*)?"
    rf"(?::|\(|—|–| - |, (?:split|made up of|consisting of|divided|namely|broken down)|"
    rf"(?:\w+ )?(?:split|divided) (?:in|between|across|as|into))(?P<list>.*)$",
    re.IGNORECASE,
)
_COMMA_TOTAL = re.compile(
    rf"{_NOT_IN_A_NAME}(?P<total>{COUNT})\s+(?:[\w-]+\s+){{1,4}}?[\w-]+, "
    rf"(?P<list>{COUNT} (?:\w+ )?(?P<by>by|in|on|from|via|using) [\w ]+(?:, {COUNT} (?:\w+ )?"
    rf"(?P=by) [\w ]+)*,? and {COUNT} (?:\w+ )?(?P=by) [\w ]+)\.?$",
    re.IGNORECASE,
)
"""Its parts may overlap or be examples: only more than there are is named."""
_UNIT_BEHIND = (
    r"(?![\d.:/%-]|,\d|\s?(?:%|(?:percent|min(?:ute)?s?|h|hours?|s|seconds?|ms|days?|UTC|am|pm)\b))"
)
_MAKES = r"(?:so|making|which makes|for a total of|a total of|totalling|totaling|=)"
_ALTOGETHER = r"(?:in all|in total|altogether|overall|together|all told)"
_IN_ALL = re.compile(
    rf"^(?P<list>.*?),?\s*(?:(?:{_MAKES}|or|and)\s+)*(?:(?<=\s){_MAKES}\s+(?P<total>{COUNT}){_UNIT_BEHIND}|"
    rf"(?P<sum>{COUNT})(?:\s+\w+){{0,3}}\s+{_ALTOGETHER})\b",
    re.IGNORECASE,
)
_ADDEND = re.compile(
    rf"{_NOT_IN_A_NAME}(?P<n>{COUNT}){_UNIT_BEHIND}(?:\s+\w+){{0,2}}?\s+(?:in|on|from|for|at|via"
    r"|using|of|through|by|with|were|was|failed|could|had|lost)\b",
    re.IGNORECASE,
)
_PIECE = re.compile(rf"^(?:about |roughly |~ ?)?(?P<n>{COUNT}){_UNIT_BEHIND}\s+\D+$", re.IGNORECASE)
_EACH = re.compile(
    rf"(?P<n>{COUNT}) [\w -]{{1,30}}?\b(?:at|of|for|with|worth)(?: about)? (?P<cur>[€$£]?)\s?"
    rf"(?P<each>{NUMBER})(?P<unit> ?[€$£]| ?\w{{1,10}})? each\b[^.;]*?(?P<cur2>[€$£]?)\s?\b"
    rf"(?P<total>{NUMBER})(?:\s?[€$£]|\s\w+)?\s+{_ALTOGETHER}",
    re.IGNORECASE,
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_UNIT = r"(?P<{0}>s(?:ec(?:ond)?s?)?|min(?:ute)?s?|m|h(?:our)?s?)\b"
_PER = rf"(?P<rate>{NUMBER})(?: [a-z]+)?(?: an? | per |/ ?){_UNIT.format('per')}"
_LONG = rf"(?P<length>{NUMBER}) ?{_UNIT.format('long')}"
_MANY = rf"(?P<n>{COUNT}) (?!(?:s|min|h)\b)[a-z-]+"
_RATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MANY}(?: [a-z-]+){{0,2}} (?:in|within|over) {_LONG},?(?: or| that is| so| i\.e\.| =)?"
        rf"(?: about| roughly| some| ~)? {_PER}",
        rf"{_MANY}[^.;:]{{0,40}} at (?:about |roughly )?{_PER},?(?: so)? "
        rf"(?:in|within|over|for) {_LONG}",
    )
)


def parts_of_wholes(case: Case) -> Iterator[Contradiction]:
    """`45 of 37 users`, `30 of 120 (50 %)`, `half of the 40, 25`, `130 % of requests`."""
    for part, sentence in case.sentences():
        text = in_figures(sentence)
        says = _part_of_whole(text) or _share_of_whole(text) or _shares(text)
        if says:
            yield contradiction("numbers", part, f"{quoted(sentence)}: {says}", sentence)


def _part_of_whole(text: str) -> str:
    every = [*_OF.finditer(text), *_OF_FIRST.finditer(text)]
    for match in every:
        part, whole = number_in(match["part"]), number_in(match["whole"])
        if 1900 < whole < 2100 and "," not in match["whole"]:
            continue  # a year
        if part > whole:
            return f"{match['part']} is more than {match['whole']}."
        begin = max((m.end() for m in every if m.end() <= match.start()), default=0)
        end = min((m.start() for m in every if m.start() >= match.end()), default=len(text))
        near = text[max(match.start() - 40, begin) : min(match.end() + 40, end)]
        stated = _tied_share(near, match[0])
        if stated is not None and whole:
            real = 100 * part / whole
            if abs(stated - real) > max(POINTS, 0.1 * real):
                return f"{match['part']} of {match['whole']} is {real:.0f} %, not {stated:g} %."
    return ""


def _tied_share(near: str, counts: str) -> float | None:
    """Return the share in percent that is said of the counts, else None.

    It stands in brackets, is a rate of failures, or is said of what the counts are:
    `30 % of requests (3 of 9 users)` is about two things.
    """
    behind = near[near.index(counts) + len(counts) :]
    for share in SHARE.finditer(behind):
        before = behind[: share.start()]
        if re.search(
            r"(?:\(|, |or |i\.e\. |= ?|— |(?:failure|error) rate (?:of|was) )"
            r"(?:about |roughly |around |some |~ ?)?$",
            before,
        ) and not re.match(r"\s*of\b", behind[share.end() :]):
            return number_in(share["share"])
    for share in SHARE.finditer(near[: near.index(counts)]):
        after = near[share.end() :]
        if re.match(r"\s*\(", after):
            return number_in(share["share"])
        named = re.match(
            r"\s*of\s+(?:all |the |our |its )*(?P<of>\w+)\s*\((?P<counts>[^)]*)\)", after
        )
        if named is not None:
            nouns = re.findall(r"(?<!\w)(?!out\b|of\b)[a-z]{3,}", named["counts"].lower())
            if not nouns or named["of"].lower() in nouns:
                return number_in(share["share"])
    return None


def _share_of_whole(text: str) -> str:
    """`50 % of 200 users, so 80 users`; `99 % of 1,000 jobs succeeded, 100 failed`."""
    for match in _SHARE_OF.finditer(text):
        share = (
            number_in(match["share"]) / 100
            if match["share"]
            else FRACTIONS[" ".join(match["written"].lower().split())]
        )
        whole, stated = number_in(match["whole"]), number_in(match["part"])
        other = re.match(rf"\s*(?:{_BROKE}|{_WORKED})", match["behind"], re.IGNORECASE)
        if match["tie"] == ", " and (
            re.match(r"\s*of (?:them|whom|which)\b", match["behind"])
            or not (other or re.match(r",|\s*[a-z]+,", match["behind"]))
        ):
            continue
        real = [share * whole]
        if match["tie"] == ", " and other:
            real.append(whole - share * whole)
        if share <= 1 and all(abs(stated - r) > max(1.0, 0.1 * r) for r in real):
            written = " ".join(match["written"].split())
            return f"{written} of {match['whole']} is {share * whole:,.0f}, not {match['part']}."
    return ""


def _shares(text: str) -> str:
    for match in SHARE.finditer(text):
        if number_in(match["share"]) > 100 and _OF_ALL.match(text[match.end() :]):
            return f"{match['share']} % of all is more than there are."
    for pattern in _COMPLEMENTS:
        both = pattern.search(text)
        if both is not None and number_in(both["a"]) + number_in(both["b"]) > 100 + POINTS:
            return f"{both['a']} % and {both['b']} % are more than all."
    split = _SPLIT.search(text)
    if split is not None:
        total = sum(map(int, re.findall(r"\d+", split["list"])))
        if total >= 90 and abs(total - 100) > POINTS:
            return f"{split['list']} adds up to {total}, not to 100."
    return ""


def sums_of_parts(case: Case) -> Iterator[Contradiction]:
    """`37 users: 20 in eu-west and 10 in us-east`."""
    for part, sentence in case.sentences("impact", *WHYS, "timeline"):
        text = in_figures(sentence)
        if _PARTLY.search(text):
            continue
        for pattern in (_TOTAL, _COMMA_TOTAL, _IN_ALL):
            match = pattern.search(text)
            if match is None:
                continue
            listed = match["list"] + " "
            if text[: match.start("list")].endswith("("):
                listed = listed.partition(")")[0] + " "
            addends = _addends(listed)
            written = match["total"] or match.groupdict().get("sum") or ""
            total = number_in(written)
            if total in addends and sum(addends) == 2 * total:
                break  # it is said at both ends
            wrong = sum(addends) > total or (sum(addends) != total and pattern is not _COMMA_TOTAL)
            if len(addends) >= 2 and wrong and max(addends) <= 100 * total:
                added = " + ".join(f"{n:,.0f}" for n in addends)
                says = f"{quoted(sentence)}: {added} is {sum(addends):,.0f}, not {total:,.0f}."
                yield contradiction("numbers", part, says, sentence)
            break


def _addends(listed: str) -> list[float]:
    pieces = [piece for piece in re.split(r",\s|;|\band\b", listed.strip(" .)")) if piece.strip()]
    counts = [_PIECE.match(piece.strip()) for piece in pieces]
    if len(pieces) >= 2 and all(counts):
        return [number_in(count["n"]) for count in counts if count is not None]
    return [number_in(addend["n"]) for addend in _ADDEND.finditer(listed)]


def products(case: Case) -> Iterator[Contradiction]:
    """`40 orders at 10 € each, 500 € in all`; `1,200 errors in 10 min, about 200 a minute`."""
    for part, sentence in case.sentences():
        text = in_figures(sentence)
        says = _each(text) or _rate(text)
        if says:
            yield contradiction("numbers", part, f"{quoted(sentence)}: {says}", sentence)


def _each(text: str) -> str:
    match = _EACH.search(text)
    if match is None:
        return ""
    real, stated = number_in(match["n"]) * number_in(match["each"]), number_in(match["total"])
    if nearly(stated, real, by=0.05):
        return ""
    return f"{match['n']} × {match['each']} is {real:,.0f}, not {match['total']}."


def _rate(text: str) -> str:
    for pattern in _RATES:
        match = pattern.search(text)
        if match is None:
            continue
        seconds = number_in(match["length"]) * _SECONDS[match["long"][0].lower()]
        per = _SECONDS[match["per"][0].lower()]
        real = number_in(match["n"]) * per / max(seconds, 1)
        if not nearly(number_in(match["rate"]), real, by=0.3):
            span = f"{match['length']} {match['long']}"
            return f"{match['n']} in {span} is {real:,.4g} a {match['per']}, not {match['rate']}."
    return ""
