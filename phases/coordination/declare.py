"""Phase 4, coordinate: an incident is declared, and its channel, messages and pages are there.

Workflow: "Create Linear incident ticket; cross-reference Sentry issue ID; pin a Slack/Discord post;
track timeline".
"""

from datetime import datetime

from phases.coordination.evidence import KEY_SECONDS, named_alert_key
from phases.messages import effects
from phases.messages.actions import TriageOverdue
from phases.messages.commands import Declare, LiveMessageDeleted
from phases.messages.results import (
    ChannelOpened,
    DiscordPosted,
    EffectDone,
    Invited,
    MessagePosted,
    Paged,
)
from phases.record.claims import fingerprint_claim, key_claim, open_claim
from phases.record.incident import Incident, MessageRef, Severity
from phases.record.limits import (
    DRILL_PREFIX,
    HEARD_MOST,
    OVERDUE_SECONDS,
    OVERDUE_TIMER,
    SEEDS_MOST,
)
from phases.record.service import Service
from phases.root_cause.steps import ask_for_tree
from phases.shared.announce import (
    clear_failures,
    nobody_paged,
    page_if_urgent,
    pin_discord,
    resolve_page,
    tell_discord,
)
from phases.shared.change import Change, Draft, Refused
from phases.shared.rounds import ask_for_decision, decision_name
from phases.verification.steps import ask_again

ECHO_SECONDS = 60  # rules: same person, same text, same channel within 60 s
TITLE, DESCRIPTION = 300, 3000


def incident_id(number: int) -> str:
    return f"INC-{number:04d}"


def declare(action: Declare, service: Service, now: datetime) -> Change | Refused:
    """Open an incident; channel and triage start at once, beside each other."""
    title = " ".join(action.title.split())[:TITLE]
    if not title:
        return Refused(
            "input", "Say in a few words what is wrong, e.g. `/incident checkout is failing`."
        )
    if action.drill:
        title = f"{DRILL_PREFIX} {title}"[:TITLE]
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
        in_thread=action.severity is Severity.SEV4 and not (action.private or action.drill),
        seeds=action.seeds[:SEEDS_MOST],
        heard=tuple(named_alert_key(name) for name in action.heard)[-HEARD_MOST:],
        escalated=action.parent,
    )
    draft = Draft(incident, now).note(
        "declared", f"{incident.source.text}: {title}", by=action.by, url=action.source.url
    )
    if action.else_of is None:
        draft.claim(open_claim(service.name, action.environment))
    for issue in incident.seeds:
        draft.claim(fingerprint_claim(issue), soft=action.else_of is not None)
    for key in action.keys:
        # The key of an alert comes back when it fires again, weeks after its incident.
        soft = action.source.kind != "script"
        draft.claim(key_claim(key), seconds=KEY_SECONDS, soft=soft)
    if action.echo:
        draft.claim(action.echo, seconds=ECHO_SECONDS)
    draft.want(effects.OpenChannel(), effects.Triage())
    if action.unseen:
        draft.want(effects.LookUpIssues(short_ids=action.unseen[:SEEDS_MOST]))
    page_if_urgent(draft, f"{incident.id} {title}: SEV1")
    return draft.timer(OVERDUE_TIMER, OVERDUE_SECONDS, TriageOverdue()).done()


def channel_opened(draft: Draft, action: ChannelOpened) -> None:
    incident = draft.incident
    clear_failures(draft, "open.channel")
    if incident.channel is not None:
        return
    draft.set(channel=action.channel)
    if not incident.open:  # cancelled before: who finds the channel is told, nothing is begun
        draft.want(effects.SetPurpose(), effects.SetTopic(), effects.PostLive(name="status"))
        return
    if action.reason:
        draft.note("comms", f"No channel could be opened: {action.reason}. It runs in a thread.")
    elif action.channel.thread_ts is not None:
        draft.note("comms", "SEV4: a thread, until it grows")
    else:
        draft.want(effects.SetPurpose(), effects.SetTopic())
        # A drill and a private incident invite whom they need.
        owners = () if incident.apart else draft.service.owners
        people = (incident.declared_by, *incident.invited, *owners)
        if invited := tuple(dict.fromkeys(person for person in people if person)):
            draft.want(effects.Invite(people=invited))
    draft.want(effects.PostLive(name="status"))
    if action.channel.thread_ts is not None and not incident.private:
        # The thread hangs under a message in the incidents channel: that is the announcement.
        root = MessageRef(channel=action.channel.id, ts=action.channel.thread_ts)
        draft.set(messages={**draft.incident.messages, "announcement": root}).dirty("announcement")
    elif action.channel.thread_ts is None:
        draft.want(effects.PostLive(name="announcement"))
    ask_for_decision(begin_comms(draft))
    if incident.drill:
        nobody_paged(draft, ", ".join(incident.paged))
    ask_again(draft)


def begin_comms(draft: Draft) -> Draft:
    """Want ticket and Discord, once; where Slack is what is broken, they do not wait for it."""
    if draft.incident.ticket is None:
        draft.set(ticket_off=False).want(effects.OpenTicket())
    return tell_discord(draft)


def message_posted(draft: Draft, action: MessagePosted) -> None:
    incident = draft.incident
    clear_failures(draft, "post.live", action.name)
    if action.name in incident.messages:
        return
    here = incident.channel.id if incident.channel is not None else None
    if action.name != "announcement" and action.ref.channel != here:
        return  # it was on its way to the channel or thread before this one, where it stands anew
    draft.set(messages={**incident.messages, action.name: action.ref})
    if not incident.open:  # it ended while this was posted: marks of that time found no message
        draft.dirty(action.name)
    if action.name == "status":
        draft.want(effects.Pin())
        if incident.ticket is not None:
            draft.want(effects.AttachChannel())
    if action.name.startswith("decision:") and not incident.tree_asked:
        ask_for_tree(draft)


def live_message_deleted(draft: Draft, action: LiveMessageDeleted) -> None:
    """Post the status or the newest decision anew: nobody could act without its buttons.

    When nothing is left to be done, what people delete stays deleted.
    """
    incident = draft.incident
    if incident.status.over:
        return
    newest = incident.round.number if incident.round is not None else 0
    names = ("status", decision_name(newest))
    left = {
        name: ref
        for name, ref in incident.messages.items()
        if name not in names or ref != action.ref
    }
    for name in incident.messages.keys() - left.keys():
        draft.set(messages=left).want(effects.PostLive(name=name))


def invited(draft: Draft, action: Invited) -> None:
    """Remember who was invited; say once who could not be."""
    incident = draft.incident
    clear_failures(draft, "invite").set(
        invited=tuple(dict.fromkeys((*incident.invited, *action.people)))
    )
    if action.failed:
        draft.note("comms", f"Could not be invited: {', '.join(action.failed)}")


def discord_posted(draft: Draft, action: DiscordPosted) -> None:
    """Remember the post; what came since it was begun is edited in."""
    incident = draft.incident
    known = {"discord_id": action.id, "discord_channel": action.channel, "discord_asked": True}
    clear_failures(draft, "discord").set(**known)
    if incident.discord_id is None:
        tell_discord(draft)
    elif incident.discord_id != action.id:  # the one before was deleted, and its pin with it
        pin_discord(draft.set(discord_pinned=False))


def paged(draft: Draft, action: Paged) -> None:
    """Note it. A page that was under way while the incident ended is ended, too.

    PagerDuty drops a `resolve` that comes before its `trigger`, and would call people on and on.
    https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
    """
    clear_failures(draft, "page", action.key)
    draft.note("page", f"Page sent by {action.via}")
    if not draft.incident.open:
        resolve_page(draft)


def effect_done(draft: Draft, action: EffectDone) -> None:
    incident = draft.incident
    if action.kind == "ticket.open" and incident.ticket is None:
        draft.set(ticket_off=True).dirty("status")
    if effects.policy(action.kind).one_of_a_kind or action.about:
        clear_failures(draft, action.kind, action.about)
