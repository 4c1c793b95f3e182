"""The decision of a round: the advice and its buttons; then who, what, when, result."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal

from handlers.views import phrasing
from handlers.views.blocks import (
    Block,
    Element,
    Message,
    actions,
    button,
    confirm,
    context,
    message,
    section,
)
from handlers.views.hotfix_merge import merge_buttons
from handlers.views.phrasing import DONE, WAITING, WRONG
from handlers.views.taken_back import in_the_dialog, quotes, what_it_takes_back
from handlers.views.text import clock, code, cut, inline_code, local, person, spoken, when, words
from handlers.views.triage_details import triage_details
from handlers.views.turn_off import by_hand, change_of, fixed_button, turn_off_buttons
from phases.memory import recall
from phases.mitigation.decision import rollback_target, running_release
from phases.record.findings import Choice, LookVerdict, Recommendation, TriageReport, Word
from phases.record.incident import Incident, Round, RoundAction, Status
from phases.record.limits import DRILL_PREFIX
from phases.record.service import Service
from phases.triage.deploys.beginning_text import BEGAN
from phases.triage.picture.who_is_hit import scope
from phases.triage.rollback.recommendation import HARDLY, OPEN, warning_brake

REASONS_SHOWN = 5
VERSION = 60
"""Characters of a version in the dialog: what goes back with it must fit, too."""


def decision(incident: Incident, now: datetime, service: Service, number: int) -> Message:
    """Return the decision message of round `number`, in every state of it.

    Its buttons act on that round only.
    """
    current = incident.round_of(number)
    if current is None:
        return message(
            f"{incident.id}: decision {number}",
            [section(f"{incident.id}: this decision is no longer kept.")],
        )
    report = incident.triage
    recommendation = current.recommendation
    blocks: list[Block | None] = [section(_headline(incident, current, service))]
    if current.action is not None:
        blocks += _taken_action(current, current.action)
    if not _is_open(incident, current) or current.action is not None:
        # The choice is made. Its grounds are in the thread and the timeline; here they would hide
        # how it went.
        blocks.append(actions(_merge(incident, current, service)))
        blocks.append(context(phrasing.hit(report)) if report is not None else None)
        return message(
            _fallback(incident, current, service),
            [*blocks, *_reasons(recommendation, _said_above(current, report))],
        )
    blocks.append(section(phrasing.hit(report) if report is not None else _silent(incident)))
    blocks.append(actions(buttons(incident, current, service), block_id=seal(incident, current)))
    above = _said_above(current, report)
    warnings = quotes(recommendation, above)
    lines = (*by_hand(current, service), *warnings, *_missing(current, service))
    blocks += [context(line) for line in lines]
    blocks += _reasons(recommendation, above)
    if _rollback(recommendation, service):
        blocks.append(what_it_takes_back(recommendation))
    memories = recall.memory_sentences(incident)
    blocks += [context(words(memory, 400)) for memory in memories[:1]]
    if report is not None:
        reasons = recommendation.reasons if recommendation is not None else ()
        began = any(reason.startswith(BEGAN) for reason in reasons)
        blocks += triage_details(report, service, began=not began)
    if report is not None and report.notes and report.manual_by is None:
        blocks.append(
            context(*(f"Note: {words(note, 300)}" for note in report.notes[:REASONS_SHOWN]))
        )
    return message(_fallback(incident, current, service), blocks)


def seal(incident: Incident, current: Round) -> str:
    """Return the mark of what the buttons say, from → to; an outdated message has another one.

    So has that of an earlier incident of this number: with an empty Redis they begin anew.
    """
    running, target = running_release(incident), rollback_target(incident, current)
    named = f"{incident.mark}|{current.number}|{phrasing.bare(running)}|{phrasing.bare(target)}"
    if (change := change_of(current)) is not None:
        named = f"{named}|{change.kind} {change.name}"
    return f"decision.{hashlib.sha256(named.encode()).hexdigest()[:16]}"


# --- what it says --------------------------------------------------------------------------------


def _is_open(incident: Incident, current: Round) -> bool:
    newest = incident.round is not None and incident.round.number == current.number
    return newest and incident.status.undecided


def _headline(incident: Incident, current: Round, service: Service) -> str:
    which = (
        f"{f'{DRILL_PREFIX} ' if incident.drill else ''}Decision {current.number} · {incident.id}"
    )
    why = f"\n{_sentence(current.why)}" if current.number > 1 else ""
    if current.action is not None:
        return f"*{which}*{why}"
    if incident.status is Status.CANCELLED:
        return f"*{which}*\n{WAITING} Cancelled without an action in production."
    if not _is_open(incident, current):
        return f"*{which}*{why}\n{WAITING} Closed without an action in production."
    chosen = ""
    if current.investigate_by is not None:
        who = person(current.investigate_by)
        chosen = f"\n{DONE} {who} chose to investigate first. The other choices stay open."
    return f"*{which}*{why}\n{_advice(current.recommendation, incident.triage, service)}{chosen}"


def _sentence(why: str) -> str:
    text = spoken(why, 600)
    return f"{text[:1].upper()}{text[1:]}."


def _advice(
    recommendation: Recommendation | None, report: TriageReport | None, service: Service
) -> str:
    """Return the recommendation, and loudly why a rollback is not safe."""
    if recommendation is None:
        return "*No recommendation yet*: nothing is measured. Choose with what you know."
    why = f": {local(words(recommendation.brakes[0], 400))}" if recommendation.brakes else "."
    loud = (
        f"\n{WRONG} *A rollback would be right, but is not safe*{why}"
        if recommendation.loud
        else ""
    )
    doubt = f"\n{local(words(why, 400))}" if (why := _doubt(recommendation)) else ""
    return f"*Recommended: {_recommended(recommendation, report, service)}*{loud}{doubt}"


def _doubt(recommendation: Recommendation) -> str:
    """Return why a rollback does not come first, in one sentence; empty where nothing is said."""
    return next((why for why in recommendation.reasons if why.startswith((HARDLY, OPEN))), "")


def _recommended(
    recommendation: Recommendation, report: TriageReport | None, service: Service
) -> str:
    match recommendation.choice:
        case Choice.ROLLBACK:
            return f"roll back to {phrasing.version(recommendation.target)}"
        case Choice.TURN_OFF:
            return phrasing.take_back(recommendation)
        case Choice.HOTFIX:
            return f"ship the known fix of {words(service.name, 60)}"
        case Choice.INVESTIGATE:
            many = report is not None and report.blast.users is Word.MANY
            ready = many and not recommendation.loud and _rollback(recommendation, service)
            beside = ", with a rollback ready beside it" if ready else ""
            return f"investigate{beside}"


def _silent(incident: Incident) -> str:
    if not incident.triage_overdue:
        return "Sentry is being asked who is hit …"
    why = phrasing.silent(incident)
    failed = f"*Sentry could not be queried*: {words(why, 300)}."
    return (
        f"{WRONG} {failed if why else '*Sentry has not answered.*'} This message is updated "
        "when it answers; until then, *Fill in by hand* takes what people report."
    )


def _taken_action(current: Round, action: RoundAction) -> list[Block | None]:
    """Return who decided what and when, its result, and the checks after it."""
    done = phrasing.done(action)
    lines = [
        f"*{done[:1].upper()}{done[1:]}*",
        f"{person(action.by)}, {when(action.at)} · {phrasing.outcome(action)}",
    ]
    if action.proof is not None and action.proof.after is not None:
        before = inline_code(action.proof.before or "?")
        lines.append(f"Read back from the deployer: {before} → {inline_code(action.proof.after)}")
    if action.break_glass:
        lines.append(f"Break glass: {words(action.break_glass, 300)}")
    blocks: list[Block | None] = [section("\n".join(lines))]
    if action.lines and action.result in ("waiting", "running", "failed", "unknown"):
        blocks.append(section(code("\n".join(action.lines[-5:]), 1200)))
    checks = [f"{clock(check.at)} {phrasing.look(check)}" for check in current.looks[-3:]]
    recovered = any(check.verdict is LookVerdict.RECOVERED for check in current.looks[-1:])
    if current.verdict is not None and not (recovered and current.verdict == "recovered"):
        checks.append(_VERDICTS[current.verdict])
    if current.glance is not None and current.verdict is None:
        checks.append(phrasing.glance(current.glance))
    if checks:
        blocks.append(context(*checks))
    return blocks


def _merge(incident: Incident, current: Round, service: Service) -> list[Element]:
    """Return the buttons of the newest decision; the status has those of an older hotfix."""
    newest = incident.round is not None and incident.round.number == current.number
    return merge_buttons(incident, service) if newest else []


_VERDICTS = {
    "recovered": f"{DONE} Recovered",
    "not recovered": f"{WRONG} Not recovered: a new decision is open",
    "ask a person": f"{WAITING} The numbers cannot tell: a person is asked",
    "confirmed by a person": f"{DONE} Recovered, on a person's word (not measured)",
}


def _reasons(recommendation: Recommendation | None, above: Collection[str]) -> list[Block | None]:
    """Return the reasons that do not stand above already."""
    if recommendation is None:
        return []
    offered = recommendation.offer_rollback and recommendation.target is not None
    no = "Not safe" if offered else "No rollback"  # beside a button for it
    suspect = phrasing.version(recommendation.suspect)
    quoted = {warning_brake(quote) for quote in recommendation.written}
    points = [p for p in recommendation.points_to if p not in recommendation.reasons]
    all_of = (
        ("Why", recommendation.reasons),
        (f"Points to {suspect}", points),
        (f"Points away from {suspect}", recommendation.points_away),
        ("But", recommendation.against),
        (no, [brake for brake in recommendation.brakes if brake not in quoted]),
    )
    lines: list[str] = []
    for name, reasons in all_of:
        left = [
            local(words(reason, 400)).rstrip(".")
            for reason in reasons[:REASONS_SHOWN]
            if reason.rstrip(".") not in above
        ]
        lines += [f"*{name}*: {'. '.join(left)}."] if left else []
    return [context("\n".join(lines))] if lines else []


def _said_above(current: Round, report: TriageReport | None) -> set[str]:
    """Return the sentences that the message has above its reasons."""
    recommendation = current.recommendation
    above = [_not_offered(recommendation)]
    if recommendation is not None and recommendation.loud:
        above += recommendation.brakes[:1]
    if recommendation is not None and (doubt := _doubt(recommendation)):
        above += [doubt, *recommendation.points_away[:1]]
    if report is not None:
        above += [phrasing.hit(report), scope(report.blast)]
    return {text.rstrip(".") for text in above}


# --- what can be clicked -------------------------------------------------------------------------


def buttons(incident: Incident, current: Round, service: Service) -> list[Element]:
    """Return the choices that can work here.

    Only the recommended one is primary, and it says so in words.
    """
    value = {"incident": incident.id, "round": current.number}
    recommendation = current.recommendation
    choice = recommendation.choice if recommendation else None
    shown: list[Element] = []
    if _rollback(recommendation, service):
        shown.append(_rollback_button(incident, current, service, value))
        targets = incident.triage.targets if incident.triage else ()
        if recommendation is not None and len(targets) > 1:
            shown.append(button("Another release …", "incident.rollback", value))
    shown += turn_off_buttons(incident, current, service, value)
    if not service.cannot("hotfix"):
        name = "Ship a hotfix …"
        shown.append(_choice(name, "decision.hotfix", value, recommended=choice is Choice.HOTFIX))
    if current.investigate_by is None:
        name = "Investigate"
        shown.append(
            _choice(name, "decision.investigate", value, recommended=choice is Choice.INVESTIGATE)
        )
    shown.append(fixed_button(current, service, value))
    if incident.triage is None or incident.triage.manual_by is not None:
        shown.append(button("Fill in by hand …", "incident.triage", value))
    elif incident.triage.blast.users is Word.NOBODY:
        shown.append(button("What people report …", "incident.triage", value))
    # The recommended one comes first, where a thumb finds it.
    return sorted(shown, key=lambda b: b.get("style") != "primary")


def _rollback_button(
    incident: Incident, current: Round, service: Service, value: Mapping[str, Any]
) -> Element:
    target = rollback_target(incident, current)
    if target is None:  # the button opens the form, whose submit is the confirmation
        return button("Roll back …", "decision.rollback", value)
    recommended = (
        current.recommendation is not None and current.recommendation.choice is Choice.ROLLBACK
    )
    goes = " → ".join(
        cut(phrasing.bare(release), VERSION) for release in (running_release(incident), target)
    )
    starts = "A drill: nothing is deployed." if incident.drill else "It starts at once."
    taken = current.recommendation.takes_back if current.recommendation is not None else None
    asked = confirm(
        f"Roll back {service.name}?",
        f"{incident.environment}: {goes}. {starts}{in_the_dialog(taken)}",
        "Roll back",
        danger=True,
    )
    name = f"Roll back to {phrasing.bare(target)}"
    return _choice(name, "decision.rollback", value, recommended=recommended, asked=asked)


def _choice(
    name: str,
    action_id: str,
    value: Mapping[str, Any],
    *,
    recommended: bool,
    asked: Element | None = None,
) -> Element:
    style: Literal["primary"] | None = "primary" if recommended else None
    if recommended:
        name = f"{name[:60]} (recommended)"
    return button(name, action_id, value, style=style, confirm=asked)


def _rollback(recommendation: Recommendation | None, service: Service) -> bool:
    offered = recommendation is None or recommendation.offer_rollback
    return offered and not service.cannot("rollback")


def _not_offered(recommendation: Recommendation | None) -> str:
    """Return why there is no button for a rollback, as far as one reason says it."""
    if recommendation is None or recommendation.offer_rollback:
        return ""
    return (*recommendation.brakes, *recommendation.against, "")[0]


def _missing(current: Round, service: Service) -> list[str]:
    """Return the missing thing of each choice without a button."""
    if missing := service.cannot("rollback"):
        return [f"No rollback, no hotfix: {spoken(missing)}"]
    lines: list[str] = []
    recommendation = current.recommendation
    if recommendation is not None and not recommendation.offer_rollback:
        why = "" if recommendation.loud else _not_offered(recommendation).rstrip(".")
        no = f"No rollback: {local(words(why, 300))}" if why else "No rollback is offered"
        lines.append(f"{no}. `/incident rollback` still lets you choose one.")
    if missing := service.cannot("hotfix"):
        lines.append(f"No hotfix: {spoken(missing)}")
    return lines


def _fallback(incident: Incident, current: Round, service: Service) -> str:
    if current.action is not None:
        return f"{incident.id}: {phrasing.done(current.action)}, {phrasing.outcome(current.action)}"
    if not _is_open(incident, current):
        return f"{incident.id}: decision {current.number} is closed"
    silent = (
        "Sentry could not be queried." if phrasing.silent(incident) else "Sentry has not answered."
    )
    measured = f" {phrasing.hit(incident.triage) if incident.triage else silent}"
    advice = (
        _recommended(current.recommendation, incident.triage, service)
        if current.recommendation
        else "decide by hand"
    )
    return f"{incident.id}: {advice}.{measured}"
