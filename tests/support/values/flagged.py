"""A flag that was turned on shortly before the trouble, as triage reports it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from phases.record.findings import ChangeSeen, Choice, FlagEvidence, TriageReport
from tests.support.values.factories import NOW, report

BEGAN = NOW - timedelta(minutes=4)
FLAG = ChangeSeen(
    service="shop",
    kind="flag",
    name="new-pricing",
    old="off",
    new="on",
    by="mara",
    at=BEGAN - timedelta(minutes=2),
    url="https://flags.shop.example/new-pricing",
)
SEEN = FlagEvidence(flag="new-pricing", on=212, events=214, others_on=1, others=40)
TURN_OFF = ("./flag.sh", "off", "{change}")


def flagged(change: ChangeSeen = FLAG, **fields: Any) -> TriageReport:
    """Return a report that recommends to take this change back."""
    measured = report(Choice.TURN_OFF, changes=(change,), flag_evidence=SEEN, **fields)
    reasons = (
        "31 users; payment and cart.",
        "Trouble began 2026-11-22 03:00 UTC, 2 min after flag new-pricing was turned on.",
        "99 % of the events have it on, of the other errors 2 %.",
    )
    advice = measured.recommendation.model_copy(update={"change": change, "reasons": reasons})
    return measured.model_copy(update={"recommendation": advice})
