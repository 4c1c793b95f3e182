"""App Home: open incidents with the one thing to do, what is owed, and how this month goes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from handlers.views import phrasing
from handlers.views.blocks import (
    Block,
    Element,
    View,
    actions,
    button,
    confirm,
    context,
    divider,
    header,
    link_button,
    section,
)
from handlers.views.text import link, person, when, words
from phases.coordination.next_step import Step, next_step
from phases.coordination.short_records import OwedItems
from phases.memory.trends import Month
from phases.record.documents import ActionItem
from phases.record.incident import Incident
from phases.shared.rounds import decision_name
from phases.text.wording import counted, lasting

SHOWN = 20
"""The number of open incidents, and of post-mortems: a Home has at most 100 blocks."""
ITEMS = 10


@dataclass(frozen=True, slots=True)
class First:
    """The first of some incidents, as many as a Home shows, and how many there are."""

    incidents: Sequence[Incident] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class Items:
    """The action items that are owed: the first of the viewer's, and how many there are."""

    own: Sequence[tuple[Incident, ActionItem]] = ()
    owed: OwedItems = field(default_factory=OwedItems)


@dataclass(frozen=True, slots=True)
class HomeContents:
    """The contents of a person's Home."""

    burning: First = First()
    """Open incidents that they may see, in the order in which they matter to them."""
    owed: First = First()
    """Those of which only the post-mortem is missing."""
    items: Items = field(default_factory=Items)
    months: tuple[Month, Month] | None = None
    """The last one and this one."""


def home(shown: HomeContents, me: str, now: datetime, *, site: str = "") -> View:
    """`site`: the workspace's address, for links; without it nothing leads anywhere."""
    burning, owed, months = shown.burning, shown.owed, shown.months
    title = counted(burning.count, "open incident") if burning.count else "Nothing is on fire"
    blocks: list[Block | None] = [header(title)]
    blocks += _incidents(burning, me, now, site)
    blocks.append(
        actions([button("Declare an incident …", "incident.declare", {}, style="danger")])
    )
    if owed.count:
        blocks += [divider(), section("*Post-mortems owed*"), *_incidents(owed, me, now, site)]
    if tasks := _items(shown.items, now):
        blocks += [divider(), *tasks]
    if months is not None and (months[0].incidents or months[1].incidents):
        blocks += [divider(), section(_months(*months, now))]
    blocks.append(context("`/incident help` shows everything that can be typed."))
    return View("home", "Home", tuple(b for b in blocks if b is not None), kind="home")


def _incidents(first: First, me: str, now: datetime, site: str) -> list[Block | None]:
    blocks: list[Block | None] = [
        section(_line(i, me), accessory=_button(i, me, now, site)) for i in first.incidents
    ]
    if first.count > SHOWN:
        blocks.append(context(f"and {first.count - SHOWN} more: `/incident list`"))
    return blocks


def _line(incident: Incident, me: str) -> str:
    room = phrasing.room(incident)
    drill = " · drill" if incident.drill else " · private" if incident.private else ""
    leads = f"{person(incident.lead)} leads" if incident.lead else "nobody leads"
    leads = "you lead" if incident.lead == me else leads
    first = f"*{incident.id}*{f' {room}' if room else ''} *{words(incident.title, 150)}*"
    second = f"{phrasing.severity(incident)} · {phrasing.status(incident)} · {leads}{drill}"
    since = incident.recovered_at or incident.detected_at
    what = "recovered" if incident.recovered_at else "since"
    return f"{first}\n{second} · {words(incident.service, 60)}, {what} {when(since)}"


# --- the one button ------------------------------------------------------------------------------

_GO: dict[Step, str] = {"decide": "Decide", "follow": "Follow", "look": "Look"}
_DO: dict[Step, tuple[str, str]] = {
    "take lead": ("Take lead", "incident.lead"),
    "post update": ("Post update", "incident.update"),
    "write post-mortem": ("Write post-mortem", "incident.postmortem"),
    "name cause": ("Name the cause", "incident.cause"),
    "resolve": ("Resolve", "incident.resolve"),
}


def _button(incident: Incident, me: str, now: datetime, site: str) -> Element | None:
    step = next_step(incident, me, now)
    if step == "confirm recovery":
        return _confirm_recovery(incident)
    if step in _DO:
        return button(*_DO[step], {"incident": incident.id}, style="primary")
    style = "primary" if step == "decide" else None
    address = _address(incident, site)
    return link_button(_GO[step], address, style=style) if address else None


def _confirm_recovery(incident: Incident) -> Element:
    value = {"incident": incident.id, "round": incident.round.number if incident.round else 1}
    sure = confirm(
        f"{incident.id}: is it over?",
        "Confirm only what you have seen: it is recorded as your word, not as measured.",
        "It works again",
    )
    return button("Confirm recovery", "incident.recovered", value, style="primary", confirm=sure)


def _address(incident: Incident, site: str) -> str:
    """Return the address of the newest decision, else of the channel."""
    number = incident.round.number if incident.round else 1
    ref = incident.messages.get(decision_name(number)) or incident.messages.get("status")
    if not site or incident.channel is None:
        return ""
    place = f"{site.rstrip('/')}/archives/{incident.channel.id}"
    return (
        f"{place}/p{ref.ts.replace('.', '')}"
        if ref is not None and ref.channel == incident.channel.id
        else place
    )


# --- what is owed --------------------------------------------------------------------------------


def _items(items: Items, now: datetime) -> list[Block]:
    """Return their own items by date, and how many others have, of which some are late."""
    owed = items.owed
    if not (owed.own or owed.others or owed.nobodys):
        return []
    lines = [_item(incident, item, now) for incident, item in items.own]
    if len(owed.own) > ITEMS:
        lines.append(f"and {len(owed.own) - ITEMS} more of yours")
    parts = [f"{counted(owed.others, 'item')} of others"] if owed.others else []
    parts += [f"{owed.nobodys} without an owner"] if owed.nobodys else []
    blocks = [section("\n".join(("*Action items owed*", *(lines or ["None of yours."]))))]
    if not parts:
        return blocks
    return [*blocks, context(", ".join([*parts, *([f"{owed.late} overdue"] if owed.late else [])]))]


def _item(incident: Incident, item: ActionItem, now: datetime) -> str:
    due = f" · due {item.due:%d %b}" if item.due else ""
    due = f" · *overdue since {item.due:%d %b}*" if _late(item, now) else due
    ticket = f" · {link(item.ticket.url, item.ticket.identifier)}" if item.ticket else ""
    adr = f" · {link(incident.adr.url, incident.adr.name)}" if incident.adr else ""
    return f"• {words(item.text, 200)}{due} · {incident.id}{adr}{ticket}"


def _late(item: ActionItem, now: datetime) -> bool:
    return item.due is not None and item.due < now.date()


# --- this month against last ---------------------------------------------------------------------


def _months(last: Month, this: Month, now: datetime) -> str:
    """Return the medians of two months: `November: 3 incidents, recovered in 12 min`."""
    first = now.replace(day=1)
    before = (
        first.replace(year=first.year - 1, month=12)
        if first.month == 1
        else first.replace(month=first.month - 1)
    )
    return f"*{now:%B}*: {_month(this)}\n{before:%B}: {_month(last)}"


def _month(month: Month) -> str:
    if not month.incidents:
        return "no incident"
    took = month.recover_minutes
    recovered = ""
    if took is not None:
        median = " (median)" if month.incidents > 1 else ""
        recovered = f", recovered in {lasting(timedelta(minutes=took))}{median}"
    drills = f", {counted(month.drills, 'drill')}" if month.drills else ""
    return f"{counted(month.incidents, 'incident')}{recovered}{drills}"
