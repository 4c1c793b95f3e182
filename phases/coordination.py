"""Phase 4, coordinate: declare, channel, ticket, announcements, who leads, what failed; everything a responder follows.

Workflow: "Create Linear incident ticket; cross-reference Sentry issue ID; pin a Slack/Discord post; track timeline".
"""

from __future__ import annotations

from datetime import datetime

from phases.actions import (
    AddEvidence,
    ChannelOpened,
    Declare,
    DiscordPosted,
    EffectDone,
    Invited,
    MessagePosted,
    Paged,
    Pinned,
    PostUpdate,
    SeenAgain,
    SetSeverity,
    TakeLead,
    TicketOpened,
    TriageOverdue,
)
from phases.change import Change, Draft, Refused
from phases.effects import Invite, OpenChannel, OpenTicket, Pin, PostLive, Say, SetTopic, TellDiscord, Triage
from phases.incident import Incident, Severity, Status
from phases.postmortem_steps import fingerprint_claim, issues_of, open_claim
from phases.root_cause_steps import ask_for_tree
from phases.rounds import (
    EVERYWHERE,
    ask_for_decision,
    ended,
    keep_true,
    mentioned,
    next_round,
    page,
    tell,
    what_was_done,
)
from phases.service import Service
from phases.triage_steps import OVERDUE, OVERDUE_SECONDS, attach_issues, headline

ECHO_SECONDS = 60  # rules: same person, same text, same channel within 60 s
SEEDS = 50  # Sentry issues an incident keeps by name; a storm has few issues and many events
TITLE, DESCRIPTION = 300, 3000


def incident_id(number: int) -> str:
    return f"INC-{number:04d}"


def declare(action: Declare, service: Service, now: datetime) -> Change | Refused:
    """Phase 0: something is on fire. Channel and triage start at once, beside each other."""
    title = " ".join(action.title.split())[:TITLE]
    if not title:
        return Refused("input", "Say in a few words what is wrong, e.g. `/incident checkout is failing`.")
    incident = Incident(
        id=incident_id(action.number),
        number=action.number,
        ulid=action.ulid,
        title=title,
        description=action.description[:DESCRIPTION],
        service=service.name,
        environment=action.environment,
        private=action.private,
        severity=action.severity,
        severity_by=action.by if action.severity else None,
        source=action.source,
        declared_by=action.by,
        lead=action.by,
        detected_at=action.detected_at or now,
        declared_at=now,
        else_reason=action.else_of,
        seeds=action.seeds[:SEEDS],
    )
    draft = Draft(incident, now).note(
        "declared", f"{incident.source.text}: {title}", by=action.by, url=action.source.url
    )
    if action.else_of is None:
        draft.claim(open_claim(service.name, action.environment))
    for issue in incident.seeds:
        draft.claim(fingerprint_claim(issue), soft=action.else_of is not None)
    if action.echo:
        draft.claim(action.echo, seconds=ECHO_SECONDS)
    draft.want(OpenChannel(), Triage())
    return draft.timer(OVERDUE, OVERDUE_SECONDS, TriageOverdue()).done()


def channel_opened(incident: Incident, action: ChannelOpened, service: Service, now: datetime) -> Change:
    draft = Draft(incident, now)
    if incident.channel is not None:
        return draft.done()
    draft.set(channel=action.channel)
    if action.reason:
        draft.note("comms", f"No channel of its own: {action.reason}. It runs in a thread.")
    else:
        draft.want(SetTopic())
        who = tuple(dict.fromkeys(p for p in (incident.declared_by, *service.owners) if p))
        if who:
            draft.want(Invite(people=who))
    draft.want(PostLive(name="status"))
    if not incident.private:
        draft.want(PostLive(name="announcement"))
    draft.want(OpenTicket(), TellDiscord())
    return ask_for_decision(draft).done()


def message_posted(incident: Incident, action: MessagePosted, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if action.name in incident.messages:
        return draft.done()
    draft.set(messages={**incident.messages, action.name: action.ref})
    if action.name == "status":
        draft.want(Pin())
    if action.name.startswith("decision:") and not incident.tree_asked:
        ask_for_tree(draft)
    return draft.done()


def pinned(incident: Incident, action: Pinned, service: Service, now: datetime) -> Change:
    del action, service
    return Draft(incident, now).set(pinned=True).done()


def invited(incident: Incident, action: Invited, service: Service, now: datetime) -> Change:
    """Who could not be invited does not stop the others; it is said once."""
    del service
    draft = Draft(incident, now).set(invited=tuple(dict.fromkeys((*incident.invited, *action.people))))
    if action.failed:
        draft.note("comms", f"Could not be invited: {', '.join(action.failed)}")
    return draft.done()


def ticket_opened(incident: Incident, action: TicketOpened, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if incident.ticket is not None:
        return draft.done()
    draft.set(ticket=action.ticket).note("comms", f"Ticket {action.ticket.identifier}", url=action.ticket.url)
    return attach_issues(draft).dirty(*EVERYWHERE).done()


def discord_posted(incident: Incident, action: DiscordPosted, service: Service, now: datetime) -> Change:
    del service
    return Draft(incident, now).set(discord_id=action.id).done()


def paged(incident: Incident, action: Paged, service: Service, now: datetime) -> Change:
    del service
    return Draft(incident, now).note("page", f"Page sent ({action.key}) by {action.via}").done()


def effect_done(incident: Incident, action: EffectDone, service: Service, now: datetime) -> Change:
    del action, service
    return Draft(incident, now).done()


# --- what people say -------------------------------------------------------------------------------------------


def post_update(incident: Incident, action: PostUpdate, service: Service, now: datetime) -> Change | Refused:
    del service
    if (refused := ended(incident)) is not None:
        return refused
    text = action.text.strip()[:1500]
    if not text:
        return Refused("input", "Say what is new, e.g. `/incident update card payments work again in eu-west`.")
    draft = Draft(incident, now).set(latest_update=text[:300]).note("update", text, by=action.by)
    return tell(draft, f"Update by {mentioned(action.by)}: {text}").done()


def set_severity(incident: Incident, action: SetSeverity, service: Service, now: datetime) -> Change | Refused:
    """A person's word wins and stays (rules: Severity)."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    draft = Draft(incident, now).set(severity=action.severity, severity_by=action.by)
    said = f"SEV{action.severity.value}, says {mentioned(action.by)}"
    draft.note("severity", said, by=action.by)
    if action.severity is Severity.SEV1:
        page(draft, "sev1", f"{incident.id} {incident.title}: SEV1")
    return keep_true(draft, said).done()


def take_lead(incident: Incident, action: TakeLead, service: Service, now: datetime) -> Change | Refused:
    del service
    if (refused := ended(incident)) is not None:
        return refused
    draft = Draft(incident, now).set(lead=action.lead).note("lead", f"{mentioned(action.lead)} leads", by=action.by)
    return tell(draft, f"{mentioned(action.lead)} leads.", ticket=False).dirty("status").done()


# --- what alerts say -------------------------------------------------------------------------------------------


def add_evidence(incident: Incident, action: AddEvidence, service: Service, now: datetime) -> Change:
    """One storm is one incident: a new issue is a line and a seed, the thousandth alert of a known one is nothing."""
    del service
    draft = Draft(incident, now)
    if action.issue is not None:
        if action.issue in incident.seeds or len(incident.seeds) >= SEEDS:
            return draft.done()
        draft.set(seeds=(*incident.seeds, action.issue)).claim(fingerprint_claim(action.issue), soft=True)
    text = f"{action.evidence.source}: {action.evidence.text}"
    draft.note("evidence", text, url=action.evidence.url)
    if incident.open and "decision:1" in incident.messages:
        draft.want(Say(text=text[:500], thread=True))
    return draft.done()


def seen_again(incident: Incident, action: SeenAgain, service: Service, now: datetime) -> Change:
    """The guard: the same Sentry issue after recovery opens the incident again by itself (rules: Verification)."""
    draft = Draft(incident, now)
    after = incident.resolved_at or incident.recovered_at
    back = incident.status in (Status.MITIGATED, Status.RESOLVED)
    if not back or after is None or action.evidence.at <= after:
        evidence = AddEvidence(evidence=action.evidence, issue=action.issue)
        return add_evidence(incident, evidence, service, now)
    if incident.status is Status.MITIGATED and incident.guard_until is not None and now > incident.guard_until:
        return add_evidence(incident, AddEvidence(evidence=action.evidence, issue=action.issue), service, now)
    draft.set(status=Status.DECIDING, recovered_at=None, resolved_at=None, guard_until=None)
    draft.claim(open_claim(incident.service, incident.environment), soft=True)
    for issue in issues_of(incident):
        draft.claim(fingerprint_claim(issue), soft=True)
    again = f"It is back: {action.evidence.text}"
    draft.note("evidence", again, url=action.evidence.url)
    rounds = len(incident.rounds)
    page(draft, f"back: {rounds}", f"{incident.id} {incident.title}: {again}")
    tell(draft, f"*{again}*")
    return next_round(draft, "Sentry sees it again").done()


# --- texts outside Slack; mentions become names on the way out ----------------------------------------------------


def ticket_title(incident: Incident) -> str:
    return f"{incident.id}: {incident.title}"[:250]


def ticket_body(incident: Incident) -> str:
    """The ticket as it is opened; comments follow every change."""
    lines = [
        f"Service: {incident.service} ({incident.environment})",
        f"Detected: {incident.detected_at:%Y-%m-%d %H:%M} UTC via {incident.source.text}",
    ]
    if incident.description:
        lines.append(f"\n{incident.description}")
    if incident.triage is not None:
        lines.append(f"\nTriage: {headline(incident.triage)}")
    return "\n".join(lines)


def discord_text(incident: Incident) -> str:
    """One post an incident, edited in place: what, how bad, what was decided (Discord's limit is 2,000 characters)."""
    severity = f"SEV{incident.severity.value} · " if incident.severity else ""
    lines = [f"**{incident.id} {incident.title}**", f"{severity}{incident.service} · {incident.status.value}"]
    if incident.triage is not None:
        lines.append(headline(incident.triage))
    current = incident.round
    if current is not None and current.action is not None:
        lines.append(f"{what_was_done(current.action)} ({current.action.result})")
    if incident.latest_update:
        lines.append(incident.latest_update)
    if incident.ticket is not None:
        lines.append(incident.ticket.url)
    return "\n".join(lines)[:1900]
