"""Every kind of message and form that people see, for pictures.

One incident in its states makes them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import gallery_more

from handlers import views
from handlers.incident.correction import CORRECTED_NOTE
from handlers.slack.interaction import STRANGER
from handlers.views import forms, merge_and_reopen, notes, postmortem
from handlers.views.blocks import Message, View
from handlers.views.help import help_text
from handlers.views.timeline import timeline
from phases.coordination.updates import update_template
from phases.memory.trends import Month
from phases.messages.effects import Say
from phases.ports.ports import HotfixRef
from phases.ports.source_values import Check, Commit, CommitFile, Covered, PullChecks
from phases.postmortem.contributing_factors import LookedUp
from phases.postmortem.draft import draft_parts
from phases.record.documents import ActionItem, Adr
from phases.record.findings import (
    Bisect,
    Cause,
    Choice,
    DeployOutput,
    DeployProof,
    DeploySeen,
    Hypothesis,
    HypothesisKind,
    Investigation,
    Picture,
    Recommendation,
    Release,
    Suspect,
    TriageReport,
    Verdict,
    Word,
)
from phases.record.incident import (
    ActionKind,
    Channel,
    Entry,
    Failure,
    Incident,
    Round,
    RoundAction,
    Severity,
    Status,
)
from phases.record.memories import Recollection
from phases.verification.steps import look_sentence
from tests.support.values.factories import (
    NOW,
    TICKET,
    blast,
    incident,
    look,
    nothing_unusual,
    one_feature,
    report,
    service,
)
from tests.support.values.factories import postmortem as written
from tests.support.worlds.homes import home_of

HINDSIGHT = LookedUp(
    tests=Covered(files=41),
    commit=Commit(sha="c0ffee1234567", files=(CommitFile(path="shop/pay.py"),)),
    confirmed=True,
    checks=PullChecks(
        pull_request="#7",
        checks=(Check(name="unit", conclusion="passed"), Check(name="lint", conclusion="passed")),
    ),
)
SHELF = postmortem.KnownDrafts(
    shown_by="U0ALICE",
    shown_at=NOW,
    newer_by="U0BOB",
    newer_at=NOW + timedelta(minutes=9),
    writing=(("U0BOB", NOW + timedelta(minutes=11)),),
    notes=("Checks: GitHub did not answer",),
)
SHOP = service(runbook="https://wiki.example.com/shop")
CULPRIT = Suspect(
    sha="c0ffee1234567",
    subject="Round rates to whole numbers",
    author="Dana",
    at=NOW - timedelta(hours=2),
    reasons=("wrote shop/pay.py:12, where it crashes", "brings in `rate`, which the error misses"),
)
DEPLOYS = tuple(
    DeploySeen(
        release=Release(version=version),
        service="shop",
        started_at=NOW - ago,
        by=by,
        source="deployer",
    )
    for version, ago, by in (
        ("1.3.0", timedelta(minutes=7), None),
        ("1.2.0", timedelta(days=3), "U0ALICE"),
        ("1.1.0", timedelta(days=10), "dana"),
    )
)
LAST = Recollection(
    lines=(
        (
            "Last time (INC-0000, 22 Nov): rolled back to 1.1.0; cause: rates were empty; 2 "
            "action items open"
        ),
    )
)


def deciding(measured: TriageReport | None = None, **fields: Any) -> Incident:
    measured = measured or report(deploys=DEPLOYS)
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=measured.recommendation)
    given: dict[str, Any] = {
        "status": Status.DECIDING,
        "triage": measured,
        "rounds": (round_,),
        "ticket": TICKET,
    }
    return incident(**{**given, "severity": Severity.SEV1, **fields})


PRINTED = DeployOutput(
    lines=(
        "push with token=[redacted]",
        *(f"layer {n} of 9: done" for n in range(1, 10)),
        "[exit code 0]",
    ),
    cut=True,
)


ONE_USER = report(
    Choice.INVESTIGATE,
    blast=blast(Word.ONE, Word.ONE),
    deploys=DEPLOYS,
    recommendation=Recommendation(
        choice=Choice.INVESTIGATE, reasons=("The blast radius is limited: find the cause first.",)
    ),
)
UNMEASURED = Round(number=1, opened_at=NOW, why="triage")


def acted(
    status: Status, result: str, round_fields: dict[str, Any] | None = None, **fields: Any
) -> Incident:
    action = RoundAction.model_validate(
        {
            "kind": ActionKind.ROLLBACK,
            "by": "U0ALICE",
            "at": NOW,
            "from_release": Release(version="1.3.0"),
            "to_release": Release(version="1.2.0"),
            "result": result,
            "started_at": NOW,
            "finished_at": NOW + timedelta(seconds=41) if result in ("done", "failed") else None,
            "reason": "exit 1: the health check did not answer" if result == "failed" else "",
            "lines": ("fetch", "checkout 1.2.0", "restart", "waiting for health"),
            "output": PRINTED,
            "proof": DeployProof(before="1.3.0", after="1.2.0") if result == "done" else None,
        }
    )
    before = deciding()
    round_ = before.rounds[0].model_copy(update={"action": action, **(round_fields or {})})
    return before.model_copy(update={"rounds": (round_,), "status": status, **fields})


VERIFYING = acted(Status.VERIFYING, "done", {"clock_started_at": NOW + timedelta(seconds=41)})
MITIGATED = acted(
    Status.MITIGATED,
    "done",
    {"looks": (look(),), "verdict": "recovered"},
    recovered_at=NOW + timedelta(minutes=12),
)
RECOVERED = MITIGATED.model_copy(
    update={
        "picture": Picture(
            begin=NOW - timedelta(minutes=30),
            until=NOW + timedelta(minutes=12),
            seconds=180,
            counts=(1, 0, 2, 0, 0, 1, 0, 61, 118, 131, 126, 97, 1, 0),
        )
    }
)
FAILED = deciding().model_copy(
    update={
        "failures": (
            Failure(
                effect_id="7-1",
                kind="ticket.open",
                reason="Linear: no such team",
                at=NOW,
                effect="{}",
            ),
        ),
        "recollection": LAST,
    }
)
RESOLVED = MITIGATED.model_copy(
    update={
        "status": Status.RESOLVED,
        "cause": Cause(text="Commit c0ffee123 rounds rates to zero.", by="U0ALICE", at=NOW),
        "adr": Adr(number=1, path="docs/adr/0001-x.md"),
    }
)
THINKING = deciding(
    hypotheses=(
        Hypothesis(
            id="H1",
            kind=HypothesisKind.COMMIT,
            says="Commit c0ffee123 by Dana caused it",
            found="Bisect: the reproduction passes before this commit and fails with it.",
            verdict=Verdict.SUPPORTED,
            confidence=0.97,
        ),
        Hypothesis(
            id="H2",
            kind=HypothesisKind.OTHER,
            says="A flag caused it",
            found="None changed.",
            confidence=0.1,
        ),
    ),
    suspects=(CULPRIT,),
    bisect=Bisect(
        id="b", good="1.2.0", bad="1.3.0", step=3, steps=3, state="found", culprit=CULPRIT
    ),
    investigation=Investigation(
        walk=("Crashes in shop/pay.py:12 in total. Last touched by c0ffee123: new in 1.3.0.",)
    ),
)
_CHANNEL = Channel(id="C0GENERAL", name="inc-0001-checkout")
_OTHERS = {"channel": _CHANNEL, "lead": "U0BOB", "declared_by": "U0BOB"}
HOME = (
    deciding(channel=_CHANNEL),
    deciding(
        id="INC-0002",
        number=2,
        title="search is slow",
        lead=None,
        declared_by=None,
        severity=Severity.SEV3,
    ),
    acted(
        Status.VERIFYING,
        "done",
        {"clock_started_at": NOW, "verdict": "ask a person"},
        **{"id": "INC-0003", "title": "mails are late", **_OTHERS},
    ),
    acted(
        Status.MITIGATING,
        "running",
        None,
        **{"id": "INC-0004", "title": "login loops", **_OTHERS, "lead": "U0ALICE"},
    ),
    MITIGATED.model_copy(update={"id": "INC-0005", "title": "prices are zero"}),
)
OWING = RESOLVED.model_copy(
    update={
        "id": "INC-0006",
        "postmortem": written(
            items=(
                ActionItem(
                    kind="tests",
                    text="A test with an empty tax table",
                    owner="<@U0ALICE>",
                    due=date(2026, 11, 1),
                ),
                ActionItem(
                    kind="monitors",
                    text="Alert on rates of zero",
                    owner="<@U0ALICE>",
                    due=date(2026, 12, 1),
                ),
                ActionItem(
                    kind="gates",
                    text="Prices are compared before a deploy",
                    owner="<@U0BOB>",
                    due=date(2026, 11, 2),
                ),
            )
        ),
    }
)
TIMELINE = (
    Entry(at=NOW, kind="declared", text="Sentry alert SHOP-3: checkout is failing"),
    Entry(
        at=NOW + timedelta(seconds=3),
        kind="triage",
        text="37 users, 2 features; 214 events in 15 min",
    ),
    Entry(
        at=NOW + timedelta(minutes=2),
        kind="pin",
        text="The pool of db-2 is full",
        by="U0BOB",
        ref="message:1",
        url="https://firebreak.slack.com/archives/C1/p1",
    ),
    Entry(
        at=NOW + timedelta(minutes=3),
        kind="lead",
        text="<@U0BOB> leads, in place of <@U0ALICE>",
        by="U0BOB",
    ),
    Entry(
        at=NOW + timedelta(minutes=4),
        kind="decision",
        text="<@U0BOB>: roll back 1.3.0 → 1.2.0",
        by="U0BOB",
    ),
    Entry(at=NOW + timedelta(minutes=12), kind="check", text="Recovered: 14.3 → 0 events/min"),
)
SUMMARY = (
    "PRODUCTION INCIDENT — checkout is failing\n\nDetected:    2026-11-22 03:02 UTC via Sentry "
    "alert\nAction:      rollback to 1.2.0"
)


def messages() -> dict[str, Message]:
    """By the name of the picture."""
    return {
        "measuring": views.status(incident(), NOW, SHOP),
        "status": views.status(deciding(), NOW, SHOP),
        "status-verifying": views.status(VERIFYING, NOW, SHOP),
        "status-mitigated": views.status(MITIGATED, NOW, SHOP),
        "status-failures": views.status(FAILED, NOW, SHOP),
        "status-resolved": views.status(RESOLVED, NOW, SHOP),
        "decision-rollback": views.decision(deciding(), NOW, SHOP, 1),
        "decision-one-feature": views.decision(
            deciding(one_feature(deploys=DEPLOYS)), NOW, SHOP, 1
        ),
        "decision-one-user": views.decision(deciding(ONE_USER), NOW, SHOP, 1),
        "decision-nothing": views.decision(
            deciding(nothing_unusual(frame=None, exception_type=None)), NOW, SHOP, 1
        ),
        "decision-unmeasured": views.decision(
            deciding(triage=None, triage_overdue=True, rounds=(UNMEASURED,)), NOW, SHOP, 1
        ),
        "decision-by-hand": views.decision(deciding(report(manual_by="U0BOB")), NOW, SHOP, 1),
        "decision-running": views.decision(acted(Status.MITIGATING, "running"), NOW, SHOP, 1),
        "decision-failed": views.decision(acted(Status.DECIDING, "failed"), NOW, SHOP, 1),
        "decision-recovered": views.decision(MITIGATED, NOW, SHOP, 1),
        "output": views.progress(MITIGATED, 1),
        "tree": views.tree(THINKING),
        "evidence": views.evidence(THINKING),
        "cause": views.tree(RESOLVED),
        "announcement": views.announcement(MITIGATED),
        "recovered": views.say(
            Say(
                text=f"*Recovered.* {look_sentence(look()).removeprefix('Recovered: ')}",
                picture=True,
            ),
            RECOVERED,
        ),
        "asked": views.say(
            Say(text="Does it work for users again?", ask="recovered", mention=("U0ALICE",)),
            VERIFYING,
        ),
        "try-again": views.say(
            Say(text="The ticket could not be opened.", try_again="7-1"), deciding()
        ),
        "summary": views.summary(SUMMARY, "INC-0001 is resolved by <@U0ALICE>."),
        "listing": views.listing([deciding(), MITIGATED], 2),
        "listing-none": views.listing([], 0),
        "which": notes.which_incident("rollback", [deciding(), MITIGATED], 2, {"name": "rollback"}),
        "timeline": timeline(MITIGATED, TIMELINE),
        "timeline-long": timeline(deciding(), TIMELINE * 8),
        "timeline-corrected": timeline(MITIGATED, gallery_more.CORRECTED, said=CORRECTED_NOTE),
        "reminder": views.reminder(
            "checkout is failing: no update for 30 min. What is the status?",
            deciding(channel=_CHANNEL),
        ),
        "update-due": views.say(
            Say(
                text="An update is due: no update for 40 min. Nobody leads.",
                mention=("S0123",),
                ask="update",
            ),
            deciding(lead=None),
        ),
        "update": views.say(
            Say(
                text=(
                    "*Update by <@U0BOB>:* The pool of db-2 is full.\n"
                    "*Users:* 37 users get errors in payment and cart.\n"
                    "*Doing:* We are rolling back to 1.2.0."
                ),
                due=NOW + timedelta(minutes=30),
            ),
            deciding(),
        ),
        "lacking": notes.lacking(
            MITIGATED, "INC-0001 cannot be resolved yet. Missing:\n• the post-mortem"
        ),
        "declared": notes.declared(deciding()),
        "taken": notes.open_already("payments are down", deciding(), {"text": "payments are down"}),
        "either": notes.either(
            "Did you mean `rollback`?", ("rollback", {}), ("A new incident", {})
        ),
        "offer": notes.offer("prod is down", {}),
        "unplaced-alerts": notes.unplaced_alerts(["LedgerDown (Grafana)"], "", ["shop", "search"]),
        "break-glass": notes.break_glass(
            "Only the owners of this service deploy it: <@U0ALICE>.", {}
        ),
        "help": help_text(),
        **gallery_more.messages(),
    }


def views_shown() -> dict[str, View]:
    """Every form, and the Home, by the name of the picture."""
    open_one, here = deciding(), {"incident": "INC-0001", "round": 1}
    releases = [Release(version=version) for version in ("1.3.0", "1.2.0", "1.1.0")]
    refs = [HotfixRef(name="fix/rates", commit="a" * 40, subject="Rates are never zero")]
    entries = [Entry(at=NOW, kind="declared", text="/incident by <@U0ALICE>: checkout is failing")]
    prefilled = draft_parts(MITIGATED, entries, NOW, {"U0ALICE": "Alice"}, HINDSIGHT)
    return {
        "form-declare": forms.declare(
            [SHOP, service(name="search")], forms.Prefill("checkout is failing"), metadata={}
        ),
        "form-by-hand": forms.triage(open_one, 1),
        "form-merge": merge_and_reopen.which_are_one(
            [open_one, incident(id="INC-0002", number=2, title="search is slow")], open_one
        ),
        "form-rollback": forms.rollback(
            open_one, SHOP, releases, running=releases[0], healthy=releases[1:], metadata=here
        ),
        "form-hotfix": forms.hotfix(open_one, SHOP, refs, running=releases[0], metadata=here),
        "form-loading": forms.loading("incident.hotfix", "Ship a hotfix", open_one),
        "form-fixed": forms.fixed(open_one, 1),
        "form-cause": forms.cause(
            open_one, text="Commit c0ffee123 rounds rates to zero.", metadata=here
        ),
        "form-post-mortem": postmortem.postmortem(MITIGATED, prefilled),
        "form-post-mortem-draft": postmortem.postmortem(
            MITIGATED, prefilled, me="U0ALICE", drafts=SHELF, rows=4
        ),
        "form-post-mortem-unfit": postmortem.postmortem(
            MITIGATED,
            prefilled,
            drafts=postmortem.KnownDrafts(contradictions=gallery_more.UNFIT * 4),
        ),
        "form-update": forms.update(open_one, update_template(open_one), 30),
        "form-cancel": forms.cancel(open_one),
        **gallery_more.corrections(MITIGATED),
        "form-break-glass": forms.break_glass(
            open_one, SHOP, "Roll back shop: 1.3.0 → 1.2.0.", here
        ),
        "form-hypothesis": forms.hypothesis(open_one),
        "form-refused": forms.refused(
            "Not recorded", "Only the owners deploy it: <@U0ALICE>. Nothing was done."
        ),
        "form-failed": forms.failed(
            "incident.hotfix",
            "Ship a hotfix",
            "GitHub: no answer in 5 s. Nothing was done; try again.",
        ),
        "home": home_of(
            HOME,
            "U0ALICE",
            NOW,
            owing=[OWING],
            months=(
                Month(incidents=5, recover_minutes=21.0),
                Month(incidents=3, recover_minutes=12.5, drills=1),
            ),
            site="https://firebreak.slack.com/",
        ),
        "home-refused": forms.home_refused(STRANGER),
        "home-quiet": home_of([], "U0ALICE", NOW),
    }
