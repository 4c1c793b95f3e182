"""Phase 1, always first: measure who is hit and since when, and say what to do.

Workflow: "Issue count + frequency in last 15 minutes; affected users / orgs / regions; first seen
timestamp (correlate with recent deploys); stack trace top frame. Decide blast-radius."
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

from phases.messages.results import Triaged
from phases.ports.ports import HotfixRef, PortError
from phases.ports.tracker_values import EventDetail, EventPicture, IssuePage, IssueRow, Minutes
from phases.record.findings import Choice, DeploySeen, IssueSeen, Release, Share, TriageReport
from phases.record.incident import Incident
from phases.record.service import ReleaseNames
from phases.root_cause.stack_trace import ours, with_cause
from phases.shared.rounds import broken_rollbacks, not_taken_back, shipped, tried
from phases.shared.suspected_changes import merged, near
from phases.triage.beginning import (
    baseline,
    beginning,
    first_loud_minute,
    last_event_minute,
)
from phases.triage.blast_radius import (
    ERROR,
    MINUTE,
    NEW,
    belonging,
    counted_before,
)
from phases.triage.deploy_history import FIRST_EVENTS, History, history, suspect_of
from phases.triage.fire import DAY, HISTORY, Series, fire
from phases.triage.flags import events_with_flag, flag_evidence, with_changes
from phases.triage.judged import Seen, judged
from phases.triage.ordinary import Rhythm, mostly_new, titled, without_regular
from phases.triage.questions import Questions, Sources
from phases.triage.recommendation import recommend
from phases.triage.situation import Situation
from phases.triage.taken_back import NO_PAST, NO_WAY, Back, Past, takes_back
from phases.triage.targets import fire_of, targets_of
from phases.triage.unavailable import say_of_numbers, say_of_stack
from phases.triage.written_warnings import of_commits, of_people

SHOWN_ISSUES = 10
SHOWN_MONITORS = 20
SHOWN_DEPLOYS = 5
SHOWN_CHANGES = 5
SHOWN_FRAMES = 10
SHOWN_WRAPPERS = 5
SHOWN_TARGETS = 10
ONE_PLACE = 0.95  # of the events: the rest names no place, or is noise


@dataclass(frozen=True, slots=True)
class _Deploys:
    """The deploys, the running release, and the releases that may be deployed."""

    known: History
    neighbours: tuple[DeploySeen, ...]
    all_told: bool
    """Sentry told of its deploys: no other one can be nearer to the trouble."""
    running: Release | None
    releases: tuple[Release, ...] | None
    cannot_deploy: str
    burning: Collection[str]
    rolled_back: Collection[str]

    def targets(
        self, suspect: DeploySeen | None, trouble: _Trouble, ask: Questions
    ) -> tuple[Release, ...]:
        window = ask.sources.service.window
        fire = fire_of(trouble.minutes.counts, trouble.about, ask.now, trouble.usual, window)
        return targets_of(
            suspect,
            self.known,
            self.releases,
            self.running,
            window=window,
            fire=fire,
            burning=self.burning,
            rolled_back=self.rolled_back,
        ).releases


@dataclass(frozen=True, slots=True)
class _Trouble:
    """The incident's issues, and about when they began."""

    rows: tuple[IssueRow, ...]
    issues: tuple[IssueSeen, ...]
    ids: tuple[str, ...]
    minutes: Minutes
    usual: float
    """Events a minute that these issues had before, as the issue list counts them."""
    loud: datetime | None
    about: datetime | None
    series: Series | None
    """All errors of the service by five minutes; None where they are not known."""
    rhythm: Rhythm | None = None
    """What burns is regular, all of it."""


@dataclass(frozen=True, slots=True)
class _Impact:
    """The people hit, the second of the beginning, the deploy, and the place in the code."""

    suspect: DeploySeen | None
    began: datetime | None
    picture: EventPicture
    exact: bool = True
    by_release: Sequence[Share] = ()
    event: EventDetail | None = None
    before: Mapping[str, int] = field(default_factory=dict[str, int])
    """Events of the hour before, by transaction."""
    back: Back = NO_WAY


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
        page, errors, deploys, fixes = await asyncio.gather(
            ask.issues(),
            ask.history(),
            _deploys(ask, incident, known_deploys, burning),
            ask.fixes(),
        )
        trouble, by_sentry = await asyncio.gather(
            _trouble(ask, incident, page, errors), ask.flag_changes(page)
        )
        changes = not_taken_back(merged(past.changes, by_sentry), incident)
        impact, carried = await asyncio.gather(
            _impact(ask, trouble, deploys),
            events_with_flag(ask, page, changes, trouble.issues, trouble.about),
        )
        addresses = await ask.addresses(impact.picture)
        endpoint = await called
    finally:
        called.cancel()
    calm, over = _rate_before(ask, page, trouble, impact.began)
    service, picture, issues = sources.service, impact.picture, trouble.issues
    seen = _seen(ask, trouble, impact, addresses, calm)
    unshipped = [fix for fix in fixes if fix.release.version not in shipped(incident)]
    only = only_places(picture)
    situation = Situation(
        now=now,
        window=service.window,
        service=service.name,
        blast=judged(seen, endpoint),
        endpoint=endpoint,
        events=sum(i.events for i in issues) if picture.per_issue else picture.events,
        began=impact.began,
        last_event=last_event_minute(trouble.minutes),
        known=deploys.known,
        suspect=impact.suspect,
        running=deploys.running,
        listed=deploys.releases,
        cannot_deploy=deploys.cannot_deploy,
        burning=frozenset(burning),
        neighbours=deploys.neighbours,
        by_release=by_version(impact.by_release, service.release),
        exact=impact.exact,
        one_way=impact.back.one_way,
        issues=issues,
        minutes=trouble.minutes.counts,
        usual=calm,
        crash=impact.event,
        commits=tuple(impact.back.commits) if impact.back.commits is not None else None,
        only=only,
        endpoint_host=urlsplit(service.endpoint or "").hostname or "",
        written=(*of_people(incident, past.entries), *of_commits(impact.back.commits or ())),
        takes_back=takes_back(impact.back, incident, past, deploys.known, impact.suspect),
        rolled_back=tuple(dict.fromkeys(incident.rolled_back)),
        tried=tried(incident),
        broken_rollbacks=broken_rollbacks(incident),
        fix=fix_of(unshipped, incident, issues),
        sampled=picture.sampled or trouble.minutes.sampled,
        deploys_told=deploys.all_told,
        unasked=tuple(ask.notes.unasked),
    )
    carry = flag_evidence(carried, trouble.rows, trouble.ids, impact.event)
    situation = with_changes(situation, changes, carry)
    if only and recommend(situation).choice is Choice.ROLLBACK:
        situation = replace(situation, beside=await ask.beside(only, trouble.ids))
    say_of_numbers(ask.notes, situation, picture, trouble.minutes, impact.by_release, service)
    if impact.event is not None:
        say_of_stack(ask.notes, impact.event)
    measured = {
        "baseline_minutes": round(over, 1),
        "incomplete": ask.notes.incomplete,
        "notes": tuple(ask.notes.sentences),
    }
    report = _report(situation, trouble, impact.event, calm)
    return Triaged(report=report.model_copy(update=measured))


# --- the three rounds --------------------------------------------------------------------------


async def _deploys(
    ask: Questions,
    incident: Incident,
    known_deploys: Sequence[DeploySeen],
    burning: Collection[str],
) -> _Deploys:
    """First, beside the issues: what was deployed, what runs, what may be deployed."""
    service = ask.sources.service
    by_github, (by_sentry, all_told), running, (releases, cannot_deploy) = await asyncio.gather(
        ask.deploys_on_github(), ask.deploys_in_sentry(), ask.running(), ask.releases()
    )
    outside = (*by_github, *by_sentry)
    own = [d for d in (*known_deploys, *outside) if d.service == service.name]
    known = history(own, deployable=releases or ()).without(incident.rolled_back)
    return _Deploys(
        known=known,
        neighbours=tuple(
            d for d in outside if d.service != service.name and d.source not in FIRST_EVENTS
        ),
        all_told=all_told,
        running=running or (known.deploys[0].release if known.deploys else None),
        releases=releases,
        cannot_deploy=cannot_deploy,
        burning=burning,
        rolled_back=incident.rolled_back,
    )


async def _trouble(
    ask: Questions, incident: Incident, page: IssuePage, errors: Minutes
) -> _Trouble:
    """Second: the rest of the issues, and the minutes of those found so far.

    Raises `PortError` where none was found and not all were looked at: that nothing is unusual
    cannot be said then.
    """
    window, seeds = ask.sources.service.window, frozenset(incident.seeds)
    asked = ask.now - HISTORY
    series = Series(errors, max(asked, page.since or asked), ask.now) if errors.known else None
    burning = fire(page.rows, series, ask.now, window, NEW)
    issues = belonging(page.rows, ask.now, window, seeds, burning)
    (further, cut), minutes = await asyncio.gather(ask.further_issues(page), ask.minutes(issues))
    rows = (*page.rows, *further)
    burning = fire(rows, series, ask.now, window, NEW)
    issues = belonging(rows, ask.now, window, seeds, burning)
    if page.missing:
        cut = PortError("Sentry", page.missing, retryable=page.passing)
        ask.notes.miss(cut, "The issues of some projects are not known", decides=True)
    if cut is not None and not issues:
        raise cut
    usual = sum(issue.baseline_per_minute for issue in issues)
    loud = first_loud_minute(minutes, ask.since, ask.now, usual)
    about = beginning(issues, loud, minutes, ask.since)
    born = titled(issues, ask.since)
    if about is not None and born is not None and mostly_new(issues, ask.since) and born > about:
        about, loud = born, None  # what is loud before is the noise of older issues
    issues, found, note = without_regular(issues, rows, series, about)
    if note:
        ask.notes.say(note)
        loud, about = None, min(issue.first_seen for issue in issues)
    return _Trouble(
        rows=rows,
        issues=issues,
        ids=tuple(dict.fromkeys((*(issue.id for issue in issues), *incident.seeds))),
        minutes=minutes,
        usual=usual,
        loud=loud,
        about=about,
        series=series,
        rhythm=found,
    )


async def _impact(ask: Questions, trouble: _Trouble, deploys: _Deploys) -> _Impact:
    """Third: ask who is hit, by which release, since which second, and where in the code."""
    window, issues, ids = ask.sources.service.window, trouble.issues, trouble.ids
    suspect = suspect_of(deploys.known.deploys, trouble.about, window)
    if not issues:
        return _Impact(suspect, trouble.about, EventPicture(events=0, user_count=0))
    picture, by_release, exact, event, back, before = await asyncio.gather(
        ask.picture(issues, ids),
        ask.events_by_release(ids, suspect),
        ask.exact_beginning(issues, ids, trouble.loud),
        ask.newest_event(trouble.rows, issues[0]),
        _back(ask, trouble, deploys, suspect),
        ask.before(titled(issues, ask.since)),
    )
    began = exact or trouble.about
    nearer = suspect_of(deploys.known.deploys, began, window)
    if nearer != suspect:  # the exact second is on the other side of a deploy
        suspect = nearer
        by_release = await ask.events_by_release(ids, suspect)
        back = await _back(ask, trouble, deploys, suspect)
    to_the_second = exact not in (None, trouble.loud)
    to_the_second = to_the_second or any(began == issue.first_seen for issue in issues)
    return _Impact(
        suspect=suspect,
        began=began,
        picture=picture,
        exact=to_the_second,
        by_release=by_release,
        event=event,
        before=before,
        back=back,
    )


async def _back(
    ask: Questions, trouble: _Trouble, deploys: _Deploys, suspect: DeploySeen | None
) -> Back:
    """Ask what lies between what runs and the release to go back to."""
    targets = deploys.targets(suspect, trouble, ask)
    one_way, (commits, why) = await asyncio.gather(
        ask.one_way_changes(targets, deploys.running), ask.commits(targets, deploys.running)
    )
    return Back(targets[0] if targets else None, one_way, commits, why)


def _rate_before(
    ask: Questions, page: IssuePage, trouble: _Trouble, began: datetime | None
) -> tuple[float, float]:
    """Return the events a minute before trouble began, and the minutes that were counted."""
    if began and trouble.minutes.known:
        return baseline(trouble.minutes, began, page.since, ask.since - DAY)
    return trouble.usual, counted_before(trouble.rows, trouble.ids, ask.now)


def _seen(
    ask: Questions, trouble: _Trouble, impact: _Impact, addresses: int | None, calm: float
) -> Seen:
    return Seen(
        service=ask.sources.service,
        since=ask.since,
        now=ask.now,
        rows=trouble.rows,
        issues=trouble.issues,
        picture=impact.picture,
        addresses=addresses,
        calm=calm,
        series=trouble.series,
        unasked=ask.notes.unasked_history,
        rhythm=trouble.rhythm,
        titled=titled(trouble.issues, ask.since),
        before=impact.before,
        from_laptop=impact.event is not None and impact.event.from_laptop,
    )


# --- small rules -------------------------------------------------------------------------------


def only_places(picture: EventPicture) -> dict[str, str]:
    """Return the organisation, region or browser that all events are in, where it is one."""
    shares = {
        "organisation": picture.organisations,
        "region": picture.regions,
        "browser": picture.browsers,
    }
    found: dict[str, str] = {}
    for kind, named in shares.items():
        most = named[0] if named else None
        if most is not None and most.events >= max(picture.events * ONE_PLACE, 2):
            found[kind] = most.name
    return found


def by_version(shares: Sequence[Share], names: ReleaseNames) -> dict[str, int]:
    """Return events by version; names that fit no pattern count, but are no version."""
    events: dict[str, int] = {}
    for share in shares:
        version = names.version_of(names.sentry, share.name) if share.name else ""
        key = f"?{share.name}" if version is None else version
        events[key] = events.get(key, 0) + share.events
    return events


def fix_of(
    fixes: Sequence[HotfixRef], incident: Incident, issues: Sequence[IssueSeen]
) -> str | None:
    """Return the branch or pull request that names an issue, the ticket, or the incident itself."""
    names = [incident.id, *(issue.short_id for issue in issues)]
    if incident.ticket is not None:
        names.append(incident.ticket.identifier)
    named = re.compile(
        rf"(?<![A-Z0-9])(?:{'|'.join(re.escape(n) for n in names if n)})(?![A-Z0-9])", re.IGNORECASE
    )
    return next((f.name for f in fixes if named.search(f"{f.name} {f.subject} {f.body}")), None)


def _report(
    situation: Situation, trouble: _Trouble, event: EventDetail | None, calm: float
) -> TriageReport:
    suspect, began, issues = situation.suspect, situation.began, trouble.issues
    if event is not None:
        title = with_cause(issues[0].title, event)
        issues = (issues[0].model_copy(update={"title": title}), *issues[1:])
    frames = tuple(ours(event.frames))[:SHOWN_FRAMES] if event else ()
    after = (began - suspect.started_at) / MINUTE if suspect and began else None
    monitors = [(i.id, i.short_id) for i in issues if i.category != ERROR]
    return TriageReport(
        at=situation.now,
        window_seconds=int(situation.window.total_seconds()),
        events=situation.events,
        per_minute=round(situation.events / (situation.window / MINUTE), 2),
        baseline_per_minute=round(calm, 4),
        began_at=began,
        blast=situation.blast,
        issues=issues[:SHOWN_ISSUES],
        issue_ids=trouble.ids,
        monitors=dict(monitors[:SHOWN_MONITORS]),
        running=situation.running,
        suspect=suspect.release if suspect else None,
        began_exact=situation.exact,
        suspect_minutes=round(after, 3) if after is not None else None,
        deploys=situation.known.deploys[:SHOWN_DEPLOYS],
        changes=near(situation.changes, began)[:SHOWN_CHANGES],
        flag_evidence=situation.flag_evidence,
        targets=situation.targets[:SHOWN_TARGETS],
        exception_type=event.exception_type if event else None,
        exception_value=event.exception_value if event else "",
        wrapped_in=event.wrapped_in[:SHOWN_WRAPPERS] if event else (),
        event_kind=event.kind if event else "",
        frame=frames[0] if frames else None,
        frames=frames,
        handled=event.handled if event else None,
        endpoint=situation.endpoint,
        recommendation=recommend(situation),
    )
