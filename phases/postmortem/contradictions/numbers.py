"""Numbers that do not add up: sums, shares, spans of time, and counts that the record has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from phases.postmortem.contradictions.case import WHYS, Case, contradiction, quoted
from phases.record.documents import Contradiction
from phases.text.wording import counted, lasting

ROUNDED_BY = 0.15
"""People round: a duration may be so far off, and a minute."""
TIMES_MORE = 4
"""A count over the whole incident may be so many times that of an equally long window."""
FEWER_USERS = 0.8
"""Fewer than so many of the measured users cannot have been all of them."""
SHARE_POINTS = 1.5
"""Percentage points by which a rounded share may be off."""

_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?"
_COUNT = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_SPAN = re.compile(
    rf"(?P<a>{_CLOCK})(?:\s*(?:UTC|GMT|Z))?\s*(?:to|until|till|and|through"
    rf"|[-–—→])\s*(?P<b>{_CLOCK})"
)
_LENGTH = re.compile(
    rf"(?<![\d.:])(?:(?P<h>{_NUMBER})[\s-]?(?:hours?|hrs?|h)\b(?:\s*(?:and\s*)?"
    rf"(?P<hm>\d+)[\s-]?(?:minutes?|mins?|min|m)\b)?|(?P<m>{_NUMBER})[\s-]?(?:minutes?|mins?"
    rf"|min)\b)",
    re.IGNORECASE,
)
_NOT_ITS_LENGTH = re.compile(
    r"^\s*(?:later|after|before|earlier|window|per|each|old|timeout|delay|ago|of data|of backlog"
    r"|interval|ttl|cache|retention|cooldown|into|until|average|rolling|past|behind)\b",
    re.IGNORECASE,
)
_NOT_LENGTH_OF = re.compile(
    r"\b(?:every|within|after|waits?|waited|counted over|in the last|last|first|past|window of"
    r"|timeout of|delay of|threshold of|took us|next|another|further|at most|by)\s+"
    r"(?:for\s+|about\s+)?$",
    re.IGNORECASE,
)
_LASTED = re.compile(
    r"\b(?:lasted|outage of|downtime of|down for|unavailable for|broken for|took|total(?:led)?"
    r"|duration(?: of|:)?|impact(?:ed)? for|affected for|degraded for|for a total of|for)\s+"
    r"(?:about |around |roughly |some |approximately |nearly |~ ?|a total of |just over "
    r"|just under )?$",
    re.IGNORECASE,
)
_OUTAGE = re.compile(
    r"^\s*(?:of )?(?:(?:total|full|partial|complete) )?(?:outage|downtime|incident|disruption"
    r"|degradation|unavailability|errors)\b",
    re.IGNORECASE,
)
_OF = re.compile(
    rf"(?<![\d.,:/-])(?P<part>{_COUNT})(?:\s+(?!of\b|out\b)[a-z]+)?\s+(?:out\s+)?of\s+"
    rf"(?:the\s+|our\s+|all\s+|a total of\s+)*(?P<whole>{_COUNT})(?![\d:.%]|\s?%)",
    re.IGNORECASE,
)
_SHARE = re.compile(rf"(?P<share>{_NUMBER})\s?(?:%|percent\b|per cent\b)", re.IGNORECASE)
_OF_ALL = re.compile(
    r"^\s*of (?:all |the |our |its )*(?:users?|customers?|requests?|traffic|orders?|payments?"
    r"|sessions?|accounts?|checkouts?|calls?|logins?|sign-?ins?|transactions?|messages?|jobs?"
    r"|uploads?|searches|queries|writes|reads|visitors?|tenants?|pods?|nodes?|hosts?)\b",
    re.IGNORECASE,
)
_PEOPLE = r"(?:users?|customers?|people|accounts?|shoppers?|visitors?|members?|merchants?|tenants?)"
_USERS = re.compile(
    rf"(?<![\d.,:#-])(?P<n>{_COUNT})\s+(?:[^\W\d]\w*\s+){{0,2}}?(?:{_PEOPLE})\b", re.IGNORECASE
)
"""No second number in between: `16 min 40 users` are 40."""
_WHOLE = re.compile(r"\bof\s+(?:(?:the|our|all|about|roughly|some)\s+)*~?$", re.IGNORECASE)
"""Before a count: it is that of all of them."""
_HIT = re.compile(
    r"\b(?:affected|hit|impacted|saw|could not|couldn[’']t|unable|failed|errors?|lost|experienced"
    r"|locked out|suffered|were shown|in (?:total|all)|overall|altogether)\b",
    re.IGNORECASE,
)
_PARTLY = re.compile(
    r"\b(?:including|among|of which|of whom|of them|at least|mostly|mainly|e\.g\.|such as|up to"
    r"|first"
    r"|more than|over|about half|especially|notably|for example|at one time|peak|at the peak|so far"
    r"|by then|each|per|every|most of)\b",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    rf"(?<![\d.,:#-])(?P<total>{_COUNT})\s+(?:[\w-]+\s+){{0,4}}?(?:[\w-]+\s*)?"
    rf"(?::|\(|—|–| - |, (?:split|made up of|consisting of|divided|namely|broken down)|"
    rf"(?:\w+ )?(?:split|divided) (?:in|between|across|as|into))(?P<list>.*)$",
    re.IGNORECASE,
)
_IN_ALL = re.compile(
    rf"^(?P<list>.*?),?\s*(?:so |or |and |making |which makes |for a total of |a total of "
    rf"|totalling "
    rf"|totaling |= ?)+(?P<total>{_COUNT})(?:\s+\w+){{0,3}}\s*(?:in all|in total|altogether"
    rf"|overall|"
    rf"together|all told)?\b",
    re.IGNORECASE,
)
_ADDEND = re.compile(
    rf"(?<![\d.,:#v/-])(?P<n>{_COUNT})(?![\d.:/%-]|,\d|\s?(?:%|percent|min|h\b|hours?|s\b"
    rf"|seconds?|ms"
    rf"|days?|UTC|am\b|pm\b))(?:\s+\w+){{0,2}}?\s+(?:in|on|from|for|at|via|using|of|through|by|with"
    rf"|were|was|failed|could|had|lost)\b",
    re.IGNORECASE,
)


_WORDED = {
    "half an": "0.5",
    "a quarter of an": "0.25",
    "three quarters of an": "0.75",
    **dict.fromkeys(("a", "an", "one"), "1"),
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "eight": "8",
    "ten": "10",
    "twelve": "12",
    "fifteen": "15",
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
}
_WORDED_LENGTH = re.compile(
    rf"\b({'|'.join(_WORDED)})(?=[\s-](?:hours?|minutes?)\b)(?! (?:hour )?and a)", re.IGNORECASE
)
"""A number in words, as a length has it. `two and a half hours` is left alone."""


def number_in(text: str) -> float:
    return float(text.replace(",", ""))


def _minutes_in(match: re.Match[str]) -> float:
    if match["m"]:
        return number_in(match["m"])
    return number_in(match["h"]) * 60 + float(match["hm"] or 0)


def _about_equal(stated: float, real: float) -> bool:
    return abs(stated - real) <= max(1.01, ROUNDED_BY * real)


def span_and_length(case: Case) -> Iterator[Contradiction]:
    """`20 min, from 13:59 to 14:49`."""
    for part, sentence in case.sentences("impact", "timeline", *WHYS):
        every = list(_SPAN.finditer(sentence))
        if len(every) != 1:
            continue
        span, rest = every[0], sentence[: every[0].start()] + " " * 3 + sentence[every[0].end() :]
        lengths = [
            match
            for match in _LENGTH.finditer(rest)
            if not _NOT_ITS_LENGTH.match(rest[match.end() :])
            and not _NOT_LENGTH_OF.search(rest[: match.start()])
        ]
        if len(lengths) != 1:
            continue
        begin, end = (_since_midnight(span[side]) for side in "ab")
        real, stated = (end - begin) % 1440, _minutes_in(lengths[0])
        if not _about_equal(stated, real):
            says = (
                f"{quoted(sentence)}: {span['a']} to {span['b']} is "
                f"{lasting(timedelta(minutes=real))}, not {lasting(timedelta(minutes=stated))}."
            )
            yield contradiction("numbers", part, says, sentence)


def _since_midnight(clock: str) -> float:
    hour, minute = clock.split(":")[:2]
    return int(hour) * 60 + int(minute)


def length_of_outage(case: Case) -> Iterator[Contradiction]:
    """The record says how long it lasted: from the beginning or the detection to recovery."""
    incident = case.incident
    if incident.recovered_at is None:
        return
    report = incident.triage
    starts = [incident.detected_at, incident.declared_at]
    starts += [report.began_at] if report is not None and report.began_at is not None else []
    real = [_minutes_between(start, incident.recovered_at) for start in starts]
    for part, sentence in case.sentences("impact", "root_cause", "factors"):
        if _SPAN.search(sentence):
            continue
        text = _WORDED_LENGTH.sub(lambda word: _WORDED[word[1].lower()], sentence)
        for match in _LENGTH.finditer(text):
            front, behind = text[: match.start()], text[match.end() :]
            outage = _LASTED.search(front) if part == "impact" else None
            if not outage and not _OUTAGE.match(behind):
                continue
            if _NOT_ITS_LENGTH.match(behind) or _NOT_LENGTH_OF.search(front):
                continue
            stated = _minutes_in(match)
            if stated > 1.5 * max(real) + 5 or stated < 0.5 * min(real) - 2:
                measured = lasting(timedelta(minutes=max(real)))
                says = f"{quoted(sentence)}: the record has {measured} until recovery."
                yield contradiction("numbers", part, says, sentence)
                return


def hit_too_long(case: Case) -> Iterator[Contradiction]:
    """`Between 14:03 and 15:40 40 users could not pay`, and it was over at 14:19.

    Only the length is held to the record: people write in their own zone.
    """
    incident, report = case.incident, case.incident.triage
    if incident.recovered_at is None or report is None or report.began_at is None:
        return
    real = _minutes_between(min(report.began_at, incident.detected_at), incident.recovered_at)
    for part, sentence in case.sentences("impact"):
        every = list(_SPAN.finditer(sentence))
        if len(every) != 1 or not (_HIT.search(sentence) and _USERS.search(sentence)):
            continue
        begin, end = (_since_midnight(every[0][side]) for side in "ab")
        if (stated := (end - begin) % 1440) > 1.5 * real + 5:
            span = f"{every[0]['a']} to {every[0]['b']} is {lasting(timedelta(minutes=stated))}"
            measured = lasting(timedelta(minutes=real))
            says = f"{quoted(sentence)}: {span}; the record has {measured} until recovery."
            yield contradiction("numbers", part, says, sentence)
            return


def _minutes_between(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds() / 60, 0.0)


def parts_of_wholes(case: Case) -> Iterator[Contradiction]:
    """`45 of 37 users`, `30 of 120 (50 %)`, `130 % of requests`."""
    for part, sentence in case.sentences():
        says = _part_of_whole(sentence) or _too_much(sentence)
        if says:
            yield contradiction("numbers", part, f"{quoted(sentence)}: {says}", sentence)


def _part_of_whole(sentence: str) -> str:
    for match in _OF.finditer(sentence):
        part, whole = number_in(match["part"]), number_in(match["whole"])
        if 1900 < whole < 2100 and "," not in match["whole"]:
            continue  # a year
        if part > whole:
            return f"{match['part']} is more than {match['whole']}."
        near = sentence[max(match.start() - 40, 0) : match.end() + 40]
        share = _SHARE.search(near)
        if share is not None and _is_share_of_counts(share[0], near) and whole:
            stated, real = number_in(share["share"]), 100 * part / whole
            if abs(stated - real) > max(SHARE_POINTS, 0.1 * real):
                return f"{match['part']} of {match['whole']} is {real:.0f} %, not {stated:g} %."
    return ""


def _is_share_of_counts(share: str, near: str) -> bool:
    """Return whether the share is that of the counts beside it: `(30 %)`, `30 % of users (3 of 9)`.

    `30 % of requests (3 of 9 users)` is about two things.
    """
    written = re.escape(share)
    if re.search(
        rf"(?:\(|, |or |i\.e\. |about |= ?|— )\s*(?:about |roughly |around |some |~ ?)?{written}"
        rf"(?!\s*of\b)|{written}\s*\(",
        near,
    ):
        return True
    named = re.search(
        rf"{written}\s*of\s+(?:all |the |our |its )*(?P<of>\w+)\s*\((?P<counts>[^)]*)\)", near
    )
    if named is None:
        return False
    nouns = re.findall(r"(?<!\w)(?!out\b|of\b)[a-z]{3,}", named["counts"].lower())
    return not nouns or named["of"].lower() in nouns


def _too_much(sentence: str) -> str:
    for match in _SHARE.finditer(sentence):
        if number_in(match["share"]) > 100 and _OF_ALL.match(sentence[match.end() :]):
            return f"{match['share']} % of all is more than there are."
    return ""


def sums_of_parts(case: Case) -> Iterator[Contradiction]:
    """`37 users: 20 in eu-west and 10 in us-east`."""
    for part, sentence in case.sentences("impact", *WHYS, "timeline"):
        if _PARTLY.search(sentence):
            continue
        for pattern in (_TOTAL, _IN_ALL):
            match = pattern.search(sentence)
            if match is None:
                continue
            listed = match["list"] + " "
            if sentence[: match.start("list")].endswith("("):
                listed = listed.partition(")")[0] + " "
            addends = [number_in(addend["n"]) for addend in _ADDEND.finditer(listed)]
            total = number_in(match["total"])
            if len(addends) >= 2 and sum(addends) != total and max(addends) <= 100 * total:
                added = " + ".join(f"{n:,.0f}" for n in addends)
                says = f"{quoted(sentence)}: {added} is {sum(addends):,.0f}, not {total:,.0f}."
                yield contradiction("numbers", part, says, sentence)
            break


def users_hit(case: Case) -> Iterator[Contradiction]:
    """The people who were hit: fewer than measured, far more, or more elsewhere than in Impact."""
    impact = next((m for m in _USERS.finditer(case.text("impact"))), None)
    before = case.text("impact")[: impact.start()] if impact is not None else ""
    if impact is not None and (re.search(r"\bof\b", impact[0]) or _WHOLE.search(before)):
        return  # a part of all: what was measured may be either
    stated = number_in(impact["n"]) if impact is not None else None
    says = _measured_otherwise(case, stated) if stated is not None else ""
    if says:
        yield contradiction("numbers", "impact", says, case.text("impact"))
    if stated is None:
        return
    for part, sentence in case.sentences("timeline", *WHYS, "went_well"):
        match = _USERS.search(sentence)
        if match is None or not _HIT.search(sentence) or re.search(r"\bof\b", match[0]):
            continue
        if number_in(match["n"]) > 1.05 * stated and not re.search(
            r"\bnot\b|would have|could have", sentence, re.IGNORECASE
        ):
            says = f"{quoted(sentence)}: *Impact* has {stated:,.0f}."
            yield contradiction("numbers", part, says, sentence)
            return


def _measured_otherwise(case: Case, stated: float) -> str:
    report, incident = case.incident.triage, case.incident
    if report is None or report.manual_by or not report.blast.user_count:
        return ""
    measured = report.blast.user_count
    began = report.began_at or incident.detected_at
    minutes = _minutes_between(began, incident.recovered_at or case.at)
    most = measured * TIMES_MORE * max(1.0, 60 * minutes / report.window_seconds)
    if FEWER_USERS * measured <= stated <= most:
        return ""
    return (
        f"*Impact* has {counted(round(stated), 'user')}; "
        f"triage measured {measured:,} in {lasting(timedelta(seconds=report.window_seconds))}."
    )
