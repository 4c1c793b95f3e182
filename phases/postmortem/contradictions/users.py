"""The number of people who were hit: held to the measured one, and to what is said elsewhere."""

import re
from collections.abc import Iterator
from datetime import timedelta

from phases.postmortem.contradictions.case import WHYS, Case, contradiction, quoted
from phases.postmortem.contradictions.lengths import SPAN, minutes_between, minutes_of_span
from phases.postmortem.contradictions.quantities import COUNT, number_in
from phases.record.documents import Contradiction
from phases.text.wording import counted, lasting

TIMES_MORE = 4
"""A count over the whole incident may be so many times that of an equally long window."""
FEWER = 0.8
"""Fewer than so many of the measured users cannot have been all of them."""

_PEOPLE = r"(?:users?|customers?|people|accounts?|shoppers?|visitors?|members?|merchants?|tenants?)"
_USERS = re.compile(
    rf"(?<![\d.,:#-])(?P<n>{COUNT})\s+(?:[^\W\d]\w*\s+){{0,2}}?(?:{_PEOPLE})\b", re.IGNORECASE
)
"""No second number in between: `16 min 40 users` are 40."""
_WHOLE = re.compile(r"\bof\s+(?:(?:the|our|all|about|roughly|some)\s+)*~?$", re.IGNORECASE)
"""Before a count: it is that of all of them."""
_HIT = re.compile(
    r"\b(?:affected|hit|impacted|saw|could not|couldn[’']t|unable|failed|errors?|lost|experienced"
    r"|locked out|suffered|were shown|in (?:total|all)|overall|altogether)\b",
    re.IGNORECASE,
)


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


def hit_too_long(case: Case) -> Iterator[Contradiction]:
    """`Between 14:03 and 15:40 40 users could not pay`, and it was over at 14:19.

    Only the length is held to the record: people write in their own zone.
    """
    incident, report = case.incident, case.incident.triage
    if incident.recovered_at is None or report is None or report.began_at is None:
        return
    real = minutes_between(min(report.began_at, incident.detected_at), incident.recovered_at)
    for part, sentence in case.sentences("impact"):
        every = list(SPAN.finditer(sentence))
        if len(every) != 1 or not (_HIT.search(sentence) and _USERS.search(sentence)):
            continue
        if (stated := minutes_of_span(every[0])) > 1.5 * real + 5:
            span = f"{every[0]['a']} to {every[0]['b']} is {lasting(timedelta(minutes=stated))}"
            measured = lasting(timedelta(minutes=real))
            says = f"{quoted(sentence)}: {span}; the record has {measured} until recovery."
            yield contradiction("numbers", part, says, sentence)
            return


def _measured_otherwise(case: Case, stated: float) -> str:
    report, incident = case.incident.triage, case.incident
    if report is None or report.manual_by or not report.blast.user_count:
        return ""
    measured = report.blast.user_count
    began = report.began_at or incident.detected_at
    minutes = minutes_between(began, incident.recovered_at or case.at)
    most = measured * TIMES_MORE * max(1.0, 60 * minutes / report.window_seconds)
    if FEWER * measured <= stated <= most:
        return ""
    return (
        f"*Impact* has {counted(round(stated), 'user')}; "
        f"triage measured {measured:,} in {lasting(timedelta(seconds=report.window_seconds))}."
    )
