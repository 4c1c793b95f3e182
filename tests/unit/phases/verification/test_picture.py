"""The picture of an incident: at most 20 spans that lose no event.

Everything stands in its place, with the same numbers in every form.
"""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from handlers import views
from handlers.views.blocks import Message
from phases.messages.effects import Say
from phases.ports.tracker_values import Minutes
from phases.postmortem.adr import adr_text
from phases.record.documents import Postmortem
from phases.record.findings import DeploySeen, Picture, Release
from phases.record.incident import ActionKind, Incident, Round, RoundAction
from phases.verification.event_chart import (
    LONGEST,
    POINTS,
    chart_begin,
    chart_in_words,
    chart_marks,
    chart_of,
    chart_points,
    mermaid_chart,
    quick_chart,
)
from sandbox.slack.block_kit.blocks import plain
from sandbox.slack.block_kit.limits import check_message_blocks
from tests.support.values.factories import NOW, incident, look, report

MINUTE = timedelta(minutes=1)
WINDOW = timedelta(minutes=15)
ALERT = NOW
RECOVERED = ALERT + timedelta(minutes=12, seconds=20)


def burned() -> Minutes:
    """40 a minute from two minutes before the alert until the rollback, six minutes after it."""
    return Minutes(counts={ALERT + at * MINUTE: 40 for at in range(-2, 6)})


def rolled_back(**fields: object) -> Incident:
    action = RoundAction(
        kind=ActionKind.ROLLBACK,
        by="U0ALICE",
        at=ALERT + 5 * MINUTE,
        started_at=ALERT + 6 * MINUTE,
        to_release=Release(version="1.2.0"),
        result="done",
    )
    deploys = (
        DeploySeen(
            release=Release(version="1.3.0"),
            service="shop",
            started_at=ALERT - 4 * MINUTE,
            source="sentry",
        ),
        DeploySeen(
            release=Release(version="1.2.0"),
            service="shop",
            started_at=ALERT - timedelta(days=2),
            source="bot",
        ),
    )
    round_ = Round(
        number=1, opened_at=NOW, why="triage", action=action, looks=(look(),), verdict="recovered"
    )
    given = {
        "detected_at": ALERT,
        "triage": report(deploys=deploys, suspect=Release(version="1.3.0")),
        "rounds": (round_,),
        "picture": chart_of(burned(), ALERT, RECOVERED, WINDOW),
        "recovered_at": RECOVERED,
    }
    return incident(**{**given, **fields})


def shown(record: Incident) -> Message:
    return views.say(Say(text="*Recovered.* 40 → 0 events a minute.", picture=True), record)


def test_from_half_an_hour_before_the_alert_to_now() -> None:
    picture = rolled_back().picture
    assert picture == Picture(
        begin=ALERT - 30 * MINUTE,
        until=RECOVERED,
        seconds=180,
        counts=(0,) * 9 + (80, 120, 120, 0, 0),
    )
    assert chart_begin(ALERT, RECOVERED, WINDOW) == ALERT - 30 * MINUTE


def test_what_happened_stands_where_it_happened() -> None:
    marks = {
        point.label: [mark.word for mark in point.marks]
        for point in chart_points(rolled_back())
        if point.marks
    }
    assert marks == {"-6": ["deploy"], "0": ["alert"], "6": ["rollback"], "9": ["recovered"]}
    assert [mark.says for mark in chart_marks(rolled_back())] == [
        "deploy of 1.3.0",
        "alert",
        "rollback to 1.2.0",
        "recovered",
    ]


def test_words_that_do_not_fit_on_the_axis_are_letters() -> None:
    at_once = rolled_back(
        picture=chart_of(burned(), ALERT, ALERT + 2 * MINUTE, WINDOW), recovered_at=ALERT + MINUTE
    )
    action = at_once.rounds[0].action
    assert action is not None
    quick = at_once.rounds[0].model_copy(
        update={"action": action.model_copy(update={"started_at": ALERT})}
    )
    chart = shown(at_once.model_copy(update={"rounds": (quick,)})).rich[1]["chart"]
    assert chart["axis_config"]["categories"][-3:] == ["-4 deploy", "-2", "0 A R E"]


def test_what_came_after_the_picture_or_was_never_done_is_not_in_it() -> None:
    round_ = rolled_back().rounds[0]
    assert round_.action is not None
    later = round_.model_copy(
        update={
            "number": 2,
            "action": round_.action.model_copy(update={"started_at": RECOVERED + 30 * MINUTE}),
        }
    )
    never = round_.model_copy(
        update={"number": 3, "action": round_.action.model_copy(update={"result": "not started"})}
    )
    assert chart_marks(rolled_back(rounds=(round_, later, never))) == chart_marks(rolled_back())


@given(
    st.integers(1, 60 * 40),
    st.integers(0, 59),
    st.integers(1, 40),
    st.dictionaries(st.integers(-400, 3000), st.integers(0, 999)),
)
def test_every_event_is_in_it_once(
    minutes: int, seconds: int, window: int, counts: dict[int, int]
) -> None:
    now = ALERT + minutes * MINUTE + timedelta(seconds=seconds)
    by_minute = Minutes(counts={ALERT + at * MINUTE: n for at, n in counts.items()})
    picture = chart_of(by_minute, ALERT, now, window * MINUTE)
    if picture is None:
        assert now - ALERT > LONGEST, "the alert itself is too long ago"
        return
    assert 1 <= len(picture.counts) <= POINTS
    assert (ALERT - picture.begin) % (timedelta(seconds=picture.seconds)) == timedelta(0), (
        "one span begins with the alert"
    )
    assert chart_begin(ALERT, now, window * MINUTE) <= picture.begin <= ALERT
    inside = [n for at, n in by_minute.counts.items() if picture.begin <= at < now]
    assert sum(picture.counts) == sum(inside)
    last = now - (picture.begin + (len(picture.counts) - 1) * timedelta(seconds=picture.seconds))
    assert MINUTE <= last < timedelta(seconds=picture.seconds) + MINUTE


def test_short_windows_are_shown_in_seconds() -> None:
    assert quick_chart(ALERT, RECOVERED, WINDOW) is None, "whole minutes are enough"
    chart = quick_chart(ALERT, ALERT + timedelta(seconds=47), timedelta(seconds=60))
    assert chart is not None
    empty, spans = chart
    assert (empty.seconds, len(spans), spans[0][0]) == (10, 16, ALERT - 2 * MINUTE)
    assert spans[-1] == (ALERT + timedelta(seconds=30), ALERT + timedelta(seconds=47))
    assert all(span[1] == other[0] for span, other in itertools.pairwise(spans)), "no event is lost"
    record = rolled_back(
        picture=empty.model_copy(update={"counts": tuple(range(16))}), recovered_at=None, rounds=()
    )
    assert [p.label for p in chart_points(record)][10:13] == ["-20", "-10", "0"]
    assert chart_points(record)[-1].per_minute == round(15 * 60 / 17, 1)
    assert "each for 10 s" in chart_in_words(record)
    assert any("Seconds since the alert" in line for line in mermaid_chart(record))


def test_the_same_numbers_in_chart_words_and_adr() -> None:
    record = rolled_back()
    numbers = [point.per_minute for point in chart_points(record)]
    message = shown(record)
    chart = next(b for b in message.rich if b["type"] == "data_visualization")["chart"]
    assert [point["value"] for point in chart["series"][0]["data"]] == numbers
    assert chart["axis_config"]["categories"][8:] == [
        "-6 deploy",
        "-3",
        "0 alert",
        "3",
        "6 rollback",
        "9 recovered",
    ]
    words = chart_in_words(record)
    assert [float(n) for n in re.findall(r"(?:[:,]|\]) (?=\d)([\d.]+)", words)] == numbers
    assert "[alert] 40, 40, [rollback to 1.2.0] 0, [recovered] 0." in words
    for text in (message.text, plain({"blocks": list(message.blocks)})):
        assert "[deploy of 1.3.0] 0, 26.7, [alert] 40, 40," in text
    bars = next(line for line in mermaid_chart(record) if line.strip().startswith("bar"))
    assert [float(n) for n in re.findall(r"[\d.]+", bars)] == numbers
    check_message_blocks(list(message.rich), rich=True)
    check_message_blocks(list(message.blocks), rich=False)


def test_without_minutes_of_sentry_there_is_none() -> None:
    assert chart_of(Minutes(known=False), ALERT, RECOVERED, WINDOW) is None
    bare = rolled_back(picture=None)
    assert (chart_points(bare), chart_marks(bare), chart_in_words(bare), mermaid_chart(bare)) == (
        (),
        [],
        "",
        [],
    )
    assert shown(bare).rich == ()


def test_the_adr_draws_it_and_escapes_what_others_named() -> None:
    record = rolled_back()
    action = record.rounds[0].action
    assert action is not None
    nasty = action.model_copy(update={"to_release": Release(version='1.2.0"] <b>*x*')})
    written = Postmortem(
        timeline="t",
        root_cause="r",
        monitoring="m",
        tests="t",
        items=(),
        revisit="v",
        by="U0ALICE",
        at=NOW,
    )
    rounds = (record.rounds[0].model_copy(update={"action": nasty}),)
    text = adr_text(record.model_copy(update={"postmortem": written, "rounds": rounds}), (), 1, {})
    drawing = text.split("```mermaid\n")[1].split("```")[0]
    assert drawing.startswith("xychart-beta\n")
    assert '"-6 D", "-3", "0 A", "3", "6 R", "9 E"]' in drawing
    assert 'y-axis "Events a minute" 0 --> 40\n' in drawing
    assert "<b>" not in text.split("## Events a minute")[1].split("## Why")[0]
    assert "- A: alert, 2026-11-22 03:02 UTC" in text
