"""Phase 4, the Discord post: one an incident, edited in place."""

from __future__ import annotations

from collections.abc import Sequence

from phases.mitigation.hotfix_merge import unmerged
from phases.record.incident import Incident, Status
from phases.record.markdown import Names, chat
from phases.record.tokens import what_was_done
from phases.triage.steps import headline

DISCORD_LIMIT = 1900  # of 2,000 characters: https://docs.discord.com/developers/resources/webhook#execute-webhook
DISCORD_SAYS = {
    Status.DECLARED: "measuring",
    Status.DECIDING: "to be decided",
    Status.MITIGATING: "deploying",
    Status.VERIFYING: "checking",
    Status.MITIGATED: "users are fine",
}
"""For people who do not know this bot's names; the others are words already."""


def discord_text(incident: Incident, names: Names) -> str:
    """One post an incident, edited in place: what, how bad, what was decided. Everybody's words stay words."""
    severity = f"SEV{incident.severity.value} · " if incident.severity else ""
    title, service = chat(incident.title, names, 200), chat(incident.service, names, 60)
    lines = [
        f"**{incident.id} {title}**",
        f"{severity}{service} · {DISCORD_SAYS.get(incident.status, incident.status.value)}",
    ]
    if incident.triage is not None:
        lines.append(chat(headline(incident.triage), names, 300))
    current = incident.round
    if current is not None and current.action is not None:
        lines.append(chat(f"{what_was_done(current.action)} ({current.action.result})", names, 300))
    if (open_end := unmerged(incident)) is not None:
        lines.append(chat(open_end, names, 200))
    if incident.latest_update:
        lines.append(chat(incident.latest_update, names, 300))
    if incident.ticket is not None:
        lines.append(chat(incident.ticket.url, names, 200))
    return _whole_lines(lines)


def _whole_lines(lines: Sequence[str]) -> str:
    """As many as fit; a line that was cut in its middle could lose the end of what keeps it harmless."""
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(kept) + len(line) <= DISCORD_LIMIT:
            kept.append(line)
    return "\n".join(kept)
