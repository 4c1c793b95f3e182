"""Questions before an incident becomes another one's duplicate, parts from it, or opens again."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.views.blocks import (
    Element,
    Message,
    View,
    actions,
    button,
    confirm,
    context,
    message,
    option,
    section,
)
from handlers.views.inputs import VALUE, field_input, select
from handlers.views.status import short
from handlers.views.text import plain, words
from phases.coordination.duplicates import AT_ONCE
from phases.record.incident import Incident
from phases.text.wording import listed

ONE, MORE = (
    "The duplicate is cancelled, its ticket closed.",
    "The duplicates are cancelled, their tickets closed.",
)
UNDO = "Was it a mistake? `/incident split INC-…` parts them again."


def which_goes_on(*some: Incident) -> Message:
    """Ask which of two or more incidents goes on; the others are its duplicates.

    The oldest stands first; each that is open may be kept.
    """
    by_age = sorted(some, key=lambda one: one.number)
    ids = [one.id for one in by_age]
    if not any(one.open for one in by_age):
        over = (
            f"{listed(ids)} are {'both' if len(ids) == 2 else 'all'} over. "
            f"Reopen the one you want to keep first: `/incident reopen {ids[0]}`"
        )
        return message(over, [section(over)])
    text = (
        f"{listed(list(reversed(ids)))} are the same? "
        "The one you keep gets the timeline, people and Sentry issues of the "
        f"{'other' if len(ids) == 2 else 'others'}."
    )
    rows = [
        section(short(one), accessory=_keep_button(one, by_age) if one.open else None)
        for one in by_age
    ]
    note = f"{ONE if len(ids) == 2 else MORE} {UNDO}"
    return message(text, [section(text), *rows, context(note)])


def _keep_button(keep: Incident, some: Sequence[Incident]) -> Element:
    """Return the button of one of them; `some` begins with the oldest."""
    gone = [one for one in some if one.id != keep.id]
    if len(gone) == 1:
        ends = f"{gone[0].id} {plain(gone[0].title, 100)} ends."
        title = f"{gone[0].id} is a duplicate?"
    else:
        ends = f"{listed([one.id for one in gone])} end."
        title = f"{len(gone)} duplicates?"
    ask = confirm(
        title,
        f"{ends} {keep.id} {plain(keep.title, 100)} stays open.",
        f"Keep {keep.id}",
        danger=True,
    )
    value = {"keep": keep.id, "end": " ".join(one.id for one in gone)}
    action = "incident.merge" if keep.id == some[0].id else "incident.merge_other"
    return button(f"Keep {keep.id}", action, value, confirm=ask)


def which_are_one(some: Sequence[Incident], here: Incident | None) -> View:
    """`incident.merge`: the open incidents to choose from. `here`: that of the channel."""
    shown = list(some[:AT_ONCE])
    if here is not None and here.open and here.id not in {one.id for one in shown}:
        shown = [here, *shown[: AT_ONCE - 1]]
    options = [option(one.id, one.id, plain(one.title, 70)) for one in shown]
    boxes: Element = {"type": "checkboxes", "action_id": VALUE, "options": options}
    oldest = min(shown, key=lambda one: one.number)
    kept = here if here is not None and here.open else oldest
    initial = next(o for o, one in zip(options, shown, strict=True) if one.id == kept.id)
    note = f"{MORE} {UNDO}"
    return View(
        "incident.merge",
        "Merge incidents",
        (
            field_input("keep", "Which one goes on?", select(VALUE, options, initial=initial)),
            field_input("end", "Which are the same?", boxes, hint="The one that goes on stays."),
            context(note),
        ),
        submit="Merge",
        metadata={},
    )


def which_parts(kept: Incident, some: Sequence[Incident]) -> Message:
    """Ask which duplicate is something else after all."""
    text = f"Which one is no part of {kept.id}? It goes on by itself again."
    rows = [
        section(
            short(gone),
            accessory=button(f"Split off {gone.id}", "incident.split", {"incident": gone.id}),
        )
        for gone in some
    ]
    return message(text, [section(text), *rows])


def reopen_beside(incident: Incident, owner: Incident, *, split: bool = False) -> Message:
    """Ask whether it is the same as the incident that its service has open by now."""
    text = (
        f"{owner.id} is now open on {words(owner.service, 60)}: "
        f"{words(owner.title, 150)}. Is {incident.id} the same?"
    )
    value = {"incident": incident.id, "of": owner.id}
    again = "incident.split" if split else "incident.reopen"
    same = button(f"The same: add it to {owner.id}", "incident.merge_into", value, style="primary")
    choices = [
        None if split else same,  # it is a duplicate already: it has to part before
        button("Something else: open it again", again, value),
        button("Go there", "incident.go_there", {"incident": owner.id}),
    ]
    shown = [one for one in choices if one is not None]
    return message(text, [section(text), section(short(owner)), actions(shown)])
