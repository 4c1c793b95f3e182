"""The pinned status, on one screen of a phone, for newcomers to the channel; and the topic."""

from datetime import datetime

from handlers.views import phrasing
from handlers.views.blocks import Message, actions, context, header, message, section
from handlers.views.phone_layout import LARGE, SMALL, Fact, fitted, lines
from handlers.views.phrasing import DONE, RUNNING, WAITING, WRONG
from handlers.views.status_buttons import buttons
from handlers.views.status_cause import cause_line
from handlers.views.text import (
    clock,
    cut,
    inline_code,
    link,
    person,
    plain,
    size,
    spoken,
    when,
    words,
)
from phases.coordination.updates import awaits_update
from phases.memory import recall
from phases.messages.effects import policy
from phases.mitigation.deploy_hold import hold
from phases.mitigation.hotfix_merge import unmerged
from phases.postmortem.action_items import items_settled, open_items
from phases.postmortem.reminders import postmortem_owed, postmortem_sent
from phases.record.findings import TriageReport, Word
from phases.record.incident import ActionKind, Incident, RoundAction, Status
from phases.record.service import Service
from phases.record.tokens import what_was_done
from phases.shared.rounds import action_in_effect, round_of_recovery
from phases.text.wording import capital, lasting
from phases.triage.picture.who_is_hit import how_many, nobody

LINES = 12  # as they wrap on a phone, title included, buttons apart
TOPIC = 250
VERSION, VERSION_BRIEFLY = 24, 15
MEMORIES_SHOWN = 2


def status(incident: Incident, now: datetime, service: Service) -> Message:
    """Return the status, edited in place; it is complete in plain blocks.

    With everything known each fact has its line, and the most important ones have more.
    """
    name = f"{incident.id} · {incident.title}"
    title = Fact(plain(name, 150), (0, 6), LARGE, short=plain(name, LARGE))
    above = [_state_line(incident), *_end_facts(incident), _hit_fact(incident), _reported(incident)]
    below = _facts(incident, now, service)
    under = [Fact(_phases(incident), (3,), SMALL, whole=True), *_remembered(incident)]
    texts = iter(fitted([title, *above, *below, *under], LINES))
    head = next(texts)
    first, second, small = (
        [text for text in [next(texts) for _ in part] if text] for part in (above, below, under)
    )
    return message(
        _fallback(incident),
        [
            header(head),
            section("\n".join(first)),
            section("\n".join(second)) if second else None,
            *(context(text) for text in small),
            actions(buttons(incident, service)),
        ],
    )


def topic(incident: Incident) -> str:
    """Return at most 250 characters of plain words.

    The topic is set at the beginning and at the end; between them the pinned message tells.
    """
    stands = (
        "status: see the pinned message"
        if incident.open
        else phrasing.status(incident).split(" ", 1)[1]
    )
    rest = plain(f"· {incident.service} {incident.environment} · {stands}", 120)
    return f"{plain(f'{incident.id} · {incident.title}', TOPIC - 1 - size(rest))} {rest}"


def _fallback(incident: Incident) -> str:
    stands = f"{phrasing.status(incident)}, {phrasing.severity(incident)}"
    return f"{incident.id} {words(incident.title, 150)}: {stands}"


# --- what, how bad, who is hit -------------------------------------------------------------------


def _state_line(incident: Incident) -> Fact:
    known = incident.severity is not None or incident.open
    severity = f" · {phrasing.severity(incident)}" if known else ""
    apart = " · drill" if incident.drill else " · private" if incident.private else ""
    stands = f"*{phrasing.status(incident)}*{severity}{apart}"
    named = f"{stands} · {words(incident.service, 60)}"
    short = named if lines(named) == 1 else stands
    return Fact(f"{named} {words(incident.environment, 40)}", (0, 6), short=short)


def _end_facts(incident: Incident) -> list[Fact]:
    if incident.status is Status.CANCELLED:
        return [
            Fact(f"*Why*: {words(incident.cancel_reason or 'no reason given', 300)}", (1, 4, 6))
        ]
    if incident.drill and incident.open:
        return [
            Fact(
                "*Drill*: the buttons work, nobody is paged and nothing is deployed.",
                (7, 7),
                whole=True,
            )
        ]
    if incident.private and incident.open:
        return [Fact("*Private*: only who is in this channel sees it.", (7, 7), whole=True)]
    return []


def _hit_fact(incident: Incident) -> Fact:
    if incident.triage is not None:
        hit = _who_is_hit(incident, incident.triage)
        blast = incident.triage.blast
        known = incident.triage.manual_by is None and blast.knows("users") and not blast.down
        short = phrasing.scope(blast) if known and blast.users is not Word.NOBODY else hit
        return Fact(f"*Hit*: {hit}", (1, 5, 6), short=f"*Hit*: {short}")
    if incident.triage_overdue:
        why = words(phrasing.silent(incident), 300) or "Sentry has not answered"
        return Fact(f"{WRONG} {why}: how many are hit is not measured", (1, 5))
    return Fact("Measuring who is hit …" if incident.open else "", (1,))


def _reported(incident: Incident) -> Fact:
    """Return what the alert or the person said, where nothing is measured that says more."""
    return Fact(_described(incident) if incident.triage is None else "", (2, 3, 6))


def _who_is_hit(incident: Incident, report: TriageReport) -> str:
    """Return `37 users since 3:02; payment, cart; 14/min, normally 0.2`.

    The most important comes first, as the end is what is cut.
    """
    blast = report.blast
    features = ", ".join(words(f.name, 40) for f in blast.top_features[:3])
    if blast.down or (blast.users is Word.NOBODY and blast.unknown):
        return words(nobody(report), 300)
    if blast.users is Word.NOBODY:
        return f"nobody; {words(nobody(report), 300)}"
    if report.manual_by is not None:
        named = features or how_many(blast.features, "feature")
        return f"{how_many(blast.users, 'user')}; {named} (reported, not measured)"
    scope = phrasing.scope(blast)
    if not incident.open or incident.recovered_at is not None:
        return scope
    baseline = phrasing.rate(report.baseline_per_minute)
    rates = f"{phrasing.rate(report.per_minute)}\u00a0errors/min, normally\u00a0{baseline}"
    since = f"since {when(report.began_at or incident.detected_at)}"
    if not blast.knows("users"):  # users are not "not known since …"
        return f"{scope}; {since}; {rates}"
    return f"{phrasing.users(blast)} {since}; {phrasing.features(blast)}; {rates}"


# --- what is done, by whom, what comes next ------------------------------------------------------


def _facts(incident: Incident, now: datetime, service: Service) -> list[Fact]:
    detected = f"*Detected*: {when(incident.detected_at)}"
    return [
        _decision_fact(incident),
        Fact(_recovered(incident), (2, 5), short=_recovered(incident, brief=True)),
        Fact(
            then := _next_events(incident, now, service),
            (2, 5),
            short=then.partition(" (")[0] if " of two)" in then else "",
        ),
        Fact(f"*Lead*: {phrasing.lead(incident)}" if incident.open else "", (2,)),
        cause_line(incident),
        *_failures(incident),
        *_open_ends(incident),
        Fact(_update_text(incident), (3, 5, 6, 7)),
        Fact(_links(incident, service), (3, 6)),
        Fact(f"{detected} via {phrasing.source(incident)}", (8, 8, 9), short=detected),
        Fact(_described(incident) if incident.triage is not None else "", (9, 9, 9)),
        Fact(
            f"Reported as separate from {words(incident.else_reason, 20)}"
            if incident.else_reason
            else "",
            (9,),
        ),
    ]


def _decision_fact(incident: Incident) -> Fact:
    """Return the decision, how it went, and who made it."""
    current = incident.round
    if current is None or incident.status is Status.CANCELLED:
        return Fact("", (1,))
    if (action := action_in_effect(incident)) is not None:
        return Fact(_action_line(action), (1, 5, 6), short=_action_in_short(action))
    which = f" (round {current.number})" if current.number > 1 else ""
    if current.investigate_by:
        return Fact(f"*Decided*: investigate, {person(current.investigate_by)}{which}", (1, 5))
    if advice := phrasing.recommended(current.recommendation):
        return Fact(f"*Recommended*: {advice}{_last_result(incident)}", (1, 5))
    return Fact(f"*Decided*: nothing yet{which}{_last_result(incident)}", (1, 5))


def _last_result(incident: Incident) -> str:
    """Return the end of the round before: the reason why it is to be decided again."""
    before = incident.rounds[-2] if len(incident.rounds) > 1 else None
    if before is None or before.action is None:
        return ""
    if before.verdict == "not recovered":
        return f"; before: {WRONG} {_what_in_short(before.action)} did not help"
    return f"; before: {_action_in_short(before.action)}"


def _action_line(action: RoundAction) -> str:
    """Return `✓ done in 41 s: roll back 1.3.0 → 1.2.0, @Alice`."""
    went = f"{DONE} " if action.kind is ActionKind.FIXED else f"{phrasing.how_it_went(action)}: "
    what, why_not = phrasing.done(action, VERSION), phrasing.why_not(action)
    return f"*Action*: {went}{what}, {person(action.by)}{why_not}"


def _action_in_short(action: RoundAction) -> str:
    what, went = _what_in_short(action), phrasing.how_it_went(action)
    return (
        f"{went[0]} {what}, {person(action.by)}" if action.result == "done" else f"{went}: {what}"
    )


def _what_in_short(action: RoundAction) -> str:
    to = inline_code(action.to_release.version if action.to_release else "?", VERSION_BRIEFLY)
    match action.kind:
        case ActionKind.ROLLBACK:
            return f"*Rollback* to {to}"
        case ActionKind.TURN_OFF:
            return f"*{capital(words(what_was_done(action, 'past'), VERSION))}*"
        case ActionKind.HOTFIX:
            return f"*Hotfix* {to.replace('hotfix ', '')}"
        case ActionKind.FIXED:
            return "*Fixed* another way"


def _next_events(incident: Incident, now: datetime, service: Service) -> str:
    """Return the events that people can wait for, and their time."""
    coming: list[str] = []
    due = phrasing.next_look(incident, service)
    if due is not None:
        which = "first" if due[0] == 1 else "second"
        coming.append(
            f"check {clock(due[1]) if due[1] > now else 'any moment now'} ({which} of two)"
        )
    elif incident.status is Status.VERIFYING:
        coming.append("somebody says whether users have it back")
    if incident.update_due is not None and awaits_update(incident):
        late = incident.update_due <= now
        due_at = when(incident.update_due, "{time}")
        coming.append(f"update {'was due ' if late else ''}{due_at}")
    if postmortem_owed(incident):
        asked = (
            f", asked for {when(incident.postmortem_due, '{date_short_pretty}')}"
            if incident.postmortem_due
            else ""
        )
        coming.append(
            "the post-mortem is being written"
            if postmortem_sent(incident)
            else f"post-mortem{asked}"
        )
    if incident.status is Status.RESOLVED and open_items(incident):
        coming.append(items_settled(incident))
    return f"*Next*: {', '.join(coming)}" if coming else ""


def _recovered(incident: Incident, *, brief: bool = False) -> str:
    if incident.recovered_at is None:
        return ""
    took = lasting(incident.recovered_at - incident.detected_at)
    doubt = _not_measured(incident)
    if brief:
        return f"*Recovered* after {took}{' (not measured)' if doubt else ''}"
    return f"*Recovered* after {took}, {when(incident.recovered_at)}{doubt}"


def _not_measured(incident: Incident) -> str:
    current = round_of_recovery(incident)
    confirmed = current is not None and current.verdict == "confirmed by a person"
    return " (a person's word, not measured)" if confirmed else ""


def _failures(incident: Incident) -> list[Fact]:
    """Return the newest failure.

    Where it only goes on beside the incident, the words of people come first.
    """
    if not incident.failures or (
        incident.failures[-1].kind == "triage" and phrasing.silent(incident)
    ):
        return []  # the line of who is hit says it
    newest = incident.failures[-1]
    more = len(incident.failures) - 1
    others = f" (and\u00a0{more}\u00a0more)" if more else ""
    what = policy(newest.kind).words
    return [
        Fact(
            f"{WRONG} *{what}*{others}: {words(newest.reason, 300)}",
            (4, 6, 6) if policy(newest.kind).small else (2, 4, 6),
        )
    ]


def _open_ends(incident: Incident) -> list[Fact]:
    """Return the open end of a deploy that could bring it back, or undo what ended it."""
    ends = (
        (hold(incident), "Hold deploys: they may bring it back"),
        (unmerged(incident), "Hotfix is not merged: deploys undo it"),
    )
    return [
        Fact(f"{WAITING} {words(line, 400)}", (3, 6, 7), short=f"{WAITING} {briefly}")
        for line, briefly in ends
        if line
    ]


def _update_text(incident: Incident) -> str:
    if not incident.latest_update:
        return ""
    at = f" {when(incident.updated_at, '{time}')}" if incident.updated_at else ""
    return f"*Update*{at}: {spoken(incident.latest_update, 400, lines=False)}"


def _links(incident: Incident, service: Service) -> str:
    shown: list[str] = []
    if incident.ticket is not None:
        shown.append(link(incident.ticket.url, incident.ticket.identifier, 20))
    if incident.adr is not None:
        shown.append(link(incident.adr.url, incident.adr.name, 20))
    issue = incident.triage.issues[0] if incident.triage and incident.triage.issues else None
    if issue is not None and issue.url:
        shown.append(link(issue.url, issue.short_id, 20))
    if service.runbook and incident.open:
        shown.append(link(service.runbook, "runbook"))
    return " · ".join(shown)


def _described(incident: Incident) -> str:
    differs = incident.description and " ".join(incident.description.split()) != incident.title
    return f"› {words(incident.description, 400)}" if differs else ""


def _remembered(incident: Incident) -> list[Fact]:
    if incident.shrunk_at is not None:
        return [
            Fact(
                "Over for a month: the details are in the timeline and the post-mortem.",
                (2, 2),
                SMALL,
            )
        ]
    memories = recall.memory_sentences(incident)[:MEMORIES_SHOWN] if incident.open else ()
    return [Fact(words(memory, 400), (7, 7, 7, 7), SMALL, whole=True) for memory in memories]


# --- the six phases ------------------------------------------------------------------------------


def _phases(incident: Incident) -> str:
    """Return the six phases of the workflow in one line, each with its sign."""
    signs = (
        (_triage(incident), "Triage"),
        (_cause_found(incident), "Cause"),
        (_action(incident), "Action"),
        (_ticket(incident), "Ticket"),
        (_check(incident), "Check"),
        (_postmortem(incident), "Learn"),
    )
    return " ".join(f"{sign}{name}" for sign, name in signs)


def _triage(incident: Incident) -> str:
    if incident.triage is not None:
        return DONE
    return WRONG if incident.triage_overdue else RUNNING if incident.open else WAITING


def _cause_found(incident: Incident) -> str:
    if incident.cause is not None:
        return DONE
    looking = incident.investigating or (
        incident.bisect is not None and incident.bisect.state in ("running", "found")
    )
    return RUNNING if looking else WAITING


def _action(incident: Incident) -> str:
    action = action_in_effect(incident)
    if action is None:
        return WAITING
    return {"waiting": RUNNING, "running": RUNNING, "done": DONE}.get(action.result, WRONG)


def _ticket(incident: Incident) -> str:
    if incident.ticket is not None:
        return DONE
    if any(f.kind == "ticket.open" for f in incident.failures):
        return WRONG
    return RUNNING if incident.open and not incident.ticket_off else WAITING


def _check(incident: Incident) -> str:
    if incident.recovered_at is not None:
        return DONE
    if incident.status is Status.VERIFYING:
        ask = incident.round is not None and incident.round.verdict == "ask a person"
        return WRONG if ask else RUNNING
    return WRONG if any(r.verdict == "not recovered" for r in incident.rounds) else WAITING


def _postmortem(incident: Incident) -> str:
    if incident.adr is not None:
        return DONE
    return RUNNING if postmortem_sent(incident) else WAITING


def short(incident: Incident) -> str:
    """Return one line for lists: id, channel, severity, what, how it stands."""
    room = phrasing.room(incident)
    return cut(
        f"*{incident.id}*{f' {room}' if room else ''} {phrasing.severity(incident)} · "
        f"{phrasing.status(incident)} · {words(incident.service, 60)} · "
        f"{words(incident.title, 200)}",
        600,
    )
