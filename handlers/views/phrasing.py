"""Phrases that several messages share: severity, status, how bad, who did what.

Signs always come with words.
"""

from __future__ import annotations

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
from phases.record.wording import capital, counted, lasting
from phases.triage.blast_radius import nobody, who
from phases.verification.recheck import NOT_MEASURED

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

UNKNOWN_USERS, UNKNOWN_FEATURES = "users not known", "features not known"
SEVERITY_SIGNS = {
    Severity.SEV1: "🔴",
    Severity.SEV2: "🟠",
    Severity.SEV3: "🟡",
    Severity.SEV4: "⚪",
}


def severity(incident: Incident) -> str:
    """`🔴 SEV1`, or that it is not known yet."""
    if incident.severity is None:
        return "severity not known yet"
    return f"{SEVERITY_SIGNS[incident.severity]} SEV{incident.severity.value}"


def status(incident: Incident) -> str:
    return STATUS_WORDS[incident.status]


def room(incident: Incident) -> str:
    """Return the incident's own channel; empty where it runs in a thread, or has none yet."""
    own = incident.channel is not None and not incident.channel.thread_ts
    return channel(incident.channel.id) if incident.channel is not None and own else ""


def rate(per_minute: float) -> str:
    """Events a minute, as many digits as a person wants."""
    return f"{per_minute:,.0f}" if per_minute >= 10 else f"{per_minute:.1f}".removesuffix(".0")


def shares(found: tuple[Share, ...], most: int = 3) -> str:
    """`eu-west 80 %, us-east 20 %`; of what is known."""
    total = sum(s.events for s in found)
    if not total:
        return ""
    named = ", ".join(
        f"{words(s.name, 60)} {round(100 * s.events / total)}\u00a0%" for s in found[:most]
    )
    more = len(found) - most
    return f"{named} and {more} more" if more > 0 else named


def version(release: Release | None, limit: int = 120) -> str:
    return inline_code(release.version, limit) if release else "an unknown release"


def bare(release: Release | None) -> str:
    """For plain text: buttons, confirms, notifications. `plain_text` is cut where it is built."""
    return release.version if release else "an unknown release"


def hit(report: TriageReport) -> str:
    """Who is hit, in one line: `31 users, 3 features; 412 events in 15 min (27/min, normally 0.2)`."""
    blast = report.blast
    if report.manual_by is not None:
        named = ", ".join(words(f.name, 40) for f in blast.top_features[:3])
        said = capital(how_many(blast.users, "user"))
        return f"{said}; {named or how_many(blast.features, 'feature')} (reported, not measured)"
    if blast.users is Word.NOBODY:
        return words(nobody(report), 300)
    return f"{capital(scope(blast))}; {how_often(report)}"


def scope(blast: BlastRadius) -> str:
    """`31 users; payment, cart`, or `users and features not known`."""
    told = (users(blast), features(blast))
    return (
        "users and features not known"
        if told == (UNKNOWN_USERS, UNKNOWN_FEATURES)
        else "; ".join(told)
    )


def silent(incident: Incident) -> str:
    """Return why Sentry could not be asked; empty where it has only not answered so far."""
    failure = next((one for one in incident.failures if one.kind == "triage"), None)
    return failure.reason.rstrip(".") if failure is not None and incident.triage is None else ""


def users(blast: BlastRadius) -> str:
    """`31 users`, `many users (inferred)`, `at least 31 users`, `users not known`."""
    if not blast.knows("users"):
        return who(blast)
    known = counted(blast.user_count, "user") if blast.user_count else how_many(blast.users, "user")
    return f"{known} (inferred)" if blast.inferred else known


def features(blast: BlastRadius) -> str:
    """Return the names of the loudest, how many there are, or that they are not known."""
    named = ", ".join(words(f.name, 40) for f in blast.top_features[:3])
    if not blast.knows("features"):
        return f"{UNKNOWN_FEATURES}, at least {named}" if named else UNKNOWN_FEATURES
    return named or how_many(blast.features, "feature")


def how_often(report: TriageReport) -> str:
    return (
        f"{counted(report.events, 'event')} in {lasting(timedelta(seconds=report.window_seconds))} "
        f"({rate(report.per_minute)}/min, normally {rate(report.baseline_per_minute)})"
    )


def how_many(word: Word, thing: str) -> str:
    """`one user`, `many users`: where nobody counted them."""
    return {Word.NOBODY: f"no {thing}", Word.ONE: f"one {thing}", Word.MANY: f"many {thing}s"}[word]


def done(action: RoundAction, limit: int = 120) -> str:
    """What was chosen, in words: `roll back v1.3.0 → v1.2.0`.

    `limit`: characters of a release's name.
    """
    before, after = version(action.from_release, limit), version(action.to_release, limit)
    match action.kind:
        case ActionKind.ROLLBACK:
            return f"roll back {before} → {after}"
        case ActionKind.HOTFIX:
            return f"ship {after} over {before}"
        case ActionKind.FIXED:
            return f"fixed another way: {words(action.sentence, 300)}"


def outcome(action: RoundAction) -> str:
    """How the action went, with its sign, and why not."""
    return f"{how_it_went(action)}{why_not(action)}"


def how_it_went(action: RoundAction) -> str:
    """`✓ done in 41 s`, `✗ *failed* in 3 s`."""
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
            return (
                f"{DONE} done{took}"
                if action.kind is not ActionKind.FIXED
                else f"{DONE} done, they say"
            )
        case "failed":
            return f"{WRONG} *failed*{took}"
        case "unknown":
            return f"{WRONG} *result unknown*"
        case "not started":
            return f"{WRONG} *not started*"


def why_not(action: RoundAction) -> str:
    """`: exit 1: the health check did not answer`; empty where it went well."""
    if action.result in ("waiting", "running", "done"):
        return ""
    again = ", it will not be started again by itself" if action.result == "unknown" else ""
    return f"{again}: {words(action.reason, 400)}" if action.reason else again


def recommended(found: Recommendation | None) -> str:
    """What the bot advises, in a few words."""
    match found.choice if found is not None else None:
        case Choice.ROLLBACK:
            return f"roll back to {version(found.target)}" if found is not None else ""
        case Choice.HOTFIX:
            return "ship a hotfix"
        case Choice.INVESTIGATE:
            return "investigate"
        case None:
            return ""


def next_look(incident: Incident, service: Service) -> tuple[int, datetime] | None:
    """Number and time of the check that is due next, while one is (workflow, phase 5)."""
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
    seconds = service.recheck_until_seconds if second else service.recheck_after_seconds
    return (2 if second else 1), current.clock_started_at + timedelta(seconds=seconds)


def look(seen: Look) -> str:
    """One check in one line, with its numbers."""
    endpoint = f"; endpoint: {words(seen.endpoint.said, 100)}" if seen.endpoint is not None else ""
    why = f" ({words('; '.join(seen.reasons), 300)})" if seen.reasons else ""
    if seen.verdict is LookVerdict.UNREACHABLE:
        return f"{WRONG} Sentry out of reach{why}{endpoint}"
    if seen.reasons and seen.reasons[0].endswith(NOT_MEASURED):
        return f"{WAITING} {words(seen.reasons[0], 300)}{endpoint}"
    sign = (
        DONE
        if seen.verdict is LookVerdict.RECOVERED
        else WAITING
        if seen.verdict is LookVerdict.TOO_FEW
        else WRONG
    )
    rates = f"{rate(seen.before_per_minute)} → {rate(seen.after_per_minute)} events/min"
    return f"{sign} {seen.verdict.value}: {rates}{endpoint}{why}"


def source(incident: Incident) -> str:
    return spoken(incident.source.text, 200, lines=False)


def lead(incident: Incident) -> str:
    return person(incident.lead)
