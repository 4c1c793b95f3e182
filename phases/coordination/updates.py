"""Phase 4, updates: how often people hear how it stands, and what they hear (rules: Updates).

The clock is one timer in Redis. It survives restarts, starts anew with each update, and ends when
users are fine.
"""

from datetime import timedelta

from phases.messages.actions import UpdateDue
from phases.messages.commands import PostUpdate
from phases.record.findings import Value, Word
from phases.record.incident import ActionKind, Incident, Severity, Status
from phases.record.tokens import what_was_done
from phases.shared.change import Draft
from phases.shared.rounds import action_in_effect
from phases.text.wording import capital, counted, ended, listed, stamp
from phases.triage.picture import who_is_hit

UPDATE = "update"
"""The timer's name."""
CADENCE = {Severity.SEV1: timedelta(minutes=30), Severity.SEV2: timedelta(minutes=60)}
"""The cadence by severity."""
CHANNEL_AFTER = timedelta(minutes=10)
"""The channel is reminded so long after the lead was."""
SNOOZE = timedelta(minutes=15)
NEXT_MINUTES = (15, 30, 60, 120)
"""The times that can be promised in the form."""


def awaits_update(incident: Incident) -> bool:
    """True if people wait for the next update.

    Users are hit, and the severity or somebody's word promises one.
    """
    going = incident.open and incident.recovered_at is None and incident.channel is not None
    return going and (incident.severity in CADENCE or incident.update_promised)


def update_interval(incident: Incident) -> timedelta:
    """Return how long people may be left without a word."""
    return CADENCE.get(incident.severity or Severity.SEV2, CADENCE[Severity.SEV2])


def follow_updates(draft: Draft) -> None:
    """Begin the clock of the updates, begin it anew with another severity, or end it."""
    after = draft.incident
    if not awaits_update(after):
        if after.update_due is not None:
            draft.set(update_due=None, update_promised=False, reminded="").cancel(UPDATE)
        return
    another = draft.before.severity != after.severity and not after.update_promised
    if after.update_due is None or another:
        start_update_clock(draft, update_interval(after))


def start_update_clock(draft: Draft, wait: timedelta) -> Draft:
    """The next update is due after `wait`."""
    draft.set(update_due=draft.now + wait, reminded="")
    return draft.timer(UPDATE, wait.total_seconds(), UpdateDue())


# --- what an update says ------------------------------------------------------------------------


class Template(Value):
    """The content that the form begins with: true as far as the record knows.

    A person improves it.
    """

    knows: str
    users: str
    doing: str


def update_template(incident: Incident) -> Template:
    return Template(
        knows=_known_text(incident), users=_users_text(incident), doing=_doing_text(incident)
    )


def update_text(update: PostUpdate, *, bold: bool = False) -> str:
    """Return the parts of an update that say something, one a line."""
    parts = (("", update.text), ("Users", update.users), ("Doing", update.doing))
    star = "*" if bold else ""
    return "\n".join(
        f"{star}{name}:{star} {text.strip()}" if name else text.strip()
        for name, text in parts
        if text.strip()
    )


def _known_text(incident: Incident) -> str:
    if incident.cause is not None:
        return incident.cause.text[:500]
    report = incident.triage
    unknown = "The cause is not known yet."
    if report is not None and report.suspect is not None and report.suspect_minutes is not None:
        if report.suspect_minutes < 0:
            return f"It began as {report.suspect.version} was being deployed. {unknown}"
        after = counted(max(1, round(report.suspect_minutes)), "minute")
        return f"It began {after} after {report.suspect.version} was deployed. {unknown}"
    return unknown


def _users_text(incident: Incident) -> str:
    report = incident.triage
    if incident.recovered_at is not None:
        return f"Users have been fine since {stamp(incident.recovered_at)}."
    if report is None:
        return "How many are hit is not known yet."
    blast = report.blast
    features = listed([share.name for share in blast.top_features]) or "production"
    if blast.users is Word.NOBODY:
        return "Nobody is known to be hit."
    if not blast.knows("features"):
        features = "production"
    if not blast.knows("users") and blast.user_count is None:
        return f"Users get errors in {features}; how many is not known yet."
    many = (
        capital(who_is_hit.users(blast))
        if blast.user_count
        else capital(blast.users.value) + " user"
    )
    many += "s" if not blast.user_count and blast.users is Word.MANY else ""
    return f"{many} get errors in {features}."


def _doing_text(incident: Incident) -> str:
    current, action = incident.round, action_in_effect(incident)
    if action is None:
        investigates = current is not None and current.investigate_by
        return "We are investigating." if investigates else "We are deciding what to do."
    done = incident.status in (Status.VERIFYING, Status.MITIGATED)
    match action.kind:
        case ActionKind.FIXED:
            words = capital(action.sentence[:300])
        case ActionKind.HOTFIX if done:
            words = f"A {what_was_done(action)} is out"
        case _ if done:
            words = capital(what_was_done(action, "past"))
        case _:
            words = f"We are {what_was_done(action, 'doing')}"
    return f"{ended(words)} {_whether_it_helped(incident)}".strip()


def _whether_it_helped(incident: Incident) -> str:
    match incident.status:
        case Status.MITIGATED:
            return "It helped."
        case Status.VERIFYING if incident.recovered_at is not None:
            return "We are checking that users stay fine."
        case Status.VERIFYING:
            return "We are checking whether it helped."
        case _:
            return ""
