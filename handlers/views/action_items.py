"""The action items after the end: one list that everybody can settle, and what their owner is told
when they are late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from handlers.views.blocks import (
    Block,
    Element,
    Message,
    button,
    confirm,
    context,
    message,
    section,
)
from handlers.views.phrasing import DONE, WAITING, WRONG
from handlers.views.text import link, person, words
from phases.postmortem.action_items import items as items_of
from phases.postmortem.action_items import open_items, settled, waits_for
from phases.record.documents import ActionItem
from phases.record.incident import Incident, Status
from phases.record.wording import counted

TEXT = 200  # of an item in the list: 25 of them must fit into one message
KIND = {"tests": "test", "monitors": "monitor", "gates": "gate"}


def items(incident: Incident) -> Message:
    """Live: edited as items are settled, here or in Linear."""
    every = items_of(incident)
    title = f"{incident.id}: {settled(incident)}"
    blocks: list[Block | None] = [section(f"*{title}*")]
    blocks += [_row(incident, number, one) for number, one in enumerate(every, 1)]
    blocks.append(context(_end(incident)))
    return message(title, blocks)


def overdue(
    incident: Incident, numbers: Sequence[int], today: date, *, mention: str | None = None
) -> Message:
    """To the owner: what is late, how late, and the button that ends it."""
    every = items_of(incident)
    late = [(n, every[n - 1]) for n in numbers if n <= len(every)]
    called = f"{person(mention)} " if mention else ""
    adr = f" ({link(incident.adr.url, incident.adr.name)})" if incident.adr else ""
    head = f"{called}{counted(len(late), 'action item')} of {incident.id} overdue: {words(incident.title, 150)}{adr}"
    blocks = [section(head), *(_row(incident, number, one, today=today) for number, one in late)]
    return message(head, [*blocks, context("You hear of it once a week until it is done.")])


def _row(incident: Incident, number: int, one: ActionItem, *, today: date | None = None) -> Block:
    text = words(one.text, TEXT)
    more = [KIND[one.kind], *_whose(one), *_when(one, today)]
    if one.ticket is not None:
        more.append(link(one.ticket.url, one.ticket.identifier))
    sign = DONE if one.done else WRONG if one.dropped else WAITING
    said = f"~{text}~" if not one.open else text
    return section(
        f"{sign} {said}\n{' · '.join(more)}", accessory=_accessory(incident, number, one)
    )


def _whose(one: ActionItem) -> list[str]:
    if not one.open:
        who = (
            words(one.settled_by, 80)
            if not one.settled_by.startswith("<@")
            else person(one.settled_by.strip("<@>"))
        )
        return [
            f"{'done' if one.done else 'dropped'} by {who}"
            if who
            else "done"
            if one.done
            else "dropped"
        ]
    if one.person is not None:
        return [person(one.person)]
    return [words(one.owner, 80) if one.owner else "no owner"]


def _when(one: ActionItem, today: date | None) -> list[str]:
    if not one.open or one.due is None:
        return []
    if today is None or one.due >= today:
        return [f"due {one.due:%-d %b %Y}"]
    return [f"due {one.due:%-d %b %Y}, {counted((today - one.due).days, 'day')} ago"]


def _accessory(incident: Incident, number: int, one: ActionItem) -> Element | None:
    """Only what can work now. The last one closes the incident, so it is asked for once more."""
    if incident.status is not Status.RESOLVED:
        return None
    value = {"incident": incident.id, "item": number}
    if not one.open:
        return button("Undo", "incident.item_undone", value)
    last = None
    if len(open_items(incident)) == 1 and len(waits_for(incident)) == 1:
        last = confirm("The last action item", f"{incident.id} is closed then.", "Done")
    return button("Done", "incident.item_done", value, confirm=last)


def _end(incident: Incident) -> str:
    if incident.status is Status.CLOSED:
        return f"{incident.id} is closed."
    if incident.status is not Status.RESOLVED:
        return f"{incident.id} burns again; its action items wait."
    waiting = waits_for(incident)
    return (
        f"{incident.id} closes when nothing is left: {', '.join(waiting)}."
        if waiting
        else f"{incident.id} closes."
    )
