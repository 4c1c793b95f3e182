"""Contradictions of a post-mortem, as it stands in its form."""

import asyncio

from handlers.slack.context import Context
from phases.ports.ports import PortError
from phases.postmortem.contradictions.case import Case
from phases.postmortem.contradictions.named import contradictions
from phases.postmortem.form_parts import Parts
from phases.record.documents import Contradiction
from phases.record.incident import Incident

LOOK_SECONDS = 1.0
"""Who is still here is asked for so long: a person waits, and Slack's answers are kept an hour."""
MOST_PEOPLE = 20


async def unfit(ctx: Context, incident: Incident, parts: Parts) -> tuple[Contradiction, ...]:
    """Return what contradicts itself in these parts. People Slack does not tell of count as here.

    Raises `StoreUnavailable`.
    """
    entries = await ctx.dispatcher.timeline(incident.id)
    owners = {item.person for item in parts.items if item.person}
    acted = {entry.by for entry in entries if entry.by}
    gone, names = set[str](), dict[str, str]()

    async def ask(id: str) -> None:
        try:
            person = await ctx.people.person(id, None)
        except PortError:
            return
        names[id] = person.name
        if person.left:
            gone.add(id)

    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await asyncio.gather(*(ask(id) for id in sorted(owners | acted)[:MOST_PEOPLE]))
    except TimeoutError:
        pass  # the rest of the rules need nobody; what the file names is asked for again
    return contradictions(Case(incident, parts, ctx.now(), entries, gone, names))
