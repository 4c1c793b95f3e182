"""The decision: whether going back would end it, what it takes back, and who warned of it."""

from __future__ import annotations

import json
from typing import Any

from handlers import views
from handlers.views.blocks import Message
from phases.record.findings import Choice, Release
from phases.record.going_back import Likelihood, Quote, TakenBack
from phases.record.incident import Incident, Round, Status
from tests.support.values.factories import NOW, incident, report, service


def buttons(shown: Message) -> dict[str, dict[str, Any]]:
    return {
        e["action_id"]: e for b in shown.blocks if b["type"] == "actions" for e in b["elements"]
    }


def text_of(shown: Message) -> str:
    return json.dumps(shown.blocks, ensure_ascii=False)


def deciding(**fields: Any) -> Incident:
    return incident(**{"status": Status.DECIDING, "triage": report(), **fields})


TAKEN = TakenBack(
    since="1.2.0",
    commits=12,
    pull_requests=6,
    names=("Round the tax (#41)", "Faster <!channel> search (#40)"),
    fixes=("INC-0031 (fix/tax)", "INC-0030 (#7)"),
    security=("Bump jinja2 for CVE-2024-56326 (#37)",),
    one_way=("migrations/0042_drop_tax.sql",),
    oldest_schema="migrations/0041_tax.sql and 1 later migration",
)


def test_what_a_rollback_takes_back_stands_on_the_decision_and_in_its_dialog() -> None:
    advice = report().recommendation.model_copy(update={"takes_back": TAKEN})
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=advice)
    shown = views.decision(deciding(rounds=(round_,)), NOW, service(), 1)
    text = text_of(shown)
    for part in (
        "12 commits in 6 pull requests since 1.2.0: Round the tax (#41)",
        "and more",
        "*A rollback takes back* the fix for INC-0031 (fix/tax) and INC-0030 (#7)",
        "security: Bump jinja2 for CVE-2024-56326 (#37)",
        "*It does not undo* migrations/0042_drop_tax.sql",
        "1.2.0 does not know migrations/0041_tax.sql and 1 later migration",
    ):
        assert part in text
    assert "<!channel>" not in text
    asked = buttons(shown)["decision.rollback"]["confirm"]["text"]["text"]
    assert len(asked) <= 300
    assert asked.startswith("production: 1.3.0 → 1.2.0. It starts at once. ")
    assert "the fix for INC-0031 (fix/tax) and INC-0030 (#7); security: Bump jinja2" in asked


def test_a_long_version_leaves_room_for_what_goes_with_it() -> None:
    long = Release(version="2026.11.22-rc.1+build." + "4" * 150)
    measured = report(running=long)
    advice = measured.recommendation.model_copy(update={"takes_back": TAKEN, "target": long})
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=advice)
    shown = views.decision(deciding(triage=measured, rounds=(round_,)), NOW, service(), 1)
    asked = buttons(shown)["decision.rollback"]["confirm"]["text"]["text"]
    assert len(asked) <= 300
    assert "the fix for INC-0031 (fix/tax)" in asked


def test_a_warning_is_quoted_beside_the_button_and_said_once() -> None:
    quote = Quote(text="Do not roll back!", where="the timeline", by="U0BOB")
    advice = report().recommendation.model_copy(
        update={
            "choice": Choice.INVESTIGATE,
            "written": (quote,),
            "brakes": ("The timeline says “Do not roll back!”.", "It ran already."),
            "likely": Likelihood.LIKELY,
        }
    )
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=advice)
    text = text_of(views.decision(deciding(rounds=(round_,)), NOW, service(), 1))
    assert "*Warned*: “Do not roll back!” (<@U0BOB>, the timeline)" in text
    assert text.count("Do not roll back!") == 1
    assert "*Not safe*: It ran already." in text


def test_why_a_rollback_does_not_come_first_stands_under_the_advice() -> None:
    away = "1.3.0 ran well for 5 h before."
    advice = report().recommendation.model_copy(
        update={
            "choice": Choice.INVESTIGATE,
            "likely": Likelihood.UNLIKELY,
            "reasons": (f"A rollback would probably not end it. {away}",),
            "points_away": (away, "The errors are older than 1.3.0."),
        }
    )
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=advice)
    shown = views.decision(deciding(rounds=(round_,)), NOW, service(), 1)
    assert f"A rollback would probably not end it. {away}" in shown.blocks[0]["text"]["text"]
    text = text_of(shown)
    assert text.count(away) == 1
    assert "*Points away from `1.3.0`*: The errors are older than 1.3.0." in text
