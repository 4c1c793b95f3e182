"""The post-mortem form: six parts, prefilled from timeline and evidence; what is wrong stands under its part."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers import heard
from handlers.door import Recorded, Unknown
from handlers.kit import Kit
from handlers.turn import Errors, Turn, on_incident, on_submit
from handlers.views import forms, says
from handlers.views.blocks import Message, View
from phases.actions import SubmitPostmortem
from phases.change import Refused
from phases.incident import Entry, Incident, Status
from phases.postmortem import NO_POSTMORTEM, Parts, draft, submitted
from phases.rounds import ended

_PERSON = re.compile(r"<@([UW][A-Z0-9]{1,20})>")
NAMES_SECONDS = 3.0


async def postmortem(turn: Turn, incident: Incident) -> Message | None:
    """Opens the form, unless nothing that is written in it could be kept."""
    if (refused := ended(incident)) is not None:
        return says.note(refused.text)
    if incident.drill:
        return says.note(NO_POSTMORTEM)
    if incident.adr is not None:
        return says.note(f"{incident.adr.name} is written: {incident.adr.url or incident.adr.path}")
    if incident.status not in (Status.VERIFYING, Status.MITIGATED):
        return says.note("The post-mortem is written once the bleeding has stopped. Roll back, hotfix or fix it first.")

    async def fill() -> View:
        entries = await turn.kit.door.timeline(incident.id)
        names = await _names(turn.kit, incident, entries)
        return forms.postmortem(incident, draft(incident, entries, turn.kit.now(), names).model_dump())

    turn.open(forms.loading("incident.postmortem", "Post-mortem", incident), fill)
    return None


async def _names(kit: Kit, incident: Incident, entries: Sequence[Entry]) -> dict[str, str]:
    """Display names of the people who are named, for a text that leaves Slack."""
    told = " ".join((incident.source.text, *(e.text for e in entries)))
    ids = {*_PERSON.findall(told), *(i for i in (incident.lead, incident.declared_by) if i)}
    names: dict[str, str] = {}

    async def one(id: str) -> None:
        names[id] = await kit.people.name(id)

    try:
        async with asyncio.timeout(NAMES_SECONDS):
            await asyncio.gather(*(one(i) for i in sorted(ids)[:30]))
    except TimeoutError:
        return names  # ids stand in for the names that did not come
    return names


def register(app: AsyncApp, kit: Kit) -> None:
    async def clicked(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        return await postmortem(turn, incident)

    async def sent(turn: Turn, meta: dict[str, Any], entered: dict[str, str]) -> View | Errors | None:
        parts = Parts.model_validate({name: heard.typed(entered.get(name, "")) for name in forms.PARTS})
        written = submitted(parts, turn.user, turn.kit.now())
        if isinstance(written, dict):
            return written
        answer = await turn.say(SubmitPostmortem(postmortem=written), str(meta.get("incident", "")))
        match answer:
            case Recorded():
                return None
            case Refused(text=text) | Unknown(text=text):
                return {"timeline": text}  # under a part, not in place of the form: what was written stays

    on_incident(app, kit, "incident.postmortem", clicked)
    on_submit(app, kit, "incident.postmortem", sent)
