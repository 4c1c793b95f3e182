"""Phase 1, always first: measure who is hit and since when, and say what to do.

Workflow: "Issue count + frequency in last 15 minutes; affected users / orgs / regions; first seen
timestamp (correlate with recent deploys); stack trace top frame. Decide blast-radius."
"""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from phases.messages.results import Triaged
from phases.ports.ports import HotfixRef, PortError
from phases.ports.tracker_values import EventPicture, IssuePage, Minutes, OtherErrors
from phases.record.findings import (
    BlastRadius,
    ChangeSeen,
    DeploySeen,
    IssueSeen,
    Share,
)
from phases.record.incident import Incident
from phases.record.service import ReleaseNames
from phases.shared.rounds import broken_rollbacks, not_taken_back, shipped_hotfixes, tried_sentences
from phases.shared.suspected_changes import NEAR_BEGINNING, merge_changes
from phases.triage.deploys.deploy_history import suspect_of
from phases.triage.deploys.taken_back import NO_PAST, Past, what_rollback_takes_back
from phases.triage.deploys.targets import earlier_fire
from phases.triage.picture.assessment import Observations, assess
from phases.triage.picture.beginning import (
    baseline,
    beginning,
    first_loud_minute,
    last_event_minute,
)
from phases.triage.picture.blast_radius import (
    NEW,
    counted_before,
    incident_issues,
)
from phases.triage.picture.false_alarms import mostly_new, titled_since, without_regular
from phases.triage.picture.fire import DAY, HISTORY, HOUR, MINUTE, Series, find_fire
from phases.triage.reading.answers import NO_OTHERS, Answers, Impact, Trouble
from phases.triage.reading.flags import flag_asked_about, flag_evidence, with_changes
from phases.triage.reading.known_deploys import (
    KnownDeploys,
    ask_deploys,
    ask_rollback_path,
    only_places,
    others_beside,
)
from phases.triage.reading.questions import Questions, Sources
from phases.triage.reading.redundant_questions import (
    far_louder,
    first_in_minute,
    picture_tells_first,
    too_few_others,
)
from phases.triage.reading.unavailable import note_numbers, note_stack
from phases.triage.report import build_report
from phases.triage.rollback.more_people import may_be_too_much
from phases.triage.rollback.situation import Situation
from phases.triage.rollback.weighing import OTHERS_EVENTS_LEAST
from phases.triage.rollback.written_warnings import warnings_in_commits, warnings_of_people
from phases.triage.two_fires import newer_fire, older_fire_sentence


async def triage(
    incident: Incident,
    sources: Sources,
    known_deploys: Sequence[DeploySeen],
    now: datetime,
    *,
    burning: Collection[str] = (),
    past: Past = NO_PAST,
) -> Triaged:
    """Measure and recommend, in three rounds of concurrent calls. The caller adds what was before.

    `known_deploys`: the bot's own records and what webhooks told; `burning`: versions with an open
    incident of their own; `past`: what else the bot remembers. Raises `PortError` where Sentry
    cannot be asked for the issues. Every other part fails by itself: it is unknown, and never
    counts as the mild value.
    """
    ask = Questions(sources, now - sources.service.window, now)
    called = asyncio.ensure_future(ask.endpoint())  # it keeps no other question waiting
    try:
        measurements = await _ask_all(ask, incident, known_deploys, burning, past)
        endpoint = await called
    finally:
        called.cancel()
    blast = assess(_observations(ask, measurements), endpoint)
    if blast.down:
        measurements = replace(
            measurements,
            impact=await _impact_of_outage(ask, measurements.deploys, measurements.impact),
        )
    situation = _situation(ask, incident, past, measurements, blast)
    situation = replace(situation, endpoint=endpoint)
    trouble, impact = measurements.trouble, measurements.impact
    service, picture = sources.service, impact.picture
    note_numbers(ask.notes, situation, picture, trouble.minutes, impact.by_release, service)
    if impact.event is not None:
        note_stack(ask.notes, impact.event)
    measured = {
        "baseline_minutes": round(measurements.calm_minutes, 1),
        "incomplete": ask.notes.incomplete,
        "notes": tuple(ask.notes.sentences),
    }
    report = build_report(situation, trouble, impact.event, measurements.calm)
    return Triaged(report=report.model_copy(update=measured))


async def _ask_all(
    ask: Questions,
    incident: Incident,
    known_deploys: Sequence[DeploySeen],
    burning: Collection[str],
    past: Past,
) -> Answers:
    """Ask in three rounds: what is there, since when it burns, and whom it hits."""
    page, errors, deploys, fixes = await asyncio.gather(
        ask.issues(),
        ask.history(),
        ask_deploys(ask, incident, known_deploys, burning),
        ask.fixes(),
    )
    trouble, by_sentry = await asyncio.gather(
        _measure_trouble(ask, incident, page, errors), ask.flag_changes(page)
    )
    changes = not_taken_back(merge_changes(past.changes, by_sentry), incident)
    changed = [deploy.started_at for deploy in deploys.known.deploys]
    changed += [change.at for change in changes]
    if (newer := newer_fire(trouble, frozenset(incident.seeds), changed, ask.since)) is not None:
        ask.notes.say(older_fire_sentence(trouble, newer))
        trouble = newer
    flag = None if page.next is not None else flag_asked_about(changes, trouble.about)
    impact = await _measure_impact(ask, trouble, deploys, flag)
    calm, counted = _rate_before(ask, page, trouble, impact.began)
    return Answers(
        deploys=deploys,
        fixes=tuple(fixes),
        trouble=trouble,
        changes=changes,
        flag=flag,
        impact=impact,
        addresses=await ask.addresses(impact.picture),
        calm=calm,
        calm_minutes=counted,
    )


# --- the three rounds --------------------------------------------------------------------------


async def _measure_trouble(
    ask: Questions, incident: Incident, page: IssuePage, errors: Minutes
) -> Trouble:
    """Second: the rest of the issues, and the minutes of those found so far.

    Raises `PortError` where none was found and not all were looked at: that nothing is unusual
    cannot be said then.
    """
    window, seeds = ask.sources.service.window, frozenset(incident.seeds)
    asked = ask.now - HISTORY
    series = Series(errors, max(asked, page.since or asked), ask.now) if errors.known else None
    burning = find_fire(page.rows, series, ask.now, window, NEW)
    issues = incident_issues(page.rows, ask.now, window, seeds, burning)
    (further, cut), minutes = await asyncio.gather(ask.further_issues(page), ask.minutes(issues))
    rows = (*page.rows, *further)
    burning = find_fire(rows, series, ask.now, window, NEW)
    issues = incident_issues(rows, ask.now, window, seeds, burning)
    if page.missing:
        cut = PortError("Sentry", page.missing, retryable=page.passing)
        ask.notes.miss(cut, "The issues of some projects are not known", decides=True)
    if cut is not None and not issues:
        raise cut
    usual = sum(issue.baseline_per_minute for issue in issues)
    loud = first_loud_minute(minutes, ask.since, ask.now, usual)
    about = beginning(issues, loud, minutes, ask.since)
    born = titled_since(issues, ask.since)
    if about is not None and born is not None and mostly_new(issues, ask.since) and born > about:
        about, loud = born, None  # what is loud before is the noise of older issues
    issues, rhythm, note = without_regular(issues, rows, series, about)
    if note:
        ask.notes.say(note)
        loud, about = None, min(issue.first_seen for issue in issues)
    return Trouble(
        rows=rows,
        issues=issues,
        ids=tuple(dict.fromkeys((*(issue.id for issue in issues), *incident.seeds))),
        minutes=minutes,
        usual=usual,
        loud=loud,
        about=about,
        series=series,
        rhythm=rhythm,
        by_minute=frozenset(row.id for row in page.rows),
    )


async def _measure_impact(
    ask: Questions, trouble: Trouble, deploys: KnownDeploys, flag: ChangeSeen | None
) -> Impact:
    """Third: ask who is hit, by which release, since which second, and where in the code."""
    window, issues, ids = ask.sources.service.window, trouble.issues, trouble.ids
    suspect = suspect_of(deploys.known.deploys, trouble.about, window)
    minutes = trouble.minutes.counts
    burned = earlier_fire(minutes, trouble.about, ask.now, trouble.usual, window, trouble.series)
    if not issues:
        return Impact(suspect, trouble.about, EventPicture(events=0, user_count=0))
    in_picture = picture_tells_first(minutes, trouble.loud, ask.since)
    known_by_deploy = in_picture or not deploys.near(trouble.loud)
    around = asyncio.gather(
        _failures_before(ask, trouble), _others_or_flag(ask, trouble, flag), _rush(ask, trouble)
    )
    picture, by_release, exact, event, back, around_it = await asyncio.gather(
        ask.picture(issues, ids),
        ask.events_by_release(ids, suspect),
        ask.exact_beginning(issues, ids, trouble.loud, told=known_by_deploy),
        ask.newest_event(trouble.rows, issues[0]),
        ask_rollback_path(ask, deploys, suspect, burned),
        around,
    )
    before, (others, off), rush = around_it
    if in_picture and exact == trouble.loud:
        exact = first_in_minute(picture, exact)
    began = exact or trouble.about
    nearer = suspect_of(deploys.known.deploys, began, window)
    other, suspect = nearer != suspect, nearer  # the second may be on the other side of a deploy
    canary = deploys.canary(suspect, by_version(by_release, ask.sources.service.release))
    if other or canary:
        back = await ask_rollback_path(ask, deploys, suspect, burned, canary=canary)
    to_the_second = exact not in (None, trouble.loud)
    to_the_second = to_the_second or any(began == issue.first_seen for issue in issues)
    return Impact(
        suspect=suspect,
        began=began,
        picture=picture,
        exact=to_the_second,
        by_release=by_release,
        others=others,
        off=off,
        event=event,
        before=before,
        back=back,
        rush=rush,
    )


async def _failures_before(ask: Questions, trouble: Trouble) -> Mapping[str, int]:
    """Ask what failed in the hour before, where that may be most of it under another title."""
    began = titled_since(trouble.issues, ask.since)
    if began is None:
        return {}
    events = sum(issue.events for issue in trouble.issues)
    minutes = (ask.now - max(began, ask.since)) / MINUTE
    return {} if far_louder(trouble.series, began, events, minutes) else await ask.before(began)


async def _rush(ask: Questions, trouble: Trouble) -> float:
    """Ask whether more people came, where they alone may have brought it.

    Beside more than a page of issues it is left out: a triage makes twelve calls.
    """
    if trouble.about is None or not may_be_too_much(trouble.issues):
        return 0.0
    return 0.0 if len(trouble.rows) > len(trouble.by_minute) else await ask.rush(trouble.about)


async def _others_or_flag(
    ask: Questions, trouble: Trouble, flag: ChangeSeen | None
) -> tuple[OtherErrors, Mapping[str, tuple[int, int]]]:
    """Ask which events have the flag off, or who else has errors: a triage makes twelve calls.

    The flag goes first where it was changed minutes before, or too few others are there to tell a
    place. A search lists 100 issues: beside more of them it would tell of a part.
    """
    minutes, since = trouble.minutes.counts, ask.now - HOUR
    own = sum(count for at, count in minutes.items() if at >= since)
    own += sum(i.events for i in trouble.issues if i.id not in trouble.by_minute)
    few = ask.sources.service.window <= HOUR and too_few_others(
        trouble.series, since, own, OTHERS_EVENTS_LEAST
    )
    if (
        flag is not None
        and trouble.about is not None
        and (few or trouble.about - flag.at <= NEAR_BEGINNING)
    ):
        return NO_OTHERS, await ask.flag_off(flag)
    more = len(trouble.rows) > len(trouble.by_minute)
    if few or (more and ask.flags_used):
        return NO_OTHERS, {}
    return await ask.others(trouble.ids), {}


async def _impact_of_outage(ask: Questions, deploys: KnownDeploys, impact: Impact) -> Impact:
    """Suspect the newest deploy where the service is down and Sentry does not tell since when.

    A release that does not start sends no errors.
    """
    newest = suspect_of(deploys.known.deploys, ask.now, ask.sources.service.window)
    suspect = newest if newest is not None and ask.now - newest.started_at <= HOUR else None
    back = await ask_rollback_path(ask, deploys, suspect, None)
    return replace(impact, suspect=suspect, began=None, by_release=(), event=None, back=back)


def _rate_before(
    ask: Questions, page: IssuePage, trouble: Trouble, began: datetime | None
) -> tuple[float, float]:
    """Return the events a minute before trouble began, and the minutes that were counted."""
    if began and trouble.minutes.known:
        return baseline(trouble.minutes, began, page.since, ask.since - DAY)
    return trouble.usual, counted_before(trouble.rows, trouble.ids, ask.now)


def _observations(ask: Questions, found: Answers) -> Observations:
    trouble, impact = found.trouble, found.impact
    return Observations(
        service=ask.sources.service,
        since=ask.since,
        now=ask.now,
        rows=trouble.rows,
        issues=trouble.issues,
        picture=impact.picture,
        addresses=found.addresses,
        calm=found.calm,
        series=trouble.series,
        unasked=ask.notes.unasked_history,
        rhythm=trouble.rhythm,
        titled=titled_since(trouble.issues, ask.since),
        before=impact.before,
        from_laptop=impact.event is not None and impact.event.from_laptop,
        deployed=[deploy.started_at for deploy in found.deploys.known.deploys],
    )


def _situation(
    ask: Questions, incident: Incident, past: Past, found: Answers, blast: BlastRadius
) -> Situation:
    """Return everything that the decision looks at, without the endpoint's answer."""
    service, deploys = ask.sources.service, found.deploys
    trouble, impact, issues = found.trouble, found.impact, found.trouble.issues
    picture, commits = impact.picture, impact.back.commits
    unshipped = [
        fix for fix in found.fixes if fix.release.version not in shipped_hotfixes(incident)
    ]
    situation = Situation(
        now=ask.now,
        window=service.window,
        service=service.name,
        blast=blast,
        events=sum(i.events for i in issues) if picture.per_issue else picture.events,
        began=impact.began,
        last_event=last_event_minute(trouble.minutes),
        known=deploys.known,
        suspect=impact.suspect,
        running=deploys.running,
        listed=deploys.releases,
        cannot_deploy=deploys.cannot_deploy,
        burning=frozenset(deploys.burning),
        neighbours=deploys.neighbours,
        by_release=by_version(impact.by_release, service.release),
        exact=impact.exact,
        one_way=impact.back.one_way,
        issues=issues,
        minutes=trouble.minutes.counts,
        usual=found.calm,
        series=trouble.series,
        crash=impact.event,
        commits=tuple(commits) if commits is not None else None,
        only=only_places(picture),
        beside=others_beside(only_places(picture), impact.others),
        rush=impact.rush,
        endpoint_host=urlsplit(service.endpoint or "").hostname or "",
        written=(*warnings_of_people(incident, past.entries), *warnings_in_commits(commits or ())),
        takes_back=what_rollback_takes_back(
            impact.back, incident, past, deploys.known, impact.suspect
        ),
        rolled_back=tuple(dict.fromkeys(incident.rolled_back)),
        tried=tried_sentences(incident),
        broken_rollbacks=broken_rollbacks(incident),
        fix=known_fix(unshipped, incident, issues),
        sampled=picture.sampled or trouble.minutes.sampled,
        deploys_told=deploys.all_told,
        unasked=tuple(ask.notes.unasked),
    )
    carry = flag_evidence(found.flag, impact.off, issues, impact.event)
    return with_changes(situation, found.changes, carry)


# --- small rules -------------------------------------------------------------------------------


def by_version(shares: Sequence[Share], names: ReleaseNames) -> dict[str, int]:
    """Return events by version; names that fit no pattern count, but are no version."""
    events: dict[str, int] = {}
    for share in shares:
        version = names.version_of(names.sentry, share.name) if share.name else ""
        key = f"?{share.name}" if version is None else version
        events[key] = events.get(key, 0) + share.events
    return events


def known_fix(
    fixes: Sequence[HotfixRef], incident: Incident, issues: Sequence[IssueSeen]
) -> str | None:
    """Return the branch or pull request that names an issue, the ticket, or the incident itself."""
    if not fixes:
        return None
    names = [incident.id, *(issue.short_id for issue in issues)]
    if incident.ticket is not None:
        names.append(incident.ticket.identifier)
    named = re.compile(
        rf"(?<![A-Z0-9])(?:{'|'.join(re.escape(n) for n in names if n)})(?![A-Z0-9])", re.IGNORECASE
    )
    return next((f.name for f in fixes if named.search(f"{f.name} {f.subject} {f.body}")), None)
