"""Old tabs: after a rollback somebody still has a page of the release that was taken back."""

from __future__ import annotations

import uuid

from sandbox.sentry import Sentry
from sandbox.traps import running

EVENTS = 3
LATELY = 3600.0


def report(sentry: Sentry) -> bool:
    """Repeat the newest error of a release that runs no more; False where there is none."""
    runs = running(sentry)
    lately = sentry.window(sentry.clock() - LATELY, sentry.clock())
    old = next((e for e in reversed(lately) if e.release and e.release != runs), None)
    if old is None:
        return False
    slug = sentry.issues[old.issue_id].project.slug
    for number in range(EVENTS):
        fresh = {"event_id": uuid.uuid4().hex, "timestamp": sentry.clock() - number}
        sentry.ingest({**old.payload, **fresh}, project=slug)
    return True
