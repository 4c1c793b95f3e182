"""A private incident where others can read it: its number, that it is private, and nothing else.

In its channel it is an incident like any other. Everything that leaves the channel (announcement,
ticket, page, post-mortem, memory) is made from `seen_from_outside`.
"""

from phases.record.incident import Incident, Round, Source
from phases.text.wording import short

TITLE = "private incident"


def seen_from_outside(incident: Incident) -> Incident:
    """Return the incident as strangers may read it. One that is not private does not change.

    The six parts of a post-mortem stay: a person wrote them for this file, and was told who can
    read it.
    """
    if not incident.private:
        return incident
    cause = incident.cause
    if cause is not None:
        written = incident.postmortem.root_cause if incident.postmortem else ""
        cause = cause.model_copy(
            update={"text": short(written, 300) or "not told", "evidence": (), "commit": None}
        )
    hidden = {
        "title": TITLE,
        "description": "",
        "source": Source(kind=incident.source.kind, text="a person"),
        "seeds": (),
        "triage": None,
        "investigation": None,
        "hypotheses": (),
        "suspects": (),
        "bisect": None,
        "cause": cause,
        "rounds": tuple(_hidden_round(round) for round in incident.rounds),
        "latest_update": None,
        "cancel_reason": "it was private" if incident.cancel_reason else None,
        "escalated": None,
        "parent": None,
        "failures": (),
    }
    return incident.model_copy(update=hidden)


def _hidden_round(round: Round) -> Round:
    """Return the round without people's words. Releases are seen in production anyway."""
    action = round.action
    if action is not None:
        sentence = "by people" if action.sentence else ""
        glass = "not told" if action.break_glass else None
        action = action.model_copy(
            update={"sentence": sentence, "reason": "", "lines": (), "break_glass": glass}
        )
    return round.model_copy(update={"why": "not told", "action": action, "recommendation": None})


def page_text(incident: Incident, text: str) -> str:
    """Return `text` unless the incident is private: many people can read a pager's history."""
    if not incident.private:
        return text
    return f"{incident.id}: a private incident needs people. Look in Slack, or ask who declared it."
