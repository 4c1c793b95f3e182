"""The action items after the end: one list that everybody can settle, and what their owner is told
when they are late.
"""

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
from phases.postmortem.action_items import items_settled, left_to_close, open_items
from phases.record.documents import ActionItem
from phases.record.incident import Incident, Status
from phases.text.wording import counted

TEXT = 200  # of an item in the list: 25 of them must fit into one message
KIND = {"tests": "test", "monitors": "monitor", "gates": "gate"}


def items(incident: Incident) -> Message:
    """Return the list, edited as items are settled, here or in Linear."""
    every = items_of(incident)
    title = f"{incident.id}: {items_settled(incident)}"
    blocks: list[Block | None] = [section(f"*{title}*")]
    blocks += [_item_block(incident, number, item) for number, item in enumerate(every, 1)]
    blocks.append(context(_closing_line(incident)))
    return message(title, blocks)


def overdue(
    incident: Incident, numbers: Sequence[int], today: date, *, mention: str | None = None
) -> Message:
    """Tell the owner what is late, how late, and the button that ends it."""
    every = items_of(incident)
    late = [(n, every[n - 1]) for n in numbers if n <= len(every)]
    called = f"{person(mention)} " if mention else ""
    adr = f" ({link(incident.adr.url, incident.adr.name)})" if incident.adr else ""
    what = f"{counted(len(late), 'action item')} of {incident.id} overdue"
    head = f"{called}{what}: {words(incident.title, 150)}{adr}"
    rows = [_item_block(incident, number, item, today=today) for number, item in late]
    blocks = [section(head), *rows]
    return message(head, [*blocks, context("You will be reminded weekly until it is done.")])


def _item_block(
    incident: Incident, number: int, item: ActionItem, *, today: date | None = None
) -> Block:
    text = words(item.text, TEXT)
    more = [KIND[item.kind], *_owner(item), *_due_words(item, today)]
    if item.ticket is not None:
        more.append(link(item.ticket.url, item.ticket.identifier))
    sign = DONE if item.done else WRONG if item.dropped else WAITING
    shown = text if item.open else f"~{text}~"
    accessory = _accessory(incident, number, item)
    return section(f"{sign} {shown}\n{' · '.join(more)}", accessory=accessory)


def _owner(item: ActionItem) -> list[str]:
    if not item.open:
        mention = item.settled_by.startswith("<@")
        who = person(item.settled_by.strip("<@>")) if mention else words(item.settled_by, 80)
        settled = "done" if item.done else "dropped"
        return [f"{settled} by {who}" if who else settled]
    if item.person is not None:
        return [person(item.person)]
    return [words(item.owner, 80) if item.owner else "no owner"]


def _due_words(item: ActionItem, today: date | None) -> list[str]:
    if not item.open or item.due is None:
        return []
    if today is None or item.due >= today:
        return [f"due {item.due:%-d %b %Y}"]
    return [f"due {item.due:%-d %b %Y}, {counted((today - item.due).days, 'day')} ago"]


def _accessory(incident: Incident, number: int, item: ActionItem) -> Element | None:
    """Return a button that can work now. The last one closes the incident, so it is confirmed."""
    if incident.status is not Status.RESOLVED:
        return None
    value = {"incident": incident.id, "item": number}
    if not item.open:
        return button("Undo", "incident.item_undone", value)
    last = None
    if len(open_items(incident)) == 1 and len(left_to_close(incident)) == 1:
        last = confirm("The last action item", f"{incident.id} is closed then.", "Done")
    return button("Done", "incident.item_done", value, confirm=last)


def _closing_line(incident: Incident) -> str:
    if incident.status is Status.CLOSED:
        return f"{incident.id} is closed."
    if incident.status is not Status.RESOLVED:
        return f"{incident.id} has reopened; its action items wait."
    waiting = left_to_close(incident)
    return (
        f"Before {incident.id} closes: {', '.join(waiting)}."
        if waiting
        else f"{incident.id} closes."
    )
