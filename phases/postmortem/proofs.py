"""The six proofs of an incident (workflow: Outputs / Evidence), each missing or complete."""

from datetime import timedelta
from typing import NamedTuple

from phases.record.incident import ActionKind, Incident
from phases.record.tokens import what_was_done
from phases.shared.rounds import look_of_recovery, round_of_recovery
from phases.text.wording import counted, lasting, stamp


class Proof(NamedTuple):
    name: str
    complete: bool
    says: str


def proofs(incident: Incident) -> tuple[Proof, ...]:
    """Return the six, for `status`, the ADR and the export. Texts may hold `<@U…>`."""
    ticket = f"{incident.ticket.identifier} {incident.ticket.url}" if incident.ticket else ""
    adr = f"{incident.adr.name} {incident.adr.url or incident.adr.path}" if incident.adr else ""
    return (
        _triage_proof(incident),
        _cause_proof(incident),
        _deploy_proof(incident),
        Proof("Ticket", bool(ticket), ticket or "no ticket was opened"),
        Proof("Post-mortem", bool(adr), adr or "not written yet"),
        _recovery_proof(incident),
    )


def _triage_proof(incident: Incident) -> Proof:
    name, report = "Triage report", incident.triage
    if report is None:
        return Proof(name, False, "Sentry was not measured, and nobody reported by hand")
    how = f"{report.events} events measured"
    if report.manual_by:
        how = f"by hand, <@{report.manual_by}>, not measured"
    return Proof(name, True, f"{stamp(report.at)}, {how}")


def _cause_proof(incident: Incident) -> Proof:
    name, cause = "Root cause with evidence", incident.cause
    if cause is None:
        return Proof(name, False, "not known")
    by = f"<@{cause.by}>" if cause.by else "found by bisect"
    evidence = "no evidence noted beside it"
    if cause.evidence:
        evidence = counted(len(cause.evidence), "piece of evidence", "pieces of evidence")
    return Proof(name, True, f"{by}, {stamp(cause.at)}, {evidence}")


def _deploy_proof(incident: Incident) -> Proof:
    """Show the release before and after, read back from the deployer.

    *Fixed another way* has none to show.
    """
    sentences: list[str] = []
    complete = False
    for round in incident.rounds:
        action = round.action
        if action is None or not action.began:
            continue
        if action.kind is ActionKind.FIXED:
            sentences.append("no deploy was needed")
            complete = True
        elif action.kind is ActionKind.TURN_OFF:
            sentences.append(f"{what_was_done(action, 'past')}: {action.result}, no deploy")
            complete = action.result == "done"
        elif action.proof is not None and action.proof.after is not None:
            sentences.append(
                f"{action.proof.before or 'not known'} → {action.proof.after} ({action.result})"
            )
            complete = action.result == "done"
        else:
            sentences.append(f"{what_was_done(action)}: {action.result}, release not read back")
            complete = False
    return Proof("Deploy proof", complete, "; ".join(sentences) or "nothing was done in production")


def _recovery_proof(incident: Incident) -> Proof:
    name = "Recovery check"
    if incident.recovered_at is None:
        return Proof(name, False, "recovery is not verified")
    at = stamp(incident.recovered_at)
    current = round_of_recovery(incident)
    if current is not None and current.verdict == "confirmed by a person":
        return Proof(name, True, f"{at}, confirmed by a person, not measured")
    look = look_of_recovery(current)
    if look is None:
        return Proof(name, True, at)
    endpoint = f", endpoint {look.endpoint.said}" if look.endpoint else ""
    span = lasting(timedelta(minutes=look.minutes))
    events = f"{look.events} events in {span}, up to {look.allowed} allowed by the baseline"
    return Proof(name, True, f"{at}, {events}{endpoint}")
