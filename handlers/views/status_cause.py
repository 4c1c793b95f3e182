"""The cause, or what is suspected, in one line of the pinned status."""

from datetime import timedelta

from handlers.views.phone_layout import Fact
from handlers.views.text import inline_code, spoken, words
from phases.record.incident import Incident
from phases.root_cause.leading_cause import proposed_cause
from phases.text.wording import lasting


def cause_line(incident: Incident) -> Fact:
    """Return the cause, or what is suspected: the hypothesis that leads, as in the thread."""
    ranks = (3, 5, 6)
    if incident.cause is not None:
        return Fact(f"*Root cause*: {spoken(incident.cause.text, 400, lines=False)}", ranks)
    if not incident.open:
        return Fact("", ranks)
    if incident.bisect is not None and incident.bisect.state == "running":
        step = (
            f", step {incident.bisect.step} of about {incident.bisect.steps}"
            if incident.bisect.steps
            else ""
        )
        return Fact(f"*Cause*: bisecting{step}", ranks)
    proposed = proposed_cause(incident)
    if proposed is not None:
        sha = proposed.commit[:9] if proposed.commit else ""
        known = next((s for s in incident.suspects if sha and s.sha.startswith(sha)), None)
        short = f"{inline_code(sha)} {words(known.subject, 100)}" if known else ""
        text = words(proposed.text.removesuffix(".").removesuffix(" caused it").rstrip(","), 300)
        return Fact(f"*Suspected*: {text}", ranks, short=f"*Suspected*: {short or text}")
    suspect = incident.triage.suspect if incident.triage else None
    if suspect is None:
        return Fact("", ranks)
    version = f"*Suspected*: {inline_code(suspect.version, 40)}"
    before = incident.triage.suspect_minutes if incident.triage else None
    if before is None or before < 0:
        return Fact(version, ranks)
    passed = f"{lasting(timedelta(minutes=before))} before" if before * 60 >= 1 else "as"
    return Fact(
        f"{version}, deployed {passed} it began", ranks, short=f"{version}, {passed} it began"
    )
