"""Past incidents in the store, for the tests of export, import and forget."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.store.incident_store import Loaded, Store
from phases.record.incident import Entry, Incident, Status
from phases.shared.change import Change
from tests.support.values import incidents


async def put(store: Store, incident: Incident, *entries: Entry, **more: Any) -> None:
    answer = await store.commit(
        f"c{incident.number}",
        Loaded(None, 0, datetime.now(UTC), next_number=incident.number),
        Change(incident, entries=entries, **more),
    )
    assert "Done" in type(answer).__name__, answer


def past(number: int, **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": f"INC-{number:04d}",
        "number": number,
        "status": Status.RESOLVED,
    }
    return incidents.incident(
        **{**fields, "ulid": f"01JD0000000000000000000{number:03d}", **changes}
    )
