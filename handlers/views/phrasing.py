"""Phrases that several messages share. Signs always come with words."""

from datetime import datetime, timedelta

from handlers.views.text import channel, inline_code, person, spoken, words
from phases.mitigation.steps import NOTHING_DEPLOYED
from phases.record.findings import (
    BlastRadius,
    Choice,
    Look,
    LookVerdict,
    Recommendation,
    Release,
    Share,
    TriageReport,
    Word,
)
from phases.record.incident import ActionKind, Incident, RoundAction, Severity, Status
from phases.record.service import Service
from phases.record.tokens import what_was_done
from phases.shared.suspected_changes import taking_back_in_words
from phases.text.wording import capital, counted, lasting
from phases.triage.picture import who_is_hit
from phases.triage.picture.who_is_hit import FEATURES_UNKNOWN, USERS_UNKNOWN, how_many, nobody
from phases.verification.verdicts import NOT_MEASURED, traffic_in_words, would_have_come_in_words

SHARES_NAMED = 3  # places that are named
DONE, RUNNING, WAITING, WRONG = "✓", "▸", "○", "✗"

STATUS_WORDS = {
    Status.DECLARED: f"{RUNNING} Measuring",
    Status.DECIDING: f"{RUNNING} To decide",
    Status.MITIGATING: f"{RUNNING} Deploying",
    Status.VERIFYING: f"{RUNNING} Checking",
    Status.MITIGATED: f"{DONE} Users are fine",
    Status.RESOLVED: f"{DONE} Resolved",
    Status.CLOSED: f"{DONE} Closed",
    Status.CANCELLED: f"{WAITING} Cancelled",
}

SEVERITY_SIGNS = {
    Severity.SEV1: "🔴",
    Severity.SEV2: "🟠",
    Severity.SEV3: "🟡",
    Severity.SEV4: "⚪",
}


def severity(incident: Incident) -> str:
    """Return `🔴 SEV1`, or that it is not known yet."""
    if incident.severity is None:
        return "severity not known yet"
    return f"{SEVERITY_SIGNS[incident.severity]} SEV{incident.severity.value}"


def status(incident: Incident) -> str:
    return STATUS_WORDS[incident.status]


def room(incident: Incident) -> str:
    """Return the incident's own channel; empty where it runs in a thread, or has none yet."""
    return channel(incident.own_channel.id) if incident.own_channel is not None else ""


def rate(per_minute: float) -> str:
    """Return events a minute with as many digits as a person wants."""
    return f"{per_minute:,.0f}" if per_minute >= 10 else f"{per_minute:.1f}".removesuffix(".0")


def shares(parts: tuple[Share, ...]) -> str:
    """Return `eu-west 80 %, us-east 20 %`; of the events that name one."""
    total = sum(part.events for part in parts)
    if not total:
        return ""
    named = ", ".join(
        f"{words(part.name, 60)} {round(100 * part.events / total)}\u00a0%"
        for part in parts[:SHARES_NAMED]
    )
    more = len(parts) - SHARES_NAMED
    return f"{named} and {more} more" if more > 0 else named


def version(release: Release | None, limit: int = 120) -> str:
    return inline_code(release.version, limit) if release else "an unknown release"


def bare(release: Release | None) -> str:
    """Return a version for plain text: buttons, confirms, notifications, which cut it."""
    return release.version if release else "an unknown release"


def hit(report: TriageReport) -> str:
    """Return who is hit, in one line.

    `31 users, 3 features; 412 events in 15 min (27/min, normally 0.2)`.
    """
    blast = report.blast
    if report.manual_by is not None:
        hit_users = capital(how_many(blast.users, "user"))
        named = ", ".join(words(f.name, 40) for f in blast.top_features[:3])
        hit_features = named or how_many(blast.features, "feature")
        return f"{hit_users}; {hit_features} (reported, not measured)"
    if blast.users is Word.NOBODY or blast.down:
        return words(nobody(report), 300)
    return f"{capital(scope(blast))}; {how_often(report)}"


def scope(blast: BlastRadius) -> str:
    """Return `31 users; payment, cart`, or `users and features not known`."""
    parts = (users(blast), features(blast))
    if parts == (USERS_UNKNOWN, FEATURES_UNKNOWN):
        return "users and features not known"
    return "; ".join(parts)


def silent(incident: Incident) -> str:
    """Return why Sentry could not be queried; empty where it has only not answered so far."""
    failure = next((f for f in incident.failures if f.kind == "triage"), None)
    return failure.reason.rstrip(".") if failure is not None and incident.triage is None else ""


def users(blast: BlastRadius) -> str:
    """Return `31 users`, `many users (inferred)`, `at least 31 users`, `users not known`."""
    inferred = " (inferred)" if blast.inferred and blast.knows("users") else ""
    return f"{who_is_hit.users(blast)}{inferred}"


def features(blast: BlastRadius) -> str:
    """Return the names of the loudest, how many there are, or that they are not known."""
    named = ", ".join(words(f.name, 40) for f in blast.top_features[:3])
    if not blast.knows("features"):
        return f"{FEATURES_UNKNOWN}, at least {named}" if named else FEATURES_UNKNOWN
    return named or how_many(blast.features, "feature")


def how_often(report: TriageReport) -> str:
    return (
        f"{counted(report.events, 'event')} in {lasting(timedelta(seconds=report.window_seconds))} "
        f"({rate(report.per_minute)}/min, normally {rate(report.baseline_per_minute)})"
    )


def done(action: RoundAction, limit: int = 120) -> str:
    """Return the choice in words: `roll back v1.3.0 → v1.2.0`.

    `limit`: characters of a release's name.
    """
    before, after = version(action.from_release, limit), version(action.to_release, limit)
    match action.kind:
        case ActionKind.ROLLBACK:
            return f"roll back {before} → {after}"
        case ActionKind.TURN_OFF:
            return words(what_was_done(action, "present"), 300)
        case ActionKind.HOTFIX:
            return f"ship {after} over {before}"
        case ActionKind.FIXED:
            return f"fixed another way: {words(action.sentence, 300)}"


def outcome(action: RoundAction) -> str:
    """Return the result with its sign, and the reason of a failure."""
    return f"{how_it_went(action)}{why_not(action)}"


def how_it_went(action: RoundAction) -> str:
    """Return `✓ done in 41 s`, `✗ *failed* in 3 s`."""
    took = ""
    if action.started_at and action.finished_at and action.finished_at > action.started_at:
        took = f" in {lasting(action.finished_at - action.started_at)}"
    match action.result:
        case "waiting":
            return f"{WAITING} about to start"
        case "running":
            return f"{RUNNING} running"
        case "done":
            if action.reason == NOTHING_DEPLOYED:
                return f"{DONE} {NOTHING_DEPLOYED}"
            fixed = action.kind is ActionKind.FIXED
            return f"{DONE} done, they say" if fixed else f"{DONE} done{took}"
        case "failed":
            return f"{WRONG} *failed*{took}"
        case "unknown":
            return f"{WRONG} *result unknown*"
        case "not started":
            return f"{WRONG} *not started*"


def why_not(action: RoundAction) -> str:
    """Return `: exit 1: the health check did not answer`; empty where it went well."""
    if action.result in ("waiting", "running", "done"):
        return ""
    again = ", it will not be retried automatically" if action.result == "unknown" else ""
    return f"{again}: {words(action.reason, 400)}" if action.reason else again


def recommended(recommendation: Recommendation | None) -> str:
    """Return the advice of the bot in a few words."""
    if recommendation is None:
        return ""
    match recommendation.choice:
        case Choice.ROLLBACK:
            return f"roll back to {version(recommendation.target)}"
        case Choice.TURN_OFF:
            return take_back(recommendation)
        case Choice.HOTFIX:
            return "ship a hotfix"
        case Choice.INVESTIGATE:
            return "investigate"


def take_back(recommendation: Recommendation) -> str:
    """Return `turn off flag new-pricing`."""
    change = recommendation.change
    return (
        words(taking_back_in_words(change), 300) if change is not None else "take the change back"
    )


def next_look(incident: Incident, service: Service) -> tuple[int, datetime] | None:
    """Return number and time of the check that is due next (workflow, phase 5)."""
    current = incident.round
    if (
        incident.status is not Status.VERIFYING
        or current is None
        or current.clock_started_at is None
        or current.verdict
    ):
        return None
    second = any(
        look.number == 1 and look.verdict is not LookVerdict.UNREACHABLE for look in current.looks
    )
    if current.looks and (again := current.looks[-1].again_at) is not None:
        return 2, again
    seconds = service.recheck_until_seconds if second else service.recheck_after_seconds
    return (2 if second else 1), current.clock_started_at + timedelta(seconds=seconds)


def look(check: Look) -> str:
    """Return one check in one line, with its numbers."""
    endpoint = (
        f"; endpoint: {words(check.endpoint.said, 100)}" if check.endpoint is not None else ""
    )
    why = f" ({words('; '.join(check.reasons), 300)})" if check.reasons else ""
    if check.verdict is LookVerdict.UNREACHABLE:
        return f"{WRONG} Sentry out of reach{why}{endpoint}"
    if check.reasons and check.reasons[0].endswith(NOT_MEASURED):
        return f"{WAITING} {words(check.reasons[0], 300)}{endpoint}"
    signs = {LookVerdict.RECOVERED: DONE, LookVerdict.TOO_FEW: WAITING}
    sign = signs.get(check.verdict, WRONG)
    rates = f"{rate(check.before_per_minute)} → {rate(check.after_per_minute)} events/min"
    return f"{sign} {check.said}: {rates}{endpoint}{why}"


def glance(check: Look) -> str:
    """Return what is known so far: `◌ 2 min: 0 events where about 40 would have come`."""
    span = lasting(timedelta(minutes=check.minutes))
    events = (
        f"{counted(check.events, 'event')} where about {would_have_come_in_words(check.unchanged)}"
    )
    parts = (f"{span}: {events} would have come", *traffic_in_words(check.traffic))
    return f"{RUNNING} {'; '.join(parts)}"


def source(incident: Incident) -> str:
    return spoken(incident.source.text, 200, lines=False)


def lead(incident: Incident) -> str:
    return person(incident.lead)
