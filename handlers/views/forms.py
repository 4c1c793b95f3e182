"""The modals.

Field names are block ids; the action id of every field is `value`. The incident and more are in
the metadata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.views import phrasing
from handlers.views.blocks import (
    OPTION_VALUE,
    OPTIONS,
    Block,
    Element,
    View,
    context,
    option,
    section,
)
from handlers.views.inputs import VALUE, field_input, radio, select, text_input
from handlers.views.taken_back import quotes, what_it_takes_back
from handlers.views.text import cut_plain, spoken, words
from phases.coordination.updates import NEXT_MINUTES, Template
from phases.ports.ports import HotfixRef
from phases.record.findings import Release
from phases.record.incident import Incident, Severity
from phases.record.service import Service

SENTENCE = 500
SEVERITIES = {
    Severity.SEV1: "SEV1: most users cannot work",
    Severity.SEV2: "SEV2: many users are hit",
    Severity.SEV3: "SEV3: few users are hit",
    Severity.SEV4: "SEV4: nobody is hit yet; a thread, no channel of its own",
}
"""A person's word, which triage does not change."""
SHIPS = (
    "*Ship it* deploys the head commit at once, past the merge gates. "
    "Branch protection stays in force."
)


@dataclass(frozen=True, slots=True)
class Prefill:
    """The values in the form of a declaration when it opens."""

    title: str = ""
    description: str = ""
    service: Service | None = None
    severity: Severity | None = None


def declare(
    services: Sequence[Service],
    known: Prefill,
    *,
    metadata: Mapping[str, Any],
    note: str = "",
) -> View:
    """`incident.declare`. With one service there is nothing to choose."""
    what = text_input(
        initial=known.title,
        longest=300,
        placeholder="checkout fails for everybody in eu-west",
    )
    more = text_input(
        initial=known.description,
        multiline=True,
        placeholder="What people see, since when, a Sentry link",
    )
    blocks: list[Block] = [section(spoken(note))] if note else []
    blocks += [field_input("title", "What is wrong?", what)]
    if len(services) > 1:
        options = [option(s.name, s.name) for s in services]
        initial = next(
            (o for o, s in zip(options, services, strict=True) if s == known.service), None
        )
        blocks.append(field_input("service", "Which service?", select(options, initial=initial)))
    blocks.append(field_input("description", "What else is known?", more, optional=True))
    levels = {level: option(text, str(level.value)) for level, text in SEVERITIES.items()}
    named = levels[known.severity] if known.severity is not None else None
    how = select(list(levels.values()), initial=named, placeholder="As measured")
    blocks.append(field_input("severity", "How severe is it?", how, optional=True))
    keep = option("Private: only people who are invited see it", "private")
    box: Element = {"type": "checkboxes", "action_id": VALUE, "options": [keep]}
    blocks.append(field_input("private", "Who may see it", box, optional=True))
    return View(
        "incident.declare",
        "Declare an incident",
        tuple(blocks),
        submit="Declare",
        metadata=metadata,
    )


def triage(incident: Incident, number: int) -> View:
    """`incident.triage`: the reports of people, where Sentry cannot be queried."""
    users = [
        option("Nobody that we know of", "nobody"),
        option("One user", "one"),
        option("Many users", "many"),
    ]
    features = [option("One feature", "one"), option("Many features", "many")]
    report = text_input(
        initial=incident.title,
        multiline=True,
        placeholder="12 tickets since 14:00: paying by card ends in an error page",
    )
    return View(
        "incident.triage",
        "What people report",
        (
            section("Sentry does not answer. What you enter is shown as *reported, not measured*."),
            field_input("users", "Who is hit?", radio(users)),
            field_input("features", "How much of the product?", radio(features)),
            field_input(
                "names",
                "Which features?",
                text_input(longest=300, placeholder="cart, payment"),
                optional=True,
            ),
            field_input("report", "What do they say?", report),
        ),
        submit="Use this",
        metadata={"incident": incident.id, "round": number},
    )


def loading(
    callback_id: str,
    title: str,
    incident: Incident,
    doing: str = "Looking up what can be deployed …",
) -> View:
    """Return the view that opens at once; `views.update` fills it when the look-up is back."""
    return View(callback_id, title, (section(doing),), metadata={"incident": incident.id})


def failed(callback_id: str, title: str, text: str) -> View:
    """Return the view for a look-up that failed, or that gave nothing to choose."""
    return View(callback_id, title, (section(spoken(text)),))


def rollback(
    incident: Incident,
    service: Service,
    releases: Sequence[Release],
    *,
    running: Release | None,
    healthy: Sequence[Release],
    metadata: Mapping[str, Any],
) -> View:
    """`incident.rollback`: another target.

    Its submit is the confirmation, so it names what runs.
    """
    known = {r.version for r in healthy}
    suspect = (
        incident.triage.suspect.version if incident.triage and incident.triage.suspect else None
    )
    fitting = dict.fromkeys(r for r in releases if r.version and len(r.version) <= OPTION_VALUE)
    shown = [r for r in fitting if running is None or r.version != running.version][:OPTIONS]
    options = [
        option(r.version, r.version, _release_note(r, known, suspect, incident)) for r in shown
    ]
    best = next((o for o, r in zip(options, shown, strict=True) if r.version in known), None)
    now = _runs_now(incident, service, running)
    return View(
        "incident.rollback",
        "Roll back",
        (
            section(f"{now} {_drill_note(incident) or '*Roll back* starts the deploy at once.'}"),
            *_goes_with_it(incident),
            field_input("target", "Go back to", select(options, initial=best)),
        ),
        submit="Roll back",
        metadata=metadata,
    )


def _goes_with_it(incident: Incident) -> list[Block]:
    """Return what the recommended target takes back; an older one takes back more."""
    advice = incident.round.recommendation if incident.round is not None else None
    block = what_it_takes_back(advice)
    warned = [context(*lines)] if (lines := quotes(advice)) else []
    return [*warned, *([block] if block is not None else [])]


def _runs_now(incident: Incident, service: Service, running: Release | None) -> str:
    where = f"{words(service.name, 60)} in {words(incident.environment, 40)}"
    return f"{where} runs {phrasing.version(running)} now."


def _drill_note(incident: Incident) -> str:
    return "*This is a drill*: nothing is deployed." if incident.drill else ""


def _release_note(
    release: Release, healthy: set[str], suspect: str | None, incident: Incident
) -> str:
    if release.version in incident.rolled_back:
        return "rolled back in this incident"
    if release.version == suspect:
        return "the suspect"
    return "healthy when it ran" if release.version in healthy else ""


def hotfix(
    incident: Incident,
    service: Service,
    refs: Sequence[HotfixRef],
    *,
    running: Release | None,
    metadata: Mapping[str, Any],
) -> View:
    """`incident.hotfix`: a branch or pull request, by its head commit."""
    options = [
        option(f"{r.name} @ {r.commit[:7]}", f"{r.commit} {r.name}", _fix_note(r))
        for r in refs[:OPTIONS]
    ]
    only = options[0] if len(options) == 1 else None
    now = _runs_now(incident, service, running)
    return View(
        "incident.hotfix",
        "Ship a hotfix",
        (
            section(f"{now} {_drill_note(incident) or SHIPS}"),
            field_input("fix", "Branch or pull request", select(options, initial=only)),
            context(
                "This does not merge it: the next normal deploy would undo it. "
                "Merge it once its checks pass."
            ),
        ),
        submit="Ship it",
        metadata=metadata,
    )


_CHECKS = {"green": "checks green", "red": "checks FAILED", "running": "checks running"}


def _fix_note(ref: HotfixRef) -> str:
    """Return the state of a pull request's checks first: the line is cut at its end."""
    return ": ".join(part for part in (_CHECKS.get(ref.checks or ""), ref.subject) if part)


def fixed(incident: Incident, number: int, sentence: str = "", *, forward: bool = False) -> View:
    """`incident.fixed`: a fix without a deploy of ours."""
    return View(
        "incident.fixed",
        "Fixed another way",
        (
            field_input(
                "sentence",
                "What was done?",
                text_input(
                    initial=sentence,
                    longest=SENTENCE,
                    placeholder="flag new-pricing switched off",
                ),
                hint="The check of Sentry and of the endpoint starts now.",
            ),
        ),
        submit="Fixed",
        metadata={"incident": incident.id, "round": number, "forward": forward},
    )


def cause(incident: Incident, *, text: str, metadata: Mapping[str, Any]) -> View:
    """`incident.cause`, prefilled by the evidence; a name stands behind what is sent."""
    proposal = (
        "Prefilled from the evidence. Correct it where it is wrong."
        if text
        else "Nothing is proposed yet."
    )
    entry = text_input(
        initial=text,
        multiline=True,
        longest=2000,
        placeholder="v42 reads the tax table of the wrong region",
    )
    return View(
        "incident.cause",
        "Root cause",
        (
            section(f"{proposal} It is recorded under your name."),
            field_input(
                "text",
                "Why did it happen?",
                entry,
                hint="One or two sentences that somebody else can check.",
            ),
        ),
        submit="Confirm cause",
        metadata={"incident": incident.id, **metadata},
    )


def update(incident: Incident, filled: Template, minutes: int | None) -> View:
    """`incident.update`, filled from the record.

    `minutes` until the next one as the severity says; None where it says none.
    """

    def part(
        block_id: str, label: str, initial: str, longest: int, *, optional: bool = True
    ) -> Block:
        entry = text_input(initial=initial, multiline=True, longest=longest)
        return field_input(block_id, label, entry, optional=optional)

    options = [
        option(f"In {n} min" if n < 120 else f"In {n // 60} h", str(n)) for n in NEXT_MINUTES
    ]
    if minutes is None:
        options.append(option("When there is news", "0"))
    chosen = next((o for o in options if o["value"] == str(minutes or 0)), options[-1])
    return View(
        "incident.update",
        "Post update",
        (
            part("text", "What we know", filled.knows, 1500, optional=False),
            part("users", "What users see", filled.users, 500),
            part("doing", "What we do", filled.doing, 500),
            field_input("next", "Next update", select(options, initial=chosen)),
            context(_audience(incident)),
        ),
        submit="Post",
        metadata={"incident": incident.id},
    )


def _audience(incident: Incident) -> str:
    if incident.private:
        return "Goes to this channel only."
    others = "" if incident.drill else ", the ticket and Discord"
    return f"Goes to this channel{others}, and under the announcement."


def cancel(incident: Incident, reason: str = "") -> View:
    """`incident.cancel`: a false alarm or a duplicate."""
    entry = text_input(
        initial=reason,
        longest=SENTENCE,
        placeholder="load test, no real users; or: duplicate of INC-0041",
    )
    return View(
        "incident.cancel",
        "Cancel the incident",
        (
            section(
                f"{incident.id} {words(incident.title, 200)} ends without a post-mortem. "
                "Production is not touched."
            ),
            field_input("reason", "Why was it no incident?", entry),
        ),
        submit="Cancel incident",
        close="Keep it open",
        metadata={"incident": incident.id},
    )


def break_glass(
    incident: Incident, service: Service, what: str, metadata: Mapping[str, Any]
) -> View:
    """`incident.break_glass`: a deploy by somebody who is no owner; everybody is told.

    Its submit is the confirmation.
    """
    return View(
        "incident.break_glass",
        "Break glass",
        (
            section(
                f"{spoken(what)}\nYou are not an owner of {words(service.name, 60)}. "
                "Your name and reason are announced, and the owners are paged."
            ),
            field_input(
                "reason", "Why can it not wait for an owner?", text_input(longest=SENTENCE)
            ),
        ),
        submit="Deploy anyway",
        close="Not now",
        metadata=metadata,
    )


def hypothesis(incident: Incident) -> View:
    """`incident.hypothesis`: somebody suspects something."""
    entry = text_input(
        longest=300, placeholder="the payment provider rejects amounts without cents"
    )
    return View(
        "incident.hypothesis",
        "Add a hypothesis",
        (field_input("says", "What could it be?", entry),),
        submit="Add",
        metadata={"incident": incident.id},
    )


def refused(title: str, text: str) -> View:
    """Return the view in place of a refused form: what happened, what to do now."""
    return View("incident.refused", cut_plain(title, 24), (section(spoken(text)),))


def home_refused(text: str) -> View:
    """Return the Home of somebody who may not look, or who cannot be asked for."""
    return View("home", "Home", (section(spoken(text)),), kind="home")
