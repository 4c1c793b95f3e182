"""Time: recovery before action, lines out of order, what has not happened yet."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from phases.postmortem.contradictions.case import Case, contradiction, quoted
from phases.record.documents import Contradiction
from phases.text.wording import stamp

HALF_A_DAY = timedelta(hours=12)
"""A clock that goes back by more has passed midnight."""
_CLOCK = re.compile(
    r"^[\s\-*•|>\[(~]*(?:(?P<day>\d{4}-\d\d-\d\d)[T ,]*)?(?:at |around |about )?"
    r"(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
    r"\s*(?P<half>[ap]\.?m\.?)?(?!\d)",
    re.IGNORECASE,
)
_HOURS = r"(?:[01]?\d|2[0-3]):[0-5]\d"
_UNTIL = re.compile(
    rf"\b(?:at|from|since) (?P<a>{_HOURS})(?![\d:]|\s*[ap]m)(?:(?!\d:\d|;|\bhad\b).)*?"
    r"(?<!\band )(?<!, )\b(?:until|till) "
    rf"(?:about |around )?(?P<b>{_HOURS})(?![\d:]|\s*[ap]m)",
    re.IGNORECASE,
)
"""Something that was at a time, and what lasted from there until another one."""
_ACTED = re.compile(
    r"\broll(?:ed|ing|s)?[ -]?back\b|\brollback\b|\brevert(?:ed|ing|s)?\b|\bhot-?fix(?:ed)?\b"
    r"|\b(?:turn(?:ed|ing)?|switch(?:ed|ing)?|flip(?:ped)?)\b.{0,50}\b(?:off|back)\b"
    r"|\bdisabl(?:ed|ing)\b|\brestart(?:ed|ing)\b|\breboot(?:ed|ing)\b"
    r"|\bfail(?:ed|ing)? over\b|\bfailover\b|\bscaled? (?:up|out)\b|\bdrain(?:ed|ing)\b"
    r"|\bfix\b.{0,40}\b(?:deployed|shipped|live|rolled out|merged|released|applied|pushed)\b"
    r"|\b(?:deployed|shipped|released|applied|pushed|rolled out)\b.{0,30}\b(?:fix|patch"
    r"|mitigation)\b"
    r"|\bpatched\b|\bundid\b|\bwent back to\b",
    re.IGNORECASE,
)
_RECOVERED = re.compile(
    r"\brecover(?:ed|y|s)\b|\bresolved\b|\bback (?:to|at|within) (?:normal|baseline|usual)\b"
    r"|\b(?:is|was|were|are|be|came|comes?|gets?) (?:fully )?(?:back|healthy|restored|green)\b"
    r"|\bback (?:up|online|in service|again)\b|\brestored\b|\ball[ -]clear\b|\bmitigated\b"
    r"|\berrors? (?:\w+ )?(?:stop(?:ped)?|ceased?|cleared|gone|fell|dropped|subsided)\b"
    r"|\b(?:errors?|error rates?|latency|traffic|5xx|failures?|success rates?)\b.{0,40}"
    r"\b(?:normal(?:ised|ized)?|baseline|zero|nominal)\b"
    r"|\b(?:works?|working|healthy|fine|green|normal) again\b|\boutage (?:is |was )?over\b"
    r"|\breturned to (?:normal|service|baseline)\b|\bincident (?:was |is )?(?:closed|over)\b",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"\bnot\b|n't\b|\bno (?:recovery|effect|change|improvement)\b|\bpartial(?:ly)?\b|\bbriefly\b"
    r"|\bsome\b|\btemporar(?:y|ily)\b|\bwithout\b|\bwaiting\b|\bwatch(?:ing)?\b|\bexpect"
    r"|\bstatus ?pages?\b|\b(?:ticket|dns|dispute)\w* resolved\b|\buntil\b"
    r"|\bself-recover|\bplan|\bhop(?:e|ing)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the written timeline that begins with a time."""

    at: datetime
    clock: str
    text: str
    dated: bool


def timed_lines(text: str, first_day: date) -> list[Line]:
    """Return the lines with their moments; past midnight the next day begins."""
    read: list[Line] = []
    day, before = first_day, None
    for line in text.splitlines():
        match = _CLOCK.match(line)
        if match is None:
            continue
        hour = int(match["hour"])
        if match["half"]:
            hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
        try:
            day = date.fromisoformat(match["day"]) if match["day"] else day
        except ValueError:
            continue
        minute, second = int(match["minute"]), int(match["second"] or 0)
        at = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)
        if not match["day"] and before is not None and before - at > HALF_A_DAY:
            at, day = at + timedelta(days=1), day + timedelta(days=1)
        elif (
            not match["day"] and before is not None and at - before > HALF_A_DAY and day > first_day
        ):
            at -= timedelta(days=1)  # a line of the evening before
        before = at
        clock = f"{match['hour']}:{match['minute']}{match['half'] or ''}"
        read.append(Line(at, clock, line[match.end() :].strip(), bool(match["day"])))
    return read


def tells_action(text: str) -> bool:
    return bool(_ACTED.search(text)) and not re.search(
        r"\b(?:could|did|would|can) ?not\b|n't\b|\bdecid|\bdiscuss|\bpropos|\bready\b|\bfailing\b",
        text,
        re.IGNORECASE,
    )


def tells_recovery(text: str) -> bool:
    return bool(_RECOVERED.search(text)) and not _NOT_YET.search(text)


def recovery_before_action(case: Case) -> Iterator[Contradiction]:
    """Nothing recovers by an action that comes later."""
    incident = case.incident
    actions = [round.action.at for round in incident.rounds if round.action is not None]
    if incident.recovered_at is not None and actions and incident.recovered_at < min(actions):
        says = (
            f"Recovery ({stamp(incident.recovered_at)}) comes before the first action "
            f"({stamp(min(actions))})."
        )
        yield contradiction("recovery before action", "timeline", says, says)
    read = timed_lines(case.text("timeline"), incident.detected_at.date())
    fine = [line for line in read if tells_recovery(line.text) and not tells_action(line.text)]
    done = [line for line in read if tells_action(line.text)]
    if fine and done:
        first, action = min(fine, key=lambda at: at.at), min(done, key=lambda at: at.at)
        if first.at < action.at:
            says = (
                f"Recovery at {first.clock} comes before the action at {action.clock}: "
                f"{quoted(first.text, 60)}, then {quoted(action.text, 60)}."
            )
            yield contradiction("recovery before action", "timeline", says, first.text)


def out_of_order(case: Case) -> Iterator[Contradiction]:
    """A timeline goes forward."""
    read = timed_lines(case.text("timeline"), case.incident.detected_at.date())
    for before, line in pairwise(read):
        if line.at < before.at:
            says = f"The timeline goes back from {before.clock} to {line.clock}: " + (
                f"{quoted(line.text, 60)}."
            )
            yield contradiction("out of order", "timeline", says, line.text)
            return


def until_before(case: Case) -> Iterator[Contradiction]:
    """`The alert fired at 11:34, but nobody noticed until 11:30.`"""
    for part, sentence in case.sentences():
        for match in _UNTIL.finditer(sentence):
            since, until = (_minutes_of(match[side]) for side in "ab")
            if 0 < since - until < HALF_A_DAY.total_seconds() / 60:
                says = f"{quoted(sentence)}: {match['b']} is before {match['a']}."
                yield contradiction("out of order", part, says, sentence)
                return


def _minutes_of(clock: str) -> int:
    hour, minute = re.split("[:.]", clock)
    return int(hour) * 60 + int(minute)


def in_the_future(case: Case) -> Iterator[Contradiction]:
    """Nothing in it happened after it was written: lines with their day, or days of another."""
    limit = case.at + timedelta(days=1)  # whatever zone people write in
    for line in timed_lines(case.text("timeline"), case.incident.detected_at.date()):
        if line.dated and line.at > limit:
            says = f"{line.at:%-d %b %Y} {line.clock} has not come yet: {quoted(line.text, 60)}."
            yield contradiction("in the future", "timeline", says, line.text)
            return
