"""The help: every subcommand in one line."""

from __future__ import annotations

from handlers.views.blocks import Message, context, message, section


def help_text() -> Message:
    """Return the subcommands, by when they are needed."""
    lines = [
        "*Declare*\n`/incident checkout is failing` declares it. `/incident` alone opens the form.",
        "*Decide* (in the incident's channel, or with its id)\n"
        "`rollback` · `hotfix` · `investigate` · `fixed &lt;what was done&gt;`",
        "*Keep people informed*\n`status` · `list` · `update &lt;what is new&gt;` · "
        "`severity 1` to `4` · `lead` or `lead @name` · `timeline`\n"
        "Put :pushpin: on a message: it goes into the timeline.",
        "*Understand and finish*\n`cause &lt;why&gt;` · `recheck` · `postmortem` · `resolve` · "
        "`cancel &lt;reason&gt;` for a false alarm",
        "*Put right*\n`merge INC-…` for a duplicate · `reopen INC-…` for what is not over",
        "*Look back*\n`history` or `history &lt;service&gt;` · `trends`",
        "*Practise*\n`drill &lt;what to practise&gt;`: nobody is paged, nothing is deployed",
    ]
    note = (
        "Nothing here acts on production without a second click. "
        "`declare &lt;text&gt;` always declares, whatever the words."
    )
    return message("What /incident can do", [*(section(line) for line in lines), context(note)])
