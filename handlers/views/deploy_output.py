"""Output of a deploy, as it prints it: one message in the thread of its decision."""

from handlers.views import phrasing
from handlers.views.blocks import Message, context, message, section
from handlers.views.text import code, size, words
from phases.record.incident import Incident

OUTPUT = 2900  # with its fence under the 3,000 characters of a section


def progress(incident: Incident, number: int) -> Message:
    """Return the newest lines of the deploy of round `number`, edited in place."""
    current = incident.round_of(number)
    action = current.action if current is not None else None
    if action is None or action.output is None:
        text = f"{incident.id}: the output of this deploy is no longer kept."
        return message(text, [section(text)])
    lines = list(action.output.lines)
    cut = action.output.cut
    while len(lines) > 1 and size(code("\n".join(lines), 10 * OUTPUT)) > OUTPUT:
        del lines[0]
        cut = True
    of = "deploy" if action.deploys else "command"
    head = f"*Output of the {of}* · {phrasing.done(action)} · {phrasing.outcome(action)}"
    left_out = (
        context("Earlier lines are left out; what looks like a secret is hidden.") if cut else None
    )
    shown = section(code("\n".join(lines), OUTPUT))
    return message(f"{incident.id}: {words(lines[-1], 200)}", [section(head), left_out, shown])
