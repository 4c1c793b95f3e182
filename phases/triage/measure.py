"""Phase 1, always first: pull the picture from Sentry, find who is hit and since when, and say what to do.

Workflow: "Issue count + frequency in last 15 minutes; affected users / orgs / regions; first seen timestamp (correlate with
recent deploys); stack trace top frame. Decide blast-radius." Who is hit: `blast_radius.py`; what to do: `decision.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from phases.messages.results import Triaged
from phases.ports.ports import (
    Deployer,
    DeployHistory,
    ErrorTracker,
    HotfixRef,
    PortError,
    SourceCode,
)
from phases.ports.source_remarks import remarks_of
from phases.ports.tracker_values import EventDetail, EventPicture, IssuePage, IssueRow, Minutes
from phases.record.findings import DeploySeen, IssueSeen, Part, Release, Share, TriageReport
from phases.record.incident import Incident
from phases.record.service import ReleaseNames, Service
from phases.record.wording import listed, short
from phases.root_cause.stack_trace import ours, with_cause
from phases.steps.rounds import broken_rollbacks, shipped, tried
from phases.triage.blast_radius import (
    ERROR,
    MINUTE,
    ONE_PLACE,
    PARTS,
    baseline,
    beginning,
    belonging,
    blast_radius,
    counted_before,
    first_loud_minute,
    last_event_minute,
    severity_of,
    with_others,
)
from phases.triage.recommendation import (
    FIRST_EVENTS,
    UNTOLD,
    History,
    Situation,
    history,
    recommend,
    suspect_of,
    targets_of,
)
from phases.triage.unavailable import Notes, in_time, say_of, say_of_stack

__all__ = ["severity_of", "triage"]

DAY = timedelta(days=1)
PAGES = 2  # of 100 issues each, loudest first
SHOWN_ISSUES = 10
SHOWN_MONITORS = 20
SHOWN_DEPLOYS = 5
SHOWN_FRAMES = 10
SHOWN_WRAPPERS = 5
SHOWN_TARGETS = 10
NAMES: dict[Part, str] = {
    "users": "Users",
    "features": "Features",
    "places": "Regions and organisations",
}


async def triage(
    incident: Incident,
    service: Service,
    neighbours: Sequence[Service],
    tracker: ErrorTracker,
    deployer: Deployer | None,
    source: SourceCode | None,
    known_deploys: Sequence[DeploySeen],
    now: datetime,
    *,
    burning: Collection[str] = (),
    elsewhere: DeployHistory | None = None,
) -> Triaged:
    """Measures and recommends, in three rounds of concurrent calls. `past` stays empty: the caller remembers.

    `known_deploys`: the bot's own records and what webhooks told; `burning`: versions with an open incident of their own;
    `elsewhere`: who else knows of deploys. Raises `PortError` where Sentry cannot be asked for the issues. Every other part fails by
    itself: it is unknown, and never counts as the mild value.
    """
    notes = Notes()
    services = (service, *neighbours)
    since = now - service.window
    seeds = frozenset(incident.seeds)

    # First: which issues, what was deployed, what runs, what may be deployed, is there a fix.
    (
        page,
        (by_sentry, all_told),
        by_others,
        running,
        (releases, cannot_deploy),
        fixes,
    ) = await asyncio.gather(
        tracker.page(services, since, now),
        _by_sentry(tracker, services, notes),
        _elsewhere(elsewhere, services, notes),
        _running(deployer, service, notes),
        _releases(deployer, service),
        _fixes(source, service, notes),
    )
    told = (*by_others, *by_sentry)
    own = [d for d in (*known_deploys, *told) if d.service == service.name]
    known = marked(history(own, deployable=releases or ()), incident.rolled_back)
    running = running or (known.deploys[0].release if known.deploys else None)

    # Second: the rest of the issues, and the minutes of those found so far.
    issues = belonging(page.rows, now, service.window, seeds)
    (rest, cut), minutes = await asyncio.gather(
        _rest(tracker, services, since, now, page, notes),
        _minutes(tracker, services, issues, since, now, notes),
    )
    rows = (*page.rows, *rest)
    issues = belonging(rows, now, service.window, seeds)
    if page.missing:
        cut = PortError("Sentry", page.missing, retryable=page.passing)
        notes.lack(cut, "The issues of some projects are not known")
    if cut is not None and not issues:
        raise cut  # that nothing is unusual was not looked for to the end
    ids = tuple(dict.fromkeys((*(i.id for i in issues), *incident.seeds)))
    usual = sum(i.baseline_per_minute for i in issues)
    loud = first_loud_minute(minutes, since, now, usual)
    about = beginning(issues, loud, minutes, since)
    suspect = suspect_of(known.deploys, about, service.window)

    def targets(of: DeploySeen | None) -> tuple[Release, ...]:
        return targets_of(
            of, known, releases, running, burning=burning, rolled_back=incident.rolled_back
        )

    # Third: who is hit, by which release, since which second, where in the code, and what changed one way.
    if issues:
        picture, carried, exact, detail, one_way = await asyncio.gather(
            _picture(tracker, services, issues, ids, since, now, notes),
            _carried(tracker, service, ids, suspect, since, now, notes),
            _exact(tracker, services, issues, ids, loud, now, notes),
            _detail(tracker, services, rows, issues[0], notes),
            _one_way(source, service, targets(suspect), running, notes),
        )
    else:
        picture, carried, exact, detail, one_way = (
            EventPicture(events=0, user_count=0),
            (),
            None,
            None,
            (),
        )
    began = exact or about
    if (
        suspect_of(known.deploys, began, service.window) != suspect
    ):  # the exact second is on the other side of a deploy
        suspect = suspect_of(known.deploys, began, service.window)
        carried = await _carried(tracker, service, ids, suspect, since, now, notes)
        one_way = await _one_way(source, service, targets(suspect), running, notes)

    if began and minutes.known:
        calm, over = baseline(minutes, began, page.since, since - DAY)
    else:
        calm, over = usual, counted_before(rows, ids, now)
    situation = Situation(
        now=now,
        window=service.window,
        service=service.name,
        blast=blast_radius(
            picture,
            await _addresses(tracker, service, picture, now, notes),
            service.features,
            service.window,
            calm,
        ),
        events=sum(i.events for i in issues) if picture.per_issue else picture.events,
        began=began,
        last_event=last_event_minute(minutes),
        known=known,
        suspect=suspect,
        running=running,
        listed=releases,
        cannot_deploy=cannot_deploy,
        burning=frozenset(burning),
        neighbours=tuple(
            d for d in told if d.service != service.name and d.source not in FIRST_EVENTS
        ),
        by_release=by_version(carried, service.release),
        one_way=one_way,
        rolled_back=tuple(dict.fromkeys(incident.rolled_back)),
        tried=tried(incident),
        broken_rollbacks=broken_rollbacks(incident),
        fix=fix_of(
            [f for f in fixes if f.release.version not in shipped(incident)], incident, issues
        ),
        sampled=picture.sampled or minutes.sampled,
        deploys_told=all_told,
        unasked=tuple(notes.unasked),
    )
    say_of(notes, situation, picture, minutes, carried, service)
    if detail is not None:
        loudest = issues[0].model_copy(update={"title": with_cause(issues[0].title, detail)})
        issues = (loudest, *issues[1:])
        say_of_stack(notes, detail)
    report = _report(situation, issues, ids, calm, detail, notes)
    measured = {"baseline_minutes": round(over, 1), "incomplete": notes.incomplete}
    return Triaged(report=report.model_copy(update=measured))


# --- the calls -------------------------------------------------------------------------------------------------


async def _running(deployer: Deployer | None, service: Service, notes: Notes) -> Release | None:
    if deployer is None:
        return None
    return await notes.soft(deployer.running(service), None, "What runs could not be asked")


async def _elsewhere(
    elsewhere: DeployHistory | None, services: Sequence[Service], notes: Notes
) -> Sequence[DeploySeen]:
    if elsewhere is None:
        return ()
    return await notes.soft(elsewhere.deploys(services), (), "GitHub's deployments are not known")


async def _releases(
    deployer: Deployer | None, service: Service
) -> tuple[tuple[Release, ...] | None, str]:
    if deployer is None:
        return (
            None,
            f"no deployer is set up for {service.name}, so a rollback has to be made by hand",
        )
    try:
        return tuple(await deployer.releases(service)), ""
    except PortError as error:
        return None, f"which releases can be deployed is not known: {error.text}"


async def _fixes(source: SourceCode | None, service: Service, notes: Notes) -> Sequence[HotfixRef]:
    if source is None:
        return ()
    found = await notes.soft(
        source.hotfixes(service), (), "Whether a fix is there already is not known"
    )
    for remark in remarks_of(source, service):
        notes.say(remark)
    return found


async def _rest(
    tracker: ErrorTracker,
    services: Sequence[Service],
    since: datetime,
    now: datetime,
    page: IssuePage,
    notes: Notes,
) -> tuple[list[IssueRow], PortError | None]:
    """The issues of the further pages; with why there are no more of them, where one could not be asked for."""
    rows: list[IssueRow] = []
    after = page.next
    for _ in range(1, PAGES):
        if after is None:
            break
        try:
            found = await in_time(tracker.page(services, since, now, after=after))
        except PortError as error:
            notes.lack(
                error, f"Issues beyond the {len(page.rows) + len(rows)} loudest are not known"
            )
            return rows, error
        rows.extend(found.rows)
        after = found.next
    if after is not None:
        notes.say(
            f"Sentry has still more issues: the {len(page.rows) + len(rows)} loudest are counted."
        )
    return rows, None


async def _by_sentry(
    tracker: ErrorTracker, services: Sequence[Service], notes: Notes
) -> tuple[Sequence[DeploySeen], bool]:
    """Deploys that Sentry knows of, and whether these are all of them."""
    try:
        found = await in_time(tracker.deploys(services))
    except PortError as error:
        notes.lack(error, "Sentry's deploys are not known")
        return (), False
    if untold := [short(d.release.version) for d in found if d.source == UNTOLD]:
        stands = (
            "its first event stands for it"
            if len(untold) == 1
            else "their first events stand for them"
        )
        notes.say(f"Sentry did not tell the deploys of {listed(untold)}: {stands}.")
    return found, True


async def _minutes(
    tracker: ErrorTracker,
    services: Sequence[Service],
    issues: Sequence[IssueSeen],
    since: datetime,
    now: datetime,
    notes: Notes,
) -> Minutes:
    if not issues:
        return Minutes()
    asked = tracker.per_minute(services, [i.id for i in issues], since - DAY, now)
    return await notes.part(asked, Minutes(known=False), "Events by minute are not known")


async def _picture(
    tracker: ErrorTracker,
    services: Sequence[Service],
    issues: Sequence[IssueSeen],
    ids: Sequence[str],
    since: datetime,
    now: datetime,
    notes: Notes,
) -> EventPicture:
    """Where nothing of it can be asked, the issue list still counts events."""
    try:
        picture = await tracker.picture(services, ids, since, now)
    except PortError as error:
        notes.lack(error, "Users and features are not known")
        events = sum(i.events for i in issues if i.category == ERROR)
        picture = EventPicture(events=events, unknown=PARTS)
    else:
        for part in picture.unknown:
            notes.say(f"{NAMES[part]} are not known ({listed(picture.why)}).")
            if part != "places":
                notes.unasked.setdefault(f"{NAMES[part]} are not known.")
        notes.incomplete = notes.incomplete or picture.passing
    return with_others(picture, issues)


async def _carried(
    tracker: ErrorTracker,
    service: Service,
    ids: Sequence[str],
    suspect: DeploySeen | None,
    since: datetime,
    now: datetime,
    notes: Notes,
) -> Sequence[Share]:
    """Releases that the window's events carry, since the suspect's deploy started."""
    begin = max(since, suspect.started_at) if suspect is not None else since
    if begin >= now:
        return ()
    asked = tracker.releases(service, ids, begin, now)
    return await notes.part(asked, (), "Which releases the events carry is not known")


async def _detail(
    tracker: ErrorTracker,
    services: Sequence[Service],
    rows: Sequence[IssueRow],
    issue: IssueSeen,
    notes: Notes,
) -> EventDetail | None:
    """The newest event of the loudest issue."""
    project = next((r.project for r in rows if r.id == issue.id), "")
    owner = next((s for s in services if project in s.sentry), services[0])
    return await notes.beside(tracker.detail(owner, issue.id), None, "The stack trace is not known")


async def _addresses(
    tracker: ErrorTracker, service: Service, picture: EventPicture, now: datetime, notes: Notes
) -> int | None:
    """Only asked for where many users could be one place."""
    if picture.addresses != 1 or (picture.user_count or 0) < ONE_PLACE:
        return None
    return await notes.beside(
        tracker.addresses(service, now - DAY, now), None, "Client addresses are not known"
    )


async def _exact(
    tracker: ErrorTracker,
    services: Sequence[Service],
    issues: Sequence[IssueSeen],
    ids: Sequence[str],
    loud: datetime | None,
    now: datetime,
    notes: Notes,
) -> datetime | None:
    """The first event of the minute in which trouble began."""
    if loud is None:
        return None
    end = min(loud + MINUTE, now)
    if all(i.new and i.first_seen >= loud for i in issues):
        inside = [i.first_seen for i in issues if i.first_seen < end]
        if inside:
            return min(inside)
    return await notes.beside(
        tracker.first_event(services, ids, loud, end), loud, "The beginning is known to the minute"
    )


async def _one_way(
    source: SourceCode | None,
    service: Service,
    targets: Sequence[Release],
    running: Release | None,
    notes: Notes,
) -> tuple[str, ...] | None:
    """One-way paths (migrations) changed between the target and what runs; None where that cannot be seen."""
    if not service.one_way or not targets or running is None:
        return ()
    if source is None:
        return None
    asked = source.changed_paths(service, targets[0].version, running.version)
    changed = await notes.soft(asked, None, f"What changed since {targets[0].version} is not known")
    if changed is None:
        return None
    return tuple(
        p for p in changed if any(one_way_match(p, pattern) for pattern in service.one_way)
    )


# --- small rules -----------------------------------------------------------------------------------------------


def one_way_match(path: str, pattern: str) -> bool:
    """`migrations/**` and what is under it; `*` and `?` as in a shell."""
    return fnmatchcase(path, pattern) or (
        pattern.startswith("**/") and fnmatchcase(path, pattern[3:])
    )


def by_version(shares: Sequence[Share], names: ReleaseNames) -> dict[str, int]:
    """Events by version; names that fit no pattern count, but are no version."""
    found: dict[str, int] = {}
    for share in shares:
        version = names.version_of(names.sentry, share.name) if share.name else ""
        key = f"?{share.name}" if version is None else version
        found[key] = found.get(key, 0) + share.events
    return found


def marked(known: History, rolled_back: Collection[str]) -> History:
    """What this incident rolled back is not healthy, whatever the sources say."""
    out = {known.names.called(version) for version in rolled_back}
    deploys = (
        d.model_copy(update={"rolled_back": True}) if d.release.version in out else d
        for d in known.deploys
    )
    return replace(known, deploys=tuple(deploys))


def fix_of(
    fixes: Sequence[HotfixRef], incident: Incident, issues: Sequence[IssueSeen]
) -> str | None:
    """A branch or pull request that names one of the incident's Sentry issues, its ticket, or the incident itself."""
    names = [incident.id, *(i.short_id for i in issues)]
    if incident.ticket is not None:
        names.append(incident.ticket.identifier)
    named = re.compile(
        rf"(?<![A-Z0-9])(?:{'|'.join(re.escape(n) for n in names if n)})(?![A-Z0-9])", re.IGNORECASE
    )
    return next((f.name for f in fixes if named.search(f"{f.name} {f.subject} {f.body}")), None)


# --- the report ------------------------------------------------------------------------------------------------


def _report(
    situation: Situation,
    issues: Sequence[IssueSeen],
    ids: Sequence[str],
    calm: float,
    detail: EventDetail | None,
    notes: Notes,
) -> TriageReport:
    suspect, began = situation.suspect, situation.began
    frames = tuple(ours(detail.frames))[:SHOWN_FRAMES] if detail else ()
    return TriageReport(
        at=situation.now,
        window_seconds=int(situation.window.total_seconds()),
        events=situation.events,
        per_minute=round(situation.events / (situation.window / MINUTE), 2),
        baseline_per_minute=round(calm, 4),
        began_at=began,
        blast=situation.blast,
        issues=tuple(issues[:SHOWN_ISSUES]),
        issue_ids=tuple(ids),
        monitors=dict([(i.id, i.short_id) for i in issues if i.category != ERROR][:SHOWN_MONITORS]),
        running=situation.running,
        suspect=suspect.release if suspect else None,
        suspect_minutes=round((began - suspect.started_at) / MINUTE, 3)
        if suspect and began
        else None,
        deploys=situation.known.deploys[:SHOWN_DEPLOYS],
        targets=situation.targets[:SHOWN_TARGETS],
        exception_type=detail.exception_type if detail else None,
        exception_value=detail.exception_value if detail else "",
        wrapped_in=detail.wrapped_in[:SHOWN_WRAPPERS] if detail else (),
        event_kind=detail.kind if detail else "",
        frame=frames[0] if frames else None,
        frames=frames,
        handled=detail.handled if detail else None,
        recommendation=recommend(situation),
        notes=tuple(notes.said),
    )
