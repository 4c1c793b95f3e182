"""Contradictions of a post-mortem: in its form, and once it is written in a message."""

from handlers.views.blocks import (
    Block,
    Element,
    Message,
    actions,
    button,
    context,
    message,
    section,
)
from handlers.views.phrasing import DONE, WAITING
from handlers.views.text import link, person, spoken
from phases.postmortem.contradictions.named import still_open
from phases.record.documents import Contradiction
from phases.record.incident import Incident
from phases.text.wording import counted

MEND, KEEP, KEEP_HERE = "incident.mend", "incident.keep", "incident.keep_here"
IN_THE_FORM = 5
"""As many are named in the form: more would stand between a person and the first field."""
SAYS = 300


def contradictions(incident: Incident) -> Message:
    """Return the message, edited as each is mended or kept."""
    left = still_open(incident.contradictions)
    adr = f" ({link(incident.adr.url, incident.adr.name)})" if incident.adr else ""
    title = f"{incident.id}: {_title(len(left))}"
    blocks: list[Block | None] = [section(f"*{title}*{adr}")]
    for contradiction in incident.contradictions:
        if contradiction.open:
            row = [
                button("Mend …", MEND, {"incident": incident.id}),
                _keep_button(incident, contradiction, KEEP),
            ]
            blocks += [section(f"{WAITING} {spoken(contradiction.says, SAYS)}"), actions(row)]
        else:
            kept_by = f"kept by {person(contradiction.kept_by)}"
            blocks.append(section(f"{DONE} {spoken(contradiction.says, SAYS)}\n{kept_by}"))
    if left:
        blocks.append(context("It is written all the same; the file lists these as open."))
    return message(title, blocks)


def _title(left: int) -> str:
    if not left:
        return "nothing in the post-mortem is open"
    return f"{counted(left, 'thing')} in the post-mortem {'does' if left == 1 else 'do'} not fit"


def _keep_button(incident: Incident, contradiction: Contradiction, action_id: str) -> Element:
    return button("Keep it", action_id, {"incident": incident.id, "key": contradiction.key})


def in_the_form(incident: Incident, some: tuple[Contradiction, ...]) -> list[Block | None]:
    """Return what does not fit, above the fields in which it is mended."""
    left = still_open(some)
    if not left:
        return []
    more = len(left) - IN_THE_FORM
    head = "*Before you write it:* mend these below, or keep them under your name."
    rows = [
        section(
            f"{WAITING} {spoken(contradiction.says, SAYS)}",
            accessory=_keep_button(incident, contradiction, KEEP_HERE),
        )
        for contradiction in left[:IN_THE_FORM]
    ]
    rest = context(f"and {more} more, once these are settled") if more > 0 else None
    return [section(head), *rows, rest]
