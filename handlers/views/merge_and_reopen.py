"""Questions before an incident becomes another one's duplicate, parts from it, or opens again."""

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
    by_age = sorted(some, key=lambda incident: incident.number)
    ids = [incident.id for incident in by_age]
    if not any(incident.open for incident in by_age):
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
        section(
            short(incident), accessory=_keep_button(incident, by_age) if incident.open else None
        )
        for incident in by_age
    ]
    note = f"{ONE if len(ids) == 2 else MORE} {UNDO}"
    return message(text, [section(text), *rows, context(note)])


def _keep_button(keep: Incident, some: Sequence[Incident]) -> Element:
    """Return the button of one of them; `some` begins with the oldest."""
    ending = [incident for incident in some if incident.id != keep.id]
    if len(ending) == 1:
        ends = f"{ending[0].id} {plain(ending[0].title, 100)} ends."
        title = f"{ending[0].id} is a duplicate?"
    else:
        ends = f"{listed([incident.id for incident in ending])} end."
        title = f"{len(ending)} duplicates?"
    ask = confirm(
        title,
        f"{ends} {keep.id} {plain(keep.title, 100)} stays open.",
        f"Keep {keep.id}",
        danger=True,
    )
    value = {"keep": keep.id, "end": " ".join(incident.id for incident in ending)}
    action = "incident.merge" if keep.id == some[0].id else "incident.merge_other"
    return button(f"Keep {keep.id}", action, value, confirm=ask)


def which_are_one(some: Sequence[Incident], here: Incident | None) -> View:
    """`incident.merge`: the open incidents to choose from. `here`: that of the channel."""
    shown = list(some[:AT_ONCE])
    if here is not None and here.open and here.id not in {incident.id for incident in shown}:
        shown = [here, *shown[: AT_ONCE - 1]]
    options = [option(incident.id, incident.id, plain(incident.title, 70)) for incident in shown]
    boxes: Element = {"type": "checkboxes", "action_id": VALUE, "options": options}
    oldest = min(shown, key=lambda incident: incident.number)
    proposed = here if here is not None and here.open else oldest
    initial = next(
        o for o, incident in zip(options, shown, strict=True) if incident.id == proposed.id
    )
    note = f"{MORE} {UNDO}"
    return View(
        "incident.merge",
        "Merge incidents",
        (
            field_input("keep", "Which one goes on?", select(options, initial=initial)),
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
    shown = [choice for choice in choices if choice is not None]
    return message(text, [section(text), section(short(owner)), actions(shown)])
