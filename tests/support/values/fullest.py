"""Incidents with every field filled in with long words, in each of their states.

They show the layout.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from phases.record.documents import ActionItem, Adr
from phases.record.findings import (
    Bisect,
    Cause,
    Hypothesis,
    HypothesisKind,
    Look,
    LookVerdict,
    Release,
    Share,
    Suspect,
    Verdict,
)
from phases.record.incident import (
    ActionKind,
    Channel,
    Failure,
    Incident,
    Merge,
    Round,
    RoundAction,
    Severity,
    Source,
    Status,
)
from phases.record.memories import Recollection
from tests.support.values.factories import FIX, NOW, TICKET, blast, incident, report
from tests.support.values.factories import postmortem as written

LONG = (
    "The pool of database connections of the payment service in eu-west is used up since the "
    "release of this morning, and whoever pays by card there waits until their browser gives up; "
    "we drain it now, and look for who holds them."
)
OLD, NEW = (
    Release(version="2026.11.21-rc.7+build.4711"),
    Release(version="2026.11.22-rc.1+build.4722"),
)
LATER = NOW + timedelta(minutes=16)
CULPRIT = Suspect(
    sha="c0ffee1234567",
    author="Dana Scully-Mulder",
    at=NOW,
    subject=f"Rates are whole numbers: {LONG}",
)
EARLIER = Recollection(
    lines=tuple(
        f"Last time (INC-000{n}, 22 Nov): rolled back to 1.1.0; cause: {LONG}" for n in (1, 2, 3)
    )
)
FAILURES = tuple(
    Failure(effect_id=f"{n}-1", kind=kind, reason=LONG, at=NOW, effect="{}")
    for n, kind in enumerate(("bookmark", "discord", "ticket.comment"), 1)
)
OWED = tuple(
    ActionItem(kind="tests", text=LONG, owner="<@U0ALICE>", due=NOW.date()) for _ in range(3)
)


def _action(kind: ActionKind, result: str, **fields: Any) -> RoundAction:
    to = {ActionKind.ROLLBACK: OLD, ActionKind.HOTFIX: FIX}.get(kind)
    given: dict[str, Any] = {
        **{
            "kind": kind,
            "by": "U0ALICE",
            "at": NOW,
            "from_release": NEW,
            "to_release": to,
            "result": result,
        },
        **{
            "started_at": NOW,
            "finished_at": NOW + timedelta(minutes=3),
            "sentence": LONG,
            "merge": Merge(),
        },
        "reason": LONG if result in ("failed", "unknown", "not started") else "",
    }
    return RoundAction.model_validate({**given, **fields})


def full(status: Status, action: RoundAction | None = None, **fields: Any) -> Incident:
    shares = tuple(
        Share(name=name, events=90)
        for name in ("payment by card", "shopping cart", "order history")
    )
    measured = report(
        blast=blast(user_count=48_211, top_features=shares, inferred=True),
        suspect=NEW,
        per_minute=12_345.6,
        baseline_per_minute=123.4,
    )
    looked = (Look(number=1, at=LATER, verdict=LookVerdict.NOT_RECOVERED, reasons=(LONG,)),)
    first = Round(
        number=1,
        opened_at=NOW,
        why="triage",
        action=_action(ActionKind.ROLLBACK, "failed"),
        looks=looked,
    )
    current = Round(
        number=2,
        opened_at=NOW,
        why=LONG,
        recommendation=measured.recommendation,
        action=action,
        clock_started_at=NOW if status is Status.VERIFYING else None,
    )
    given: dict[str, Any] = {
        "id": "INC-1042",
        "number": 1042,
        "title": f"checkout is failing for everybody: {LONG}",
        "description": LONG,
        "service": "checkout-service",
        "status": status,
        "severity": Severity.SEV1,
        "source": Source(kind="sentry", text=f"Sentry alert SHOP-3: {LONG}"),
        "channel": Channel(id="C0INC1042", name="inc-1042-checkout-is-failing"),
        "triage": measured,
        "rounds": (first, current),
        "hypotheses": (
            Hypothesis(
                id="H1",
                kind=HypothesisKind.COMMIT,
                says=f"Commit c0ffee123 brought it: {LONG}",
                found=LONG,
                verdict=Verdict.SUPPORTED,
                confidence=0.9,
            ),
        ),
        "suspects": (CULPRIT,),
        "bisect": Bisect(
            id="b", good="1", bad="2", step=3, steps=3, state="found", culprit=CULPRIT
        ),
        "ticket": TICKET.model_copy(update={"identifier": "CHECKOUT-12345"}),
        "latest_update": LONG,
        "updated_at": LATER,
        "update_due": NOW + timedelta(minutes=30),
        "failures": FAILURES,
        "recollection": EARLIER,
        "else_reason": "INC-1041",
    }
    return incident(**{**given, **fields})


def everything() -> dict[str, Incident]:
    """By the state's name: a record of that state in which nothing is missing."""
    cause = Cause(text=LONG, at=LATER, by="U0ALICE", evidence=(LONG,))
    recovered: dict[str, Any] = {"recovered_at": LATER, "cause": cause}
    rolled_back = _action(ActionKind.ROLLBACK, "done")
    shipped = _action(ActionKind.HOTFIX, "done")
    adr = Adr(
        number=1234, path="docs/adr/1234-inc-1042.md", url="https://github.com/acme/shop/pull/7"
    )
    over: dict[str, Any] = {**recovered, "adr": adr, "postmortem": written(items=OWED)}
    return {
        "declared": full(Status.DECLARED, rounds=(), triage=None, triage_overdue=True, lead=None),
        "deciding": full(Status.DECIDING),
        "drill": full(Status.DECIDING, drill=True),
        "mitigating": full(Status.MITIGATING, _action(ActionKind.HOTFIX, "running")),
        "failed": full(Status.DECIDING, _action(ActionKind.ROLLBACK, "failed")),
        "unknown": full(Status.DECIDING, _action(ActionKind.HOTFIX, "unknown")),
        "fixed": full(Status.VERIFYING, _action(ActionKind.FIXED, "done"), cause=cause),
        "verifying": full(Status.VERIFYING, rolled_back, cause=cause),
        "mitigated": full(
            Status.MITIGATED, rolled_back, **recovered, postmortem_due=NOW + timedelta(hours=30)
        ),
        "not merged": full(
            Status.MITIGATED, shipped, **recovered, postmortem_due=NOW + timedelta(hours=30)
        ),
        "resolved": full(Status.RESOLVED, shipped, **over),
        "closed": full(Status.CLOSED, shipped, **over),
        "cancelled": full(Status.CANCELLED, cancel_reason=LONG, cancelled_at=LATER),
        "shrunk": full(Status.CLOSED, shipped, **over, shrunk_at=LATER),
    }
