"""Phase 6, what becomes of the action items: sub-issues, done or dropped, reminders; and the incident's real end, *closed*.

Workflow: "Action items: tests to add, monitors to add, gates to tighten"; "Revisit when: when the action items are complete".
"""

from __future__ import annotations

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
from phases.record.documents import ActionItem, LinearIssue
from phases.record.incident import Incident, Status
from phases.record.tokens import mentioned
from phases.record.wording import counted, listed, short
from phases.steps.announce import tell, worked
from phases.steps.change import Draft, Refused
from phases.steps.rounds import GUARD_TIMER

REMIND = "items"  # timer
REMIND_HOUR = 9  # in the morning of a working day, where the owner is
REMIND_DAYS = 7  # issue C: overdue ones go to their owner weekly
SATURDAY = 5


def items(incident: Incident) -> tuple[ActionItem, ...]:
    return incident.postmortem.items if incident.postmortem else ()


def open_items(incident: Incident) -> tuple[ActionItem, ...]:
    return tuple(one for one in items(incident) if one.open)


def settled(incident: Incident) -> str:
    """`2 of 3 action items done`; what was dropped is said."""
    every = items(incident)
    dropped = sum(one.dropped for one in every)
    more = f", {dropped} dropped" if dropped else ""
    return f"{sum(one.done for one in every)} of {counted(len(every), 'action item')} done{more}"


def waits_for(incident: Incident) -> tuple[str, ...]:
    """What stands between *resolved* and *closed*."""
    waiting: list[str] = []
    if left := len(open_items(incident)):
        waiting.append(f"{counted(left, 'action item')} to do")
    if (open_end := unmerged(incident)) is not None:
        waiting.append(open_end.split(":")[0].lower())
    return tuple(waiting)


def replace_item(draft: Draft, number: int, changed: ActionItem) -> Draft:
    written = draft.incident.postmortem
    if written is None:
        return draft
    every = tuple(changed if at == number else one for at, one in enumerate(written.items, 1))
    return draft.set(postmortem=written.model_copy(update={"items": every})).dirty(
        "items", "status"
    )


# --- after every change ------------------------------------------------------------------------------------------


def follow_items(draft: Draft) -> None:
    """Begins to follow the items with *resolved*, and closes when nothing is waited for any more.

    One change posts one message in the channel: where it has posted one, the next change closes.
    """
    if draft.incident.status is not Status.RESOLVED:
        return
    if draft.before.status is not Status.RESOLVED:
        follow(draft)
    elif not any(isinstance(effect, Say) and not effect.thread for effect in draft.effects):
        close_if_complete(draft)


# --- the incident is resolved ------------------------------------------------------------------------------------


def follow(draft: Draft) -> Draft:
    """From *resolved* on: the list with its buttons, sub-issues, and the first reminder."""
    if not items(draft.incident):
        return draft
    if draft.incident.channel is not None:
        draft.want(PostLive(name="items"))
    draft.dirty("items")
    return remind_later(ask_zones(sub_issues_wanted(draft)))


def sub_issues_wanted(draft: Draft) -> Draft:
    """They hang below the ticket, so they wait for it; and for the end, because until then the post-mortem may change."""
    incident = draft.incident
    over = incident.status in (Status.RESOLVED, Status.CLOSED)
    if (
        over
        and incident.ticket is not None
        and any(one.ticket is None for one in open_items(incident))
    ):
        draft.want(OpenItems())
    return draft


def sub_issue_title(incident: Incident, number: int, one: ActionItem) -> str:
    """The item's words; of a private incident its number alone, as others read in that team (rules: Private incidents)."""
    return f"Action item {number} of {incident.id}" if incident.private else one.text


def sub_issue_body(incident: Incident, one: ActionItem, where: str = "") -> str:
    """What whoever finds it in their list needs to know. `where`: the address at which a private one's words stand."""
    if incident.private:
        return f"From a private incident: what is to be done stands in its Slack channel. {where}".strip()
    kind = {"tests": "A test to add", "monitors": "A monitor to add", "gates": "A gate to tighten"}[
        one.kind
    ]
    lines = [f"{kind}, from the post-mortem of {incident.id}: {incident.title}."]
    if one.owner:
        lines.append(f"Owner: {one.owner}")
    if incident.adr is not None:
        lines.append(f"Post-mortem: {incident.adr.name} {incident.adr.url or incident.adr.path}")
    return "\n".join(lines)


def items_opened(draft: Draft, action: ItemsOpened) -> None:
    worked(draft, "items.open")
    for number, issue in sorted(action.issues.items()):
        one = _item(draft.incident, number)
        if one is None or one.ticket is not None:
            continue
        replace_item(draft, number, one.model_copy(update={"ticket": issue}))
        draft.claim(f"linear:{issue.id}", soft=True).note(
            "action item", f"{issue.identifier}: {one.text}", url=issue.url
        )
        if not one.open:  # settled here while it was being made there
            draft.want(SyncItem(number=number))


# --- somebody says that one is done --------------------------------------------------------------------------------


def mark_item(draft: Draft, action: MarkItem) -> Refused | None:
    incident = draft.incident
    one = _item(incident, action.number)
    if one is None or incident.open or incident.status is Status.CANCELLED:
        return Refused(
            "state",
            f"{incident.id} has no such action item to be settled now. Nothing was changed.",
        )
    if action.done is not one.open:
        how = (
            f"done, says {one.settled_by}"
            if one.done
            else "dropped"
            if one.dropped
            else "still to do"
        )
        return Refused("stale", f"That action item is {how}. Nothing was changed.")
    if incident.status is Status.CLOSED:
        return Refused("state", f"{incident.id} is closed. Nothing was changed.")
    state = "completed" if action.done else "unstarted"
    _settle(draft, action.number, one, state, mentioned(action.by))
    if one.ticket is not None:
        ticket = one.ticket.model_copy(update={"asked": state})
        again = _item(draft.incident, action.number) or one
        replace_item(draft, action.number, again.model_copy(update={"ticket": ticket}))
        draft.want(SyncItem(number=action.number))
    return None


def item_synced(draft: Draft, action: ItemSynced) -> None:
    incident = draft.incident
    worked(draft, "items.sync", f'"number":{action.number}')
    one = _item(incident, action.number)
    if one is not None and one.ticket is not None:
        known = {"state": action.issue.state, "state_at": action.issue.at, "asked": ""}
        replace_item(
            draft,
            action.number,
            one.model_copy(update={"ticket": one.ticket.model_copy(update=known)}),
        )


def item_heard(draft: Draft, issue: LinearIssue, by: str) -> Draft:
    """What Linear says of a sub-issue; our own words come back, too, and are no news."""
    found = next(
        (
            (n, i)
            for n, i in enumerate(items(draft.incident), 1)
            if i.ticket and i.ticket.id == issue.id
        ),
        None,
    )
    if found is None or found[1].ticket is None:
        return draft
    number, one = found
    known = found[1].ticket
    if issue.state == known.state or (issue.at and known.state_at and issue.at <= known.state_at):
        return draft
    ticket = known.model_copy(update={"state": issue.state, "state_at": issue.at})
    replace_item(draft, number, one.model_copy(update={"ticket": ticket}))
    if issue.state == known.asked or _means(one) == _told(issue.state):
        return draft
    return _settle(
        draft, number, _item(draft.incident, number) or one, issue.state, by or "somebody in Linear"
    )


def _told(state: str) -> str:
    return {"completed": "done", "canceled": "dropped"}.get(state, "open")


def _means(one: ActionItem) -> str:
    return "done" if one.done else "dropped" if one.dropped else "open"


def _settle(draft: Draft, number: int, one: ActionItem, state: str, who: str) -> Draft:
    """One line in the timeline; the list is edited in place, and nothing rings."""
    now = _told(state)
    by = short(who, 80)
    told = {
        "done": now == "done",
        "dropped": now == "dropped",
        "settled_by": by if now != "open" else "",
        "settled_at": draft.now if now != "open" else None,
    }
    said = {"done": "done", "dropped": "dropped", "open": "to do again"}[now]
    draft.note("action item", f"{said}, says {by}: {one.text}")
    return replace_item(draft, number, one.model_copy(update=told))


# --- closed --------------------------------------------------------------------------------------------------------


def close_if_complete(draft: Draft) -> Draft:
    """*Closed*: action items settled, and nothing left that the next deploy would undo (rules: The life of an incident)."""
    incident = draft.incident
    if incident.status is not Status.RESOLVED or waits_for(incident):
        return draft
    how = f"Closed: {settled(incident)}" if items(incident) else "Closed"
    draft.set(status=Status.CLOSED, closed_at=draft.now).note("closed", how).cancel(
        REMIND, GUARD_TIMER
    )
    if incident.adr is not None and items(incident):
        draft.want(CompleteAdr())
    tell(
        draft,
        f"{settled(incident).capitalize()}." if items(incident) else "",
        strong=f"{incident.id} is closed.",
    )
    return draft.dirty("status", "announcement", "items")


# --- reminders -----------------------------------------------------------------------------------------------------


def due_again(one: ActionItem) -> date | None:
    """The day on which its owner hears of it: a working day after it was due, then a week after each time. None: never."""
    if not one.open or one.due is None:
        return None
    day = one.due + timedelta(days=1)
    if one.reminded_on is not None:
        day = max(day, one.reminded_on + timedelta(days=REMIND_DAYS))
    return working_day(day)


def working_day(day: date) -> date:
    """The day itself, or the Monday after the weekend that it is in."""
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= SATURDAY else day


def remind_later(draft: Draft) -> Draft:
    """One timer for all items: the earliest of their mornings."""
    incident = draft.incident
    times = [
        _morning_of(incident, one, draft.now)
        for one in items(incident)
        if due_again(one) is not None
    ]
    if not times or incident.status is not Status.RESOLVED:
        return draft.cancel(REMIND)
    return draft.timer(REMIND, (min(times) - draft.now).total_seconds(), ItemsDue())


def ask_zones(draft: Draft) -> Draft:
    """Where those are who will be reminded; with every reminder anew, so that a change of the clock costs at most one."""
    owners = [
        _hears(draft.incident, one) for one in open_items(draft.incident) if one.due is not None
    ]
    people = tuple(dict.fromkeys(person for person in owners if person is not None))
    return draft.want(AskZone(people=people)) if people else draft


def zones_known(draft: Draft, action: Zones) -> None:
    incident = draft.incident
    worked(draft, "zone")
    if incident.status is not Status.RESOLVED:
        return
    remind_later(draft.set(zones={**incident.zones, **action.offsets}))


def items_due(draft: Draft, action: ItemsDue) -> None:
    """Each owner hears of all their overdue items at once; who has no name in Slack is answered for by who led."""
    incident = draft.incident
    if incident.status is not Status.RESOLVED:
        return
    owners: dict[tuple[str | None, date], list[int]] = {}
    for number, one in enumerate(items(incident), 1):
        local = _there(incident, one, draft.now)
        day = due_again(one)
        not_yet = day is None or day > local.date()
        if (
            not_yet or local.weekday() >= SATURDAY or local.hour < REMIND_HOUR
        ):  # the bot was down when it was due
            continue
        owners.setdefault((_hears(incident, one), local.date()), []).append(number)
        replace_item(draft, number, one.model_copy(update={"reminded_on": local.date()}))
    for (person, today), numbers in owners.items():
        draft.want(RemindOwner(person=person, numbers=tuple(numbers), day=today))
        late = listed([short(items(incident)[number - 1].text, 60) for number in numbers])
        draft.note(
            "action item", f"{mentioned(person) if person else 'The channel'} is reminded: {late}"
        )
    remind_later(ask_zones(draft) if owners else draft)


def _hears(incident: Incident, one: ActionItem) -> str | None:
    return one.person or incident.lead or incident.declared_by


def _there(incident: Incident, one: ActionItem, at: datetime) -> datetime:
    """`at` on the clock of who hears of the item; where that is not known, on the lead's; its zone says UTC and means there."""
    offset = incident.zones.get(_hears(incident, one) or "", incident.lead_offset)
    return at.astimezone(UTC) + timedelta(seconds=offset)


def _morning_of(incident: Incident, one: ActionItem, now: datetime) -> datetime:
    """When its owner hears of it: in the morning of its day, or of the next working day where that has passed."""
    local = _there(incident, one, now)
    ahead = local - now
    at = datetime.combine(due_again(one) or date.max, time(REMIND_HOUR), UTC)
    if at <= local:
        late = local.hour >= REMIND_HOUR
        at = datetime.combine(
            working_day(local.date() + timedelta(days=late)), time(REMIND_HOUR), UTC
        )
    return at - ahead


def _item(incident: Incident, number: int) -> ActionItem | None:
    every = items(incident)
    return every[number - 1] if 1 <= number <= len(every) else None
