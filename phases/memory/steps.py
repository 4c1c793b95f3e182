"""The knowledge loop, what it does to the record: tells what is remembered, once; makes an old record small."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from phases.memory.compaction import OVER, SHRINK, SHRINK_SECONDS
from phases.memory.recall import sentences
from phases.messages.actions import ShrinkDue
from phases.messages.effects import Say
from phases.record.incident import Incident
from phases.record.wording import short
from phases.steps.change import Change, Timer

LINE = 500
"""Characters of one sentence as it is said."""


def beside(before: Incident, change: Change, now: datetime) -> Change:
    """What the memory adds to a change of any phase."""
    return _told(_shrinks(before, change, now))


def _shrinks(before: Incident, change: Change, now: datetime) -> Change:
    """A month after its end the record becomes small; one that goes on before that does not."""
    incident = change.incident
    was, over = before.status in OVER, incident.status in OVER
    if was == over:
        return change
    if over:
        timer = Timer(name=SHRINK, at=now + timedelta(seconds=SHRINK_SECONDS), action=ShrinkDue())
        return replace(change, timers=(*change.timers, timer))
    again = incident.model_copy(update={"shrunk_at": None})
    return replace(change, incident=again, cancels=(*change.cancels, SHRINK))


def _told(change: Change) -> Change:
    """All that is remembered goes into the decision's thread, once; the decision itself shows the first sentence."""
    incident = change.incident
    found = incident.recollection
    if found is None or found.told or not incident.open or "decision:1" not in incident.messages:
        return change
    said = sentences(incident)
    told = incident.model_copy(update={"recollection": found.model_copy(update={"told": True})})
    if len(said) < 2:
        return replace(change, incident=told)
    text = "\n".join(("*What I remember:*", *(f"• {short(one, LINE)}" for one in said)))
    return replace(change, incident=told, effects=(*change.effects, Say(text=text, thread=True)))
