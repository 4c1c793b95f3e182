"""Notes: one sentence in the channel, the summary, lists, refusals, offers."""

import re
from collections.abc import Mapping, Sequence

from handlers.views import phrasing
from handlers.views.blocks import (
    Block,
    Element,
    Message,
    actions,
    button,
    context,
    message,
    section,
)
from handlers.views.event_chart import pictured
from handlers.views.hotfix_merge import cause_fixed_button
from handlers.views.phrasing import DONE, WAITING
from handlers.views.status import short
from handlers.views.text import (
    channel,
    code,
    cut_plain,
    inline_code,
    person,
    plain,
    spoken,
    when,
    words,
)
from phases.coordination.updates import SNOOZE
from phases.messages.effects import Say
from phases.postmortem.proofs import Proof
from phases.record.incident import Incident, Status
from phases.text.wording import counted, listed
from phases.verification.event_chart import chart_in_words

LISTED = 20
_ADDRESS = re.compile(r" https?://\S+$")
"""The address behind the ticket and the post-mortem; their line has a link already."""


def say(effect: Say, incident: Incident) -> Message:
    """Return one sentence of the bot, with the people whom it mentions and its buttons."""
    mentioned = " ".join(person(id) for id in effect.mention[:20])
    text = f"{mentioned} {spoken(effect.text)}".strip()
    due = context(f"Next update {when(effect.due, '{time}')}") if effect.due else None
    if effect.ask == "after" and incident.adr is None and not incident.drill:
        due = context("Next: the post-mortem, with the root cause. It can wait for the morning.")
    shown = pictured(incident) if effect.picture else []
    plain_text = f"{text} {spoken(chart_in_words(incident))}" if shown else text
    return message(plain_text, [section(text), *shown, due, actions(_answers(effect, incident))])


def reminder(text: str, incident: Incident) -> Message:
    """Return the reminder to the lead alone: an update is due."""
    parts = (f"*{incident.id}*", phrasing.room(incident), spoken(text))
    line = " ".join(part for part in parts if part)
    return message(line, [section(line), actions(_update_due(incident))])


def _update_due(incident: Incident) -> list[Element]:
    here = {"incident": incident.id}
    lead = [] if incident.lead else [button("Take lead", "incident.lead", here)]
    post = button("Post update …", "incident.update", here, style="primary")
    return [
        post,
        button(f"Snooze {round(SNOOZE.total_seconds() / 60)} min", "incident.snooze", here),
        *lead,
    ]


def _answers(effect: Say, incident: Incident) -> list[Element]:
    value = {"incident": incident.id, "round": incident.round.number if incident.round else 1}
    answers: list[Element] = []
    if effect.ask == "recovered":
        answers.append(button("Yes, it works again", "incident.recovered", value))
        answers.append(button("No, still broken", "incident.not_recovered", value))
    if effect.ask == "not over":
        answers.append(button("It is not over: decide again", "incident.not_recovered", value))
    if effect.ask == "after":
        written = incident.drill or incident.adr is not None
        answers.append(
            button("Resolve", "incident.resolve", value)
            if written
            else button("Post-mortem …", "incident.postmortem", value)
        )
    if effect.ask == "foreign deploy":
        answers.append(
            button(
                "Yes, that is the fix …",
                "incident.fixed",
                {**value, "sentence": plain(effect.text, 300)},
            )
        )
    if effect.ask == "fixed":
        answers.append(cause_fixed_button(incident))
    if effect.ask == "postmortem":
        answers.append(button("Write it …", "incident.postmortem", value, style="primary"))
    if effect.ask == "update":
        answers += _update_due(incident)
    if effect.try_again:
        again = {"incident": incident.id, "effect": effect.try_again}
        answers.append(button("Try again", "incident.try_again", again))
    return answers


def summary(text: str, over: str = "") -> Message:
    """Return the PRODUCTION INCIDENT summary, in its exact layout.

    `over`: the sentence in front, that it is resolved.
    """
    title = text.strip().splitlines()[0] if text.strip() else "PRODUCTION INCIDENT"
    front = spoken(over, 300)
    head = section(f"*{front}*") if over else None
    return message(f"{front} {words(title, 300)}".strip(), [head, section(code(text))])


def listing(incidents: Sequence[Incident], count: int) -> Message:
    """Return the newest open incidents; `count` are open in all."""
    if not count:
        return message("No incident is open.", [section("No incident is open.")])
    title = f"{counted(count, 'incident')} open"
    blocks: list[Block | None] = [section(f"*{title}*"), *(section(short(i)) for i in incidents)]
    if count > LISTED:
        blocks.append(context(f"and {count - LISTED} more"))
    return message(title, blocks)


def which_incident(
    name: str, incidents: Sequence[Incident], count: int, value: Mapping[str, str]
) -> Message:
    """Ask which of several open incidents is meant: one tap each of the newest.

    `count` are open in all. `value`: the subcommand, as `incident.meant` takes it.
    """
    typed = inline_code(f"/incident {name}", 40)
    text = f"{count:,} incidents are open. {typed} is for which one?"
    rows: list[Block | None] = []
    for incident in incidents:
        chosen = {**value, "incident": incident.id}
        this = button(f"This: {incident.id}", "incident.meant", chosen)
        rows.append(section(short(incident), accessory=this))
    if count > LISTED:
        other = inline_code(f"/incident {name} INC-…", 50)
        rows.append(context(f"and {count - LISTED} more: {other}"))
    return message(text, [section(text), *rows])


def note(text: str) -> Message:
    """Return a plain answer to one person: a refusal, or that something was recorded."""
    return message(spoken(text), [section(spoken(text))])


def lacking(incident: Incident, text: str) -> Message:
    """Return what is missing to resolve the incident, and the forms that bring it."""
    here = {"incident": incident.id}
    forms: list[Element] = []
    if incident.status is Status.VERIFYING:
        forms.append(button("Check now", "incident.recheck", here))
    late = incident.status in (Status.VERIFYING, Status.MITIGATED)
    if late and incident.adr is None and not incident.drill:
        forms.append(button("Post-mortem …", "incident.postmortem", here))
    if incident.cause is None and not incident.drill:
        forms.append(button("Name the cause …", "incident.cause", here))
    return message(spoken(text), [section(spoken(text)), actions(forms)])


def with_proofs(shown: Message, proofs: Sequence[Proof]) -> Message:
    """Return a message with the six proofs under it (workflow: Outputs / Evidence)."""
    lines: list[str] = []
    for proof in proofs:
        text = spoken(_ADDRESS.sub("", proof.says), 300, lines=False)
        lines.append(f"{DONE if proof.complete else WAITING} *{proof.name}*: {text}")
    return message(shown.text, [*shown.blocks, context("\n".join(lines))])


def declared(incident: Incident) -> Message:
    """Tell the person who declared it."""
    where = _place_of(incident) or "Its channel is being opened; you will be invited."
    text = f"{incident.id} is declared: {words(incident.title, 200)}. {where}"
    return message(text, [section(text)])


def goes_on_there(incident: Incident, *, noted: bool) -> Message:
    """Tell a person who saw the same fire."""
    thanks = "Your report was added there." if noted else ""
    text = f"{incident.id}: {words(incident.title, 200)}. {_place_of(incident)} {thanks}".strip()
    return message(text, [section(text)])


def _place_of(incident: Incident) -> str:
    if incident.channel is None:
        return ""
    place = channel(incident.channel.id)
    in_thread = incident.channel.thread_ts is not None
    return f"It is in a thread in {place}." if in_thread else f"It is in {place}."


def open_already(text: str, owner: Incident, ask: dict[str, str], *, here: bool = False) -> Message:
    """Ask whether it is the same as the incident that is open on this service. `here`: in it."""
    service, title = words(owner.service, 60), words(owner.title, 200)
    place = "" if here else phrasing.room(owner)
    there = f"{owner.id} is open {'here' if here else f'on {service}'}: {title} {place}".strip()
    choices = [
        button(
            "It is this one" if here else "Go there",
            "incident.go_there",
            {"incident": owner.id, "title": plain(text, 300), "link": ask.get("link", "")},
            style="primary",
        ),
        button("It is something else", "incident.something_else", {"of": owner.id, **ask}),
    ]
    blocks = [section(f"{there}\nYou said: {words(text, 300)}"), actions(choices)]
    return message(there, blocks)


def either(
    question: str, first: tuple[str, dict[str, str]], second: tuple[str, dict[str, str]]
) -> Message:
    """Ask which of two readings is meant: two buttons, each with a label and its value."""
    choices = [
        button(first[0], "incident.meant", {"pick": "1", **first[1]}),
        button(second[0], "incident.meant_new", {"pick": "2", **second[1]}),
    ]
    return message(spoken(question, 400), [section(spoken(question, 400)), actions(choices)])


def offer(words_said: str, ask: dict[str, str], burning: Sequence[Incident] = ()) -> Message:
    """Offer to declare, in the thread of a message that sounds like an incident.

    `burning`: what is known to everybody already; it may be the same.
    """
    text = (
        "Is production on fire? I can open an incident: "
        "a channel, who is hit, and what to do about it."
    )
    if burning:
        text = "Is production on fire? This is known; if it is something else, declare it."
    value = {"text": cut_plain(words_said, 400), **ask}
    declare = button("Declare an incident …", "incident.declare", value)
    known = [section(short(incident)) for incident in burning]
    return message(text, [section(text), *known, actions([declare])])


def unplaced_alerts(titles: Sequence[str], link: str, services: Sequence[str]) -> Message:
    """Tell #incidents of alerts that no incident can be opened for: they name no service.

    `link`: of the first that has one, for the form's description.
    """
    many = len(titles) > 1
    some = f"{len(titles)} alerts fire that name" if many else "An alert fires that names"
    named = listed([f"*{words(title)}*" for title in titles])
    text = f"{some} no service I know, so no incident was opened: {named}"
    value = {"text": "\n".join([cut_plain(titles[0], 200), *([link] if link else [])])}
    declare = button("Declare an incident …", "incident.declare", value)
    names = listed([inline_code(service) for service in services], most=20)
    label = f"A label `service` on the alert opens one by itself: {names}"
    return message(text, [section(text), actions([declare]), context(label)])


def break_glass(refusal: str, ask: dict[str, str | int]) -> Message:
    """Tell a person who may not deploy who may, and the way round when none of them answers."""
    text = spoken(refusal)
    under = (
        "Nobody there? *Break glass* deploys anyway: you give a reason, "
        "it is announced, and the owners are paged."
    )
    glass = button("Break glass …", "incident.break_glass", ask, style="danger")
    return message(text, [section(text), context(under), actions([glass])])
