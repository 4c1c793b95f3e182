"""Phase 4, the Discord post: one an incident, edited in place."""

from collections.abc import Sequence

from phases.mitigation.hotfix_merge import unmerged
from phases.record.incident import Incident, Status
from phases.record.tokens import what_was_done
from phases.shared.rounds import action_in_effect
from phases.text.markdown import Names, chat
from phases.triage.steps import headline

# https://docs.discord.com/developers/resources/webhook#execute-webhook
DISCORD_LIMIT = 1900  # of 2,000 characters
DISCORD_SAYS = {
    Status.DECLARED: "measuring",
    Status.DECIDING: "to be decided",
    Status.MITIGATING: "deploying",
    Status.VERIFYING: "checking",
    Status.MITIGATED: "users are fine",
}
"""The words for people who do not know this bot; the other statuses are words already."""


def discord_text(incident: Incident, names: Names) -> str:
    """Return the post: what, how bad, what was decided. Everybody's words stay words."""
    severity = f"SEV{incident.severity.value} · " if incident.severity else ""
    title, service = chat(incident.title, names, 200), chat(incident.service, names, 60)
    lines = [
        f"**{incident.id} {title}**",
        f"{severity}{service} · {DISCORD_SAYS.get(incident.status, incident.status.value)}",
    ]
    if incident.triage is not None:
        lines.append(chat(headline(incident.triage), names, 300))
    if (action := action_in_effect(incident)) is not None:
        lines.append(chat(f"{what_was_done(action)} ({action.result})", names, 300))
    if (open_end := unmerged(incident)) is not None:
        lines.append(chat(open_end, names, 200))
    if incident.latest_update:
        lines.append(chat(incident.latest_update, names, 300))
    if incident.ticket is not None:
        lines.append(chat(incident.ticket.url, names, 200))
    return _whole_lines(lines)


def _whole_lines(lines: Sequence[str]) -> str:
    """Return as many lines as fit.

    A line that was cut in its middle could lose the end of what keeps it harmless.
    """
    fitting: list[str] = []
    for line in lines:
        if len("\n".join((*fitting, line))) <= DISCORD_LIMIT:
            fitting.append(line)
    return "\n".join(fitting)
