"""Words that people read.

Times are in their own zone, nothing is said twice, and each incident takes one tap.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from handlers import views
from handlers.views import notes, phrasing
from handlers.views.text import spoken, words
from phases.record.findings import Choice, Confidence, Look, LookVerdict, Recommendation, Share
from phases.record.incident import Round, Status
from tests.support.values.factories import NOW, blast, incident, report, service

TOKEN = "<!date^1795385760^{date_short_pretty} {time}|2026-11-22 22:16 UTC>"


def test_a_look_that_had_nothing_to_count_shows_no_count() -> None:
    why = "no Sentry issue belongs to this incident, so nothing was measured"
    look = Look(number=1, at=NOW, verdict=LookVerdict.TOO_FEW, reasons=(why,))
    assert phrasing.look(look) == f"○ {why}"


def test_a_time_that_the_rules_wrote_is_shown_in_the_readers_zone() -> None:
    assert spoken("decided it at 2026-11-22 22:16 UTC (done).") == f"decided it at {TOKEN} (done)."
    assert spoken(spoken("at 2026-11-22 22:16 UTC")) == f"at {TOKEN}", "a token stays one token"
    assert spoken("at 2026-13-45 22:16 UTC") == "at 2026-13-45 22:16 UTC"
    assert words("at 2026-11-22 22:16 UTC") == "at 2026-11-22 22:16 UTC", (
        "what Sentry or Git say stays theirs"
    )


def test_no_decision_says_a_thing_twice() -> None:
    why = "migrations/0042.sql changed: going back may lose data."
    held = Recommendation(choice=Choice.INVESTIGATE, brakes=(why,), offer_rollback=False)
    for recommendation in (held, held.model_copy(update={"loud": True})):
        measured = report(recommendation=recommendation)
        round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=recommendation)
        deciding = incident(status=Status.DECIDING, triage=measured, rounds=(round_,))
        shown = json.dumps(views.decision(deciding, NOW, service(), 1).blocks, ensure_ascii=False)
        assert shown.count(why.rstrip(".")) == 1
        assert ".." not in shown


def _decision(**fields: Any) -> str:
    measured = report(**fields)
    round_ = Round(number=1, opened_at=NOW, why="triage", recommendation=measured.recommendation)
    deciding = incident(status=Status.DECIDING, triage=measured, rounds=(round_,))
    return json.dumps(views.decision(deciding, NOW, service(), 1).blocks, ensure_ascii=False)


def _status(**fields: Any) -> str:
    return json.dumps(views.status(incident(**fields), NOW, service()).blocks, ensure_ascii=False)


def test_what_sentry_did_not_tell_is_said_once() -> None:
    volume = "Users not known, 214 events in the last 15 min (14.3/min, baseline 0.2/min)."
    unknown = {
        "user_count": None,
        "top_features": (),
        "inferred": True,
        "unknown": ("users", "features", "places"),
    }
    dark = blast(
        **unknown,
        confidence=Confidence.LOW,
        regions=(),
        organisations=(),
        sentences=(volume, "Taken as many."),
    )
    shown = _decision(blast=dark)
    assert "Users and features not known; 214 events in 15 min (14/min, normally 0.2)" in shown
    assert "Taken as many." in shown
    assert volume not in shown
    assert "*Users*" not in shown
    assert "*Hit*: users and features not known; since" in _status(
        status=Status.DECIDING, triage=report(blast=dark)
    )


def test_places_say_of_how_many_events_they_are_known_where_most_name_none() -> None:
    shown = _decision(blast=blast(regions=(Share(name="eu-west", events=150),)))
    assert "eu-west 100\u00a0%\\n" in shown
    shown = _decision(blast=blast(regions=(Share(name="eu-west", events=52),)))
    assert "eu-west 100\u00a0% of the 52 events that name one" in shown


def test_a_rollback_that_is_not_safe_is_not_called_ready_and_its_button_has_reasons_against_it():
    held = report().recommendation.model_copy(
        update={"choice": Choice.INVESTIGATE, "brakes": ("Too old.",)}
    )
    assert "with a rollback ready beside it" in _decision(recommendation=held)
    loud = _decision(
        recommendation=held.model_copy(
            update={"loud": True, "brakes": ("Too old.", "It ran well.")}
        )
    )
    assert "Recommended: investigate*" in loud
    assert "*Not safe*: It ran well." in loud


def test_what_has_one_line_on_a_phone_is_said_whole() -> None:
    """A title ends in the middle of a word rather than behind `KeyError`.

    A length without its time is not cut.
    """
    over = {
        "recovered_at": NOW + timedelta(minutes=2),
        "triage": report(),
        "severity": 1,
    }
    full = incident(
        title="KeyError: 'region_code'", status=Status.DECIDING, triage=report(), lead="U0BOB"
    )
    title = views.status(full, NOW, service()).blocks[0]["text"]["text"]
    assert title.startswith("INC-0001 · KeyError: 'region")
    shown = _status(status=Status.MITIGATED, **over)
    assert "*Recovered* after 2 min" in shown
    assert "2 min…" not in shown


def test_how_long_before_a_suspect_was_deployed_is_said_as_everywhere() -> None:
    for minutes, expected in (
        (4297, "2 days before it began"),
        (0, "deployed as it began"),
        (0.2, "12 s before it began"),
    ):
        measured = report(suspect={"version": "1.3.0"}, suspect_minutes=minutes)
        assert expected in _status(status=Status.DECIDING, triage=measured)


def test_what_is_over_says_nothing_of_what_was_never_known() -> None:
    shown = json.dumps(
        views.status(
            incident(status=Status.CANCELLED, cancel_reason="a test"), NOW, service()
        ).blocks
    )
    for never in ("not known yet", "nothing yet", "took"):
        assert never not in shown
    assert "*Why*: a test" in shown


def test_each_of_several_incidents_has_its_button() -> None:
    both = [incident(), incident(id="INC-0002", number=2)]
    shown = notes.which_incident("severity", both, 2, {"name": "severity"})
    values = [
        json.loads(block["accessory"]["value"]) for block in shown.blocks if "accessory" in block
    ]
    assert values == [
        {"name": "severity", "incident": "INC-0001"},
        {"name": "severity", "incident": "INC-0002"},
    ]
