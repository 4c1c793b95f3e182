"""The words that people read: times in their own zone, nothing said twice, one tap for each incident."""

from __future__ import annotations

import json

from factories import NOW, incident, report, service

from handlers import views
from handlers.views import phrasing, says
from handlers.views.text import spoken, words
from phases.incident import Round, Status
from phases.report import Choice, Look, LookVerdict, Recommendation

TOKEN = "<!date^1795385760^{date_short_pretty} {time}|2026-11-22 22:16 UTC>"


def test_a_look_that_had_nothing_to_count_shows_no_count() -> None:
    why = "no Sentry issue belongs to this incident, so nothing was measured"
    seen = Look(number=1, at=NOW, verdict=LookVerdict.TOO_FEW, reasons=(why,))
    assert phrasing.look(seen) == f"○ {why}"


def test_a_time_that_the_rules_wrote_is_shown_in_the_readers_zone() -> None:
    assert spoken("decided it at 2026-11-22 22:16 UTC (done).") == f"decided it at {TOKEN} (done)."
    assert spoken(spoken("at 2026-11-22 22:16 UTC")) == f"at {TOKEN}", "a token stays one token"
    assert spoken("at 2026-13-45 22:16 UTC") == "at 2026-13-45 22:16 UTC"
    assert words("at 2026-11-22 22:16 UTC") == "at 2026-11-22 22:16 UTC", "what Sentry or Git say stays theirs"


def test_no_decision_says_a_thing_twice() -> None:
    why = "migrations/0042.sql changed: going back may lose data."
    held = Recommendation(choice=Choice.INVESTIGATE, brakes=(why,), offer_rollback=False)
    for recommendation in (held, held.model_copy(update={"loud": True})):
        found = report(recommendation=recommendation)
        one = Round(number=1, opened_at=NOW, why="triage", recommendation=recommendation)
        deciding = incident(status=Status.DECIDING, triage=found, rounds=(one,))
        shown = json.dumps(views.decision(deciding, NOW, service(), 1).blocks, ensure_ascii=False)
        assert shown.count(why.rstrip(".")) == 1
        assert ".." not in shown


def test_what_is_over_says_nothing_of_what_was_never_known() -> None:
    shown = json.dumps(views.status(incident(status=Status.CANCELLED, cancel_reason="a test"), NOW, service()).blocks)
    for never in ("not known yet", "nothing yet", "took"):
        assert never not in shown
    assert "*Why*: a test" in shown


def test_each_of_several_incidents_has_its_button() -> None:
    shown = says.which("severity", [incident(), incident(id="INC-0002", number=2)], {"name": "severity"})
    values = [json.loads(block["accessory"]["value"]) for block in shown.blocks if "accessory" in block]
    assert values == [{"name": "severity", "incident": "INC-0001"}, {"name": "severity", "incident": "INC-0002"}]
