"""Trends over months: what is counted, what is left out, what is called fragile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phases.memory.trends import Month, trends, visible_memories
from phases.record.memories import PastIncident
from tests.support.values.memories import past_incident

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def test_by_service_and_month() -> None:
    past_incidents = [
        past_incident(1, 6, impact_minutes=30, recover_seconds=1800),
        past_incident(2, 9, cause_kind="data", detect_seconds=180),
        past_incident(3, 11),
        past_incident(3, 11),  # the same one twice is one
        past_incident(
            4,
            11,
            service="search",
            file="",
            features=(),
            cause_kind="",
            open_items=0,
            items_total=0,
        ),
        past_incident(5, 5),  # too long ago
        past_incident(6, 11, status="cancelled"),
    ]
    overview = trends(past_incidents, NOW)
    assert overview.months == ("2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11")
    shop, search = overview.services
    assert [month.incidents for month in shop.months] == [1, 0, 0, 1, 0, 1]
    assert shop.total == Month(
        incidents=3,
        impact_minutes=54,
        detect_minutes=1.0,
        decide_minutes=2.0,
        recover_minutes=9.0,
        by_deploys=2,
        with_cause=3,
        items_done=6,
        items=9,
    )
    assert shop.months[1] == Month()
    assert shop.files == (("shop/cart.py", 3),)
    assert (search.total.incidents, search.total.with_cause, search.files) == (1, 0, ())
    assert overview.all.total.incidents == 4
    assert overview.fragile is not None
    assert overview.fragile.says == (
        "shop/cart.py of shop: 3 incidents (INC-0003, INC-0002 and INC-0001), 54 minutes of user "
        "impact, mostly by a release, 3 action items open."
    )


def test_months_over_the_year_and_up_to_the_last_whole_one() -> None:
    january = datetime(2026, 1, 5, tzinfo=UTC)
    assert trends([], january, months=3).months == ("2025-11", "2025-12", "2026-01")
    assert trends([], january, months=2, upto=1).months == ("2025-11", "2025-12")


def test_drills_are_counted_apart_and_in_nothing_else() -> None:
    overall = trends(
        [
            past_incident(1),
            past_incident(2, drill=True),
            past_incident(3, drill=True),
            past_incident(4),
        ],
        NOW,
    ).all
    assert (overall.total.incidents, overall.total.drills, overall.total.impact_minutes) == (
        2,
        2,
        24,
    )
    assert overall.files == (("shop/cart.py", 2),)


def test_private_ones_count_for_their_members_only() -> None:
    past_incidents = [
        past_incident(1),
        past_incident(2, private=True),
        past_incident(3, private=True),
    ]
    assert [each.id for each in visible_memories(past_incidents)] == ["INC-0001"]
    assert [each.id for each in visible_memories(past_incidents, {"INC-0003"})] == [
        "INC-0001",
        "INC-0003",
    ]


def test_the_most_fragile_area_is_a_file_else_a_feature_else_the_service() -> None:
    files = [
        past_incident(1),
        past_incident(2),
        past_incident(3),
        past_incident(4, file="a.py"),
        past_incident(5, file="a.py", impact_minutes=900),
        past_incident(6, file="a.py"),
    ]
    assert _fragile(files) == "a.py"  # as often, and it cost more
    spread = [past_incident(n, file=f"{n}.py") for n in range(3)]
    assert _fragile(spread) == "payment"
    plain = [past_incident(n, file="", features=(), cause_kind="", open_items=0) for n in range(3)]
    assert _fragile(plain) == "shop"
    assert _fragile(plain[:2]) is None


def _fragile(past_incidents: list[PastIncident]) -> str | None:
    fragile = trends(past_incidents, NOW).fragile
    return fragile.area if fragile else None


MEMORIES = st.lists(
    st.builds(
        past_incident,
        st.integers(1, 40),
        at=st.integers(0, 700).map(lambda days: NOW - timedelta(days=days)),
        service=st.sampled_from(["shop", "search", "mail"]),
        file=st.sampled_from(["", "a.py", "b.py"]),
        features=st.lists(st.sampled_from(["cart", "payment"]), max_size=3).map(tuple),
        cause_kind=st.sampled_from(["", "release", "data", "odd"]),
        status=st.sampled_from(["resolved", "closed", "cancelled", ""]),
        drill=st.booleans(),
        impact_minutes=st.none() | st.integers(0, 500),
        detect_seconds=st.none() | st.integers(0, 5000),
        recover_seconds=st.none() | st.integers(0, 5000),
        open_items=st.integers(0, 3),
    ),
    max_size=30,
)


@given(MEMORIES, st.integers(1, 24), st.integers(0, 1))
def test_nothing_is_counted_twice_and_nothing_is_lost(
    past_incidents: list[PastIncident], months: int, upto: int
) -> None:
    overview = trends(past_incidents, NOW, months=months, upto=upto)
    assert len(overview.months) == months == len(set(overview.months))
    assert list(overview.months) == sorted(overview.months)
    by_id = {each.id: each for each in past_incidents}.values()
    there = [
        each
        for each in by_id
        if f"{each.at:%Y-%m}" in overview.months and each.status != "cancelled"
    ]
    for row in (*overview.services, overview.all):
        counted = [each for each in there if row.service in ("", each.service)]
        assert row.total.incidents + row.total.drills == len(counted)
        for name in (
            "incidents",
            "drills",
            "impact_minutes",
            "by_deploys",
            "with_cause",
            "items",
            "items_done",
        ):
            assert sum(getattr(month, name) for month in row.months) == getattr(row.total, name)
        assert row.total.by_deploys <= row.total.with_cause <= row.total.incidents
        assert 0 <= row.total.items_done <= row.total.items
    assert sum(row.total.incidents for row in overview.services) == overview.all.total.incidents
    assert [row.total.incidents for row in overview.services] == sorted(
        (row.total.incidents for row in overview.services), reverse=True
    )


@given(MEMORIES)
def test_order_does_not_matter_and_the_fragile_area_has_evidence(
    past_incidents: list[PastIncident],
) -> None:
    past_incidents = list({each.id: each for each in past_incidents}.values())
    overview = trends(past_incidents, NOW)
    assert trends(reversed(past_incidents), NOW) == overview
    if overview.fragile is not None:
        evidence = [
            each
            for each in past_incidents
            if each.service == overview.fragile.service
            and overview.fragile.area in (each.file, each.service, *each.features)
            and f"{each.at:%Y-%m}" in overview.months
            and each.status != "cancelled"
            and not each.drill
        ]
        assert len(evidence) >= 3
        assert f": {len(evidence)} incidents (" in overview.fragile.says
