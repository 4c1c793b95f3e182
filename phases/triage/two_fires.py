"""Phase 1: a fire that a deploy or a flag began while another one burned already, and burns on.

One beginning for both would be that of the older one, which no release explains. The newer one is
what can be ended now; the older one is told beside it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from phases.record.findings import IssueSeen
from phases.text.wording import short, stamp
from phases.triage.picture.fire import MINUTE, TOGETHER
from phases.triage.reading.answers import Trouble
from phases.triage.rollback.edge_errors import edge_of, type_and_value

OLDER_BY = timedelta(minutes=10)
"""The older one burned for so long before the change: it has a rate of its own."""
BURNS_ON = 0.7
"""Of its rate: the change ended nothing of the older one."""
AS_LOUD = 1 / 3
"""Of the older one's rate: a new title that is rarer may be a part of the older one."""


def newer_fire(
    trouble: Trouble, seeds: frozenset[str], changed: Sequence[datetime], since: datetime
) -> Trouble | None:
    """Return the fire since the newest change of the window alone, where it is one by itself.

    None where the issues of an alert (`seeds`) are all of the older one, or where that fell with
    the change: then the rest may be what is left of it.
    """
    out = max((at for at in changed if at >= since), default=None)
    if out is None or trouble.about is None or out - trouble.about < OLDER_BY:
        return None
    own = tuple(issue for issue in trouble.issues if issue.first_seen >= out)
    ids = tuple(issue.id for issue in own)
    if len(own) in (0, len(trouble.issues)) or (seeds and seeds.isdisjoint(ids)):
        return None
    if not trouble.minutes.known or trouble.series is None:
        return None
    if _at_edge(own[0]):
        return None  # at the edge it is mostly the older one in other words
    if not _at_edge(_older(trouble, ids)) and any(
        timedelta() <= trouble.about - at <= OLDER_BY for at in changed
    ):
        return None  # an earlier change began the older one: going back behind it ends both
    counts, now, events = trouble.minutes.counts, trouble.series.now, sum(i.events for i in own)
    began = min(issue.first_seen for issue in own)
    before = sum(n for at, n in counts.items() if out - OLDER_BY <= at < out)
    older = before / (OLDER_BY / MINUTE)
    first = min((at for at in counts if at > began - MINUTE), default=began)  # a whole minute
    after = sum(n for at, n in counts.items() if at >= first) - events
    minutes = max((now - first) / MINUTE, 1.0)
    loud = events >= max(TOGETHER, AS_LOUD * older * minutes)
    if not loud or older <= 0 or after < BURNS_ON * older * minutes:
        return None
    since_then = {at: n for at, n in counts.items() if at >= began - MINUTE}
    return replace(
        trouble,
        issues=own,
        ids=ids,
        minutes=trouble.minutes.model_copy(update={"counts": since_then}),
        usual=0.0,
        series=None,  # of both fires: a release that ran under the older one alone was well
        loud=None,
        about=began,
    )


def older_fire_sentence(trouble: Trouble, newer: Trouble) -> str:
    """Return what people are told of the fire that burned before."""
    older = _older(trouble, newer.ids)
    since = f" since {stamp(trouble.about)}" if trouble.about is not None else ""
    return f"Another failure has gone on beside it{since}: {short(older.title, 100)}."


def _older(trouble: Trouble, newer: Sequence[str]) -> IssueSeen:
    return next(issue for issue in trouble.issues if issue.id not in newer)


def _at_edge(issue: IssueSeen) -> bool:
    return edge_of(*type_and_value(issue.title)) is not None
