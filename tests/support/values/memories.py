"""Past incidents as the memory holds them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from phases.record.memories import PastIncident


def past_incident(number: int, month: int = 10, **changes: Any) -> PastIncident:
    fields: dict[str, Any] = {
        "id": f"INC-{number:04d}",
        "service": "shop",
        "at": datetime(2026, month, 12, 9, tzinfo=UTC),
        "title": "payment is slow",
        "cause_kind": "release",
        "minutes": 9,
        "features": ("payment",),
        "file": "shop/cart.py",
        "impact_minutes": 12,
        "detect_seconds": 60,
        "decide_seconds": 120,
        "recover_seconds": 540,
        "open_items": 1,
        "items_total": 3,
        "status": "resolved",
    }
    return PastIncident(**{**fields, **changes})
