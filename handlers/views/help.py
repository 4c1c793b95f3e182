"""The help: every subcommand in one line."""

from handlers.views.blocks import Message, context, message, section


def help_text() -> Message:
    """Return the subcommands, by when they are needed."""
    lines = [
        "*Declare*\n`/incident checkout is failing` declares it. `/incident` alone opens the form.",
        "*Decide* (in the incident's channel, or with its id)\n"
        "`rollback` · `hotfix` · `investigate` · `fixed &lt;what was done&gt;`",
        "*Keep people informed*\n`status` · `list` · `update &lt;what is new&gt;` · "
        "`severity 1` to `4` · `lead` or `lead @name` · `timeline`\n"
        "React with :pushpin: to add a message to the timeline.",
        "*Understand and finish*\n`cause &lt;why&gt;` · `recheck` · `postmortem` · `resolve` · "
        "`cancel &lt;reason&gt;` for a false alarm",
        "*Duplicates and returns*\n"
        "`merge INC-…` for duplicates · `split INC-…` parts one again · "
        "`reopen INC-…` if it is not over",
        "*Look back*\n`history` or `history &lt;service&gt;` · `trends`",
        "*Practise*\n`drill &lt;what to practise&gt;`: nobody is paged, nothing is deployed",
    ]
    note = (
        "Nothing here changes production without a second click. "
        "`declare &lt;text&gt;` always declares, whatever the words."
    )
    return message("What /incident can do", [*(section(line) for line in lines), context(note)])
