"""A duplicate ends like every incident. Its channel is archived, and its record becomes small."""

from __future__ import annotations

from phases.messages.commands import MergeDuplicate
from phases.record.incident import Status
from phases.shared.change import Change
from phases.workflow import step
from tests.support.bots.story import Story
from tests.support.values.factories import NOW, incident, service


def test_a_duplicate_is_archived_and_becomes_small_like_everything_that_is_over():
    goes_on = Story().opened().measured().record
    gone = incident(id="INC-0002", number=2, status=Status.DECIDING)
    change = step(
        goes_on, MergeDuplicate(by="U0BOB", duplicate="INC-0002", found=gone), service(), NOW
    )
    assert isinstance(change, Change)
    assert change.also is not None
    assert change.also.incident.status is Status.CANCELLED
    assert {"archive", "shrink"} <= {timer.name for timer in change.also.timers}
    assert not {"archive", "shrink"} & {timer.name for timer in change.timers}
