"""Phase 4, incidents that are one: the duplicates end, and the other goes on; or they part again.

It goes on with the issues, the people and the timeline of all. All of them change in one commit,
which checks every version. Timelines are joined where they are read (`Incident.merged`), so that a
duplicate that parts again has its own, whole.
"""

from collections.abc import Iterable, Sequence

from phases.coordination.evidence import STORM_SECONDS
from phases.coordination.reopening import open_again
from phases.messages.actions import MeasureDue
from phases.messages.commands import MergeDuplicates, SplitOff
from phases.messages.effects import CloseTicket, Invite
from phases.mitigation.deploy_hold import hold
from phases.mitigation.hotfix_merge import newest_deploy, unmerged
from phases.record.claims import fingerprint_claim, issues_of, open_claim
from phases.record.incident import Brought, Incident, Severity, Status
from phases.record.limits import HEARD_MOST, MEASURE_TIMER, SEEDS_MOST
from phases.record.timeline import Shown
from phases.record.tokens import mentioned, what_was_done
from phases.shared.announce import LIVE_EVERYWHERE, page_if_urgent, tell
from phases.shared.change import Draft, Refused
from phases.shared.resolution import end_incident
from phases.shared.rounds import GUARD_TIMER, decision_name
from phases.text.wording import ended, listed, short

AT_ONCE = 10
"""So many duplicates one command takes: each is a part of the same commit."""


def merge_duplicates(draft: Draft, action: MergeDuplicates) -> Refused | None:
    """Merge duplicates into the incident that goes on: all of them, or none.

    `action.records` are the duplicates as the dispatcher has read them.
    """
    incident = draft.incident
    known = {gone.id for gone in action.records}
    if lost := [id for id in action.others if id not in known]:
        return Refused("unknown", f"There is no incident {listed(lost)}. Nothing was changed.")
    if not action.records or len(action.records) > AT_ONCE:
        return Refused(
            "input", f"Between one and {AT_ONCE} duplicates at once. Nothing was changed."
        )
    for gone in action.records:
        if (why := _why_not_merged(incident, gone)) is not None:
            return Refused("state", f"{why} Nothing was changed.")
    for gone in action.records:
        _take_over_parts(draft, gone, action.by)
    draft.claim(open_claim(incident.service, incident.environment), soft=True)
    for issue in draft.incident.seeds:
        draft.claim(fingerprint_claim(issue), soft=True)
    worse = _take_worse_severity(draft, action.records)
    _say_merged(draft, action, worse)
    _go_on_where_it_burns(draft, action)
    if worse:
        page_if_urgent(draft, f"{incident.id} {incident.title}: {worse}")
    new = {issue for gone in action.records for issue in issues_of(gone)} - set(issues_of(incident))
    if new:
        _measure_again(draft)
    draft.also = tuple(
        _end_duplicate(Draft(gone, draft.now), action.by, incident) for gone in action.records
    )
    draft.dirty(*LIVE_EVERYWHERE)
    return None


def split_off(draft: Draft, action: SplitOff) -> Refused | None:
    """Take a duplicate out of the incident into which it was merged by mistake.

    It goes on by itself, with its own channel, ticket and timeline. What was over before it was
    merged stays over.
    """
    gone = draft.incident
    surviving = next(
        (record for record in action.records if record.id == gone.duplicate_of),
        None,
    )
    if gone.duplicate_of is None:
        return Refused("state", f"{gone.id} is not merged into another one. Nothing was changed.")
    if surviving is None:
        return Refused("state", f"{gone.id} is part of {gone.duplicate_of}. Nothing was changed.")
    if surviving.duplicate_of is not None:
        chain = (
            f"{surviving.id} is itself part of {surviving.duplicate_of}. Split that one off first"
        )
        return Refused("state", f"{chain}: `/incident split {surviving.id}`. Nothing was changed.")
    other = Draft(surviving, draft.now)
    who = mentioned(action.by)
    goes_on = gone.status is Status.CANCELLED and gone.cancel_reason == merged_into(surviving.id)
    _give_parts_back(other, gone, action.by, goes_on=goes_on)
    draft.set(duplicate_of=None)
    if goes_on:
        same = (gone.service, gone.environment) == (surviving.service, surviving.environment)
        open_again(
            draft,
            f"{who} split it off from {surviving.id}",
            by=action.by,
            beside=action.beside or (surviving.id if same and surviving.open else None),
        )
    else:
        draft.note("split", f"{who} split it off from {surviving.id}", by=action.by)
        tell(draft, f"it stays {gone.status.value}.", strong=f"No part of {surviving.id} any more:")
    draft.also = (other,)
    return None


def merged_into(kept: str) -> str:
    """Return why a duplicate is cancelled."""
    return f"duplicate of {kept}"


def joined_entry(id: str, entry: Shown) -> Shown:
    """Return a duplicate's entry as it stands in the timeline of the incident that goes on."""

    def marked(words: str) -> str:
        return f"{id}: {words}"[:2000] if words else ""

    first = entry.recorded
    update = {"text": marked(entry.text), "of": id}
    if first is not None:
        every = (
            correction.model_copy(update={"text": marked(correction.text)})
            for correction in entry.corrections
        )
        first = first.model_copy(update={"text": marked(first.text)})
        update |= {"recorded": first, "corrections": tuple(every)}
    return entry.model_copy(update=update)


def _why_not_merged(incident: Incident, gone: Incident) -> str | None:
    if gone.id == incident.id:
        return f"{gone.id} cannot be its own duplicate."
    if gone.id in incident.merged:
        return f"{gone.id} is already merged into {incident.id}."
    if gone.duplicate_of is not None:
        return f"{gone.id} is already merged into {gone.duplicate_of}."
    if gone.status is Status.MITIGATING:
        deploy = f"A deploy of {gone.id} is under way"
        return f"{deploy}. Keep {gone.id}, or merge it when that is checked."
    if gone.private != incident.private:
        people = "people would see too much or too little"
        return f"A private and a public incident are not merged: {people}."
    if gone.drill != incident.drill:
        return "A drill is not merged with a real incident."
    return _why_it_goes_on(incident, gone)


def _why_it_goes_on(incident: Incident, gone: Incident) -> str | None:
    """Say why a duplicate has to be the one that goes on: what it did to production is followed.

    Its check, its hold and its unmerged hotfix would end with it.
    """
    if gone.status is Status.VERIFYING:
        checked = f"What was done in {gone.id} is being checked"
        return f"{checked}. Keep {gone.id}, or merge it when that has ended."
    newest = newest_deploy(gone)
    open_end = hold(gone) or unmerged(gone)
    if not gone.open or open_end is None or newest is None or newest.action is None:
        return None
    if newest_deploy(incident) is not None:
        return None
    done = what_was_done(newest.action)
    return f"{gone.id} changed production ({done}): keep {gone.id}, which follows that."


def _burns(gone: Incident) -> bool:
    return gone.open and not gone.status.fine


def _take_worse_severity(draft: Draft, records: Sequence[Incident]) -> str:
    """Take the severity of the worst duplicate that burns, unless a person has set ours."""
    incident = draft.incident
    known = [gone for gone in records if _burns(gone) and gone.severity is not None]
    worst = min(known, key=lambda gone: gone.severity or Severity.SEV4, default=None)
    if worst is None or worst.severity is None or incident.severity_by is not None:
        return ""
    if incident.severity is not None and incident.severity <= worst.severity:
        return ""
    former = f"SEV{incident.severity.value} → " if incident.severity else ""
    text = f"{former}SEV{worst.severity.value}, as {worst.id}"
    draft.set(severity=worst.severity, severity_by=worst.severity_by).note("severity", text)
    return text


def _go_on_where_it_burns(draft: Draft, action: MergeDuplicates) -> None:
    """Open again what seemed fine, where a duplicate of it is not: that would be lost."""
    burning = [gone.id for gone in action.records if _burns(gone)]
    if draft.incident.status is not Status.MITIGATED or not burning:
        return
    has = "is the same and has" if len(burning) == 1 else "are the same and have"
    open_again(draft, f"{listed(burning)} {has} not recovered", by=action.by, beside=None)


def _take_over_parts(draft: Draft, gone: Incident, by: str) -> None:
    incident = draft.incident
    seeds = tuple(dict.fromkeys((*incident.seeds, *issues_of(gone))))[:SEEDS_MOST]
    own = _own_parts(incident)
    brought = Brought(
        issues=tuple(i for i in issues_of(gone) if i in seeds and i not in own.issues),
        heard=tuple(key for key in gone.heard if key not in own.heard),
        rolled_back=tuple(v for v in gone.rolled_back if v not in own.rolled_back),
    )
    draft.set(
        seeds=seeds,
        merged=tuple(dict.fromkeys((*incident.merged, gone.id, *gone.merged))),
        brought={**incident.brought, gone.id: brought},
        rolled_back=tuple(dict.fromkeys((*incident.rolled_back, *gone.rolled_back))),
        heard=tuple(dict.fromkeys((*incident.heard, *gone.heard)))[-HEARD_MOST:],
    )
    text = f"{gone.id} is the same: {ended(gone.title)} Its timeline is now part of this one"
    draft.note("merged", text, by=by)


def _own_parts(incident: Incident) -> Brought:
    """Return what the incident has of its own, without what its duplicates brought."""
    brought = incident.brought.values()
    return Brought(
        issues=_without_values(incident.seeds, (id for part in brought for id in part.issues)),
        heard=_without_values(incident.heard, (key for part in brought for key in part.heard)),
        rolled_back=_without_values(
            incident.rolled_back, (v for part in brought for v in part.rolled_back)
        ),
    )


def _without_values(values: Iterable[str], gone: Iterable[str]) -> tuple[str, ...]:
    out = frozenset(gone)
    return tuple(value for value in values if value not in out)


def _say_merged(draft: Draft, action: MergeDuplicates, worse: str) -> None:
    """Say it in the channel, once for all of them, and bring their people along."""
    ids = [gone.id for gone in action.records]
    titles = " ".join(ended(short(gone.title, 150)) for gone in action.records)
    single, people = len(ids) == 1, draft.incident.own_channel is not None
    what = f"{'Its timeline' if single else 'Their timelines'}{' and people' if people else ''}"
    have = "has" if single and not people else "have"
    ends = [gone.id for gone in action.records if gone.open]
    over = f"; {_which_end(ids, ends)} cancelled" if ends else ""
    more = f" {worse}." if worse else ""
    are = f"{ids[0]} is the same:" if single else f"{listed(ids)} are the same:"
    tell(
        draft,
        f"{titles} {what} {have} moved here{over}.{more} ({mentioned(action.by)})",
        strong=are,
    )
    if draft.incident.own_channel is None:
        return
    for gone in action.records:
        involved = (gone.declared_by, gone.lead, *gone.invited)
        people = tuple(dict.fromkeys(person for person in involved if person))
        room = gone.own_channel.id if gone.own_channel is not None else None
        draft.want(Invite(people=people, members_of=room))


def _which_end(ids: Sequence[str], ends: Sequence[str]) -> str:
    """Return who is cancelled: what was over before stays as it ended."""
    if len(ends) < len(ids):
        return f"{listed(ends)} {'is' if len(ends) == 1 else 'are'}"
    return "it is" if len(ids) == 1 else "they are"


def _end_duplicate(draft: Draft, by: str, into: Incident) -> Draft:
    """End the duplicate, and say where it goes on; what was over stays as it ended."""
    gone = draft.incident
    there = into.own_channel
    where = f"{_place_of(into)}; you are invited there" if there is not None else _place_of(into)
    ticket = (
        f" Its ticket: {into.ticket.identifier} {into.ticket.url}"
        if into.ticket is not None
        else ""
    )
    draft.set(duplicate_of=into.id).cancel(GUARD_TIMER)
    draft.give_up_claim(
        open_claim(gone.service, gone.environment), *(fingerprint_claim(i) for i in issues_of(gone))
    )
    draft.note("merged", f"Duplicate of {into.id}, says {mentioned(by)}", by=by)
    if gone.open:
        draft.set(
            status=Status.CANCELLED, cancelled_at=draft.now, cancel_reason=merged_into(into.id)
        )
        end_incident(draft)
        if gone.ticket is not None:
            draft.want(CloseTicket(cancelled=True))
    tell(
        draft,
        f"work goes on{where}.{ticket}",
        strong=f"Duplicate of {into.id}:",
    )
    current = gone.round
    return draft.dirty(
        "status", "announcement", "tree", decision_name(current.number if current else 1)
    )


def _place_of(incident: Incident) -> str:
    if incident.channel is None:
        return ""
    if incident.own_channel is None:
        return f" in a thread in <#{incident.channel.id}>"
    return f" in <#{incident.channel.id}|{incident.channel.name}>"


def _give_parts_back(draft: Draft, gone: Incident, by: str, *, goes_on: bool) -> None:
    """Give back what the duplicate brought, but for what is this one's own or another's, too."""
    surviving, brought = draft.incident, draft.incident.brought.get(gone.id, Brought())
    left = {id: part for id, part in surviving.brought.items() if id != gone.id}
    others = left.values()
    issues = _without_values(brought.issues, (id for part in others for id in part.issues))
    heard = _without_values(brought.heard, (key for part in others for key in part.heard))
    versions = _without_values(
        brought.rolled_back, (v for part in others for v in part.rolled_back)
    )
    draft.set(
        merged=_without_values(surviving.merged, (gone.id, *gone.merged)),
        brought=left,
        seeds=_without_values(surviving.seeds, issues),
        heard=_without_values(surviving.heard, heard),
        rolled_back=_without_values(surviving.rolled_back, versions),
    )
    draft.give_up_claim(*(fingerprint_claim(issue) for issue in issues))
    text = f"{gone.id} is something else: {ended(gone.title)} Its timeline is its own again"
    draft.note("split", text, by=by)
    goes = f"It goes on by itself{_place_of(gone)}" if goes_on else f"It stays {gone.status.value}"
    there = f"{goes}. ({mentioned(by)}){_warn_of_unknown_parts(surviving, gone)}"
    tell(
        draft,
        f"{ended(short(gone.title, 150))} {there}",
        strong=f"{gone.id} is something else:",
    )
    if issues:
        _measure_again(draft)


def _warn_of_unknown_parts(kept: Incident, gone: Incident) -> str:
    """Say that its issues stay, if it was merged before it was noted what it brought."""
    if gone.id in kept.brought or not set(issues_of(gone)) & set(kept.seeds):
        return ""
    before = "It was merged before it was noted what a duplicate brings"
    return f" {before}: its Sentry issues stay with {kept.id}, too."


def _measure_again(draft: Draft) -> None:
    """Have the other issues measured, while nobody has decided."""
    if draft.incident.triage is not None and draft.incident.status.undecided:
        draft.timer(MEASURE_TIMER, STORM_SECONDS, MeasureDue())
