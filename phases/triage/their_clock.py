"""Sentry's clock, where ours is another one: a window would lie beside the fire, and look quiet."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from phases.messages.results import Triaged
from phases.text.wording import lasting

APART = timedelta(minutes=2)
"""Clocks that differ by less show the same window: an eighth of it."""
IN_A_CHECK = timedelta(minutes=1)
"""A check counts a few minutes. This is the grace with which it begins."""


async def triage_by_their_clock(
    now: datetime,
    ahead: Callable[[], timedelta],
    triage: Callable[[datetime], Awaitable[Triaged]],
) -> Triaged:
    """Return the triage at Sentry's time, with a note where ours is another one.

    `ahead`: how much Sentry's clock is ahead of ours, as its answers tell; they may tell it only
    while the first triage is made, which is then made again. Raises `PortError` as triage does.
    """
    used = _if_apart(ahead())
    triaged = await triage(now + used)
    newest = _if_apart(ahead())
    if abs(newest - used) >= APART:
        used, triaged = newest, await triage(now + newest)
    if not used:
        return triaged
    which = "behind" if used > timedelta(0) else "ahead of"
    apart = f"The bot's clock is {lasting(abs(used))} {which} Sentry's"
    note = f"{apart}: these times are Sentry's. Recovery cannot be measured until it is set."
    report, advice = triaged.report, triaged.report.recommendation
    advice = advice.model_copy(update={"against": (f"{apart}.", *advice.against)})
    update = {"at": now, "notes": (note, *report.notes), "recommendation": advice}
    return triaged.model_copy(update={"report": report.model_copy(update=update)})


def _if_apart(ahead: timedelta) -> timedelta:
    return ahead if abs(ahead) >= APART else timedelta(0)


def why_uncounted(ahead: timedelta) -> str:
    """Return why a check after an action cannot count by our clock. "": it can."""
    if abs(ahead) < IN_A_CHECK:
        return ""
    return f"the clocks here and of Sentry are {lasting(abs(ahead))} apart"
