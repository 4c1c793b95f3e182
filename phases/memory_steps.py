"""The knowledge loop, what it does to the record: tells what is remembered, once; makes an old record small."""

from __future__ import annotations

from dataclasses import replace

from phases.change import Change
from phases.effects import Say
from phases.incident import Incident
from phases.memory import sentences
from phases.wording import short

LINE = 500
"""Characters of one sentence as it is said."""


def beside(before: Incident | None, change: Change) -> Change:
    """What the memory adds to a change of any phase."""
    del before
    return _told(change)


def _told(change: Change) -> Change:
    """All that is remembered goes into the decision's thread, once; the decision itself shows the first sentence."""
    incident = change.incident
    found = incident.recollection
    if found is None or found.told or not incident.open or "decision:1" not in incident.messages:
        return change
    said = sentences(incident.past, incident, incident.detected_at)
    told = incident.model_copy(update={"recollection": found.model_copy(update={"told": True})})
    if len(said) < 2:
        return replace(change, incident=told)
    text = "\n".join(("*What I remember:*", *(f"• {short(one, LINE)}" for one in said)))
    return replace(change, incident=told, effects=(*change.effects, Say(text=text, thread=True)))
