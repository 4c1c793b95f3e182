"""Incidents as values, for tests of what is written and remembered of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from phases.record.documents import ActionItem, Adr, Postmortem, Ticket
from phases.record.findings import (
    BlastRadius,
    Cause,
    Choice,
    DeployProof,
    EndpointAnswer,
    Frame,
    Hypothesis,
    HypothesisKind,
    Look,
    LookVerdict,
    Recommendation,
    Release,
    Share,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.incident import (
    ActionKind,
    Entry,
    Incident,
    Round,
    RoundAction,
    Severity,
    Source,
    Status,
)

T0 = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
NAMES = {"UANN": "Ann", "UBOB": "Bob Lee"}


def minute(number: float) -> datetime:
    return T0 + timedelta(minutes=number)


def report(**changes: Any) -> TriageReport:
    blast = BlastRadius(
        users=Word.MANY,
        user_count=40,
        features=Word.MANY,
        top_features=(
            Share(name="cart", events=300),
            Share(name="payment", events=200),
            Share(name="search", events=90),
        ),
        regions=(Share(name="eu-west", events=500), Share(name="us-east", events=90)),
    )
    fields = {
        "at": minute(1),
        "window_seconds": 900,
        "events": 590,
        "per_minute": 42.3,
        "baseline_per_minute": 0.0,
        "began_at": minute(-4),
        "blast": blast,
        "suspect": Release(version="v42"),
        "exception_type": "KeyError",
        "frame": Frame(file="shop/pricing.py", function="total", line=41),
        "recommendation": Recommendation(choice=Choice.ROLLBACK),
    }
    return TriageReport(**{**fields, **changes})


def rollback(**changes: Any) -> Round:
    action = RoundAction(
        kind=ActionKind.ROLLBACK,
        by="UANN",
        at=minute(3),
        from_release=Release(version="v42"),
        to_release=Release(version="v41"),
        result="done",
        proof=DeployProof(before="v42", after="v41"),
    )
    look = Look(
        number=1,
        at=minute(16.5),
        verdict=LookVerdict.RECOVERED,
        events=0,
        allowed=3,
        minutes=9.0,
        before_per_minute=42.3,
        after_per_minute=0.0,
        endpoint=EndpointAnswer(ok=True, said="200 in 31 ms"),
    )
    fields: dict[str, Any] = {
        "number": 1,
        "opened_at": minute(1),
        "why": "triage",
        "action": action,
        "looks": (look,),
        "verdict": "recovered",
    }
    return Round(**{**fields, **changes})


def written(**changes: Any) -> Postmortem:
    fields: dict[str, Any] = {
        "timeline": "14:03 the alert\n14:06 rolled back",
        "root_cause": "v42 dropped the region key.\nNobody reads `total()` without one.",
        "monitoring": "The alert waits for five minutes.",
        "tests": "Every test sets a region.",
        "items": (
            ActionItem(
                kind="tests", text="price a cart without region", owner="Ann", due=date(2026, 12, 1)
            ),
            ActionItem(kind="monitors", text="alert after one minute"),
            ActionItem(kind="gates", text="canary for 5 minutes", owner="<@UBOB>", done=True),
        ),
        "revisit": "When the action items are complete.",
        "by": "UANN",
        "at": minute(60),
    }
    return Postmortem(**{**fields, **changes})


def incident(**changes: Any) -> Incident:
    """Mitigated, verified and written up: everything but resolved."""
    fields: dict[str, Any] = {
        "id": "INC-0042",
        "number": 42,
        "ulid": "01JD000000000000000000000A",
        "title": "checkout is failing",
        "service": "shop",
        "status": Status.MITIGATED,
        "severity": Severity.SEV1,
        "source": Source(kind="sentry", text="Sentry alert SHOP-3"),
        "lead": "UBOB",
        "detected_at": T0,
        "declared_at": T0,
        "triage": report(),
        "rounds": (rollback(),),
        "hypotheses": (
            Hypothesis(
                id="H1",
                kind=HypothesisKind.RELEASE,
                says="v42 broke pricing",
                found="first event 2 min after its deploy",
                verdict=Verdict.SUPPORTED,
                confidence=0.9,
            ),
            Hypothesis(
                id="H2",
                kind=HypothesisKind.DATA,
                says="one customer's data",
                verdict=Verdict.RULED_OUT,
            ),
        ),
        "cause": Cause(
            text="v42 dropped the region key\nand more",
            at=minute(20),
            by="UANN",
            evidence=("git bisect: 9f3c2d1",),
        ),
        "ticket": Ticket(id="t", identifier="SHOP-7", url="https://linear.app/acme/issue/SHOP-7"),
        "postmortem": written(),
        "adr": Adr(number=7, path="docs/adr/0007-inc-0042-checkout-is-failing.md"),
        "recovered_at": minute(16.5),
    }
    return Incident(**{**fields, **changes})


def entries() -> list[Entry]:
    return [
        Entry(
            at=minute(0),
            kind="declared",
            text="Sentry alert SHOP-3: checkout is failing",
            url="https://sentry.io/i/3",
        ),
        Entry(at=minute(3), kind="decision", text="<@UANN> chose rollback to v41", by="UANN"),
        Entry(at=minute(1), kind="triage", text="40 users, cart | payment; 590 events in 15 min"),
    ]
