"""Short things the bot says: one sentence in the channel, the announcement, the summary, lists,
help, refusals, offers.
"""

from __future__ import annotations

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
from phases.record.wording import counted
from phases.verification.event_chart import in_words

LISTED = 20
_ADDRESS = re.compile(r" https?://\S+$")
"""Of the ticket and the post-mortem: a link stands in the line of the phases already."""


def say(effect: Say, incident: Incident) -> Message:
    """One sentence of the bot, with those it mentions in front and its question or *Try again*
    under it.
    """
    called = " ".join(person(p) for p in effect.mention[:20])
    text = f"{called} {spoken(effect.text)}".strip()
    due = context(f"Next update {when(effect.due, '{time}')}") if effect.due else None
    if effect.ask == "after" and incident.adr is None and not incident.drill:
        due = context("Next: the post-mortem, with the root cause. It can wait for the morning.")
    shown = pictured(incident) if effect.picture else []
    heard = f"{text} {spoken(in_words(incident))}" if shown else text
    return message(heard, [section(text), *shown, due, actions(_answers(effect, incident))])


def reminder(text: str, incident: Incident) -> Message:
    """To the lead alone: an update is due."""
    said = " ".join(
        part for part in (f"*{incident.id}*", phrasing.room(incident), spoken(text)) if part
    )
    return message(said, [section(said), actions(_update_due(incident))])


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
        answers.append(button("Yes, users have it back", "incident.recovered", value))
        answers.append(button("No, it is not over", "incident.not_recovered", value))
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
    """The PRODUCTION INCIDENT summary, in its exact layout; `over`: that it is resolved, in front."""
    title = text.strip().splitlines()[0] if text.strip() else "PRODUCTION INCIDENT"
    said = f"*{spoken(over, 300)}*" if over else ""
    return message(
        f"{spoken(over, 300)} {words(title, 300)}".strip(),
        [section(said) if said else None, section(code(text))],
    )


def listing(incidents: Sequence[Incident]) -> Message:
    """Open incidents, newest first."""
    if not incidents:
        return message("No incident is open.", [section("No incident is open.")])
    title = f"{counted(len(incidents), 'incident')} open"
    blocks: list[Block | None] = [
        section(f"*{title}*"),
        *(section(short(i)) for i in incidents[:LISTED]),
    ]
    if len(incidents) > LISTED:
        blocks.append(context(f"and {len(incidents) - LISTED} more"))
    return message(title, blocks)


def which(name: str, incidents: Sequence[Incident], said: Mapping[str, str]) -> Message:
    """Several are open and none was named: one tap each.

    `said`: what was typed, as `incident.meant` takes it.
    """
    typed = inline_code(f"/incident {name}", 40)
    text = f"{len(incidents)} incidents are open. {typed} is for which one?"
    rows = [
        section(
            short(one),
            accessory=button(f"This: {one.id}", "incident.meant", {**said, "incident": one.id}),
        )
        for one in incidents[:LISTED]
    ]
    more = (
        context(f"and {len(incidents) - LISTED} more: {inline_code(f'/incident {name} INC-…', 50)}")
        if len(incidents) > LISTED
        else None
    )
    return message(text, [section(text), *rows, more])


def note(text: str) -> Message:
    """A plain answer to one person: a refusal, or that something was recorded."""
    return message(spoken(text), [section(spoken(text))])


def lacking(incident: Incident, text: str) -> Message:
    """`resolve` is refused: what is missing, and the forms that bring it."""
    here = {"incident": incident.id}
    forms: list[Element] = []
    if incident.status is Status.VERIFYING:
        forms.append(button("Check now", "incident.recheck", here))
    if (
        incident.adr is None
        and not incident.drill
        and incident.status in (Status.VERIFYING, Status.MITIGATED)
    ):
        forms.append(button("Post-mortem …", "incident.postmortem", here))
    if incident.cause is None and not incident.drill:
        forms.append(button("Name the cause …", "incident.cause", here))
    return message(spoken(text), [section(spoken(text)), actions(forms)])


def with_proofs(shown: Message, proofs: Sequence[Proof]) -> Message:
    """The six proofs (workflow: Outputs / Evidence), each missing or complete, under a message."""
    lines = [
        f"{DONE if p.complete else WAITING} *{p.name}*: {spoken(_ADDRESS.sub('', p.says), 300, lines=False)}"
        for p in proofs
    ]
    return message(shown.text, [*shown.blocks, context("\n".join(lines))])


def declared(incident: Incident) -> Message:
    """To the person who declared it."""
    where = _where(incident) or "Its channel is being opened; you will be invited."
    text = f"{incident.id} is declared: {words(incident.title, 200)}. {where}"
    return message(text, [section(text)])


def there(incident: Incident, *, noted: bool) -> Message:
    """To a person who saw the same fire."""
    kept = "What you said is noted there." if noted else ""
    text = f"{incident.id}: {words(incident.title, 200)}. {_where(incident)} {kept}".strip()
    return message(text, [section(text)])


def _where(incident: Incident) -> str:
    if incident.channel is None:
        return ""
    place = channel(incident.channel.id)
    return (
        f"It runs in a thread of {place}." if incident.channel.thread_ts else f"It is in {place}."
    )


def taken(text: str, owner: Incident, ask: dict[str, str]) -> Message:
    """An incident is open on this service already: the same, or something else?"""
    where = phrasing.room(owner)
    there = f"{owner.id} is open on {words(owner.service, 60)}: {words(owner.title, 200)} {where}".strip()
    choices = [
        button(
            "Go there",
            "incident.go_there",
            {"incident": owner.id, "title": plain(text, 300)},
            style="primary",
        ),
        button("It is something else", "incident.something_else", {"of": owner.id, **ask}),
    ]
    blocks = [section(f"{there}\nYou said: {words(text, 300)}"), actions(choices)]
    return message(there, blocks)


def either(
    question: str, first: tuple[str, dict[str, str]], second: tuple[str, dict[str, str]]
) -> Message:
    """Two readings of what was typed: two buttons, each (label, what it stands for)."""
    choices = [
        button(first[0], "incident.meant", {"pick": "1", **first[1]}),
        button(second[0], "incident.meant_new", {"pick": "2", **second[1]}),
    ]
    return message(spoken(question, 400), [section(spoken(question, 400)), actions(choices)])


def offer(said: str, ask: dict[str, str]) -> Message:
    """In the thread of what somebody wrote: it sounds like an incident; a person decides."""
    text = "Is production on fire? I can open an incident: a channel, who is hit, and what to do about it."
    return message(
        text,
        [
            section(text),
            actions(
                [
                    button(
                        "Declare an incident …",
                        "incident.declare",
                        {"text": cut_plain(said, 400), **ask},
                    )
                ]
            ),
        ],
    )


def break_glass(refusal: str, ask: dict[str, str | int]) -> Message:
    """A person who may not deploy: who may, and the way round for when none of them answers."""
    text = spoken(refusal)
    under = "Nobody there? *Break glass* deploys all the same: with a reason, announced, and the owners are paged."
    return message(
        text,
        [
            section(text),
            context(under),
            actions([button("Break glass …", "incident.break_glass", ask, style="danger")]),
        ],
    )
