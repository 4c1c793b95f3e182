"""Phase 6, the action items: sub-issues, done or dropped, reminders; and the real end, *closed*.

Workflow: "Action items: tests to add, monitors to add, gates to tighten"; "Revisit when: when the
action items are complete".
"""

from datetime import UTC, date, datetime, time, timedelta

from phases.messages.actions import ItemsDue
from phases.messages.commands import MarkItem
from phases.messages.effects import (
    AskZone,
    CompleteAdr,
    OpenItems,
    PostLive,
    RemindOwner,
    Say,
    SyncItem,
)
from phases.messages.results import ItemsOpened, ItemSynced, Zones
from phases.mitigation.hotfix_merge import unmerged
from phases.postmortem.reminders import move_to_morning, postmortem_owed
from phases.postmortem.working_hours import in_the_day, local_time, next_morning, offset_of
from phases.record.claims import linear_claim
from phases.record.documents import ActionItem, LinearIssue
from phases.record.incident import Incident, Status
from phases.record.tokens import mentioned
from phases.shared.announce import clear_failures, tell
from phases.shared.change import Draft, Refused
from phases.shared.people_left import person_in_charge, remember_who_left
from phases.shared.rounds import GUARD_TIMER
from phases.text.wording import counted, listed, short

REMIND = "items"  # timer
REMIND_DAYS = 7  # an overdue item is said to its owner weekly

_KINDS = {"tests": "A test to add", "monitors": "A monitor to add", "gates": "A gate to tighten"}
_STATES = {"completed": "done", "canceled": "dropped", "duplicate": "dropped"}
"""An item's state by that of its sub-issue in Linear; every other one is open."""


def items(incident: Incident) -> tuple[ActionItem, ...]:
    return incident.postmortem.items if incident.postmortem else ()


def open_items(incident: Incident) -> tuple[ActionItem, ...]:
    return tuple(item for item in items(incident) if item.open)


def items_settled(incident: Incident) -> str:
    """Return `2 of 3 action items done`; what was dropped is said."""
    every = items(incident)
    dropped = sum(item.dropped for item in every)
    more = f", {dropped} dropped" if dropped else ""
    return f"{sum(item.done for item in every)} of {counted(len(every), 'action item')} done{more}"


def left_to_close(incident: Incident) -> tuple[str, ...]:
    """Return what stands between *resolved* and *closed*."""
    waiting: list[str] = []
    if left := len(open_items(incident)):
        waiting.append(f"{counted(left, 'action item')} to do")
    if (open_end := unmerged(incident)) is not None:
        waiting.append(open_end.split(":")[0].lower())
    return tuple(waiting)


def _item_numbered(incident: Incident, number: int) -> ActionItem | None:
    every = items(incident)
    return every[number - 1] if 1 <= number <= len(every) else None


def _change_item(draft: Draft, number: int, **fields: object) -> Draft:
    written = draft.incident.postmortem
    if written is None:
        return draft
    changed = tuple(
        item.model_copy(update=fields) if at == number else item
        for at, item in enumerate(written.items, 1)
    )
    draft.set(postmortem=written.model_copy(update={"items": changed}))
    return draft.dirty("items", "status")


# --- the incident is resolved -------------------------------------------------------------------


def follow_items(draft: Draft) -> None:
    """Begins to follow the items with *resolved*, and closes when nothing is waited for any more.

    One change posts one message in the channel: where it has posted one, the next change closes.
    """
    if draft.incident.status is not Status.RESOLVED:
        return
    if draft.before.status is not Status.RESOLVED:
        _begin_to_follow(draft)
    elif not any(isinstance(effect, Say) and not effect.thread for effect in draft.effects):
        close_if_complete(draft)


def _begin_to_follow(draft: Draft) -> None:
    """The list with its buttons, sub-issues, and the first reminder."""
    if not items(draft.incident):
        return
    if draft.incident.channel is not None:
        draft.want(PostLive(name="items"))
    draft.dirty("items")
    want_sub_issues(draft)
    _ask_zones(draft)
    _remind_later(draft)


def want_sub_issues(draft: Draft) -> None:
    """They hang below the ticket, so they wait for it.

    They wait for the end, too, because until then the post-mortem may change.
    """
    incident = draft.incident
    over = incident.status in (Status.RESOLVED, Status.CLOSED)
    missing = any(item.ticket is None for item in open_items(incident))
    if over and missing and incident.ticket is not None:
        draft.want(OpenItems())


def sub_issue_title(incident: Incident, number: int, item: ActionItem) -> str:
    """Return the item's words; of a private incident its number alone, as others read there.

    Rules: Private incidents.
    """
    return f"Action item {number} of {incident.id}" if incident.private else item.text


def sub_issue_body(incident: Incident, item: ActionItem, where: str = "") -> str:
    """Return what people need to know who find it in their list.

    `where` is the address at which the words of a private incident stand.
    """
    if incident.private:
        stands = "what is to be done stands in its Slack channel"
        return f"From a private incident: {stands}. {where}".strip()
    lines = [f"{_KINDS[item.kind]}, from the post-mortem of {incident.id}: {incident.title}."]
    if item.owner:
        lines.append(f"Owner: {item.owner}")
    if incident.adr is not None:
        lines.append(f"Post-mortem: {incident.adr.name} {incident.adr.url or incident.adr.path}")
    return "\n".join(lines)


def items_opened(draft: Draft, action: ItemsOpened) -> None:
    clear_failures(draft, "items.open")
    for number, issue in sorted(action.issues.items()):
        item = _item_numbered(draft.incident, number)
        if item is None or item.ticket is not None:
            continue
        _change_item(draft, number, ticket=issue)
        draft.claim(linear_claim(issue.id), soft=True)
        draft.note("action item", f"{issue.identifier}: {item.text}", url=issue.url)
        if not item.open:  # settled here while it was being made there
            draft.want(SyncItem(number=number))


# --- somebody says that one is done -------------------------------------------------------------


def mark_item(draft: Draft, action: MarkItem) -> Refused | None:
    incident = draft.incident
    item = _item_numbered(incident, action.number)
    if item is None or incident.open or incident.status is Status.CANCELLED:
        no_item = f"{incident.id} has no such action item to be settled now."
        return Refused("state", f"{no_item} Nothing was changed.")
    if action.done is not item.open:
        how = {"done": f"done, says {item.settled_by}", "open": "still to do"}
        state = how.get(_item_state(item), "dropped")
        return Refused("stale", f"That action item is {state}. Nothing was changed.")
    if incident.status is Status.CLOSED:
        return Refused("state", f"{incident.id} is closed. Nothing was changed.")
    state = "completed" if action.done else "unstarted"
    _settle_item(draft, action.number, item, state, mentioned(action.by))
    if item.ticket is not None:
        ticket = item.ticket.model_copy(update={"asked": state})
        _change_item(draft, action.number, ticket=ticket)
        draft.want(SyncItem(number=action.number))
    return None


def item_synced(draft: Draft, action: ItemSynced) -> None:
    clear_failures(draft, "items.sync", str(action.number))
    item = _item_numbered(draft.incident, action.number)
    if item is not None and item.ticket is not None:
        known = {"state": action.issue.state, "state_at": action.issue.at, "asked": ""}
        _change_item(draft, action.number, ticket=item.ticket.model_copy(update=known))


def take_in_sub_issue(draft: Draft, issue: LinearIssue, by: str) -> None:
    """Takes in what Linear says of a sub-issue; our own words come back, too, and are no news."""
    for number, item in enumerate(items(draft.incident), 1):
        known = item.ticket
        if known is None or known.id != issue.id or issue.state == known.state:
            continue
        if issue.at and known.state_at and issue.at <= known.state_at:
            continue  # told late
        ticket = known.model_copy(update={"state": issue.state, "state_at": issue.at})
        _change_item(draft, number, ticket=ticket)
        if issue.state != known.asked and _item_state(item) != _STATES.get(issue.state, "open"):
            _settle_item(draft, number, item, issue.state, by or "somebody in Linear")


def _item_state(item: ActionItem) -> str:
    return "done" if item.done else "dropped" if item.dropped else "open"


def _settle_item(draft: Draft, number: int, item: ActionItem, linear_state: str, who: str) -> None:
    """One line in the timeline; the list is edited in place, and nothing rings."""
    state, by = _STATES.get(linear_state, "open"), short(who, 80)
    again = state == "open"
    draft.note("action item", f"{'to do again' if again else state}, says {by}: {item.text}")
    _change_item(
        draft,
        number,
        done=state == "done",
        dropped=state == "dropped",
        settled_by="" if again else by,
        settled_at=None if again else draft.now,
    )


# --- closed -------------------------------------------------------------------------------------


def close_if_complete(draft: Draft) -> None:
    """*Closed*: action items settled, and nothing left that the next deploy would undo.

    Rules: The life of an incident.
    """
    incident = draft.incident
    if left_to_close(incident):
        return
    how = items_settled(incident) if items(incident) else ""
    draft.set(status=Status.CLOSED, closed_at=draft.now).cancel(REMIND, GUARD_TIMER)
    draft.note("closed", f"Closed: {how}" if how else "Closed")
    if incident.adr is not None and how:
        draft.want(CompleteAdr())
    text = f"{how.capitalize()}." if how else ""
    tell(draft, text, strong=f"{incident.id} is closed.")
    draft.dirty("status", "announcement", "items")


# --- reminders ----------------------------------------------------------------------------------


def due_again(item: ActionItem) -> date | None:
    """Return the day from which its owner is to be reminded, on a working day; None is never.

    It is the day after it was due, then a week after each time.
    """
    if not item.open or item.due is None:
        return None
    day = item.due + timedelta(days=1)
    if item.reminded_on is None:
        return day
    return max(day, item.reminded_on + timedelta(days=REMIND_DAYS))


def _remind_later(draft: Draft) -> None:
    """One timer for all items: the earliest of their mornings."""
    incident = draft.incident
    mornings: list[datetime] = []
    for item in items(incident):
        if (day := due_again(item)) is not None:
            offset = offset_of(incident, _person_to_remind(incident, item))
            begins = datetime.combine(day, time(), UTC) - timedelta(seconds=offset)
            mornings.append(next_morning(max(begins, draft.now), offset))
    if not mornings or incident.status is not Status.RESOLVED:
        draft.cancel(REMIND)
    else:
        draft.timer_at(REMIND, min(mornings), ItemsDue())


def _ask_zones(draft: Draft) -> None:
    """Asks with every reminder where people are: a change of the clock costs at most one."""
    owners = (
        _person_to_remind(draft.incident, item)
        for item in open_items(draft.incident)
        if item.due is not None
    )
    if people := tuple(dict.fromkeys(person for person in owners if person is not None)):
        draft.want(AskZone(people=people))


def zones_known(draft: Draft, action: Zones) -> None:
    """Moves the reminders to the mornings of those who are reminded."""
    clear_failures(draft, "zone")
    if action.left:
        remember_who_left(draft, action.left)
    incident = draft.incident
    if not postmortem_owed(incident) and incident.status is not Status.RESOLVED:
        return
    draft.set(zones={**incident.zones, **action.offsets})
    if postmortem_owed(incident):
        move_to_morning(draft)
    else:
        _remind_later(draft)


def items_due(draft: Draft, action: ItemsDue) -> None:
    """Reminds each owner of all their overdue items at once.

    Where the owner has no name in Slack, the lead is reminded.
    """
    incident = draft.incident
    if incident.status is not Status.RESOLVED:
        return
    owners: dict[tuple[str | None, date], list[int]] = {}
    for number, item in enumerate(items(incident), 1):
        person, due = _person_to_remind(incident, item), due_again(item)
        offset = offset_of(incident, person)
        today = local_time(draft.now, offset).date()
        if due is not None and due <= today and in_the_day(draft.now, offset):
            owners.setdefault((person, today), []).append(number)
            _change_item(draft, number, reminded_on=today)
    for (person, today), numbers in owners.items():
        draft.want(RemindOwner(person=person, numbers=tuple(numbers), day=today))
        late = listed([short(items(incident)[number - 1].text, 60) for number in numbers])
        who = mentioned(person) if person else "The channel"
        draft.note("action item", f"{who} is reminded: {late}")
    if owners:
        _ask_zones(draft)
    _remind_later(draft)


def _person_to_remind(incident: Incident, item: ActionItem) -> str | None:
    here = item.person not in incident.left
    return item.person if item.person and here else person_in_charge(incident)
