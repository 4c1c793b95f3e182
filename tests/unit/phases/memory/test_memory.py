"""The knowledge loop.

Memories are kept, recalled at triage time, and form patterns.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phases.memory.recall import (
    MEMORY_LIMIT_BYTES,
    PATTERN_SPAN,
    STEPS,
    cause_kind,
    day_of,
    memory_question,
    memory_sentences,
    memory_to_keep,
    outcome_text,
    past_incident,
    recollect,
)
from phases.postmortem.adr import adr_text
from phases.record.findings import Cause, Frame, IssueSeen
from phases.record.incident import Round, Status
from phases.record.memories import PastIncident, PastItem, Question, Recalled, Recollection
from phases.record.shortening import fitted_into
from tests.support.values import incidents
from tests.support.values.draws import draws

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def before(number: int, month: int = 10, **changes: Any) -> PastIncident:
    fields: dict[str, Any] = {
        "id": f"INC-{number:04d}",
        "service": "shop",
        "at": datetime(2026, month, 12, 9, tzinfo=UTC),
        "title": "payment is slow",
        "cause": "v1.3.0 dropped an index",
        "cause_kind": "release",
        "action": "rolled back to v1.2.0",
        "minutes": 9,
        "adr": "ADR-0004",
        "features": ("payment",),
        "open_items": 2,
    }
    return PastIncident(**{**fields, **changes})


def rolled_back(number: int, month: int = 10, **changes: Any) -> PastIncident:
    return before(
        number,
        month,
        **{"file": "shop/cart.py", "tried": ("rollback",), "worked": "rollback", **changes},
    )


def asked(**changes: Any) -> Question:
    fields: dict[str, Any] = {
        "service": "shop",
        "before": "INC-0042",
        "since": NOW - PATTERN_SPAN,
        "file": "shop/cart.py",
    }
    return Question(**{**fields, **changes})


def pattern(hits: list[PastIncident], to: Question | None = None) -> str:
    recollection = recollect(
        Recalled(in_span=len(hits), newest=tuple(hits), alike=tuple(hits)), to or asked(), NOW
    )
    return recollection.pattern if recollection else ""


def test_what_is_kept_of_an_incident() -> None:
    issue = IssueSeen(
        id="77", short_id="SHOP-3", title="KeyError", first_seen=incidents.T0, events=9
    )
    triage = incidents.report(issues=(issue,), issue_ids=("77", "78"))
    assert past_incident(incidents.incident(triage=triage, seeds=("79", "78"))) == PastIncident(
        id="INC-0042",
        service="shop",
        at=incidents.T0,
        title="checkout is failing",
        cause="v42 dropped the region key",
        cause_kind="release",
        action="rolled back to v41",
        minutes=16,
        adr="ADR-0007",
        features=("cart", "payment", "search"),
        open_items=2,
        status="mitigated",
        severity=1,
        file="shop/pricing.py",
        function="total",
        issues=("77", "78", "79"),
        tried=("rollback",),
        worked="rollback",
        impact_minutes=20,
        detect_seconds=240,
        decide_seconds=180,
        recover_seconds=990,
        items=(
            PastItem(
                kind="tests", text="price a cart without region", owner="Ann", due=date(2026, 12, 1)
            ),
            PastItem(kind="monitors", text="alert after one minute"),
        ),
        items_total=3,
    )
    bare = past_incident(
        incidents.incident(
            cause=None, postmortem=None, adr=None, triage=None, rounds=(), hypotheses=()
        )
    )
    assert (bare.cause, bare.cause_kind, bare.action, bare.features, bare.open_items) == (
        "",
        "",
        "",
        (),
        0,
    )


def test_remembered_from_the_first_recovery_until_it_is_cancelled() -> None:
    recovered = incidents.incident()
    assert memory_to_keep(recovered) is not None
    back = recovered.model_copy(update={"status": Status.DECIDING, "recovered_at": None})
    reopened = memory_to_keep(back)
    assert reopened is not None
    assert (reopened.worked, reopened.tried, reopened.minutes) == ("", ("rollback",), None)
    assert "and it came back" in outcome_text(reopened)
    assert memory_to_keep(recovered.model_copy(update={"status": Status.CANCELLED})) is None
    burning = (Round(number=1, opened_at=incidents.T0, why="triage"),)
    assert memory_to_keep(incidents.incident(rounds=burning, recovered_at=None)) is None


def test_a_private_one_leaves_only_what_is_counted() -> None:
    past = past_incident(incidents.incident(private=True, title="key leaked", channel=None))
    assert (past.private, past.title, past.minutes, past.impact_minutes, past.severity) == (
        True,
        "private incident",
        16,
        20,
        1,
    )
    assert not any(
        (past.cause, past.action, past.file, past.features, past.issues, past.items, past.adr)
    )


@settings(max_examples=draws(60))
@given(st.text(min_size=1, max_size=300), st.lists(st.text(max_size=200), max_size=20))
def test_a_memory_is_small_whatever_was_written(text: str, many: list[str]) -> None:
    past = before(
        1, title=text * 3, cause=text * 9, action=text * 9, file=text * 2, features=tuple(many)
    )
    items = tuple(PastItem(kind="tests", text=name, owner=text[:40]) for name in many)
    big = past.model_copy(update={"items": items, "issues": tuple(many)})
    small = fitted_into(big, MEMORY_LIMIT_BYTES, STEPS)
    assert len(small.model_dump_json().encode()) <= MEMORY_LIMIT_BYTES
    assert (small.id, small.at, small.minutes, small.adr) == (
        past.id,
        past.at,
        past.minutes,
        past.adr,
    )


def test_the_kind_of_cause_comes_from_what_held() -> None:
    known = Cause(text="c", at=incidents.T0)
    assert (
        cause_kind(
            incidents.incident(hypotheses=(), cause=known.model_copy(update={"release": "v42"}))
        )
        == "release"
    )
    assert (
        cause_kind(
            incidents.incident(hypotheses=(), cause=known.model_copy(update={"commit": "abc"}))
        )
        == "commit"
    )
    assert cause_kind(incidents.incident(hypotheses=(), cause=known)) == ""


def test_last_time_in_one_sentence() -> None:
    assert outcome_text(before(3)) == (
        "rolled back to v1.2.0, over after 9 min; "
        "cause: v1.3.0 dropped an index; ADR-0004; 2 action items open"
    )
    older = before(
        3,
        action="rolled back to v1 (failed); then fixed: flag off",
        adr=None,
        open_items=1,
        cause="",
        minutes=None,
    )
    assert outcome_text(older) == (
        "rolled back to v1 (failed); then fixed: flag off; 1 action item open"
    )
    assert day_of(datetime(2025, 3, 1, tzinfo=UTC), NOW) == "1 Mar 2025"
    assert "nothing was done" in outcome_text(before(3, action=""))


def test_the_third_fire_in_a_file_is_a_pattern_in_one_plain_sentence() -> None:
    hits = [rolled_back(3), rolled_back(2, 9)]
    assert pattern(hits) == "Third fire in shop/cart.py in 90 days; rollback worked each time."
    assert pattern(hits[:1]) == ""
    assert pattern([rolled_back(3), rolled_back(2, 6)]) == ""  # too long ago
    assert pattern([rolled_back(3), rolled_back(42, 9)]) == ""  # itself


@pytest.mark.parametrize(
    ("hits", "how"),
    [
        ([rolled_back(3), rolled_back(2, worked="")], "; rollback worked 1 of 2 times"),
        (
            [rolled_back(3, worked=""), rolled_back(2, worked="")],
            "; rollback worked none of 2 times",
        ),
        (
            [
                rolled_back(3, tried=("rollback", "hotfix"), worked="hotfix"),
                rolled_back(2, tried=("hotfix",), worked="hotfix"),
            ],
            "; a hotfix worked each time",
        ),
        (
            [rolled_back(3, tried=(), worked=""), rolled_back(2, tried=(), worked="")],
            "; the cause was a release each time",
        ),
        (
            [
                rolled_back(3, tried=(), worked="", cause_kind=""),
                rolled_back(2, tried=(), worked=""),
            ],
            "",
        ),
    ],
)
def test_the_pattern_says_what_worked(hits: list[PastIncident], how: str) -> None:
    assert pattern(hits) == f"Third fire in shop/cart.py in 90 days{how}."


def test_a_sentry_issue_or_a_feature_that_comes_back_is_a_pattern_too() -> None:
    same = [rolled_back(3, file="", issues=("77",)), rolled_back(2, file="", issues=("77",))]
    assert pattern(same, asked(file="", issues=("77",), names={"77": "SHOP-3"})).startswith(
        "Third fire of SHOP-3 in 90 days"
    )
    others = [rolled_back(n, file="", features=("payment",)) for n in (1, 2, 3)]
    assert pattern(others, asked(file="", features=("cart", "payment"))).startswith(
        "Fourth fire in payment in 90 days"
    )
    assert pattern([rolled_back(n) for n in range(1, 21)]).startswith(
        "At least the 21st fire in shop/cart.py"
    )


def test_a_file_of_another_service_counts_where_its_function_is_the_same() -> None:
    other = [rolled_back(n, service="search", function="total") for n in (2, 3)]
    assert pattern(other, asked(function="total")).startswith("Third fire in shop/cart.py")
    assert pattern(other, asked(function="price")) == ""
    recollection = recollect(Recalled(alike=tuple(other)), asked(function="total"), NOW)
    assert recollection is not None
    assert recollection.lines[0].startswith(
        "Same place (shop/cart.py) before (INC-0002, search, 12 Oct): rolled back to v1.2.0"
    )


def test_what_is_known_in_its_order() -> None:
    late = PastItem(
        kind="tests", text="a cart without a region", owner="Ann", due=date(2026, 11, 1)
    )
    alike = rolled_back(
        3,
        issues=("77",),
        items=(late, PastItem(kind="gates", text="canary", due=date(2026, 12, 1))),
    )
    newest = (before(7, 11), alike, before(2, 9), before(1, 8))
    recollection = recollect(
        Recalled(in_span=3, newest=newest, alike=(alike,)), asked(issues=("77",)), NOW
    )
    assert recollection is not None
    assert recollection.pattern == ""
    assert [line.split(":")[0] for line in recollection.lines] == [
        "Same Sentry issue before (INC-0003, 12 Oct)",
        "Not done since INC-0003, it might have prevented this",
        "Not done since INC-0003, it might have prevented this",
        "Last time (INC-0007, 12 Nov)",
        "Before that (INC-0002, 12 Sep)",
        "3 incidents of shop in the 90 days before",
    ]
    assert recollection.lines[1].endswith("tests: a cart without a region (Ann, was due 1 Nov)")
    assert recollection.lines[2].endswith("gates: canary (due 1 Dec)")
    assert recollect(Recalled(), asked(), NOW) is None


def test_items_of_an_incident_elsewhere_would_not_have_prevented_this_one() -> None:
    elsewhere = rolled_back(
        3, file="shop/session.py", items=(PastItem(kind="tests", text="import an account"),)
    )
    assert set(elsewhere.features) & set(asked(features=("payment",)).features)
    recalled = recollect(
        Recalled(in_span=1, newest=(elsewhere,)), asked(features=("payment",)), NOW
    )
    assert recalled is not None
    assert [line.split(":")[0] for line in recalled.lines] == ["Last time (INC-0003, 12 Oct)"]


def test_what_was_recalled_stays_as_it_was_said_and_goes_in_the_adr() -> None:
    recollection = Recollection(
        pattern="Third fire in shop/cart.py in 90 days.", lines=("Last time (INC-0003, 12 Oct): …",)
    )
    now = incidents.incident(recollection=recollection)
    assert memory_sentences(now) == (recollection.pattern, *recollection.lines)
    assert memory_sentences(incidents.incident()) == ()
    text = adr_text(now, incidents.entries(), 7, incidents.NAMES)
    assert (
        "\n## Seen before\n\nThird fire in shop/cart.py in 90 days.\n\n"
        "- Last time (INC-0003, 12 Oct): …\n"
    ) in text
    assert "## Seen before" not in adr_text(
        incidents.incident(), incidents.entries(), 7, incidents.NAMES
    )


@pytest.mark.parametrize(
    "file", ["?", "app:///index.android.bundle", "app:///main.jsbundle", "main.dart.js"]
)
def test_what_a_whole_app_is_packed_into_is_no_place(file: str) -> None:
    report = incidents.report(frame=Frame(file=file, function="value"))
    assert memory_question(incidents.incident(), report, NOW).file == ""


def test_triage_asks_by_place_issue_and_feature() -> None:
    issue = IssueSeen(
        id="77", short_id="SHOP-3", title="KeyError", first_seen=incidents.T0, events=9
    )
    question = memory_question(
        incidents.incident(seeds=("70",)),
        incidents.report(issues=(issue,), issue_ids=("77", "78")),
        NOW,
    )
    assert (question.file, question.function, question.issues) == (
        "shop/pricing.py",
        "total",
        ("77", "78", "70"),
    )
    assert question.names == {"77": "SHOP-3"}
    assert question.since == NOW - timedelta(days=90)


@given(
    st.lists(
        st.builds(
            rolled_back,
            st.integers(1, 30),
            st.integers(1, 11),
            features=st.lists(st.sampled_from(["cart", "payment", "x"]), max_size=3).map(tuple),
            cause_kind=st.sampled_from(["", "release", "data", "other"]),
            tried=st.lists(st.sampled_from(["rollback", "hotfix", "fixed"]), max_size=3).map(tuple),
            worked=st.sampled_from(["", "rollback", "hotfix"]),
            issues=st.lists(st.sampled_from(["1", "2", "3"]), max_size=2).map(tuple),
        ),
        max_size=25,
        unique_by=lambda past: past.id,
    )
)
def test_every_memory_can_be_said(hits: list[PastIncident]) -> None:
    to = asked(issues=("1", "2"), features=("cart",))
    recollection = recollect(
        Recalled(in_span=len(hits), newest=tuple(hits), alike=tuple(hits)), to, NOW
    )
    assert (recollection is None) == (not hits)
    for sentence in (recollection.pattern, *recollection.lines) if recollection else ():
        assert "\n" not in sentence
        assert len(sentence) < 1000
    if recollection and recollection.pattern:
        recent = [past for past in hits if past.at >= to.since]
        assert len(recent) >= 2
