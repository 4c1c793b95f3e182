"""Spans of time that do not add up: how long it lasted, from when to when, and its parts."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from phases.postmortem.contradictions.case import WHYS, Case, contradiction, quoted
from phases.postmortem.contradictions.quantities import NUMBER, ROUNDED, in_figures, number_in
from phases.record.documents import Contradiction
from phases.text.wording import lasting

_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
SPAN = re.compile(
    rf"(?P<a>{_CLOCK})(?:\s*(?:UTC|GMT|Z))?\s*(?:to|until|till|and|through"
    rf"|[-–—→])\s*(?P<b>{_CLOCK})"
)
LENGTH = re.compile(
    rf"(?<![\d.:])(?:(?P<h>{NUMBER})[\s-]?(?:hours?|hrs?|h)\b(?:\s*(?:and\s*)?"
    rf"(?P<hm>\d+)[\s-]?(?:minutes?|mins?|min|m)\b)?|(?P<m>{NUMBER})[\s-]?(?:minutes?|mins?"
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
    r"\b(?:lasted|outage of|downtime of|down for|unavailable for|broken for|total(?:led)?"
    r"|duration(?: of|:)?|impact(?:ed)? for|affected for|degraded for|for a total of|for"
    r"|(?:outage|incident|it|disruption|degradation|this|recovery) took)\s+"
    r"(?:about |around |roughly |some |approximately |nearly |~ ?|a total of |just over "
    r"|just under )?$",
    re.IGNORECASE,
)
_OF_A_RULE = re.compile(r"\b(?:alerts?|alarms?|page|threshold|probes?)\b", re.IGNORECASE)
_OUTAGE = re.compile(
    r"^\s*(?:of )?(?:(?:total|full|partial|complete) )?(?:outage|downtime|incident|disruption"
    r"|degradation|unavailability|errors)\b",
    re.IGNORECASE,
)
_IN_ALL = re.compile(r"^\W*(?:in all|in total|altogether|overall|all told)\b", re.IGNORECASE)


def minutes_in(match: re.Match[str]) -> float:
    """Return the minutes of a match of `LENGTH`."""
    if match["m"]:
        return number_in(match["m"])
    return number_in(match["h"]) * 60 + float(match["hm"] or 0)


def minutes_between(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds() / 60, 0.0)


def minutes_of_span(span: re.Match[str]) -> float:
    """Return the minutes from one time of day to the next such other one."""
    begin, end = (_since_midnight(span[side]) for side in "ab")
    return (end - begin) % 1440


def _since_midnight(clock: str) -> float:
    hour, minute = clock.split(":")[:2]
    return int(hour) * 60 + int(minute)


def _about_equal(stated: float, real: float) -> bool:
    return abs(stated - real) <= max(1.01, ROUNDED * real)


def span_and_length(case: Case) -> Iterator[Contradiction]:
    """`20 min, from 13:59 to 14:49`."""
    for part, sentence in case.sentences("impact", "timeline", *WHYS):
        text = in_figures(sentence)
        every = list(SPAN.finditer(text))
        if len(every) != 1:
            continue
        span, rest = every[0], text[: every[0].start()] + " " * 3 + text[every[0].end() :]
        lengths = [
            match
            for match in LENGTH.finditer(rest)
            if not _NOT_ITS_LENGTH.match(rest[match.end() :])
            and not _NOT_LENGTH_OF.search(rest[: match.start()])
        ]
        if len(lengths) != 1:
            continue
        real, stated = minutes_of_span(span), minutes_in(lengths[0])
        if not _about_equal(stated, real):
            says = (
                f"{quoted(sentence)}: {span['a']} to {span['b']} is "
                f"{lasting(timedelta(minutes=real))}, not {lasting(timedelta(minutes=stated))}."
            )
            yield contradiction("numbers", part, says, sentence)


def sum_of_lengths(case: Case) -> Iterator[Contradiction]:
    """`10 min to detect, 20 min to mitigate, 15 min in all`; `8 min: 3 of build and 6 of tests`."""
    for part, sentence in case.sentences("impact", *WHYS, "timeline"):
        text = in_figures(sentence)
        every = list(LENGTH.finditer(text))
        if len(every) < 3 or SPAN.search(text):
            continue
        if _IN_ALL.match(text[every[-1].end() :]):
            whole, parts = every[-1], every[:-1]
        elif ":" in text[every[0].end() : every[1].start()]:
            whole, parts = every[0], every[1:]
        else:
            continue
        stated, real = minutes_in(whole), sum(map(minutes_in, parts))
        if not _about_equal(stated, real):
            says = (
                f"{quoted(sentence)}: together that is {lasting(timedelta(minutes=real))}, "
                f"not {lasting(timedelta(minutes=stated))}."
            )
            yield contradiction("numbers", part, says, sentence)


def length_of_outage(case: Case) -> Iterator[Contradiction]:
    """The record says how long it lasted: from the beginning or the detection to recovery."""
    incident = case.incident
    if incident.recovered_at is None:
        return
    report = incident.triage
    starts = [incident.detected_at, incident.declared_at]
    starts += [report.began_at] if report is not None and report.began_at is not None else []
    real = [minutes_between(start, incident.recovered_at) for start in starts]
    for part, sentence in case.sentences("impact", "root_cause", "factors"):
        if SPAN.search(sentence):
            continue
        text = in_figures(sentence)
        for match in LENGTH.finditer(text):
            front, behind = text[: match.start()], text[match.end() :]
            lasted = part == "impact" and _LASTED.search(front) and not _OF_A_RULE.search(front)
            if not lasted and not _OUTAGE.match(behind):
                continue
            if _NOT_ITS_LENGTH.match(behind) or _NOT_LENGTH_OF.search(front):
                continue
            stated = minutes_in(match)
            if stated > 1.5 * max(real) + 5 or stated < 0.5 * min(real) - 2:
                measured = lasting(timedelta(minutes=max(real)))
                says = f"{quoted(sentence)}: the record has {measured} until recovery."
                yield contradiction("numbers", part, says, sentence)
                return
