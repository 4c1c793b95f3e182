"""The pinned status: everything a responder must know, on one screen of a phone; and the channel's topic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from handlers.views import phrasing
from handlers.views.blocks import (
    Block,
    Element,
    Message,
    actions,
    button,
    context,
    facts,
    header,
    menu_option,
    message,
    section,
)
from handlers.views.merge import merge_buttons
from handlers.views.phrasing import DONE, RUNNING, WAITING, WRONG
from handlers.views.text import clock, cut, link, person, plain, size, spoken, when, words
from phases import memory
from phases.failures import WORDS
from phases.incident import ActionKind, Incident, Severity, Status
from phases.merging import unmerged
from phases.mitigation import hold
from phases.service import Service

TOPIC = 250
BUTTONS = 3
FAILURES = 3
REMEMBERED = 2


def status(incident: Incident, now: datetime, service: Service) -> Message:
    """Live and pinned; complete in plain blocks."""
    blocks: list[Block | None] = [
        header(f"{incident.id} · {incident.title}"),
        section(_what(incident)),
        facts(_facts(incident, now, service)),
    ]
    blocks += [section(f"{WAITING} {words(line, 400)}") for line in (hold(incident), unmerged(incident)) if line]
    if incident.latest_update:
        due = f" · next {when(incident.update_due, '{time}')}" if incident.update_due else ""
        blocks.append(section(f"*Latest update*{due}\n{spoken(incident.latest_update, 400)}"))
    blocks += _failures(incident)
    blocks.append(context(" · ".join(f"{name}:\u00a0{how}" for name, how in phases(incident))))
    if (incident.past or incident.recollection) and incident.open:
        blocks.append(
            context(*(words(said, 400) for said in memory.sentences(incident.past, incident, now)[:REMEMBERED]))
        )
    if incident.shrunk_at is not None:
        blocks.append(context("Over for a month: the details are in the timeline and the post-mortem."))
    blocks.append(actions([*_buttons(incident), *merge_buttons(incident, service), *_more(incident)]))
    return message(_fallback(incident), blocks)


def topic(incident: Incident) -> str:
    """At most 250 characters of plain words. Set at the beginning and at the end; between them the pinned message tells."""
    stands = "how it stands: see the pinned message" if incident.open else phrasing.status(incident).split(" ", 1)[1]
    rest = f" · {incident.service} {incident.environment} · {stands}"
    return f"{plain(f'{incident.id} · {incident.title}', TOPIC - size(rest[:120]))}{rest[:120]}"


def _fallback(incident: Incident) -> str:
    return f"{incident.id} {words(incident.title, 150)}: {phrasing.status(incident)}, {phrasing.severity(incident)}"


def _what(incident: Incident) -> str:
    lines = [
        f"*{phrasing.status(incident)}* · {phrasing.severity(incident)} · "
        f"{words(incident.service, 60)} {words(incident.environment, 40)}{_took(incident)}"
    ]
    if incident.drill and incident.open:
        lines.append("*Drill*: the buttons work, nobody is paged and nothing is deployed.")
    if incident.status is Status.CANCELLED:
        lines.append(f"Cancelled: {words(incident.cancel_reason or 'no reason given', 300)}")
    if incident.triage is not None:
        lines.append(phrasing.hit(incident.triage))
    elif incident.triage_overdue:
        lines.append(f"{WRONG} Sentry has not answered: how many are hit is not measured")
    elif incident.open:
        lines.append("Measuring who is hit …")
    if incident.description and " ".join(incident.description.split()) != incident.title:
        lines.append(f"› {words(incident.description, 400)}")
    return "\n".join(lines)


def _took(incident: Incident) -> str:
    """How long it took, once it is over; before that a message that stands still would lie."""
    end = incident.recovered_at or incident.cancelled_at
    if end is None:
        return ""
    return f" · took {phrasing.minutes((end - incident.detected_at).total_seconds())}"


def _facts(incident: Incident, now: datetime, service: Service) -> list[tuple[str, str]]:
    due = phrasing.next_look(incident, service)
    pairs = [
        ("Lead", phrasing.lead(incident)),
        ("Detected", f"{when(incident.detected_at)} via {phrasing.source(incident)}"),
        ("Decided", _decided(incident)),
    ]
    if due is not None:
        which = "first" if due[0] == 1 else "second"
        pairs.append(("Next check", f"{clock(due[1]) if due[1] > now else 'any moment now'} ({which} of two)"))
    elif incident.recovered_at is not None:
        pairs.append(("Recovered", f"{when(incident.recovered_at)}{_not_measured(incident)}"))
    if incident.cause is not None:
        pairs.append(("Root cause", words(incident.cause.text, 400)))
    if incident.ticket is not None:
        pairs.append(("Ticket", link(incident.ticket.url, incident.ticket.identifier)))
    if incident.adr is not None:
        pairs.append(("Post-mortem", link(incident.adr.url, incident.adr.name)))
    if service.runbook and incident.open:
        pairs.append(("Runbook", link(service.runbook, f"{incident.service} runbook")))
    if incident.else_reason:
        pairs.append(("Beside", f"declared as something else than {words(incident.else_reason, 20)}"))
    return pairs


def _not_measured(incident: Incident) -> str:
    confirmed = any(r.verdict == "confirmed by a person" for r in incident.rounds[-1:])
    return " (a person's word, not measured)" if confirmed else ""


def _decided(incident: Incident) -> str:
    current = incident.round
    if current is None:
        return "nothing yet"
    if current.action is not None:
        return f"{phrasing.done(current.action)}, by {person(current.action.by)} · {phrasing.outcome(current.action)}"
    chosen = f"investigate, by {person(current.investigate_by)}" if current.investigate_by else "nothing yet"
    return f"{chosen} (round {current.number})" if current.number > 1 else chosen


def _failures(incident: Incident) -> list[Block | None]:
    """What could not be done, and how it is done again."""
    blocks: list[Block | None] = []
    for failure in incident.failures[-FAILURES:]:
        again = button("Try again", "incident.try_again", {"incident": incident.id, "effect": failure.effect_id})
        what = WORDS.get(failure.kind, "Something could not be done")
        blocks.append(section(f"{WRONG} *{what}*: {words(failure.reason, 300)}", accessory=again))
    more = len(incident.failures) - FAILURES
    if more > 0:
        blocks.append(context(f"{WRONG} and {phrasing.count(more, 'earlier failure')}"))
    return blocks


# --- the six phases --------------------------------------------------------------------------------------------


def phases(incident: Incident) -> list[tuple[str, str]]:
    """(name, sign and word) for each of the six phases of the workflow."""
    return [
        ("Triage", _triage(incident)),
        ("Cause", _cause(incident)),
        ("Action", _action(incident)),
        ("Ticket", _ticket(incident)),
        ("Check", _check(incident)),
        ("Post-mortem", _postmortem(incident)),
    ]


def _triage(incident: Incident) -> str:
    if incident.triage is not None:
        return f"{DONE} by hand" if incident.triage.manual_by else f"{DONE} measured"
    if incident.triage_overdue:
        return f"{WRONG} Sentry silent"
    return f"{RUNNING} measuring" if incident.open else f"{WAITING} none"


def _cause(incident: Incident) -> str:
    if incident.cause is not None:
        return f"{DONE} known"
    if incident.bisect is not None and incident.bisect.state == "running":
        return f"{RUNNING} bisecting"
    if incident.bisect is not None and incident.bisect.culprit is not None:
        return f"{RUNNING} found, to be confirmed"
    if incident.investigating:
        return f"{RUNNING} investigating"
    if incident.hypotheses:
        return f"{WAITING} {phrasing.count(len(incident.hypotheses), 'hypothesis', 'hypotheses')}"
    return f"{WAITING} not yet"


def _action(incident: Incident) -> str:
    current = incident.round
    if current is None or current.action is None:
        return f"{WAITING} to decide" if incident.open else f"{WAITING} none"
    action = current.action
    if action.result in ("waiting", "running"):
        return f"{RUNNING} deploying"
    if action.result != "done":
        return f"{WRONG} {action.result}"
    return f"{DONE} {_ACTION_DONE[action.kind]}"


_ACTION_DONE = {
    ActionKind.ROLLBACK: "rolled back",
    ActionKind.HOTFIX: "hotfix out",
    ActionKind.FIXED: "fixed another way",
}


def _ticket(incident: Incident) -> str:
    if incident.ticket is not None:
        return f"{DONE} {words(incident.ticket.identifier, 30)}"
    if any(f.kind == "ticket.open" for f in incident.failures):
        return f"{WRONG} missing"
    return f"{RUNNING} opening" if incident.open and not incident.ticket_off else f"{WAITING} none"


def _check(incident: Incident) -> str:
    if incident.recovered_at is not None:
        return f"{DONE} recovered"
    if incident.status is Status.VERIFYING:
        asked = incident.round is not None and incident.round.verdict == "ask a person"
        return f"{WRONG} a person is asked" if asked else f"{RUNNING} waiting to check"
    if any(r.verdict == "not recovered" for r in incident.rounds):
        return f"{WRONG} not recovered"
    return f"{WAITING} not yet"


def _postmortem(incident: Incident) -> str:
    if incident.adr is not None:
        return f"{DONE} {incident.adr.name}"
    if incident.postmortem is not None:
        return f"{RUNNING} being written"
    if incident.status is Status.CANCELLED:
        return f"{WAITING} none"
    return f"{WAITING} to write"


# --- what can be done from here --------------------------------------------------------------------------------


def _buttons(incident: Incident) -> Sequence[Element]:
    """Only what can work now: the three that matter most."""
    if not incident.open:
        return []
    return [_button(*one, incident) for one in _wanted(incident)[:BUTTONS]]


def _wanted(incident: Incident) -> list[tuple[str, str]]:
    """What can be done, by what matters: label and action."""
    cause = [("Name the cause", "incident.cause")] if incident.cause is None else []
    written = incident.adr is not None or incident.drill
    postmortem = [] if written else [("Post-mortem", "incident.postmortem")]
    update = ("Post update", "incident.update")
    match incident.status:
        case Status.MITIGATED:
            over = [("Resolve", "incident.resolve")] if written and (incident.drill or not cause) else []
            return [*postmortem, *over, *cause, ("Ship a fix forward", "incident.hotfix"), update]
        case Status.VERIFYING:
            return [("Check now", "incident.recheck"), update, *postmortem, *cause]
        case _:
            lead = [("Take lead", "incident.lead")] if incident.lead is None else []
            undecided = incident.status in (Status.DECLARED, Status.DECIDING)
            return [*lead, update, *([("False alarm", "incident.cancel")] if undecided else []), *cause]


def _button(label: str, action_id: str, incident: Incident) -> Element:
    value: dict[str, Any] = {"incident": incident.id}
    if action_id == "incident.hotfix":
        value["round"] = incident.round.number if incident.round else 1
    first = action_id in ("incident.postmortem", "incident.lead")
    urgent = first and incident.status is not Status.VERIFYING
    return button(label, action_id, value, style="primary" if urgent else None)


_MEANS = {
    Severity.SEV1: "many users, many features",
    Severity.SEV2: "many users, one feature",
    Severity.SEV3: "one user",
    Severity.SEV4: "nobody is hit",
}


def _more(incident: Incident) -> list[Element]:
    """Behind the dots: a person's word on how bad it is, and the lead where somebody else has it."""
    if not incident.open:
        return []
    here = {"incident": incident.id}
    options = [
        menu_option(f"SEV{level.value}: {means}", {**here, "severity": level.value})
        for level, means in _MEANS.items()
        if level is not incident.severity
    ]
    if incident.lead is not None:
        options.append(menu_option("Take lead", here))
    return [{"type": "overflow", "action_id": "incident.more", "options": options}]


def short(incident: Incident) -> str:
    """One line for lists: id, channel, severity, what, how it stands."""
    where = f" <#{incident.channel.id}>" if incident.channel and not incident.channel.thread_ts else ""
    return cut(
        f"*{incident.id}*{where} {phrasing.severity(incident)} · {phrasing.status(incident)} · "
        f"{words(incident.service, 60)} · {words(incident.title, 200)}",
        600,
    )
