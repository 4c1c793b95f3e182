"""Phase 4, coordinate: declare, channel, ticket, announcements, who leads, what failed; everything a responder follows.

Workflow: "Create Linear incident ticket; cross-reference Sentry issue ID; pin a Slack/Discord post; track timeline".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from phases.actions import (
    AddEvidence,
    ChannelOpened,
    Declare,
    DiscordPosted,
    EffectDone,
    Invited,
    IssuesLookedUp,
    MeasureDue,
    MessagePosted,
    Paged,
    Pinned,
    SeenAgain,
    TriageOverdue,
)
from phases.alarms import ALARM, after_recovery, day, fires_after_recovery, recovered_at, ring
from phases.change import Change, Draft, Refused
from phases.effects import (
    AttachChannel,
    Invite,
    LookUpIssues,
    OpenChannel,
    OpenTicket,
    Pin,
    PostLive,
    Say,
    SetTopic,
    Triage,
)
from phases.guard import GUARD
from phases.hold import HEARD
from phases.incident import Incident, MessageRef, Status
from phases.markdown import Names, chat, one_line
from phases.merging import unmerged
from phases.postmortem_steps import ARCHIVE, RESOLVED_GUARD_SECONDS, fingerprint_claim, issues_of, open_claim
from phases.privacy import outside
from phases.report import Evidence
from phases.root_cause_steps import ask_for_tree
from phases.rounds import (
    ask_for_decision,
    next_round,
    nobody_paged,
    page,
    tell_discord,
    urgent,
    what_was_done,
    worked,
)
from phases.service import Service
from phases.triage_steps import MEASURE, OVERDUE, OVERDUE_SECONDS, UNDECIDED, headline
from phases.verification_steps import ask_again
from phases.wording import capital, listed, short

ECHO_SECONDS = 60  # rules: same person, same text, same channel within 60 s
SEEDS = 50  # Sentry issues an incident keeps by name; a storm has few issues and many events
TITLE, DESCRIPTION = 300, 3000
DISCORD_LIMIT = 1900  # of 2,000 characters: https://docs.discord.com/developers/resources/webhook#execute-webhook
DRILL = "DRILL:"  # in front of its title, and so in channel, topic, status, announcement and ticket
STORM_SECONDS = 10  # a new issue of the storm: measured again when so long no other one came


def incident_id(number: int) -> str:
    return f"INC-{number:04d}"


def declare(action: Declare, service: Service, now: datetime) -> Change | Refused:
    """Phase 0: something is on fire. Channel and triage start at once, beside each other."""
    title = " ".join(action.title.split())[:TITLE]
    if not title:
        return Refused("input", "Say in a few words what is wrong, e.g. `/incident checkout is failing`.")
    if action.drill:
        title = f"{DRILL} {title}"[:TITLE]
    incident = Incident(
        id=incident_id(action.number),
        number=action.number,
        ulid=action.ulid,
        title=title,
        description=action.description[:DESCRIPTION],
        service=service.name,
        environment=action.environment,
        private=action.private,
        drill=action.drill,
        severity=action.severity,
        severity_by=action.by if action.severity else None,
        source=action.source,
        declared_by=action.by,
        lead=action.by,
        detected_at=action.detected_at or now,
        declared_at=now,
        else_reason=action.else_of,
        seeds=action.seeds[:SEEDS],
        escalated=action.parent,
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
    if action.unseen:
        draft.want(LookUpIssues(short_ids=action.unseen[:SEEDS]))
    urgent(draft, f"{incident.id} {title}: SEV1")
    return draft.timer(OVERDUE, OVERDUE_SECONDS, TriageOverdue()).done()


def channel_opened(incident: Incident, action: ChannelOpened, service: Service, now: datetime) -> Change:
    draft = worked(Draft(incident, now), "open.channel")
    if incident.channel is not None:
        return draft.done()
    draft.set(channel=action.channel)
    if not incident.open:  # cancelled before it was there: who finds the channel is told, and nothing is begun
        return draft.want(SetTopic(), PostLive(name="status")).done()
    if action.reason:
        draft.note("comms", f"No channel of its own: {action.reason}. It runs in a thread.")
    else:
        draft.want(SetTopic())
        owners = () if incident.apart else service.owners  # a drill and a private incident ask whom they need
        who = tuple(dict.fromkeys(p for p in (incident.declared_by, *incident.invited, *owners) if p))
        if who:
            draft.want(Invite(people=who))
    draft.want(PostLive(name="status"))
    if action.channel.thread_ts is not None and not incident.private:
        # The thread hangs under a message where incidents are announced: that message is the announcement.
        root = MessageRef(channel=action.channel.id, ts=action.channel.thread_ts)
        draft.set(messages={**draft.incident.messages, "announcement": root}).dirty("announcement")
    elif action.channel.thread_ts is None:
        draft.want(PostLive(name="announcement"))
    ask_for_decision(begin_comms(draft))
    if incident.drill:
        nobody_paged(draft, ", ".join(incident.paged))
    return ask_again(draft).done()


def begin_comms(draft: Draft) -> Draft:
    """Ticket and Discord, once; where Slack is what is broken, they do not wait for it."""
    if draft.incident.ticket is None:
        draft.set(ticket_off=False).want(OpenTicket())
    return tell_discord(draft)


def message_posted(incident: Incident, action: MessagePosted, service: Service, now: datetime) -> Change:
    del service
    draft = worked(Draft(incident, now), "post.live", f'"{action.name}"')
    if action.name in incident.messages:
        return draft.done()
    draft.set(messages={**incident.messages, action.name: action.ref})
    if not incident.open:  # it ended while this was posted: marks of that time found no message
        draft.dirty(action.name)
    if action.name == "status":
        draft.want(Pin())
        if incident.ticket is not None:
            draft.want(AttachChannel())
    if action.name.startswith("decision:") and not incident.tree_asked:
        ask_for_tree(draft)
    return draft.done()


def pinned(incident: Incident, action: Pinned, service: Service, now: datetime) -> Change:
    del action, service
    return worked(Draft(incident, now), "pin").set(pinned=True).done()


def invited(incident: Incident, action: Invited, service: Service, now: datetime) -> Change:
    """Who could not be invited does not stop the others; it is said once."""
    del service
    draft = worked(Draft(incident, now), "invite").set(
        invited=tuple(dict.fromkeys((*incident.invited, *action.people)))
    )
    if action.failed:
        draft.note("comms", f"Could not be invited: {', '.join(action.failed)}")
    return draft.done()


def discord_posted(incident: Incident, action: DiscordPosted, service: Service, now: datetime) -> Change:
    """The post shows what was true when it was begun; what came since is edited in."""
    del service
    known = {"discord_id": action.id, "discord_channel": action.channel, "discord_asked": True}
    draft = worked(Draft(incident, now), "discord").set(**known)
    return (tell_discord(draft) if incident.discord_id is None else draft).done()


def paged(incident: Incident, action: Paged, service: Service, now: datetime) -> Change:
    del service
    draft = worked(Draft(incident, now), "page", f'"{action.key}"')
    return draft.note("page", f"Page sent by {action.via}").done()


ONE_OF_A_KIND = (
    "set.topic",
    "ticket.open",
    "ticket.close",
    "ticket.catch_up",
    "ticket.channel",
    "items.open",
    "adr.complete",
    "post.summary",
    "discord",
    "discord.pin",
    "pin",
)
"""Effects that are the same whenever they are wanted: one that succeeded makes up for one that failed."""


def effect_done(incident: Incident, action: EffectDone, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if action.kind == "ticket.open" and incident.ticket is None:
        draft.set(ticket_off=True).dirty("status")
    if action.kind in ONE_OF_A_KIND or action.about:
        worked(draft, action.kind, action.about)
    return draft.done()


# --- what alerts say -------------------------------------------------------------------------------------------


def add_evidence(incident: Incident, action: AddEvidence, service: Service, now: datetime) -> Change:
    """One storm is one incident: a new issue is a line, a seed, and measured; the thousandth alert of a known one is nothing."""
    draft = Draft(incident, now)
    text = f"{action.evidence.source}: {action.evidence.text}"
    after = incident.status is Status.MITIGATED and action.evidence.at > recovered_at(incident)
    if heard_already(incident, action):  # one that was found quiet once may ring for a fire the next time
        return (ring(draft, action.evidence, None, service) if after and not action.looked else draft).done()
    if action.issue is None:
        draft.set(heard=(*incident.heard, _alert_key(incident, action))[-HEARD:])
    elif len(incident.seeds) >= SEEDS:
        return draft.done()
    else:
        draft.set(seeds=(*incident.seeds, action.issue))
    draft.note("evidence", text, url=action.evidence.url)
    if not incident.open:
        return draft.done()
    if action.issue is not None:
        draft.claim(fingerprint_claim(action.issue), soft=True)
        if incident.triage is not None:
            draft.timer(MEASURE, STORM_SECONDS, MeasureDue())
    if after and action.looked:
        return fires_after_recovery(draft, text, action.evidence.at, service).done()
    if after:
        return ring(draft, action.evidence, None, service).done()
    if "decision:1" in incident.messages:
        draft.want(Say(text=short(text, 500), thread=True))
    return draft.done()


def heard_already(incident: Incident, action: AddEvidence) -> bool:
    """Whether this alert brings nothing new: a storm's thousandth is not even recorded."""
    return action.issue in incident.seeds if action.issue else _alert_key(incident, action) in incident.heard


def _alert_key(incident: Incident, action: AddEvidence) -> str:
    """What was heard while it burned says nothing of what fires after recovery, nor of the next day."""
    text = f"{action.evidence.source}: {action.evidence.text}"
    after = f" {day(action.evidence.at)}" if incident.status is Status.MITIGATED else ""
    return f"alert:{short(action.evidence.url or text, 120)}{after}"


def issues_looked_up(incident: Incident, action: IssuesLookedUp, service: Service, now: datetime) -> Change:
    """What people named by short id, and Sentry told of late: a part of the incident from now on, and measured."""
    del service
    draft = worked(Draft(incident, now), "issues.lookup")
    if action.lost:
        said = f"Sentry does not know {listed(action.lost)}: not a part of what is measured."
        draft.note("evidence", said)
        if "decision:1" in incident.messages:
            draft.want(Say(text=said, thread=True))
    new = tuple(id for id in action.found if id not in incident.seeds)[: SEEDS - len(incident.seeds)]
    if not new or not incident.open:
        return draft.done()
    draft.set(seeds=(*incident.seeds, *new)).note("evidence", f"Looked up in Sentry: {short(action.said, 200)}")
    for issue in new:
        draft.claim(fingerprint_claim(issue), soft=True)
    return draft.want(Triage()).done() if incident.status in UNDECIDED else draft.done()


def seen_again(incident: Incident, action: SeenAgain, service: Service, now: datetime) -> Change:
    """The guard: an alarm about the same issue after recovery. Whether it burns the bot looks by itself (rules: Guard)."""
    evidence = action.evidence
    held = guarded(incident)
    if held is None or evidence.at <= held[0]:  # a late alert of what is over
        return add_evidence(incident, AddEvidence(evidence=evidence, issue=action.issue), service, now)
    draft = Draft(incident, now)
    if evidence.at > held[1] and (not incident.open or after_recovery(incident, evidence.at) in incident.paged):
        return draft.done()
    return ring(draft, evidence, action.issue, service).done()


def guarded(incident: Incident) -> tuple[datetime, datetime] | None:
    """From when until when the same issue opens it again; None while it burns, or is no incident any more."""
    match incident.status:
        case Status.MITIGATED if incident.recovered_at is not None:
            return recovered_at(incident), recovered_at(incident) + GUARD
        case Status.RESOLVED | Status.CLOSED if incident.resolved_at is not None:
            after = min(recovered_at(incident), incident.resolved_at)  # an alert on its way while somebody resolved it
            return after, incident.resolved_at + timedelta(seconds=RESOLVED_GUARD_SECONDS)
        case _:
            return None


def it_is_back(incident: Incident, seen: Evidence, service: Service, now: datetime) -> Change:
    """The bot saw it: within the guard the incident opens again; later it is said and paged once a day, and people decide."""
    draft = Draft(incident, now)
    held = guarded(incident)
    if held is None or seen.at <= held[0]:
        return draft.done()
    if seen.at > held[1]:
        return _long_after(incident, seen, service, now)
    if not incident.open:
        draft.set(cause=None)  # it was not understood after all: somebody has to name it again
    draft.set(status=Status.DECIDING, recovered_at=None, resolved_at=None, closed_at=None, guard_until=None).cancel(
        ARCHIVE
    )
    draft.set(alarm=None).cancel(ALARM)
    draft.claim(open_claim(incident.service, incident.environment), soft=True)
    for issue in issues_of(incident):
        draft.claim(fingerprint_claim(issue), soft=True)
    again = f"it is back: {short(seen.text, 300)}"
    draft.note("evidence", capital(again), url=seen.url)
    page(draft, f"back: {len(incident.rounds)}", f"{incident.id} {incident.title}: {again}")
    return next_round(what_was_never_there(draft), again).done()


def what_was_never_there(draft: Draft) -> Draft:
    """What could not be had before the end was given up with it, and what is in the archive is lost: both are needed again."""
    if draft.incident.channel_archived:
        fresh_channel(draft)
    if draft.incident.channel is None:
        return draft.want(OpenChannel())
    if "status" not in draft.incident.messages:
        draft.want(PostLive(name="status"))
    return draft if draft.incident.ticket is not None else draft.want(OpenTicket())


def fresh_channel(draft: Draft) -> Draft:
    """Another channel: everything that stood in the archived one is posted anew, the announcement stays."""
    incident = draft.incident
    rounds = incident.rounds
    if rounds:
        rounds = (*rounds[:-1], rounds[-1].model_copy(update={"asked": False}))
    left = {name: ref for name, ref in incident.messages.items() if name == "announcement"}
    draft.set(
        channel=None, channel_archived=False, pinned=False, tree_asked=False, messages=left, rounds=rounds, bookmarks={}
    )
    return draft.note("comms", "The channel was archived, and no bot can open it again: there is a new one")


def _long_after(incident: Incident, seen: Evidence, service: Service, now: datetime) -> Change:
    """The known issue after the guard: said and paged once a day, not reopened."""
    draft = Draft(incident, now)
    if not incident.open or after_recovery(incident, seen.at) in incident.paged:
        return draft.done()
    draft.note("evidence", f"Fires again: {seen.text}", url=seen.url)
    return fires_after_recovery(draft, seen.text, seen.at, service).done()


# --- texts outside Slack; mentions become names on the way out ----------------------------------------------------


def ticket_title(incident: Incident) -> str:
    incident = outside(incident)
    return one_line(f"{incident.id}: {incident.title}", {}, 250)


def ticket_body(incident: Incident) -> str:
    """The ticket as it is opened. Triage and everything after it are comments, so that each is said once."""
    if incident.private:
        return "A private incident: what happens is said in its private channel in Slack, to the people who are in it."
    lines = [
        f"Service: {incident.service} ({incident.environment})",
        f"Detected: {incident.detected_at:%Y-%m-%d %H:%M} UTC via {incident.source.text}",
    ]
    if incident.description:
        lines.append(f"\n{incident.description}")
    return "\n".join(lines)


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
