"""The decision of a round: what is recommended, on what evidence, the buttons; then who, what, when, result."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
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
    facts,
    message,
    section,
)
from handlers.views.hotfix_merge import merge_buttons
from handlers.views.phrasing import DONE, WAITING, WRONG
from handlers.views.text import clock, code, inline_code, link, local, person, spoken, when, words
from phases.memory import recall
from phases.mitigation.decision import rollback_target, running_release
from phases.record.findings import (
    Choice,
    Confidence,
    DeploySeen,
    IssueSeen,
    LookVerdict,
    Recommendation,
    Share,
    TriageReport,
    Word,
)
from phases.record.incident import Incident, Round, RoundAction, Status
from phases.record.limits import DRILL
from phases.record.service import Service
from phases.record.wording import lasting
from phases.triage.blast_radius import SHOWN
from phases.triage.recommendation import AS_MANY, AT_ONCE, BEGAN, FIRST_EVENTS, NOT_SAFE, scope

REASONS = 5
ISSUES = 3
DEPLOYS = 3


def decision(incident: Incident, now: datetime, service: Service, number: int) -> Message:
    """The decision message of round `number`, in every state of it. Its buttons act on that round only."""
    current = incident.round_of(number)
    if current is None:
        return message(
            f"{incident.id}: decision {number}",
            [section(f"{incident.id}: this decision is not kept any more.")],
        )
    report = incident.triage
    recommendation = current.recommendation
    blocks: list[Block | None] = [section(_headline(incident, current, service))]
    if current.action is not None:
        blocks += _acted(current, current.action)
    if not _open(incident, current) or current.action is not None:
        # The choice is made: what it was made on is in the thread and the timeline; here it would hide how it went.
        blocks.append(actions(_merge(incident, current, service)))
        blocks.append(context(phrasing.hit(report)) if report is not None else None)
        return message(
            _fallback(incident, current, service),
            [*blocks, *_reasons(recommendation, _said_above(current, report))],
        )
    blocks.append(section(phrasing.hit(report) if report is not None else _silent(incident)))
    blocks.append(actions(buttons(incident, current, service), block_id=seal(incident, current)))
    blocks += [context(line) for line in _missing(current, service)]
    blocks += _reasons(recommendation, _said_above(current, report))
    blocks += [
        context(words(said, 400)) for said in recall.sentences(incident.past, incident, now)[:1]
    ]
    if report is not None:
        why = recommendation.reasons if recommendation is not None else ()
        blocks += _picture(report, service, began=not any(one.startswith(BEGAN) for one in why))
    if report is not None and report.notes and report.manual_by is None:
        blocks.append(context(*(f"Note: {words(note, 300)}" for note in report.notes[:REASONS])))
    return message(_fallback(incident, current, service), blocks)


def seal(incident: Incident, current: Round) -> str:
    """Names what the buttons of a message say, from → to, so that a click on an outdated one is noticed."""
    running, target = running_release(incident), rollback_target(incident, current)
    said = f"{incident.id}|{current.number}|{phrasing.bare(running)}|{phrasing.bare(target)}"
    return f"decision.{hashlib.sha256(said.encode()).hexdigest()[:16]}"


# --- what it says ----------------------------------------------------------------------------------------------


def _open(incident: Incident, current: Round) -> bool:
    newest = incident.round is not None and incident.round.number == current.number
    return newest and incident.status.undecided


def _headline(incident: Incident, current: Round, service: Service) -> str:
    which = f"{f'{DRILL} ' if incident.drill else ''}Decision {current.number} · {incident.id}"
    why = f"\n{_sentence(current.why)}" if current.number > 1 else ""
    if current.action is not None:
        return f"*{which}*{why}"
    if incident.status is Status.CANCELLED:
        return f"*{which}*\n{WAITING} Cancelled without an action on production."
    if not _open(incident, current):
        return f"*{which}*{why}\n{WAITING} Closed without an action on production."
    chosen = ""
    if current.investigate_by is not None:
        chosen = f"\n{DONE} {person(current.investigate_by)} chose to investigate first. The other choices stay open."
    return f"*{which}*{why}\n{_advice(current.recommendation, incident.triage, service)}{chosen}"


def _sentence(why: str) -> str:
    text = spoken(why, 600)
    return f"{text[:1].upper()}{text[1:]}."


def _advice(
    recommendation: Recommendation | None, report: TriageReport | None, service: Service
) -> str:
    """The recommendation first, in words."""
    if recommendation is None:
        return "*No recommendation yet*: nothing is measured. Choose with what you know."
    why = f": {local(words(recommendation.brakes[0], 400))}" if recommendation.brakes else "."
    loud = (
        f"\n{WRONG} *A rollback would be right, but is not safe*{why}"
        if recommendation.loud
        else ""
    )
    return f"*Recommended: {_recommended(recommendation, report, service)}*{loud}"


def _recommended(
    recommendation: Recommendation, report: TriageReport | None, service: Service
) -> str:
    match recommendation.choice:
        case Choice.ROLLBACK:
            return f"roll back to {phrasing.version(recommendation.target)}"
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
    said = (
        f"*Sentry could not be asked*: {words(why, 300)}." if why else "*Sentry has not answered.*"
    )
    return (
        f"{WRONG} {said} How many are hit is not measured; this message is completed when it does. "
        "*Fill in by hand* takes what people report."
    )


def _acted(current: Round, action: RoundAction) -> list[Block | None]:
    """Who, what, when, result; and how the checks after it went."""
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
    checks = [f"{clock(seen.at)} {phrasing.look(seen)}" for seen in current.looks[-3:]]
    told = any(seen.verdict is LookVerdict.RECOVERED for seen in current.looks[-1:])
    if current.verdict is not None and not (told and current.verdict == "recovered"):
        checks.append(_VERDICTS[current.verdict])
    if checks:
        blocks.append(context(*checks))
    return blocks


def _merge(incident: Incident, current: Round, service: Service) -> list[Element]:
    """Under the newest decision only: an older one's hotfix is offered in the status."""
    newest = incident.round is not None and incident.round.number == current.number
    return merge_buttons(incident, service) if newest else []


_VERDICTS = {
    "recovered": f"{DONE} Recovered",
    "not recovered": f"{WRONG} Not recovered: a new decision is open",
    "ask a person": f"{WAITING} The numbers cannot tell: a person is asked",
    "confirmed by a person": f"{DONE} Recovered, on a person's word (not measured)",
}


def _picture(report: TriageReport, service: Service, *, began: bool) -> list[Block | None]:
    """The triage picture, under the line that counts events, rate, users and features: what that line does not say.

    `began`: when, and how long after which deploy, is not among the reasons.
    """
    if report.manual_by is not None:
        said = f"Reported by {person(report.manual_by)}, {when(report.at)}; not measured"
        return [section(said)]
    blast = report.blast
    doubtful = blast.confidence is not Confidence.HIGH and blast.users is not Word.NOBODY
    listed = phrasing.bare(report.running) in [
        deploy.release.version for deploy in report.deploys[:DEPLOYS]
    ]
    pairs = [
        ("Users", _users(report) if doubtful and blast.knows("users") else ""),
        ("Features", phrasing.shares(blast.top_features) if len(blast.top_features) > 1 else ""),
        ("Regions", _places(blast.regions, report.events)),
        ("Organisations", _places(blast.organisations, report.events)),
        ("Began", _began(report) if began else ""),
        ("Running", phrasing.version(report.running) if report.running and not listed else ""),
    ]
    blocks: list[Block | None] = [facts(pairs), *(_sentences(report) if _indirect(report) else [])]
    detail = [*(_issue(issue) for issue in report.issues[:ISSUES])]
    more = max(len(report.issue_ids), len(report.issues)) - ISSUES
    if more > 0:
        detail.append(f"and {phrasing.count(more, 'more issue')}")
    if detail:
        blocks.append(section("\n".join(detail)))
    blocks.append(_frame(report))
    if report.deploys:
        blocks.append(
            context(
                *(
                    _deploy(report, deploy, service, began=began)
                    for deploy in report.deploys[:DEPLOYS]
                )
            )
        )
    return blocks


def _places(found: tuple[Share, ...], events: int) -> str:
    """Where it hits; of how many events that is known, where most name no place."""
    known = sum(one.events for one in found)
    few = 0 < known * 2 < events and len(found) < SHOWN
    return phrasing.shares(found) + (
        f" of the {phrasing.count(known, 'event')} that name one" if few else ""
    )


def _indirect(report: TriageReport) -> bool:
    """Where users were not counted by name it is said how they were; otherwise line and fields say it all."""
    blast = report.blast
    return (
        blast.inferred
        or blast.user_count is None
        or blast.users is Word.NOBODY
        or bool(blast.unknown)
    )


def _users(report: TriageReport) -> str:
    blast = report.blast
    known = f"{blast.user_count:,}" if blast.user_count is not None else blast.users.value
    inferred = ", inferred" if blast.inferred else ""
    return f"{known} ({blast.confidence.value} confidence{inferred})"


def _began(report: TriageReport) -> str:
    if report.began_at is None:
        return ""
    after = ""
    if report.suspect is not None and report.suspect_minutes is not None:
        after = f", {_passed(timedelta(minutes=report.suspect_minutes))} after {phrasing.version(report.suspect)} went out"
    return f"{when(report.began_at)}{after}"


def _passed(gap: timedelta) -> str:
    """`right`, `3 min`, `2 days`: how long before or after."""
    return "right" if abs(gap) < AT_ONCE else lasting(abs(gap))


def _sentences(report: TriageReport) -> list[Block | None]:
    told, blast = phrasing.hit(report), report.blast
    first = (
        1 if blast.unknown and any(s.endswith("/min).") for s in blast.sentences[:1]) else 0
    )  # counted in the line above
    elsewhere = ("Features: ", "All of it in one ")  # the fields say that
    many = "taken as many." if AS_MANY in report.recommendation.reasons else told
    left = [
        s for s in blast.sentences[first:REASONS] if s.rstrip(".") != told and not s.endswith(many)
    ]
    said = [words(s, 300) for s in left if not s.startswith(elsewhere)]
    return [context(*said)] if said else []


def _issue(issue: IssueSeen) -> str:
    marks = [
        m
        for m, on in (
            ("new", issue.new),
            ("spiking", issue.spiking),
            ("regressed", issue.regressed),
        )
        if on
    ]
    marks += ["unhandled"] if issue.handled is False else []
    marked = f" ({', '.join(marks)})" if marks else ""
    first = "" if issue.new else f", first seen {when(issue.first_seen)}"
    return (
        f"{link(issue.url, issue.short_id)} {words(issue.title, 160)}: "
        f"{phrasing.count(issue.events, 'event')}{marked}{first}"
    )


def _frame(report: TriageReport) -> Block | None:
    frame = report.frame
    if frame is None:
        return None
    at = f"{frame.file}:{frame.line}" if frame.line is not None else frame.file
    inside = f" in {inline_code(frame.function)}" if frame.function else ""
    if frame.file == "?":
        at, inside = frame.function or "a function that is not named", ""
    titled = any(
        report.exception_type and report.exception_type in issue.title
        for issue in report.issues[:ISSUES]
    )
    raised = (
        f"{words(report.exception_type, 80)} at " if report.exception_type and not titled else "At "
    )
    known = any(issue.handled is not None for issue in report.issues[:ISSUES])
    handled = "" if known else {True: ", handled", False: ", not handled", None: ""}[report.handled]
    lines = "\n".join(
        f"{'>' if n == frame.line else ' '} {n:>4}  {text}"
        for n, text in frame.context[:5]
        if text.strip()
    )
    shown = "\n" + code(lines, 900) if lines else ""
    return section(f"{raised}{inline_code(at)}{inside}{handled}{shown}")


def _deploy(report: TriageReport, deploy: DeploySeen, service: Service, *, began: bool) -> str:
    version = phrasing.version(deploy.release)
    runs = next(
        (d for d in report.deploys if d.release.version == phrasing.bare(report.running)), None
    )  # newest first
    marks = ["runs now"] if deploy is runs else []
    marks += ["suspect"] if report.suspect is not None and deploy.release == report.suspect else []
    marks += ["rolled back"] if deploy.rolled_back else []
    marked = f" ({', '.join(marks)})" if marks else ""
    named = (deploy.by or "").startswith(
        "<"
    )  # a person as a mention, a bare id, or a name from outside
    by = (
        f" by {spoken(deploy.by, 60, lines=False) if named else person(deploy.by)}"
        if deploy.by
        else ""
    )
    before = ""
    if began and report.began_at is not None and deploy.release == report.suspect:
        gap = report.began_at - deploy.started_at
        before = f", {_passed(gap)} {'before' if gap >= timedelta(0) else 'after'} it began"
    other = f" of {words(deploy.service, 60)}" if deploy.service != service.name else ""
    seen = "seen" if deploy.source in FIRST_EVENTS else "deployed"
    return f"{version}{other} {seen} {when(deploy.started_at)}{by}{before}{marked}"


def _reasons(recommendation: Recommendation | None, said: Collection[str]) -> list[Block | None]:
    """`said`: what stands above already."""
    if recommendation is None:
        return []
    offered = recommendation.offer_rollback and recommendation.target is not None
    no = "Against a rollback" if offered else "No rollback"  # beside a button for it
    all_of = (
        ("Why", recommendation.reasons),
        ("But", recommendation.against),
        (no, recommendation.brakes),
    )
    lines: list[str] = []
    for name, reasons in all_of:
        left = [
            local(words(one, 400)).rstrip(".")
            for one in reasons[:REASONS]
            if one.rstrip(".") not in said
        ]
        lines += [f"*{name}*: {'. '.join(left)}."] if left else []
    return [context("\n".join(lines))] if lines else []


def _said_above(current: Round, report: TriageReport | None) -> set[str]:
    """A message that says a thing twice is read once."""
    recommendation = current.recommendation
    above = [_not_offered(recommendation)]
    if recommendation is not None and recommendation.loud:
        above += [NOT_SAFE, *recommendation.brakes[:1]]
    if report is not None:
        above += [phrasing.hit(report), scope(report.blast)]
    return {text.rstrip(".") for text in above}


# --- what can be clicked ---------------------------------------------------------------------------------------


def buttons(incident: Incident, current: Round, service: Service) -> list[Element]:
    """The choices that can work here; only the recommended one is primary, and it says so in words."""
    value = {"incident": incident.id, "round": current.number}
    recommendation = current.recommendation
    choice = recommendation.choice if recommendation else None
    shown: list[Element] = []
    if _rollback(recommendation, service):
        shown.append(_rollback_button(incident, current, service, value))
        if (
            recommendation is not None
            and len(incident.triage.targets if incident.triage else ()) > 1
        ):
            shown.append(button("Another release …", "incident.rollback", value))
    if not service.cannot("hotfix"):
        name = "Ship a hotfix …"
        shown.append(_choice(name, "decision.hotfix", value, recommended=choice is Choice.HOTFIX))
    if current.investigate_by is None:
        name = "Investigate"
        shown.append(
            _choice(name, "decision.investigate", value, recommended=choice is Choice.INVESTIGATE)
        )
    shown.append(button("Fixed another way …", "decision.fixed", value))
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
    if target is None:
        return button(
            "Roll back …", "decision.rollback", value
        )  # opens the form; its submit is the confirmation
    recommended = (
        current.recommendation is not None and current.recommendation.choice is Choice.ROLLBACK
    )
    goes = f"{phrasing.bare(running_release(incident))} → {phrasing.bare(target)}"
    starts = "A drill: nothing is deployed." if incident.drill else "It starts at once."
    asked = confirm(
        f"Roll back {service.name}?",
        f"{incident.environment}: {goes}. {starts}",
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
    """Why there is no button for a rollback, as far as one thing says it."""
    if recommendation is None or recommendation.offer_rollback:
        return ""
    return (*recommendation.brakes, *recommendation.against, "")[0]


def _missing(current: Round, service: Service) -> list[str]:
    """For each choice without a button: what is missing."""
    if missing := service.cannot("rollback"):
        return [f"No rollback, no hotfix: {spoken(missing)}"]
    lines: list[str] = []
    recommendation = current.recommendation
    if recommendation is not None and not recommendation.offer_rollback:
        why = "" if recommendation.loud else _not_offered(recommendation).rstrip(".")
        no = f"No rollback: {local(words(why, 300))}" if why else "No rollback is offered"
        lines.append(f"{no}. `/incident rollback` chooses a release all the same.")
    if missing := service.cannot("hotfix"):
        lines.append(f"No hotfix: {spoken(missing)}")
    return lines


def _fallback(incident: Incident, current: Round, service: Service) -> str:
    if current.action is not None:
        return f"{incident.id}: {phrasing.done(current.action)}, {phrasing.outcome(current.action)}"
    if not _open(incident, current):
        return f"{incident.id}: decision {current.number} is closed"
    silent = (
        "Sentry could not be asked." if phrasing.silent(incident) else "Sentry has not answered."
    )
    measured = f" {phrasing.hit(incident.triage) if incident.triage else silent}"
    advice = (
        _recommended(current.recommendation, incident.triage, service)
        if current.recommendation
        else "decide by hand"
    )
    return f"{incident.id}: {advice}.{measured}"
