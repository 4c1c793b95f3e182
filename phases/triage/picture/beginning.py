"""Phase 1: when trouble began, and the rate before."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from phases.ports.tracker_values import Minutes
from phases.record.findings import IssueSeen
from phases.triage.picture.fire import DAY, LOUD_SHARE, MINUTE

LOUD_FACTOR = 3  # a minute is loud with 3 × the baseline, and a fifth of the loudest
QUIET_PER_WINDOW = 10 / 15  # ten minutes without a loud one end the run, beside a window of 15
QUIET_LEAST = 2  # in the short windows of a drill
SILENCE = 7
"""Events that would have come, in a silence that ends a slow fire's run: exp(-7) is 1 in 1,000."""
QUIET_MOST = timedelta(hours=1)
JUST_BEFORE = timedelta(minutes=3)  # the first loud minute: its issues may be so much older

BASELINE_LEAST = timedelta(minutes=15)  # Verification: "under 15 minutes of it: zero"


def first_loud_minute(
    minutes: Minutes, since: datetime, until: datetime, baseline_per_minute: float
) -> datetime | None:
    """The earliest loud minute of the run that reaches into the window, or None without one.

    Minutes that are not complete yet count here: late events only make them louder.
    """
    inside = [n for at, n in minutes.counts.items() if since - MINUTE < at < until]
    loudest = max(inside, default=0)
    least = max(LOUD_FACTOR * baseline_per_minute, loudest / LOUD_SHARE)
    loud = sorted(
        (at for at, n in minutes.counts.items() if n > 0 and n >= least and at < until),
        reverse=True,
    )
    if not loud or loud[0] <= since - MINUTE:
        return None
    spell = round(QUIET_PER_WINDOW * ((until - since) / MINUTE))
    slow = min(SILENCE * (until - since) / sum(inside), max(QUIET_MOST, spell * MINUTE))
    quiet = max(spell * MINUTE, QUIET_LEAST * MINUTE, slow)
    first = loud[0]
    for at in loud[1:]:
        if first - at - MINUTE >= quiet:
            break
        first = at
    return first


def beginning(
    issues: Sequence[IssueSeen], loud: datetime | None, minutes: Minutes, since: datetime
) -> datetime | None:
    """Return the beginning, before its exact second is known.

    Where no minutes are known, or these events are no errors, it is the first seen of what is new;
    the beginning of old issues is not known then.
    """
    firsts = [i.first_seen for i in issues if i.burns and i.first_seen > since - DAY]
    if loud is None:
        counted = any(n > 0 for at, n in minutes.counts.items() if at > since - MINUTE)
        spiking = [i.first_seen for i in issues if i.spiking and i.first_seen > since - DAY]
        return min(spiking if counted else firsts, default=None)
    # The minutes are those of the loudest issues: an issue of the next page may be older.
    near = (f for f in firsts if loud - JUST_BEFORE <= f < loud + MINUTE)
    return min(near, default=loud + MINUTE / 2)


def last_event_minute(minutes: Minutes) -> datetime | None:
    return max((at for at, n in minutes.counts.items() if n > 0), default=None)


def baseline(
    minutes: Minutes,
    began: datetime,
    project_since: datetime | None,
    asked_since: datetime | None = None,
) -> tuple[float, float]:
    """Return events a minute over the 24 h before trouble began, and the minutes counted.

    Of a younger project all minutes are counted that there are. Under 15 minutes of them: zero, of
    zero minutes (rules: Verification).

    `asked_since` is the time at which the known minutes begin. Trouble that has been going on for
    hours began that long after it, and minutes that were not asked for are not silence.
    """
    begin = max(at for at in (began - DAY, project_since, asked_since) if at is not None)
    if began - begin < BASELINE_LEAST:
        return 0.0, 0.0
    incomplete = set(minutes.incomplete)
    whole = (
        n
        for at, n in minutes.counts.items()
        if begin <= at <= began - MINUTE and at not in incomplete
    )
    span = (began - begin) / MINUTE
    return sum(whole) / span, span
