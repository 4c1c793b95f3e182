"""App Home: what is open, what to do first, and the commands; for somebody who opens the app at three in the morning."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.views.blocks import Block, View, actions, button, context, divider, header, section
from handlers.views.says import help_text
from handlers.views.status import short
from phases.incident import Incident

SHOWN = 20


def home(incidents: Sequence[Incident]) -> View:
    """Newest first; open ones only."""
    title = "Nothing is on fire" if not incidents else f"Open incidents: {len(incidents)}"
    declare = actions([button("Declare an incident …", "incident.declare", {}, style="danger")])
    blocks: list[Block | None] = [header(title), declare]
    blocks += [section(short(i)) for i in incidents[:SHOWN]]
    if len(incidents) > SHOWN:
        blocks.append(context(f"and {len(incidents) - SHOWN} more: `/incident list`"))
    blocks += [divider(), *help_text().blocks]
    return View("home", "Home", tuple(b for b in blocks if b is not None), kind="home")
