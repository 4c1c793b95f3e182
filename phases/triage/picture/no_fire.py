"""Phase 1: what is said where Sentry shows no new fire, and what the endpoint makes of it.

*Nothing unusual* is said only where it was looked for. A service that is down may send no errors:
then silence is no good sign.
"""

import math
from datetime import timedelta

from phases.record.findings import BlastRadius, Confidence, EndpointAnswer, Usual, Word
from phases.record.limits import NOTHING_UNUSUAL
from phases.shared.counts import SPREAD_ASSUMED, at_least_above, most_usual
from phases.text.wording import counted, per_minute_text
from phases.triage.picture.fire import CHANCE, FEW, MINUTE, Series, find_rise, step_of

OUTAGE = "taken as a total outage until shown otherwise"


HUSHED = "nothing reaches the service, or nothing reaches Sentry"


def silence_in_words(
    series: Series | None, events: int, window: timedelta, why: str
) -> tuple[str, ...]:
    """Return what is said where no issue burns. `events`: the issue list's; `why`: no series."""
    if events <= 0 and (series is None or not _lately_in_words(series, window)):
        return _silence_meaning(series, window)
    if series is None:
        because = why or "this Sentry does not tell events over time"
        return (f"I cannot tell whether anything is unusual, because {because}.",)
    minutes, begin = window / MINUTE, step_of(series.now - window)
    usually, lately = series.usual(begin, series.end), _lately_in_words(series, window)
    came = f"{counted(max(lately, events), 'event')} in the last {minutes:.0f} min"
    louder = find_rise(series, window)
    if louder is None:
        return (
            NOTHING_UNUSUAL,
            f"{came}, as usual at this time of day ({per_minute_text(usually.per_minute)}/min).",
        )
    if events <= max(most_usual(usually, minutes, CHANCE), FEW):
        # The series reaches back further than the list of issues.
        reach = math.ceil((series.now - louder.since) / MINUTE)
        came = f"{counted(louder.events, 'event')} in the last {reach} min"
        few = f"only {events}" if events else "none"
        return (f"{came}, but {few} in the last {minutes:.0f} min: it may be over.",)
    expected = f"where about {usually.per_minute * minutes:.0f} are usual"
    return (f"{came}, {expected}, but no issue is new or much louder: I cannot tell what burns.",)


def _silence_meaning(series: Series | None, window: timedelta) -> tuple[str, ...]:
    """Return what silence means: in a service that always has errors it is no good sign."""
    if series is None:
        return (NOTHING_UNUSUAL,)
    minutes = window / MINUTE
    expected = series.usual(step_of(series.now - window), series.end).per_minute * minutes
    if at_least_above(expected, SPREAD_ASSUMED, CHANCE) < 0:
        return (NOTHING_UNUSUAL,)
    came = (
        f"Sentry has no error of the last {minutes:.0f} min, where about {expected:.0f} are usual"
    )
    return (f"{came}: {HUSHED}.",)


def _lately_in_words(series: Series, window: timedelta) -> int:
    return series.events(step_of(series.now - window), series.end)


def as_usual(blast: BlastRadius, usual: Usual, sentence: str) -> BlastRadius:
    """Return the picture of events that are no new fire: nobody is newly hit by them."""
    return BlastRadius(
        users=Word.NOBODY,
        user_count=0,
        features=Word.NOBODY,
        confidence=blast.confidence,
        sentences=(sentence, *blast.sentences[:1]),
        usual=usual,
    )


def with_endpoint(blast: BlastRadius, answer: EndpointAnswer | None) -> BlastRadius:
    """Return the picture with the endpoint in it. Down, with a silent Sentry, it is an outage."""
    if answer is None:
        return blast
    if answer.ok or blast.users is not Word.NOBODY:
        does = "answers" if answer.ok else "fails"
        sentences = (*blast.sentences, f"The endpoint {does}: {answer.said}.")
        update: dict[str, object] = {"sentences": sentences}
        if not answer.ok and blast.inferred and not blast.top_features:
            # A release that does not start fails before it knows a user or a page.
            unknown = tuple(dict.fromkeys((*blast.unknown, "users", "features")))
            update |= {"users": Word.MANY, "features": Word.MANY, "unknown": unknown}
        return blast.model_copy(update=update)
    silent = blast.sentences[0] if blast.usual and blast.sentences else "Sentry is silent."
    return BlastRadius(
        users=Word.MANY,
        features=Word.MANY,
        confidence=Confidence.LOW,
        inferred=True,
        unknown=("users", "features"),
        sentences=(f"The endpoint fails ({answer.said}): {OUTAGE}.", silent),
        down=True,
    )
