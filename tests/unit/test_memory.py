"""The knowledge loop: what is kept, what is said at triage time, trends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import incidents
from hypothesis import given
from hypothesis import strategies as st

from phases.memory import cause_kind, past, pattern, sentence, sentences, trends
from phases.report import Cause, PastIncident

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def before(number: int, month: int = 10, **changes: Any) -> PastIncident:
    fields: dict[str, Any] = {
        "id": f"INC-{number:04d}",
        "service": "shop",
        "at": datetime(2026, month, 12, 9, tzinfo=UTC),
        "title": "payment is slow",
        "cause": "v1.3.0 dropped an index",
        "cause_kind": "release",
        "action": "rollback to v1.2.0",
        "minutes": 9,
        "adr": "ADR-0004",
        "features": ("payment",),
        "open_items": 2,
    }
    return PastIncident(**{**fields, **changes})


def test_what_is_kept_of_an_incident() -> None:
    assert past(incidents.incident()) == PastIncident(
        id="INC-0042",
        service="shop",
        at=incidents.T0,
        title="checkout is failing",
        cause="v42 dropped the region key",
        cause_kind="release",
        action="rollback to v41",
        minutes=16,
        adr="ADR-0007",
        features=("cart", "payment", "search"),
        open_items=2,
    )
    bare = past(incidents.incident(cause=None, postmortem=None, adr=None, triage=None, rounds=(), hypotheses=()))
    assert (bare.cause, bare.cause_kind, bare.action, bare.features, bare.open_items) == ("", "", "", (), 0)
    assert len(past(incidents.incident(title="x" * 300)).model_dump_json()) < 4096


def test_the_kind_of_cause_comes_from_what_held() -> None:
    known = Cause(text="c", at=incidents.T0)
    assert cause_kind(incidents.incident(hypotheses=(), cause=known.model_copy(update={"release": "v42"}))) == "release"
    assert cause_kind(incidents.incident(hypotheses=(), cause=known.model_copy(update={"commit": "abc"}))) == "commit"
    assert cause_kind(incidents.incident(hypotheses=(), cause=known)) == ""


def test_last_time_in_one_sentence() -> None:
    assert sentence(before(3), NOW) == (
        "Last time (INC-0003, 12 Oct): rolled back to v1.2.0, over after 9 min; "
        "cause: v1.3.0 dropped an index; ADR-0004; 2 action items open"
    )
    older = before(
        3, action="rollback to v1 (failed); then fixed: flag off", adr=None, open_items=1, cause="", minutes=None
    )
    older = older.model_copy(update={"at": datetime(2025, 3, 1, tzinfo=UTC)})
    assert sentence(older, NOW) == (
        "Last time (INC-0003, 1 Mar 2025): rolled back to v1 (failed); then fixed: flag off; 1 action item open"
    )
    assert "nothing was done" in sentence(before(3, action="none"), NOW)


def test_a_feature_that_burns_again_is_named_with_its_cause() -> None:
    now = incidents.incident()
    assert pattern([before(3), before(2, month=3)], now) == (
        "Third fire in payment since March; the cause was a release each time."
    )
    mixed = [before(3), before(2, cause_kind="data"), before(1, month=3)]
    assert pattern(mixed, now) == "Fourth fire in payment since March; the cause was a release 2 times."
    assert pattern([before(3)], now) == "Second fire in payment since October; the cause was a release then."


def test_without_a_common_feature_the_service_itself_is_counted() -> None:
    now = incidents.incident()
    others = [before(3, features=("login",), cause_kind=""), before(2, features=(), cause_kind="other")]
    assert pattern(others, now) == "Third incident of shop since October."
    assert pattern(others[:1], now) is None
    assert pattern([before(3, service="search")], now) is None
    assert pattern([before(42)], now) is None  # itself


def test_five_recalled_may_not_be_all() -> None:
    many = [before(n, month=n) for n in range(1, 6)]
    assert str(pattern(many, incidents.incident())).startswith("At least the sixth fire in payment since January;")
    said = sentences(many, incidents.incident(), NOW)
    assert [one.split(" (")[0] for one in said[1:4]] == ["Last time", "Before that", "Before that"]
    assert "INC-0005" in said[1]
    assert said[4] == "And at least 2 incidents earlier"
    assert sentences([], incidents.incident(), NOW) == ()


def test_trends_over_months() -> None:
    kept = [
        before(1, month=6, minutes=30),
        before(2, month=9, minutes=None, features=("cart", "payment")),
        before(3, month=11),
        before(3, month=11),  # kept twice is kept once
        before(4, month=11, service="search", features=(), cause_kind="", open_items=0),
        before(5, month=5),  # too long ago
    ]
    found = trends(kept, NOW)
    assert found.months == ("2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11")
    shop, search = found.services
    assert (shop.service, shop.incidents, shop.total) == ("shop", (1, 0, 0, 1, 0, 1), 3)
    assert shop.median_minutes == 19.5
    assert shop.features == (("payment", 3), ("cart", 1))
    assert shop.causes == (("release", 3),)
    assert shop.open_items == 6
    assert shop.fragile == "payment of shop burned 3 times, mostly by a release: worth a structural look."
    assert (search.total, search.fragile) == (1, None)
    assert trends(kept, datetime(2026, 1, 5, tzinfo=UTC), months=3).months == ("2025-11", "2025-12", "2026-01")


@given(
    st.lists(
        st.builds(
            before,
            st.integers(1, 30),
            st.integers(1, 11),
            features=st.lists(st.sampled_from(["cart", "payment", "x"]), max_size=3).map(tuple),
            cause_kind=st.sampled_from(["", "release", "data", "other"]),
        ),
        max_size=12,
        unique_by=lambda one: one.id,
    )
)
def test_every_memory_can_be_said(kept: list[PastIncident]) -> None:
    for one in sentences(kept, incidents.incident(), NOW):
        assert one
        assert "\n" not in one
        assert len(one) < 1000
    found = trends(kept, NOW, months=12)
    assert sum(row.total for row in found.services) == len(kept)
